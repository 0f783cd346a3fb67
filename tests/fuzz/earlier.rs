//! A store that an earlier version of the components filled: today's components tell and do the same with it.
//!
//! How it was made, and what it holds, is in `earlier/README.md`.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use domain::order::{ExpectedPrices, Lines, NewOrder};
use domain::{KeyDigest, Settings};
use http::Method;
use memory_store::run;
use serde_json::{Value, json};

use crate::cells::Served;
use memory_shop::{Answer, Records, World, request, with_key};

/// The records as the key-value store held them.
static STORED: LazyLock<Records> = LazyLock::new(|| {
    let line = |line: &str| {
        let (key, value) = line.split_once('\t').expect("a line is a key and a value");
        let hexadecimal = |from: usize| u8::from_str_radix(&value[from..from + 2], 16).expect("it is hexadecimal");
        let value = match value.as_bytes()[0] {
            b'{' | b'[' | b'"' => value.as_bytes().to_vec(),
            _ => (0..value.len()).step_by(2).map(hexadecimal).collect(),
        };
        (key.to_owned(), value)
    };
    include_str!("earlier/records.txt").lines().map(line).collect()
});

/// What the earlier version told of it.
static TOLD: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("earlier/told.json")).expect("JSON"));

/// The records as the rules know them: under the name of the item and not under that of the claim.
fn records() -> Records {
    let claimed = |(key, value): (&String, &Vec<u8>)| {
        let Some((name, token)) = key.split_once('~') else { return Some((key.clone(), value.clone())) };
        let cell = u64::from_le_bytes(STORED[&format!("{name}~")][..].try_into().expect("a cell has 8 bytes"));
        (token == format!("{cell:016x}")).then(|| (name.to_owned(), value.clone()))
    };
    STORED.iter().filter_map(claimed).collect()
}

/// Today's shop on these records, at the moment at which the earlier version told what it told.
fn shop() -> World {
    let world = World::new(records(), 1);
    world.set_now(TOLD["now"].as_u64().expect("a number"));
    world
}

/// The orders by name, as they were told.
fn orders() -> impl Iterator<Item = (&'static str, &'static Value)> {
    TOLD["orders"].as_object().expect("orders by name").iter().map(|(name, order)| (name.as_str(), order))
}

fn path(order: &Value) -> String {
    format!("/orders/{}", order["order_id"].as_str().expect("an id"))
}

