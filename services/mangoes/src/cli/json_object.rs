//! A JSON object as an argument.

use serde_json::Value;

/// The argument of `--payload`.
#[derive(Debug, Clone)]
pub(crate) struct JsonObject(pub(super) Value);

impl std::str::FromStr for JsonObject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Self(value)),
            Ok(_) => Err("it is not a JSON object such as '{\"limit\": 100}'".to_owned()),
            Err(error) => Err(format!("it is not JSON: {error}")),
        }
    }
}
