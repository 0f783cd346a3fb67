//! Closed orders are removed after a time, with all that belongs to them, and a full store does what it can.

use std::time::Duration;

use domain::{Error, OrderQuery, Placed, Status, StoreError, Swept};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{World, run};

const KEPT: u64 = 3600;

fn world() -> World {
    World { closed_orders_kept: Some(Duration::from_secs(KEPT)), ..World::new() }
}

fn sweep(world: &World) -> Swept {
    run(world.shop().sweep()).unwrap()
}

/// Sweeps until nothing more is due: how many orders were removed.
fn sweep_all(world: &World) -> usize {
    world.list_numbers_below(world.numbers.get());
    let mut removed = 0;
    for _ in 0..100 {
        let swept = sweep(world);
        removed += swept.removed_orders;
        if !swept.more {
            return removed;
        }
    }
    panic!("a sweep always says that more is due")
}

fn cancelled(world: &World, key: &str) -> Placed {
    let placed = world.place_with_key(&[("item1", 1), ("item2", 1)], key).unwrap();
    world.cancel(&placed).unwrap();
    placed
}

#[wasm_bindgen_test(unsupported = test)]
fn what_came_to_nothing_is_removed_with_all_that_belongs_to_it() {
    let world = world();
    let before: Vec<_> = world.store.records().keys().cloned().collect();
    for number in 0..20 {
        cancelled(&world, &format!("cancelled {number}"));
        world.place_with_key(&[("item3", 1)], &format!("expired {number}")).unwrap();
    }
    world.wait(900 + KEPT);
    assert_eq!(sweep_all(&world), 40);
    let after: Vec<_> = world.store.records().keys().filter(|key| *key != "swept").cloned().collect();
    assert_eq!(after, before);
    assert_eq!((world.stock("item1"), world.stock("item3")), ((100, 0, 100), (75, 0, 75)));
    for item in ["item1", "item2", "item3"] {
        assert_eq!(world.item(item).unmapped_keys(), []);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_is_removed_too_early() {
    let world = world();
    let first = cancelled(&world, "k");
    world.wait(KEPT - 1);
    assert_eq!(sweep_all(&world), 0);
    assert_eq!(world.show(&first).status, Status::Cancelled);
    assert!(world.place_with_key(&[("item1", 1), ("item2", 1)], "k").unwrap().replayed);
    world.wait(1);
    assert_eq!(sweep_all(&world), 1);
    assert_eq!(run(world.shop().show_order(first.view.order.order_id)), Err(Error::OrderNotFound));
    assert_eq!(world.pay(&first), Err(Error::OrderNotFound));
    assert_eq!(world.cancel(&first), Err(Error::OrderNotFound));
    let again = world.place_with_key(&[("item1", 1), ("item2", 1)], "k").unwrap();
    assert!(!again.replayed && again.view.order.order_id != first.view.order.order_id);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_expired_order_is_kept_from_its_expiry_on_whenever_that_is_noticed() {
    let world = world();
    world.place(&[("item1", 1)]).unwrap();
    world.wait(900 + KEPT - 1);
    assert_eq!((sweep_all(&world), world.orders()), (0, 1));
    world.wait(1);
    assert_eq!((sweep_all(&world), world.orders()), (1, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn paid_orders_stay_and_so_do_their_keys() {
    let world = world();
    let paid = world.place_with_key(&[("item1", 1)], "paid").unwrap();
    world.pay(&paid).unwrap();
    cancelled(&world, "cancelled");
    world.wait(KEPT);
    assert_eq!((sweep_all(&world), world.orders()), (1, 1));
    assert_eq!(world.show(&paid).status, Status::Paid);
    assert!(world.place_with_key(&[("item1", 1)], "paid").unwrap().replayed);
    assert_eq!(run(world.shop().list_orders(None, &OrderQuery::default(), 100)).unwrap().orders.len(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_can_still_be_paid_is_waited_for() {
    let world = world();
    world.environment.set_millis(world.environment.millis() - KEPT * 1000);
    cancelled(&world, "before");
    world.environment.set_millis(world.environment.millis() + KEPT * 1000);
    let pending = world.place(&[("item1", 1)]).unwrap();
    assert_eq!(sweep_all(&world), 1);
    assert_eq!(world.show(&pending).status, Status::Pending);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_shop_that_keeps_closed_orders_for_ever_removes_none() {
    let world = World::new();
    cancelled(&world, "k");
    world.wait(1_000_000_000);
    assert_eq!((sweep_all(&world), world.orders()), (0, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_is_bounded_and_says_that_more_is_due() {
    let world = world();
    // The instance has the numbers below, and then takes more.
    world.list_numbers_below(1000);
    let count = 32 * 128 + 200;
    for _ in 0..count {
        let placed = world.place(&[("item1", 1)]).unwrap();
        world.cancel(&placed).unwrap();
    }
    world.wait(900 + KEPT);
    let first = sweep(&world);
    assert_eq!((first.removed_orders, first.more), (32 * 128, true));
    let second = sweep(&world);
    assert_eq!((second.removed_orders, second.more), (200, false));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_gives_back_the_stock_of_expired_orders_that_no_customer_asks_for() {
    let world = World::new();
    let numbers = world.numbers.get();
    world.list_numbers_below(numbers);
    for _ in 0..100 {
        world.place(&[("item1", 1)]).unwrap();
    }
    world.wait(900);
    assert_eq!(world.item("item1").available(), 0);
    let swept = sweep(&world);
    assert_eq!((swept.settled_items, swept.more), (1, false));
    assert_eq!((world.item("item1").available(), world.holds("item1")), (100, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_shop_that_nobody_sweeps_does_not_grow_by_orders_that_come_to_nothing() {
    let world = world();
    world.list_numbers_below(10_000);
    let mut most = 0;
    for number in 0..5000 {
        let placed = world.place_with_key(&[("item1", 1)], &format!("key {number}")).unwrap();
        world.cancel(&placed).unwrap();
        // Two hundred are not old enough to go at any moment.
        world.wait(KEPT / 200);
        most = most.max(world.store.records().len());
    }
    // An order has four records, so all of them would have 20,000. What waits for its turn is some passes' worth.
    assert!(most < 4 * (200 + 1500), "{most} records");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_of_an_earlier_version_does_not_say_its_key_and_the_key_is_free_all_the_same() {
    let world = world();
    let first = cancelled(&world, "k");
    let name = format!("order:{}", first.view.order.order_id);
    let mut order = world.record(&name);
    order.as_object_mut().unwrap().remove("key").expect("this version says it");
    world.store.records_mut().insert(name, order.to_string().into_bytes());
    // Settled so that the key is mapped.
    for number in 0..20 {
        cancelled(&world, &format!("other {number}"));
    }
    world.wait(900 + KEPT);
    sweep_all(&world);
    assert!(!world.place_with_key(&[("item1", 1), ("item2", 1)], "k").unwrap().replayed);
    assert!(world.place_with_key(&[("item1", 1), ("item2", 1)], "k").unwrap().replayed);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_store_refuses_new_orders_and_goes_on_with_those_that_are_there() {
    let world = world();
    let (paid, other) = (world.place(&[("item1", 1)]).unwrap(), world.place_with_key(&[("item1", 1)], "k").unwrap());
    world.store.fill(true);
    assert!(matches!(world.place(&[("item1", 1)]), Err(Error::Store(StoreError::Full(_)))));
    assert_eq!(world.pay(&paid).unwrap().status, Status::Paid);
    assert_eq!(world.cancel(&other).unwrap().status, Status::Cancelled);
    assert_eq!(world.show(&paid).status, Status::Paid);
    assert!(world.place_with_key(&[("item1", 1)], "k").unwrap().replayed);
    world.store.fill(false);
    world.wait(KEPT);
    sweep_all(&world);
    world.store.fill(true);
    assert_eq!(world.stock("item1"), (99, 0, 99));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_store_that_was_never_swept_is_swept() {
    let world = world();
    cancelled(&world, "k");
    world.wait(KEPT);
    world.store.fill(true);
    assert_eq!((sweep_all(&world), world.orders()), (1, 0));
    world.store.fill(false);
    cancelled(&world, "l");
    world.wait(KEPT);
    assert_eq!((sweep_all(&world), world.orders()), (1, 0));
}
