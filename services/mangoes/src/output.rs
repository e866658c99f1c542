//! What the program says: tables and sentences for people, JSON for machines.
//!
//! Standard output may be closed or full at any time: the first failure is remembered and decides
//! the exit code. On a terminal a table is no wider than the terminal; elsewhere it has its full
//! width.

use std::{
    io::{IsTerminal, Write},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use comfy_table::{ContentArrangement, Row, Table, presets};
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
        self.wide_table(values, WideTable { head, less: &[], rows });
    }

    /// As [`Self::table`], with columns that a narrow terminal does without.
    pub(crate) fn wide_table<T: Serialize + ?Sized>(self, values: &T, table: WideTable<'_>) {
        if self.json {
            self.value(values);
            return;
        }
        let (screen, is_cut) = match frame().as_ref() {
            Some(frame) => (Some(frame.screen), true),
            None => (screen(), false),
        };
        line(&table.laid_out(screen.map(|screen| screen.columns), is_cut));
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

    /// A value in JSON mode; nothing for people, who read sentences.
    pub(crate) fn json_only<T: Serialize + ?Sized>(self, value: &T) {
        if self.json {
            self.value(value);
        }
    }

    /// One sentence; nothing in JSON mode.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            line(text);
        }
    }
}

/// A table of which a narrow terminal shows less.
pub(crate) struct WideTable<'a> {
    pub(crate) head: &'a [&'a str],
    /// Names of columns that are left out where all of them are wider than the terminal, the first
    /// of them first.
    pub(crate) less: &'a [&'a str],
    pub(crate) rows: Vec<Vec<String>>,
}

