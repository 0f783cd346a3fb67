//! Records of a broken or odd shape: no request panics, none overwrites what it cannot read, and none sells what is not
//! there, however little the records fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use domain::after_sale::Destination;
use domain::order::Order;
use domain::order_state::{OrderState, State};
use domain::{AdjustmentRecord, ImageUrl, ItemId, ItemName, KeyDigest, Money, OrderId, Quantity, Stock, Timestamp};
use http::{Method, Request};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use records::Item;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::damage::{Damage, Text, damages, spoil};
use crate::property::check;
use memory_shop::{Answer, Records, World, request, with_key};

/// How long an order can be paid, in seconds.
const WINDOW: u64 = 900;

/// A shop in which there is a record of every kind, and orders in every state.
struct Stocked {
    records: Records,
    /// The time at which it is as it is.
    seconds: u64,
    /// By how they ended.
    orders: BTreeMap<&'static str, String>,
}

static STOCKED: LazyLock<Stocked> = LazyLock::new(|| {
    let world = World::preset();
    let start = world.now();
    let place = |lines: &[(&str, u64)], key: &str| {
        let answer = world.send(keyed_order(lines, key));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["order_id"].as_str().expect("an id").to_owned()
    };
    let post = |path: String| assert_eq!(world.post(&path, "").status, 200);
    let cancel = |order: &str| post(format!("/orders/{order}/cancel"));

    let mut orders = BTreeMap::new();
    orders.insert("expired", place(&[("item3", 5)], "expired"));
    world.wait(WINDOW + 1);
    // Enough settled keys for their mappings to be written, and then one whose mapping is not.
    let settled: Vec<_> = (0..16).map(|n| place(&[("item2", 1)], &format!("settled-{n}"))).collect();
    settled.iter().for_each(|order| cancel(order));
    orders.insert("mapped", settled[0].clone());
    orders.insert("cancelled", place(&[("item1", 1)], "cancelled"));
    cancel(&orders["cancelled"]);
    let named = r#"{"unit_price":1000,"name":"Teapot","image":"https://shop.example/1.png"}"#;
    assert_eq!(world.send(request(Method::PUT, "/inventory/item1", named.as_bytes())).status, 200);
    orders.insert("pending", place(&[("item1", 2), ("item2", 1)], "pending"));
    orders.insert("paid", place(&[("item1", 3), ("item2", 2)], "paid"));
    assert_eq!(world.send(keyed_adjustment("item1", 7, "delivery")).status, 200);
    post(format!("/orders/{}/pay", orders["paid"]));
    orders.insert("returned", place(&[("item2", 3), ("item3", 1)], "returned"));
    post(format!("/orders/{}/pay", orders["returned"]));
    let sent = world.send(fulfilment(&orders["returned"], "x"));
    let back = world.send(returned(&orders["returned"], &[("item2", 1)], "first"));
    assert_eq!((sent.status, back.status), (200, 201), "{sent:?} {back:?}");
    let body = json!({ "items": [{ "item_id": "item2", "quantity": 1 }], "restock": true });
    let given_back = world.send(refund(&orders["returned"], body, "first"));
    assert_eq!(given_back.status, 201, "{given_back:?}");
    Stocked { records: world.records(), seconds: (world.now() - start) / 1000, orders }
});

impl Stocked {
    /// Such a shop, but with these records.
    fn with(&self, records: Records, seed: u64) -> World {
        let world = World::new(records, seed);
        world.wait(self.seconds);
        world
    }
}

fn keyed_order(lines: &[(&str, u64)], key: &str) -> Request<Vec<u8>> {
    let lines: Vec<_> = lines.iter().map(|(id, quantity)| json!({ "item_id": id, "quantity": quantity })).collect();
    with_key(request(Method::POST, "/orders", json!({ "items": lines }).to_string().as_bytes()), &key_of(key))
}

/// The key of an order has 16 characters at least.
fn key_of(name: &str) -> String {
    format!("{name:->16}")
}

