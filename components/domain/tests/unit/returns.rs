//! Goods that go out to buyers and come back, on a store.

use domain::after_sale::{Destination, MAX_RETURNS, ReturnedGoods};
use domain::fulfilment::Shipment;
use domain::item::REMEMBERED_RETURNS;
use domain::order::Lines;
use domain::text::Reason;
use domain::{
    Condition, Error, KeyDigest, OrderEvent, OrderId, OrderView, Placed, Returned, Status, Stock, StockReport,
    StoreError,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, run};

fn goods(lines: &[(&str, u64)], to: Destination) -> ReturnedGoods {
    let lines = lines.iter().map(|(item, quantity)| (id(item), (*quantity).try_into().unwrap()));
    ReturnedGoods { lines: Lines::new(lines).unwrap(), to, reason: Reason::default() }
}

fn order_id(placed: &Placed) -> OrderId {
    placed.view.order.order_id
}

fn take_back(world: &World, placed: &Placed, goods: ReturnedGoods, key: &str) -> Result<Returned, Error> {
    run(world.shop().return_goods(order_id(placed), goods, KeyDigest::new("returns", key)))
}

fn into_stock(world: &World, placed: &Placed, lines: &[(&str, u64)], key: &str) -> Result<Returned, Error> {
    take_back(world, placed, goods(lines, Destination::Stock), key)
}

fn sell(world: &World, lines: &[(&str, u64)]) -> Placed {
    let placed = world.place(lines).unwrap();
    world.pay(&placed).unwrap();
    placed
}

fn fulfil(world: &World, placed: &Placed, carrier: &str, delivered: bool) -> Result<OrderView, Error> {
    let shipment = Shipment { carrier: Some(carrier.parse().unwrap()), ..Shipment::default() };
    run(world.shop().fulfil_if(&Condition::default(), order_id(placed), &shipment, delivered))
}

