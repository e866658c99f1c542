//! The client: one request per call, under the budget, with deadlines and a size limit, logged whatever comes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::StreamExt;
use proto::{Movie, TmdbId};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::{Budget, Call, CallContext, CallLog, Config, Credential, MapOptions, TmdbError, map};

/// Pages above are refused by TMDB, whatever `total_pages` says.
pub const MAX_PAGE: u32 = 500;

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

/// A list of movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// In cinemas now.
    NowPlaying,
    /// By popularity.
    Popular,
    /// By rating.
    TopRated,
    /// In cinemas soon.
    Upcoming,
    /// Trending this week.
    TrendingWeek,
}

impl List {
    const fn path(self) -> &'static str {
        match self {
            Self::NowPlaying => "/movie/now_playing",
            Self::Popular => "/movie/popular",
            Self::TopRated => "/movie/top_rated",
            Self::Upcoming => "/movie/upcoming",
            Self::TrendingWeek => "/trending/movie/week",
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// Its number, from 1.
    pub page: u32,
    /// Pages that can be read, at most [`MAX_PAGE`].
    pub total_pages: u32,
    /// Its rows.
    pub rows: Vec<ListRow>,
}

/// A row of a list.
#[derive(Debug, Clone)]
pub struct ListRow {
    /// The movie.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
}

/// The client of TMDB. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    config: Arc<Config>,
    map: Arc<MapOptions>,
    calls: Arc<dyn CallLog>,
    budget: Arc<dyn Budget>,
    in_flight: Arc<Semaphore>,
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// When the TLS library cannot be used.
    pub fn new(config: Config, calls: Arc<dyn CallLog>, budget: Arc<dyn Budget>) -> Result<Self, TmdbError> {
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
        let in_flight = Arc::new(Semaphore::new(config.concurrency.max(1)));
        Ok(Self { http, config: Arc::new(config), map: Arc::new(map), calls, budget, in_flight })
    }

    /// Reads a movie with all its parts, in one request.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn movie(&self, id: TmdbId, context: &CallContext) -> Result<Movie, TmdbError> {
        let tongue = self.config.language.split('-').next().unwrap_or("en");
        let query = [
            ("language", self.config.language.clone()),
            ("append_to_response", PARTS.join(",")),
            ("include_image_language", format!("{tongue},null")),
        ];
        let mut call = self.call(format!("/movie/{id}"), &query, context);
        call.tmdb_id = Some(id.get());
        self.get(call, (&query, Some(id)), context, |body, _| map(body, id, &self.map)).await
    }

    /// Reads a page of a list.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn list(&self, list: List, page: u32, context: &CallContext) -> Result<ListPage, TmdbError> {
        let query = [("language", self.config.language.clone()), ("page", page.to_string())];
        let call = self.call(list.path().to_owned(), &query, context);
        self.get(call, (&query, None), context, |body, call| {
            let page = list_page(body)?;
            call.results_count = i32::try_from(page.rows.len()).ok();
            Ok(page)
        })
        .await
    }

    /// Asks whether the credential is accepted.
    ///
    /// # Errors
    /// `Unauthorized` when it is not.
    pub async fn check(&self) -> Result<(), TmdbError> {
        let context = CallContext { service: "check", run_id: None, try_number: 0, lane: proto::Lane::Now };
        let call = self.call("/authentication".to_owned(), &[], &context);
        self.get(call, (&[], None), &context, |_, _| Ok(())).await
    }

    fn call(&self, endpoint: String, query: &[(&str, String)], context: &CallContext) -> Call {
        let params: Map<String, Value> = query.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect();
        Call {
            endpoint,
            method: "GET",
            http_status: None,
            query_params: params.into(),
            response_size_bytes: None,
            response_time_ms: 0,
            results_count: None,
            service: context.service,
            tmdb_id: None,
            error_message: None,
            retry_count: context.try_number,
            run_id: context.run_id.clone(),
            created_at: SystemTime::now().into(),
        }
    }

    /// Budget first, then a place in flight; the time counts from sending. The call is logged whatever comes of it.
    async fn get<T>(
        &self,
        mut call: Call,
        (query, asked): (&[(&str, String)], Option<TmdbId>),
        context: &CallContext,
        read: impl FnOnce(&[u8], &mut Call) -> Result<T, TmdbError>,
    ) -> Result<T, TmdbError> {
        self.budget.acquire(context.lane).await;
        let place = self.in_flight.acquire().await;
        let begun = Instant::now();
        let answer = self.send(&call.endpoint, query).await;
        drop(place);
        call.response_time_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let result = answer.and_then(|answer| {
            call.http_status = Some(answer.status);
            call.response_size_bytes = i64::try_from(answer.body.len()).ok();
            let refused = failed_in_body(&answer.body);
            if answer.status != 200 || refused {
                return Err(TmdbError::of_answer(answer.status, &answer.body, (asked, answer.retry_after)));
            }
            read(&answer.body, &mut call)
        });
        match &result {
            Err(TmdbError::RateLimited { retry_after }) => self.budget.refused(*retry_after),
            Ok(_) | Err(_) => self.budget.answered(),
        }
        call.error_message = result.as_ref().err().map(ToString::to_string);
        call.created_at = SystemTime::now().into();
        self.calls.record(call);
        result
    }

    async fn send(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, TmdbError> {
        let mut request = self.http.get(format!("{}{path}", self.config.base_url.trim_end_matches('/'))).query(query);
        request = match &self.config.credential {
            Some(Credential::Bearer(token)) => request.bearer_auth(token.reveal()),
            Some(Credential::V3Key(key)) => request.query(&[("api_key", key.reveal())]),
            None => request,
        };
        let late = |_| unavailable(None, "no answer in time");
        let response = tokio::time::timeout(self.config.first_byte_timeout, request.send()).await.map_err(late)?;
        let response = response.map_err(|e| broken(None, e))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        let html = response.headers().get("content-type").and_then(|v| v.to_str().ok()).is_some_and(|v| !v.contains("json"));
        if status == 200 && html {
            return Err(unavailable(Some(status), "the answer is no JSON"));
        }
        let body = self.body(status, response).await?;
        Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body })
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
        && serde_json::from_slice::<Value>(body)
            .is_ok_and(|v| v.get("success") == Some(&Value::Bool(false)) && v.get("status_code").is_some())
}

fn list_page(body: &[u8]) -> Result<ListPage, TmdbError> {
    let malformed = |detail: &str| TmdbError::Malformed { detail: detail.to_owned() };
    let body: Value = serde_json::from_slice(body).map_err(|e| malformed(&e.to_string()))?;
    let body = crate::json::without_nul(body);
    let results = crate::json::list(&body, "results").ok_or_else(|| malformed("the list has no results"))?;
    let rows = results.iter().filter_map(|row| {
        let tmdb_id = TmdbId::try_from(row.get("id")?.as_i64()?).ok()?;
        Some(ListRow { tmdb_id, title: crate::json::text(row, "title").unwrap_or_default() })
    });
    let whole = |key: &str| crate::json::positive(&body, key).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    Ok(ListPage { page: whole("page"), total_pages: whole("total_pages").min(MAX_PAGE), rows: rows.collect() })
}
