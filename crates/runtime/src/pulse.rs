//! When each part of a process was last seen at work: readiness and liveness are read off it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A part of a process that is to be seen at work again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What the person on call reads.
    pub name: &'static str,
    /// How long it may be out of sight.
    pub allowed: Duration,
    /// Whether nothing but a fault of this process can hold it up while NATS and the database
    /// answer.
    pub vital: bool,
}

/// A part that was out of sight for longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Still {
    /// Which.
    pub part: Part,
    /// For how long.
    pub span: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    part: Part,
    at: Instant,
    /// Of all that were allowed so far the latest: somebody may wait for longer than the others.
    until: Instant,
}

/// A failure is told until a success, or for so long: others may do what this part would have done
/// next.
const TOLD: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct All {
    seen: BTreeMap<&'static str, Seen>,
    failed: BTreeMap<&'static str, (Instant, String)>,
}

/// The parts of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<All>>);

impl Pulse {
    /// This part is at work at this moment.
    pub fn beat(&self, part: Part) {
        let at = Instant::now();
        let seen = &mut self.lock().seen;
        let until = seen.get(part.name).map_or(at, |seen| seen.until).max(at + part.allowed);
        seen.insert(part.name, Seen { part, at, until });
    }

    /// This part is alive and cannot do its work.
    pub fn fails(&self, name: &'static str, why: &str) {
        self.lock().failed.insert(name, (Instant::now(), why.to_owned()));
    }

    /// This part does its work again.
    pub fn works(&self, name: &'static str) {
        self.lock().failed.remove(name);
    }

    /// What failed within the last seconds, each with the reason.
    #[must_use]
    pub fn failing(&self) -> Vec<String> {
        let all = self.lock();
        let failed = all.failed.iter().filter(|(_, (at, _))| at.elapsed() < TOLD);
        failed.map(|(name, (_, why))| format!("{name} fails: {why}")).collect()
    }

    /// The parts that stand still.
    #[must_use]
    pub fn still(&self) -> Vec<Still> {
        let now = Instant::now();
        let all = self.lock();
        let still = all.seen.values().filter(|seen| seen.until < now);
        still.map(|seen| Still { part: seen.part, span: seen.at.elapsed() }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_still_when_it_was_not_seen_for_longer_than_it_may_be() {
        let pulse = Pulse::default();
        let part = |name, allowed| Part { name, allowed, vital: false };
        pulse.beat(part("quick", Duration::ZERO));
        std::thread::sleep(Duration::from_millis(2));
        pulse.beat(part("slow", Duration::from_secs(60)));
        let still = || pulse.still().iter().map(|s| s.part.name).collect::<Vec<_>>();
        assert_eq!(still(), ["quick"]);
        pulse.beat(part("quick", Duration::from_secs(60)));
        assert!(still().is_empty());
        pulse.beat(part("quick", Duration::ZERO));
        assert!(still().is_empty(), "the longer wait counts");
        pulse.fails("quick", "the disk is full");
        assert_eq!(pulse.failing(), ["quick fails: the disk is full"]);
        assert!(still().is_empty(), "it is alive");
        pulse.works("quick");
        assert!(pulse.failing().is_empty());
    }
}
