//! What a job's action has to be told.

use proto::Action;
use serde_json::Value;

use crate::OperatorError;

/// Refuses a payload that the action cannot read.
pub(super) fn check(action: Action, payload: &Value) -> Result<(), OperatorError> {
    action.check_payload(payload).map_err(|error| OperatorError::Invalid(error.to_string()))
}

/// The job's payload with some of its fields replaced.
pub(super) fn with_fields(own: &Value, replaced: &Value) -> Result<Value, OperatorError> {
    let (Some(own), Some(replaced)) = (own.as_object(), replaced.as_object()) else {
        return Err(OperatorError::Invalid(
            "a payload must be a JSON object such as {\"limit\": 100}".to_owned(),
        ));
    };
    let mut fields = own.clone();
    fields.extend(replaced.clone());
    Ok(fields.into())
}
