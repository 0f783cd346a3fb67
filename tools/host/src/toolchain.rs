//! Rust's tools, called as a developer calls them by hand.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;

/// Installs the Rust target `target` for the toolchain that builds in `workdir`, unless it is there. Says so. Blocks.
///
/// # Errors
/// Names the command to run by hand where this cannot be done.
pub fn ensure_target(target: &str, workdir: &Path) -> Result<(), Error> {
    let libraries = by_hand(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))
        .current_dir(workdir)
        .stderr(Stdio::null())
        .output();
    // Without rustc the build's own message is the clearest.
    let Ok(libraries) = libraries else { return Ok(()) };
    if Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        return Ok(());
    }
    say(format_args!("Installing target {target}: rustup target add {target}"));
    let added = by_hand(Command::new("rustup").args(["target", "add", target])).current_dir(workdir).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::MissingTarget { target: target.to_owned() }),
    }
}

/// Prints on standard error what is being installed. It does not use `eprintln!`, whose output a test captures and
/// shows only after a failure.
pub fn say(message: impl Display) {
    // The message is only for information.
    let _ = writeln!(io::stderr(), "{message}");
}

/// Removes the environment variables that `cargo run` and `cargo test` set. Otherwise cargo would take a build by this
/// process and one by hand for different ones, and each would undo the other. The user's own settings stay.
pub fn by_hand(command: &mut Command) -> &mut Command {
    const SET_BY_CARGO: [&str; 8] = [
        "CARGO",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
        "RUSTUP_TOOLCHAIN",
        "RUST_RECURSION_COUNT",
    ];
    for (name, _) in std::env::vars_os() {
        let Some(known) = name.to_str() else { continue };
        let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"];
        if SET_BY_CARGO.contains(&known) || prefixes.iter().any(|prefix| known.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
