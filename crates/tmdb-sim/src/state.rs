//! What all connections share: the source of answers, settings that change while running, edits,
//! counters.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call_rate::LastSecond;
use crate::catalogue::Random;
use crate::edits::{Edits, lay};
use crate::faults::{Fault, Faults};
use crate::settings::Settings;
use crate::sim_clock::SimClock;
use crate::source::Source;
use crate::stats::Recorder;

/// Longest outage that ends by itself.
const MAX_OUTAGE: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A time in which every request meets the same fault.
#[derive(Debug, Clone, Copy)]
struct Outage {
    until: Instant,
    fault: Fault,
}

/// The state of a running simulator.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) source: Source,
    pub(crate) seed: u64,
    pub(crate) clock: SimClock,
    pub(crate) edits: Edits,
    pub(crate) recorder: Recorder,
    credential: RwLock<Option<String>>,
    settings: RwLock<Settings>,
    faults: RwLock<Faults>,
    outage: RwLock<Option<Outage>>,
    admitted: Mutex<LastSecond>,
    draws: AtomicU64,
    /// Where an answer was a stray since the faults were set.
    strayed: Mutex<BTreeSet<String>>,
}

impl State {
    /// The state at the start.
    pub(crate) fn new(source: Source, seed: u64, clock: SimClock, settings: Settings) -> Self {
        let recorder = Recorder::new(source.max_id());
        Self {
            source,
            seed,
            clock,
            edits: Edits::default(),
            recorder,
            credential: RwLock::default(),
            settings: RwLock::new(settings),
            faults: RwLock::default(),
            outage: RwLock::default(),
            admitted: Mutex::default(),
            draws: AtomicU64::new(0),
            strayed: Mutex::default(),
        }
    }

    /// True for a movie that was created and is not deleted.
    pub(crate) fn exists(&self, id: u64) -> bool {
        self.source.created(id) && !self.edits.is_deleted(id)
    }

    pub(crate) fn settings(&self) -> Settings {
        *read(&self.settings)
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut write(&self.settings));
    }

    /// The only credential that is accepted; without one any non-empty one is.
    pub(crate) fn credential(&self) -> RwLockReadGuard<'_, Option<String>> {
        read(&self.credential)
    }

    pub(crate) fn set_credential(&self, credential: Option<String>) {
        *write(&self.credential) = credential;
    }

    pub(crate) fn faults(&self) -> Faults {
        *read(&self.faults)
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *write(&self.faults) = faults;
        self.strayed().clear();
    }

    /// The fault of every request at present, where there is an outage.
    pub(crate) fn outage(&self) -> Option<Fault> {
        let outage = *read(&self.outage);
        outage.filter(|outage| Instant::now() < outage.until).map(|outage| outage.fault)
    }

    /// Lets every request meet a fault for some time of the machine's clock.
    pub(crate) fn set_outage(&self, window: Duration, fault: Fault) {
        let until = Instant::now() + window.min(MAX_OUTAGE);
        *write(&self.outage) = Some(Outage { until, fault });
    }

    /// Deletes a movie as a duplicate of another, which takes over its IMDb id.
    pub(crate) fn merge(&self, id: u64, into: u64) {
        let at = self.clock.now();
        let edited = self
            .edits
            .current(id)
            .patch
            .as_ref()
            .and_then(|patch| patch.get("imdb_id"))
            .map(|edited| edited.as_str().map(str::to_owned));
        let imdb_id =
            edited.unwrap_or_else(|| self.source.imdb_id(id)).filter(|imdb_id| !imdb_id.is_empty());
        self.edits.set_deleted(id, at, true);
        if let Some(imdb_id) = imdb_id {
            self.edits.edit(
                into,
                at,
                json!({"imdb_id": imdb_id, "external_ids": {"imdb_id": imdb_id}}),
            );
        }
    }

    /// A movie's list row with what was edited.
    pub(crate) fn edited_row(&self, id: u64, row: &mut Value) {
        if let (Some(patch), Value::Object(row)) = (self.edits.current(id).patch, row) {
            for (key, value) in patch.as_object().into_iter().flatten() {
                if let Some(below) = row.get_mut(key) {
                    lay(below, value.clone());
                }
            }
        }
    }

    /// The next random numbers, different for every request.
    pub(crate) fn draw(&self) -> Random {
        Random::new(self.seed, self.draws.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a stray may be the answer at this path: once, until the faults are set again.
    pub(crate) fn may_stray(&self, path: &str) -> bool {
        self.strayed().insert(path.to_owned())
    }

    fn strayed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.strayed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request against the limit; false where it must be refused.
    pub(crate) fn admit(&self, limit: u32) -> bool {
        if limit == 0 {
            return true;
        }
        let now = Instant::now();
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let free = admitted.len(now) < u64::from(limit);
        if free {
            admitted.push(now);
        }
        free
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
