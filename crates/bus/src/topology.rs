//! Streams and consumers: made from `nats/*.json`, compared with `nats/*.json`, never written
//! anywhere else.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use async_nats::jetstream::{
    consumer::{self, FromConsumer, pull},
    stream,
};
use delivery::{CONSUMERS, Consumer};
use serde::Deserialize;
use serde_json::Value;

use crate::{Bus, BusError};

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../nats/", $folder, "/", $name, ".json")))),+]
    };
}

/// Name and text of every file in `nats/streams`.
pub const STREAMS: [(&str, &str); 5] = files!("streams": "MOVIES_TICKS", "MOVIES_INGEST", "MOVIES_STALE", "MOVIES_EVENTS", "MOVIES_DEAD");

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

/// One setting that the server has differently.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// Stream or consumer.
    pub asset: String,
    /// Setting; empty when the whole asset is missing.
    pub setting: String,
    /// What `nats/*.json` says.
    pub wanted: Value,
    /// What the server has.
    pub actual: Value,
}

/// A stream's identity beyond its name.
#[derive(Debug, Clone)]
pub struct StreamBirth {
    /// Its name.
    pub stream: &'static str,
    /// Nanoseconds since 1970.
    pub created_at: String,
    /// What it takes in.
    pub subjects: Vec<String>,
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

fn broken(what: &str, reason: impl ToString) -> BusError {
    BusError::Topology { what: what.to_owned(), reason: reason.to_string() }
}

fn consumer_file(durable: &str) -> Result<ConsumerFile, BusError> {
    let text = CONSUMERS.iter().find(|c| c.durable == durable).map(|c| c.json);
    let text = text.ok_or_else(|| broken(durable, "there is no such file in nats/consumers"))?;
    serde_json::from_str(text).map_err(|e| broken(durable, e))
}

impl Bus {
    /// Makes every stream and consumer, or brings them to what the files say.
    ///
    /// # Errors
    /// Names the asset and gives the server's words.
    pub async fn ensure_topology(&self) -> Result<(), BusError> {
        for (name, text) in STREAMS {
            self.ensure_stream(name, text).await?;
        }
        for Consumer { durable, .. } in CONSUMERS {
            self.ensure_consumer_of(durable, consumer_file(durable)?).await?;
        }
        Ok(())
    }

    /// Makes one consumer and its stream, or brings them to what the files say. The other streams
    /// are left alone: whoever makes the stream of events anew has to fill it again before anything
    /// new goes into it.
    ///
    /// # Errors
    /// Names the asset and gives the server's words.
    pub(crate) async fn ensure_consumer(&self, durable: &str) -> Result<(), BusError> {
        let file = consumer_file(durable)?;
        let text =
            STREAMS.iter().find(|(name, _)| *name == file.stream_name).map(|(_, text)| *text);
        let text = text.ok_or_else(|| broken(durable, "its stream has no file in nats/streams"))?;
        self.ensure_stream(&file.stream_name, text).await?;
        self.ensure_consumer_of(durable, file).await
    }

    async fn ensure_stream(&self, name: &str, text: &str) -> Result<(), BusError> {
        let mut config: stream::Config = serde_json::from_str(text).map_err(|e| broken(name, e))?;
        config.num_replicas = self.replicas.into();
        if let Some(ours) = &self.installation {
            config.metadata.insert(INSTALLATION.to_owned(), ours.to_string());
        }
        // Created, not updated: somebody else's stream that comes up at this moment is not taken
        // over.
        if self.stream(name).await?.is_none() {
            match self.jetstream.create_stream(&config).await {
                Ok(_) => return Ok(()),
                Err(e) if is_there(&runtime::chain(&e)) => {}
                Err(e) => {
                    return Err(broken(name, with_remedy(runtime::chain(&e), self.replicas)));
                }
            }
        }
        let Some(there) = self.stream(name).await? else {
            return Err(broken(name, "it was deleted at this moment"));
        };
        self.check_owner(name, &there.metadata)?;
        config.metadata = there.metadata.into_iter().chain(config.metadata).collect();
        // A process or a shell that was told of fewer copies takes none away: it may know no
        // better.
        config.num_replicas = config.num_replicas.max(there.num_replicas);
        let mut made = self.jetstream.update_stream(&config).await;
        if matches!(&made, Err(e) if too_few_servers(&runtime::chain(e)))
            && config.num_replicas > self.replicas.into()
        {
            // What was a cluster is none any more.
            config.num_replicas = self.replicas.into();
            made = self.jetstream.update_stream(&config).await;
        }
        made.map(|_| ()).map_err(|e| broken(name, with_remedy(runtime::chain(&e), self.replicas)))
    }

