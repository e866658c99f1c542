//! One HTTP exchange with TMDB: credential, deadlines, size limit. The only file that names
//! `reqwest`.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use catalogue::{Body, UnpackError, unpack};
use futures::StreamExt;
use reqwest::{
    Response,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue},
};

use crate::{
    config::{Config, Credential, CredentialSource},
    error::TmdbError,
    exchange::{Answer, Request},
};

/// How a gzip file begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The longest pause that TMDB is granted at a time.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Sends requests and reads answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    config: Arc<Config>,
    credential: Arc<RwLock<Option<Credential>>>,
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Self, TmdbError> {
        // An error means that another part of this process installed one before: that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.total_timeout)
            // Whatever features another part of the build asks of the library.
            .no_gzip()
            .default_headers(
                // Unpacked here, because the answer is stored as it came.
                [(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))].into_iter().collect(),
            )
            .user_agent(concat!("mangoes/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| TmdbError::Setup(runtime::chain(&e)))?;
        let credential = Arc::new(RwLock::new(config.credential.clone()));
        Ok(Self { http, config: Arc::new(config), credential })
    }

    /// Reads the credential again, where it stands in a file.
    pub(crate) fn renew_credential(&self) {
        if let Some(new) = self.config.source.as_ref().and_then(CredentialSource::read) {
            *self.credential.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
        }
    }

    fn credential(&self) -> Option<Credential> {
        self.credential.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// `Unavailable` when no whole answer comes in time, or none that can be TMDB's.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, TmdbError> {
        let base_url = self.config.base_url.trim_end_matches('/');
        let url = format!("{base_url}{}", request.endpoint);
        let unsent = self.http.get(url).query(&request.query);
        let unsent = match self.credential() {
            Some(Credential::Bearer(token)) => unsent.bearer_auth(token.reveal()),
            Some(Credential::V3Key(key)) => unsent.query(&[("api_key", key.reveal())]),
            None => unsent,
        };
        let limit = self.config.first_byte_timeout;
        let late = |_| unavailable(None, &format!("no answer within {} s", limit.as_secs()));
        let response = tokio::time::timeout(limit, unsent.send()).await.map_err(late)?;
        let response = response.map_err(|e| broken(None, e))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        Ok(Answer { status, retry_after, body: self.body(response).await? })
    }

    async fn body(&self, response: Response) -> Result<Body, TmdbError> {
        let limit_bytes = self.config.max_body_bytes;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| broken(Some(status), e))?);
            if body.len() > limit_bytes {
                return Err(too_large(status, limit_bytes));
            }
        }
        // The bytes say it, and no text begins so: what caches write into the head may be wrong.
        if !body.starts_with(&GZIP) {
            return text_of(body, status).map(|text| Body { text, packed: None });
        }
        match unpack(&body, limit_bytes) {
            Ok(text) => Ok(Body { text, packed: Some(body) }),
            Err(UnpackError::TooLarge { limit_bytes }) => Err(too_large(status, limit_bytes)),
            Err(e @ (UnpackError::Broken(_) | UnpackError::NotText)) => Err(unavailable(
                Some(status),
                &format!("the body is broken: {}", runtime::chain(&e)),
            )),
        }
    }
}

/// What an error says may be in any encoding.
fn text_of(body: Vec<u8>, status: u16) -> Result<String, TmdbError> {
    if status != 200 {
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    String::from_utf8(body).map_err(|_| TmdbError::odd("the answer is not UTF-8"))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let secs = headers.get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(secs).min(RETRY_AFTER_MAX))
}

fn too_large(status: u16, limit_bytes: usize) -> TmdbError {
    unavailable(Some(status), &format!("the answer is larger than {limit_bytes} bytes"))
}

fn unavailable(status: Option<u16>, detail: &str) -> TmdbError {
    TmdbError::Unavailable { status, detail: detail.to_owned() }
}

/// A transport error without its URL, which may hold a key.
fn broken(status: Option<u16>, error: reqwest::Error) -> TmdbError {
    TmdbError::Unavailable { status, detail: runtime::chain(&error.without_url()) }
}
