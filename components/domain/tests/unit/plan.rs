//! Who of a batch gets what, decided without a store.

use std::rc::Rc;

use domain::item::{Hold, Item};
use domain::order::{Order, Terms};
use domain::plan::{ItemSnapshot, NotPlanned, PlaceRequest, Snapshot, plan};
use domain::{ItemId, KeyDigest, OrderId};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{id, order};

fn item(on_hand: u64) -> Item {
    Item::new(on_hand.try_into().unwrap(), 10.try_into().unwrap())
}

fn order_id(number: u8) -> OrderId {
    OrderId::from_random([number; 16])
}

fn key(name: &str) -> KeyDigest {
    KeyDigest::new("orders", name)
}

fn request(number: u8, lines: &[(&str, u64)], key: Option<KeyDigest>) -> PlaceRequest {
    PlaceRequest { request: Rc::new(order(lines)), key, order_id: order_id(number) }
}

/// Plans with these items, which have room for `room` bytes of holds each.
fn planned(
    items: &[(ItemId, Item)],
    room: usize,
    mappings: Vec<(KeyDigest, Option<OrderId>)>,
    requests: &[PlaceRequest],
) -> Vec<Result<Order, NotPlanned>> {
    let items = items.iter().map(|(item_id, item)| ItemSnapshot { item_id, item, room }).collect();
    let currency = "CNY".to_owned().try_into().unwrap();
    let terms = Terms { placed_at: 1.into(), expires_at: 2.into(), currency, max_per_order: None };
    plan(&Snapshot { items, mappings }, requests, &terms)
}

fn insufficient(item: &str, quantity: u64, key: Option<KeyDigest>) -> NotPlanned {
    NotPlanned::Insufficient(id(item), Hold { quantity: quantity.try_into().unwrap(), expires_at: 2.into(), key })
}

#[wasm_bindgen_test(unsupported = test)]
fn each_order_takes_what_the_ones_before_have_left() {
    let items = [(id("item1"), item(5)), (id("item2"), item(1))];
    let requests = [
        request(1, &[("item1", 3)], None),
        request(2, &[("item1", 3)], None),
        request(3, &[("item1", 2), ("item2", 1)], None),
        request(4, &[("item2", 1)], None),
    ];
    let plans = planned(&items, 10_000, Vec::new(), &requests);
    let ids: Vec<_> = plans.iter().map(|plan| plan.as_ref().map(|order| order.order_id)).collect();
    let short = [insufficient("item1", 3, None), insufficient("item2", 1, None)];
    assert_eq!(ids, [Ok(order_id(1)), Err(&short[0]), Ok(order_id(3)), Err(&short[1])]);
    assert_eq!(plans[2].as_ref().unwrap().total().get(), 30);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_refused_takes_nothing() {
    let items = [(id("item1"), item(5)), (id("item2"), item(1))];
    let requests = [request(1, &[("item1", 5), ("item2", 2)], None), request(2, &[("item1", 5)], None)];
    let plans = planned(&items, 10_000, Vec::new(), &requests);
    assert_eq!(plans[0], Err(insufficient("item2", 2, None)));
    assert!(plans[1].is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_needs_room_in_the_record_for_its_hold() {
    let items = [(id("item1"), item(5))];
    let requests = [request(1, &[("item1", 1)], None), request(2, &[("item1", 1)], None)];
    let room = 2 * item(5).bytes_of(&Hold { quantity: 1.try_into().unwrap(), expires_at: 2.into(), key: None });
    assert!(planned(&items, room, Vec::new(), &requests).iter().all(Result::is_ok));
    let plans = planned(&items, room - 1, Vec::new(), &requests);
    assert_eq!((plans[0].is_ok(), plans[1].clone()), (true, Err(insufficient("item1", 1, None))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_that_was_used_has_its_order_wherever_that_is_written() {
    let mut held = item(5);
    let hold = Hold { quantity: 1.try_into().unwrap(), expires_at: 2.into(), key: Some(key("held")) };
    held.hold(order_id(9), hold).unwrap();
    let items = [(id("item1"), held)];
    let mappings = vec![(key("mapped"), Some(order_id(8))), (key("damaged"), None)];
    let names = ["held", "mapped", "damaged", "new", "new"];
    let requests: Vec<_> =
        names.iter().zip(1..).map(|(name, number)| request(number, &[("item1", 1)], Some(key(name)))).collect();
    let plans = planned(&items, 10_000, mappings, &requests);
    let reasons: Vec<_> = plans.into_iter().map(Result::err).collect();
    let expected = [
        Some(NotPlanned::KeyUsed(order_id(9))),
        Some(NotPlanned::KeyUsed(order_id(8))),
        Some(NotPlanned::KeyUnreadable(key("damaged"))),
        None,
        Some(NotPlanned::KeyInSameBatch),
    ];
    assert_eq!(reasons, expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_is_not_there_and_a_total_that_is_too_large_are_refused() {
    let dear = Item::new(5.try_into().unwrap(), i64::MAX.unsigned_abs().try_into().unwrap());
    let items = [(id("gold"), dear)];
    let requests = [request(1, &[("gold", 1), ("lead", 1)], None), request(2, &[("gold", 2)], None)];
    let plans = planned(&items, 10_000, Vec::new(), &requests);
    assert_eq!(plans, [Err(NotPlanned::UnknownItem(id("lead"))), Err(NotPlanned::TotalTooLarge)]);
}
