//! The invariants, read from the raw records and from what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use harness::Request;
use records::{Books as Records, Coming, Item, Line, Refund, Return, State};
use serde_json::Value;
use uuid::Uuid;

use crate::requests::{self, Answer, DELTA};
use crate::shop::{Shop, Store};

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
        let records = store.books();
        for (id, item) in records.items() {
            no_oversell(id, item);
            conserved(&records, id, item);
            came_back_once(&records, id, item);
            adjusted_once(id, item);
        }
        one_order_a_key(&records);
        self.done_once(&records);
        self.returned_once(&records);
        self.one_fate(store);
        for (request, answer) in &self.told {
            self.told_is_true(&records, request, answer);
        }
    }

    /// No request did its work twice, whatever it was told: what was done is no more than what was asked for.
    fn done_once(&self, records: &Records) {
        let is_held = |order| records.items().values().any(|item| item.holds.contains_key(order));
        let placed = records.states().keys().filter(|order| records.is_paid(order) || is_held(order)).count();
        assert!(placed <= self.asked("/orders", |_| true), "one request, several orders: {records:#?}");
        for (id, item) in records.items() {
            let asked = self.asked(&format!("/inventory/{id}/adjustments"), |_| true);
            assert!(item.adjustments.len() <= asked, "{id} was adjusted more often than asked: {item:#?}");
        }
    }

    /// What came back of an order is no more than was asked for, nor than it had.
    fn returned_once(&self, records: &Records) {
        for (order, state) in records.states() {
            let asked = ["returns", "refunds"].map(|what| self.asked(&format!("/orders/{order}/{what}"), |_| true));
            assert!(state.refunds().len() <= asked[1], "more was given back of {order} than asked: {records:#?}");
            let asked = asked.iter().sum();
            assert!(state.returns().len() <= asked, "more came back of {order} than was asked for: {records:#?}");
            for line in records.orders().get(order).into_iter().flatten() {
                let of_line =
                    state.returns().iter().flat_map(|one| &one.lines).filter(|(item, _)| *item == line.item_id);
                let returned: u64 = of_line.map(|(_, quantity)| quantity).sum();
                assert!(returned <= line.quantity, "more came back of {order} than was sold: {records:#?}");
            }
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
    fn one_fate(&mut self, store: &Store) {
        let records = store.records();
        for (key, fate) in &self.fates {
            assert_eq!(records.get(key).map(decision), Some(fate.clone()), "{key} was decided before");
        }
        let decided = records.into_iter().filter(|(key, _)| key.starts_with("payment:"));
        let decided = decided.filter(|(_, payment)| payment["state"] != "unpaid");
        self.fates = decided.map(|(key, payment)| (key, decision(&payment))).collect();
    }

    fn told_is_true(&self, records: &Records, request: &Request, answer: &Answer) {
        let context = || format!("{request:?} was told {answer:?}; there is {records:#?}");
        let state = |order: &str| records.states().get(&uuid(order)).map(State::name);
        let segments: Vec<_> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), segments.as_slice(), answer.status) {
            ("POST", ["orders"], 201) => {
                let order = uuid(answer.order());
                let lines = &records.orders()[&order];
                let asked: BTreeMap<_, _> = lines.iter().map(|line| (line.item_id.clone(), line.quantity)).collect();
                assert_eq!(asked, asked_for(request), "{}", context());
                let is_held = |line: &Line| {
                    let item = records.items().get(&line.item_id);
                    item.and_then(|item| item.holds.get(&order)).is_some_and(|hold| hold.quantity == line.quantity)
                };
                let is = match state(answer.order()) {
                    Some("pending") => lines.iter().all(is_held),
                    Some("paid" | "cancelled") => true,
                    Some("expired") => self.expiry,
                    _ => false,
                };
                assert!(is, "placed, and it is not so: {}", context());
            }
            ("POST", ["orders", order, "pay"], 200) => assert_eq!(state(order), Some("paid"), "{}", context()),
            ("POST", ["orders", order, "cancel"], 200) => assert_eq!(state(order), Some("cancelled"), "{}", context()),
            ("POST", ["orders", order, "returns"], 201) => {
                let returns = records.states()[&uuid(order)].returns();
                let is_done = returns.iter().any(|one| answer.body["return_id"] == one.id.as_str() && one.done);
                assert!(is_done, "{}", context());
            }
            ("POST", ["orders", order, "refunds"], 201) => {
                let state = &records.states()[&uuid(order)];
                let is_there = |one: &Refund| answer.body["refund_id"] == one.id.as_str() && one.counts();
                let is_back = |one: &Return| answer.body["return_id"] == one.id.as_str() && one.done;
                let as_told = state.refunds().iter().any(is_there) && state.returns().iter().any(is_back);
                assert!(as_told, "{}", context());
            }
            ("PUT", ["orders", order, "fulfilment"], 200) => {
                let State::Paid { fulfilment: Some(out), .. } = &records.states()[&uuid(order)] else {
                    panic!("it went out, and it is not so: {}", context())
                };
                let was_delivered = request.value()["delivered"] == true;
                assert!(!was_delivered || out["delivered_at"].is_u64(), "{}", context());
            }
            ("POST", ["inventory", item, "adjustments"], 200) => {
                let told = self.asked(&request.path, |answer| answer.status == 200);
                assert!(records.items()[*item].adjustments.len() >= told, "{}", context());
            }
            ("PUT", ["inventory", item], 200 | 201) => {
                let last =
                    self.told.iter().rev().find(|(other, answer)| {
                        other.path == request.path && other.method == "PUT" && answer.status < 300
                    });
                let price = last.and_then(|(request, _)| request.value()["unit_price"].as_u64());
                assert_eq!(records.items().get(*item).map(|item| item.unit_price), price, "{}", context());
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
            if (request.path.ends_with("/returns") || request.path.ends_with("/refunds")) && answer.status == 201 {
                assert_eq!(shop.must(request, 201).body, answer.body, "{request:?}");
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
        let records = store.books();
        let left = records.items().iter().map(|(id, item)| {
            let sold = records.paid(id, |_| true);
            (id, expected_stock(id, item).checked_sub(sold).expect("not oversold"))
        });
        let left: Vec<_> = left.filter(|(_, left)| *left > 0).collect();
        let request = Request::place(&left);
        let placed = shop.must(&request, 201);
        let pay = requests::pay(placed.order());
        let paid = shop.must(&pay, 200);
        self.told(&request, &placed);
        self.told(&pay, &paid);
        self.check(store);
        let records = store.books();
        for (id, item) in records.items() {
            let left = item.holds.keys().find(|order| !records.is_paid(order));
            let state = left.and_then(|order| records.states().get(order));
            assert_eq!(left, None, "it still holds {id}: {state:?}");
        }
    }
}

/// What is promised is on hand.
fn no_oversell(id: &str, item: &Item) {
    let reserved: u64 = item.holds.values().map(|hold| hold.quantity).sum();
    assert!(reserved <= item.on_hand, "{id}: more is promised than on hand: {item:#?}");
}

/// What is on hand is what there was, with the adjustments, without the goods of paid orders that are settled. So what
/// is paid is held, or it was held and has left.
fn conserved(records: &Records, id: &str, item: &Item) {
    let settled = records.paid(id, |order| !item.holds.contains_key(order));
    assert_eq!(item.on_hand + settled, expected_stock(id, item), "{id}: {settled} were settled: {records:#?}");
}

/// What came back is what orders say, once.
fn came_back_once(records: &Records, id: &str, item: &Item) {
    let Coming { back, written_off, .. } = records.returned(id);
    let says = (item.returned.unwrap_or_default(), item.written_off.unwrap_or_default());
    assert_eq!(says, (back, written_off), "{id}: something else came back: {records:#?}");
    assert!(item.is_balanced(), "{id} does not add up: {item:#?}");
}

/// What an order has become, without what can still happen to a paid one.
fn decision(payment: &Value) -> Value {
    let mut decision = payment.clone();
    let members = decision.as_object_mut().expect("it is an object");
    members.retain(|name, _| !["returns", "refunds", "fulfilment"].contains(&name.as_str()));
    decision
}

/// What an item began with, with its adjustments and what came back into stock.
fn expected_stock(id: &str, item: &Item) -> u64 {
    let (_, stock) = STOCK.iter().find(|(name, _)| *name == id).expect("a known item");
    let adjustments = i64::try_from(item.adjustments.len()).expect("few");
    let stock = stock.checked_add_signed(adjustments * DELTA).expect("not below nothing");
    stock + item.returned.unwrap_or_default() - item.written_off.unwrap_or_default()
}

fn adjusted_once(id: &str, item: &Item) {
    let keys: BTreeSet<_> = item.adjustments.iter().map(|adjustment| adjustment.key).collect();
    assert_eq!(keys.len(), item.adjustments.len(), "{id}: one adjustment was made twice");
}

/// A key stands for one order, in holds, in what was settled, and in mappings.
fn one_order_a_key(records: &Records) {
    let mut orders = BTreeMap::<String, BTreeSet<Uuid>>::new();
    for item in records.items().values() {
        // A refusal is not remembered: its hold is on its way out.
        let is_refused = |order| records.states().get(order).is_some_and(|state| state.name() == "rejected");
        let held = item.holds.iter().filter(|(order, _)| !is_refused(*order));
        let held = held.filter_map(|(order, hold)| Some((hold.key?, *order)));
        for (key, order) in held.chain(item.settled_keys.iter().map(|(key, order)| (*key, *order))) {
            orders.entry(key.to_string()).or_default().insert(order);
        }
    }
    for (key, order) in records.mapped() {
        orders.entry(key.clone()).or_default().insert(*order);
    }
    for (key, orders) in orders {
        assert_eq!(orders.len(), 1, "one key, several orders: {key} {orders:?}");
    }
}

fn asked_for(request: &Request) -> BTreeMap<String, u64> {
    let body = request.value();
    let lines = body["items"].as_array().into_iter().flatten();
    let line = |line: &Value| (line["item_id"].as_str().map(str::to_owned), line["quantity"].as_u64());
    lines.map(line).map(|(item, quantity)| (item.expect("an item"), quantity.expect("a quantity"))).collect()
}

fn uuid(order: &str) -> Uuid {
    order.parse().expect("an order has an id")
}
