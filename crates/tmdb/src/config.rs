//! Configuration of the client: address, credential, deadlines.

use std::{sync::Arc, time::Duration};

use runtime::Secret;

/// The two ways to authenticate, recognized by their form: TMDB refuses a v3 key that is sent as a
/// bearer token.
#[derive(Debug, Clone)]
pub enum Credential {
    /// API read access token (v4): a JWT, sent as a header.
    Bearer(Secret),
    /// API key (v3): 32 hex digits, sent in the query.
    V3Key(Secret),
}

const V3_KEY_DIGITS: usize = 32;

impl Credential {
    /// Reads a credential for TMDB itself.
    ///
    /// # Errors
    /// A sentence that says what the two forms look like; never the text itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with("eyJ") && text.split('.').count() == 3 || Self::is_v3(text) {
            return Ok(Self::any(text));
        }
        Err("the TMDB credential has neither form: TMDB_TOKEN is a long text that begins with \
             eyJ, TMDB_API_KEY has 32 hex digits"
            .to_owned())
    }

    /// Accepts any text: 32 hex digits as a key, everything else as a token. For simulators.
    #[must_use]
    pub fn any(text: &str) -> Self {
        let secret = Secret::new(text.trim().to_owned());
        if Self::is_v3(text.trim()) { Self::V3Key(secret) } else { Self::Bearer(secret) }
    }

    fn is_v3(text: &str) -> bool {
        text.len() == V3_KEY_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

/// Where the credential is read again; `None` where it cannot be read now.
#[derive(Clone)]
pub struct CredentialSource(Arc<dyn Fn() -> Option<Credential> + Send + Sync>);

impl CredentialSource {
    /// A source that asks `read` each time.
    pub fn new(read: impl Fn() -> Option<Credential> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The credential as it is now.
    pub(crate) fn read(&self) -> Option<Credential> {
        (self.0)()
    }
}

impl std::fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Everything that can be set about the client.
#[derive(Debug, Clone)]
pub struct Config {
    /// Ends in `/3`.
    pub base_url: String,
    /// Without one every call is refused.
    pub credential: Option<Credential>,
    /// Where the credential is read again after it was refused.
    pub source: Option<CredentialSource>,
    /// Requests in flight, at least 1.
    pub concurrency: usize,
    /// Language of titles and texts.
    pub language: String,
    /// Whether lists have the rows that TMDB calls adult or softcore.
    pub adult: bool,
    /// Region of the certificate.
    pub region: String,
    /// Regions of the streaming offers.
    pub streaming_regions: Vec<String>,
    /// Until the connection is open.
    pub connect_timeout: Duration,
    /// Until the head of the answer has arrived.
    pub first_byte_timeout: Duration,
    /// Until the whole answer has arrived.
    pub total_timeout: Duration,
    /// Largest body that is read.
    pub max_body_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.themoviedb.org/3".to_owned(),
            credential: None,
            source: None,
            concurrency: 20,
            language: "en-US".to_owned(),
            adult: false,
            region: "US".to_owned(),
            streaming_regions: vec!["US".to_owned()],
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(30),
            max_body_bytes: 8 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_recognized_by_their_form() {
        assert!(matches!(Credential::parse("eyJhbGciOi.eyJhdWQi.c2ln"), Ok(Credential::Bearer(_))));
        assert!(matches!(
            Credential::parse("0123456789abcdef0123456789abcdef"),
            Ok(Credential::V3Key(_))
        ));
        let error = Credential::parse("sesame").unwrap_err();
        assert!(!error.contains("sesame") && error.contains("TMDB_TOKEN"));
        assert!(!format!("{:?}", Credential::any("sesame")).contains("sesame"));
    }
}