/// What is told today, without what the earlier version did not tell: the decimal places of a currency, that a payment is
/// made and moved no money, and that nothing came back.
fn as_then(told: Value) -> Value {
    match told {
        Value::Object(mut members) => {
            if let Some(charged) = members.remove("charged") {
                assert_eq!((charged, members.remove("status")), (Value::from(false), Some("paid".into())));
            }
            for name in ["returned", "written_off"] {
                assert!(members.remove(name).is_none_or(|number| number == 0), "nothing came back");
            }
            let members = members.into_iter().filter(|(name, _)| name != "currency_digits");
            members.map(|(name, value)| (name, as_then(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(as_then).collect(),
        other => other,
    }
}

fn status(order: &Value) -> &str {
    order["status"].as_str().expect("a status")
}

/// What the books say of each item.
fn books(world: &World) -> Value {
    let answer = world.get("/books");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].clone()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().expect("a list")
}

fn placed_again(world: &World, keyed: &Value) -> Answer {
    let body = keyed["body"].to_string();
    world.send(with_key(request(Method::POST, "/orders", body.as_bytes()), keyed["key"].as_str().expect("a key")))
}

#[test]
fn an_earlier_store_has_every_kind_of_record_and_orders_in_every_state() {
    let kinds = ["adjustment", "catalog", "idempotency", "inventory", "ledger", "order", "payment", "placed"];
    let there: Vec<_> = records().into_keys().map(|key| key.split(':').next().expect("a kind").to_owned()).collect();
    assert!(kinds.iter().all(|kind| there.iter().any(|there| there == kind)), "{there:?}");
    let states: Vec<_> = orders().map(|(_, order)| status(order)).collect();
    for state in ["pending", "paid", "cancelled", "expired", "rejected"] {
        assert!(states.contains(&state), "{state}");
    }
    let items = records().into_iter().filter(|(key, _)| key.starts_with("inventory:"));
    let items: Vec<_> = items.map(|(_, bytes)| records::Item::decode(&bytes).expect("an item")).collect();
    assert!(items.iter().any(|item| item.holds.values().any(|hold| hold.key.is_some())), "holds with keys");
    assert!(items.iter().any(|item| item.holds.values().any(|hold| hold.key.is_none())), "holds without");
    assert!(items.iter().any(|item| !item.settled_keys.is_empty()), "settled keys");
    assert!(items.iter().any(|item| !item.adjustments.is_empty()), "adjustments");
}

#[test]
fn every_order_and_item_of_an_earlier_store_is_told_as_before() {
    let world = shop();
    for (name, order) in orders() {
        assert_eq!(as_then(world.get(&path(order)).body), *order, "{name}");
        let history = world.get(&format!("{}/history", path(order)));
        assert_eq!(history.status, 200, "{name}: {history:?}");
    }
    assert_eq!(as_then(world.get("/inventory").body), TOLD["inventory"]);
    assert_eq!(as_then(world.get("/books").body), TOLD["books"]);

    // And each is in the list of orders, once.
    let answer = world.get("/orders?limit=100");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.get("unreadable_orders").is_none(), "{answer:?}");
    let mut listed = BTreeMap::new();
    for order in list(&answer.body, "orders") {
        assert_eq!(listed.insert(path(order), status(order)), None, "{order}");
    }
    for (name, order) in orders() {
        assert_eq!(listed.get(&path(order)), Some(&status(order)), "{name}");
    }
}

#[test]
fn every_order_of_an_earlier_store_is_paid_and_cancelled_as_its_state_allows() {
    for (name, order) in orders() {
        let outcome = |what: &str| {
            let world = shop();
            let before = world.records();
            let answer = world.post(&format!("{}/{what}", path(order)), "");
            // That an order has expired may be written down now. What was decided before stays.
            let is_decided = ["paid", "cancelled", "rejected"].contains(&status(order));
            assert!(!is_decided || world.records() == before, "{name}: {what}");
            let told = world.get(&path(order)).body;
            (answer.outcome().0, answer.outcome().1.to_owned(), status(&told).to_owned())
        };
        let is = |status: u16, code: &str, state: &str| (status, code.to_owned(), state.to_owned());
        let (paid, cancelled) = match status(order) {
            "pending" => (is(200, "", "paid"), is(200, "", "cancelled")),
            "paid" => (is(200, "", "paid"), is(409, "order_not_cancellable", "paid")),
            "cancelled" => (is(409, "order_not_payable", "cancelled"), is(200, "", "cancelled")),
            state => (is(409, "order_not_payable", state), is(409, "order_not_cancellable", state)),
        };
        assert_eq!(outcome("pay"), paid, "{name}");
        assert_eq!(outcome("cancel"), cancelled, "{name}");
    }
}

/// Whether the shop takes this key for an order. The earlier version took shorter ones too.
fn is_long(keyed: &Value) -> bool {
    keyed["key"].as_str().expect("a key").len() >= 16
}

#[test]
fn a_key_that_is_too_short_now_is_refused_and_still_stands_for_its_order() {
    for keyed in list(&TOLD, "keyed_orders").iter().filter(|keyed| !is_long(keyed)) {
        let world = shop();
        let order = &TOLD["orders"][keyed["order"].as_str().expect("a name")];
        let before = world.records();
        assert_eq!(placed_again(&world, keyed).outcome(), (422, "invalid_request"), "{keyed}");
        assert!(world.records() == before, "{keyed}");
        let line = |line: &Value| {
            let (item_id, quantity) = (line["item_id"].as_str().expect("an id"), line["quantity"].as_u64());
            (item_id.parse().expect("an id"), quantity.expect("a number").try_into().expect("a quantity"))
        };
        let lines = Lines::new(list(&keyed["body"], "items").iter().map(line)).expect("lines");
        let customer_id = keyed["body"]["customer_id"].as_str().map(|id| id.parse().expect("an id"));
        let key = KeyDigest::new("orders", keyed["key"].as_str().expect("a key"));
        let settings = Settings {
            payment_window: Duration::from_secs(900),
            currency: "CNY".to_owned().try_into().expect("a currency"),
            closed_orders_kept: None,
            max_per_order: None,
            limits: api::LIMITS,
        };
        let shop = world.open(settings);
        let placed = run(shop.place(NewOrder { lines, customer_id, expected: ExpectedPrices::default() }, Some(key)))
            .expect("it was placed before");
        assert!(placed.replayed, "{keyed}");
        assert_eq!(placed.view.order.order_id.to_string(), order["order_id"], "{keyed}");
    }
}

#[test]
fn a_request_with_a_key_that_an_earlier_version_answered_is_answered_with_the_same() {
    for keyed in list(&TOLD, "keyed_orders").iter().filter(|keyed| is_long(keyed)) {
        let world = shop();
        let order = &TOLD["orders"][keyed["order"].as_str().expect("a name")];
        let before = world.get("/inventory").body;
        let answer = placed_again(&world, keyed);
        assert!(answer.replayed(), "{keyed}: {answer:?}");
        assert_eq!(as_then(answer.body), *order, "{keyed}");
        assert_eq!(world.get("/inventory").body, before, "{keyed}");
        let mut other = keyed.clone();
        other["body"]["items"][0]["quantity"] = 7.into();
        assert_eq!(placed_again(&world, &other).outcome(), (422, "idempotency_key_reused"), "{keyed}");
    }
    for keyed in list(&TOLD, "keyed_adjustments") {
        let world = shop();
        let before = world.get("/inventory").body;
        let path = format!("/inventory/{}/adjustments", keyed["item"].as_str().expect("an item"));
        let body = keyed["body"].to_string();
        let again = request(Method::POST, &path, body.as_bytes());
        let answer = world.send(with_key(again, keyed["key"].as_str().expect("a key")));
        assert_eq!((answer.status, answer.replayed()), (200, true), "{keyed}: {answer:?}");
        assert_eq!(world.get("/inventory").body, before, "{keyed}");
    }
}

#[test]
fn the_books_of_an_earlier_store_balance_after_every_kind_of_request() {
    let world = shop();
    for (name, order) in orders().filter(|(_, order)| status(order) == "pending") {
        let what = if name.ends_with("without_key") { "cancel" } else { "pay" };
        assert_eq!(world.post(&format!("{}/{what}", path(order)), "").status, 200, "{name}");
    }
    let items: Vec<_> = list(&TOLD["inventory"], "items").iter().map(|item| item["item_id"].clone()).collect();
    for item in &items {
        let item = item.as_str().expect("an id");
        // Twice: what one order settles makes room for the next.
        for _ in 0..2 {
            assert_eq!(world.post(&format!("/inventory/{item}/adjustments"), r#"{"delta":3}"#).status, 200, "{item}");
            let order = json!({ "item_id": item, "quantity": 1 }).to_string();
            assert_eq!(world.post("/orders", order).status, 201, "{item}");
        }
    }
    world.wait(901);
    for item in &items {
        let item = item.as_str().expect("an id");
        assert_eq!(world.post(&format!("/inventory/{item}/adjustments"), r#"{"delta":1}"#).status, 200, "{item}");
    }
    let books = books(&world);
    let books = books.as_array().expect("a list");
    assert_eq!(books.len(), items.len());
    for item in books {
        assert_eq!((&item["balanced"], &item["reserved"]), (&json!(true), &json!(0)), "{item}");
    }
    for (name, order) in orders().filter(|(_, order)| status(order) != "pending") {
        assert_eq!(as_then(world.get(&path(order)).body), *order, "{name}");
    }
}

/// By the clock of this machine, all that was pending has expired since.
#[test]
fn the_compiled_components_open_an_earlier_store() {
    let shop = Served::start();
    shop.replace(&STORED);
    let stored = shop.ask("GET", "/inventory", None, None);
    assert_eq!((stored.0, list(&stored.1, "items").len()), (200, list(&TOLD["inventory"], "items").len()));
    for keyed in list(&TOLD, "keyed_adjustments") {
        let path = format!("/inventory/{}/adjustments", keyed["item"].as_str().expect("an item"));
        assert_eq!(shop.ask("POST", &path, Some(keyed["body"].clone()), keyed["key"].as_str()).0, 200, "{keyed}");
    }
    assert_eq!(shop.ask("GET", "/inventory", None, None), stored, "nothing is adjusted twice");
    for (name, order) in orders() {
        let is = if status(order) == "pending" { "expired" } else { status(order) };
        let (answered, told) = shop.ask("GET", &path(order), None, None);
        assert_eq!((answered, status(&told)), (200, is), "{name}");
        assert_eq!((&told["items"], &told["total"]), (&order["items"], &order["total"]), "{name}");
        let (answered, _) = shop.ask("POST", &format!("{}/pay", path(order)), None, None);
        assert_eq!(answered, if is == "paid" { 200 } else { 409 }, "{name}");
    }
    for keyed in list(&TOLD, "keyed_orders").iter().filter(|keyed| is_long(keyed)) {
        let order = &TOLD["orders"][keyed["order"].as_str().expect("a name")];
        let (_, again) = shop.ask("POST", "/orders", Some(keyed["body"].clone()), keyed["key"].as_str());
        assert_eq!(again["order_id"], order["order_id"], "{keyed}");
    }
    for item in list(&TOLD["inventory"], "items") {
        let path = format!("/inventory/{}/adjustments", item["item_id"].as_str().expect("an id"));
        assert_eq!(shop.ask("POST", &path, Some(json!({ "delta": 1 })), None).0, 200, "{item}");
    }
    for item in list(&shop.ask("GET", "/books", None, None).1, "items") {
        assert_eq!((&item["balanced"], &item["reserved"]), (&json!(true), &json!(0)), "{item}");
    }
}
