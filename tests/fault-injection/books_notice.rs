//! The books notice each invariant that does not hold: of a store that is in order one record is falsified at a time.

use harness::Request;
use serde_json::{Value, json};

use crate::books::Books;
use crate::requests::{self, Answer};
use crate::shop::{Shop, Store};

/// A shop with one order of two item1, one adjustment of item1, and the books on it.
struct Subject {
    store: Store,
    shop: Shop,
    books: Books,
    place: Request,
    placed: Answer,
}

impl Subject {
    fn new() -> Self {
        let store = Store::new();
        let shop = store.open();
        let place = Request::place(&[("item1", 2)]).key(requests::key("k"));
        let placed = shop.must(&place, 201);
        let mut subject = Self { store, shop, books: Books::default(), place, placed };
        subject.books.told(&subject.place, &subject.placed);
        subject.done(&requests::adjust("item1"));
        subject.books.check(&subject.store);
        subject
    }

    fn done(&mut self, request: &Request) {
        let answer = self.shop.must(request, 200);
        self.books.told(request, &answer);
    }

    fn pay(&mut self) {
        self.done(&requests::pay(self.placed.order()));
        self.books.check(&self.store);
    }

    /// One of the two comes back.
    fn take_back(&mut self) {
        let request = requests::take_back(self.placed.order(), &["item1"], "r");
        let answer = self.shop.must(&request, 201);
        self.books.told(&request, &answer);
        self.books.check(&self.store);
    }

    /// What one of the two has cost goes back, and the one with it.
    fn give_back(&mut self) {
        let request = requests::give_back(self.placed.order(), &["item1"], "r");
        let answer = self.shop.must(&request, 201);
        self.books.told(&request, &answer);
        self.books.check(&self.store);
    }

    /// Checks the books after a record was falsified.
    fn falsify(&mut self, key: &str, change: impl FnOnce(&mut Value)) {
        self.store.falsify(key, change);
        self.books.check(&self.store);
    }
}

const ITEM: &str = "inventory:item1~";

fn hold(item: &mut Value) -> &mut Value {
    let holds = item["holds"].as_object_mut().expect("there are holds");
    holds.values_mut().next().expect("there is a hold")
}

#[test]
#[should_panic(expected = "more is promised than on hand")]
fn more_promised_than_on_hand() {
    Subject::new().falsify(ITEM, |item| hold(item)["quantity"] = json!(100));
}

#[test]
#[should_panic(expected = "0 were settled")]
fn stock_that_has_gone_without_being_sold() {
    Subject::new().falsify(ITEM, |item| item["on_hand"] = json!(98));
}

#[test]
#[should_panic(expected = "2 were settled")]
fn a_paid_order_whose_hold_was_dropped_without_its_goods() {
    let mut subject = Subject::new();
    subject.pay();
    subject.falsify(ITEM, |item| _ = item.as_object_mut().expect("an item").remove("holds"));
}

#[test]
#[should_panic(expected = "was decided before")]
fn an_order_with_two_fates() {
    let mut subject = Subject::new();
    subject.pay();
    subject.falsify("payment:", |payment| payment["paid_at"] = json!(0));
}

#[test]
#[should_panic(expected = "placed, and it is not so")]
fn an_acknowledged_order_that_was_rejected() {
    Subject::new().falsify("payment:", |payment| *payment = json!({ "state": "void", "reason": "rejected", "at": 0 }));
}

#[test]
#[should_panic(expected = "placed, and it is not so")]
fn an_acknowledged_order_that_expired_before_its_time() {
    Subject::new().falsify("payment:", |payment| *payment = json!({ "state": "void", "reason": "expired", "at": 0 }));
}

#[test]
#[should_panic(expected = "placed, and it is not so")]
fn an_acknowledged_order_that_is_not_held() {
    Subject::new().falsify(ITEM, |item| _ = item.as_object_mut().expect("an item").remove("holds"));
}

