//! Migrations are built in: a new one must rebuild this crate. Writes a list of the functions and
//! views, each with its text, for `schema`.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=../../migrations");
    let folder = |name| env::var(name).map_err(io::Error::other);
    let migrations = Path::new(&folder("CARGO_MANIFEST_DIR")?).join("../../migrations");
    let mut list = String::from("[\n");
    for kind in ["functions", "views"] {
        let entries = fs::read_dir(migrations.join(kind))?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "sql")) {
            list += &format!("include_str!({:?}),\n", file.canonicalize()?);
        }
    }
    list.push(']');
    fs::write(Path::new(&folder("OUT_DIR")?).join("functions_and_views.rs"), list)
}
