//! The shapes of what commands print with `--json` that are no verbs: the files below
//! `docs/api/commands` are compared with the types.

use std::{collections::BTreeSet, fs, path::PathBuf};

use operator::{contract::printed, jobs::RunView};
use schemars::JsonSchema;
use store::MigrationPlan;

use super::{config, doctor, follow, remap, topology, watch};
use crate::{health::probe::Health, run::demo::DemoEnd};

/// A command, as its file is called.
struct Command {
    name: &'static str,
    text: String,
}

fn command<A: JsonSchema>(name: &'static str) -> Command {
    let text = serde_json::to_string_pretty(&printed::<A>(&id(name), name)).unwrap();
    Command { name, text: text + "\n" }
}

fn commands() -> Vec<Command> {
    vec![
        command::<config::Settings>("config"),
        command::<config::Exports>("config --env"),
        command::<DemoEnd>("demo"),
        command::<doctor::Checks>("doctor"),
        command::<Health>("health"),
        command::<follow::Followed>("ingest|refresh --movie --follow"),
        command::<RunView>("jobs run --follow"),
        command::<MigrationPlan>("migrate"),
        command::<remap::Done>("remap"),
        command::<topology::Found>("topology"),
        command::<topology::Taken>("topology --take-over"),
        command::<watch::Frame>("watch"),
    ]
}

/// `topology --take-over` is `topology.take-over`.
fn id(command: &str) -> String {
    let words = command.split([' ', '|']).map(|word| word.trim_start_matches("--"));
    words.collect::<Vec<_>>().join(".")
}

#[test]
fn every_command_has_a_file_and_every_file_a_command() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/commands");
    let mut named = BTreeSet::new();
    for Command { name, text } in commands() {
        let file = id(name) + ".json";
        if std::env::var_os("MANGOES_BLESS").is_some() {
            fs::write(folder.join(&file), &text).unwrap();
        }
        let stored = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        assert!(stored == text, "{file} differs: if that is meant, run `make bless`");
        named.insert(file);
    }
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(files, named);
}