fn order(item: &str, quantity: u64) -> Request<Vec<u8>> {
    let body = json!({ "item_id": item, "quantity": quantity }).to_string();
    request(Method::POST, "/orders", body.as_bytes())
}

fn fulfilment(order: &str, carrier: &str) -> Request<Vec<u8>> {
    let body = json!({ "carrier": carrier }).to_string();
    request(Method::PUT, &format!("/orders/{order}/fulfilment"), body.as_bytes())
}

fn returned(order: &str, lines: &[(&str, u64)], key: &str) -> Request<Vec<u8>> {
    let lines: Vec<_> = lines.iter().map(|(id, quantity)| json!({ "item_id": id, "quantity": quantity })).collect();
    let body = json!({ "items": lines, "to": if key == "first" { "stock" } else { "written_off" } }).to_string();
    with_key(request(Method::POST, &format!("/orders/{order}/returns"), body.as_bytes()), key)
}

fn refund(order: &str, body: serde_json::Value, key: &str) -> Request<Vec<u8>> {
    with_key(request(Method::POST, &format!("/orders/{order}/refunds"), body.to_string().as_bytes()), key)
}

fn keyed_adjustment(item: &str, delta: i64, key: &str) -> Request<Vec<u8>> {
    let body = json!({ "delta": delta }).to_string();
    with_key(request(Method::POST, &format!("/inventory/{item}/adjustments"), body.as_bytes()), key)
}

