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
    /// Of the user whose name the server vouches for; without one, what the request says of its
    /// sender is only what it says.
    pub(super) fn read(
        payload: &[u8],
        user: Option<&str>,
        usage: &'static str,
    ) -> Result<Self, OperatorError> {
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
        let says = text(&mut fields, "by")?;
        let by = match (user, says) {
            (Some(user), _) => format!("{user} (nats)"),
            (None, Some(says)) => format!("nats, says it is {says}"),
            (None, None) => "nats".to_owned(),
        };
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

#[cfg(test)]
mod tests {
    use proto::JobName;

    use super::*;
    use crate::requests::fields::Named;

    fn read(payload: &str) -> Result<Request, OperatorError> {
        Request::read(payload.as_bytes(), None, "one job: {name}")
    }

    #[test]
    fn the_author_is_taken_out_of_the_fields() {
        let request = read(r#"{"name": "a", "by": "ann", "request_id": "r"}"#).unwrap();
        assert_eq!(request.author.by, "nats, says it is ann");
        assert_eq!(request.author.request_id.as_deref(), Some("r"));
        assert_eq!(request.into::<Named>().unwrap().name.as_str(), "a");
        assert_eq!(read(" ").unwrap().author.by, "nats");
        let named = Request::read(br#"{"by": "ann"}"#, Some("bob"), "").unwrap();
        assert_eq!(named.author.by, "bob (nats)", "the server knows better");
    }

    #[test]
    fn a_wrong_request_is_told_what_the_verb_takes() {
        for wrong in ["[1]", "hello", r#"{"by": ""}"#, r#"{"request_id": 7}"#] {
            assert!(matches!(read(wrong), Err(OperatorError::Invalid(_))), "{wrong}");
        }
        for wrong in ["{}", r#"{"name": "A b"}"#, r#"{"name": "a", "more": 1}"#] {
            let error = read(wrong).unwrap().into::<Named>().err().unwrap().to_string();
            assert!(error.contains("one job: {name}"), "{wrong}: {error}");
        }
        let error = read("{}").unwrap().take::<JobName>("name").unwrap_err().to_string();
        assert!(error.contains("'name'") && error.contains("one job: {name}"), "{error}");
    }
}
