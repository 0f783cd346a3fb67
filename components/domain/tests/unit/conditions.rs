//! What a request expects of an item or an order holds at the moment of its change, whatever comes in between.

use domain::item::Offer;
use domain::{Condition, Error, ItemView, KeyDigest, Money, OrderView, PaymentMethod, Placed, PutOutcome, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, paid, run};

fn money(amount: u64) -> Money {
    amount.try_into().unwrap()
}

/// The item is there and has this price and this number on hand.
fn is(unit_price: u64, on_hand: u64) -> Condition<ItemView> {
    let same = move |item: &ItemView| item.unit_price.get() == unit_price && item.on_hand == on_hand;
    Condition::new(move |item| item.is_some_and(same))
}

fn is_pending() -> Condition<OrderView> {
    Condition::new(|order: Option<&OrderView>| order.is_some_and(|order| order.status == Status::Pending))
}

fn price(world: &World, condition: &Condition<ItemView>, price: u64) -> Result<PutOutcome, Error> {
    run(world.shop().put_item_if(condition, &id("item1"), &Offer::at(money(price)), None)).map(|(_, outcome)| outcome)
}

fn adjust(world: &World, condition: &Condition<ItemView>, key: Option<&str>) -> Result<bool, Error> {
    let key = key.map(|key| KeyDigest::new("adjustments", key));
    let adjusted = run(world.shop().adjust_item_if(condition, &id("item1"), 5.try_into().unwrap(), "", key));
    adjusted.map(|adjusted| adjusted.replayed)
}

fn pay(world: &World, placed: &Placed) -> Result<Status, Error> {
    let method = PaymentMethod::unspecified();
    run(world.shop().pay_if(is_pending(), placed.view.order.order_id, method, None)).map(|result| paid(result).status)
}

fn cancel(world: &World, placed: &Placed) -> Result<Status, Error> {
    run(world.shop().cancel_if(&is_pending(), placed.view.order.order_id)).map(|view| view.status)
}

fn price_of(world: &World) -> u64 {
    world.item("item1").unit_price().get()
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_is_not_what_is_expected_is_left_alone() {
    let world = World::new();
    let ((), writes) = world.writes(|| {
        assert_eq!(price(&world, &is(999, 100), 5).unwrap_err(), Error::PreconditionFailed);
        assert_eq!(adjust(&world, &is(1000, 99), Some("k")).unwrap_err(), Error::PreconditionFailed);
        let stock = run(world.shop().put_item_if(
            &is(999, 100),
            &id("item1"),
            &Offer::at(money(5)),
            Some(1.try_into().unwrap()),
        ));
        assert_eq!(stock.unwrap_err(), Error::PreconditionFailed);
        let new = run(world.shop().put_item_if(&is(5, 0), &id("apple"), &Offer::at(money(5)), None));
        assert_eq!(new.unwrap_err(), Error::PreconditionFailed);
    });
    assert_eq!(writes, 0);
    assert_eq!(price(&world, &is(1000, 100), 5).unwrap(), PutOutcome::Priced);
    assert!(!adjust(&world, &is(5, 100), Some("k")).unwrap());
    let missing = Condition::new(|item: Option<&ItemView>| item.is_none());
    let new = run(world.shop().put_item_if(&missing, &id("apple"), &Offer::at(money(5)), None));
    assert_eq!(new.unwrap().1, PutOutcome::Created);
    assert_eq!(price(&world, &missing, 6).unwrap_err(), Error::PreconditionFailed);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_changes_between_the_look_and_the_swap_is_left_as_it_then_is() {
    let world = World::new();
    world.meanwhile(|world| assert!(price(world, &Condition::default(), 7).is_ok()));
    assert_eq!(price(&world, &is(1000, 100), 5).unwrap_err(), Error::PreconditionFailed);
    assert_eq!(price_of(&world), 7);

    let records = world.count("adjustment:");
    world.meanwhile(|world| world.adjust("item1", -1).unwrap());
    assert_eq!(adjust(&world, &is(7, 100), Some("k")).unwrap_err(), Error::PreconditionFailed);
    assert_eq!(world.stock("item1"), (99, 0, 99));
    assert_eq!(world.count("adjustment:"), records + 1, "what was refused leaves no record");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_change_that_does_not_matter_to_what_is_expected_does_not_stop_the_request() {
    let world = World::new();
    let cheap = Condition::new(|item: Option<&ItemView>| item.is_some_and(|item| item.unit_price.get() < 2000));
    world.meanwhile(|world| world.adjust("item1", -1).unwrap());
    price(&world, &cheap, 5).unwrap();
    world.meanwhile(|world| assert!(price(world, &Condition::default(), 6).is_ok()));
    adjust(&world, &cheap, None).unwrap();
    assert_eq!((price_of(&world), world.stock("item1").0), (6, 104));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_decided_between_the_look_and_the_swap_is_left_as_it_then_is() {
    let world = World::new();
    for (first, second, fate) in [
        (World::cancel as fn(&World, &Placed) -> _, pay as fn(&World, &Placed) -> _, Status::Cancelled),
        (World::pay, pay, Status::Paid),
        (World::cancel, cancel, Status::Cancelled),
        (World::pay, cancel, Status::Paid),
    ] {
        let placed = world.place(&[("item1", 1)]).unwrap();
        let order = placed.clone();
        world.meanwhile(move |world| drop(first(world, &order).unwrap()));
        assert_eq!(second(&world, &placed).unwrap_err(), Error::PreconditionFailed);
        assert_eq!(world.show(&placed).status, fate);
        assert_eq!(second(&world, &placed).unwrap_err(), Error::PreconditionFailed);
    }
    let placed = world.place(&[("item1", 1)]).unwrap();
    assert_eq!(pay(&world, &placed).unwrap(), Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_change_whose_answer_is_lost_does_not_stop_itself() {
    let world = World::new();
    world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(price(&world, &is(1000, 100), 5).unwrap(), PutOutcome::Priced);
    world.at_next_swap(AtSwap::LoseAnswer);
    assert!(!adjust(&world, &is(5, 100), None).unwrap());
    assert_eq!((price_of(&world), world.stock("item1").0), (5, 105));
    let placed = world.place(&[("item1", 1)]).unwrap();
    world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(pay(&world, &placed).unwrap(), Status::Paid);
    let placed = world.place(&[("item1", 1)]).unwrap();
    world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(cancel(&world, &placed).unwrap(), Status::Cancelled);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_under_a_key_expects_nothing() {
    let world = World::new();
    assert!(!adjust(&world, &is(1000, 100), Some("k")).unwrap());
    assert!(adjust(&world, &is(1000, 100), Some("k")).unwrap());
    assert_eq!(world.stock("item1").0, 105);
}