/// (received, sold, returned, written off, on hand), which add up.
fn account(world: &World, item: &str) -> (u64, u64, u64, u64, u64) {
    let reports = run(world.shop().stock_report(1000)).unwrap().items;
    let report = reports.into_iter().find(|report| report.view.item_id == id(item)).unwrap();
    let StockReport { view, received, sold, returned, written_off, balanced, .. } = report;
    assert!(balanced && received + returned == view.on_hand + sold + written_off, "{item}");
    (received, sold, returned, written_off, view.on_hand)
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_that_come_back_are_in_stock_or_written_off_and_the_books_add_up() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 5), ("item2", 2)]);
    let (returned, writes) = world.writes(|| into_stock(&world, &placed, &[("item1", 2), ("item2", 1)], "k").unwrap());
    assert_eq!((returned.replayed, returned.made.done, writes), (false, true, 4), "claimed, two items, done");
    assert_eq!(account(&world, "item1"), (100, 5, 2, 0, 97));
    assert_eq!(account(&world, "item2"), (50, 2, 1, 0, 49));
    take_back(&world, &placed, goods(&[("item1", 3)], Destination::WrittenOff), "l").unwrap();
    assert_eq!(account(&world, "item1"), (100, 5, 5, 3, 97));
    let view = world.show(&placed);
    assert_eq!((view.status, view.after_sale.returns().len()), (Status::Paid, 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_is_sent_again_is_made_once() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 5)]);
    let first = into_stock(&world, &placed, &[("item1", 2)], "k").unwrap();
    let (again, writes) = world.writes(|| into_stock(&world, &placed, &[("item1", 2)], "k").unwrap());
    assert_eq!((again.replayed, &again.made, writes), (true, &first.made, 0));
    let lost = World::new();
    let placed = sell(&lost, &[("item1", 5)]);
    for _ in 0..3 {
        lost.at_next_swap(AtSwap::LoseAnswer);
    }
    assert!(!into_stock(&lost, &placed, &[("item1", 2)], "k").unwrap().replayed);
    assert_eq!(account(&lost, "item1"), (100, 5, 2, 0, 97), "although no answer of the store came");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_stands_for_one_return_of_one_order() {
    let world = World::new();
    let (placed, other) = (sell(&world, &[("item1", 5)]), sell(&world, &[("item1", 5)]));
    into_stock(&world, &placed, &[("item1", 2)], "k").unwrap();
    let reason =
        ReturnedGoods { reason: "broken".to_owned().try_into().unwrap(), ..goods(&[("item1", 2)], Destination::Stock) };
    for another in [goods(&[("item1", 1)], Destination::Stock), goods(&[("item1", 2)], Destination::WrittenOff), reason]
    {
        assert_eq!(take_back(&world, &placed, another, "k"), Err(Error::IdempotencyKeyReused));
    }
    assert!(!into_stock(&world, &other, &[("item1", 2)], "k").unwrap().replayed, "another order's is another");
    assert_eq!(account(&world, "item1").2, 4);
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_comes_back_that_was_not_sold() {
    let world = World::new();
    let pending = world.place(&[("item1", 1)]).unwrap();
    let cancelled = world.place(&[("item1", 1)]).unwrap();
    world.cancel(&cancelled).unwrap();
    let overdue = world.place(&[("item1", 1)]).unwrap();
    let placed = sell(&world, &[("item1", 2)]);
    let refused = |placed: &Placed, lines: &[(&str, u64)]| into_stock(&world, placed, lines, "k").unwrap_err();
    let before = world.store.records().clone();
    assert_eq!(refused(&pending, &[("item1", 1)]), Error::OrderNotReturnable(Status::Pending));
    assert_eq!(refused(&cancelled, &[("item1", 1)]), Error::OrderNotReturnable(Status::Cancelled));
    let more =
        |item: &str, sold, left, requested| Error::ReturnExceedsSale { item_id: id(item), sold, left, requested };
    assert_eq!(refused(&placed, &[("item1", 3)]), more("item1", 2, 2, 3));
    assert_eq!(refused(&placed, &[("item1", 1), ("item2", 1)]), more("item2", 0, 0, 1));
    assert_eq!(refused(&placed, &[("no-such-item", 1)]), more("no-such-item", 0, 0, 1));
    let unknown = KeyDigest::new("returns", "k");
    let of_none = run(world.shop().return_goods(
        OrderId::from_random([9; 16]),
        goods(&[("item1", 1)], Destination::Stock),
        unknown,
    ));
    assert_eq!(of_none, Err(Error::OrderNotFound));
    assert_eq!(*world.store.records(), before, "nothing is written of what is refused");
    world.wait(900);
    assert_eq!(refused(&overdue, &[("item1", 1)]), Error::OrderNotReturnable(Status::Expired));
    into_stock(&world, &placed, &[("item1", 1)], "l").unwrap();
    assert_eq!(refused(&placed, &[("item1", 2)]), more("item1", 2, 1, 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_has_room_for_so_much_and_no_more() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 2)]);
    // Then it is settled, and 99 are on hand.
    world.adjust("item1", 1).unwrap();
    world.adjust("item1", i64::try_from(Stock::MAX).unwrap() - 100).unwrap();
    let before = world.store.records().clone();
    assert_eq!(into_stock(&world, &placed, &[("item1", 2)], "k"), Err(Error::TooMuchStock));
    assert_eq!(*world.store.records(), before);
    take_back(&world, &placed, goods(&[("item1", 1)], Destination::WrittenOff), "l").unwrap();
    into_stock(&world, &placed, &[("item1", 1)], "m").unwrap();
    assert_eq!(account(&world, "item1").4, Stock::MAX);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_finds_the_room_taken_in_the_last_moment_is_finished_once_there_is_room() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 2), ("item2", 1)]);
    world.adjust("item1", 1).unwrap();
    let most = i64::try_from(Stock::MAX).unwrap() - 99;
    world.meanwhile(move |world| world.adjust("item1", most).unwrap());
    let lines = [("item1", 2), ("item2", 1)];
    assert_eq!(into_stock(&world, &placed, &lines, "k"), Err(Error::TooMuchStock));
    assert_eq!((account(&world, "item1").2, account(&world, "item2").2), (0, 1), "what could be put back is");
    assert!(!world.show(&placed).after_sale.returns()[0].done);
    let shown = run(world.shop().order_returns(order_id(&placed))).unwrap();
    assert_eq!((shown.view.after_sale.returns()[0].done, shown.unfinished), (false, Some(Error::TooMuchStock)));
    world.adjust("item1", -2).unwrap();
    let again = into_stock(&world, &placed, &lines, "k").unwrap();
    assert!(again.replayed && again.made.done);
    assert_eq!((account(&world, "item1").2, account(&world, "item2").2), (2, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_takes_so_many_returns() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 100)]);
    for number in 0..MAX_RETURNS {
        into_stock(&world, &placed, &[("item1", 1)], &number.to_string()).unwrap();
    }
    assert_eq!(into_stock(&world, &placed, &[("item1", 1)], "more"), Err(Error::OrderFull));
    assert!(into_stock(&world, &placed, &[("item1", 1)], "0").unwrap().replayed);
    assert!(world.item("item1").returns().len() <= 1, "each forgets those before it");
    assert_eq!(account(&world, "item1"), (100, 100, 64, 0, 64));
}

