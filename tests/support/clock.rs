//! The clock of this machine, and one that is wrong.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use time::OffsetDateTime;

/// Now, by the clock of this machine.
#[must_use]
pub fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// Builds the library that shifts a process's clock, for `LD_PRELOAD`; see `skewed_clock.c`.
pub fn build_shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/skewed_clock.c");
    let library = folder.join("skewed_clock.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(built.success(), "cc, which links this test too, builds the clock");
    library
}
