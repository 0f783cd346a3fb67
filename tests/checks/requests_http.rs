//! requests.http runs from top to bottom, in a runner of such files.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use host::toolchain::say;

use crate::root;
use crate::shop::{Shop, TOKEN};

#[test]
fn each_request_of_requests_http_is_answered_as_it_expects() {
    let requests = fs::read_to_string(root().join("tests/requests.http")).expect("requests.http can be read");
    let count = requests.lines().filter(|line| line.starts_with("###")).count();
    assert!(count > 50, "requests.http has {count} requests");

    let shop = Shop::open(&[]);
    // Twice, since a reader will send them again as well.
    for _ in 0..2 {
        let run = Command::new(httpyac())
            .args(["send", "requests.http", "--all", "--filter", "only-failed", "--no-color", "--var"])
            .args([format!("baseUrl=http://{}", shop.server.address()), format!("operatorToken={TOKEN}")])
            .current_dir(root().join("tests"))
            .output()
            .expect("the runner runs");
        let output = String::from_utf8_lossy(&run.stdout);
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{output}\n{errors}");
        // Its exit code alone says nothing: it is 0 as well when there was nothing to send.
        let expected = format!("{count} requests processed ({count} succeeded)");
        assert_eq!(output.trim().lines().last(), Some(expected.as_str()), "{output}\n{errors}");
    }
}

/// The runner, in the version of tests/httpyac, installed below `target` if it is missing.
fn httpyac() -> PathBuf {
    let from = root().join("tests/httpyac");
    let to = root().join("target/tools/httpyac");
    let files = ["package.json", "package-lock.json", ".npmrc"];
    let differs = |file: &&str| fs::read(from.join(file)).ok() != fs::read(to.join(file)).ok();
    let runner = to.join("node_modules/.bin/httpyac");
    if !runner.exists() || files.iter().any(differs) {
        say("Installing httpyac to run requests.http");
        fs::create_dir_all(&to).expect("a folder can be made");
        for file in files {
            fs::copy(from.join(file), to.join(file)).expect("a file can be copied");
        }
        let installed = Command::new("npm").arg("ci").current_dir(&to).status();
        assert!(installed.expect("npm is there").success(), "httpyac could not be installed");
    }
    runner
}
