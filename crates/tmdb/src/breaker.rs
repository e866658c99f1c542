//! The circuit breaker: when TMDB is down or refuses the credential, calls stop before they are
//! made.
//!
//! Closed: calls pass. Open: none passes until a pause is over. Half open: one call passes, the
//! probe, and its outcome decides. A call that is not made ends in a [`Refusal`], whose pause
//! becomes the message's: so pulling stops as well, and no attempt is counted.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::exchange::Request;

/// Failures in a row that open the breaker.
const OPENS_AFTER: u32 = 5;
/// First pause; doubles with each probe that fails, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pause after a refused credential: somebody has to change it, but a suspension may also be
/// lifted.
const PAUSE_REFUSED: Duration = Duration::from_secs(60);
/// What waits asks again within a minute after a pause.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Pause of a call that finds a probe under way.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// Why no call is made at the moment, and how long to wait before asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    TmdbDown(Duration),
    CredentialRefused(Duration),
}

/// Whether calls are made, for status and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Calls pass.
    Up,
    /// TMDB is down; calls stop, except a probe now and then.
    Down,
    /// The credential is refused; calls stop until it is changed.
    CredentialRefused,
}

#[derive(Debug)]
enum State {
    /// `endpoints`: of the failures in a row, so that one movie or list that fails alone does not
    /// count as TMDB.
    Closed {
        failures: u32,
        endpoints: Endpoints,
    },
    Open {
        until: Instant,
        pause: Duration,
        probing: bool,
        health: Health,
    },
}

/// Where calls failed that failed in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Endpoints {
    None,
    One(String),
    /// More than one, or no answer came at all.
    Many,
}

impl Endpoints {
    fn and(&self, endpoint: Option<&str>) -> Self {
        match (self, endpoint) {
            (Self::None, Some(new)) => Self::One(new.to_owned()),
            (Self::One(old), Some(new)) if old == new => self.clone(),
            (Self::None | Self::One(_) | Self::Many, _) => Self::Many,
        }
    }
}

impl State {
    const WELL: Self = Self::Closed { failures: 0, endpoints: Endpoints::None };

    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until, probing, health, .. } => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() && !*probing {
                    return Ok(());
                }
                let pause = left.max(PROBE_TIME);
                Err(if *health == Health::CredentialRefused {
                    Refusal::CredentialRefused(pause)
                } else {
                    Refusal::TmdbDown(pause)
                })
            }
        }
    }
}

/// Shared by all calls of a client.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    /// Counts the times that it opened, for the calls that wait at the gate.
    opened: watch::Sender<u64>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: Mutex::new(State::WELL), opened: watch::Sender::new(0) }
    }
}

