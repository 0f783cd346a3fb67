//! A served shop with a fresh store.

use std::sync::Arc;
use std::time::Duration;

use harness::server::Settings;
use harness::{Request, Server, Store, Target};
use host::{Stats, StoreHook};
use serde_json::Value;

pub struct Shop {
    pub server: Server,
    pub store: Store,
}

impl Shop {
    /// Serves the application with these variables on top of a token.
    pub fn open(variables: &[(&str, &str)]) -> Self {
        Self::open_with(None, None, variables)
    }

    /// Serves it with this between its components and their store, and at this port of this machine.
    pub fn open_with(hook: Option<Arc<dyn StoreHook>>, port: Option<u16>, variables: &[(&str, &str)]) -> Self {
        let store = Store::new(Target::Local).expect("there is a store");
        // What a request costs differs in a new instance. So instances stay, however slow the machine is.
        let idle_timeout = Some(Duration::from_secs(3600));
        let settings = Settings { hook, port, idle_timeout, ..Settings::with_variables(variables) };
        let server = Server::start(&store, settings).unwrap_or_else(|error| panic!("{error}"));
        Self { server, store }
    }

    pub fn url(&self) -> String {
        self.server.client.url()
    }

    pub fn get(&self, path: &str) -> Value {
        self.send(&Request::get(path)).1
    }

    /// Sends a POST with this body, and a key where there is one: status and body of the answer.
    pub fn post(&self, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let request = Request::post(path).operator().json(body.clone());
        self.send(&key.into_iter().fold(request, Request::key))
    }

    fn send(&self, request: &Request) -> (u16, Value) {
        let answer = self.server.client.send(request).expect("the server answers");
        assert!(!answer.value().is_null(), "in JSON: {answer:?}");
        (answer.status, answer.value())
    }

    /// What the server did on its store for `request`.
    pub fn cost<T>(&self, request: impl FnOnce() -> T) -> (T, Stats) {
        let before = self.server.host.stats();
        let result = request();
        (result, self.server.host.stats().since(&before))
    }
}
