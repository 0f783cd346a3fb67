//! The invariants, read from the raw records and from what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use harness::Request;
use serde_json::Value;

use crate::requests::{self, Answer, DELTA};
use crate::shop::{Records, Shop, Store};

/// What each item of these tests begins with.
const STOCK: [(&str, u64); 6] =
    [("item1", 100), ("item2", 50), ("item3", 75), ("last", 1), ("new", 5), ("plenty", 100_000)];

/// What clients were told, and what the records were when they were looked at last.
#[derive(Clone, Default)]
pub struct Books {
    told: Vec<(Request, Answer)>,
    fates: BTreeMap<String, Value>,
    expiry: bool,
}

impl Books {
    /// Remembers what a client was told.
    pub fn told(&mut self, request: &Request, answer: &Answer) {
        self.told.push((request.clone(), answer.clone()));
    }

    /// From now on orders may expire.
    pub fn expiry(&mut self) {
        self.expiry = true;
    }

    /// Checks the invariants on what is stored.
    ///
    /// # Panics
    /// Names the first that does not hold.
    pub fn check(&mut self, store: &Store) {
        let records = store.records();
        for (item, record) in items(&records) {
            no_oversell(item, record);
            conserved(&records, item, record);
            adjusted_once(item, record);
        }
        one_order_a_key(&records);
        self.done_once(&records);
        self.one_fate(&records);
        for (request, answer) in &self.told {
            self.told_is_true(&records, request, answer);
        }
    }

    /// No request did its work twice, whatever it was told: what was done is no more than what was asked for.
    fn done_once(&self, records: &Records) {
        let placed = records.keys().filter_map(|key| key.strip_prefix("payment:"));
        let placed = placed.filter(|order| {
            let paid = records[&format!("payment:{order}")]["state"] == "paid";
            paid || items(records).iter().any(|(item, _)| held(records, item, order).is_some())
        });
        assert!(placed.count() <= self.asked("/orders", |_| true), "one request, several orders: {records:#?}");
        for (item, record) in items(records) {
            let asked = self.asked(&format!("/inventory/{item}/adjustments"), |_| true);
            assert!(adjustments(record) <= asked, "{item} was adjusted more often than asked: {record:#}");
        }
    }

    /// How many different pieces of work were asked for at this path: all requests with one key ask for one.
    fn asked(&self, path: &str, answered: impl Fn(&Answer) -> bool) -> usize {
        let mut keys = BTreeSet::new();
        let asked = self
            .told
            .iter()
            .filter(|(request, answer)| request.method == "POST" && request.path == path && answered(answer));
        asked.filter(|(request, _)| request.key_of().is_none_or(|key| keys.insert(key))).count()
    }

    /// What an order has become stays for ever.
    fn one_fate(&mut self, records: &Records) {
        for (key, fate) in &self.fates {
            assert_eq!(records.get(key), Some(fate), "{key} was decided before");
        }
        let decided = records.iter().filter(|(key, _)| key.starts_with("payment:"));
        let decided = decided.filter(|(_, payment)| payment["state"] != "unpaid");
        self.fates = decided.map(|(key, payment)| (key.clone(), payment.clone())).collect();
    }

