//! The host from outside: its command line, and servers in this process. Unit tests cover its parts, and the
//! black-box tests cover what the application answers.

mod command_line;
mod server;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Writes a manifest whose tables after `[application]` are `tables` into a fresh directory.
fn manifest(tables: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spin.toml");
    std::fs::write(&path, format!("spin_manifest_version = 2\napplication = {{ name = 'test' }}\n{tables}")).unwrap();
    (directory, path)
}

/// The root of the workspace, where the application is.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
