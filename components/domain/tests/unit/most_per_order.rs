//! Rules of what one order may have of an item.

use domain::item::{Change, Offer};
use domain::{Condition, Error, ItemView, Money, PutOutcome, Quantity};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{World, id, order, run};

/// A shop in which one order may have this many of an item, if it has no limit of its own.
fn limited(max_per_order: u64) -> World {
    World { max_per_order: Some(max_per_order), ..World::new() }
}

fn offer(unit_price: Money, max_per_order: Change<Quantity>) -> Offer {
    Offer { max_per_order, ..Offer::at(unit_price) }
}

fn set(world: &World, item: &str, limit: Change<Quantity>) -> (ItemView, PutOutcome) {
    let price = run(world.shop().show_item(&id(item))).unwrap().unit_price;
    run(world.shop().put_item_if(&Condition::default(), &id(item), &offer(price, limit), None)).unwrap()
}

fn at(limit: u64) -> Change<Quantity> {
    Change::Set(limit.try_into().unwrap())
}

fn shown(world: &World, item: &str) -> Option<u64> {
    run(world.shop().show_item(&id(item))).unwrap().max_per_order.map(Quantity::get)
}

fn above(item: &str, max_per_order: u64, requested: u64) -> Error {
    let (max_per_order, requested) = (max_per_order.try_into().unwrap(), requested.try_into().unwrap());
    Error::QuantityAboveLimit { item_id: id(item), max_per_order, requested }
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_limit_an_order_may_have_all_that_there_is() {
    let world = World::new();
    assert_eq!(shown(&world, "item1"), None);
    world.place(&[("item1", 100)]).unwrap();
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_above_the_limit_writes_nothing_and_holds_nothing() {
    let world = limited(5);
    let records = world.store.records().clone();
    // Lines of the same item are added up.
    for lines in [&[("item1", 6)][..], &[("item1", 3), ("item1", 3)], &[("item1", 6), ("item2", 5)]] {
        assert_eq!(world.place(lines).unwrap_err(), above("item1", 5, 6));
    }
    assert_eq!(world.place(&[("item1", 5), ("item2", 101)]).unwrap_err(), above("item2", 5, 101));
    assert_eq!(world.place_with_key(&[("item2", 7)], "a key").unwrap_err(), above("item2", 5, 7));
    // An item that is not there is a mistake of another kind.
    assert_eq!(world.place(&[("item1", 6), ("none", 1)]).unwrap_err(), Error::ItemNotFound(id("none")));
    assert_eq!(*world.store.records(), records);
    world.place(&[("item1", 5), ("item2", 5)]).unwrap();
    assert_eq!(world.stock("item1"), (100, 5, 95));
}

#[wasm_bindgen_test(unsupported = test)]
fn of_orders_that_are_placed_together_those_above_the_limit_alone_are_refused() {
    let world = limited(2);
    let shops: Vec<_> = (0..4).map(|_| world.shop()).collect();
    let requests = shops.iter().zip([1, 3, 2, 4]).map(|(shop, units)| shop.place(order(&[("item1", units)]), None));
    let told: Vec<_> = world.together(requests.collect()).into_iter().map(|told| told.map(drop)).collect();
    assert_eq!(told, [Ok(()), Err(above("item1", 2, 3)), Ok(()), Err(above("item1", 2, 4))]);
    assert_eq!(world.stock("item1"), (100, 3, 97));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_limit_of_an_item_takes_the_place_of_that_of_all_items_whether_it_is_lower_or_higher() {
    let world = limited(5);
    for (limit, most) in [(at(3), 3), (Change::Keep, 3), (at(8), 8), (Change::Remove, 5)] {
        let (view, outcome) = set(&world, "item1", limit);
        assert_eq!((view.max_per_order.unwrap().get(), outcome), (most, PutOutcome::Priced));
        assert_eq!(shown(&world, "item1"), Some(most));
        assert_eq!(shown(&world, "item2"), Some(5));
        assert_eq!(world.place(&[("item1", most + 1)]).unwrap_err(), above("item1", most, most + 1));
        world.place(&[("item1", most)]).unwrap();
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_new_item_may_have_a_limit_and_another_price_leaves_it() {
    let world = World::new();
    let put = |price: u64, limit| {
        let (price, stock) = (price.try_into().unwrap(), Some(10.try_into().unwrap()).filter(|_| limit == at(4)));
        run(world.shop().put_item_if(&Condition::default(), &id("teapot"), &offer(price, limit), stock)).unwrap()
    };
    let of = |(view, outcome): (ItemView, PutOutcome)| (view.max_per_order.map(Quantity::get), outcome);
    assert_eq!(of(put(7, at(4))), (Some(4), PutOutcome::Created));
    assert_eq!(of(put(8, Change::Keep)), (Some(4), PutOutcome::Priced));
    assert_eq!(world.place(&[("teapot", 5)]).unwrap_err(), above("teapot", 4, 5));
    assert_eq!(of(put(8, Change::Remove)), (None, PutOutcome::Priced));
    let (_, writes) = world.writes(|| put(8, Change::Remove));
    assert_eq!(writes, 0);
    world.place(&[("teapot", 10)]).unwrap();
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_of_an_order_that_was_placed_under_a_higher_limit_is_answered_as_before() {
    let world = World::new();
    let placed = world.place_with_key(&[("item1", 9)], "key").unwrap();
    set(&world, "item1", at(2));
    for paid in [false, true] {
        if paid {
            world.pay(&placed).unwrap();
        }
        let again = world.place_with_key(&[("item1", 9)], "key").unwrap();
        assert_eq!((again.view.order.order_id, again.replayed), (placed.view.order.order_id, true));
        assert_eq!(world.place_with_key(&[("item1", 8)], "key").unwrap_err(), Error::IdempotencyKeyReused);
    }
    assert_eq!(world.place_with_key(&[("item1", 9)], "another key").unwrap_err(), above("item1", 2, 9));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_was_cut_off_is_carried_on_with_whatever_the_limit_is_now() {
    for writes in 1..3 {
        let world = World::new();
        world.crash_while_placing(&[("item1", 9), ("item2", 9)], "key", writes);
        set(&world, "item2", at(2));
        let again = world.place_with_key(&[("item1", 9), ("item2", 9)], "key");
        // Before its first hold it is not known, and a new order.
        if world.holds("item1") == 0 {
            assert_eq!(again.unwrap_err(), above("item2", 2, 9));
        } else {
            assert_eq!(again.unwrap().view.order.lines().len(), 2, "after {writes} writes");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_was_planned_before_the_limit_was_set_is_held() {
    let world = World::new();
    world.meanwhile(|other| drop(set(other, "item1", at(2))));
    world.place(&[("item1", 3)]).unwrap();
    assert_eq!(world.place(&[("item1", 3)]).unwrap_err(), above("item1", 2, 3));
}
