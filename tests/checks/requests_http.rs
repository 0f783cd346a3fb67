//! requests.http and payments.http run from top to bottom, in a runner of such files.

use std::fs;
use std::process::Command;

use harness::server::Settings;
use harness::{Server, Store, TOKEN, Target, provider, root};

use crate::npm;
use crate::shop::Shop;

#[test]
fn each_request_of_requests_http_is_answered_as_it_expects() {
    let shop = Shop::open(&[]);
    send_all("requests.http", 50, &[("baseUrl", shop.server.client.url())]);
}

#[test]
fn each_request_of_payments_http_is_answered_as_it_expects() {
    let provider = provider::start().unwrap_or_else(|error| panic!("{error}"));
    let store = Store::new(Target::Local).expect("there is a store");
    let server = Server::start_paid_at(&provider, &store, Settings::default());
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let file = fs::read_to_string(root().join("tests/payments.http")).expect("payments.http can be read");
    assert!(file.contains(&format!("@standInKey = {}\n", stripe_stand_in::SECRET_KEY)));
    send_all("payments.http", 22, &[("baseUrl", server.client.url()), ("standIn", provider.url())]);
    assert_eq!((provider.charges().len(), provider.refunds().len()), (4, 0), "two orders are paid, each time");
}

/// Sends all requests of a file, which has more than this number, twice: a reader will send them again as well.
fn send_all(file: &str, more_than: usize, variables: &[(&str, String)]) {
    let requests = fs::read_to_string(root().join("tests").join(file)).expect("the file can be read");
    let count = requests.lines().filter(|line| line.starts_with("###")).count();
    assert!(count > more_than, "{file} has {count} requests");
    for _ in 0..2 {
        let run = Command::new(npm::install("httpyac").join("node_modules/.bin/httpyac"))
            .args(["send", file, "--all", "--filter", "only-failed", "--no-color", "--var"])
            .args(variables.iter().map(|(name, value)| format!("{name}={value}")))
            .arg(format!("operatorToken={TOKEN}"))
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
