//! Where the suite's server comes from.

use std::collections::BTreeSet;
use std::env;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

use harness::server::Settings;
use harness::{Client, Server, Store};

use crate::client::Shop;

/// Runs a test against the server that all tests share, or the one that `BASE_URL` names.
pub fn with_shop(test: impl FnOnce(Shop)) {
    static SHARED: LazyLock<(Store, Server)> = LazyLock::new(|| {
        let store = Store::new(crate::TARGET).and_then(Store::to_the_end).expect("there is a store");
        let server = Server::start(&store, Settings::default()).expect("the server starts");
        (store, server)
    });
    test(match base_url() {
        Some(base_url) => {
            let token = env::var("OPERATOR_TOKEN").ok();
            Shop(Client::new(&base_url, token.as_deref()).unwrap_or_else(|error| panic!("BASE_URL: {error}")))
        }
        None => Shop(SHARED.1.client.clone()),
    });
}

/// Runs a test against a fresh server of its own with these variables on top of the usual ones; not at all with
/// `BASE_URL`, where none can be had.
pub fn with_own_server(variables: &[(&str, &str)], test: impl FnOnce(&mut OwnServer)) {
    if base_url().is_some() {
        return skip();
    }
    let mut server = OwnServer::start(Settings::with_variables(variables));
    test(&mut server);
    server.stop();
}

/// Says once which test is skipped, past the test harness, which would swallow what a passing test prints.
fn skip() {
    static SKIPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    if SKIPPED.lock().expect("no test panics here").insert(test.clone()) {
        let line = format!("skipped {test}: it needs a server of its own, and BASE_URL is set\n");
        // Where it cannot be said, nothing else is wrong.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn base_url() -> Option<String> {
    env::var("BASE_URL").ok().filter(|url| !url.is_empty())
}

/// A server that one test has for itself.
pub struct OwnServer {
    pub shop: Shop,
    server: Option<Server>,
    store: Store,
    settings: Settings,
}

impl OwnServer {
    fn start(settings: Settings) -> OwnServer {
        let store = Store::new(crate::TARGET).expect("there is a store");
        let server = Server::start(&store, settings.clone()).expect("the server starts");
        OwnServer { shop: Shop(server.client.clone()), server: Some(server), store, settings }
    }

    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    /// Ends the server as a crash would: in the middle of whatever it does.
    pub fn crash(&mut self) {
        self.server.take();
    }

    /// Starts another server on the same store, once this one has ended.
    pub fn restart(&mut self) {
        self.stop();
        let server = Server::start(&self.store, self.settings.clone()).expect("the server starts");
        self.shop = Shop(server.client.clone());
        self.server = Some(server);
    }
}
