//! What becomes of a job whose time has come: pure, from its row and its calendar.

use calendar::{Calendar, CalendarError, DaylightSaving};
use proto::TriggerType;
use sha2::{Digest, Sha256};
use store::{DueJob, NextTime, Nominal, NominalFate};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Rows that one claim writes at most; the rest follows in the next sweep.
const ROWS_MAX: usize = 1_000;
/// A run that begins later than this after its nominal time is one that catches up.
const LATE: time::Duration = time::Duration::seconds(30);

/// What becomes of a job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing has come yet: it waits for its next time.
    Wait(NextTime),
    /// These nominal times have come, in their order: each fires or is skipped with a reason.
    Claim { times: Vec<Nominal>, next: NextTime },
}

/// When a job fires, and when it does not.
pub(crate) struct Calendars {
    schedule: Calendar,
    exclusions: Option<Calendar>,
}

impl Calendars {
    /// Reads a job's schedule and exclusions.
    pub(crate) fn of(job: &DueJob) -> Result<Self, CalendarError> {
        let daylight_saving = DaylightSaving { gap: job.dst_gap, overlap: job.dst_overlap };
        let read = |schedule: &str| Calendar::parse(schedule, &job.timezone, daylight_saving);
        Ok(Self {
            schedule: read(&job.schedule)?,
            exclusions: job.exclusions.as_deref().map(read).transpose()?,
        })
    }

    fn next_after(&self, job: &DueJob, at: OffsetDateTime) -> Option<OffsetDateTime> {
        self.schedule.next_after(at).filter(|at| job.ends_at.is_none_or(|end| *at <= end))
    }

    fn excludes(&self, at: OffsetDateTime) -> bool {
        self.exclusions.as_ref().is_some_and(|e| e.matches_minute_of(at))
    }
}

/// Decides about every nominal time that has come, and which one is next.
pub(crate) fn decide(job: &DueJob, calendars: &Calendars) -> Decision {
    let next = |at: Option<OffsetDateTime>| NextTime {
        at,
        jitter_secs: at.map_or(0, |at| jitter(job, at)),
    };
    let Some(first) = job.next_at else {
        let from =
            job.starts_at.map_or(job.now, |start| job.now.max(start - time::Duration::SECOND));
        let at = calendars.next_after(job, from).filter(|_| job.runs_left != Some(0));
        return Decision::Wait(next(at));
    };
    let has_come =
        |at: &OffsetDateTime| *at + time::Duration::seconds(jitter(job, *at).into()) <= job.now;
    // The first is due: the database said so.
    let after = |at: &OffsetDateTime| calendars.next_after(job, *at);
    let rest = std::iter::successors(after(&first), after).take_while(has_come).take(ROWS_MAX);
    let times: Vec<OffsetDateTime> = std::iter::once(first).chain(rest).collect();
    let nominal = fates(job, &|at| calendars.excludes(at), &times);
    let runs = nominal.iter().filter(|n| matches!(n.fate, NominalFate::Runs(..))).count();
    let used_up = job.runs_left.is_some_and(|left| left <= i64::try_from(runs).unwrap_or(i64::MAX));
    let last = times.last().copied().unwrap_or(first);
    let at = if used_up { None } else { calendars.next_after(job, last) };
    Decision::Claim { times: nominal, next: next(at) }
}

/// What becomes of the nominal times that have come. Those on time run. Of those that were missed
/// the latest within the catch-up window run, as many as the job says; with one, it stands for all
/// of them.
fn fates(
    job: &DueJob,
    excluded: &impl Fn(OffsetDateTime) -> bool,
    times: &[OffsetDateTime],
) -> Vec<Nominal> {
    let oldest = job.now - time::Duration::seconds(job.catch_up_secs.into()).max(LATE);
    let late = |at: OffsetDateTime| job.now - at > LATE;
    let mut fates: Vec<Option<String>> =
        times.iter().map(|at| refusal(job, excluded, *at, oldest)).collect();
    let open = |fates: &[Option<String>], wanted_late: bool| -> Vec<usize> {
        let open = times
            .iter()
            .zip(fates)
            .enumerate()
            .filter(|(_, (at, fate))| fate.is_none() && late(**at) == wanted_late);
        open.map(|(n, _)| n).collect()
    };
    let missed = open(&fates, true);
    let on_time = open(&fates, false);
    // With a single one to stand for all, one that is on time does it as well.
    let cap = usize::try_from(job.catch_up_max).unwrap_or(1);
    let made_up = if cap == 1 && !on_time.is_empty() { 0 } else { cap.min(missed.len()) };
    let (left_out, _) = missed.split_at(missed.len() - made_up);
    let stands = missed.get(left_out.len()).or(on_time.first()).copied();
    for n in left_out {
        let words = match stands.and_then(|n| times.get(n)) {
            Some(stands) if cap == 1 => format!("coalesced into {}", rfc3339(stands)),
            Some(_) | None => format!("cap: at most {cap} missed times are made up for"),
        };
        fates.iter_mut().skip(*n).take(1).for_each(|fate| *fate = Some(words.clone()));
    }
    let mut left = job.runs_left.unwrap_or(i64::MAX);
    let mut nominal = Vec::with_capacity(times.len());
    for (n, (at, fate)) in times.iter().zip(fates).enumerate() {
        let fate = match fate {
            Some(reason) => NominalFate::Skipped(reason),
            None if left == 0 => NominalFate::Skipped("ended: its runs are used up".to_owned()),
            None => {
                left -= 1;
                let stands_for = (cap == 1 && Some(n) == stands && !left_out.is_empty())
                    .then(|| format!("stands for {} nominal times", left_out.len() + 1));
                NominalFate::Runs(
                    if late(*at) { TriggerType::CatchUp } else { TriggerType::Scheduled },
                    stands_for,
                )
            }
        };
        nominal.push(Nominal { at: *at, fate });
    }
    nominal
}

