//! Asks again before an answer in doubt is believed, and tells whose fault it is that there is
//! none (docs/adr/0021).

use std::time::{Duration, Instant};

use catalogue::Body;
use proto::TmdbId;

use super::{CONFIRM_AFTER, Client, warn_if_down};
use crate::{
    call::{Call, CallContext},
    doubts::Oddness,
    error::TmdbError,
    exchange::Request,
    list::{List, list_page},
    movie::read_movie,
};

/// How long a cache may keep TMDB's refusal of a credential (its `Cache-Control`, measured).
const CACHED_FOR: Duration = Duration::from_secs(300);

impl Client {
    /// Makes one request, and once more where the answer is in doubt: one mistake among good
    /// answers is no word about a movie.
    pub(super) async fn get<T>(
        &self,
        request: &Request,
        context: &CallContext,
        read: impl Fn(Body, &mut Call) -> Result<T, TmdbError>,
    ) -> Result<T, TmdbError> {
        let begun = Instant::now();
        let doubted = match self.once(request, context, &read).await {
            Err(e) if e.is_in_doubt() => e,
            answer => return answer,
        };
        if let TmdbError::Unauthorized { .. } = doubted {
            self.check().await?;
        }
        tokio::time::sleep(CONFIRM_AFTER).await;
        match self.once(request, context, &read).await {
            Err(e @ (TmdbError::Unavailable { .. } | TmdbError::Unauthorized { .. })) => {
                Err(self.whose_fault(request, e, begun).await)
            }
            answer => answer,
        }
    }

    /// An outage, which is waited for, or a movie on which TMDB fails while it answers about
    /// others, which must not wait for ever. A list is never at fault, nor is a movie at whose
    /// address a cache keeps an old refusal of the credential.
    async fn whose_fault(&self, request: &Request, error: TmdbError, begun: Instant) -> TmdbError {
        let detail = if let TmdbError::Unavailable { detail, .. } = &error {
            detail.clone()
        } else {
            error.to_string()
        };
        let Some(asked) = request.movie else {
            return TmdbError::Unavailable { status: None, detail };
        };
        if !self.answers_about_another(asked, begun).await {
            warn_if_down(self.breakers.movies.failed(None), &detail);
            return TmdbError::Unavailable { status: None, detail };
        }
        match (self.doubts.is_odd(asked), &error) {
            (Oddness::Alone, TmdbError::Unauthorized { .. }) => {
                TmdbError::Odd { detail, after: CACHED_FOR }
            }
            (Oddness::Alone, _) => TmdbError::Failing { detail },
            (Oddness::Unclear(after), _) => TmdbError::Odd { detail, after },
        }
    }

    /// Whether TMDB answers about another movie than this one: since `begun`, or when asked now
    /// about one that it answered about before, else about the first one of a list. Where there is
    /// no list, whether it answers at all.
    async fn answers_about_another(&self, asked: TmdbId, begun: Instant) -> bool {
        let known = self.doubts.known_but(asked);
        if known.is_some_and(|(_, at)| at.into_std() >= begun) {
            return true;
        }
        let known = known.map(|(movie, _)| movie);
        let other = if known.is_some() { known } else { self.popular_but(asked).await };
        let Some(other) = other else { return self.check().await.is_ok() };
        let read = |body: Body, _: &mut Call| read_movie(body, other, &self.map).map(drop);
        let answer = self.once(&self.movie_request(other), &doubt_context(), &read).await;
        matches!(answer, Ok(()) | Err(TmdbError::NotFound(_)))
    }

    async fn popular_but(&self, asked: TmdbId) -> Option<TmdbId> {
        let query = vec![("page", "1".to_owned())];
        let endpoint = List::Popular.path().to_owned();
        let request = Request { endpoint, query, movie: None };
        let read = |body: Body, _: &mut Call| list_page(&body.text, false);
        let page = self.once(&request, &doubt_context(), &read).await.ok()?;
        page.rows.into_iter().map(|row| row.tmdb_id).find(|id| *id != asked)
    }
}

/// Of calls that only tell whether TMDB is well.
pub(super) fn doubt_context() -> CallContext {
    CallContext { service: "check", run_id: None, failed_attempts: 0, lane: proto::Lane::Now }
}
