//! Asks a NATS service for one of its verbs.

use std::time::Duration;

use async_nats::client::RequestErrorKind;

use crate::{Bus, ServiceError};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Headers of an answer that is an error.
const ERROR: &str = "Nats-Service-Error";
const ERROR_CODE: &str = "Nats-Service-Error-Code";

impl Bus {
    /// Asks for a verb under our own user's name, where that can be known; both sides are JSON.
    ///
    /// # Errors
    /// What the service says; 503 where nobody answers.
    pub async fn ask(
        &self,
        prefix: &str,
        verb: &str,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, ServiceError> {
        let subject = match self.user().filter(|user| crate::names::is_token(user)) {
            Some(user) => {
                self.subject(&format!("{prefix}.{}.{user}.{verb}", crate::micro::AS_USER))
            }
            None => self.subject(&format!("{prefix}.{verb}")),
        };
        let unanswered = |why: String| ServiceError {
            code: 503,
            text: format!(
                "nobody answers {subject} ({why}): is a service running, and may this user publish \
                 there? Or set DATABASE_URL to ask the database itself"
            ),
        };
        let asked = async_nats::Request::new().payload(request.into()).timeout(Some(ANSWER));
        let answer = self.client.send_request(subject.clone(), asked).await;
        let answer = answer.map_err(|e| match e.kind() {
            RequestErrorKind::TimedOut => ServiceError {
                code: 503,
                text: format!(
                    "no answer from {subject} within {} s: it may have been done all the same, so \
                     look before you ask again",
                    ANSWER.as_secs()
                ),
            },
            RequestErrorKind::NoResponders
            | RequestErrorKind::InvalidSubject
            | RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::Other => unanswered(runtime::chain(&e)),
        })?;
        let header =
            |name| answer.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
        match header(ERROR) {
            Some(text) => {
                let code = header(ERROR_CODE).and_then(|code| code.parse().ok()).unwrap_or(503);
                Err(ServiceError { code, text })
            }
            None => Ok(answer.payload.to_vec()),
        }
    }
}
