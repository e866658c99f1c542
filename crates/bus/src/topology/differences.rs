//! Compares the server with the files.

use async_nats::jetstream::consumer::{self, pull};
use delivery::{CONSUMERS, Consumer};
use serde_json::Value;

use super::{INSTALLATION, STREAMS, broken, stream_of};
use crate::{Bus, BusError};

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

impl Bus {
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
