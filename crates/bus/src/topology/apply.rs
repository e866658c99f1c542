//! Brings the server to what the files say, and tells whose a stream is.

use std::collections::HashMap;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{FromConsumer, pull},
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind},
    stream,
};
use delivery::{CONSUMERS, Consumer};

use super::{
    ConsumerFile, Difference, EVENTS, INSTALLATION, STREAMS, broken, consumer_file, stream_of,
    stream_rules::{is_unlimited, max_bytes_of, required},
};
use crate::{Bus, BusError};

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

impl Bus {
    /// Creates every stream and consumer that is missing, and sets right what differs from the
    /// files. Returns what was done. Where nothing is to be done nothing but a look is taken, so
    /// that a user who may not create anything can call it.
    ///
    /// # Errors
    /// Names the asset and gives the server's words.
    pub async fn ensure_topology(&self) -> Result<Vec<Difference>, BusError> {
        let mut done = Vec::new();
        for (name, _) in STREAMS {
            done.extend(self.ensure_stream(name).await?);
        }
        for Consumer { durable, .. } in CONSUMERS {
            done.extend(self.ensure_consumer_of(durable).await?);
        }
        Ok(done)
    }

    /// Creates one consumer and its stream, or brings them to what the files say. The other
    /// streams are left alone: whoever recreates the stream of events has to fill it again before
    /// anything new goes into it.
    ///
    /// # Errors
    /// Names the asset and gives the server's words.
    pub(crate) async fn ensure_consumer(&self, durable: &str) -> Result<(), BusError> {
        self.ensure_stream(&stream_of(durable)?).await?;
        self.ensure_consumer_of(durable).await.map(|_| ())
    }

    async fn ensure_stream(&self, name: &str) -> Result<Vec<Difference>, BusError> {
        let file = self.stream_file(name)?;
        // Created, not updated: somebody else's stream that comes up at this moment is not taken
        // over.
        if self.stream(name).await?.is_none() {
            match self.create_stream(name, &file).await {
                Ok(()) => return Ok(vec![Difference::missing(&file.name)]),
                Err(e) if has_code(&e, ErrorCode::STREAM_NAME_EXIST) => {}
                Err(e) => return Err(broken(&file.name, self.refusal(&e))),
            }
        }
        let Some(there) = self.stream(name).await? else {
            return Err(broken(&file.name, "it was deleted at this moment"));
        };
        self.check_owner(name, &there.metadata)?;
        // A process or a shell that was told of fewer copies takes none away: it may know no
        // better.
        let mut required = required(&file, &there);
        if required == there {
            return Ok(Vec::new());
        }
        let mut made = self.jetstream.update_stream(&required).await;
        if made.as_ref().is_err_and(too_few_servers) && required.num_replicas > file.num_replicas {
            // What was a cluster is not one any more.
            required.num_replicas = file.num_replicas;
            made = self.jetstream.update_stream(&required).await;
        }
        made.map_err(|e| broken(&file.name, self.refusal(&e)))?;
        Difference::between(&required, &there)
    }

    /// What a stream's file says, in this namespace and for this installation.
    pub(super) fn stream_file(&self, name: &str) -> Result<stream::Config, BusError> {
        let text = STREAMS.iter().find(|(stream, _)| *stream == name).map(|(_, text)| *text);
        let text = text.ok_or_else(|| broken(name, "it has no file in nats/streams"))?;
        let mut config: stream::Config = serde_json::from_str(text).map_err(|e| broken(name, e))?;
        config.name = self.namespace.stream(name);
        config.subjects = config.subjects.iter().map(|s| self.namespace.subject(s)).collect();
        config.num_replicas = self.replicas.into();
        if let Some(ours) = &self.installation {
            config.metadata.insert(INSTALLATION.to_owned(), ours.to_string());
        }
        Ok(config)
    }

