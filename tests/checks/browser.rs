//! The console and the API's documentation, in a real browser: see tests/browser.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use harness::{TOKEN, debian, root};
use host::toolchain::say;
use stripe_stand_in::{Options, SECRET_KEY, StandIn, WEBHOOK_SECRET};

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
    // The tests serve a page there.
    let storefront = format!("http://127.0.0.1:{}", free_port());
    let shop = Shop::open(&[("allowed_origins", storefront.as_str())]);
    let short = Shop::open(&[("payment_window_seconds", "3")]);
    let provider = StandIn::start(Options::default()).expect("the stand-in starts");
    let paid = paid_shop(&provider, &[]);
    let webhooks = format!("{}/payments/stripe/events", paid.server.client.url());
    provider.set_webhook_url(Some(&webhooks)).expect("it is an address");
    // Long enough to get to the provider's page. The stand-in has one address for webhooks, so this shop only looks.
    let brief = paid_shop(&provider, &[("payment_window_seconds", "8")]);
    let pictures = root().join("target/screenshots");
    let run = Command::new("node")
        .args(["--test", "--test-reporter=spec", "all.test.mjs"])
        .env("BASE_URL", shop.server.client.url())
        .env("BASE_URL_SHORT", short.server.client.url())
        .env("STOREFRONT", &storefront)
        .env("BASE_URL_PROVIDER", paid.server.client.url())
        .env("BASE_URL_PROVIDER_SHORT", brief.server.client.url())
        .env("PROVIDER_URL", provider.url())
        .env("PROVIDER_KEY", SECRET_KEY)
        .env("OPERATOR_TOKEN", TOKEN)
        .env("SCREENSHOTS", &pictures)
        .current_dir(&folder)
        .output()
        .expect("Node is there");
    let report = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{report}\n{errors}");
    let all_ran = report.lines().any(|line| line.trim_start_matches(['#', 'ℹ', ' ']) == "skipped 0");
    assert!(all_ran, "a test was skipped\n{report}");
    // Its exit code alone says nothing: it is 0 as well when there was nothing to run.
    let passed = report.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    let passed: usize = passed.and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!(passed > 20, "{passed} tests passed\n{report}");
    say(format_args!("{passed} tests in a browser passed; see {} for what it looks like", pictures.display()));
}

/// A shop that is paid through the stand-in, and to which its buyers come back.
fn paid_shop(provider: &StandIn, variables: &[(&str, &str)]) -> Shop {
    let port = free_port();
    let (api, return_url) = (provider.url(), format!("http://127.0.0.1:{port}/"));
    let of_provider = [
        ("stripe_secret_key", SECRET_KEY),
        ("stripe_webhook_secret", WEBHOOK_SECRET),
        ("stripe_api", api.as_str()),
        ("return_url", return_url.as_str()),
    ];
    Shop::open_at(Some(port), &[of_provider.as_slice(), variables].concat())
}

/// A port of this machine that is free.
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    free.expect("a port is free").port()
}
