//! Programs from npm, in the versions that a folder of ours says.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use harness::root;
use host::toolchain::say;

/// Installs what `tests/NAME/package-lock.json` says, unless it is there, below `target`. Answers where.
pub fn install(name: &str) -> PathBuf {
    // Tests that run at once may need the same.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let from = root().join("tests").join(name);
    let to = root().join("target/tools").join(name);
    let files = ["package.json", "package-lock.json", ".npmrc"];
    let differs = |file: &&str| fs::read(from.join(file)).ok() != fs::read(to.join(file)).ok();
    if !to.join("node_modules/.package-lock.json").exists() || files.iter().any(differs) {
        say(format_args!("Installing what tests/{name} needs from npm"));
        fs::create_dir_all(&to).expect("a folder can be made");
        for file in files.into_iter().filter(|file| from.join(file).exists()) {
            fs::copy(from.join(file), to.join(file)).expect("a file can be copied");
        }
        let installed = Command::new("npm").arg("ci").current_dir(&to).status();
        assert!(installed.expect("npm is there").success(), "what tests/{name} needs could not be installed");
    }
    to
}