    /// Creates a stream; with a limit, where the account demands one of each.
    async fn create_stream(
        &self,
        name: &str,
        file: &stream::Config,
    ) -> Result<(), CreateStreamError> {
        let made = self.jetstream.create_stream(file).await;
        let wants_limit = |e: &CreateStreamError| has_code(e, ErrorCode::STREAM_MAX_BYTES_REQUIRED);
        if !made.as_ref().is_err_and(wants_limit) || !is_unlimited(file) {
            return made.map(|_| ());
        }
        // Without an answer the first refusal stands.
        let Ok(account) = self.jetstream.query_account().await else { return made.map(|_| ()) };
        let max_bytes = max_bytes_of(name == EVENTS, STREAMS.len() - 1, &account);
        let limited = stream::Config { max_bytes, ..file.clone() };
        self.jetstream.create_stream(&limited).await.map(|_| ())
    }

    /// A stream's settings as the server has them.
    pub(super) async fn stream(&self, name: &str) -> Result<Option<stream::Config>, BusError> {
        match self.jetstream.get_stream(self.namespace.stream(name)).await {
            Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
            Err(e) if is_missing(&e) => Ok(None),
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

    async fn ensure_consumer_of(&self, name: &str) -> Result<Vec<Difference>, BusError> {
        let differences = self.consumer_differences(name).await?;
        if differences.is_empty() {
            return Ok(differences);
        }
        let file = self.consumer_file(name)?;
        let config =
            pull::Config::try_from_consumer_config(file.config).map_err(|e| broken(name, e))?;
        let made = self.jetstream.create_consumer_on_stream(config, &file.stream_name).await;
        made.map(|_| differences).map_err(|e| broken(name, runtime::chain(&e)))
    }

    /// What a consumer's file says, in this namespace.
    pub(super) fn consumer_file(&self, durable: &str) -> Result<ConsumerFile, BusError> {
        let mut file = consumer_file(durable)?;
        file.stream_name = self.namespace.stream(&file.stream_name);
        file.config.filter_subject = self.namespace.subject(&file.config.filter_subject);
        Ok(file)
    }

    /// When each stream was created, with its subjects: another time than before means that the old
    /// one is lost.
    ///
    /// A stream that lost its owner's id, which a process of an earlier version leaves out, gets it
    /// again.
    ///
    /// # Errors
    /// When a stream cannot be asked, is missing, or belongs to another installation.
    pub async fn stream_births(&self) -> Result<Vec<StreamBirth>, BusError> {
        let mut births = Vec::with_capacity(STREAMS.len());
        for (name, _) in STREAMS {
            let stream = self
                .jetstream
                .get_stream(self.namespace.stream(name))
                .await
                .map_err(|e| broken(name, runtime::chain(&e)))?;
            let info = stream.cached_info();
            self.check_owner(name, &info.config.metadata)?;
            if self.installation.is_some() && !info.config.metadata.contains_key(INSTALLATION) {
                self.ensure_stream(name).await?;
            }
            let created_at = info.created.unix_timestamp_nanos().to_string();
            let subjects = info.config.subjects.iter();
            let subjects = subjects.map(|subject| self.namespace.bare(subject).to_owned());
            births.push(StreamBirth { stream: name, created_at, subjects: subjects.collect() });
        }
        Ok(births)
    }

    /// The server's words. A lone server, or too few, refuse copies in words that do not say whose
    /// setting it is.
    fn refusal(&self, error: &CreateStreamError) -> String {
        let reason = runtime::chain(error);
        let replicas = self.replicas;
        if replicas > 1 && too_few_servers(error) {
            return format!(
                "{reason}; NATS_REPLICAS={replicas} needs a cluster of as many servers: set it to \
                 1, or start more"
            );
        }
        reason
    }

    /// Whether a consumer has nothing to deliver and nothing in flight.
    ///
    /// # Errors
    /// When the server does not answer, or has no such consumer.
    pub async fn is_idle(&self, durable: &str) -> Result<bool, BusError> {
        let stream = self.namespace.stream(&stream_of(durable)?);
        let consumer =
            self.jetstream.get_consumer_from_stream::<pull::Config, _, _>(durable, stream).await;
        let consumer = consumer.map_err(|e| broken(durable, runtime::chain(&e)))?;
        let info = consumer.cached_info();
        Ok(info.num_pending == 0 && info.num_ack_pending == 0)
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(e)
        if e.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn has_code(error: &CreateStreamError, code: ErrorCode) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(e) if e.error_code() == code)
}

fn too_few_servers(error: &CreateStreamError) -> bool {
    has_code(error, ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED)
        || has_code(error, ErrorCode::CLUSTER_NO_PEERS)
}
