//! The client: one request per movie, through breaker and gate, with deadlines and a size limit.
//!
//! Every call that is made is logged, whatever comes of it, and its answer is reported to the
//! breaker and to the shared rate.

mod confirm;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use catalogue::{Body, Look, MapOptions, PARTS, is_imdb_id};
use proto::TmdbId;
use time::Date;
use tokio_util::sync::CancellationToken;

use self::confirm::doubt_context;
use crate::{
    breaker::{AdmittedCall, Breakers, Health, Refusal},
    call::{Call, CallContext, CallLog},
    cancelled_runs::CancelledRuns,
    config::Config,
    doubts::Doubts,
    error::TmdbError,
    exchange::{Answer, Request},
    gate::{Gate, InFlightPermit, Rate},
    json,
    languages::video_languages,
    list::{ChangesPage, List, ListPage, changes_page, found_movies, list_page},
    movie::read_movie,
    transport::Transport,
};

/// Pause before a request that TMDB failed on is made once more.
const CONFIRM_AFTER: Duration = Duration::from_millis(500);

const AUTHENTICATION: &str = "/authentication";
const CHANGES: &str = "/movie/changes";

/// A movie as TMDB had it when it was asked.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its answer.
    pub look: Look,
    /// When the request was sent: of two answers the one that was asked for later is the newer,
    /// whenever they arrive.
    pub sent: Instant,
}

/// The client of TMDB. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    map: Arc<MapOptions>,
    adult: bool,
    calls: Arc<dyn CallLog>,
    rate: Arc<dyn Rate>,
    gate: Gate,
    breakers: Arc<Breakers>,
    /// The credential was accepted, and the shared rate knows it.
    accepted: Arc<AtomicBool>,
    doubts: Arc<Doubts>,
    draining: CancellationToken,
    cancelled: CancelledRuns,
}