#[test]
#[should_panic(expected = "one key, several orders")]
fn two_orders_of_one_key() {
    Subject::new().falsify(ITEM, |item| {
        let another = hold(item).clone();
        item["holds"]["01010101-0101-4101-8101-010101010101"] = another;
    });
}

#[test]
#[should_panic(expected = "one request, several orders")]
fn two_orders_of_one_request() {
    let mut subject = Subject::new();
    subject.shop.must(&Request::place(&[("item1", 1)]), 201);
    subject.books.check(&subject.store);
}

#[test]
#[should_panic(expected = "item1 was adjusted more often than asked")]
fn an_adjustment_that_was_made_twice() {
    let mut subject = Subject::new();
    subject.shop.must(&requests::adjust("item1"), 200);
    subject.books.check(&subject.store);
}

#[test]
#[should_panic(expected = "one adjustment was made twice")]
fn one_key_of_two_adjustments() {
    Subject::new().falsify(ITEM, |item| {
        let again = item["adjustments"][0].clone();
        item["adjustments"].as_array_mut().expect("adjustments").push(again);
        item["on_hand"] = json!(98);
    });
}

#[test]
#[should_panic(expected = "was told")]
fn an_acknowledged_adjustment_that_is_not_there() {
    Subject::new().falsify(ITEM, |item| {
        item["adjustments"] = json!([]);
        item["on_hand"] = json!(100);
    });
}

#[test]
#[should_panic(expected = "something else came back")]
fn goods_that_were_put_back_twice() {
    let mut subject = Subject::new();
    subject.pay();
    subject.take_back();
    subject.falsify(ITEM, |item| (item["returned"], item["on_hand"]) = (json!(2), json!(99)));
}

#[test]
#[should_panic(expected = "than was sold")]
fn more_that_came_back_than_was_sold() {
    let mut subject = Subject::new();
    subject.pay();
    subject.take_back();
    subject.store.falsify(ITEM, |item| (item["returned"], item["on_hand"]) = (json!(3), json!(100)));
    subject.falsify("payment:", |payment| payment["returns"][0]["lines"][0][1] = json!(3));
}

#[test]
#[should_panic(expected = "was told")]
fn an_acknowledged_return_that_is_not_done() {
    let mut subject = Subject::new();
    subject.pay();
    subject.take_back();
    subject.falsify("payment:", |payment| _ = payment["returns"][0].as_object_mut().expect("it is one").remove("done"));
}

#[test]
#[should_panic(expected = "than asked")]
fn a_refund_that_was_made_twice() {
    let mut subject = Subject::new();
    subject.pay();
    subject.give_back();
    subject.falsify("payment:", |payment| {
        let mut again = payment["refunds"][0].clone();
        again["id"] = json!("refund-again");
        payment["refunds"].as_array_mut().expect("there is one").push(again);
    });
}

#[test]
#[should_panic(expected = "was told")]
fn an_acknowledged_refund_that_is_not_there() {
    let mut subject = Subject::new();
    subject.pay();
    subject.give_back();
    subject.falsify("payment:", |payment| payment["refunds"] = json!([]));
}

#[test]
#[should_panic(expected = "409")]
fn stock_that_is_stuck() {
    let mut subject = Subject::new();
    // The order has a record and no state. That is damage, so no request settles its hold.
    let id = "00000000-0000-4000-8000-000000000000";
    subject.store.falsify(ITEM, |item| item["holds"][id] = json!({ "quantity": 1, "expires_at": 0 }));
    let lines = json!([{ "item_id": "item1", "quantity": 1, "unit_price": 1000 }]);
    let times =
        json!({ "order_id": id, "lines": lines, "total": 1000, "currency": "CNY", "placed_at": 0, "expires_at": 0 });
    let insert = "INSERT INTO spin_key_value (store, key, value) VALUES ('default', ?1, ?2)";
    let order = (format!("order:{id}"), times.to_string().into_bytes());
    subject.store.0.sqlite().execute(insert, order).expect("it is written");
    subject.books.sell_everything(&subject.store, &subject.shop);
}
