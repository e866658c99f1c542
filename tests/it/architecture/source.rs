//! The files of the repository, and what the rules read in them.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file below a folder, sorted; what is built is left out.
pub(crate) fn files(folder: &str, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| wanted(path));
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir()
            && !["target", ".mangoes", ".git", "node_modules"]
                .iter()
                .any(|built| path.ends_with(built))
        {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

pub(super) fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// Rust files of these folders.
pub(super) fn rust(folders: &[&str]) -> Vec<PathBuf> {
    let found: Vec<_> = folders.iter().flat_map(|folder| files(folder, is_rust)).collect();
    assert!(found.len() > 40, "the walk found too little");
    found
}

/// As people name it: from the root.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(super) fn parsed(path: &Path) -> syn::File {
    syn::parse_file(&text(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whether an item is there for tests alone.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg_test = attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|l| l.tokens.to_string() == "test");
        is_cfg_test || attribute.path().segments.last().is_some_and(|s| s.ident == "test")
    })
}

/// Fails with every finding, one a line.
pub(crate) fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
