//! The console and the API's documentation, in a real browser: see tests/browser.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use harness::{Request, TOKEN, debian, root};
use host::toolchain::say;
use host::{Call, CallOutcome, StoreHook};
use stripe_stand_in::{Options, SECRET_KEY, StandIn, WEBHOOK_SECRET};

use crate::npm;
use crate::shop::Shop;

/// How the ids of items begin of which a return is cut off.
const CUT_OFF: &str = "cut-off-";

// Two tests, so that they run side by side: each has shops and a browser of its own.

#[test]
fn customers_can_use_the_pages_in_a_browser() {
    let shop = Shop::open(&[]);
    let short = Shop::open(&[("payment_window_seconds", "3")]);
    let provider = StandIn::start(Options::default()).expect("the stand-in starts");
    let paid = paid_shop(&provider, &[]);
    send_webhooks(&provider, &paid);
    // Long enough to get to the provider's page. The stand-in has one address for webhooks, so this shop only looks.
    let brief = paid_shop(&provider, &[("payment_window_seconds", "8")]);
    let addresses = [
        ("BASE_URL", shop.url()),
        ("BASE_URL_SHORT", short.url()),
        ("BASE_URL_PROVIDER", paid.url()),
        ("BASE_URL_PROVIDER_SHORT", brief.url()),
        ("PROVIDER_URL", provider.url()),
    ];
    run("customers.test.mjs", &addresses);
}

#[test]
fn operators_and_developers_can_use_the_pages_in_a_browser() {
    // The tests serve a page there.
    let storefront = format!("http://127.0.0.1:{}", free_port());
    let hook = Arc::new(CutOffReturns::default());
    let shop = Shop::open_with(Some(hook), None, &[("allowed_origins", storefront.as_str())]);
    let damaged = Shop::open(&[]);
    let provider = StandIn::start(Options::default()).expect("the stand-in starts");
    let paid = paid_shop(&provider, &[]);
    send_webhooks(&provider, &paid);
    let addresses = [
        ("BASE_URL", shop.url()),
        ("BASE_URL_DAMAGED", damaged.url()),
        ("BASE_URL_PROVIDER", paid.url()),
        ("PROVIDER_URL", provider.url()),
        ("STOREFRONT", storefront),
        ("CUT_OFF", CUT_OFF.to_owned()),
        ("DAMAGED_ORDER", damaged_order(&damaged)),
    ];
    run("operators.test.mjs", &addresses);
}

/// Runs a file of tests, to which these variables say where things are.
fn run(file: &str, variables: &[(&str, String)]) {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(install);
    let pictures = root().join("target/screenshots");
    let run = Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env("PROVIDER_KEY", SECRET_KEY)
        .env("OPERATOR_TOKEN", TOKEN)
        .env("SCREENSHOTS", &pictures)
        .current_dir(&*FOLDER)
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
    say(format_args!(
        "{passed} tests of {file} passed in a browser; see {} for what it looks like",
        pictures.display()
    ));
}

/// Installs the browser and what drives it, and copies the tests there. Answers where.
fn install() -> PathBuf {
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
    folder
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
    Shop::open_with(None, Some(port), &[of_provider.as_slice(), variables].concat())
}

fn send_webhooks(provider: &StandIn, shop: &Shop) {
    let address = format!("{}/payments/stripe/events", shop.url());
    provider.set_webhook_url(Some(&address)).expect("it is an address");
}

/// Places an order, and damages its record, as no request would.
fn damaged_order(shop: &Shop) -> String {
    let placed = shop.server.client.send(&Request::place(&[("item1", 1)])).expect("the server answers");
    let id = placed.value()["order_id"].as_str().expect("it is placed").to_owned();
    shop.store.replace(&format!("payment:{id}"), b"damaged");
    id
}

/// Ends the instance that is about to put goods of a return back into stock, as a crash would: once for each item whose id
/// begins as [`CUT_OFF`]. Then the return is on record, and its goods are not back.
#[derive(Debug, Default)]
struct CutOffReturns(Mutex<BTreeSet<String>>);

impl StoreHook for CutOffReturns {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        let changes = call.component == "after-sale" && call.operation.writes();
        let item = call.keys.iter().find(|key| key.contains(&format!("inventory:{CUT_OFF}")));
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match item {
            Some(item) if changes && done.insert(item.clone()) => CallOutcome::Killed { done: false },
            _ => CallOutcome::Done,
        }
    }
}

/// A port of this machine that is free.
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    free.expect("a port is free").port()
}