    /// A stream's settings as the server has them.
    async fn stream(&self, name: &str) -> Result<Option<stream::Config>, BusError> {
        match self.jetstream.get_stream(name).await {
            Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
            Err(e) if is_missing(&runtime::chain(&e)) => Ok(None),
            Err(e) => Err(broken(name, runtime::chain(&e))),
        }
    }

    /// Whether a stream with this metadata may be used by the installation of this process.
    fn check_owner(
        &self,
        stream: &str,
        metadata: &HashMap<String, String>,
    ) -> Result<(), BusError> {
        match (metadata.get(INSTALLATION), &self.installation) {
            (Some(owner), Some(ours)) if owner.as_str() != &**ours => {
                let other = BusError::OtherInstallation {
                    stream: stream.to_owned(),
                    url: self.url.to_string(),
                    owner: owner.clone(),
                    ours: ours.to_string(),
                };
                let _ = self.disowned.set(other.to_string());
                Err(other)
            }
            _ => Ok(()),
        }
    }

    /// Why this process has to end: a stream that it uses was found to belong to another
    /// installation.
    #[must_use]
    pub fn disowned(&self) -> Option<String> {
        self.disowned.get().cloned()
    }

    /// Makes the streams that are there this installation's own, whoever they belonged to. Returns
    /// their names.
    ///
    /// # Errors
    /// Names the stream and gives the server's words.
    pub async fn take_over(&self) -> Result<Vec<&'static str>, BusError> {
        let Some(ours) = &self.installation else { return Ok(Vec::new()) };
        let mut taken = Vec::new();
        for (name, _) in STREAMS {
            let Some(mut config) = self.stream(name).await? else { continue };
            if config
                .metadata
                .insert(INSTALLATION.to_owned(), ours.to_string())
                .is_none_or(|owner| owner.as_str() != &**ours)
            {
                self.jetstream
                    .update_stream(config)
                    .await
                    .map_err(|e| broken(name, runtime::chain(&e)))?;
                taken.push(name);
            }
        }
        Ok(taken)
    }

    async fn ensure_consumer_of(&self, name: &str, file: ConsumerFile) -> Result<(), BusError> {
        let config =
            pull::Config::try_from_consumer_config(file.config).map_err(|e| broken(name, e))?;
        let made = self.jetstream.create_consumer_on_stream(config, &file.stream_name).await;
        made.map(|_| ()).map_err(|e| broken(name, runtime::chain(&e)))
    }

    /// When each stream was made, with its subjects: another time than before means that the old
    /// one is lost.
    ///
    /// A stream that lost its owner's id, which a process of an earlier version leaves out, gets it
    /// again.
    ///
    /// # Errors
    /// When a stream cannot be asked, is missing, or belongs to another installation.
    pub async fn stream_births(&self) -> Result<Vec<StreamBirth>, BusError> {
        let mut births = Vec::with_capacity(STREAMS.len());
        for (name, text) in STREAMS {
            let stream = self
                .jetstream
                .get_stream(name)
                .await
                .map_err(|e| broken(name, runtime::chain(&e)))?;
            let info = stream.cached_info();
            self.check_owner(name, &info.config.metadata)?;
            if self.installation.is_some() && !info.config.metadata.contains_key(INSTALLATION) {
                self.ensure_stream(name, text).await?;
            }
            let created_at = info.created.unix_timestamp_nanos().to_string();
            births.push(StreamBirth {
                stream: name,
                created_at,
                subjects: info.config.subjects.iter().map(ToString::to_string).collect(),
            });
        }
        Ok(births)
    }

