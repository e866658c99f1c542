//! Tables of expected times on switch days, and a slow, obvious second implementation.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Nominal times of a schedule within a span, as UTC.
fn check(
    schedule: &str,
    zone: &str,
    policies: DaylightSaving,
    span: (&str, &str),
    expected: &[&str],
) {
    let at = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    let calendar = Calendar::parse(schedule, zone, policies).unwrap();
    let first = calendar.next_after(at(span.0) - time::Duration::SECOND);
    let found: Vec<String> = std::iter::successors(first, |t| calendar.next_after(*t))
        .take_while(|t| *t < at(span.1))
        .map(|t| t.format(&Rfc3339).unwrap())
        .collect();
    assert_eq!(found, expected, "{schedule} {zone} {policies:?}");
}

const DEFAULT: DaylightSaving = DaylightSaving { gap: Gap::RunAfter, overlap: Overlap::First };

fn saving(gap: Gap, overlap: Overlap) -> DaylightSaving {
    DaylightSaving { gap, overlap }
}

#[test]
fn the_four_jobs_in_utc() {
    let day = ("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z");
    check("0 11 * * *", "UTC", DEFAULT, day, &["2026-11-29T11:00:00Z"]);
    check("0 10 * * 0", "UTC", DEFAULT, day, &["2026-11-29T10:00:00Z"]);
    check("30 11 * * *", "UTC", DEFAULT, day, &["2026-11-29T11:30:00Z"]);
    check(
        "*/10 * * * *",
        "UTC",
        DEFAULT,
        ("2026-11-29T00:00:00Z", "2026-11-29T00:30:00Z"),
        &["2026-11-29T00:00:00Z", "2026-11-29T00:10:00Z", "2026-11-29T00:20:00Z"],
    );
}

#[test]
fn gaps_by_policy() {
    // Los Angeles leaves out 02:00 to 03:00 on 8 March 2026 (10:00 UTC), Berlin on 29 March (01:00
    // UTC), Lord Howe 02:00 to 02:30 on 4 October (15:30 UTC on the 3rd).
    let angeles = ("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z");
    check(
        "30 2 * * *",
        "America/Los_Angeles",
        saving(Gap::RunAfter, Overlap::First),
        angeles,
        &["2026-03-08T10:00:00Z"],
    );
    check(
        "30 2 * * *",
        "America/Los_Angeles",
        saving(Gap::RunBefore, Overlap::First),
        angeles,
        &["2026-03-08T09:59:59Z"],
    );
    check("30 2 * * *", "America/Los_Angeles", saving(Gap::Skip, Overlap::First), angeles, &[]);
    check("0 3 * * *", "America/Los_Angeles", DEFAULT, angeles, &["2026-03-08T10:00:00Z"]);
    check(
        "30 * * * *",
        "America/Los_Angeles",
        DEFAULT,
        ("2026-03-08T09:00:00Z", "2026-03-08T12:00:00Z"),
        &["2026-03-08T09:30:00Z", "2026-03-08T10:30:00Z", "2026-03-08T11:30:00Z"],
    );
    let berlin = ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
    check("15,45 2 * * *", "Europe/Berlin", DEFAULT, berlin, &["2026-03-29T01:00:00Z"]);
    check("15,45 2 * * *", "Europe/Berlin", saving(Gap::Skip, Overlap::First), berlin, &[]);
    let howe = ("2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z");
    check("15 2 * * *", "Australia/Lord_Howe", DEFAULT, howe, &["2026-10-03T15:30:00Z"]);
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        saving(Gap::RunBefore, Overlap::First),
        howe,
        &["2026-10-03T15:29:59Z"],
    );
    // Samoa left out the whole of 30 December 2011.
    check(
        "0 12 * * *",
        "Pacific/Apia",
        saving(Gap::Skip, Overlap::First),
        ("2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z"),
        &["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"],
    );
    check(
        "0 12 30 12 *",
        "Pacific/Apia",
        DEFAULT,
        ("2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z"),
        &["2011-12-30T10:00:00Z"],
    );
}