impl WideTable<'_> {
    /// The table as text, no wider than this. What is too long for its column is cut, or goes on in
    /// the next line.
    fn laid_out(&self, width: Option<u16>, is_cut: bool) -> String {
        let width = width.unwrap_or(u16::MAX);
        let mut left_out: Vec<&str> = Vec::new();
        let mut table = self.without(&left_out, is_cut);
        for name in self.less {
            if full_width(&table) <= u32::from(width) {
                break;
            }
            left_out.push(name);
            table = self.without(&left_out, is_cut);
        }
        if full_width(&table) > u32::from(width) {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn without(&self, left_out: &[&str], is_cut: bool) -> Table {
        let shown = |row: Vec<String>| {
            let cells = self.head.iter().zip(row).filter(|(name, _)| !left_out.contains(*name));
            let mut row = Row::from(cells.map(|(_, cell)| cell).collect::<Vec<_>>());
            if is_cut {
                row.max_height(1);
            }
            row
        };
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_truncation_indicator("…")
            .set_header(shown(self.head.iter().map(ToString::to_string).collect()));
        table.add_rows(self.rows.iter().cloned().map(shown));
        table
    }
}

/// How wide a table is whose texts are not cut: each column has a space on both sides.
fn full_width(table: &Table) -> u32 {
    table.column_max_content_widths().into_iter().map(|width| u32::from(width) + 2).sum()
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Screen {
    rows: usize,
    columns: u16,
}

/// The terminal that shows standard output; `None` elsewhere, and where its size is not known.
fn screen() -> Option<Screen> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    // A terminal that does not know its own size says 0.
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    let screen = Screen { rows: size.ws_row.into(), columns: size.ws_col };
    (screen.rows > 0 && screen.columns > 0).then_some(screen)
}

/// Lines that are shown all at once, on one screen.
struct Frame {
    screen: Screen,
    lines: Vec<String>,
}

/// The frame whose lines are being written.
static FRAME: Mutex<Option<Frame>> = Mutex::new(None);

fn frame() -> MutexGuard<'static, Option<Frame>> {
    FRAME.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Frame {
    /// The top of it, as much as the screen holds. The cursor needs the last row.
    fn fitted(&self) -> Vec<String> {
        let most = self.screen.rows.saturating_sub(1).max(1);
        let mut fitted: Vec<String> = self
            .lines
            .iter()
            .take(most)
            .map(|line| cut(line, self.screen.columns.into()))
            .collect();
        if self.lines.len() > most {
            fitted.pop();
            let more = self.lines.len() - fitted.len();
            let words = format!("… {more} more lines: make the window higher to see them");
            fitted.push(cut(&words, self.screen.columns.into()));
        }
        fitted
    }
}

/// A text of at most so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// On a terminal, keeps what is written from here on until [`show_frame`], which shows what the
/// screen holds of it. Elsewhere lines are written at once and follow one another.
pub(crate) fn begin_frame() {
    let begun = screen().map(|screen| Frame { screen, lines: Vec::new() });
    if begun.is_none() && std::io::stdout().is_terminal() {
        line(CLEAR);
    }
    *frame() = begun;
}

/// Shows the frame in place of what the terminal showed.
pub(crate) fn show_frame() {
    let Some(shown) = frame().take() else { return };
    line(&format!("{CLEAR}{}", shown.fitted().join("\n")));
}

/// Puts the cursor into the first row and clears what is below it.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// The first failure to write to standard output.
static FAILED: OnceLock<std::io::Error> = OnceLock::new();

/// One line to standard output. What fails is remembered: see [`is_closed`] and [`failure`].
pub(crate) fn line(text: &str) {
    if let Some(frame) = frame().as_mut() {
        frame.lines.extend(text.split('\n').map(ToOwned::to_owned));
        return;
    }
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
pub(crate) fn duration(secs: f64) -> String {
    if secs < 1.0 { format!("{:.0} ms", secs * 1_000.0) } else { format!("{secs:.1} s") }
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
        assert_eq!((duration(0.84), duration(1.29)), ("840 ms".to_owned(), "1.3 s".to_owned()));
        assert_eq!((cut("title", 5), cut("titles", 5)), ("title".to_owned(), "titl…".to_owned()));
        assert_eq!((percent(983, 1_000), percent(0, 0)), ("98.3 %".to_owned(), "100 %".to_owned()));
    }
    /// As the runs are, with two of them.
    fn runs() -> WideTable<'static> {
        let row = |note: &str| {
            ["scheduled_ingest_daily", "succeeded", "5 min ago", "30", "0", note]
                .map(ToOwned::to_owned)
                .to_vec()
        };
        WideTable {
            head: &["JOB", "STATUS", "WHEN", "CHECKED", "NOT NEEDED", "NOTE"],
            less: &["NOT NEEDED", "CHECKED"],
            rows: vec![row(""), row("a sentence of several words that is as long as an error")],
        }
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal() {
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
        let full = runs().laid_out(None, false);
        assert!(widest(&full) > 100 && full.lines().count() == 3, "{full}");
        assert_eq!(runs().laid_out(Some(200), true), full, "there is room");
        for width in [120, 80, 60, 40] {
            let (wrapped, cut) =
                (runs().laid_out(Some(width), false), runs().laid_out(Some(width), true));
            assert!(widest(&wrapped) <= width.into(), "{width}:\n{wrapped}");
            assert!(widest(&cut) <= width.into() && cut.lines().count() == 3, "{width}:\n{cut}");
        }
        let narrow = runs().laid_out(Some(80), false);
        assert!(!narrow.contains("NEEDED") && narrow.contains("error"), "{narrow}");
    }

    #[test]
    fn a_frame_is_no_higher_than_the_terminal() {
        let screen = Screen { rows: 24, columns: 80 };
        let lines = |n: usize| (1..=n).map(|n| format!("line {n}")).collect();
        let all = Frame { screen, lines: lines(23) };
        assert_eq!(all.fitted(), all.lines);
        let top = Frame { screen, lines: lines(60) }.fitted();
        assert_eq!((top.len(), top[0].as_str(), top[21].as_str()), (23, "line 1", "line 22"));
        assert!(top[22].starts_with("… 38 more lines"), "{}", top[22]);
        let long = Frame { screen, lines: vec!["x".repeat(200)] }.fitted();
        assert_eq!(long[0].chars().count(), 80);
    }
}
