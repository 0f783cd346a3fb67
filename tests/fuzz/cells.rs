//! Claim cells, in which the store keeps where an item is: broken ones, on the components as they ship.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use host::{Options, Server};
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::property::check;

const TOKEN: &str = "let-me-in";

/// A served shop whose store can be reached past it.
struct Served {
    server: RefCell<Server>,
    store: Connection,
    client: ureq::Agent,
    state: TempDir,
}

impl Served {
    fn start() -> Self {
        let state = tempfile::tempdir().expect("a folder can be made");
        let server = RefCell::new(serve(state.path(), true));
        let store = Connection::open(state.path().join("sqlite_key_value.db")).expect("the store is there");
        store.busy_timeout(Duration::from_secs(60)).expect("a connection takes options");
        let client = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { server, store, client, state }
    }

    /// Ends all instances, and with them what they remember.
    fn restart(&self) {
        self.server.replace(serve(self.state.path(), false));
    }

    fn value(&self, key: &str) -> Option<Vec<u8>> {
        let query = "SELECT value FROM spin_key_value WHERE key = ?1";
        self.store.query_row(query, [key], |row| row.get(0)).optional().expect("the store can be read")
    }

    fn set(&self, key: &str, value: &[u8]) {
        let update = "UPDATE spin_key_value SET value = ?2 WHERE key = ?1";
        assert_eq!(self.store.execute(update, params![key, value]).expect("the store can be written"), 1, "{key}");
    }

    /// Status and code of the answer.
    fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let request = ureq::http::Request::builder().method(method);
        let request = request.uri(format!("http://{}{path}", self.server.borrow().address()));
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = request.header("content-type", "application/json");
        let body = body.map_or_else(String::new, |body| body.to_string());
        let mut answer = self.client.run(request.body(body).expect("a request")).expect("the server answers");
        let status = answer.status().as_u16();
        let body: Value = answer.body_mut().read_json().expect("in JSON");
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Asserts that every request which needs `item` is refused like this.
    fn refuses(&self, item: &str, expected: (u16, &str)) {
        let path = format!("/inventory/{item}");
        let price = || json!({ "unit_price": 2 });
        for (method, path, body) in [
            ("GET", path.clone(), None),
            ("PUT", path.clone(), Some(price())),
            ("PUT", path.clone(), Some(json!({ "unit_price": 2, "on_hand": 3 }))),
            ("POST", format!("{path}/adjustments"), Some(json!({ "delta": 1 }))),
            ("POST", "/orders".to_owned(), Some(json!({ "item_id": item, "quantity": 1 }))),
        ] {
            let (status, code) = self.send(method, &path, body);
            assert_eq!((status, code.as_str()), expected, "{method} {path}");
        }
    }
}

fn serve(state: &Path, build: bool) -> Server {
    let options = Options {
        manifest: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        state_dir: Some(state.to_owned()),
        variables: [("operator_token".to_owned(), TOKEN.to_owned())].into(),
        quiet: true,
        build,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be had");
    runtime.block_on(host::start(options)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_broken_claim_cell_or_the_record_behind_it_is_refused_and_stays() {
    let shop = Served::start();
    let put = shop.send("PUT", "/inventory/teapot", Some(json!({ "unit_price": 1, "on_hand": 10 })));
    assert_eq!(put, (201, String::new()));
    let cell = "inventory:teapot~";
    let token = shop.value(cell).expect("the item has a cell");
    let number = u64::from_le_bytes(token.clone().try_into().expect("a cell has 8 bytes"));
    let record = format!("{cell}{number:016x}");
    let content = shop.value(&record).expect("the item has a record");

    let bytes = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 8)];
    check(60, (any::<bool>(), bytes), |(in_cell, bytes)| {
        let (key, sound) = if in_cell { (cell, &token) } else { (record.as_str(), &content) };
        // Zero says that nobody has claimed the item yet.
        if in_cell && (bytes == [0; 8] || bytes == token) {
            return;
        }
        shop.set(key, &bytes);
        if in_cell {
            // An instance that has seen by whom a cell is claimed does not look again.
            shop.restart();
        }
        shop.refuses("teapot", (500, "unreadable_record"));
        // The others are listed, and this one is named.
        assert_eq!(shop.send("GET", "/inventory", None), (200, String::new()));
        assert_eq!(shop.value(key), Some(bytes));
        // The store has not come to harm, nor has what is beside it.
        assert_eq!(shop.send("GET", "/inventory/item1", None), (200, String::new()));
        shop.set(key, sound);
        assert_eq!(shop.send("GET", "/inventory/teapot", None), (200, String::new()));
    });
}
