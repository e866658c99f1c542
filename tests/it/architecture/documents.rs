//! The map is true: every path that it names is there.

use super::source::{files, none, root, shown, text};

/// The rows of the table under a heading.
fn table(document: &str, heading: &str) -> Vec<String> {
    let section = document.split(&format!("## {heading}\n")).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with('|')).map(ToOwned::to_owned).collect()
}

#[test]
fn where_to_change_what_names_places_that_exist() {
    let rows = table(&text(&root().join("docs/architecture.md")), "Where do I change ...");
    assert!(rows.len() > 14, "the table has {} rows", rows.len());
    let mut findings = Vec::new();
    for row in rows {
        for path in row.split('`').skip(1).step_by(2) {
            let path = path.split(':').next().unwrap_or_default();
            if !root().join(path).exists() {
                findings.push(format!("{path} in {row}"));
            }
        }
    }
    none("the map names only what is there", &findings);
}

/// Of a Markdown link, what stands in its parentheses.
fn links(document: &str) -> impl Iterator<Item = &str> {
    document.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn documents_link_only_to_what_is_there_and_are_narrow() {
    let is_markdown = |path: &std::path::Path| path.extension().is_some_and(|e| e == "md");
    let mut documents = files("docs", is_markdown);
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        documents.push(root().join(name));
    }
    let mut findings = Vec::new();
    for path in documents {
        let text = text(&path);
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = link.split('#').next().unwrap_or_default();
            if !path.parent().unwrap().join(target).exists() {
                findings.push(format!("{} links to {link}", shown(&path)));
            }
        }
        let is_wide = |line: &&str| line.chars().count() > 100 && !line.starts_with('|');
        let wide = text.lines().filter(is_wide).filter(|line| line.split(' ').count() > 1);
        findings.extend(wide.map(|line| format!("{}: {line}", shown(&path))));
    }
    none("links lead somewhere, and prose has at most 100 columns", &findings);
}

/// Words in backticks that are paths of the repository; `<…>` and `*` stand for names.
fn paths(document: &str) -> impl Iterator<Item = &str> {
    const ROOMS: [&str; 10] = [
        "bench/",
        "crates/",
        "docs/",
        "migrations/",
        "nats/",
        "proto/",
        "scripts/",
        "services/",
        "tests/",
        "docker/",
    ];
    let words = document.split('`').skip(1).step_by(2);
    words.filter(|word| {
        ROOMS.iter().any(|room| word.starts_with(room)) && !word.contains(['<', '*'])
    })
}

#[test]
fn documents_name_only_files_that_are_there() {
    let is_markdown = |path: &std::path::Path| path.extension().is_some_and(|e| e == "md");
    let mut findings = Vec::new();
    for document in files("docs", is_markdown).into_iter().chain([root().join("CONTRIBUTING.md")]) {
        let text = text(&document);
        // The how-tos have an example that is not there: an event and a consumer about ratings.
        let named =
            paths(&text).filter(|path| !path.contains("rated") && !path.contains("ratings"));
        for path in named {
            let path = path.split(':').next().unwrap_or_default();
            if !root().join(path).exists() {
                findings.push(format!("{} names {path}", shown(&document)));
            }
        }
    }
    none("documents name only files that are there", &findings);
}
