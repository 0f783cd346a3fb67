//! requests.http runs from top to bottom, in a runner of such files.

use std::fs;
use std::process::Command;

use harness::{TOKEN, root};

use crate::npm;
use crate::shop::Shop;

#[test]
fn each_request_of_requests_http_is_answered_as_it_expects() {
    let requests = fs::read_to_string(root().join("tests/requests.http")).expect("requests.http can be read");
    let count = requests.lines().filter(|line| line.starts_with("###")).count();
    assert!(count > 50, "requests.http has {count} requests");

    let shop = Shop::open(&[]);
    // Twice, since a reader will send them again as well.
    for _ in 0..2 {
        let run = Command::new(npm::install("httpyac").join("node_modules/.bin/httpyac"))
            .args(["send", "requests.http", "--all", "--filter", "only-failed", "--no-color", "--var"])
            .args([format!("baseUrl={}", shop.server.client.url()), format!("operatorToken={TOKEN}")])
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
