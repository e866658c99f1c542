//! A request as it came: a JSON object, of which every request may name `by` and `request_id`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use store::Author;

use crate::OperatorError;

/// Longest `by` and `request_id`, in bytes.
const TEXT_MAX: usize = 200;

/// A request without what belongs to every request.
pub(super) struct Request {
    fields: Map<String, Value>,
    pub(super) author: Author,
    /// What the verb takes.
    usage: &'static str,
}

impl Request {
    pub(super) fn read(payload: &[u8], usage: &'static str) -> Result<Self, OperatorError> {
        let wrong = |problem: String| {
            OperatorError::Invalid(format!("the request is not a JSON object: {problem}"))
        };
        let value = match payload.trim_ascii() {
            [] => json!({}),
            bytes => serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?,
        };
        let Value::Object(mut fields) = value else {
            return Err(wrong("send one such as {\"name\": \"refresh_worker\"}".to_owned()));
        };
        let by = text(&mut fields, "by")?.map_or_else(|| "nats".to_owned(), |by| by + " (nats)");
        let request_id = text(&mut fields, "request_id")?;
        Ok(Self { fields, author: Author { by, request_id }, usage })
    }

    /// Takes a field out that does not belong to the rest.
    pub(super) fn take<T: std::str::FromStr<Err = String>>(
        &mut self,
        key: &str,
    ) -> Result<T, OperatorError> {
        let Some(Value::String(text)) = self.fields.remove(key) else {
            return Err(OperatorError::Invalid(format!(
                "field '{key}' is missing: give a text; {}",
                self.usage
            )));
        };
        text.parse().map_err(OperatorError::Invalid)
    }

    pub(super) fn into<T: DeserializeOwned>(self) -> Result<T, OperatorError> {
        serde_path_to_error::deserialize(Value::Object(self.fields)).map_err(|error| {
            let what = match error.path().to_string().as_str() {
                "." => "the request".to_owned(),
                field => format!("field '{field}'"),
            };
            OperatorError::Invalid(format!(
                "{what} does not fit: {}; {}",
                error.inner(),
                self.usage
            ))
        })
    }
}

fn text(fields: &mut Map<String, Value>, key: &str) -> Result<Option<String>, OperatorError> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (1..=TEXT_MAX).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(OperatorError::Invalid(format!(
            "field '{key}' must be a text of 1 to {TEXT_MAX} characters"
        ))),
    }
}