/// Why a nominal time does not run, whatever the others do.
fn refusal(
    job: &DueJob,
    excluded: &impl Fn(OffsetDateTime) -> bool,
    at: OffsetDateTime,
    oldest: OffsetDateTime,
) -> Option<String> {
    if let Some(why) = &job.hold {
        return Some(format!("all jobs are held: {why}"));
    }
    if !job.enabled && job.paused_until.is_none_or(|until| at < until) {
        return Some(format!("paused: {}", job.note.as_deref().unwrap_or("no note")));
    }
    if excluded(at) {
        return Some(format!("excluded by '{}'", job.exclusions.as_deref().unwrap_or_default()));
    }
    (at < oldest).then(|| format!("outside the catch-up window of {} s", job.catch_up_secs))
}

/// As people and the payloads write instants.
fn rfc3339(at: &OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// The same nominal time always fires equally late.
fn jitter(job: &DueJob, at: OffsetDateTime) -> i32 {
    let digest = Sha256::digest(format!("{}@{}", job.name, at.unix_timestamp()));
    let number = digest.iter().take(4).fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    let span = u32::try_from(job.jitter_secs).unwrap_or(0) + 1;
    i32::try_from(number % span).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 11:00:10 UTC);

    fn job() -> DueJob {
        DueJob {
            name: "job".parse().unwrap(),
            schedule: "* * * * *".to_owned(),
            timezone: "UTC".to_owned(),
            dst_gap: calendar::Gap::RunAfter,
            dst_overlap: calendar::Overlap::First,
            next_at: None,
            catch_up_secs: 3_600,
            catch_up_max: 1,
            exclusions: None,
            jitter_secs: 0,
            runs_left: None,
            starts_at: None,
            ends_at: None,
            enabled: true,
            paused_until: None,
            hold: None,
            note: None,
            revision: 1,
            now: NOW,
        }
    }

    /// The fates of 10:56 to 11:00, as one word each.
    fn fates(job: &DueJob) -> Vec<String> {
        let times: Vec<_> = (56..60)
            .map(|m| datetime!(2026-11-24 10:00 UTC) + time::Duration::minutes(m))
            .collect();
        let times: Vec<_> = times.into_iter().chain([datetime!(2026-11-24 11:00 UTC)]).collect();
        let word = |n: Nominal| match n.fate {
            NominalFate::Skipped(reason) => reason.split([' ', ':']).next().unwrap().to_owned(),
            NominalFate::Runs(trigger, note) => {
                format!("{}{}", trigger.as_str(), note.map(|n| format!(" {n}")).unwrap_or_default())
            }
        };
        super::fates(job, &|at| at.minute() == 57 && job.exclusions.is_some(), &times)
            .into_iter()
            .map(word)
            .collect()
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_the_policy_says() {
        let all = |first: &str, last: &str| {
            [first, first, first, first, last].map(ToOwned::to_owned).to_vec()
        };
        let (paused, held) = (
            || DueJob { enabled: false, ..job() },
            || DueJob { hold: Some(String::new()), ..job() },
        );
        for (what, job, expected) in [
            (
                "one on time stands for all",
                job(),
                all("coalesced", "scheduled stands for 5 nominal times"),
            ),
            ("no catch-up", DueJob { catch_up_secs: 0, ..job() }, all("outside", "scheduled")),
            ("each of them", DueJob { catch_up_max: 10, ..job() }, all("catch_up", "scheduled")),
            ("paused", paused(), all("paused", "paused")),
            ("held", held(), all("all", "all")),
            (
                "used up",
                DueJob { catch_up_max: 10, runs_left: Some(0), ..job() },
                all("ended", "ended"),
            ),
        ] {
            assert_eq!(fates(&job), expected, "{what}");
        }
        let some = |words: [&str; 5]| words.map(ToOwned::to_owned).to_vec();
        let two = DueJob { catch_up_max: 2, ..job() };
        assert_eq!(fates(&two), some(["cap", "cap", "catch_up", "catch_up", "scheduled"]));
        let window = DueJob { catch_up_secs: 150, catch_up_max: 5, ..job() };
        assert_eq!(
            fates(&window),
            some(["outside", "outside", "catch_up", "catch_up", "scheduled"])
        );
        let excluded =
            DueJob { exclusions: Some("57 * * * *".to_owned()), catch_up_max: 5, ..job() };
        assert_eq!(
            fates(&excluded),
            some(["catch_up", "excluded", "catch_up", "catch_up", "scheduled"])
        );
        let limited = DueJob { runs_left: Some(2), catch_up_max: 5, ..job() };
        assert_eq!(fates(&limited), some(["catch_up", "catch_up", "ended", "ended", "ended"]));
        let until = DueJob {
            paused_until: Some(datetime!(2026-11-24 10:58 UTC)),
            catch_up_max: 5,
            ..paused()
        };
        assert_eq!(fates(&until), some(["paused", "paused", "catch_up", "catch_up", "scheduled"]));
        // Nothing on time: the latest of the missed ones stands for the rest.
        let late = DueJob { now: NOW + time::Duration::minutes(1), ..job() };
        assert_eq!(fates(&late), all("coalesced", "catch_up stands for 5 nominal times"));
    }

    #[test]
    fn jitter_is_always_the_same_for_the_same_time_and_within_its_span() {
        let late = DueJob { jitter_secs: 60, ..job() };
        let offsets: Vec<i32> =
            (0..500).map(|m| jitter(&late, NOW + time::Duration::minutes(m))).collect();
        assert_eq!(
            offsets,
            (0..500).map(|m| jitter(&late, NOW + time::Duration::minutes(m))).collect::<Vec<_>>()
        );
        assert!(offsets.iter().all(|s| (0..=60).contains(s)));
        let (low, high) = (
            offsets.iter().filter(|s| **s < 20).count(),
            offsets.iter().filter(|s| **s > 40).count(),
        );
        assert!(low > 100 && high > 100, "{low} {high}");
        assert_eq!(jitter(&job(), NOW), 0);
    }

    #[test]
    fn a_job_waits_fires_or_ends() {
        let at = |m| datetime!(2026-11-24 10:00 UTC) + time::Duration::minutes(m);
        let next = |at| NextTime { at, jitter_secs: 0 };
        let decided = |job: &DueJob| decide(job, &Calendars::of(job).unwrap());
        // Edited: its next time has to be computed, and nothing fires.
        assert_eq!(decided(&job()), Decision::Wait(next(Some(at(61)))));
        let starts = DueJob { starts_at: Some(at(90)), ..job() };
        assert_eq!(decided(&starts), Decision::Wait(next(Some(at(90)))));
        let ended = DueJob { ends_at: Some(at(60)), ..job() };
        assert_eq!(decided(&ended), Decision::Wait(next(None)));
        let used_up = DueJob { runs_left: Some(0), ..job() };
        assert_eq!(decided(&used_up), Decision::Wait(next(None)));
        // On time: it fires, and waits for the next minute; the last run is followed by none.
        let scheduled =
            Nominal { at: at(60), fate: NominalFate::Runs(TriggerType::Scheduled, None) };
        let due = DueJob { next_at: Some(at(60)), ..job() };
        assert_eq!(
            decided(&due),
            Decision::Claim { times: vec![scheduled.clone()], next: next(Some(at(61))) }
        );
        let last = DueJob { runs_left: Some(1), ..due.clone() };
        assert_eq!(decided(&last), Decision::Claim { times: vec![scheduled], next: next(None) });
        let paused = DueJob { enabled: false, note: Some("tired".to_owned()), ..due };
        let skipped =
            Nominal { at: at(60), fate: NominalFate::Skipped("paused: tired".to_owned()) };
        assert_eq!(
            decided(&paused),
            Decision::Claim { times: vec![skipped], next: next(Some(at(61))) }
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            DueJob { schedule: "61 * * * *".to_owned(), ..job() },
            DueJob { timezone: "Mars/Base".to_owned(), ..job() },
            DueJob { exclusions: Some("never".to_owned()), ..job() },
        ] {
            assert!(Calendars::of(&wrong).is_err(), "{wrong:?}");
        }
    }
}
