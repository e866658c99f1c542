//! Compares the server with the files.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{self, pull},
    stream::{self, ConsumerError, ConsumerErrorKind},
};
use delivery::{CONSUMERS, Consumer};
use serde_json::Value;

use super::{INSTALLATION, STREAMS, broken, stream_rules::required};
use crate::{Bus, BusError};

/// One setting that the server has differently.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct Difference {
    /// Stream or consumer, by its name at the server.
    pub asset: String,
    /// Setting; empty when the whole asset is missing.
    pub setting: String,
    /// What it has to be: what `nats/*.json` says, or more where more is allowed.
    pub wanted: Value,
    /// What the server has.
    pub actual: Value,
}

impl Difference {
    /// The whole asset is missing.
    pub(super) fn missing(asset: &str) -> Self {
        let (wanted, actual) = ("present".into(), "missing".into());
        Self { asset: asset.to_owned(), setting: String::new(), wanted, actual }
    }

    /// What of a stream has to become different.
    pub(super) fn between(
        required: &stream::Config,
        there: &stream::Config,
    ) -> Result<Vec<Self>, BusError> {
        let json = |config| serde_json::to_value(config).map_err(|e| broken(&there.name, e));
        let mut found = Vec::new();
        compare(&there.name, &json(required)?, &json(there)?, &mut found);
        Ok(found)
    }
}

impl Bus {
    /// What the server has differently from the files. Empty = all is as it should be. Settings
    /// that are the operator's are left out.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn topology_differences(&self) -> Result<Vec<Difference>, BusError> {
        let mut found = Vec::new();
        for (name, _) in STREAMS {
            found.extend(self.stream_differences(name).await?);
        }
        for Consumer { durable, .. } in CONSUMERS {
            found.extend(self.consumer_differences(durable).await?);
        }
        Ok(found)
    }

    async fn stream_differences(&self, name: &str) -> Result<Vec<Difference>, BusError> {
        let file = self.stream_file(name)?;
        match self.stream(name).await? {
            Some(there) => Difference::between(&required(&file, &there), &there),
            None => Ok(vec![Difference::missing(&file.name)]),
        }
    }

    pub(super) async fn consumer_differences(
        &self,
        durable: &str,
    ) -> Result<Vec<Difference>, BusError> {
        let file = self.consumer_file(durable)?;
        let got: Result<consumer::Consumer<pull::Config>, _> =
            self.jetstream.get_consumer_from_stream(durable, &file.stream_name).await;
        let there = match got {
            Ok(consumer) => consumer.cached_info().config.clone(),
            Err(e) if is_missing(&e) => return Ok(vec![Difference::missing(durable)]),
            Err(e) => return Err(broken(durable, runtime::chain(&e))),
        };
        let json = |config| serde_json::to_value(config).map_err(|e| broken(durable, e));
        let wanted = ours(json(&file.config)?);
        let mut found = Vec::new();
        compare(durable, &wanted, &json(&there)?, &mut found);
        Ok(found)
    }
}

fn is_missing(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(e)
        if [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND].contains(&e.error_code()))
}

/// What our file does not name is the operator's, such as a pause.
fn ours(mut config: Value) -> Value {
    if let Some(settings) = config.as_object_mut() {
        settings.retain(|name, value| !value.is_null() && name != "pause_until");
    }
    config
}

fn compare(asset: &str, wanted: &Value, actual: &Value, found: &mut Vec<Difference>) {
    for (setting, wanted) in wanted.as_object().into_iter().flatten() {
        let actual = actual.get(setting).cloned().unwrap_or_default();
        // What the server leaves out stands at its zero value.
        let zero = actual.is_null() && matches!(wanted.as_i64(), Some(0));
        if setting == "metadata" {
            owner(asset, [wanted, &actual], found);
        } else if *wanted != actual && !zero {
            found.push(Difference {
                asset: asset.to_owned(),
                setting: setting.clone(),
                wanted: in_units(setting, wanted),
                actual: in_units(setting, &actual),
            });
        }
    }
}

/// Of the metadata only the owner is ours.
fn owner(asset: &str, metadata: [&Value; 2], found: &mut Vec<Difference>) {
    let [wanted, actual] = metadata.map(|of| of.get(INSTALLATION).cloned().unwrap_or_default());
    if wanted != actual {
        let (asset, setting) = (asset.to_owned(), INSTALLATION.to_owned());
        found.push(Difference { asset, setting, wanted, actual });
    }
}

/// Durations, which NATS writes in nanoseconds, and sizes in units that people read.
fn in_units(setting: &str, value: &Value) -> Value {
    let Some(number) = value.as_u64() else { return value.clone() };
    match setting {
        "max_age" | "duplicate_window" | "ack_wait" | "inactive_threshold" => {
            duration(Duration::from_nanos(number)).into()
        }
        "max_msg_size" | "max_bytes" if number >= 1_024 && number.is_multiple_of(1_024) => {
            size(number).into()
        }
        _ => value.clone(),
    }
}

fn duration(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0 if time.is_zero() => "for ever".to_owned(),
        _ if time.subsec_nanos() > 0 => format!("{} ms", time.as_millis()),
        _ if secs.is_multiple_of(86_400) => format!("{} d", secs / 86_400),
        _ if secs.is_multiple_of(3_600) => format!("{} h", secs / 3_600),
        _ if secs.is_multiple_of(60) => format!("{} min", secs / 60),
        _ => format!("{secs} s"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_in_units() {
        for (setting, value, expected) in [
            ("max_age", 2_592_000_000_000_000_u64, "30 d"),
            ("max_age", 0, "for ever"),
            ("duplicate_window", 120_000_000_000, "2 min"),
            ("ack_wait", 6_500_000_000, "6500 ms"),
            ("ack_wait", 6_000_000_000, "6 s"),
            ("max_msg_size", 1_048_576, "1 MiB"),
            ("max_bytes", 3 << 30, "3 GiB"),
        ] {
            assert_eq!(in_units(setting, &value.into()), Value::from(expected), "{setting}");
        }
        assert_eq!(in_units("max_deliver", &7.into()), Value::from(7));
        assert_eq!(in_units("max_bytes", &(-1).into()), Value::from(-1));
    }
}
