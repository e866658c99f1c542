//! Conditions on runs: how they began, how they stand, how they ended, what they counted.

use super::Runs;
use crate::database::Rows;

impl Rows<'_, Runs> {
    /// Waits until one has succeeded.
    pub async fn succeeds(self) {
        self.succeeded().becomes(1).await;
    }

    /// Waiting for another run of their job to end.
    pub fn waiting(self) -> Self {
        self.and("status = 'waiting'")
    }

    /// Not begun or not over.
    pub fn open(self) -> Self {
        self.and("status in ('queued', 'running')")
    }

    /// Begun, not over.
    pub fn running(self) -> Self {
        self.and("status = 'running'")
    }

    /// Their tick is on its way.
    pub fn queued(self) -> Self {
        self.and("status = 'queued'")
    }

    /// Over, and all went well.
    pub fn succeeded(self) -> Self {
        self.and("status = 'succeeded'")
    }

    /// Never begun.
    pub fn skipped(self) -> Self {
        self.and("status = 'skipped'")
    }

    /// Over, and neither well nor skipped.
    pub fn gone_wrong(self) -> Self {
        self.and("ended_at is not null").and("status not in ('succeeded', 'skipped')")
    }

    /// That left out so many rows for adults.
    pub fn that_left_out_for_adults(self, rows: i64) -> Self {
        self.and(format!("payload ->> 'adult_left_out' = '{rows}'"))
    }

    /// Begun at least.
    pub fn not_skipped(self) -> Self {
        self.and("status <> 'skipped'")
    }

    /// Ended by somebody.
    pub fn cancelled(self) -> Self {
        self.and("status = 'cancelled'")
    }

    /// No message carried them any more.
    pub fn lost(self) -> Self {
        self.and("status = 'lost'")
    }

    /// Over.
    pub fn ended(self) -> Self {
        self.and("ended_at is not null")
    }

    /// Of the schedule: not begun by hand.
    pub fn not_by_hand(self) -> Self {
        self.and("trigger_type <> 'manual'")
    }

    /// Of nominal times in the past that somebody asked for.
    pub fn backfilled(self) -> Self {
        self.and("trigger_type = 'backfill'")
    }

    /// Of the schedule, and not skipped.
    pub fn fired(self) -> Self {
        self.and("trigger_type in ('scheduled', 'catch_up')").not_skipped()
    }

    /// For exactly this reason.
    pub fn because(self, reason: &str) -> Self {
        self.and(format!("reason = '{reason}'"))
    }

    /// For a reason that begins so; `%` stands for anything.
    pub fn because_like(self, reason: &str) -> Self {
        self.and(format!("reason like '{reason}%'"))
    }

    /// Before the first of these.
    pub fn before_the_first_of(self, others: &Rows<'_, Runs>) -> Self {
        let first = others.clone().number("min(scheduled_for)").select();
        self.and(format!("scheduled_for < ({first})"))
    }

    /// But not this one.
    pub fn but(self, run_id: &str) -> Self {
        self.and(format!("run_id <> '{run_id}'"))
    }

    /// At this attempt: 1 is the first.
    pub fn at_attempt(self, attempt: i32) -> Self {
        self.and(format!("attempts = {attempt}"))
    }

    /// Of nominal times that are whole minutes.
    pub fn of_whole_minutes(self) -> Self {
        self.and("scheduled_for = date_trunc('minute', scheduled_for)")
    }

    /// Begun later than so many seconds after their nominal times.
    pub fn later_than_secs(self, secs: f64) -> Self {
        self.and(format!("fired_at - scheduled_for > interval '{secs} seconds'"))
    }

    /// To which nothing has happened for so long.
    pub fn untouched_for_secs(self, secs: i32) -> Self {
        self.and(format!("touched_at < now() - interval '{secs} seconds'"))
    }

    /// With work left.
    pub fn with_pending(self) -> Self {
        self.and("pending > 0")
    }

    /// Without work left.
    pub fn without_pending(self) -> Self {
        self.and("pending = 0")
    }

    /// With something done.
    pub fn with_done(self) -> Self {
        self.and("done > 0")
    }

    /// With something failed.
    pub fn with_failed(self) -> Self {
        self.and("failed > 0")
    }

    /// With so much done exactly.
    pub fn having_done(self, items: i64) -> Self {
        self.and(format!("done = {items}"))
    }

    /// With so much done or skipped at least.
    pub fn having_done_or_skipped_at_least(self, items: i64) -> Self {
        self.and(format!("done + skipped >= {items}"))
    }

    /// That found nothing to do.
    pub fn that_found_nothing(self) -> Self {
        self.and("checked = 0").and("done = 0")
    }

    /// With so many items cancelled, from the one to the other number.
    pub fn with_cancelled(self, items: std::ops::RangeInclusive<i64>) -> Self {
        self.and(format!("cancelled between {} and {}", items.start(), items.end()))
    }

    /// Whose counts add up.
    pub fn that_add_up(self) -> Self {
        self.and("checked = skipped + done + failed + not_needed + cancelled + pending")
    }

    /// With something cancelled.
    pub fn with_some_cancelled(self) -> Self {
        self.and("cancelled > 0")
    }

    /// Whose counts add up, with nothing skipped and nothing left.
    pub fn that_add_up_without_skipped(self) -> Self {
        self.and("checked = done + failed + cancelled")
    }

    /// Whose counts are those of their items.
    pub fn that_count_their_items(self) -> Self {
        self.and(items_counted("cancelled")).and(items_counted("done"))
    }

    /// How much of their work is done.
    pub fn done(self) -> Self {
        self.number("sum(done)")
    }

    /// How much of their work is left.
    pub fn pending(self) -> Self {
        self.number("sum(pending)")
    }
}

fn items_counted(state: &str) -> String {
    format!(
        "{state} = (
           select count(*)
           from job_run_item i
           where i.run_id = job_run.run_id
             and i.state = '{state}')"
    )
}
