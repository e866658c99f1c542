//! The client: one request per movie, through the gate, with deadlines and a size limit, logged
//! whatever comes of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use catalogue::Movie;
use futures::StreamExt;
use proto::TmdbId;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    Call, CallContext, CallLog, CancelledRuns, Config, Credential, Health, List, ListPage,
    MapOptions, Rate, TmdbError,
    breaker::{Attempt, Breaker, Stopped},
    gate::Gate,
    list::list_page,
    map,
};

/// Pause before a request that TMDB failed on is made once more.
const CONFIRM_AFTER: Duration = Duration::from_millis(500);

/// The longest pause that TMDB is granted at a time.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What is asked for with every movie, in one request (TMDB takes at most 20 parts).
pub const PARTS: [&str; 11] = [
    "credits",
    "videos",
    "similar",
    "recommendations",
    "release_dates",
    "images",
    "keywords",
    "watch/providers",
    "external_ids",
    "translations",
    "alternative_titles",
];

/// A movie as TMDB had it when it was asked.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The movie.
    pub movie: Movie,
    /// When the request was sent: of two answers the one that was asked for later is the newer,
    /// whenever they arrive.
    pub sent: Instant,
}

/// The client of TMDB. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    config: Arc<Config>,
    map: Arc<MapOptions>,
    calls: Arc<dyn CallLog>,
    rate: Arc<dyn Rate>,
    gate: Gate,
    breaker: Arc<Breaker>,
    /// The credential was accepted, and that was noted.
    accepted: Arc<AtomicBool>,
    draining: CancellationToken,
    cancelled: CancelledRuns,
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// What is asked.
struct Request {
    /// Path below `/3`.
    endpoint: String,
    query: Vec<(&'static str, String)>,
    movie: Option<TmdbId>,
}

impl Client {
    /// Makes a client; its gate is a task of the current runtime.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub fn new(
        config: Config,
        calls: Arc<dyn CallLog>,
        rate: Arc<dyn Rate>,
    ) -> Result<Self, TmdbError> {
        // Whoever was first in this process has set it already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.total_timeout)
            .gzip(true)
            .user_agent(concat!("mangoes/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| TmdbError::Setup(runtime::chain(&e)))?;
        let map = MapOptions {
            language: config.language.clone(),
            region: config.region.clone(),
            streaming_regions: config.streaming_regions.clone(),
        };
        Ok(Self {
            http,
            gate: Gate::start(config.concurrency, Arc::clone(&rate)),
            config: Arc::new(config),
            map: Arc::new(map),
            calls,
            rate,
            breaker: Arc::default(),
            accepted: Arc::default(),
            draining: CancellationToken::new(),
            cancelled: CancelledRuns::default(),
        })
    }

    /// Reads a movie with all its parts, in one request.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn movie(&self, id: TmdbId, context: &CallContext) -> Result<Fetched, TmdbError> {
        let tongue = self.config.language.split('-').next().unwrap_or("en");
        let query = vec![
            ("language", self.config.language.clone()),
            ("append_to_response", PARTS.join(",")),
            ("include_image_language", format!("{tongue},null")),
        ];
        let request = Request { endpoint: format!("/movie/{id}"), query, movie: Some(id) };
        self.get(&request, context, |body, call| {
            Ok(Fetched { movie: map(body, id, &self.map)?, sent: call.sent })
        })
        .await
    }

    /// Reads a page of a list.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn list(
        &self,
        list: List,
        page: u32,
        context: &CallContext,
    ) -> Result<ListPage, TmdbError> {
        let query = vec![("language", self.config.language.clone()), ("page", page.to_string())];
        let request = Request { endpoint: list.path().to_owned(), query, movie: None };
        self.get(&request, context, |body, call| {
            let page = list_page(body)?;
            call.results_count = i32::try_from(page.rows.len()).ok();
            Ok(page)
        })
        .await
    }

