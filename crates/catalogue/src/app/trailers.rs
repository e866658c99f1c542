//! Trailers and clips as the app plays them.

use serde_json::{Value, json};

use super::{json::text, row::AppRow};
use crate::{Movie, parts::Video};

/// Videos in `works_meta.trailers` and in the card.
const TRAILERS_MAX: usize = 10;

/// The first [`TRAILERS_MAX`] videos on YouTube that have a key, a name and a type; null where
/// there are none. A thumbnail is always the app's own: it stays with its video.
pub(super) fn trailers(movie: &Movie<'_>, row: &AppRow) -> Value {
    let video = |video: &Video<'_>| {
        let key = video.key.as_deref()?;
        let stored = row.entries(&["trailers"], "trailers");
        let mut same = stored.filter(|entry| text(entry, "key") == Some(key));
        Some(json!({
            "key": key,
            "name": video.name.as_deref()?,
            "type": video.kind.as_deref()?,
            "thumbnail_url": same.find_map(|entry| text(entry, "thumbnail_url")),
        }))
    };
    let on_youtube = |video: &&Video<'_>| video.site.as_deref().is_none_or(|s| s == "YouTube");
    let videos = movie.trailers.iter().flatten().filter(on_youtube);
    let videos: Vec<Value> = videos.filter_map(video).take(TRAILERS_MAX).collect();
    if videos.is_empty() { Value::Null } else { videos.into() }
}

/// Stored trailers in TMDB's shape: the inverse of [`trailers`].
pub(super) fn stored(trailers: &Value) -> Option<Vec<Video<'_>>> {
    let video = |video| Video {
        key: text(video, "key").map(Into::into),
        name: text(video, "name").map(Into::into),
        site: Some("YouTube".into()),
        kind: text(video, "type").map(Into::into),
        ..Video::default()
    };
    Some(trailers.as_array()?.iter().map(video).collect())
}
