//! The log of one run of a server.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

/// The log of one run of a server: the end of a file that earlier runs wrote to as well.
#[derive(Debug)]
pub(crate) struct Log {
    /// For the server to write to.
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Length of the file when this run began.
    pub(crate) start: u64,
}

impl Log {
    /// What the server has written in this run; nothing where the file cannot be read.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start))?;
            file.read_to_end(&mut bytes)
        });
        if read.is_err() {
            return String::new();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The line of a program's output that says most about its end.
pub(crate) fn telling_line(text: &str) -> String {
    let is_fatal =
        |line: &&str| ["FATAL", "[FTL]", "PANIC", "error:"].iter().any(|word| line.contains(word));
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().find(is_fatal).or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_telling_line() {
        let check = |text, expected: &str| assert_eq!(telling_line(text), expected);
        check("", "it said nothing");
        check("one\ntwo\n\n", "two");
        check("LOG: a\nFATAL: lock file exists\nHINT: b", "FATAL: lock file exists");
    }
}
