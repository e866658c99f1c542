//! Reads the commands out of documents: those of their `sh` blocks, and those within the text.

use crate::architecture::source::{files, shown, text};

/// Those whose commands come first, in this order: what they export, the others need.
const FIRST: [&str; 3] = ["README.md", "docs/events.md", "docs/nats.md"];
/// Without commands of today: the first tells of those that are gone, the second stands in
/// docs/events.md.
const LEFT_OUT: [&str; 2] = ["CHANGELOG.md", "proto/src/spec/events_head.md"];

/// A Markdown file.
#[derive(Debug)]
pub(super) struct Document {
    /// As people name it: from the root.
    pub(super) name: String,
    /// The commands of its `sh` blocks, in order.
    pub(super) commands: Vec<String>,
    /// The lines of all other blocks, fenced or indented.
    pub(super) shown: Vec<String>,
    /// What stands in backticks within the text.
    pub(super) spans: Vec<String>,
}

/// All of them, in the order in which their commands are run.
pub(super) fn documents() -> Vec<Document> {
    let is_markdown = |path: &std::path::Path| path.extension().is_some_and(|e| e == "md");
    let mut all: Vec<Document> = files("", is_markdown)
        .iter()
        .map(|path| Document::read(shown(path), &text(path)))
        .filter(|document| !LEFT_OUT.contains(&document.name.as_str()))
        .collect();
    let place = |document: &Document| FIRST.iter().position(|name| *name == document.name);
    all.sort_by_key(|document| place(document).unwrap_or(FIRST.len()));
    assert!(all.len() > 30 && all[0].name == FIRST[0], "the walk found too little");
    all
}

impl Document {
    fn read(name: String, text: &str) -> Self {
        let (mut shell, mut prose, mut shown) = (String::new(), String::new(), Vec::new());
        let mut fence = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), fence) {
                (Some(kind), None) => fence = Some(kind),
                (Some(_), Some(_)) => fence = None,
                (None, Some("sh")) => shell += &format!("{line}\n"),
                (None, None) if !line.starts_with("    ") => prose += &format!("{line}\n"),
                (None, Some(_) | None) => shown.push(line.to_owned()),
            }
        }
        let spans = prose.split('`').skip(1).step_by(2);
        let spans = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
        Self { name, commands: commands(&shell), shown, spans: spans.collect() }
    }
}

/// A command that goes on in the next line is one; comments are none.
fn commands(shell: &str) -> Vec<String> {
    let joined = shell.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split("   # ").next().unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(ToOwned::to_owned).collect()
}

/// The words of a command, as a shell splits them; nothing is expanded.
pub(super) fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match quote {
            None if letter.is_whitespace() => words.extend(word.take()),
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            Some(open) if letter == open => quote = None,
            None | Some(_) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