    /// The movie that has this `imdb_id` now: the survivor, where `gone` was merged into another.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn survivor(
        &self,
        gone: TmdbId,
        imdb_id: &str,
        context: &CallContext,
    ) -> Result<Option<TmdbId>, TmdbError> {
        if !crate::map::is_imdb_id(imdb_id) {
            return Ok(None);
        }
        let query = vec![("external_source", "imdb_id".to_owned())];
        let request = Request { endpoint: format!("/find/{imdb_id}"), query, movie: Some(gone) };
        let found = self.get(&request, context, |body, _| found_movies(body)).await;
        match found {
            Ok(found) => Ok(found.into_iter().find(|id| *id != gone)),
            // TMDB says 404 to an id that is of no known form.
            Err(TmdbError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Asks whether the credential is accepted.
    ///
    /// # Errors
    /// `Unauthorized` when it is not.
    pub async fn check(&self) -> Result<(), TmdbError> {
        let context =
            CallContext { service: "check", run_id: None, try_number: 0, lane: proto::Lane::Now };
        let request =
            Request { endpoint: "/authentication".to_owned(), query: Vec::new(), movie: None };
        self.once(&request, &context, &|_: &[u8], _: &mut Call| Ok(())).await
    }

    /// Whether calls are made at the moment.
    #[must_use]
    pub fn health(&self) -> Health {
        self.breaker.health()
    }

    /// The runs whose calls are turned away.
    #[must_use]
    pub const fn cancelled(&self) -> &CancelledRuns {
        &self.cancelled
    }

    /// Turns away whoever waits for a call; what is in flight goes on.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// One request; where TMDB fails on it, a second one and a look whether TMDB answers anything
    /// at all. So an outage is told from a request that fails for itself, which may not wait for
    /// ever.
    async fn get<T>(
        &self,
        request: &Request,
        context: &CallContext,
        read: impl Fn(&[u8], &mut Call) -> Result<T, TmdbError>,
    ) -> Result<T, TmdbError> {
        match self.once(request, context, &read).await {
            Err(TmdbError::Unavailable { .. }) => {}
            answer => return answer,
        }
        tokio::time::sleep(CONFIRM_AFTER).await;
        match self.once(request, context, &read).await {
            Err(TmdbError::Unavailable { detail, .. }) if self.check().await.is_ok() => {
                Err(TmdbError::Failing { detail })
            }
            answer => answer,
        }
    }

    /// The gate first, then the call; its time counts from sending. It is logged whatever comes of
    /// it.
    async fn once<T>(
        &self,
        request: &Request,
        context: &CallContext,
        read: &impl Fn(&[u8], &mut Call) -> Result<T, TmdbError>,
    ) -> Result<T, TmdbError> {
        let (place, attempt) = self.admitted(context).await?;
        let mut call = call(request, context);
        let answer = self.send(&request.endpoint, &request.query).await;
        drop(place);
        call.response_time_ms = i64::try_from(call.sent.elapsed().as_millis()).unwrap_or(i64::MAX);
        let result = answer.and_then(|answer| {
            call.http_status = Some(answer.status);
            call.response_size_bytes = i64::try_from(answer.body.len()).ok();
            if answer.status != 200 || failed_in_body(&answer.body) {
                return Err(TmdbError::of_answer(
                    answer.status,
                    &answer.body,
                    (request.movie, answer.retry_after),
                ));
            }
            read(&answer.body, &mut call)
        });
        self.learn(attempt, result.as_ref().err());
        call.error_message = result.as_ref().err().map(ToString::to_string);
        call.created_at = SystemTime::now().into();
        self.calls.record(call);
        result
    }

    async fn admitted(
        &self,
        context: &CallContext,
    ) -> Result<(tokio::sync::OwnedSemaphorePermit, Attempt<'_>), TmdbError> {
        let wanted = || {
            if self.cancelled.contains(context.run_id.as_deref()) {
                Err(TmdbError::Cancelled)
            } else {
                Ok(())
            }
        };
        wanted()?;
        self.breaker.check()?;
        let place = tokio::select! {
            () = self.draining.cancelled() => return Err(TmdbError::Draining),
            () = self.breaker.opens() => None,
            place = self.gate.pass(context.lane) => Some(place.ok_or(TmdbError::Draining)?),
        };
        wanted()?;
        let attempt = self.breaker.admit()?;
        match place {
            Some(place) => Ok((place, attempt)),
            // It opened and closed again within a moment.
            None => Err(Stopped::Down(CONFIRM_AFTER).into()),
        }
    }

    /// What an answer says about TMDB as a whole.
    fn learn(&self, attempt: Attempt<'_>, error: Option<&TmdbError>) {
        match error {
            Some(TmdbError::Unauthorized { .. }) => {
                if attempt.refused() {
                    tracing::error!(
                        "ALARM: TMDB refuses the credential; all calls stop: set TMDB_TOKEN or TMDB_API_KEY anew and restart"
                    );
                    self.accepted.store(false, Ordering::Relaxed);
                    self.rate.credential(false);
                }
                return;
            }
            Some(TmdbError::Unavailable { detail, .. }) => {
                if attempt.failed() {
                    tracing::warn!(
                        detail,
                        "TMDB is down; calls stop, but for a probe now and then"
                    );
                }
                return;
            }
            Some(TmdbError::RateLimited { retry_after }) => self.rate.refused(*retry_after),
            Some(_) | None => {}
        }
        if attempt.answered() {
            tracing::info!("TMDB answers again");
        }
        // Another process, or an earlier life of this one, may have noted that the credential is
        // refused.
        if !self.accepted.swap(true, Ordering::Relaxed) {
            self.rate.credential(true);
        }
    }

    async fn send(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Answer, TmdbError> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.config.base_url.trim_end_matches('/')))
            .query(query);
        request = match &self.config.credential {
            Some(Credential::Bearer(token)) => request.bearer_auth(token.reveal()),
            Some(Credential::V3Key(key)) => request.query(&[("api_key", key.reveal())]),
            None => request,
        };
        let late = |_| unavailable(None, "no answer in time");
        let response = tokio::time::timeout(self.config.first_byte_timeout, request.send())
            .await
            .map_err(late)?;
        let response = response.map_err(|e| broken(None, e))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let retry_after = retry_after.map(|secs| Duration::from_secs(secs).min(RETRY_AFTER_MAX));
        let html = response
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| !v.contains("json"));
        if status == 200 && html {
            return Err(unavailable(Some(status), "the answer is no JSON"));
        }
        let body = self.body(status, response).await?;
        Ok(Answer { status, retry_after, body })
    }

    async fn body(&self, status: u16, response: reqwest::Response) -> Result<Vec<u8>, TmdbError> {
        let limit_bytes = self.config.max_body_bytes;
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| broken(Some(status), e))?);
            if body.len() > limit_bytes {
                return Err(TmdbError::BodyTooLarge { limit_bytes });
            }
        }
        Ok(body)
    }
}

