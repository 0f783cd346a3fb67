//! Runs the build commands of the manifest as `spin build` does.

use std::process::Command;

use crate::error::Error;
use crate::manifest::Manifest;
use crate::toolchain::{by_hand, ensure_target};

/// Builds every component that has a build command, one after another. They inherit this process's output. Blocks.
pub(crate) fn build(manifest: &Manifest) -> Result<(), Error> {
    for (id, component) in &manifest.components {
        let Some(build) = &component.build else { continue };
        for command in &build.commands {
            for target in wasm_targets(command) {
                ensure_target(target, &build.workdir)?;
            }
            eprintln!("Building component {id} with `{command}`");
            let failed = |reason: String| Error::Build { component: id.clone(), reason };
            let status = by_hand(Command::new("/bin/sh").args(["-c", command]))
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
