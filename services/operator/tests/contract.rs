//! The contract of the verbs stands still: the files below docs/api are compared with the types.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use operator::contract::{markdown, verbs};

fn at(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api").join(name)
}

fn same_text(name: &str, text: &str) {
    if std::env::var_os("MANGOES_BLESS").is_some() {
        fs::write(at(name), text).unwrap();
    }
    let stored = fs::read_to_string(at(name)).unwrap_or_default();
    assert!(stored == text, "docs/api/{name} differs: if that is meant, run `make bless`");
}

#[test]
fn every_verb_has_a_file_and_every_file_a_verb() {
    let verbs = verbs();
    assert_eq!(verbs.len(), proto::API_VERBS.len());
    for contract in &verbs {
        let schema = serde_json::to_string_pretty(&contract.schema).unwrap() + "\n";
        same_text(&format!("{}.json", contract.verb.name), &schema);
    }
    same_text("verbs.md", &markdown(&verbs));
    let named: BTreeSet<String> = verbs.iter().map(|c| format!("{}.json", c.verb.name)).collect();
    let files = fs::read_dir(at("")).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(files, named);
}
