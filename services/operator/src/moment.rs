//! An instant as people write it: RFC 3339, a date, a span from now such as `2h30m`, or `now`.

use serde::Deserialize;
use time::{
    Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339,
    macros::format_description,
};

use crate::OperatorError;

/// The largest number in a span, whatever its unit.
const MOST_UNITS: i64 = 100_000;
/// The units of a span, in the order in which they are written, with their seconds.
const UNITS: [Unit; 4] = [
    Unit { letter: 'd', secs: 86_400 },
    Unit { letter: 'h', secs: 3_600 },
    Unit { letter: 'm', secs: 60 },
    Unit { letter: 's', secs: 1 },
];

/// A unit of time.
struct Unit {
    letter: char,
    secs: i64,
}

/// A point in time that may be given relative to now. A date alone is its midnight in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Moment {
    At(OffsetDateTime),
    /// This long from now.
    In(Duration),
}

impl Moment {
    /// The instant, seen from `now`.
    #[must_use]
    pub fn from_now(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(instant) => instant,
            Self::In(span) => now + span,
        }
    }
}

/// A span as people write it, such as `12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        span(text)
            .map(Self)
            .ok_or_else(|| format!("'{text}' is not a span: give one like 90m, 12h or 1d"))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut secs = self.0.whole_seconds();
        for Unit { letter, secs: of_unit } in UNITS {
            if secs >= of_unit {
                write!(f, "{}{letter}", secs / of_unit)?;
                secs %= of_unit;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// An instant as requests carry it.
pub(crate) fn written(at: OffsetDateTime) -> Result<String, OperatorError> {
    at.format(&Rfc3339).map_err(|_| OperatorError::Invalid(format!("{at} is out of range")))
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::In(Duration::ZERO));
        }
        if let Ok(instant) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(instant));
        }
        if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return Ok(Self::At(date.midnight().assume_utc()));
        }
        span(text).map(Self::In).ok_or_else(|| {
            format!(
                "'{text}' is not a time: give one like 2026-12-24T18:00:00Z, a date like \
                 2026-12-24 (midnight UTC), or a span from now like 90m, 2h30m or 3d"
            )
        })
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The numbers and units of a span such as `2h30m`, the largest unit first and each at most once.
fn span(text: &str) -> Option<Duration> {
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut span = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let number = number.parse::<i64>().ok().filter(|n| (1..=MOST_UNITS).contains(n))?;
        let letter = behind.chars().next()?;
        let unit = units.find(|unit| unit.letter == letter)?;
        span += Duration::seconds(number * unit.secs);
        rest = behind.split_at_checked(letter.len_utf8())?.1;
        if rest.is_empty() {
            return Some(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["1d", "2h30m", "180d", "1d2h3m4s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("90m".parse::<Span>().unwrap().to_string(), "1h30m");
        assert!("1x".parse::<Span>().is_err());
    }

    #[test]
    fn instants_and_spans() {
        let now = datetime!(2026-11-24 11:00 UTC);
        for (text, expected) in [
            ("now", now),
            ("90s", datetime!(2026-11-24 11:01:30 UTC)),
            ("2h", datetime!(2026-11-24 13:00 UTC)),
            ("3d", datetime!(2026-11-27 11:00 UTC)),
            ("2h30m", datetime!(2026-11-24 13:30 UTC)),
            ("1d12h", datetime!(2026-11-25 23:00 UTC)),
            ("1m30s", datetime!(2026-11-24 11:01:30 UTC)),
            ("2026-12-24", datetime!(2026-12-24 00:00 UTC)),
            ("2026-12-24T18:00:00+01:00", datetime!(2026-12-24 17:00 UTC)),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().from_now(now), expected, "{text}");
        }
        for wrong in [
            "",
            "h",
            "2",
            "0m",
            "100001d",
            "-2h",
            "2w",
            "2ä",
            "tomorrow",
            "30m2h",
            "1h1h",
            "2h30",
            "2h 30m",
            "2026-12",
            "2026-13-01",
            "20261224",
        ] {
            let error = wrong.parse::<Moment>().unwrap_err();
            assert!(error.contains("2026-12-24T18:00:00Z") && error.contains("2h"), "{error}");
        }
    }
}