    fn told_is_true(&self, records: &Records, request: &Request, answer: &Answer) {
        let context = || format!("{request:?} was told {answer:?}; there is {records:#?}");
        let segments: Vec<_> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), segments.as_slice(), answer.status) {
            ("POST", ["orders"], 201) => {
                let order = answer.order();
                let payment = &records[&format!("payment:{order}")];
                let lines = lines(&records[&format!("order:{order}")]);
                let asked =
                    lines.iter().map(|(item, quantity)| ((*item).to_owned(), *quantity)).collect::<BTreeMap<_, _>>();
                let wanted = asked_for(request);
                assert_eq!(asked, wanted, "{}", context());
                let held = || lines.iter().all(|(item, quantity)| held(records, item, order) == Some(*quantity));
                let is = match (payment["state"].as_str(), payment["reason"].as_str()) {
                    (Some("unpaid"), _) => held(),
                    (Some("paid"), _) | (_, Some("cancelled")) => true,
                    (_, Some("expired")) => self.expiry,
                    _ => false,
                };
                assert!(is, "placed, and it is not so: {}", context());
            }
            ("POST", ["orders", order, "pay"], 200) => {
                assert_eq!(records[&format!("payment:{order}")]["state"], "paid", "{}", context());
            }
            ("POST", ["orders", order, "cancel"], 200) => {
                assert_eq!(records[&format!("payment:{order}")]["reason"], "cancelled", "{}", context());
            }
            ("POST", ["inventory", item, "adjustments"], 200) => {
                let told = self.asked(&request.path, |answer| answer.status == 200);
                assert!(adjustments(item_record(records, item).expect("it was adjusted")) >= told, "{}", context());
            }
            ("PUT", ["inventory", item], 200 | 201) => {
                let record = item_record(records, item);
                let last =
                    self.told.iter().rev().find(|(other, answer)| {
                        other.path == request.path && other.method == "PUT" && answer.status < 300
                    });
                let price = last.map(|(request, _)| request.value()["unit_price"].clone());
                assert_eq!(record.map(|record| record["unit_price"].clone()), price, "{}", context());
            }
            _ => {}
        }
    }

    /// A repeat of an order with a key answers with the order that was placed, whatever has become of it.
    pub fn repeat_what_has_a_key(&self, shop: &Shop) {
        for (request, answer) in &self.told {
            if request.key_of().is_some() && request.path == "/orders" && answer.status == 201 {
                assert_eq!(shop.must(request, 201).order(), answer.order(), "{request:?}");
            }
        }
    }

    /// Nothing is stuck: after everything unpaid has expired, ordinary requests sell all that was not paid for, and no
    /// other hold is left.
    pub fn sell_everything(&mut self, store: &Store, shop: &Shop) {
        shop.days_later(2);
        self.expiry();
        // Brings in the preset items, if that had not come to its end.
        shop.must(&Request::get("/inventory"), 200);
        let records = store.records();
        let left = items(&records).into_iter().map(|(item, record)| {
            let sold: u64 =
                paid_lines(&records).filter(|(_, of, _)| *of == item).map(|(_, _, quantity)| quantity).sum();
            (item, expected_stock(item, record).checked_sub(sold).expect("not oversold"))
        });
        let left: Vec<_> = left.filter(|(_, left)| *left > 0).collect();
        let request = Request::place(&left);
        let placed = shop.must(&request, 201);
        let pay = requests::pay(placed.order());
        let paid = shop.must(&pay, 200);
        self.told(&request, &placed);
        self.told(&pay, &paid);
        self.check(store);
        let records = store.records();
        for (item, record) in items(&records) {
            for (order, _) in record["holds"].as_object().into_iter().flatten() {
                let payment = &records[&format!("payment:{order}")];
                assert_eq!(payment["state"], "paid", "{order} still holds {item}: {payment}");
            }
        }
    }
}

/// What is promised is on hand.
fn no_oversell(item: &str, record: &Value) {
    let holds = record["holds"].as_object().into_iter().flatten();
    let reserved: u64 = holds.map(|(_, hold)| number(hold, "quantity")).sum();
    assert!(reserved <= number(record, "on_hand"), "{item}: more is promised than on hand: {record:#}");
}

/// What is on hand is what there was, with the adjustments, without the goods of paid orders that are settled. So what
/// is paid is held, or it was held and has left.
fn conserved(records: &Records, item: &str, record: &Value) {
    let settled = paid_lines(records).filter(|(order, of, _)| *of == item && held(records, item, order).is_none());
    let settled: u64 = settled.map(|(_, _, quantity)| quantity).sum();
    let on_hand = number(record, "on_hand");
    assert_eq!(on_hand + settled, expected_stock(item, record), "{item}: {settled} were settled: {records:#?}");
}

