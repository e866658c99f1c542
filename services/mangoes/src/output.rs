//! What the program says: tables and sentences for people, JSON for machines.
//!
//! Standard output may be closed or full at any time: the first failure is remembered and decides
//! the exit code.

use std::{
    io::{IsTerminal, Write},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// A table of rows, or the values behind it as JSON.
    pub(crate) fn table<T: Serialize + ?Sized>(
        self,
        values: &T,
        head: &[&str],
        rows: Vec<Vec<String>>,
    ) {
        if self.json {
            self.value(values);
            return;
        }
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(head.to_vec());
        for row in rows {
            table.add_row(row);
        }
        line(&table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }

    /// A value as JSON.
    pub(crate) fn value<T: Serialize + ?Sized>(self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => line(&text),
            Err(e) => note(&format!("mangoes: this cannot be shown as JSON: {e}")),
        }
    }

    /// Names and values.
    pub(crate) fn pairs(self, pairs: &[(&str, String)]) {
        if self.json {
            let map: std::collections::BTreeMap<_, _> =
                pairs.iter().map(|(k, v)| (*k, v)).collect();
            self.value(&map);
            return;
        }
        let width = pairs.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
        for (name, value) in pairs {
            line(&format!("{name:width$}  {value}"));
        }
    }

    /// One sentence; nothing in JSON mode.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            line(text);
        }
    }
}

/// The first failure to write to standard output.
static FAILED: OnceLock<std::io::Error> = OnceLock::new();

/// One line to standard output. What fails is remembered: see [`is_closed`] and [`failure`].
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Flushed, so that a full disk is noticed here.
    if let Err(e) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        // An earlier failure says more.
        let _ = FAILED.set(e);
    }
}

/// One line to standard error.
pub(crate) fn note(text: &str) {
    // Where it is closed nobody reads it, and a drain must go on.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether nobody reads standard output any more, as after `| head`.
pub(crate) fn is_closed() -> bool {
    FAILED.get().is_some()
}

/// Why standard output could not be written; a reader that went away has what it wanted.
pub(crate) fn failure() -> Option<&'static std::io::Error> {
    FAILED.get().filter(|e| e.kind() != std::io::ErrorKind::BrokenPipe)
}

/// Clears a terminal; elsewhere the texts follow one another.
pub(crate) fn clear_screen() {
    if std::io::stdout().is_terminal() {
        line("\u{1b}[2J\u{1b}[H");
    }
}

/// Set once by `--absolute`.
pub(crate) static ABSOLUTE: AtomicBool = AtomicBool::new(false);

/// "in 3 h", "5 min ago"; with `--absolute` the instant itself.
pub(crate) fn relative(at: Option<OffsetDateTime>, now: OffsetDateTime) -> String {
    let Some(at) = at else { return "-".to_owned() };
    if ABSOLUTE.load(Ordering::Relaxed) {
        return rfc3339(at);
    }
    let span = at - now;
    let text = match span.whole_seconds().unsigned_abs() {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    };
    if span.is_negative() { format!("{text} ago") } else { format!("in {text}") }
}

/// The instant as 2026-11-24T11:00:00Z.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// "1 movie", "2 movies".
pub(crate) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// "1.2 s", "840 ms".
pub(crate) fn millis(ms: i64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1_000, (ms % 1_000) / 100) }
}

/// "98.3 %"; of nothing it is "100 %".
pub(crate) fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        "100 %".to_owned()
    } else {
        format!("{}.{} %", part * 100 / whole, (part * 1_000 / whole) % 10)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn spans_for_people() {
        let now = datetime!(2026-11-24 11:00 UTC);
        for (at, expected) in [
            (datetime!(2026-11-24 11:00:30 UTC), "in 30 s"),
            (datetime!(2026-11-24 10:30 UTC), "30 min ago"),
            (datetime!(2026-11-25 11:00 UTC), "in 24 h"),
            (datetime!(2026-12-24 11:00 UTC), "in 30 d"),
        ] {
            assert_eq!(relative(Some(at), now), expected);
        }
        assert_eq!(
            (counted(1, "run"), counted(0, "run")),
            ("1 run".to_owned(), "0 runs".to_owned())
        );
        assert_eq!((millis(840), millis(1_290)), ("840 ms".to_owned(), "1.2 s".to_owned()));
        assert_eq!((percent(983, 1_000), percent(0, 0)), ("98.3 %".to_owned(), "100 %".to_owned()));
    }
}
