//! What stands around the program: where cargo builds.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use tests::{Folder, Said};

/// A program that says where it stands.
const MAIN: &str = "fn main() { println!(\"at {}\", std::env::current_exe().unwrap().display()) }";

/// A checkout with our Makefile, in which the programs are small and there is nothing to set up.
fn checkout(root: &Path) -> Folder {
    let folder = Folder::new("target-dir");
    let write = |path: &str, text: &str| {
        let path = folder.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    fs::copy(root.join("Makefile"), folder.0.join("Makefile")).unwrap();
    let setup = write("scripts/setup", "#!/bin/sh\n");
    fs::set_permissions(setup, fs::Permissions::from_mode(0o755)).unwrap();
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"mangoes\", \"bench\"]\n");
    for name in ["mangoes", "bench"] {
        let package = format!("[package]\nname = {name:?}\nedition = \"2024\"\n");
        write(&format!("{name}/Cargo.toml"), &package);
        write(&format!("{name}/src/main.rs"), MAIN);
    }
    folder
}

/// Where cargo builds elsewhere, what is built there is run, and found as the README says.
#[test]
fn S4_a_target_of_cargo_elsewhere_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = checkout(&root);
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let path = readme.lines().find(|line| line.starts_with("export PATH=")).unwrap();
    let by_path = format!("{path}\nmangoes");
    for (target, expected) in [
        (Some(folder.0.join("elsewhere")), "elsewhere"),
        (Some("beside".into()), "beside"),
        (None, "target"),
    ] {
        for (script, program) in
            [("make demo", "mangoes"), ("make bench", "bench"), (by_path.as_str(), "mangoes")]
        {
            let mut shell = Command::new("bash");
            shell.args(["-c", script]).current_dir(&folder.0).env_remove("CARGO_TARGET_DIR");
            shell.envs(target.iter().map(|path| ("CARGO_TARGET_DIR", path)));
            let said = Said::by(&mut shell);
            let place = folder.0.join(expected).join("release").join(program);
            let words = format!("at {}\n", place.canonicalize().unwrap_or(place).display());
            assert!(said.succeeded() && said.text.contains(&words), "{script}: {}", said.text);
        }
    }
}
