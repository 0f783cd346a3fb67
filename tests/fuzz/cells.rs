//! Claim cells, in which the store keeps where an item is: broken ones, on the components as they ship.

use std::cell::RefCell;

use harness::server::Settings;
use harness::{Request, Server, Store, Target};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::property::check;
use memory_shop::Records;

/// A served shop whose store can be reached past it.
pub struct Served {
    server: RefCell<Server>,
    store: Store,
}

impl Served {
    pub fn start() -> Self {
        let store = Store::new(Target::Local).expect("there is a store");
        Self { server: RefCell::new(serve(&store)), store }
    }

    /// Replaces all that is stored, and with it what instances remember.
    pub fn replace(&self, records: &Records) {
        let insert = "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2)";
        let mut store = self.store.sqlite();
        let all = store.transaction().expect("the store can be written");
        all.execute("DELETE FROM spin_key_value", ()).expect("the store can be written");
        for (key, value) in records {
            all.execute(insert, (key, value)).expect("the store can be written");
        }
        all.commit().expect("the store can be written");
        self.restart();
    }

    /// Ends all instances, and with them what they remember.
    fn restart(&self) {
        self.server.replace(serve(&self.store));
    }

    /// Status and code of the answer.
    fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let (status, body) = self.ask(method, path, body, None);
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Status and body of the answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>, key: Option<&str>) -> (u16, Value) {
        let request = Request::new(method, path).operator();
        let request = body.into_iter().fold(request, Request::json);
        let request = key.into_iter().fold(request, Request::key);
        let answer = self.server.borrow().client.send(&request).expect("the server answers");
        (answer.status, answer.value())
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

fn serve(store: &Store) -> Server {
    Server::start(store, Settings::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_broken_claim_cell_or_the_record_behind_it_is_refused_and_stays() {
    let shop = Served::start();
    let put = shop.send("PUT", "/inventory/teapot", Some(json!({ "unit_price": 1, "on_hand": 10 })));
    assert_eq!(put, (201, String::new()));
    let cell = "inventory:teapot~";
    let token = shop.store.value(cell).expect("the item has a cell");
    let number = u64::from_le_bytes(token.clone().try_into().expect("a cell has 8 bytes"));
    let record = format!("{cell}{number:016x}");
    let content = shop.store.value(&record).expect("the item has a record");

    let bytes = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 8)];
    check(60, (any::<bool>(), bytes), |(in_cell, bytes)| {
        let (key, sound) = if in_cell { (cell, &token) } else { (record.as_str(), &content) };
        // Zero says that no request has claimed the item yet.
        if in_cell && (bytes == [0; 8] || bytes == token) {
            return;
        }
        shop.store.replace(key, &bytes);
        if in_cell {
            // An instance that has seen by whom a cell is claimed does not look again.
            shop.restart();
        }
        shop.refuses("teapot", (500, "unreadable_record"));
        // The others are listed, and this one is named.
        assert_eq!(shop.send("GET", "/inventory", None), (200, String::new()));
        assert_eq!(shop.store.value(key), Some(bytes));
        // Neither the store nor any other record has come to harm.
        assert_eq!(shop.send("GET", "/inventory/item1", None), (200, String::new()));
        shop.store.replace(key, sound);
        assert_eq!(shop.send("GET", "/inventory/teapot", None), (200, String::new()));
    });
}
