//! The console and the API's documentation, in a real browser: see tests/browser.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use harness::{TOKEN, debian, root};
use host::toolchain::say;

use crate::npm;
use crate::shop::Shop;

#[test]
fn people_can_use_the_pages_in_a_browser() {
    let from = root().join("tests/browser");
    let lock = debian::lock().expect("a file can be locked");
    let installed = Command::new(from.join("install")).status().expect("a shell is there");
    drop(lock);
    assert!(installed.success(), "the browser could not be installed");
    let folder = npm::install("browser");
    for file in fs::read_dir(&from).expect("it is a folder").map(|file| file.expect("it can be read").path()) {
        if file.extension().is_some_and(|extension| extension == "mjs") {
            fs::copy(&file, folder.join(file.file_name().expect("it has one"))).expect("a file can be copied");
        }
    }
    // A port that is free: the tests serve a page there.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a port is free");
    let storefront = format!("http://{free}");
    let shop = Shop::open(&[("allowed_origins", storefront.as_str())]);
    let short = Shop::open(&[("payment_window_seconds", "3")]);
    let pictures = root().join("target/screenshots");
    let run = Command::new("node")
        .args(["--test", "--test-reporter=spec", "all.test.mjs"])
        .env("BASE_URL", shop.server.client.url())
        .env("BASE_URL_SHORT", short.server.client.url())
        .env("STOREFRONT", &storefront)
        .env("OPERATOR_TOKEN", TOKEN)
        .env("SCREENSHOTS", &pictures)
        .current_dir(&folder)
        .output()
        .expect("Node is there");
    let report = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{report}\n{errors}");
    // Its exit code alone says nothing: it is 0 as well when there was nothing to run.
    let passed = report.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    let passed: usize = passed.and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!(passed > 20, "{passed} tests passed\n{report}");
    say(format_args!("{passed} tests in a browser passed; see {} for what it looks like", pictures.display()));
}
