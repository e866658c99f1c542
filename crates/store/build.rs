//! Migrations are built in: a new one must rebuild this crate. Writes a list of the functions and
//! views, each with its text, for `schema`.

use std::{env, fmt::Write, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
    let migrations = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../migrations");
    let mut list = String::from("[\n");
    for folder in ["functions", "views"] {
        let entries = fs::read_dir(migrations.join(folder)).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "sql")) {
            let file = file.canonicalize().unwrap();
            writeln!(list, "include_str!({:?}),", file.display().to_string()).unwrap();
        }
    }
    list.push(']');
    let out = Path::new(&env::var("OUT_DIR").unwrap()).join("functions_and_views.rs");
    fs::write(out, list).unwrap();
}
