//! Streams and consumers: made from `nats/*.json`, compared with `nats/*.json`, never written
//! anywhere else.

mod apply;
mod differences;
mod stream_rules;

use std::{collections::BTreeSet, sync::LazyLock};

use async_nats::jetstream::{consumer, stream};
use delivery::CONSUMERS;
use serde::Deserialize;

use crate::BusError;

pub use apply::StreamBirth;
pub use differences::Difference;

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../nats/", $folder, "/", $name, ".json")))),+]
    };
}

/// Name and text of every file in `nats/streams`.
pub const STREAMS: [(&str, &str); 5] = files!("streams":
    "MOVIES_TICKS", "MOVIES_INGEST", "MOVIES_STALE", "MOVIES_EVENTS", "MOVIES_DEAD");

/// The stream of what other systems read.
pub const EVENTS: &str = "MOVIES_EVENTS";

/// The key of a stream's metadata that says which installation it belongs to: the id of its
/// database.
const INSTALLATION: &str = "mangoes.installation";

#[derive(Deserialize)]
struct ConsumerFile {
    stream_name: String,
    config: consumer::Config,
}

/// The stream that a consumer reads.
///
/// # Errors
/// When there is no such file.
pub fn stream_of(durable: &str) -> Result<String, BusError> {
    Ok(consumer_file(durable)?.stream_name)
}

/// A stream with the subjects that its file names.
struct StreamSubjects {
    stream: &'static str,
    subjects: Vec<String>,
}

fn subjects_by_stream() -> &'static [StreamSubjects] {
    static SUBJECTS: LazyLock<Vec<StreamSubjects>> = LazyLock::new(|| {
        let read = |text| {
            serde_json::from_str::<stream::Config>(text)
                .map(|config| config.subjects.iter().map(ToString::to_string).collect())
                .unwrap_or_default()
        };
        STREAMS
            .iter()
            .map(|(stream, text)| StreamSubjects { stream, subjects: read(text) })
            .collect()
    });
    &SUBJECTS
}

/// Every pattern of subjects that a stream takes.
pub(crate) fn subjects() -> impl Iterator<Item = &'static str> {
    subjects_by_stream().iter().flat_map(|s| &s.subjects).map(String::as_str)
}

/// The stream that takes messages of this subject.
#[must_use]
pub fn stream_taking(subject: &str) -> Option<&'static str> {
    let takes = |stream: &&StreamSubjects| stream.subjects.iter().any(|p| matches(p, subject));
    subjects_by_stream().iter().find(takes).map(|stream| stream.stream)
}

/// What a stream takes; may have wildcards.
#[must_use]
pub fn subjects_of(stream: &str) -> Vec<String> {
    let found = subjects_by_stream().iter().filter(|s| s.stream == stream);
    found.flat_map(|s| s.subjects.iter().cloned()).collect()
}

/// What the streams of work take: those that our consumers read. May have wildcards.
///
/// # Errors
/// Names the consumer whose file cannot be read.
pub fn subjects_of_work() -> Result<Vec<String>, BusError> {
    let streams = CONSUMERS.iter().map(|consumer| stream_of(consumer.durable));
    let streams: BTreeSet<String> = streams.collect::<Result<_, _>>()?;
    Ok(streams.iter().flat_map(|stream| subjects_of(stream)).collect())
}

/// Whether a stream takes messages of this subject.
pub(crate) fn is_taken(subject: &str) -> bool {
    stream_taking(subject).is_some()
}

/// `*` stands for one token of at least one character; no file has `>`.
fn matches(pattern: &str, subject: &str) -> bool {
    let fits = |(wanted, token): (&str, &str)| {
        let word = !token.is_empty()
            && !token
                .contains(|c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>');
        word && (wanted == "*" || wanted == token)
    };
    pattern.split('.').count() == subject.split('.').count()
        && pattern.split('.').zip(subject.split('.')).all(fits)
}

pub(crate) fn broken(what: &str, reason: impl ToString) -> BusError {
    BusError::Topology { what: what.to_owned(), reason: reason.to_string() }
}

fn consumer_file(durable: &str) -> Result<ConsumerFile, BusError> {
    let text = CONSUMERS.iter().find(|c| c.durable == durable).map(|c| c.json);
    let text = text.ok_or_else(|| broken(durable, "there is no such file in nats/consumers"))?;
    serde_json::from_str(text).map_err(|e| broken(durable, e))
}

#[cfg(test)]
mod tests {
    use delivery::Consumer;

    use super::*;

    fn names(folder: &str) -> Vec<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nats").join(folder);
        let mut names: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|f| f.unwrap().file_name().to_string_lossy().trim_end_matches(".json").to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_subjects_of_the_streams_are_taken() {
        for subject in [
            "movies.ingest.movie",
            "movies.tick.scan.nightly",
            "movies.refreshed.603",
            "movies.run.a-b_1",
        ] {
            assert!(is_taken(subject), "{subject}");
        }
        for subject in
            ["movies.run.a.b", "movies.run.", "movies.run.a b", "movies.run.*", "movies.else", ""]
        {
            assert!(!is_taken(subject), "{subject:?}");
        }
    }

    #[test]
    fn the_files_say_which_subjects_share_a_stream() {
        assert_eq!(stream_taking("movies.changed.603"), Some(EVENTS));
        assert_eq!(stream_taking("movies.else"), None);
        assert!(subjects_of(EVENTS).contains(&"movies.run.*".to_owned()));
        let work = subjects_of_work().unwrap();
        let is_work = |subject: &str| work.iter().any(|pattern| matches(pattern, subject));
        for (subject, expected) in [
            ("movies.tick.scan.nightly", true),
            ("movies.ingest.list", true),
            ("movies.stale.bulk", true),
            ("movies.refreshed.603", false),
            ("movies.dead.refresh-now", false),
        ] {
            assert_eq!(is_work(subject), expected, "{subject}");
        }
    }

    #[test]
    fn every_file_is_loaded_and_named_after_its_asset() {
        let mut streams: Vec<_> = STREAMS.iter().map(|(n, _)| (*n).to_owned()).collect();
        streams.sort();
        assert_eq!(streams, names("streams"));
        let mut consumers: Vec<_> = CONSUMERS.iter().map(|c| c.durable.to_owned()).collect();
        consumers.sort();
        assert_eq!(consumers, names("consumers"));
        for (name, text) in STREAMS {
            assert_eq!(serde_json::from_str::<stream::Config>(text).unwrap().name, name);
        }
        for Consumer { durable: name, .. } in CONSUMERS {
            let file = consumer_file(name).unwrap();
            assert_eq!(file.config.durable_name.as_deref(), Some(name));
            assert!(file.config.backoff.is_empty(), "{name}: consumer BackOff replaces ack_wait");
        }
    }
}
