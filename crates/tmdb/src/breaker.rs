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

/// Failures in a row that open the breaker.
const OPENS_AFTER: u32 = 5;
/// First pause; doubles with each probe that fails, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pause after a refused credential: somebody has to change it, but a suspension may also be
/// lifted.
const PAUSE_REFUSED: Duration = Duration::from_secs(300);
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
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration, probing: bool, health: Health },
}

impl State {
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
        Self { state: Mutex::new(State::Closed { failures: 0 }), opened: watch::Sender::new(0) }
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
        *state = State::Closed { failures: 0 };
        was_open
    }

    /// TMDB did not answer, or said that it cannot. True: calls stop with this one.
    fn failed(&self) -> bool {
        let mut state = self.lock();
        let (stops, next) = match &*state {
            State::Closed { failures } if failures + 1 < OPENS_AFTER => {
                (false, State::Closed { failures: failures + 1 })
            }
            State::Closed { .. } => (true, open(PAUSE_FIRST, Health::Down)),
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

    /// TMDB refused the credential. True: calls stop with this one, so that there is one alarm.
    fn refused(&self) -> bool {
        let mut state = self.lock();
        let known = matches!(*state, State::Open { health: Health::CredentialRefused, .. });
        *state = open(PAUSE_REFUSED, Health::CredentialRefused);
        drop(state);
        self.announce(!known);
        !known
    }

    pub(crate) fn health(&self) -> Health {
        match &*self.lock() {
            State::Closed { .. } => Health::Up,
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

/// A call that was admitted: it has to report how it ended. When it is dropped without a report (a
/// caller gave up), the next call becomes the probe.
#[derive(Debug)]
pub(crate) struct AdmittedCall<'a>(Option<&'a Breaker>);

impl AdmittedCall<'_> {
    /// TMDB answered. True: calls were stopped until now.
    pub(crate) fn answered(mut self) -> bool {
        self.0.take().is_some_and(Breaker::answered)
    }

    /// TMDB did not answer, or said that it cannot. True: calls stop with this one.
    pub(crate) fn failed(mut self) -> bool {
        self.0.take().is_some_and(Breaker::failed)
    }

    /// TMDB refused the credential. True: calls stop with this one, so that there is one alarm.
    pub(crate) fn refused(mut self) -> bool {
        self.0.take().is_some_and(Breaker::refused)
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
            assert!(!breaker.admit().unwrap().failed());
        }
        assert!(breaker.admit().unwrap().failed(), "the last one opens it");
        assert_eq!(
            (breaker.admit().unwrap_err(), breaker.health()),
            (Refusal::TmdbDown(PAUSE_FIRST), Health::Down)
        );
        assert!(!underway.failed(), "what was under way changes nothing");
        tokio::time::advance(PAUSE_FIRST).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.admit().unwrap_err(), Refusal::TmdbDown(PROBE_TIME), "one probe");
        assert!(!probe.failed());
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
    async fn a_refused_credential_is_one_alarm() {
        let breaker = Breaker::default();
        let (one, two) = (breaker.admit().unwrap(), breaker.admit().unwrap());
        assert!(one.refused() && !two.refused());
        assert_eq!(breaker.admit().unwrap_err(), Refusal::CredentialRefused(PAUSE_REFUSED));
        tokio::time::advance(PAUSE_REFUSED).await;
        assert!(!breaker.admit().unwrap().refused(), "the probe raises no second alarm");
    }
}
