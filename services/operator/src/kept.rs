//! What was kept of a request, for its repetition.

use serde_json::Value;

use crate::OperatorError;

/// A field of what was kept; without it the id belongs to another kind of request.
pub(crate) fn field<'a>(kept: &'a Value, name: &str) -> Result<&'a Value, OperatorError> {
    kept.get(name).ok_or_else(|| {
        OperatorError::Refused(
            "this request_id was used before, for another kind of request: give each request an \
             id of its own"
                .to_owned(),
        )
    })
}

pub(crate) fn text<'a>(kept: &'a Value, name: &str) -> Result<&'a str, OperatorError> {
    Ok(field(kept, name)?.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_of_another_kind_of_request_is_refused() {
        let kept = json!({ "run_id": "a@b" });
        assert_eq!(text(&kept, "run_id").unwrap(), "a@b");
        let error = field(&kept, "name").unwrap_err();
        assert!(matches!(&error, OperatorError::Refused(why) if why.contains("request_id")));
    }
}
