//! The unit tests of the rules run on WebAssembly as well, under Node through wasm-bindgen-test.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::root;
use host::toolchain::{by_hand, ensure_target, say};

const TARGET: &str = "wasm32-unknown-unknown";

/// The crates with unit tests that run on WebAssembly too.
const CRATES: [&str; 1] = ["domain"];

#[test]
fn every_unit_test_passes_on_wasm32_unknown_unknown_under_node() {
    ensure_target(TARGET, &root()).unwrap_or_else(|error| panic!("{error}"));
    let runner = runner();
    for name in CRATES {
        let there = tests_there_are(name);
        let run = cargo(&["test", "-p", name, "--tests", "--target", TARGET])
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner)
            .output()
            .expect("cargo runs");
        let output = String::from_utf8_lossy(&run.stdout);
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{output}\n{errors}");
        let ran = tests_that_passed(&output);
        println!("{name}: {ran} of {there} unit tests passed on {TARGET}");
        assert!(there > 0, "there are unit tests in {name}");
        assert_eq!(ran, there, "each unit test of {name} runs on {TARGET}:\n{output}");
    }
}

/// How many tests a native run would have.
fn tests_there_are(name: &str) -> usize {
    let list = cargo(&["test", "-p", name, "--tests", "--", "--list"]).stderr(Stdio::inherit()).output();
    let list = list.expect("cargo runs");
    assert!(list.status.success());
    String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.ends_with(": test")).count()
}

/// The sum over all lines such as `test result: ok. 58 passed; 0 failed; …`.
fn tests_that_passed(output: &str) -> usize {
    let results = output.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|result| result.split_once(" passed")?.0.parse::<usize>().ok()).sum()
}

#[test]
fn the_count_of_passed_tests_is_read_off_their_results() {
    let output = "\ntest result: ok. 3 passed; 0 failed; 1 ignored\n\ntest result: ok. 4 passed; 0 failed\n";
    assert_eq!(tests_that_passed(output), 7);
    assert_eq!(tests_that_passed("no tests to run!"), 0);
    assert_eq!(tests_that_passed("test result: FAILED. 3 passed; 1 failed"), 0);
}

/// The runner of wasm-bindgen-test, in the very version that the tests are built with; installed below `target` if it
/// is missing.
fn runner() -> PathBuf {
    let version = locked_version("wasm-bindgen");
    let tools = root().join("target/tools").join(format!("wasm-bindgen-{version}"));
    let runner = tools.join("bin").join(format!("wasm-bindgen-test-runner{EXE_SUFFIX}"));
    if !runner.exists() {
        say(format_args!("Installing wasm-bindgen-test-runner {version} to run unit tests on {TARGET}: takes minutes"));
        let directory = |name: &str| tools.join(name).display().to_string();
        let installed = cargo(&["install", "wasm-bindgen-cli", "--version", &version])
            .args(["--bin", "wasm-bindgen-test-runner", "--debug", "--no-track", "--quiet"])
            .args(["--root", &tools.display().to_string(), "--target-dir", &directory("build")])
            .status()
            .expect("cargo runs");
        assert!(installed.success(), "wasm-bindgen-test-runner {version} could not be installed");
        // Only the runner is needed from now on.
        fs::remove_dir_all(directory("build")).expect("what was built can be removed");
    }
    runner
}

/// The version of a package in Cargo.lock.
fn locked_version(name: &str) -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock can be read");
    let lock: toml::Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("there are packages");
    let package = packages.iter().find(|package| package["name"].as_str() == Some(name)).expect("it is locked");
    package["version"].as_str().expect("it has a version").to_owned()
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    by_hand(&mut cargo).args(arguments).current_dir(Path::new(&root()));
    cargo
}
