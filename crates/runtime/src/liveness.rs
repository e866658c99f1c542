//! When each component of a process last did something: `/readyz` and `/healthz` are read off it.
//!
//! A component reports a heartbeat ([`Liveness::beat`]) and says until when the next one is due.
//! One that misses that time is stalled. One that works and meets only errors is failing, which is
//! another thing: it is alive.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A component of a process, which has to report a heartbeat again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Shown to the person on call.
    pub name: &'static str,
    /// Longest time between two heartbeats.
    pub allowed: Duration,
    /// Whether nothing but a fault of this process can hold it up while NATS and the database
    /// answer.
    pub vital: bool,
}

/// A component whose heartbeat is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The component, with the time that it was allowed.
    pub component: Component,
    /// Time since its last heartbeat.
    pub span: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    component: Component,
    at: Instant,
    /// When the next one is due. Several tasks may report for one component, each with its own
    /// `allowed`: the latest of their times counts, so that a quick task does not call a slow one
    /// stalled.
    due: Instant,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    reason: String,
}

/// A failure is reported until the next success, but for this long at most: another process may
/// have done what this component would have done next, and then no success follows here.
const FAILURE_SHOWN: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct State {
    heartbeats: BTreeMap<&'static str, Heartbeat>,
    failures: BTreeMap<&'static str, Failure>,
}

/// The heartbeats of a process's components. Cheap to clone; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Mutex<State>>);

impl Liveness {
    /// Reports a heartbeat.
    pub fn beat(&self, component: Component) {
        let at = Instant::now();
        let heartbeats = &mut self.lock().heartbeats;
        let earlier = heartbeats.get(component.name).map_or(at, |heartbeat| heartbeat.due);
        let due = earlier.max(at + component.allowed);
        heartbeats.insert(component.name, Heartbeat { component, at, due });
    }

    /// Reports that this component is alive and cannot do its work.
    pub fn fails(&self, name: &'static str, reason: &str) {
        let failure = Failure { at: Instant::now(), reason: reason.to_owned() };
        self.lock().failures.insert(name, failure);
    }

    /// Reports that this component does its work again.
    pub fn works(&self, name: &'static str) {
        self.lock().failures.remove(name);
    }

    /// The components that failed within the last seconds, each with the reason.
    #[must_use]
    pub fn failing(&self) -> Vec<String> {
        let state = self.lock();
        let recent = state.failures.iter().filter(|(_, f)| f.at.elapsed() < FAILURE_SHOWN);
        recent.map(|(name, failure)| format!("{name} fails: {}", failure.reason)).collect()
    }

    /// The components whose heartbeat is overdue.
    #[must_use]
    pub fn stalled(&self) -> Vec<Stall> {
        let now = Instant::now();
        let state = self.lock();
        let overdue = state.heartbeats.values().filter(|heartbeat| heartbeat.due < now);
        overdue.map(|h| Stall { component: h.component, span: h.at.elapsed() }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_stalled_when_its_heartbeat_is_overdue() {
        let liveness = Liveness::default();
        let component = |name, allowed| Component { name, allowed, vital: false };
        liveness.beat(component("quick", Duration::ZERO));
        std::thread::sleep(Duration::from_millis(2));
        liveness.beat(component("slow", Duration::from_secs(60)));
        let stalled =
            || liveness.stalled().iter().map(|stall| stall.component.name).collect::<Vec<_>>();
        assert_eq!(stalled(), ["quick"]);
        liveness.beat(component("quick", Duration::from_secs(60)));
        assert!(stalled().is_empty());
        liveness.beat(component("quick", Duration::ZERO));
        assert!(stalled().is_empty(), "the longer wait counts");
        liveness.fails("quick", "the disk is full");
        assert_eq!(liveness.failing(), ["quick fails: the disk is full"]);
        assert!(stalled().is_empty(), "it is alive");
        liveness.works("quick");
        assert!(liveness.failing().is_empty());
    }
}
