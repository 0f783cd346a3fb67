//! Rules of items: preset, price, adjustment, what a reader is shown, and how holds have their turn.

use std::collections::BTreeSet;

use domain::item::{Hold, Item, Look, REMEMBERED_ADJUSTMENTS};
use domain::{Error, KeyDigest, Money, OrderId, PRESET, PutOutcome};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, run, with_on_hand};

fn money(amount: u64) -> Money {
    amount.try_into().unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_new_shop_has_the_preset_items() {
    let world = World::empty();
    let items = run(world.shop().list_items()).unwrap().items;
    let items: Vec<_> =
        items.iter().map(|item| (item.item_id.as_str(), item.available, item.unit_price.get())).collect();
    assert_eq!(items, PRESET);
}

#[wasm_bindgen_test(unsupported = test)]
fn preset_items_come_in_with_the_first_request_that_needs_one_of_them() {
    let world = World::empty();
    world.place(&[("item3", 5)]).unwrap();
    assert_eq!(world.stock("item3"), (75, 5, 70));
    assert_eq!(world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn preset_items_keep_what_has_become_of_them() {
    let world = World::new();
    world.adjust("item1", -100).unwrap();
    // As if the first request had stopped before it wrote the catalog: the next one brings in the preset again.
    world.store.records_mut().remove("catalog");
    assert_eq!(run(world.shop().list_items()).unwrap().items.len(), 3);
    assert_eq!(world.stock("item1"), (0, 0, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_unknown_item_is_not_found_and_nothing_is_written() {
    let world = World::empty();
    let error = run(world.shop().show_item(&id("nothing"))).unwrap_err();
    assert_eq!(error, Error::ItemNotFound(id("nothing")));
    assert_eq!(world.adjust("nothing", 1).unwrap_err(), error);
    assert_eq!(world.store.writes(), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_is_created_once_and_listed_in_the_order_of_ids() {
    let world = World::new();
    let put = |on_hand: Option<u64>| {
        let on_hand = on_hand.map(|count| count.try_into().unwrap());
        run(world.shop().put_item(&id("apple"), money(3), on_hand)).map(|(_, outcome)| outcome)
    };
    assert_eq!(put(Some(7)), Ok(PutOutcome::Created));
    assert_eq!(put(Some(9)), Err(Error::ItemExists(id("apple"))));
    assert_eq!(put(None), Ok(PutOutcome::Priced));
    assert_eq!(world.stock("apple"), (7, 0, 7));
    let items = run(world.shop().list_items()).unwrap().items;
    assert_eq!(
        items.iter().map(|item| item.item_id.as_str()).collect::<Vec<_>>(),
        ["apple", "item1", "item2", "item3"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_was_entered_but_never_created_is_not_listed_and_can_be_created() {
    let world = World::new();
    world.store.fail_after_writes(Some(1));
    assert!(run(world.shop().put_item(&id("apple"), money(3), None)).is_err());
    world.store.fail_after_writes(None);
    assert_eq!(run(world.shop().list_items()).unwrap().items.len(), 3);
    assert_eq!(run(world.shop().put_item(&id("apple"), money(3), None)).unwrap().1, PutOutcome::Created);
    assert_eq!(run(world.shop().list_items()).unwrap().items.len(), 4);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_price_change_leaves_stock_and_holds_alone() {
    let world = World::new();
    world.place(&[("item1", 5)]).unwrap();
    run(world.shop().put_item(&id("item1"), money(1), None)).unwrap();
    assert_eq!(world.stock("item1"), (100, 5, 95));
    let (_, writes) = world.writes(|| run(world.shop().put_item(&id("item1"), money(1), None)).unwrap());
    assert_eq!(writes, 0, "the price was the same");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_never_takes_what_is_reserved() {
    let world = World::new();
    world.place(&[("item2", 20)]).unwrap();
    let error = world.adjust("item2", -31).unwrap_err();
    assert_eq!(error, Error::InsufficientStock { item_id: id("item2"), available: 30, requested: 31 });
    world.adjust("item2", -30).unwrap();
    assert_eq!(world.stock("item2"), (20, 20, 0));
    world.adjust("item2", 5).unwrap();
    assert_eq!(world.stock("item2"), (25, 20, 5));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_takes_what_an_expired_order_held() {
    let world = World::new();
    let placed = world.place(&[("item2", 20)]).unwrap();
    world.wait(900);
    world.adjust("item2", -50).unwrap();
    assert_eq!(world.stock("item2"), (0, 0, 0));
    assert!(world.pay(&placed).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_with_a_key_is_made_once() {
    let world = World::new();
    let key = KeyDigest::new("adjustments", "delivery 1");
    let adjust = |delta: i64, reason: &str| {
        run(world.shop().adjust_item(&id("item1"), delta.try_into().unwrap(), reason, Some(key)))
    };
    assert!(!adjust(5, "delivery").unwrap().replayed);
    let (again, writes) = world.writes(|| adjust(5, "delivery").unwrap());
    assert!(again.replayed);
    assert_eq!((again.view.on_hand, writes), (105, 0));
    assert_eq!(adjust(6, "delivery").unwrap_err(), Error::IdempotencyKeyReused);
    assert_eq!(adjust(5, "theft").unwrap_err(), Error::IdempotencyKeyReused);
    assert_eq!(world.stock("item1"), (105, 0, 105));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_whose_answer_was_lost_is_made_once_with_a_key_or_without() {
    let world = World::new();
    for key in [None, Some(KeyDigest::new("adjustments", "k"))] {
        world.at_next_swap(AtSwap::LoseAnswer);
        run(world.shop().adjust_item(&id("item1"), 5.try_into().unwrap(), "", key)).unwrap();
    }
    assert_eq!(world.stock("item1"), (110, 0, 110));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_remembers_as_many_adjustments_as_it_says() {
    let world = World::new();
    for _ in 0..REMEMBERED_ADJUSTMENTS + 3 {
        world.adjust("item1", 1).unwrap();
    }
    assert_eq!(world.item("item1").adjustments().len(), REMEMBERED_ADJUSTMENTS);
}

#[wasm_bindgen_test(unsupported = test)]
fn more_than_an_item_may_have_is_refused() {
    let world = World::new();
    assert_eq!(world.adjust("item1", 1_000_000_000_000).unwrap_err(), Error::TooMuchStock);
    assert_eq!(world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_between_read_and_swap_is_not_lost() {
    let world = World::new();
    world.meanwhile(|world| world.adjust("item1", 10).unwrap());
    world.adjust("item1", 1).unwrap();
    assert_eq!(world.stock("item1"), (111, 0, 111));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_hold_of_an_expired_order_is_shown_as_free_without_a_write() {
    let world = World::new();
    world.place(&[("item1", 5)]).unwrap();
    world.wait(900);
    let (stock, writes) = world.writes(|| world.stock("item1"));
    assert_eq!((stock, writes), ((100, 0, 100), 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_hold_of_a_paid_order_is_not_free_after_its_expiry() {
    let world = World::new();
    let placed = world.place(&[("item1", 100)]).unwrap();
    world.pay(&placed).unwrap();
    world.wait(900);
    assert_eq!(world.stock("item1"), (0, 0, 0));
    let error = world.place(&[("item1", 1)]).unwrap_err();
    assert_eq!(error, Error::InsufficientStock { item_id: id("item1"), available: 0, requested: 1 });
}

#[wasm_bindgen_test(unsupported = test)]
fn no_two_states_of_an_item_have_the_same_bytes() {
    let world = World::new();
    let mut seen = BTreeSet::new();
    for delta in [1, -1, 1, -1] {
        world.adjust("item1", delta).unwrap();
        assert!(seen.insert(world.store.records()["inventory:item1"].clone()));
    }
}

fn hold(quantity: u64) -> Hold {
    Hold { quantity: quantity.try_into().unwrap(), expires_at: 10.into(), key: None }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_hold_has_its_turn() {
    let look = Look::at(8, 2);
    for holds in 1..=7 {
        let mut item = Item::new(100.try_into().unwrap(), money(1));
        for order in 0..holds {
            item.hold(OrderId::from_random([order; 16]), hold(1)).unwrap();
        }
        let mut seen = BTreeSet::new();
        for turn in 0..u64::from(holds) {
            let due = item.due(5.into(), turn, look);
            assert_eq!(due.len(), usize::from(holds).min(2));
            seen.extend(due);
        }
        assert_eq!(seen.len(), usize::from(holds));
        assert_eq!(item.due(10.into(), 3, Look::at(5, 0)).len(), usize::from(holds).min(5));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_hold_takes_no_more_bytes_than_it_is_counted_with() {
    let mut item = Item::new(200_000_000.try_into().unwrap(), money(1));
    let mut bytes = item.to_bytes().len() + 64;
    for order in 0..200_u8 {
        let quantity = if order % 2 == 0 { 1_000_000 } else { 1 };
        let key = (order % 3 == 0).then(|| KeyDigest::from_random([order; 16]));
        // Far from each other, and in no order: as long as an expiry can be.
        let expires_at = u64::from(order.wrapping_mul(37)) * 900_000_000_000;
        let hold = Hold { quantity: quantity.try_into().unwrap(), expires_at: expires_at.into(), key };
        bytes += item.bytes_of(&hold);
        item.hold(OrderId::from_random([order.wrapping_mul(91); 16]), hold).unwrap();
        assert!(item.to_bytes().len() <= bytes, "{order}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_cannot_be_read_is_reported_and_left_as_it_is() {
    let world = World::new();
    let mut oversold = world.item("item1");
    oversold.hold(OrderId::from_random([7; 16]), hold(100)).unwrap();
    let broken = [
        Vec::new(),
        b"[]".to_vec(),
        // Of a time when items were JSON.
        br#"{"version":1,"on_hand":1,"unit_price":1}"#.to_vec(),
        [&world.item("item1").to_bytes()[..], b"and more"].concat(),
        with_on_hand(&oversold, 99),
    ];
    for broken in broken {
        world.store.records_mut().insert("inventory:item1".to_owned(), broken.clone());
        assert!(matches!(world.adjust("item1", 1), Err(Error::Unreadable { .. })));
        assert!(matches!(world.place(&[("item1", 1)]), Err(Error::Unreadable { .. })));
        assert_eq!(world.store.records()["inventory:item1"], broken);
    }
    assert_eq!(world.orders(), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_report_of_many_items_reads_the_orders_of_all_their_holds_together() {
    let world = World::new();
    let items: Vec<_> = (0..100).map(|number| format!("item-{number:03}")).collect();
    for item in &items {
        run(world.shop().put_item(&id(item), 1.try_into().unwrap(), Some(10.try_into().unwrap()))).unwrap();
    }
    // 97 of a hundred and three items have one overdue hold, and three of them one more, of the same order.
    for item in &items[..97] {
        world.place(&[(item, 1)]).unwrap();
    }
    world.place(&[(&items[0], 2), (&items[1], 2), (&items[2], 2)]).unwrap();
    let calls = || {
        let shop = world.shop();
        let list = run(shop.list_items()).unwrap();
        (list.items.iter().map(|item| item.reserved).sum::<u64>(), shop.stats().calls)
    };
    // The catalog, and twice items: 100 of them in a call.
    assert_eq!(calls(), (97 + 6, 3));
    world.wait(900);
    // And the orders of the first hundred items: 98 in one call.
    assert_eq!(calls(), (0, 4));
    let report = |look| {
        let shop = world.shop();
        let report = run(shop.stock_report(look)).unwrap();
        let looked_at: usize = report.items.iter().map(|item| item.holds.looked_at).sum();
        (looked_at, report.items.iter().map(|item| item.holds.decided).sum::<usize>(), shop.stats().calls)
    };
    assert_eq!(report(1000), (100, 100, 4));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_report_looks_at_no_more_of_the_other_holds_than_it_may() {
    let world = World::new();
    for (orders, seconds) in [(3, 450), (7, 450)] {
        for _ in 0..orders {
            world.place(&[("item1", 1), ("item2", 1)]).unwrap();
        }
        world.wait(seconds);
    }
    let report = run(world.shop().stock_report(12)).unwrap();
    let holds: Vec<_> = report.items.iter().map(|item| item.holds).collect();
    assert_eq!([holds[0].overdue, holds[1].overdue], [3, 3], "{holds:?}");
    let others = holds.iter().map(|count| count.looked_at - count.overdue).sum::<usize>();
    assert_eq!(others, 12, "{holds:?}");
}
