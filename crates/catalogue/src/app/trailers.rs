//! Trailers and clips as the app plays them.

use serde_json::{Value, json};

use super::{
    json::{items, text},
    row::AppRow,
};
use crate::Movie;

/// Videos in `works_meta.trailers` and in the card.
const TRAILERS_MAX: usize = 10;

/// The first [`TRAILERS_MAX`] videos on YouTube that have a key, a name and a type; null where
/// there are none. A thumbnail is always the app's own: it stays with its video.
pub(super) fn trailers(movie: &Movie, row: &AppRow) -> Value {
    let video = |video: &Value| {
        let key = text(video, "key")?;
        let stored = row.entries(&["trailers"], "trailers");
        let mut same = stored.filter(|entry| text(entry, "key") == Some(key));
        Some(json!({
            "key": key,
            "name": text(video, "name")?,
            "type": text(video, "type")?,
            "thumbnail_url": same.find_map(|entry| text(entry, "thumbnail_url")),
        }))
    };
    let on_youtube = |video: &&Value| text(video, "site").is_none_or(|site| site == "YouTube");
    let videos = items(movie.trailers.as_ref()).iter().filter(on_youtube);
    let videos: Vec<Value> = videos.filter_map(video).take(TRAILERS_MAX).collect();
    if videos.is_empty() { Value::Null } else { videos.into() }
}

/// Stored trailers in TMDB's shape: the inverse of [`trailers`].
pub(super) fn stored(trailers: &Value) -> Option<Value> {
    let video = |video: &Value| {
        json!({
            "key": text(video, "key"),
            "name": text(video, "name"),
            "site": "YouTube",
            "type": text(video, "type"),
            "official": null,
            "language": null,
            "published_at": null,
        })
    };
    Some(trailers.as_array()?.iter().map(video).collect())
}
