//! Runs the build commands of the manifest as `spin build` does.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::manifest::Manifest;

/// Builds every component that has a build command, one after the other. Output goes where this process's goes. Blocks.
pub(crate) fn build(manifest: &Manifest) -> Result<(), Error> {
    for (id, component) in &manifest.components {
        let Some(build) = &component.build else { continue };
        for command in &build.commands {
            for target in wasm_targets(command) {
                ensure_target(target, &build.workdir)?;
            }
            eprintln!("Building component {id} with `{command}`");
            let failed = |reason: String| Error::Build { component: id.clone(), reason };
            let status = plain(Command::new("/bin/sh").args(["-c", command]))
                .current_dir(&build.workdir)
                .status()
                .map_err(|error| failed(format!("cannot be run in {}: {error}", build.workdir.display())))?;
            if !status.success() {
                return Err(failed(format!("failed with {status}")));
            }
        }
    }
    Ok(())
}

/// The WebAssembly targets that a command line names.
fn wasm_targets(command: &str) -> impl Iterator<Item = &str> {
    let mut words = command.split_whitespace();
    std::iter::from_fn(move || {
        loop {
            let word = words.next()?;
            let target = if word == "--target" { words.next()? } else { word.strip_prefix("--target=").unwrap_or("") };
            if target.starts_with("wasm32-") {
                return Some(target);
            }
        }
    })
}

/// Installs `target` for the toolchain that builds in `workdir`, unless it is there.
fn ensure_target(target: &str, workdir: &Path) -> Result<(), Error> {
    let libraries = plain(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))
        .current_dir(workdir)
        .stderr(Stdio::null())
        .output();
    // Without rustc the build itself says best what is missing.
    let Ok(libraries) = libraries else { return Ok(()) };
    if Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        return Ok(());
    }
    eprintln!("Installing target {target}: rustup target add {target}");
    let added = plain(Command::new("rustup").args(["target", "add", target])).current_dir(workdir).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::MissingTarget { target: target.to_owned() }),
    }
}

/// Takes from the environment what `cargo run` and `cargo test` put there, so that a build by this process and one by
/// hand are the same one to cargo and neither undoes the other's. What the user configures stays.
fn plain(command: &mut Command) -> &mut Command {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn build_with(commands: &str) -> (tempfile::TempDir, Result<(), Error>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("below")).unwrap();
        let path = directory.path().join("spin.toml");
        let manifest = format!(
            "spin_manifest_version = 2\napplication = {{ name = 'test' }}\ntrigger = {{}}\n[component.a]\n\
             source = 'a.wasm'\nbuild = {{ command = {commands}, workdir = 'below' }}\n"
        );
        std::fs::write(&path, manifest).unwrap();
        let built = build(&Manifest::read(&path).unwrap());
        (directory, built)
    }

    #[test]
    fn commands_run_in_a_shell_in_the_workdir_one_after_the_other() {
        let (directory, built) = build_with("['echo one > log', 'echo two >> log && true']");
        built.unwrap();
        assert_eq!(std::fs::read_to_string(directory.path().join("below/log")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_build_that_fails_names_the_component_and_stops() {
        let (directory, built) = build_with("['exit 3', 'touch never']");
        assert_eq!(built.unwrap_err().to_string(), "the build command of component a failed with exit status: 3");
        assert!(!directory.path().join("below/never").exists());
    }

    #[test]
    fn a_build_does_not_see_what_cargo_set_for_this_process() {
        // Cargo sets CARGO_MANIFEST_DIR and CARGO_PKG_NAME for every test.
        let (directory, built) = build_with("'env > environment'");
        built.unwrap();
        let environment = std::fs::read_to_string(directory.path().join("below/environment")).unwrap();
        assert!(!environment.contains("CARGO_MANIFEST_DIR=") && !environment.contains("CARGO_PKG_NAME="));
        assert!(environment.contains("PATH="));
    }

    #[test]
    fn the_wasm_targets_of_a_command_are_found() {
        let command = "cargo build --target wasm32-wasip2 && x --target=wasm32-unknown-unknown --target host --target";
        assert_eq!(wasm_targets(command).collect::<Vec<_>>(), ["wasm32-wasip2", "wasm32-unknown-unknown"]);
    }
}
