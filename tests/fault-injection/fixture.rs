//! What happens before a case, on a store that works.

use harness::{Request, Target};
use host::{CallOutcome, Operation};

use crate::TARGET;
use crate::books::Books;
use crate::requests::{self, Answer};
use crate::shop::{Shop, Store};
use crate::stops::Stop;

pub const ONE_LINE: [(&str, u64); 1] = [("item1", 2)];
pub const TWO_LINES: [(&str, u64); 2] = [("item1", 2), ("item2", 1)];
/// Of the second there is one at most: see [`Fixture::a_last_unit`].
pub const WITH_THE_LAST: [(&str, u64); 2] = [("item1", 1), ("last", 1)];

/// The call that holds the first line of a new order.
fn first_hold() -> (Operation, usize) {
    match TARGET {
        // After the one that takes numbers out of the ledger.
        Target::Local => (Operation::Swap, 2),
        // And after the one that writes the order.
        Target::FermyonCloud | Target::AkamaiFunctions | Target::SpinKube => (Operation::Change, 3),
    }
}

pub struct Fixture {
    /// The store as it is then. What a case does, it does to a copy.
    pub store: Store,
    pub books: Books,
    /// The ids of the orders that were placed, in that order.
    pub orders: Vec<String>,
    shop: Shop,
}

impl Fixture {
    pub fn new(prepare: fn(&mut Self)) -> Self {
        let store = Store::new();
        let shop = store.open();
        let mut new = Self { store, shop, books: Books::default(), orders: Vec::new() };
        prepare(&mut new);
        new
    }

    fn done(&mut self, request: &Request) -> Answer {
        let answer = self.shop.send(request);
        assert!(answer.status < 300, "{request:?}: {answer:?}");
        self.books.told(request, &answer);
        answer
    }

    /// The shop has its preset items.
    pub fn opened(&mut self) {
        self.done(&Request::get("/inventory"));
    }

    /// An opened shop has an item with a stock of one.
    pub fn a_last_unit(&mut self) {
        self.opened();
        self.done(&requests::create("last", 1));
    }

    /// An item has another price.
    pub fn priced(&mut self, item: &str, unit_price: u64) {
        self.done(&requests::price(item, unit_price));
    }

    pub fn placed(&mut self, request: &Request) {
        let answer = self.done(request);
        self.orders.push(answer.order().to_owned());
    }

    /// The order that was placed last was paid.
    pub fn paid(&mut self) {
        let order = self.orders.last().expect("there is an order");
        self.done(&requests::pay(order));
    }

    /// An opened shop has sold an order of two lines.
    pub fn sold(&mut self) {
        self.opened();
        self.placed(&Request::place(&TWO_LINES));
        self.paid();
    }

    /// The order that was placed last was cancelled.
    pub fn cancelled(&mut self) {
        let order = self.orders.last().expect("there is an order");
        self.done(&requests::cancel(order));
    }

    /// The keys of so many settled orders have no mapping yet that with the next one they all get theirs, and the next
    /// one is about to be settled.
    pub fn mappings_are_due(&mut self) {
        self.opened();
        for number in 1..=15 {
            self.placed(&Request::place(&ONE_LINE).key(requests::key(&format!("k{number}"))));
            self.cancelled();
        }
        self.placed(&Request::place(&ONE_LINE).key(requests::key("k16")));
        self.paid();
    }

    /// Of the order that was placed last one of each of these items came back.
    pub fn returned(&mut self, items: &[&str], name: &str) {
        let request = requests::take_back(self.orders.last().expect("there is an order"), items, name);
        self.done(&request);
    }

    /// Of the order that was placed last the price of one of each of these items went back, with the items.
    pub fn given_back(&mut self, items: &[&str], name: &str) {
        let request = requests::give_back(self.orders.last().expect("there is an order"), items, name);
        self.done(&request);
    }

    /// A return of two lines of the order that was placed last stopped for ever when the first item had it.
    pub fn half_returned(&mut self, name: &str) {
        let order = self.orders.last().expect("there is an order");
        let request = requests::take_back(order, &["item1", "item2"], name);
        let operation = if TARGET == Target::Local { Operation::Swap } else { Operation::Change };
        // The first puts it on record in the order.
        let stop = Stop::at_operation(operation, 2, CallOutcome::Killed { done: true });
        let answer = self.store.open_with(Some(stop)).must(&request, 500);
        self.books.told(&request, &answer);
    }

    /// A placing of two lines stopped for ever when its first line was held. No client was told the order's id.
    pub fn half_placed(&mut self, request: &Request) {
        let (operation, number) = first_hold();
        let stop = Stop::at_operation(operation, number, CallOutcome::Killed { done: true });
        let answer = self.store.open_with(Some(stop)).must(request, 500);
        self.books.told(request, &answer);
        let id = |key: &String| key.strip_prefix("order:").map(str::to_owned);
        self.orders.extend(self.store.records().keys().filter_map(id));
    }
}
