//! From schedule and time zone to nominal times.
//!
//! A schedule is one or more expressions joined by `|`: cron with five to seven fields, a macro
//! (`@daily`), `every 10m` (`every 10m from 2026-01-01T00:05:00Z` gives its phase), or `at
//! 2026-12-24T18:00:00Z` once. croner is the calendar of wall-clock times; what daylight saving
//! makes of them is decided here, by the job's policies: a wall-clock time that a gap swallows runs
//! right after it (`run_after`), right before it (`run_before`) or not (`skip`); one that an
//! overlap repeats runs the `first` time, the `second` or `both`. A job of every hour (`*` as its
//! hour) keeps its pace: nothing is added after a gap, nothing is left out in an overlap.

mod daylight_saving;
mod error;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use daylight_saving::{DaylightSaving, Gap, Overlap};
pub use error::CalendarError;

/// Widest shift of any zone's clock: some zones left out or repeated a whole day.
const WIDEST_SHIFT_HOURS: i64 = 26;
/// Widest step back of a clock since 1970, and some more.
const WALK_BACK_HOURS: i64 = 3;
const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

enum Rule {
    Cron {
        cron: Box<Cron>,
        /// Its hour field is a wildcard: it counts elapsed time, not hours of the day.
        hourly: bool,
    },
    Every {
        step: Duration,
        phase: DateTime<Utc>,
    },
    At(DateTime<Utc>),
}

/// A schedule that can be computed.
pub struct Calendar {
    rules: Vec<Rule>,
    zone: Tz,
    daylight_saving: DaylightSaving,
}

impl Calendar {
    /// Reads a schedule and an IANA zone.
    ///
    /// # Errors
    /// Names what cannot be read.
    pub fn parse(
        schedule: &str,
        zone: &str,
        daylight_saving: DaylightSaving,
    ) -> Result<Self, CalendarError> {
        let zone: Tz = zone.parse().map_err(|_| CalendarError::Zone(zone.to_owned()))?;
        let rules = schedule
            .split('|')
            .map(|part| rule(part.trim(), schedule))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rules, zone, daylight_saving })
    }

    /// The first nominal time after an instant; `None`: there is none.
    #[must_use]
    pub fn next_after(&self, instant: OffsetDateTime) -> Option<OffsetDateTime> {
        let after = DateTime::<Utc>::from_timestamp(instant.unix_timestamp(), 0)?;
        let next = self.rules.iter().filter_map(|rule| self.next_of(rule, after)).min()?;
        OffsetDateTime::from_unix_timestamp(next.timestamp()).ok()
    }

    /// Whether one of its times lies within the minute of an instant.
    #[must_use]
    pub fn matches_minute_of(&self, instant: OffsetDateTime) -> bool {
        let minute = instant - time::Duration::seconds(instant.unix_timestamp().rem_euclid(60));
        self.next_after(minute - time::Duration::SECOND)
            .is_some_and(|at| at < minute + time::Duration::MINUTE)
    }

    fn next_of(&self, rule: &Rule, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match rule {
            Rule::At(at) => Some(*at).filter(|at| *at > after),
            Rule::Every { step, phase } => {
                let steps = (after - *phase).num_seconds().div_euclid(step.num_seconds());
                Some(*phase + *step * i32::try_from(steps + 1).ok()?)
            }
            Rule::Cron { cron, hourly } => self.next_of_cron(cron, *hourly, after),
        }
    }

    /// Walks the wall clock. The first instant of a wall-clock time never goes back as the wall
    /// clock goes on, so the walk ends as soon as that passes the best instant found.
    fn next_of_cron(
        &self,
        cron: &Cron,
        hourly: bool,
        after: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let mut wall = self.wall_before(after);
        let mut best: Option<DateTime<Utc>> = None;
        loop {
            let next = cron.find_next_occurrence(&wall.and_utc(), false).ok()?.naive_utc();
            let instants = self.instants(next, hourly);
            if let (Some(best), Some(first)) = (best, instants.first())
                && *first > best
            {
                return Some(best);
            }
            best = instants.into_iter().filter(|at| *at > after).chain(best).min();
            if best.is_some() && self.is_plain(next) {
                return best;
            }
            wall = next;
        }
    }

    /// Where the walk begins: at the instant's wall clock, or before it where the clock is set near
    /// it.
    fn wall_before(&self, after: DateTime<Utc>) -> NaiveDateTime {
        let wall = after.with_timezone(&self.zone).naive_local();
        if self.is_plain(wall) { wall } else { wall - Duration::hours(WALK_BACK_HOURS) }
    }

    /// No clock is set near this wall-clock time.
    fn is_plain(&self, wall: NaiveDateTime) -> bool {
        let offset = |hours: i64| {
            let at =
                Utc.from_utc_datetime(&(wall + Duration::hours(hours))).with_timezone(&self.zone);
            at.naive_local() - at.naive_utc()
        };
        offset(-WIDEST_SHIFT_HOURS) == offset(WIDEST_SHIFT_HOURS)
    }

    /// The instants of a wall-clock time, earliest first.
    fn instants(&self, wall: NaiveDateTime, hourly: bool) -> Vec<DateTime<Utc>> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => vec![at.to_utc()],
            LocalResult::Ambiguous(first, second) => match self.daylight_saving.overlap {
                _ if hourly => vec![first.to_utc(), second.to_utc()],
                Overlap::First => vec![first.to_utc()],
                Overlap::Second => vec![second.to_utc()],
                Overlap::Both => vec![first.to_utc(), second.to_utc()],
            },
            LocalResult::None => match self.daylight_saving.gap {
                _ if hourly => Vec::new(),
                Gap::Skip => Vec::new(),
                Gap::RunAfter => self.end_of_gap(wall).into_iter().collect(),
                Gap::RunBefore => self
                    .end_of_gap(wall)
                    .map(|end| end - Duration::seconds(1))
                    .into_iter()
                    .collect(),
            },
        }
    }

    /// The first instant after the gap that swallows this wall-clock time, to the second.
    fn end_of_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let behind = |at: DateTime<Utc>| at.with_timezone(&self.zone).naive_local() < wall;
        let (mut low, mut high) = (
            wall.and_utc() - Duration::hours(WIDEST_SHIFT_HOURS),
            wall.and_utc() + Duration::hours(WIDEST_SHIFT_HOURS),
        );
        if !behind(low) || behind(high) {
            return None;
        }
        while high - low > Duration::seconds(1) {
            let middle = low + (high - low) / 2;
            let middle = DateTime::from_timestamp(middle.timestamp(), 0)?;
            if middle <= low {
                break;
            }
            if behind(middle) { low = middle } else { high = middle }
        }
        Some(high)
    }
}