/// A request, and by how much it changes the stock of which item where it succeeds for the first time.
type Ask = (Request<Vec<u8>>, Option<(&'static str, i64)>);

/// Every request there is, on everything that there is.
fn every_request() -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    let mut ask = |request| asks.push((request, None));
    let get = |path: &str| request(Method::GET, path, b"");
    for order in STOCKED.orders.values() {
        ask(get(&format!("/orders/{order}")));
        ask(get(&format!("/orders/{order}/history")));
        ask(request(Method::POST, &format!("/orders/{order}/pay"), b""));
        ask(request(Method::POST, &format!("/orders/{order}/cancel"), b""));
        ask(get(&format!("/orders/{order}/returns")));
        ask(returned(order, &[("item2", 1)], "first"));
        ask(returned(order, &[("item2", 2), ("item3", 1)], "second"));
        ask(get(&format!("/orders/{order}/refunds")));
        ask(request(Method::POST, &format!("/orders/{order}/refunds/retry"), b""));
        ask(refund(order, json!({ "items": [{ "item_id": "item2", "quantity": 1 }], "restock": true }), "first"));
        ask(refund(order, json!({ "amount": 100 }), "second"));
        ask(refund(order, json!({}), "third"));
        ask(fulfilment(order, "x"));
        ask(fulfilment(order, "y"));
    }
    for item in ["item1", "item2", "item3"] {
        ask(get(&format!("/inventory/{item}")));
        ask(get(&format!("/inventory/{item}/history")));
        ask(request(Method::PUT, &format!("/inventory/{item}"), br#"{"unit_price":7}"#));
        ask(request(Method::PUT, &format!("/inventory/{item}"), br#"{"unit_price":7,"on_hand":7}"#));
        ask(order(item, 1));
        ask(order(item, 40));
        ask(order(item, 100));
    }
    ask(get("/inventory"));
    ask(get("/orders"));
    ask(get("/orders?status=pending&limit=1"));
    ask(get("/books"));
    ask(get("/metrics"));
    ask(get("/ready"));
    ask(request(Method::PUT, "/inventory/teapot", br#"{"unit_price":7,"on_hand":7}"#));
    ask(keyed_order(&[("item3", 5)], "expired"));
    ask(keyed_order(&[("item2", 1)], "settled-0"));
    ask(keyed_order(&[("item1", 1)], "cancelled"));
    ask(keyed_order(&[("item1", 2), ("item2", 1)], "pending"));
    ask(keyed_order(&[("item1", 3), ("item2", 2)], "paid"));
    ask(keyed_order(&[("item1", 1), ("item3", 1)], "new"));
    for (item, delta, key) in [("item1", 7, "delivery"), ("item1", -2, "a"), ("item2", 5, "b"), ("item3", -70, "c")] {
        asks.push((keyed_adjustment(item, delta, key), Some((item, delta))));
    }
    asks
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn state(bytes: &[u8]) -> Option<State> {
    decode::<OrderState>(bytes).map(|state| state.get().clone())
}

/// The item with these bytes, if all its numbers are numbers that there may be.
fn well_formed_item(bytes: &[u8]) -> Option<Item> {
    let item = Item::decode(bytes).ok()?;
    let sound = Stock::try_from(item.on_hand).is_ok()
        && Money::try_from(item.unit_price).is_ok()
        && item.max_per_order.is_none_or(|limit| Quantity::try_from(limit).is_ok())
        && item.name.clone().is_none_or(|name| ItemName::try_from(name).is_ok())
        && item.image.clone().is_none_or(|image| ImageUrl::try_from(image).is_ok())
        && item.holds.values().all(|hold| {
            Quantity::try_from(hold.quantity).is_ok() && u64::from(Timestamp::from(hold.expires_at)) == hold.expires_at
        });
    sound.then_some(item)
}

fn item(bytes: &[u8]) -> Option<Item> {
    let item = well_formed_item(bytes)?;
    let reserved: u64 = item.holds.values().map(|hold| hold.quantity).sum();
    (reserved <= item.on_hand).then_some(item)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    #[serde(rename = "items")]
    _items: BTreeSet<ItemId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    #[serde(rename = "id")]
    _id: String,
    next: u64,
    #[serde(rename = "by")]
    _by: String,
}

/// When the store was last tried.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LastProbe {
    #[serde(rename = "at")]
    _at: u64,
    #[serde(rename = "passed")]
    _passed: bool,
}

fn is_given_away_again(records: &Records, number: &str) -> bool {
    let ledger: Option<Ledger> = records.get("ledger").and_then(|bytes| decode(bytes));
    ledger.is_some_and(|ledger| number.parse::<u64>().is_ok_and(|number| number >= ledger.next))
}

/// Whether these bytes are a record of the kind that the key says.
fn readable(key: &str, bytes: &[u8]) -> bool {
    match key.split(':').next().unwrap_or_default() {
        "catalog" => decode::<Catalog>(bytes).is_some(),
        "inventory" => item(bytes).is_some(),
        "order" => decode::<Order>(bytes).is_some(),
        "payment" => decode::<OrderState>(bytes).is_some(),
        "idempotency" => decode::<OrderId>(bytes).is_some(),
        "ledger" => decode::<Ledger>(bytes).is_some(),
        "placed" => decode::<Vec<OrderId>>(bytes).is_some(),
        "adjustment" => decode::<AdjustmentRecord>(bytes).is_some(),
        "probe" => decode::<LastProbe>(bytes).is_some(),
        other => panic!("there is no kind {other}"),
    }
}

/// Whether a record maps a key to an order that has no records: the key is free, and the mapping goes.
fn is_mapping_of_a_removed_order(key: &str, bytes: &[u8], records: &Records) -> bool {
    let order = key.starts_with("idempotency:").then(|| decode::<OrderId>(bytes)).flatten();
    order.is_some_and(|order| ["order", "payment"].iter().all(|kind| !records.contains_key(&format!("{kind}:{order}"))))
}

/// Asserts that what a request did to the records is allowed for any records. `delta` is what it added to the stock
/// of an item.
fn keeps_the_books(before: &Records, after: &Records, delta: Option<(&str, i64)>) {
    for (key, old) in before {
        let Some(new) = after.get(key) else {
            assert!(is_mapping_of_a_removed_order(key, old, before), "{key} is gone");
            continue;
        };
        let Some((kind, id)) = key.split_once(':') else { continue };
        match kind {
            // A mapping that an item says is to be written replaces any other.
            "idempotency" if keys_to_map(before).contains(id) => {}
            // A ledger that was made to say that a number was not given away is believed.
            "placed" if is_given_away_again(before, id) => {}
            "order" | "idempotency" | "placed" => assert_eq!(new, old, "{key} has changed"),
            _ if !readable(key, old) => {
                assert!(new == old, "{key} could not be read and was overwritten with {:?}", Text(new.clone()));
            }
            _ => assert!(readable(key, new), "{key} is broken: {:?}", Text(new.clone())),
        }
        match kind {
            "inventory" => {
                let delta = delta.filter(|(item, _)| *item == id).map_or(0, |(_, delta)| delta);
                if let (Some(old), Some(new)) = (item(old), item(new)) {
                    let (now, then) = (came_back(id, &new, after), came_back(id, &old, before));
                    let came_back = [now[0] - then[0], now[1] - then[1]];
                    stock_is_accounted_for(key, &old, &new, after, delta, came_back);
                }
            }
            "payment" if old != new => {
                let has_stayed = matches!(state(old), Some(State::Paid(_))) && state(old) == state(new);
                let was_open = matches!(state(old), Some(State::Unpaid { .. }));
                assert!(was_open || has_stayed, "{key} was decided twice");
                if let (true, Some(State::Paid(_))) = (was_open, state(new)) {
                    paid_means_held(id, before);
                }
            }
            _ => {}
        }
    }
    for (key, bytes) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        assert!(readable(key, bytes), "{key} is new and broken");
        assert!(!matches!(state(bytes), Some(State::Paid(_))), "{key} is new and paid");
    }
}

/// The keys that some item carries without a mapping.
fn keys_to_map(records: &Records) -> BTreeSet<String> {
    let items = records.iter().filter(|(key, _)| key.starts_with("inventory:")).filter_map(|(_, bytes)| item(bytes));
    items
        .flat_map(|item| {
            let held = item.holds.into_values().filter_map(|hold| hold.key);
            held.chain(item.settled_keys.into_keys()).map(|key| key.to_string()).collect::<Vec<_>>()
        })
        .collect()
}

/// How many of an item are back by the records of orders: of returns that are done or that the item remembers. All of
/// them, and those that went into stock.
fn came_back(id: &str, item: &Item, records: &Records) -> [i64; 2] {
    let remembered: BTreeSet<_> = item.returns.iter().map(|one| one.id.to_string()).collect();
    let states = records.iter().filter(|(key, _)| key.starts_with("payment:"));
    let (mut all, mut into_stock) = (0, 0);
    for state in states.filter_map(|(_, bytes)| decode::<OrderState>(bytes)) {
        let returns = state.after_sale().returns().iter();
        for one in returns.filter(|one| one.done || remembered.contains(&one.id.to_string())) {
            let lines = one.lines.iter().filter(|(item_id, _)| item_id.as_str() == id);
            let quantity: i64 = lines.map(|(_, quantity)| quantity.get().cast_signed()).sum();
            all += quantity;
            into_stock += if one.to == Destination::Stock { quantity } else { 0 };
        }
    }
    [all, into_stock]
}

/// What is on hand changes by what was sold, by `delta`, and by what came back; a hold goes only when its order was
/// decided.
fn stock_is_accounted_for(key: &str, old: &Item, new: &Item, after: &Records, delta: i64, came_back: [i64; 2]) {
    let mut sold = 0;
    for (order, hold) in &old.holds {
        if let Some(kept) = new.holds.get(order) {
            assert_eq!(kept, hold, "a hold in {key} has changed");
            continue;
        }
        let is_there = |order| after.contains_key(&format!("payment:{order}"));
        match after.get(&format!("payment:{order}")).and_then(|bytes| state(bytes)) {
            Some(State::Paid(_)) => sold += hold.quantity,
            Some(State::Closed { .. }) => {}
            // Of an order that was closed and then removed with all that belongs to it.
            None if !after.contains_key(&format!("order:{order}")) && !is_there(order) => {}
            Some(State::Unpaid { .. } | State::AtProvider { .. }) | None => {
                panic!("a hold in {key} was dropped undecided")
            }
        }
    }
    let [all, into_stock] = came_back;
    let expected = old.on_hand.checked_sub(sold).and_then(|on_hand| on_hand.checked_add_signed(delta + into_stock));
    assert_eq!(Some(new.on_hand), expected, "{key}: {sold} sold, {delta} added, {into_stock} back");
    let returned = old.returned.unwrap_or_default().checked_add_signed(all);
    assert_eq!(Some(new.returned.unwrap_or_default()), returned, "{key}: {all} came back");
}

/// Each line of an order that has just been paid was held, all of it.
fn paid_means_held(order: &str, before: &Records) {
    let id = order.parse().expect("a payment's key has an order id");
    let record = before.get(&format!("order:{order}")).and_then(|bytes| decode::<Order>(bytes));
    let record = record.expect("a paid order can be read");
    let mut wanted = BTreeMap::<&ItemId, u64>::new();
    for line in record.lines() {
        *wanted.entry(&line.item_id).or_default() += line.quantity.get();
    }
    for (item_id, quantity) in wanted {
        let item = before.get(&format!("inventory:{item_id}")).and_then(|bytes| item(bytes));
        let held = item.and_then(|item| item.holds.get(&id).map(|hold| hold.quantity));
        assert_eq!(held, Some(quantity), "{order} is paid and takes {quantity} of {item_id}");
    }
}

/// Sends a request and asserts that it keeps the books.
fn send(world: &World, (request, delta): &Ask) -> Answer {
    let before = world.records();
    let answer = world.send(request.clone());
    let delta = delta.filter(|_| answer.status == 200 && !answer.replayed());
    keeps_the_books(&before, &world.records(), delta);
    answer
}

/// What is in a record's place.
#[derive(Clone, Debug)]
enum Broken {
    /// The record, but spoilt.
    Spoilt(Vec<Damage>),
    /// Another record of its kind.
    Mistaken(Index),
    /// The record in JSON, as items once were.
    Json,
}

/// A record's key, and what is there in its place. Kinds come up equally often.
fn broken() -> impl Strategy<Value = (String, Text)> {
    let kinds =
        vec!["catalog", "inventory", "inventory", "order", "payment", "idempotency", "ledger", "placed", "adjustment"];
    let broken = prop_oneof![
        17 => damages().prop_map(Broken::Spoilt),
        2 => any::<Index>().prop_map(Broken::Mistaken),
        1 => Just(Broken::Json),
    ];
    (select(kinds), any::<Index>(), broken).prop_map(|(kind, index, broken)| {
        let records = &STOCKED.records;
        let keys: Vec<_> = records.keys().filter(|key| key.starts_with(kind)).collect();
        // Of orders and payments those that requests are made of.
        let used = |key: &&&String| STOCKED.orders.values().any(|order| key.contains(order));
        let used: Vec<_> = keys.iter().filter(used).copied().collect();
        let key = if used.is_empty() { keys[index.index(keys.len())] } else { used[index.index(used.len())] };
        let bytes = match broken {
            Broken::Spoilt(damages) => spoil(&records[key], &damages),
            Broken::Mistaken(other) => records[keys[other.index(keys.len())]].clone(),
            Broken::Json => json(key, &records[key]).to_string().into_bytes(),
        };
        (key.clone(), Text(bytes))
    })
}

fn json(key: &str, bytes: &[u8]) -> Value {
    records::read(key, bytes).unwrap_or_else(|error| panic!("{key}: {error}"))
}

fn records_with(broken: impl IntoIterator<Item = (String, Text)>) -> Records {
    let mut records = STOCKED.records.clone();
    records.extend(broken.into_iter().map(|(key, Text(bytes))| (key, bytes)));
    records
}

#[test]
fn on_any_records_no_request_overwrites_what_it_cannot_read_or_sells_what_is_not_there() {
    let asks = every_request();
    let values = (proptest::collection::vec(broken(), 1..3), any::<u64>());
    check(1_000, values, |(broken, seed)| {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut order: Vec<_> = asks.iter().collect();
        chance.shuffle(&mut order);
        // In half of the cases the orders expire on the way.
        let later = chance.usize(..order.len() * 2);
        let world = STOCKED.with(records_with(broken), 2);
        for (turn, ask) in order.into_iter().enumerate() {
            if turn == later {
                world.wait(WINDOW);
            }
            send(&world, ask);
        }
    });
}

#[test]
fn what_needs_a_record_that_cannot_be_read_is_refused_and_the_record_stays() {
    let get = |path: String| request(Method::GET, &path, b"");
    let post = |path: String| request(Method::POST, &path, b"");
    // What needs a record, by its key.
    let needs = |key: &str| -> Vec<Request<Vec<u8>>> {
        match key.split_once(':').unwrap_or((key, "")) {
            ("catalog", _) => {
                vec![get("/inventory".to_owned()), request(Method::PUT, "/inventory/new", br#"{"unit_price":1}"#)]
            }
            ("inventory", id) => vec![
                get(format!("/inventory/{id}")),
                order(id, 1),
                keyed_adjustment(id, 1, "k"),
                request(Method::PUT, &format!("/inventory/{id}"), br#"{"unit_price":1}"#),
                request(Method::PUT, &format!("/inventory/{id}"), br#"{"unit_price":1,"on_hand":1}"#),
            ],
            ("order" | "payment", id) => vec![
                get(format!("/orders/{id}")),
                post(format!("/orders/{id}/pay")),
                post(format!("/orders/{id}/cancel")),
            ],
            ("ledger", _) => vec![get("/orders".to_owned()), order("item1", 1)],
            ("placed" | "adjustment", _) => vec![],
            _ => vec![keyed_order(&[("item2", 1)], "settled-0")],
        }
    };
    // What lists many records says which of them, or how many, cannot be read.
    let lists = |key: &str| match key.split_once(':') {
        Some(("inventory", _)) => Some(("/inventory", "unreadable_items")),
        Some(("order" | "payment", _)) => Some(("/orders?limit=100", "unreadable_orders")),
        Some(("placed", _)) => Some(("/orders?limit=100", "unreadable_entries")),
        Some(("adjustment", _)) => Some(("/inventory/item1/history", "unreadable_events")),
        _ => None,
    };
    let mapping = format!("idempotency:{}", KeyDigest::new("orders", &key_of("settled-0")));
    assert!(STOCKED.records.contains_key(&mapping));
    check(1_500, broken(), |(key, bytes)| {
        let key = if key.starts_with("idempotency:") { mapping.clone() } else { key };
        let records = records_with([(key.clone(), bytes)]);
        if readable(&key, &records[&key]) {
            return;
        }
        for request in needs(&key) {
            let asked = request.uri().to_string();
            let world = STOCKED.with(records.clone(), 3);
            let answer = world.send(request);
            assert_eq!(answer.outcome(), (500, "unreadable_record"), "{key}: {asked}");
            assert!(answer.log.is_some_and(|log| log.contains(&key)), "the owner is told which record");
            assert!(!answer.body.to_string().contains(&key), "and no client is");
            assert_eq!(world.records()[&key], records[&key], "{key}: {asked}");
        }
        if let Some((path, name)) = lists(&key) {
            let world = STOCKED.with(records.clone(), 3);
            let answer = world.send(get(path.to_owned()));
            assert_eq!(answer.outcome(), (200, ""), "{key}: {path}");
            assert!(answer.body.get(name).is_some(), "{key}: {path}: {}", answer.body);
            assert_eq!(world.records()[&key], records[&key], "{key}: {path}");
        }
    });
}

#[test]
fn an_item_is_read_by_the_rules_if_and_as_other_programs_read_it() {
    let items: Vec<_> = STOCKED.records.iter().filter(|(key, _)| key.starts_with("inventory:")).collect();
    for (key, bytes) in &items {
        assert_eq!(well_formed_item(bytes).map(|item| item.encode()).as_ref(), Some(*bytes), "{key}");
    }
    check(20_000, (any::<Index>(), damages()), |(index, damages)| {
        let bytes = spoil(items[index.index(items.len())].1, &damages);
        let by_the_rules = domain::item::Item::from_bytes(&bytes).ok().map(|item| item.to_bytes());
        let by_others = item(&bytes).map(|item| item.encode());
        assert_eq!(by_the_rules.map(Text), by_others.map(Text), "{:?}", Text(bytes));
    });
}

#[test]
fn half_an_order_is_refused() {
    for (name, order) in &STOCKED.orders {
        for kind in ["order", "payment"] {
            let mut records = STOCKED.records.clone();
            records.remove(&format!("{kind}:{order}"));
            let world = STOCKED.with(records.clone(), 4);
            for (method, path) in [(Method::GET, ""), (Method::POST, "/pay"), (Method::POST, "/cancel")] {
                let answer = world.send(request(method, &format!("/orders/{order}{path}"), b""));
                assert_eq!(answer.outcome(), (500, "unreadable_record"), "{name} without its {kind}: {path}");
            }
            assert_eq!(world.records(), records);
        }
    }
}

/// Changes a record and asserts that the pending order can then be neither paid nor confirmed.
fn cannot_be_paid_after(key: &str, change: impl FnOnce(&mut Value)) {
    let mut records = STOCKED.records.clone();
    let mut record = json(key, &records[key]);
    change(&mut record);
    records.insert(key.to_owned(), records::write(key, &record).expect("it is still a record"));
    let world = STOCKED.with(records.clone(), 6);
    let pay = request(Method::POST, &format!("/orders/{}/pay", STOCKED.orders["pending"]), b"");
    assert_eq!(send(&world, &(pay, None)).outcome(), (500, "unreadable_record"), "{record}");
    let again = keyed_order(&[("item1", 2), ("item2", 1)], "pending");
    assert!(send(&world, &(again, None)).status >= 400, "{record}");
    assert_eq!(world.records(), records);
}

#[test]
fn an_order_under_the_key_of_another_is_not_believed() {
    let (pending, paid) = (&STOCKED.orders["pending"], &STOCKED.orders["paid"]);
    cannot_be_paid_after(&format!("order:{pending}"), |order| order["order_id"] = paid.as_str().into());
}

#[test]
fn an_order_for_more_than_is_held_is_not_believed() {
    let key = format!("order:{}", STOCKED.orders["pending"]);
    cannot_be_paid_after(&key, |order| {
        order["lines"][0]["quantity"] = 50.into();
        order["total"] = (50 * 1000 + 2000).into();
    });
    cannot_be_paid_after(&key, |order| {
        let line = order["lines"][0].clone();
        order["lines"].as_array_mut().expect("lines").insert(0, line);
        order["total"] = (4 * 1000 + 2000).into();
    });
    cannot_be_paid_after(&key, |order| order["total"] = 1.into());
    cannot_be_paid_after("inventory:item1", |item| {
        item["holds"][&STOCKED.orders["pending"]]["quantity"] = 1.into();
    });
}

#[test]
fn without_damage_every_request_keeps_the_books_and_none_fails() {
    let world = STOCKED.with(STOCKED.records.clone(), 5);
    for ask in every_request() {
        let answer = send(&world, &ask);
        assert!(answer.status < 500, "{}: {answer:?}", ask.0.uri());
    }
}
