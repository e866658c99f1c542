//! What all connections share: the source of answers, settings that change while running, edits, counters.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::catalogue::{Catalogue, Random};
use crate::faults::Faults;
use crate::recorded::Recorded;
use crate::render::Renderer;
use crate::stats::Recorder;

/// Where answers come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// An invented catalogue.
    Generated(Catalogue, Box<Renderer>),
    /// Recorded answers.
    Recorded(Recorded),
}

/// Settings that may change while running.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Mean added latency.
    pub(crate) latency_ms: f64,
    /// Requests a second, 0 for no limit.
    pub(crate) rate_limit: u32,
    /// Whether 429 carries `Retry-After`.
    pub(crate) retry_after: bool,
}

/// What was done to one movie through the control interface.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    /// Laid over the body.
    pub(crate) patch: Option<Value>,
    pub(crate) deleted: bool,
    /// Goes up with every change, and into the ETag.
    pub(crate) revision: u64,
    /// When what was changed: the keys of an edit, empty for a deletion or its undoing.
    pub(crate) history: Vec<(OffsetDateTime, BTreeMap<String, Value>)>,
}

/// The state of a running simulator.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) source: Source,
    pub(crate) seed: u64,
    pub(crate) credential: Option<String>,
    pub(crate) recorder: Recorder,
    settings: RwLock<Settings>,
    faults: RwLock<Faults>,
    overlays: RwLock<BTreeMap<u64, Overlay>>,
    recent: Mutex<VecDeque<Instant>>,
    draws: AtomicU64,
}

impl State {
    /// The state at the start.
    pub(crate) fn new(source: Source, seed: u64, credential: Option<String>, settings: Settings) -> Self {
        let max_id = match &source {
            Source::Generated(catalogue, _) => catalogue.max_id(),
            Source::Recorded(recorded) => recorded.max_id(),
        };
        Self {
            source,
            seed,
            credential,
            recorder: Recorder::new(max_id),
            settings: RwLock::new(settings),
            faults: RwLock::default(),
            overlays: RwLock::default(),
            recent: Mutex::default(),
            draws: AtomicU64::new(0),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        *read(&self.settings)
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut write(&self.settings));
    }

    pub(crate) fn faults(&self) -> Faults {
        *read(&self.faults)
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *write(&self.faults) = faults;
    }

    /// What was done to this movie, if anything.
    pub(crate) fn overlay(&self, id: u64) -> Option<Overlay> {
        read(&self.overlays).get(&id).cloned()
    }

    pub(crate) fn is_deleted(&self, id: u64) -> bool {
        read(&self.overlays).get(&id).is_some_and(|overlay| overlay.deleted)
    }

    /// Looks at everything that was done.
    pub(crate) fn overlays(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Overlay>> {
        read(&self.overlays)
    }

    /// Lays a patch over a movie: objects are merged, every other value replaces the one below, null included.
    pub(crate) fn edit(&self, id: u64, patch: Value) {
        self.touch(id, |overlay| {
            let keys = patch.as_object().map(|keys| keys.clone().into_iter().collect()).unwrap_or_default();
            match &mut overlay.patch {
                Some(below) => merge(below, patch),
                None => overlay.patch = Some(patch),
            }
            keys
        });
    }

    /// Deletes a movie or brings it back.
    pub(crate) fn set_deleted(&self, id: u64, deleted: bool) {
        self.touch(id, |overlay| {
            overlay.deleted = deleted;
            BTreeMap::new()
        });
    }

    fn touch(&self, id: u64, change: impl FnOnce(&mut Overlay) -> BTreeMap<String, Value>) {
        let mut overlays = write(&self.overlays);
        let overlay = overlays.entry(id).or_default();
        let keys = change(overlay);
        overlay.revision += 1;
        overlay.history.push((now(), keys));
    }

    /// The next random numbers, different for every request.
    pub(crate) fn draw(&self) -> Random {
        Random::new(self.seed, self.draws.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts a request against the limit; false where it must be refused.
    pub(crate) fn admit(&self, limit: u32) -> bool {
        if limit == 0 {
            return true;
        }
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        let free = recent.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        if free {
            recent.push_back(now);
        }
        free
    }
}

/// Lays a patch over a value.
pub(crate) fn merge(below: &mut Value, patch: Value) {
    match (below, patch) {
        (Value::Object(below), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, patch) => *below = patch,
    }
}

/// The machine's time.
pub(crate) fn now() -> OffsetDateTime {
    std::time::SystemTime::now().into()
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
