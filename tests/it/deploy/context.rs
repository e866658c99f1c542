//! What the image's build is given: a file that .dockerignore keeps out is missing only there.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::{file, root};

/// Whether .dockerignore lets a file in: the last line that names it or a folder above it decides.
fn is_let_in(rules: &str, path: &str) -> bool {
    let rules = rules
        .lines()
        .map(str::trim)
        .filter(|line| !matches!(line.chars().next(), None | Some('#')));
    rules.fold(true, |is_in, line| {
        let rule = line.trim_start_matches('!');
        if names(rule, path) { line.starts_with('!') } else { is_in }
    })
}

fn names(rule: &str, path: &str) -> bool {
    if let Some(ending) = rule.strip_prefix("**/*") {
        return path.ends_with(ending);
    }
    let (mut parts, rule) = (path.split('/'), rule.split('/'));
    rule.into_iter().all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}

/// The sources below a folder of the repository.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let path = path.strip_prefix(root()).unwrap();
            found.push(path.display().to_string());
        }
    }
}

/// Files whose text is compiled into a source, but for its tests.
fn included(source: &str) -> Vec<String> {
    let text = file(source);
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let folder = root().join(source).parent().unwrap().to_owned();
    let named = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let whole = named.map(|name| folder.join(name).canonicalize().unwrap());
    whole.map(|path| path.strip_prefix(root()).unwrap().display().to_string()).collect()
}

#[test]
fn the_build_is_given_every_manifest_and_every_included_text() {
    let rules = file(".dockerignore");
    let mut asked = Command::new(env!("CARGO"));
    asked.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let metadata: Value = serde_json::from_slice(&asked.output().unwrap().stdout).unwrap();
    let manifests = metadata["packages"].as_array().unwrap().iter().map(|package| {
        let path = Path::new(package["manifest_path"].as_str().unwrap());
        path.strip_prefix(root()).unwrap().display().to_string()
    });
    let mut wanted: Vec<String> = vec!["nats/server.conf".to_owned(), "nats/users.conf".to_owned()];
    wanted.extend(manifests);
    let mut compiled = Vec::new();
    for folder in ["crates", "services", "proto/src"] {
        sources(&root().join(folder), &mut compiled);
    }
    compiled.retain(|path| !path.contains("/tests/") && !path.contains("/tests.rs"));
    let texts: Vec<String> = compiled.iter().flat_map(|source| included(source)).collect();
    assert!(texts.len() >= 5 && wanted.len() >= 20, "{texts:?} {wanted:?}");
    for path in wanted.iter().chain(&compiled).chain(&texts) {
        assert!(is_let_in(&rules, path), "{path} is not in the context of the image's build");
    }
    for path in [".env", "tmdb_token", "docs/fates.md", "proto/events/a.json", "target/x"] {
        assert!(!is_let_in(&rules, path), "{path}");
    }
}