/// Everything that a call needs before it is sent.
struct Admission<'a> {
    permit: InFlightPermit,
    call: AdmittedCall<'a>,
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
        let map = MapOptions {
            language: config.language.clone(),
            region: config.region.clone(),
            streaming_regions: config.streaming_regions.clone(),
        };
        Ok(Self {
            adult: config.adult,
            gate: Gate::start(config.concurrency, Arc::clone(&rate)),
            transport: Transport::new(config)?,
            map: Arc::new(map),
            calls,
            rate,
            breakers: Arc::default(),
            accepted: Arc::default(),
            doubts: Arc::default(),
            draining: CancellationToken::new(),
            cancelled: CancelledRuns::default(),
        })
    }

    /// Reads a movie with all its parts, in one request.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn movie(&self, id: TmdbId, context: &CallContext) -> Result<Fetched, TmdbError> {
        let read = |body: Body, call: &mut Call| {
            Ok(Fetched { look: read_movie(body, id, &self.map)?, sent: call.sent })
        };
        let fetched = self.get(&self.movie_request(id), context, read).await?;
        self.doubts.answered_about(id);
        Ok(fetched)
    }

    fn movie_request(&self, id: TmdbId) -> Request {
        let language = self.map.language.split('-').next().unwrap_or("en");
        let query = vec![
            ("language", self.map.language.clone()),
            ("append_to_response", PARTS.join(",")),
            ("include_image_language", format!("{language},null")),
            ("include_video_language", video_languages(language)),
        ];
        Request { endpoint: format!("/movie/{id}"), query, movie: Some(id) }
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
        let query = vec![("language", self.map.language.clone()), ("page", page.to_string())];
        let request = Request { endpoint: list.path().to_owned(), query, movie: None };
        let read = |body: Body, call: &mut Call| {
            let page = list_page(&body.text, self.adult)?;
            call.results_count = i32::try_from(page.rows.len() + page.left_out).ok();
            Ok(page)
        };
        let answer = self.get(&request, context, read).await;
        self.note_list(list.path(), answer.as_ref().err());
        answer
    }

    /// Reads a page of the change feed: movies that were edited on this day, UTC.
    ///
    /// # Errors
    /// See [`TmdbError`].
    pub async fn changes(
        &self,
        day: Date,
        page: u32,
        context: &CallContext,
    ) -> Result<ChangesPage, TmdbError> {
        let day = day.to_string();
        let query =
            vec![("start_date", day.clone()), ("end_date", day), ("page", page.to_string())];
        let request = Request { endpoint: CHANGES.to_owned(), query, movie: None };
        let read = |body: Body, call: &mut Call| {
            let page = changes_page(&body.text)?;
            call.results_count = i32::try_from(page.rows).ok();
            Ok(page)
        };
        let answer = self.get(&request, context, read).await;
        self.note_list(CHANGES, answer.as_ref().err());
        answer
    }

    fn note_list(&self, path: &'static str, error: Option<&TmdbError>) {
        match error {
            None => self.doubts.list_answers(path, true),
            Some(TmdbError::Unavailable { .. }) => self.doubts.list_answers(path, false),
            Some(_) => {}
        }
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
        if !is_imdb_id(imdb_id) {
            return Ok(None);
        }
        let query = vec![("external_source", "imdb_id".to_owned())];
        let request = Request { endpoint: format!("/find/{imdb_id}"), query, movie: Some(gone) };
        let found = self.get(&request, context, |body, _| found_movies(&body.text)).await;
        match found {
            Ok(found) => Ok(found.into_iter().find(|id| *id != gone)),
            // TMDB says so to an id that has none of its forms.
            Err(TmdbError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Asks whether the credential is accepted. A first refusal is not believed: it is asked again.
    ///
    /// # Errors
    /// `Unauthorized` when it is refused; calls stop then.
    pub async fn check(&self) -> Result<(), TmdbError> {
        let _others_wait = self.doubts.credential.lock().await;
        // Somebody who asked before may have found it refused.
        self.breakers.others.check()?;
        match self.authentication().await {
            Err(TmdbError::Unauthorized { .. }) => {}
            answer => return answer,
        }
        tokio::time::sleep(CONFIRM_AFTER).await;
        self.transport.renew_credential();
        let answer = self.authentication().await;
        if let Err(TmdbError::Unauthorized { .. }) = &answer {
            self.refuse_credential();
        }
        answer
    }

    async fn authentication(&self) -> Result<(), TmdbError> {
        let request =
            Request { endpoint: AUTHENTICATION.to_owned(), query: Vec::new(), movie: None };
        let read = |body: Body, _: &mut Call| {
            let is_answer = json::is_object(&body.text);
            is_answer.then_some(()).ok_or_else(|| TmdbError::odd("the answer is not JSON"))
        };
        self.once(&request, &doubt_context(), &read).await
    }

    /// Lists on which TMDB fails while other calls go on, each with the time since when.
    #[must_use]
    pub fn unwell_lists(&self) -> Vec<(&'static str, Duration)> {
        self.doubts.unwell_lists()
    }

    /// Movies about which TMDB gives no usable answer while it does about others.
    #[must_use]
    pub fn odd_movies(&self) -> usize {
        self.doubts.odd_movies()
    }

    /// Whether calls are made at the moment.
    #[must_use]
    pub fn health(&self) -> Health {
        self.breakers.health()
    }

    /// The runs whose calls are refused.
    #[must_use]
    pub const fn cancelled(&self) -> &CancelledRuns {
        &self.cancelled
    }

    /// Refuses the calls that still wait; those in flight go on.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Waits for admission, makes one call and logs it. Its time counts from sending.
    async fn once<T>(
        &self,
        request: &Request,
        context: &CallContext,
        read: &impl Fn(Body, &mut Call) -> Result<T, TmdbError>,
    ) -> Result<T, TmdbError> {
        if self.breakers.health() == Health::CredentialRefused {
            self.transport.renew_credential();
        }
        let Admission { permit, call: admitted } = self.admission(request, context).await?;
        let mut call = Call::begin(request, context);
        let answer = self.transport.send(request).await;
        drop(permit);
        call.response_time_ms = i64::try_from(call.sent.elapsed().as_millis()).unwrap_or(i64::MAX);
        let result = answer.and_then(|answer| {
            call.http_status = Some(answer.status);
            call.response_size_bytes = i64::try_from(answer.body.text.len()).ok();
            if !is_success(&answer) {
                return Err(TmdbError::of_answer(&answer, request.movie));
            }
            read(answer.body, &mut call)
        });
        self.report(admitted, request, result.as_ref().err());
        call.error_message = result.as_ref().err().map(ToString::to_string);
        call.created_at = SystemTime::now().into();
        self.calls.record(call);
        result
    }

    /// Returns when a call may be made.
    async fn admission(
        &self,
        request: &Request,
        context: &CallContext,
    ) -> Result<Admission<'_>, TmdbError> {
        self.refuse_cancelled(context)?;
        let breaker = self.breakers.of(request);
        breaker.check()?;
        let permit = tokio::select! {
            () = self.draining.cancelled() => return Err(TmdbError::Draining),
            () = breaker.opens() => None,
            permit = self.gate.pass(context.lane) => Some(permit.ok_or(TmdbError::Draining)?),
        };
        self.refuse_cancelled(context)?;
        // While it is asked whether the credential is accepted, nothing else is.
        if request.endpoint != AUTHENTICATION && self.doubts.credential.try_lock().is_err() {
            return Err(Refusal::CredentialRefused(CONFIRM_AFTER).into());
        }
        let call = breaker.admit()?;
        match permit {
            Some(permit) => Ok(Admission { permit, call }),
            // The breaker opened while the call waited, and closed again within a moment.
            None => Err(Refusal::TmdbDown(CONFIRM_AFTER).into()),
        }
    }

    fn refuse_cancelled(&self, context: &CallContext) -> Result<(), TmdbError> {
        if self.cancelled.contains(context.run_id.as_deref()) {
            return Err(TmdbError::Cancelled);
        }
        Ok(())
    }

    /// Reports to the breaker and the shared rate what this answer says about TMDB as a whole.
    fn report(&self, call: AdmittedCall<'_>, request: &Request, error: Option<&TmdbError>) {
        match error {
            // It is asked for by itself, see `check`.
            Some(TmdbError::Unauthorized { .. }) => call.doubted(),
            // Whether TMDB is unwell or this movie, the answer about another one tells.
            Some(TmdbError::Unavailable { status: Some(..500), .. }) if request.movie.is_some() => {
                call.odd();
            }
            Some(TmdbError::Unavailable { detail, status }) => {
                let endpoint = status.map(|_| request.endpoint.as_str());
                warn_if_down(call.failed(endpoint), detail);
            }
            Some(TmdbError::RateLimited { retry_after }) => {
                self.rate.refused(*retry_after);
                self.report_answered(call);
            }
            Some(_) | None => self.report_answered(call),
        }
    }

    fn refuse_credential(&self) {
        if self.breakers.refused() {
            tracing::error!(
                "ALARM: TMDB refuses the credential, all calls stop: set another TMDB_TOKEN or \
                 TMDB_API_KEY and restart, or write it into the file of TMDB_TOKEN_FILE, which is \
                 read again"
            );
            self.accepted.store(false, Ordering::Relaxed);
            self.rate.credential(false);
        }
    }

    fn report_answered(&self, call: AdmittedCall<'_>) {
        if call.answered() {
            tracing::info!("TMDB answers again: calls go on");
        }
        // Another process, or an earlier run of this one, may have noted that the credential is
        // refused.
        if !self.accepted.swap(true, Ordering::Relaxed) {
            self.rate.credential(true);
        }
    }
}

fn warn_if_down(is_down: bool, detail: &str) {
    if is_down {
        tracing::warn!(detail, "TMDB is down: calls stop, except a probe now and then");
    }
}

/// TMDB sends `success: false` with status 200 at times, always in a short body.
fn is_success(answer: &Answer) -> bool {
    const SHORT_BYTES: usize = 1_000;
    let failed_in_body =
        || answer.body.text.len() < SHORT_BYTES && json::is_failure(&answer.body.text);
    answer.status == 200 && !failed_in_body()
}
