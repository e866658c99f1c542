//! The daily export: every id there is, one JSON object a line, packed while it is sent.
//!
//! The catalogue as it is now is served under every date. Memory stays at one chunk, whatever the
//! size of the catalogue.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use time::{Date, Month};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::catalogue::Catalogue;
use crate::render::json;
use crate::source::Source;
use crate::state::State;

/// Packed bytes that are sent at once.
const CHUNK_BYTES: usize = 16_384;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: AmazonS3\r\nContent-Type: application/gzip\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// True for the name of an export, as `movie_ids_05_01_2026.json.gz`.
pub(crate) fn is_served(file: &str) -> bool {
    file.strip_prefix("movie_ids_")
        .and_then(|file| file.strip_suffix(".json.gz"))
        .and_then(day)
        .is_some()
}

/// A day in the American order.
fn day(text: &str) -> Option<Date> {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (month, day, year) = (digits(0..2)?, digits(3..5)?, digits(6..10)?);
    let exact = text.len() == 10 && text.get(2..3) == Some("_") && text.get(5..6) == Some("_");
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok().filter(|_| exact)
}

/// Sends the export; where it is not to be whole, it breaks off before the end.
pub(crate) async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    state: &State,
    whole: bool,
) -> std::io::Result<()> {
    stream.write_all(HEAD).await?;
    let mut packer = GzEncoder::new(Vec::with_capacity(2 * CHUNK_BYTES), Compression::fast());
    let ids: Box<dyn Iterator<Item = u64> + Send> = match &state.source {
        Source::Generated(catalogue, _) => Box::new(catalogue.ids()),
        Source::Recorded(recorded) => Box::new(recorded.ids()),
    };
    for id in ids.filter(|id| !state.edits.is_deleted(*id)) {
        packer.write_all(line(state, id).await.as_bytes())?;
        if packer.get_ref().len() >= CHUNK_BYTES {
            send_chunk(stream, packer.get_mut()).await?;
        }
    }
    let mut rest = packer.finish()?;
    if !whole {
        rest.truncate(rest.len() / 2);
        return send_chunk(stream, &mut rest).await;
    }
    send_chunk(stream, &mut rest).await?;
    stream.write_all(b"0\r\n\r\n").await
}

async fn send_chunk(
    stream: &mut (impl AsyncWrite + Unpin),
    chunk: &mut Vec<u8>,
) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(chunk).await?;
    chunk.clear();
    // Packing is work: the other connections of this thread get their turn.
    tokio::task::yield_now().await;
    Ok(())
}

/// A movie as a line of the export shows it.
#[derive(Debug, Default)]
struct Entry {
    original_title: String,
    popularity: f64,
    video: bool,
}

impl Entry {
    fn generated(state: &State, catalogue: &Catalogue, id: u64) -> Self {
        let movie = catalogue.movie_after(id, state.clock.days());
        Self {
            original_title: movie.original_title,
            popularity: movie.popularity,
            video: movie.video,
        }
    }

    fn recorded(row: &Value) -> Self {
        let title = row.get("original_title").and_then(Value::as_str).unwrap_or_default();
        Self {
            original_title: title.to_owned(),
            popularity: row.get("popularity").and_then(Value::as_f64).unwrap_or(0.0),
            video: row.get("video").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

async fn line(state: &State, id: u64) -> String {
    let mut entry = match &state.source {
        Source::Generated(catalogue, _) => Entry::generated(state, catalogue, id),
        Source::Recorded(recorded) => {
            recorded.row(id).await.map(|row| Entry::recorded(&row)).unwrap_or_default()
        }
    };
    let patch = state.edits.current(id).patch;
    if let Some(edited) = patch.as_ref().and_then(|patch| patch.get("original_title")?.as_str()) {
        edited.clone_into(&mut entry.original_title);
    }
    let Entry { original_title, popularity, video } = entry;
    let mut out = String::with_capacity(128);
    let _ = write!(out, "{{\"adult\":false,\"id\":{id}");
    json::text_field(&mut out, "original_title", &original_title);
    let _ = writeln!(out, ",\"popularity\":{popularity:?},\"video\":{video}}}");
    out
}
