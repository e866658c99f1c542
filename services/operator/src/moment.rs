//! An instant as people write it: RFC 3339, a span from now such as `2h`, or `now`.

use serde::Deserialize;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::OperatorError;

/// Longest span, in its own unit.
const MOST_UNITS: i64 = 100_000;

/// A point in time that may be given relative to now.
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
        span(text).map(Self::In).ok_or_else(|| {
            format!(
                "'{text}' is not a time: give one like 2026-12-24T18:00:00Z, or a span from now \
                 like 90m, 2h or 3d"
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

fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok().filter(|n| (1..=MOST_UNITS).contains(n))?;
    match unit {
        "s" => Some(Duration::seconds(number)),
        "m" => Some(Duration::minutes(number)),
        "h" => Some(Duration::hours(number)),
        "d" => Some(Duration::days(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn instants_and_spans() {
        let now = datetime!(2026-11-24 11:00 UTC);
        for (text, expected) in [
            ("now", now),
            ("90s", datetime!(2026-11-24 11:01:30 UTC)),
            ("2h", datetime!(2026-11-24 13:00 UTC)),
            ("3d", datetime!(2026-11-27 11:00 UTC)),
            ("2026-12-24T18:00:00+01:00", datetime!(2026-12-24 17:00 UTC)),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().from_now(now), expected, "{text}");
        }
        for wrong in ["", "h", "2", "0m", "100001d", "-2h", "2w", "2ä", "tomorrow", "2026-12-24"] {
            let error = wrong.parse::<Moment>().unwrap_err();
            assert!(error.contains("2026-12-24T18:00:00Z") && error.contains("2h"), "{error}");
        }
    }
}
