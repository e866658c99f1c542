//! What the bench says. A closed standard output stops nothing.

use std::io::Write;

/// A line on standard output.
pub(crate) fn line(text: &str) {
    // Nobody reads it any more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line about the progress, on standard error.
pub(crate) fn note(text: &str) {
    // Nobody reads it any more.
    let _ = writeln!(std::io::stderr(), "{text}");
}
