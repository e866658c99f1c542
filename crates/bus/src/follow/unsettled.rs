//! What was handed out and is not settled, and where a consumer begins that has to be made. Pure.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_nats::jetstream::consumer::DeliverPolicy;
use time::OffsetDateTime;

/// What was handed out of a stream, and from where it has to come again when the consumer is lost.
#[derive(Default)]
pub(super) struct Unsettled {
    /// When it was stored, and its sequence.
    events: BTreeSet<(OffsetDateTime, u64)>,
    /// Everything before was settled, or is not for this consumer. `None`: nothing was.
    settled_to: Option<OffsetDateTime>,
}

impl Unsettled {
    /// Of a consumer that was made so: what it passed over is settled.
    pub(super) fn of(policy: DeliverPolicy, made_at: OffsetDateTime) -> Self {
        Self { settled_to: passed_over(policy, made_at), ..Self::default() }
    }

    pub(super) fn handed_out(&mut self, stored_at: OffsetDateTime, sequence: u64) {
        self.events.insert((stored_at, sequence));
    }

    pub(super) fn settled(&mut self, stored_at: OffsetDateTime, sequence: u64) {
        self.events.remove(&(stored_at, sequence));
        self.settled_to = self.settled_to.max(Some(stored_at));
    }

    /// The oldest event that is not settled was stored then, or the last one when all are.
    pub(super) fn since(&self) -> Option<OffsetDateTime> {
        self.events.first().map(|(stored_at, _)| *stored_at).or(self.settled_to)
    }
}

/// Where a consumer begins that has to be made. `seen` is when the stream was created as it was
/// seen last, `created` when it was created now.
pub(super) fn begin(
    from_oldest: bool,
    seen: Option<OffsetDateTime>,
    created: OffsetDateTime,
    since: Option<OffsetDateTime>,
) -> DeliverPolicy {
    match (seen, since) {
        (None, _) if from_oldest => DeliverPolicy::All,
        (None, _) => DeliverPolicy::New,
        (Some(seen), Some(start_time)) if seen == created => {
            DeliverPolicy::ByStartTime { start_time }
        }
        // All that a recreated stream holds was published again, or is new.
        (Some(_), _) => DeliverPolicy::All,
    }
}

/// What a consumer that was made so has behind it before it delivers anything.
fn passed_over(policy: DeliverPolicy, made_at: OffsetDateTime) -> Option<OffsetDateTime> {
    match policy {
        DeliverPolicy::New => Some(made_at),
        DeliverPolicy::ByStartTime { start_time } => Some(start_time),
        DeliverPolicy::All
        | DeliverPolicy::Last
        | DeliverPolicy::ByStartSequence { .. }
        | DeliverPolicy::LastPerSubject => None,
    }
}

pub(super) fn lock(unsettled: &Mutex<Unsettled>) -> MutexGuard<'_, Unsettled> {
    unsettled.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(second).unwrap()
    }

    #[test]
    fn the_oldest_event_that_is_not_settled_is_remembered() {
        let mut unsettled = Unsettled::default();
        assert_eq!(unsettled.since(), None);
        for second in [1, 2, 3] {
            unsettled.handed_out(at(second), second.unsigned_abs());
        }
        for (settled, since) in [(2, 1), (1, 3), (3, 3)] {
            unsettled.settled(at(settled), settled.unsigned_abs());
            assert_eq!(unsettled.since(), Some(at(since)), "after {settled}");
        }
        // It is older than what was settled, and comes again all the same.
        unsettled.handed_out(at(2), 2);
        assert_eq!(unsettled.since(), Some(at(2)));
    }

    #[test]
    fn a_lost_consumer_begins_where_it_was() {
        let by_time = |second| DeliverPolicy::ByStartTime { start_time: at(second) };
        for (from_oldest, seen, since, expected) in [
            (false, None, None, DeliverPolicy::New),
            (true, None, None, DeliverPolicy::All),
            (false, Some(10), Some(20), by_time(20)),
            (true, Some(10), Some(20), by_time(20)),
            (true, Some(10), None, DeliverPolicy::All),
            (false, Some(10), None, DeliverPolicy::All),
            // The stream was recreated: nothing in it was seen before.
            (false, Some(9), Some(20), DeliverPolicy::All),
        ] {
            let begun = begin(from_oldest, seen.map(at), at(10), since.map(at));
            assert_eq!(begun, expected, "{from_oldest} {seen:?} {since:?}");
        }
    }

    #[test]
    fn a_new_consumer_has_older_events_behind_it() {
        for (policy, expected) in [
            (DeliverPolicy::New, Some(at(7))),
            (DeliverPolicy::ByStartTime { start_time: at(3) }, Some(at(3))),
            (DeliverPolicy::All, None),
        ] {
            assert_eq!(passed_over(policy, at(7)), expected, "{policy:?}");
        }
    }
}
