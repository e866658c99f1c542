//! The contracts stand still: schemas, the AsyncAPI document and golden files are compared with the
//! types.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::{fs, path::PathBuf};

use proto::{IngestList, IngestMovie, MovieStale, spec};
use serde_json::Value;

fn at(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn same_as_file(name: &str, generated: &Value) {
    same_text(name, &(serde_json::to_string_pretty(generated).unwrap() + "\n"));
}

fn same_text(name: &str, text: &str) {
    if std::env::var_os("MANGOES_BLESS").is_some() {
        fs::write(at(name), text).unwrap();
    }
    let stored = fs::read_to_string(at(name)).unwrap_or_default();
    assert!(stored == text, "{name} differs from the types: if that is meant, run `make bless`");
}

#[test]
fn schemas_and_asyncapi_are_those_of_the_types() {
    for contract in spec::contracts() {
        same_as_file(&format!("schemas/{}.json", contract.event_type), &contract.schema);
    }
    let example =
        |event_type: &str| fs::read_to_string(at(&format!("golden/{event_type}.json"))).unwrap();
    let parsed = |event_type: &str| serde_json::from_str(&example(event_type)).unwrap();
    same_as_file("asyncapi.json", &spec::asyncapi(parsed));
    same_text("../docs/events.md", &spec::markdown(example));
}

#[test]
fn every_parameter_of_a_subject_is_described() {
    for contract in spec::contracts() {
        let tokens = contract.address.split('.');
        let named: Vec<_> = tokens.filter_map(|t| t.strip_prefix('{')?.strip_suffix('}')).collect();
        let described: Vec<_> = contract.parameters.iter().map(|p| p.name).collect();
        assert_eq!(named, described, "{}", contract.address);
    }
}

/// The names of the JSON files in a folder, without their ending.
fn names(folder: &str) -> Vec<String> {
    let files = fs::read_dir(at(folder)).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<String> =
        files.map(|name| name.to_string_lossy().trim_end_matches(".json").to_owned()).collect();
    names.sort();
    names
}

/// A contract that is taken back leaves files that somebody still relies on.
#[test]
fn every_file_has_its_contract() {
    let mut contracts: Vec<_> = spec::contracts().iter().map(|c| c.event_type.to_owned()).collect();
    contracts.sort();
    assert_eq!(names("golden"), contracts);
    assert_eq!(names("schemas"), contracts);
}

/// Golden files are read for ever: what an older version wrote must still be understood, and
/// nothing of it lost.
#[test]
fn golden_files_are_still_read() {
    for contract in spec::contracts() {
        let name = format!("golden/{}.json", contract.event_type);
        let text = fs::read_to_string(at(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let stored: Value = serde_json::from_str(&text).unwrap();
        let read = (contract.reread)(&stored).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(read, stored, "{name}");
    }
}

#[test]
fn payloads_by_hand_need_only_what_matters() {
    let movie: IngestMovie = serde_json::from_str(r#"{"tmdb_id": 603}"#).unwrap();
    assert_eq!((movie.tmdb_id.get(), movie.run_id, movie.force), (603, None, false));
    let movie: IngestMovie = serde_json::from_str(r#"{"tmdb_id": "603"}"#).unwrap();
    assert_eq!(serde_json::to_string(&movie.tmdb_id).unwrap(), "603");
    let list: IngestList =
        serde_json::from_str(r#"{"source": "popular", "max_movies": 40}"#).unwrap();
    assert_eq!(list.trigger_type, proto::TriggerType::Manual);
    let stale: MovieStale = serde_json::from_str(r#"{"tmdb_id": 603}"#).unwrap();
    assert_eq!(stale.reason, "manual");
}

#[test]
fn bad_values_are_refused_by_range() {
    for bad in [
        r#"{"tmdb_id": "tt0133093"}"#,
        r#"{"tmdb_id": "0"}"#,
        r#"{"tmdb_id": 603.5}"#,
        r#"{"tmdb_id": -1}"#,
        r#"{"tmdb_id": 0}"#,
        r#"{"tmdb_id": 2147483648}"#,
        "{}",
        "[]",
    ] {
        assert!(serde_json::from_str::<IngestMovie>(bad).is_err(), "{bad}");
    }
    for n in ["0", "-1", "1000000000", "1.5"] {
        assert!(
            serde_json::from_str::<IngestList>(&format!(
                r#"{{"source": "popular", "max_movies": {n}}}"#
            ))
            .is_err(),
            "{n}"
        );
    }
}