fn call(request: &Request, context: &CallContext) -> Call {
    let params: Map<String, Value> =
        request.query.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect();
    Call {
        endpoint: request.endpoint.clone(),
        method: "GET",
        http_status: None,
        query_params: params.into(),
        response_size_bytes: None,
        response_time_ms: 0,
        results_count: None,
        service: context.service,
        tmdb_id: request.movie.map(TmdbId::get),
        error_message: None,
        retry_count: context.try_number,
        run_id: context.run_id.clone(),
        created_at: SystemTime::now().into(),
        sent: Instant::now(),
    }
}

fn unavailable(status: Option<u16>, detail: &str) -> TmdbError {
    TmdbError::Unavailable { status, detail: detail.to_owned() }
}

/// A transport error without its URL, which may hold a key.
fn broken(status: Option<u16>, error: reqwest::Error) -> TmdbError {
    TmdbError::Unavailable { status, detail: runtime::chain(&error.without_url()) }
}

/// `success: false` comes with 200 at times; it stands near the beginning of a short body.
fn failed_in_body(body: &[u8]) -> bool {
    const SHORT: usize = 1_000;
    body.len() < SHORT
        && serde_json::from_slice::<Value>(body).is_ok_and(|v| {
            v.get("success") == Some(&Value::Bool(false)) && v.get("status_code").is_some()
        })
}

fn found_movies(body: &[u8]) -> Result<Vec<TmdbId>, TmdbError> {
    let body: Value =
        serde_json::from_slice(body).map_err(|e| TmdbError::Malformed { detail: e.to_string() })?;
    let rows = crate::json::list(&body, "movie_results").cloned().unwrap_or_default();
    Ok(rows.iter().filter_map(|row| TmdbId::try_from(row.get("id")?.as_i64()?).ok()).collect())
}
