//! What was done to movies through the control interface, and their condition before.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;
use time::OffsetDateTime;

/// The condition of a movie after some changes; the default is that of an unchanged one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    /// Everything edited so far, laid over the body.
    pub(crate) patch: Option<Arc<Value>>,
    pub(crate) deleted: bool,
    /// Goes up with every change, and into the ETag.
    pub(crate) revision: u64,
}

impl Condition {
    /// True unless an edit has given the movie another IMDb id than this one.
    pub(crate) fn may_have_imdb(&self, imdb_id: &str) -> bool {
        self.patch
            .as_ref()
            .and_then(|patch| patch.get("imdb_id"))
            .is_none_or(|edited| edited == imdb_id)
    }
}

/// One change of a movie.
#[derive(Debug)]
pub(crate) struct Change {
    /// When, on the simulator's clock.
    pub(crate) at: OffsetDateTime,
    /// The keys that an edit named, with their values; empty where a movie was deleted or restored.
    pub(crate) keys: BTreeMap<String, Value>,
    /// The movie's condition from then on.
    pub(crate) condition: Condition,
}

/// All changes by movie, each movie's oldest first.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    changes: RwLock<BTreeMap<u64, Vec<Change>>>,
}

impl Edits {
    /// The condition of a movie now.
    pub(crate) fn current(&self, id: u64) -> Condition {
        self.all()
            .get(&id)
            .and_then(|changes| changes.last())
            .map(|change| change.condition.clone())
            .unwrap_or_default()
    }

    /// The condition of a movie at a time, and when it was first changed after that.
    pub(crate) fn at(&self, id: u64, time: OffsetDateTime) -> (Condition, Option<OffsetDateTime>) {
        let all = self.all();
        let changes = all.get(&id).map(Vec::as_slice).unwrap_or_default();
        let (before, after) = changes.split_at(changes.partition_point(|change| change.at <= time));
        let condition = before.last().map(|change| change.condition.clone()).unwrap_or_default();
        (condition, after.first().map(|change| change.at))
    }

    pub(crate) fn is_deleted(&self, id: u64) -> bool {
        self.all()
            .get(&id)
            .and_then(|changes| changes.last())
            .is_some_and(|change| change.condition.deleted)
    }

    /// The movies that were given this IMDb id.
    pub(crate) fn with_imdb(&self, imdb_id: &str) -> Vec<u64> {
        let given = |change: &Change| {
            change
                .condition
                .patch
                .as_ref()
                .is_some_and(|patch| patch.get("imdb_id").is_some_and(|id| id == imdb_id))
        };
        self.all()
            .iter()
            .filter(|(_, changes)| changes.last().is_some_and(given))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Everything that was done.
    pub(crate) fn all(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Vec<Change>>> {
        self.changes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays a patch over a movie: objects are merged, every other value replaces the one below,
    /// null included.
    pub(crate) fn edit(&self, id: u64, at: OffsetDateTime, patch: Value) {
        let keys =
            patch.as_object().map(|keys| keys.clone().into_iter().collect()).unwrap_or_default();
        self.add(id, at, keys, |condition| match &mut condition.patch {
            Some(below) => lay(Arc::make_mut(below), patch),
            None => condition.patch = Some(Arc::new(patch)),
        });
    }

    /// Deletes a movie or brings it back.
    pub(crate) fn set_deleted(&self, id: u64, at: OffsetDateTime, deleted: bool) {
        self.add(id, at, BTreeMap::new(), |condition| condition.deleted = deleted);
    }

    fn add(
        &self,
        id: u64,
        at: OffsetDateTime,
        keys: BTreeMap<String, Value>,
        change: impl FnOnce(&mut Condition),
    ) {
        let mut all = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        let changes = all.entry(id).or_default();
        let mut condition =
            changes.last().map(|change| change.condition.clone()).unwrap_or_default();
        change(&mut condition);
        condition.revision += 1;
        changes.push(Change { at, keys, condition });
    }
}

/// Lays a patch over a value.
pub(crate) fn lay(below: &mut Value, patch: Value) {
    match (below, patch) {
        (Value::Object(below), Value::Object(patch)) => {
            for (key, value) in patch {
                lay(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, patch) => *below = patch,
    }
}