#[test]
fn overlaps_by_policy() {
    // Los Angeles repeats 01:00 to 02:00 on 1 November 2026 (08:00 to 10:00 UTC), Berlin 02:00 to
    // 03:00 on 25 October, Lord Howe 01:30 to 02:00 on 5 April.
    let angeles = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
    for (overlap, expected) in [
        (Overlap::First, &["2026-11-01T08:30:00Z"][..]),
        (Overlap::Second, &["2026-11-01T09:30:00Z"]),
        (Overlap::Both, &["2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z"]),
    ] {
        check(
            "30 1 * * *",
            "America/Los_Angeles",
            saving(Gap::RunAfter, overlap),
            angeles,
            expected,
        );
    }
    check(
        "0,30 1 * * *",
        "America/Los_Angeles",
        saving(Gap::RunAfter, Overlap::Both),
        angeles,
        &[
            "2026-11-01T08:00:00Z",
            "2026-11-01T08:30:00Z",
            "2026-11-01T09:00:00Z",
            "2026-11-01T09:30:00Z",
        ],
    );
    check(
        "30 * * * *",
        "America/Los_Angeles",
        DEFAULT,
        ("2026-11-01T08:00:00Z", "2026-11-01T11:00:00Z"),
        &["2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z", "2026-11-01T10:30:00Z"],
    );
    check("0 3 * * *", "America/Los_Angeles", DEFAULT, angeles, &["2026-11-01T11:00:00Z"]);
    let berlin = ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
    check(
        "30 2 * * *",
        "Europe/Berlin",
        saving(Gap::RunAfter, Overlap::Second),
        berlin,
        &["2026-10-25T01:30:00Z"],
    );
    let howe = ("2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z");
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        saving(Gap::RunAfter, Overlap::Both),
        howe,
        &["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"],
    );
}

#[test]
fn zones_that_change_their_rules() {
    // Moscow: +04 all year until 26 October 2014, +03 since. Kazakhstan: one zone of +05 since 1
    // March 2024.
    check(
        "0 12 * * *",
        "Europe/Moscow",
        DEFAULT,
        ("2014-10-25T00:00:00Z", "2014-10-28T00:00:00Z"),
        &["2014-10-25T08:00:00Z", "2014-10-26T09:00:00Z", "2014-10-27T09:00:00Z"],
    );
    check(
        "0 12 * * *",
        "Asia/Almaty",
        DEFAULT,
        ("2024-02-29T00:00:00Z", "2024-03-02T00:00:00Z"),
        &["2024-02-29T06:00:00Z", "2024-03-01T07:00:00Z"],
    );
}