impl Breaker {
    /// Refuses a call before it waits at the gate.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.lock().check()
    }

    /// Admits a call. One that is admitted half open is the probe.
    pub(crate) fn admit(&self) -> Result<AdmittedCall<'_>, Refusal> {
        let mut state = self.lock();
        state.check()?;
        if let State::Open { probing, .. } = &mut *state {
            *probing = true;
        }
        drop(state);
        Ok(AdmittedCall(Some(self)))
    }

    /// TMDB answered. True: calls were stopped until now.
    fn answered(&self) -> bool {
        let mut state = self.lock();
        let was_open = matches!(*state, State::Open { .. });
        *state = State::WELL;
        was_open
    }

    /// TMDB gave no usable answer at this endpoint, or none at all. True: calls stop with this one.
    pub(crate) fn failed(&self, endpoint: Option<&str>) -> bool {
        let mut state = self.lock();
        let (stops, next) = match &*state {
            State::Closed { failures, endpoints } => {
                let (failures, endpoints) = (failures + 1, endpoints.and(endpoint));
                if failures >= OPENS_AFTER && endpoints == Endpoints::Many {
                    (true, open(PAUSE_FIRST, Health::Down))
                } else {
                    (false, State::Closed { failures, endpoints })
                }
            }
            State::Open { pause, probing: true, health, .. } => {
                (false, open((*pause * 2).min(PAUSE_MAX), *health))
            }
            // Calls that were under way when it opened change nothing.
            State::Open { .. } => return false,
        };
        *state = next;
        drop(state);
        self.announce(stops);
        stops
    }

    /// An answer that cannot be used, which says nothing about others. Where calls are stopped,
    /// they stay so.
    fn odd(&self) {
        let is_open = matches!(*self.lock(), State::Open { .. });
        if is_open {
            self.failed(None);
        }
    }

    /// The credential was refused in one answer, which is not believed by itself. Where calls are
    /// stopped for that reason, they stay so.
    fn doubted(&self) {
        let mut state = self.lock();
        *state = match &*state {
            State::Open { probing: true, health: Health::CredentialRefused, .. } => {
                open(PAUSE_REFUSED, Health::CredentialRefused)
            }
            // It answers, and is asked about the credential next.
            State::Open { probing: true, .. } => State::WELL,
            State::Open { .. } | State::Closed { .. } => return,
        };
    }

    /// TMDB refuses the credential. True: calls stop with this one, so that there is one alarm.
    fn refused(&self) -> bool {
        let mut state = self.lock();
        let known = matches!(*state, State::Open { health: Health::CredentialRefused, .. });
        *state = open(PAUSE_REFUSED, Health::CredentialRefused);
        drop(state);
        self.announce(!known);
        !known
    }

    fn health(&self) -> Health {
        match &*self.lock() {
            State::Closed { .. } => Health::Up,
            // Nobody has asked since it might have been: what waited for it is gone.
            State::Open { until, pause, probing: false, .. }
                if until.elapsed() > FORGOTTEN_AFTER + *pause =>
            {
                Health::Up
            }
            State::Open { health, .. } => *health,
        }
    }

    /// Returns when it opens.
    pub(crate) async fn opens(&self) {
        let mut opened = self.opened.subscribe();
        // It cannot fail: the sender lives as long as `self`.
        let _ = opened.changed().await;
    }

    fn announce(&self, opened: bool) {
        if opened {
            self.opened.send_modify(|n| *n += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One for movies and one for everything else: the edge of TMDB may refuse the one and serve the
/// other.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    pub(crate) movies: Breaker,
    pub(crate) others: Breaker,
}

impl Breakers {
    pub(crate) fn of(&self, request: &Request) -> &Breaker {
        if request.movie.is_some() { &self.movies } else { &self.others }
    }

    /// TMDB refuses the credential, whatever is asked. True: calls stop with this one.
    pub(crate) fn refused(&self) -> bool {
        let news = self.movies.refused();
        self.others.refused() || news
    }

    pub(crate) fn health(&self) -> Health {
        match (self.movies.health(), self.others.health()) {
            (Health::CredentialRefused, _) | (_, Health::CredentialRefused) => {
                Health::CredentialRefused
            }
            (Health::Down, _) | (_, Health::Down) => Health::Down,
            (Health::Up, Health::Up) => Health::Up,
        }
    }
}

/// A call that was admitted: it has to report how it ended. When it is dropped without a report (a
/// caller gave up), the next call becomes the probe.
#[derive(Debug)]
pub(crate) struct AdmittedCall<'a>(Option<&'a Breaker>);

impl AdmittedCall<'_> {
    /// TMDB answered. True: calls were stopped until now.
    pub(crate) fn answered(mut self) -> bool {
        self.0.take().is_some_and(Breaker::answered)
    }

    /// TMDB gave no usable answer at this endpoint, or none at all. True: calls stop with this one.
    pub(crate) fn failed(mut self, endpoint: Option<&str>) -> bool {
        self.0.take().is_some_and(|breaker| breaker.failed(endpoint))
    }

    /// This answer cannot be used, and says nothing about others.
    pub(crate) fn odd(mut self) {
        if let Some(breaker) = self.0.take() {
            breaker.odd();
        }
    }

    /// The credential was refused in this answer.
    pub(crate) fn doubted(mut self) {
        if let Some(breaker) = self.0.take() {
            breaker.doubted();
        }
    }
}

impl Drop for AdmittedCall<'_> {
    fn drop(&mut self) {
        if let Some(State::Open { probing, .. }) = self.0.map(Breaker::lock).as_deref_mut() {
            *probing = false;
        }
    }
}

fn open(pause: Duration, health: Health) -> State {
    State::Open { until: Instant::now() + pause, pause, probing: false, health }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_costs_a_few_calls_and_ends_by_itself() {
        let breaker = Breaker::default();
        let underway = breaker.admit().unwrap();
        for _ in 1..OPENS_AFTER {
            assert!(!breaker.admit().unwrap().failed(None));
        }
        assert!(breaker.admit().unwrap().failed(None), "the last one opens it");
        assert_eq!(
            (breaker.admit().unwrap_err(), breaker.health()),
            (Refusal::TmdbDown(PAUSE_FIRST), Health::Down)
        );
        assert!(!underway.failed(None), "what was under way changes nothing");
        tokio::time::advance(PAUSE_FIRST).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.admit().unwrap_err(), Refusal::TmdbDown(PROBE_TIME), "one probe");
        assert!(!probe.failed(None));
        assert_eq!(
            breaker.admit().unwrap_err(),
            Refusal::TmdbDown(PAUSE_FIRST * 2),
            "a failed probe doubles the pause"
        );
        tokio::time::advance(PAUSE_FIRST * 2).await;
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().unwrap().answered(), "the probe before went away");
        assert!(breaker.admit().is_ok());
        assert_eq!(breaker.health(), Health::Up);
    }

    #[tokio::test(start_paused = true)]
    async fn one_endpoint_that_fails_alone_is_not_tmdb() {
        let breaker = Breaker::default();
        for _ in 0..OPENS_AFTER * 2 {
            assert!(!breaker.admit().unwrap().failed(Some("/movie/603")));
        }
        assert!(breaker.admit().unwrap().failed(Some("/movie/popular")), "two of them are");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_credential_is_one_alarm() {
        let breaker = Breaker::default();
        breaker.admit().unwrap().doubted();
        assert_eq!(breaker.health(), Health::Up, "one answer is not believed");
        assert!(breaker.refused() && !breaker.refused());
        let refusal = Refusal::CredentialRefused(PAUSE_REFUSED);
        assert_eq!(breaker.admit().unwrap_err(), refusal);
        tokio::time::advance(PAUSE_REFUSED).await;
        breaker.admit().unwrap().doubted();
        assert_eq!(breaker.admit().unwrap_err(), refusal, "the probe says so too");
        tokio::time::advance(PAUSE_REFUSED).await;
        assert!(breaker.admit().unwrap().answered());
    }
}