/// What an item began with, with its adjustments.
fn expected_stock(item: &str, record: &Value) -> u64 {
    let (_, stock) = STOCK.iter().find(|(name, _)| *name == item).expect("a known item");
    let adjustments = i64::try_from(adjustments(record)).expect("few");
    stock.checked_add_signed(adjustments * DELTA).expect("not below nothing")
}

fn adjusted_once(item: &str, record: &Value) {
    let made = record["adjustments"].as_array().into_iter().flatten();
    let keys: BTreeSet<_> = made.map(|adjustment| adjustment["key"].as_str()).collect();
    assert_eq!(keys.len(), adjustments(record), "{item}: one adjustment was made twice");
}

/// A key stands for one order, in holds, in what was settled, and in mappings.
fn one_order_a_key(records: &Records) {
    let mut orders = BTreeMap::<&str, BTreeSet<&str>>::new();
    let mut stands_for = |key, order| {
        orders.entry(key).or_default().insert(order);
    };
    for (_, record) in items(records) {
        for (order, hold) in record["holds"].as_object().into_iter().flatten() {
            // A refusal is not remembered: its hold is on its way out.
            let payment = records.get(&format!("payment:{order}"));
            let rejected = payment.is_some_and(|payment| payment["reason"] == "rejected");
            if let (Some(key), false) = (hold["key"].as_str(), rejected) {
                stands_for(key, order.as_str());
            }
        }
        for (key, order) in record["settled_keys"].as_object().into_iter().flatten() {
            stands_for(key, order.as_str().expect("an id"));
        }
    }
    for (key, order) in records {
        if let Some(digest) = key.strip_prefix("idempotency:") {
            stands_for(digest, order.as_str().expect("an id"));
        }
    }
    for (key, orders) in orders {
        assert_eq!(orders.len(), 1, "one key, several orders: {key} {orders:?}");
    }
}

/// The items that there are. Where records are created by claim cells, those whose cell names a record. A cell is eight
/// bytes and no JSON, so it is told by the only other records under its name.
pub fn items(records: &Records) -> Vec<(&str, &Value)> {
    let names: BTreeSet<_> =
        records.keys().filter_map(|key| key.strip_prefix("inventory:")?.split('~').next()).collect();
    names.into_iter().filter_map(|name| Some((name, item_record(records, name)?))).collect()
}

fn item_record<'a>(records: &'a Records, item: &str) -> Option<&'a Value> {
    match records.get(&format!("inventory:{item}~")) {
        Some(token) => records.get(&format!("inventory:{item}~{}", token.as_str()?)),
        None => records.get(&format!("inventory:{item}")),
    }
}

fn paid_lines(records: &Records) -> impl Iterator<Item = (&str, &str, u64)> {
    let paid = records.iter().filter(|(key, payment)| key.starts_with("payment:") && payment["state"] == "paid");
    paid.flat_map(|(key, _)| {
        let order = key.strip_prefix("payment:").unwrap_or_default();
        lines(&records[&format!("order:{order}")]).into_iter().map(move |(item, quantity)| (order, item, quantity))
    })
}

fn lines(order: &Value) -> Vec<(&str, u64)> {
    let lines = order["lines"].as_array().into_iter().flatten();
    lines.map(|line| (line["item_id"].as_str().expect("an item"), number(line, "quantity"))).collect()
}

fn asked_for(request: &Request) -> BTreeMap<String, u64> {
    let body = request.value();
    let lines = body["items"].as_array().into_iter().flatten();
    lines.map(|line| (line["item_id"].as_str().expect("an item").to_owned(), number(line, "quantity"))).collect()
}

fn held(records: &Records, item: &str, order: &str) -> Option<u64> {
    Some(number(item_record(records, item)?["holds"].get(order)?, "quantity"))
}

fn adjustments(record: &Value) -> usize {
    record["adjustments"].as_array().map_or(0, Vec::len)
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("no {field} in {record}"))
}