#[test]
fn spans_instants_and_macros() {
    check(
        "every 90m from 2026-01-01T00:05:00Z",
        "UTC",
        DEFAULT,
        ("2026-01-01T03:00:00Z", "2026-01-01T06:10:00Z"),
        &["2026-01-01T03:05:00Z", "2026-01-01T04:35:00Z", "2026-01-01T06:05:00Z"],
    );
    check(
        "at 2026-12-24T18:00:00Z",
        "UTC",
        DEFAULT,
        ("2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z"),
        &["2026-12-24T18:00:00Z"],
    );
    check(
        "@weekly",
        "UTC",
        DEFAULT,
        ("2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"),
        &["2026-11-29T00:00:00Z"],
    );
    check(
        "0 9 * * 1 | 0 17 * * 5",
        "UTC",
        DEFAULT,
        ("2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
        &["2026-11-23T09:00:00Z", "2026-11-27T17:00:00Z"],
    );
}

#[test]
fn nonsense_is_named() {
    let wrong = |schedule: &str, zone: &str| {
        Calendar::parse(schedule, zone, DEFAULT).err().unwrap().to_string()
    };
    assert!(wrong("often", "UTC").contains("often"));
    assert!(wrong("0 3 * * *", "Mars/Base").contains("IANA"));
    assert!(wrong("0 0 31 2 *", "UTC").contains("'0 0 31 2 *'"));
    assert!(wrong("every 10x", "UTC").contains("10m"));
    assert!(wrong("every 0s", "UTC").contains("'0s'"));
    assert!(wrong("at noon", "UTC").contains("2026-12-24T18:00:00Z"));
}

/// Minute by minute: every instant of the span with its wall clock, then every wall-clock minute
/// with what the policies make of it.
fn slowly(
    cron: &Cron,
    zone: Tz,
    DaylightSaving { gap, overlap }: DaylightSaving,
    hourly: bool,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> BTreeSet<i64> {
    let margin = Duration::hours(48);
    let mut instants: BTreeMap<NaiveDateTime, Vec<DateTime<Utc>>> = BTreeMap::new();
    let mut at = from - margin;
    while at < to + margin {
        instants.entry(at.with_timezone(&zone).naive_local()).or_default().push(at);
        at += Duration::minutes(1);
    }
    let mut wall = (from - Duration::hours(30)).naive_utc();
    let mut found = BTreeSet::new();
    while wall < (to + Duration::hours(30)).naive_utc() {
        if cron.is_time_matching(&wall.and_utc()).unwrap() {
            match instants.get(&wall).map(Vec::as_slice) {
                Some([once]) => drop(found.insert(*once)),
                Some(twice) if hourly || overlap == Overlap::Both => found.extend(twice),
                Some(twice) => drop(found.insert(if overlap == Overlap::First {
                    twice[0]
                } else {
                    twice[twice.len() - 1]
                })),
                None if hourly || gap == Gap::Skip => {}
                None => {
                    let end = instants.range(wall..).next().unwrap().1[0];
                    found.insert(if gap == Gap::RunAfter {
                        end
                    } else {
                        end - Duration::seconds(1)
                    });
                }
            }
        }
        wall += Duration::minutes(1);
    }
    found.range(from..to).map(|at| at.timestamp()).collect()
}

/// Windows around the switches of twenty years, and elsewhere, in zones with all kinds of rules.
#[test]
fn agrees_with_a_slow_and_obvious_second_implementation() {
    const ZONES: [&str; 8] = [
        "America/Los_Angeles",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Almaty",
        "Africa/Casablanca",
        "America/St_Johns",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ];
    const CASES: u64 = 2_000;
    let mut seed = 4_u64;
    let mut dice = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for case in 0..CASES {
        let zone: Tz = ZONES[usize::try_from(dice(8)).unwrap()].parse().unwrap();
        let policies = saving(
            [Gap::Skip, Gap::RunAfter, Gap::RunBefore][usize::try_from(dice(3)).unwrap()],
            [Overlap::First, Overlap::Second, Overlap::Both][usize::try_from(dice(3)).unwrap()],
        );
        let minute =
            [format!("{}", dice(60)), "*/7".to_owned(), format!("{},{}", dice(30), 30 + dice(30))]
                [usize::try_from(dice(3)).unwrap()]
            .clone();
        let hour = [
            "*".to_owned(),
            format!("{}", dice(5)),
            "1-3".to_owned(),
            "*/6".to_owned(),
            format!("{}", dice(24)),
        ][usize::try_from(dice(5)).unwrap()]
        .clone();
        let day = ["*".to_owned(), "*".to_owned(), format!("{}", 1 + dice(28))]
            [usize::try_from(dice(3)).unwrap()]
        .clone();
        let weekday = ["*".to_owned(), "*".to_owned(), format!("{}", dice(7))]
            [usize::try_from(dice(3)).unwrap()]
        .clone();
        let schedule = format!("{minute} {hour} {day} * {weekday}");
        // A day in twenty years, moved to the nearest switch of the clock within a month where
        // there is one.
        let mut from = Utc.with_ymd_and_hms(2010, 1, 1, 0, 0, 0).unwrap()
            + Duration::days(i64::try_from(dice(7_300)).unwrap());
        let offset = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
        if let Some(switch) = (0..60)
            .map(|d| from + Duration::days(d))
            .find(|at| offset(*at) != offset(*at + Duration::days(1)))
        {
            from = switch - Duration::hours(12);
        }
        let to = from + Duration::days(2);
        let cron: Cron = schedule.parse().unwrap();
        let expected = slowly(&cron, zone, policies, hour.starts_with('*'), (from, to));
        let calendar = Calendar::parse(&schedule, zone.name(), policies).unwrap();
        let start = OffsetDateTime::from_unix_timestamp(from.timestamp() - 1).unwrap();
        let found: BTreeSet<i64> =
            std::iter::successors(calendar.next_after(start), |at| calendar.next_after(*at))
                .map(OffsetDateTime::unix_timestamp)
                .take_while(|at| *at < to.timestamp())
                .collect();
        assert_eq!(found, expected, "case {case}: '{schedule}' {zone} {policies:?} from {from}");
    }
}