fn rule(text: &str, schedule: &str) -> Result<Rule, CalendarError> {
    let wrong = |reason: String| CalendarError::Schedule { schedule: schedule.to_owned(), reason };
    if let Some(at) = text.strip_prefix("at ") {
        return instant(at).map(Rule::At).map_err(wrong);
    }
    if let Some(every) = text.strip_prefix("every ") {
        let (step, phase) =
            every.split_once(" from ").map_or((every, None), |(step, from)| (step, Some(from)));
        let phase = phase.map_or(Ok(DateTime::UNIX_EPOCH), instant).map_err(wrong)?;
        return Ok(Rule::Every { step: span(step.trim()).map_err(wrong)?, phase });
    }
    let fields = MACROS.iter().find(|(name, _)| *name == text).map_or(text, |(_, fields)| fields);
    let cron: Cron = fields.parse().map_err(|e: croner::errors::CronError| {
        wrong(e.to_string().trim_end_matches('.').to_owned())
    })?;
    let mut words: Vec<&str> = fields.split_whitespace().collect();
    if words.len() > 5 {
        words.remove(0);
    }
    let hourly = words.get(1).is_some_and(|hour| hour.starts_with('*'));
    if cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, true).is_err() {
        return Err(wrong("no such day ever comes".to_owned()));
    }
    Ok(Rule::Cron { cron: Box::new(cron), hourly })
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let at = OffsetDateTime::parse(text.trim(), &Rfc3339)
        .map_err(|_| format!("'{text}' is not an instant like 2026-12-24T18:00:00Z"))?;
    DateTime::from_timestamp(at.unix_timestamp(), 0)
        .ok_or_else(|| format!("'{text}' is out of range"))
}

/// `90s`, `10m`, `2h`, `1d`; from a second to a year.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a span like 90s, 10m, 2h or 1d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let total =
        number.checked_mul(seconds).filter(|s| (1..=366 * 86_400).contains(s)).ok_or_else(wrong)?;
    Ok(Duration::seconds(total))
}

/// An instant as the wall clock of a zone shows it, with its offset.
///
/// # Errors
/// When there is no such zone.
pub fn local(at: OffsetDateTime, zone: &str) -> Result<String, CalendarError> {
    let zone: Tz = zone.parse().map_err(|_| CalendarError::Zone(zone.to_owned()))?;
    let at = DateTime::<Utc>::from_timestamp(at.unix_timestamp(), 0).unwrap_or_default();
    Ok(at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M:%S %Z").to_string())
}

/// What a person should know about a nominal time within a day of the clock being set.
///
/// # Errors
/// When there is no such zone.
pub fn clock_is_set_near(at: OffsetDateTime, zone: &str) -> Result<Option<String>, CalendarError> {
    let zone: Tz = zone.parse().map_err(|_| CalendarError::Zone(zone.to_owned()))?;
    let at = DateTime::<Utc>::from_timestamp(at.unix_timestamp(), 0).unwrap_or_default();
    let offset =
        |at: DateTime<Utc>| (at.with_timezone(&zone).naive_local() - at.naive_utc()).num_minutes();
    let (before, after) = (offset(at - Duration::hours(12)), offset(at + Duration::hours(12)));
    let words = match after - before {
        0 => return Ok(None),
        forward if forward > 0 => format!("clocks skip {forward} minutes on this day"),
        back => format!("clocks repeat {} minutes on this day", -back),
    };
    Ok(Some(words))
}

#[cfg(test)]
mod tests;