/// Cuts a return off after each number of writes, and does then what carries on with it.
fn cut_off(carry_on: fn(&World, &Placed), repeats: bool) {
    for writes in 0..=4 {
        let world = World::new();
        let placed = sell(&world, &[("item1", 3), ("item2", 1)]);
        world.store.fail_after_writes(Some(writes));
        let cut = into_stock(&world, &placed, &[("item1", 2), ("item2", 1)], "k");
        world.store.fail_after_writes(None);
        assert_eq!(cut.is_ok(), writes == 4);
        assert_eq!(world.item("item1").returned(), if writes >= 2 { 2 } else { 0 });
        carry_on(&world, &placed);
        carry_on(&world, &placed);
        let returned = u64::from(repeats || writes > 0);
        assert_eq!(account(&world, "item1"), (100, 3, 2 * returned, 0, 97 + 2 * returned), "{writes} writes");
        assert_eq!(account(&world, "item2"), (50, 1, returned, 0, 49 + returned), "{writes} writes");
        assert!(world.show(&placed).after_sale.returns().iter().all(|one| one.done), "{writes} writes");
        for item in ["item1", "item2"] {
            world.adjust(item, 1).unwrap();
            assert_eq!(world.item(item).returns(), [], "what is done is forgotten in passing");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_was_cut_off_is_carried_on_with_by_whatever_asks_for_the_returns() {
    cut_off(|world, placed| drop(run(world.shop().order_returns(order_id(placed))).unwrap()), false);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_was_cut_off_is_carried_on_with_by_a_repeat() {
    let lines = [("item1", 2), ("item2", 1)];
    cut_off(
        |world, placed| assert!(into_stock(world, placed, &[("item1", 2), ("item2", 1)], "k").unwrap().made.done),
        true,
    );
    let world = World::new();
    let placed = sell(&world, &[("item1", 3), ("item2", 1)]);
    world.store.fail_after_writes(Some(2));
    assert!(into_stock(&world, &placed, &lines, "k").is_err());
    world.store.fail_after_writes(None);
    into_stock(&world, &placed, &[("item1", 1)], "another").unwrap();
    assert_eq!((account(&world, "item1").2, account(&world, "item2").2), (3, 1), "and by another of the same order");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_was_cut_off_halfway_is_carried_on_with_by_a_sweep() {
    for writes in 2..=3 {
        let world = World::new();
        let placed = sell(&world, &[("item1", 3), ("item2", 1)]);
        world.store.fail_after_writes(Some(writes));
        assert!(into_stock(&world, &placed, &[("item1", 2), ("item2", 1)], "k").is_err());
        world.store.fail_after_writes(None);
        let swept = run(world.shop().sweep()).unwrap();
        assert_eq!(swept.unfinished_returns, 0);
        assert_eq!((account(&world, "item1").2, account(&world, "item2").2), (2, 1));
        // The second item was read before it had its goods.
        run(world.shop().sweep()).unwrap();
        assert_eq!((world.item("item1").returns(), world.item("item2").returns()), ([].as_slice(), [].as_slice()));
        let (_, writes) = world.writes(|| run(world.shop().sweep()).unwrap());
        assert_eq!(writes, 0, "there is nothing left to do");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_says_what_it_could_not_finish_and_goes_on() {
    let world = World::new();
    let (placed, other) = (sell(&world, &[("item1", 3)]), sell(&world, &[("item1", 3)]));
    for placed in [&placed, &other] {
        world.store.fail_after_writes(Some(2));
        assert!(into_stock(&world, placed, &[("item1", 1)], "k").is_err());
        world.store.fail_after_writes(None);
    }
    let state = format!("payment:{}", order_id(&placed));
    let bytes = world.store.records_mut().insert(state.clone(), b"damaged".to_vec()).unwrap();
    assert_eq!(run(world.shop().sweep()).unwrap().unfinished_returns, 1);
    assert_eq!(world.item("item1").returns().len(), 1, "of the other order it is done");
    world.store.records_mut().insert(state, bytes);
    assert_eq!(run(world.shop().sweep()).unwrap().unfinished_returns, 0);
    assert_eq!((world.item("item1").returns(), account(&world, "item1").2), ([].as_slice(), 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_remembers_so_many_unfinished_returns_and_takes_more_once_a_sweep_has_finished_them() {
    let world = World::new();
    for _ in 0..REMEMBERED_RETURNS {
        let placed = sell(&world, &[("item1", 1)]);
        world.store.fail_after_writes(Some(2));
        assert!(into_stock(&world, &placed, &[("item1", 1)], "k").is_err());
        world.store.fail_after_writes(None);
    }
    let placed = sell(&world, &[("item1", 1)]);
    assert_eq!(into_stock(&world, &placed, &[("item1", 1)], "k"), Err(Error::Contended));
    assert_eq!(world.item("item1").returns().len(), REMEMBERED_RETURNS);
    run(world.shop().sweep()).unwrap();
    assert!(into_stock(&world, &placed, &[("item1", 1)], "k").unwrap().made.done);
    assert_eq!(account(&world, "item1"), (100, 65, 65, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_that_is_stopped_before_the_items_swap_puts_nothing_back_once_another_request_has() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 3)]);
    world.store.fail_after_writes(Some(1));
    assert!(into_stock(&world, &placed, &[("item1", 2)], "k").is_err());
    world.store.fail_after_writes(None);
    let other = placed.clone();
    // Another request puts the goods back, and a third one has the item forget that.
    world.meanwhile(move |world| {
        into_stock(world, &other, &[("item1", 2)], "k").unwrap();
        world.adjust("item1", 1).unwrap();
        assert_eq!(world.item("item1").returns(), []);
    });
    assert!(into_stock(&world, &placed, &[("item1", 2)], "k").unwrap().made.done);
    assert_eq!(account(&world, "item1"), (101, 3, 2, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_is_made_of_an_order_that_is_what_is_expected() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 2)]);
    let is =
        |status: Status| Condition::new(move |view: Option<&OrderView>| view.is_some_and(|view| view.status == status));
    let take_back = |condition: &Condition<OrderView>| {
        let (goods, key) = (goods(&[("item1", 1)], Destination::Stock), KeyDigest::new("returns", "k"));
        run(world.shop().return_goods_if(condition, order_id(&placed), goods, key))
    };
    assert_eq!(take_back(&is(Status::Fulfilled)), Err(Error::PreconditionFailed));
    assert!(take_back(&is(Status::Paid)).is_ok());
    assert!(take_back(&is(Status::Fulfilled)).unwrap().replayed, "it is made, and nothing is expected of it any more");
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_go_out_once_the_order_is_paid_and_how_can_be_said_again_until_they_are_delivered() {
    let world = World::new();
    let placed = world.place(&[("item1", 1)]).unwrap();
    assert_eq!(fulfil(&world, &placed, "x", false), Err(Error::OrderNotFulfillable(Status::Pending)));
    world.pay(&placed).unwrap();
    assert_eq!(fulfil(&world, &placed, "x", false).unwrap().status, Status::Fulfilled);
    let (again, writes) = world.writes(|| fulfil(&world, &placed, "x", false).unwrap());
    assert_eq!((again.status, writes), (Status::Fulfilled, 0));
    world.wait(60);
    fulfil(&world, &placed, "y", false).unwrap();
    world.wait(60);
    world.at_next_swap(AtSwap::LoseAnswer);
    let delivered = fulfil(&world, &placed, "y", true).unwrap();
    assert_eq!(fulfil(&world, &placed, "y", true).unwrap(), delivered);
    for (carrier, is_delivered) in [("x", true), ("y", false)] {
        assert_eq!(fulfil(&world, &placed, carrier, is_delivered), Err(Error::OrderDelivered));
    }
    assert_eq!(world.pay(&placed).unwrap().status, Status::Fulfilled, "paying again is answered as before");
    assert_eq!(world.cancel(&placed), Err(Error::OrderNotCancellable(Status::Fulfilled)));
    let unknown =
        run(world.shop().fulfil_if(&Condition::default(), OrderId::from_random([9; 16]), &Shipment::default(), false));
    assert_eq!(unknown, Err(Error::OrderNotFound));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_goods_are_all_back_is_not_sent() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 2)]);
    into_stock(&world, &placed, &[("item1", 2)], "k").unwrap();
    assert_eq!(fulfil(&world, &placed, "x", false), Err(Error::OrderNotFulfillable(Status::Paid)));
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_are_sent_from_an_order_that_is_what_is_expected() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 2)]);
    let is_paid = || Condition::new(|view: Option<&OrderView>| view.is_some_and(|view| view.status == Status::Paid));
    let fulfil =
        |delivered| run(world.shop().fulfil_if(&is_paid(), order_id(&placed), &Shipment::default(), delivered));
    world.at_next_swap(AtSwap::LoseAnswer);
    assert!(fulfil(false).is_ok(), "it was what is expected at the moment of the change");
    assert_eq!(fulfil(true), Err(Error::PreconditionFailed));
    assert_eq!(fulfil(false), Err(Error::PreconditionFailed));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_history_of_an_order_has_what_went_out_and_came_back() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 3)]);
    world.wait(1);
    fulfil(&world, &placed, "x", false).unwrap();
    world.wait(1);
    let back = into_stock(&world, &placed, &[("item1", 1)], "k").unwrap();
    world.wait(1);
    fulfil(&world, &placed, "x", true).unwrap();
    world.wait(1);
    let lost = take_back(&world, &placed, goods(&[("item1", 1)], Destination::WrittenOff), "l").unwrap();
    let history = run(world.shop().order_history(order_id(&placed))).unwrap();
    let events: Vec<_> = history.events.iter().map(|(_, event)| event.clone()).collect();
    let expected = [
        OrderEvent::Placed,
        OrderEvent::Paid,
        OrderEvent::Fulfilled,
        OrderEvent::Returned(back.made.id),
        OrderEvent::Delivered,
        OrderEvent::WrittenOff(lost.made.id),
    ];
    assert_eq!(events, expected);
    let names = ["placed", "paid", "fulfilled", "returned", "delivered", "written_off"];
    assert_eq!(events.iter().map(|event| event.name()).collect::<Vec<_>>(), names);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_store_that_is_down_is_no_reason_to_say_that_nothing_came_back() {
    let world = World::new();
    let placed = sell(&world, &[("item1", 1)]);
    world.store.go_down();
    let refused = into_stock(&world, &placed, &[("item1", 1)], "k");
    assert!(matches!(refused, Err(Error::Store(StoreError::Unavailable(_)))), "{refused:?}");
}