    /// Whether a consumer has nothing to deliver and nothing in hand.
    ///
    /// # Errors
    /// When the server does not answer, or has no such consumer.
    pub async fn is_idle(&self, durable: &str) -> Result<bool, BusError> {
        let stream = stream_of(durable)?;
        let consumer =
            self.jetstream.get_consumer_from_stream::<pull::Config, _, _>(durable, stream).await;
        let consumer = consumer.map_err(|e| broken(durable, runtime::chain(&e)))?;
        let info = consumer.cached_info();
        Ok(info.num_pending == 0 && info.num_ack_pending == 0)
    }

    /// What the server has differently from the files. Empty = all is as it should be.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn topology_differences(&self) -> Result<Vec<Difference>, BusError> {
        let mut found = Vec::new();
        for (name, text) in STREAMS {
            let there = self.stream(name).await?;
            if let (Some(ours), Some(there)) = (&self.installation, &there) {
                found.extend(foreign_owner(name, ours, there.metadata.get(INSTALLATION)));
            }
            let actual = match there {
                Some(config) => serde_json::to_value(config).map_err(|e| broken(name, e))?,
                None => Value::Null,
            };
            let mut wanted = wanted(name, text)?;
            if let Some(replicas) = wanted.get_mut("num_replicas") {
                let there = actual.get("num_replicas").and_then(Value::as_u64).unwrap_or(0);
                *replicas = u64::from(self.replicas).max(there).into();
            }
            compare(name, &wanted, &actual, &mut found);
        }
        for Consumer { durable: name, json: text, .. } in CONSUMERS {
            let stream = stream_of(name)?;
            let got: Result<consumer::Consumer<pull::Config>, _> =
                self.jetstream.get_consumer_from_stream(name, &stream).await;
            let actual = match got {
                Ok(consumer) => serde_json::to_value(&consumer.cached_info().config)
                    .map_err(|e| broken(name, e))?,
                Err(_) => Value::Null,
            };
            let wanted = wanted(name, text)?.get("config").cloned().unwrap_or_default();
            compare(name, &wanted, &actual, &mut found);
        }
        Ok(found)
    }
}

fn is_missing(reason: &str) -> bool {
    reason.contains("10059") || reason.contains("not found")
}

/// A stream of this name exists, with other settings than the ones asked for.
fn is_there(reason: &str) -> bool {
    reason.contains("10058") || reason.contains("already in use")
}

fn too_few_servers(reason: &str) -> bool {
    reason.contains("non-clustered") || reason.contains("no suitable peers")
}

/// A lone server, or too few, refuse copies in words that do not say whose setting it is.
fn with_remedy(reason: String, replicas: u8) -> String {
    match replicas > 1 && too_few_servers(&reason) {
        true => format!(
            "{reason}; NATS_REPLICAS={replicas} needs a cluster of as many servers: set it to 1, or start more"
        ),
        false => reason,
    }
}

fn wanted(name: &str, text: &str) -> Result<Value, BusError> {
    serde_json::from_str(text).map_err(|e| broken(name, e))
}

/// A stream that is not this installation's, as a setting that differs.
fn foreign_owner(stream: &str, ours: &str, owner: Option<&String>) -> Option<Difference> {
    let actual = owner.map_or(Value::Null, |owner| owner.as_str().into());
    let differs = actual.as_str() != Some(ours);
    differs.then(|| Difference {
        asset: stream.to_owned(),
        setting: INSTALLATION.to_owned(),
        wanted: ours.into(),
        actual,
    })
}

fn compare(asset: &str, wanted: &Value, actual: &Value, found: &mut Vec<Difference>) {
    if actual.is_null() {
        found.push(Difference {
            asset: asset.to_owned(),
            setting: String::new(),
            wanted: "present".into(),
            actual: "missing".into(),
        });
        return;
    }
    for (setting, wanted) in wanted.as_object().into_iter().flatten() {
        let actual = actual.get(setting).cloned().unwrap_or_default();
        // What the server leaves out stands at its zero value.
        let zero = actual.is_null() && matches!(wanted.as_i64(), Some(0));
        if *wanted != actual && !zero {
            found.push(Difference {
                asset: asset.to_owned(),
                setting: setting.clone(),
                wanted: wanted.clone(),
                actual,
            });
        }
    }
}

#[cfg(test)]
mod tests {
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
