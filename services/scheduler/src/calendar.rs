//! From cron expression and time zone to nominal times. croner is the calendar; the daylight-saving rule is ours and its
//! default: what a gap swallows runs right after it, what an overlap repeats runs the first time.

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use time::OffsetDateTime;

use crate::SchedulerError;

/// A schedule that can be computed.
pub struct Calendar {
    cron: Cron,
    zone: Tz,
}

impl Calendar {
    /// Reads a cron expression of five to seven fields and an IANA zone.
    ///
    /// # Errors
    /// Names what cannot be read.
    pub fn parse(schedule: &str, zone: &str) -> Result<Self, SchedulerError> {
        let wrong =
            |e: croner::errors::CronError| SchedulerError::Schedule { schedule: schedule.to_owned(), reason: e.to_string() };
        let cron: Cron = schedule.parse().map_err(wrong)?;
        let zone: Tz = zone.parse().map_err(|_| SchedulerError::Zone(zone.to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first nominal time after an instant; `None`: there is none within croner's horizon.
    #[must_use]
    pub fn next_after(&self, instant: OffsetDateTime) -> Option<OffsetDateTime> {
        let at: DateTime<Tz> = self.zone.timestamp_opt(instant.unix_timestamp(), 0).single()?;
        let next = self.cron.find_next_occurrence(&at, false).ok()?;
        OffsetDateTime::from_unix_timestamp(next.with_timezone(&Utc).timestamp()).ok()
    }
}

/// The next `n` nominal times after an instant.
///
/// # Errors
/// When schedule or zone cannot be read.
pub fn next_times(schedule: &str, zone: &str, after: OffsetDateTime, n: usize) -> Result<Vec<OffsetDateTime>, SchedulerError> {
    let calendar = Calendar::parse(schedule, zone)?;
    Ok(std::iter::successors(calendar.next_after(after), |at| calendar.next_after(*at)).take(n).collect())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn check(schedule: &str, zone: &str, after: OffsetDateTime, expected: &[OffsetDateTime]) {
        assert_eq!(next_times(schedule, zone, after, expected.len()).unwrap(), expected, "{schedule} {zone}");
    }

    #[test]
    fn the_four_jobs_in_utc() {
        let monday = datetime!(2026-11-23 11:00:00 UTC);
        check("0 11 * * *", "UTC", monday, &[datetime!(2026-11-24 11:00 UTC), datetime!(2026-11-25 11:00 UTC)]);
        check("0 10 * * 0", "UTC", monday, &[datetime!(2026-11-29 10:00 UTC)]);
        check("30 11 * * *", "UTC", monday, &[datetime!(2026-11-23 11:30 UTC)]);
        check("*/10 * * * *", "UTC", monday, &[datetime!(2026-11-23 11:10 UTC), datetime!(2026-11-23 11:20 UTC)]);
    }

    #[test]
    fn three_in_los_angeles_stays_three_over_both_switches() {
        let zone = "America/Los_Angeles";
        check(
            "0 3 * * *",
            zone,
            datetime!(2026-03-07 12:00 UTC),
            &[datetime!(2026-03-08 10:00 UTC), datetime!(2026-03-09 10:00 UTC)],
        );
        check(
            "0 3 * * *",
            zone,
            datetime!(2026-10-31 12:00 UTC),
            &[datetime!(2026-11-01 11:00 UTC), datetime!(2026-11-02 11:00 UTC)],
        );
        check("30 2 * * *", zone, datetime!(2026-03-07 12:00 UTC), &[datetime!(2026-03-08 10:00 UTC)]);
        check(
            "30 1 * * *",
            zone,
            datetime!(2026-10-31 12:00 UTC),
            &[datetime!(2026-11-01 08:30 UTC), datetime!(2026-11-02 09:30 UTC)],
        );
    }

    #[test]
    fn nonsense_is_named() {
        assert!(Calendar::parse("often", "UTC").is_err());
        assert!(matches!(Calendar::parse("0 3 * * *", "Mars/Base"), Err(SchedulerError::Zone(_))));
    }
}
