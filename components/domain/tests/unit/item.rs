//! The rules of an item, without a store.

use domain::item::{AdjustError, Adjustment, Hold, HoldError, Item, Settlement, Shortage};
use domain::{KeyDigest, OrderId, Stock};
use wasm_bindgen_test::wasm_bindgen_test;

const RELEASED: Settlement = Settlement::Released { key_reusable: false };

fn item(on_hand: u64) -> Item {
    Item::new(on_hand.try_into().unwrap(), 10.try_into().unwrap())
}

fn order(number: u8) -> OrderId {
    OrderId::from_random([number; 16])
}

fn hold(quantity: u64, key: Option<u8>) -> Hold {
    let key = key.map(|number| KeyDigest::from_random([number; 16]));
    Hold { quantity: quantity.try_into().unwrap(), expires_at: 1.into(), key }
}

fn adjust(item: &mut Item, delta: i64) -> Result<(), AdjustError> {
    let delta = delta.try_into().unwrap();
    item.adjust(Adjustment::new(KeyDigest::from_random([7; 16]), delta, ""), delta).map(drop)
}

/// (on hand, reserved, available, sold)
fn stock(item: &Item) -> (u64, u64, u64, u64) {
    (item.on_hand(), item.reserved(), item.available(), item.sold())
}

#[wasm_bindgen_test(unsupported = test)]
fn no_more_is_promised_than_is_there() {
    let mut item = item(5);
    item.hold(order(1), hold(3, None)).unwrap();
    let before = item.clone();
    assert_eq!(item.hold(order(2), hold(3, None)), Err(HoldError::Shortage(Shortage { available: 2 })));
    assert_eq!(item, before);
    item.hold(order(2), hold(2, None)).unwrap();
    assert_eq!(stock(&item), (5, 5, 0, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_holds_an_item_once() {
    let mut item = item(5);
    item.hold(order(1), hold(1, None)).unwrap();
    let before = item.clone();
    assert_eq!(item.hold(order(1), hold(1, None)), Err(HoldError::AlreadyHeld));
    assert_eq!(item, before);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_sold_leaves_and_what_is_released_is_available_again() {
    let mut item = item(5);
    item.hold(order(1), hold(3, None)).unwrap();
    item.hold(order(2), hold(1, None)).unwrap();
    assert_eq!(item.settle(order(1), Settlement::Sold), Ok(true));
    assert_eq!(stock(&item), (2, 1, 1, 3));
    assert_eq!(item.settle(order(2), RELEASED), Ok(true));
    assert_eq!(stock(&item), (2, 0, 2, 3));
    assert_eq!(item.settle(order(2), Settlement::Sold), Ok(false), "it has no hold any more");
    assert_eq!(stock(&item), (2, 0, 2, 3));
    assert!(item.is_balanced());
}

#[wasm_bindgen_test(unsupported = test)]
fn the_key_of_a_settled_order_stays_until_it_is_mapped_unless_it_may_be_used_again() {
    let mut item = item(5);
    for (number, settlement) in [(1, Settlement::Sold), (2, RELEASED), (3, Settlement::Released { key_reusable: true })]
    {
        item.hold(order(number), hold(1, Some(number))).unwrap();
        item.settle(order(number), settlement).unwrap();
    }
    let key = |number| KeyDigest::from_random([number; 16]);
    assert_eq!([1, 2, 3].map(|number| item.order_for_key(&key(number))), [Some(order(1)), Some(order(2)), None]);
    assert_eq!(item.take_unmapped_keys().len(), 2);
    assert_eq!(item.order_for_key(&key(1)), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_leaves_what_is_promised_and_no_more_than_an_item_may_have() {
    let mut item = item(5);
    item.hold(order(1), hold(3, None)).unwrap();
    assert_eq!(adjust(&mut item, -3), Err(AdjustError::Shortage(Shortage { available: 2 })));
    let most = i64::try_from(Stock::MAX).unwrap();
    assert_eq!(adjust(&mut item, most - 4), Err(AdjustError::TooMuch));
    assert_eq!(stock(&item), (5, 3, 2, 0));
    adjust(&mut item, -2).unwrap();
    adjust(&mut item, most - 3).unwrap();
    assert_eq!((stock(&item), item.is_balanced()), ((Stock::MAX, 3, Stock::MAX - 3, 0), true));
}
