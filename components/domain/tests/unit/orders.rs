//! Rules of orders: placing, repeating, refusing, cancelling, expiring.

use domain::order::{Lines, LinesError};
use domain::{CustomerId, Error, Money, PaymentMethod, Quantity, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, order, run};

#[wasm_bindgen_test(unsupported = test)]
fn placing_an_order_holds_its_stock_with_two_writes() {
    let world = World::new();
    let (placed, writes) = world.writes(|| world.place(&[("item1", 2)]).unwrap());
    assert_eq!((placed.view.status, placed.replayed, writes), (Status::Pending, false, 2));
    assert_eq!(placed.view.order.total().get(), 2000);
    assert_eq!(world.stock("item1"), (100, 2, 98));
    assert_eq!(world.show(&placed), placed.view);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_idempotency_key_costs_no_write() {
    let world = World::new();
    let (_, writes) = world.writes(|| world.place_with_key(&[("item1", 2)], "k").unwrap());
    assert_eq!(writes, 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn lines_of_the_same_item_are_added_up_and_sorted() {
    let lines = |lines: &[(&str, u64)]| {
        Lines::new(lines.iter().map(|(item, quantity)| (id(item), Quantity::try_from(*quantity).unwrap())))
    };
    let sum = lines(&[("b", 1), ("a", 2), ("b", 3)]).unwrap();
    let sum: Vec<_> = sum.iter().map(|(item, quantity)| (item.as_str().to_owned(), quantity.get())).collect();
    assert_eq!(sum, [("a".to_owned(), 2), ("b".to_owned(), 4)]);
    assert_eq!(lines(&[]), Err(LinesError::Empty));
    assert_eq!(lines(&[("a", 1); 51]), Err(LinesError::TooMany));
    assert!(lines(&[("a", 1); 50]).is_ok());
    assert_eq!(lines(&[("a", 1_000_000), ("b", 1), ("a", 1)]), Err(LinesError::TooMuch { line: 2 }));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refused_order_leaves_nothing_behind() {
    let world = World::new();
    let (error, writes) = world.writes(|| world.place(&[("item1", 1), ("item2", 51)]).unwrap_err());
    assert_eq!(error, Error::InsufficientStock { item_id: id("item2"), available: 50, requested: 51 });
    assert_eq!((writes, world.orders()), (0, 0));
    assert_eq!(world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_loses_its_second_line_to_another_gives_back_the_first() {
    let world = World::new();
    world.meanwhile(|world| drop(world.place(&[("item2", 50)]).unwrap()));
    let error = world.place(&[("item1", 1), ("item2", 1)]).unwrap_err();
    assert_eq!(error, Error::InsufficientStock { item_id: id("item2"), available: 0, requested: 1 });
    assert_eq!(world.stock("item1"), (100, 0, 100));
    assert_eq!(world.holds("item1"), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn of_two_buyers_of_the_last_unit_one_gets_it() {
    let world = World::new();
    world.adjust("item1", -99).unwrap();
    world.meanwhile(|world| drop(world.place(&[("item1", 1)]).unwrap()));
    assert!(matches!(world.place(&[("item1", 1)]), Err(Error::InsufficientStock { available: 0, .. })));
    assert_eq!(world.stock("item1"), (1, 1, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_total_that_overflows_is_refused() {
    let world = World::new();
    run(world.shop().put_item(&id("gold"), Money::MAX.try_into().unwrap(), Some(9.try_into().unwrap()))).unwrap();
    assert_eq!(world.place(&[("gold", 2)]).unwrap_err(), Error::TotalTooLarge);
    assert_eq!(world.place(&[("gold", 1), ("item1", 1)]).unwrap_err(), Error::TotalTooLarge);
    assert_eq!(world.place(&[("gold", 1)]).unwrap().view.order.total().get(), Money::MAX);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_keeps_the_price_that_it_was_placed_at() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    run(world.shop().put_item(&id("item1"), 5.try_into().unwrap(), None)).unwrap();
    assert_eq!(world.pay(&placed).unwrap().payment.unwrap().amount.get(), 2000);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_hold_whose_answer_was_lost_is_taken_once() {
    let world = World::new();
    world.at_next_swap(AtSwap::LoseAnswer);
    world.place(&[("item1", 2)]).unwrap();
    assert_eq!(world.stock("item1"), (100, 2, 98));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_gets_the_same_order_with_one_write_and_then_none() {
    let world = World::new();
    let first = world.place_with_key(&[("item1", 2)], "k").unwrap();
    for most in [1, 0, 0] {
        let (again, writes) = world.writes(|| world.place_with_key(&[("item1", 2)], "k").unwrap());
        assert!(again.replayed);
        assert_eq!(again.view, first.view);
        assert!(writes <= most);
    }
    assert_eq!((world.orders(), world.stock("item1")), (1, (100, 2, 98)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_shows_the_order_as_it_now_is_also_when_its_stock_is_gone() {
    let world = World::new();
    let first = world.place_with_key(&[("item1", 100)], "k").unwrap();
    world.pay(&first).unwrap();
    let again = world.place_with_key(&[("item1", 100)], "k").unwrap();
    assert_eq!((again.view.status, again.replayed), (Status::Paid, true));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_that_is_used_for_another_request_is_refused() {
    let world = World::new();
    world.place_with_key(&[("item1", 2)], "k").unwrap();
    assert_eq!(world.place_with_key(&[("item1", 3)], "k").unwrap_err(), Error::IdempotencyKeyReused);
    let mut other = order(&[("item1", 2)]);
    other.customer_id = None;
    let key = domain::KeyDigest::new("orders", "k");
    assert_eq!(run(world.shop().place(other, Some(key))).unwrap_err(), Error::IdempotencyKeyReused);
    assert_eq!(world.stock("item1"), (100, 2, 98));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_outlives_the_hold_that_carried_it() {
    let world = World::new();
    let count = world.limits.mappings_per_write * 3;
    let keys: Vec<_> = (0..count).map(|n| format!("key {n}")).collect();
    for key in &keys {
        let placed = world.place_with_key(&[("item1", 1)], key).unwrap();
        world.pay(&placed).unwrap();
    }
    assert!(world.holds("item1") < 8, "settling keeps up with placing");
    let mappings = world.store.records().keys().filter(|key| key.starts_with("idempotency:")).count();
    assert!(mappings >= world.limits.mappings_per_write, "{mappings} mappings were written");
    for key in &keys {
        let (again, writes) = world.writes(|| world.place_with_key(&[("item1", 1)], key).unwrap());
        assert!(again.replayed);
        assert_eq!(writes, 0);
    }
    assert_eq!(world.orders(), count);
    assert_eq!(world.stock("item1").2, 100 - count as u64);
}

#[wasm_bindgen_test(unsupported = test)]
fn two_requests_with_one_key_at_once_place_one_order() {
    let world = World::new();
    world.meanwhile(|world| drop(world.place_with_key(&[("item1", 2)], "k").unwrap()));
    let placed = world.place_with_key(&[("item1", 2)], "k").unwrap();
    assert!(placed.replayed);
    assert_eq!((world.orders(), world.stock("item1")), (1, (100, 2, 98)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_carries_on_wherever_the_first_request_stopped() {
    let lines = [("item1", 1), ("item2", 2), ("item3", 3)];
    // Writes: the order, then three holds.
    for writes in 0..4 {
        let world = World::new();
        world.crash_while_placing(&lines, "k", writes);
        let placed = world.place_with_key(&lines, "k").unwrap();
        assert_eq!(placed.view.status, Status::Pending);
        assert_eq!(placed.replayed, writes >= 2, "once the first line is held, its order is the one");
        assert_eq!(world.stock("item1"), (100, 1, 99));
        assert_eq!(world.stock("item2"), (50, 2, 48));
        assert_eq!(world.stock("item3"), (75, 3, 72));
        assert_eq!(world.show(&placed).status, Status::Pending);
        assert!(world.place_with_key(&lines, "k").unwrap().replayed);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_half_held_is_shown_as_placing_and_its_stock_comes_back_when_it_expires() {
    let world = World::new();
    world.crash_while_placing(&[("item1", 1), ("item2", 2)], "k", 2);
    let (order_id, _) = *world.item("item1").holds().iter().next().unwrap();
    assert_eq!(run(world.shop().show_order(order_id)).unwrap().status, Status::Placing);
    let pay = run(world.shop().pay(order_id, PaymentMethod::unspecified(), None));
    assert_eq!(pay.unwrap_err(), Error::OrderNotPayable(Status::Placing));
    world.wait(900);
    world.adjust("item1", 1).unwrap();
    assert_eq!((world.holds("item1"), world.stock("item1")), (0, (101, 0, 101)));
    assert_eq!(run(world.shop().show_order(order_id)).unwrap().status, Status::Expired);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_helper_that_finds_too_little_refuses_and_leaves_the_order_alone() {
    let world = World::new();
    world.crash_while_placing(&[("item1", 1), ("item2", 2)], "k", 2);
    world.place(&[("item2", 50)]).unwrap();
    let error = world.place_with_key(&[("item1", 1), ("item2", 2)], "k").unwrap_err();
    assert!(matches!(error, Error::InsufficientStock { .. }));
    world.adjust("item2", 2).unwrap();
    let placed = world.place_with_key(&[("item1", 1), ("item2", 2)], "k").unwrap();
    assert_eq!((placed.view.status, placed.replayed), (Status::Pending, true));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refusal_is_not_remembered_for_its_key() {
    let world = World::new();
    assert!(world.place_with_key(&[("item2", 51)], "k").is_err());
    // Refused half way: the first line was held already.
    world.meanwhile(|world| drop(world.place(&[("item3", 75)]).unwrap()));
    assert!(world.place_with_key(&[("item2", 1), ("item3", 1)], "k").is_err());
    world.adjust("item3", 1).unwrap();
    let placed = world.place_with_key(&[("item2", 1), ("item3", 1)], "k").unwrap();
    assert_eq!((placed.view.status, placed.replayed), (Status::Pending, false));
    assert_eq!(world.stock("item2"), (50, 1, 49));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_rejected_order_whose_holds_were_not_released_does_not_block_its_key() {
    let world = World::new();
    world.meanwhile(|world| {
        world.place(&[("item3", 75)]).unwrap();
        // Left to the first request: its first hold and the rejection, but not the release.
        world.store.fail_after_writes(Some(2));
    });
    assert!(world.place_with_key(&[("item2", 1), ("item3", 1)], "k").is_err());
    world.store.fail_after_writes(None);
    assert_eq!(world.holds("item2"), 1);
    world.adjust("item3", 1).unwrap();
    let placed = world.place_with_key(&[("item2", 1), ("item3", 1)], "k").unwrap();
    assert_eq!((placed.view.status, placed.replayed), (Status::Pending, false));
    assert_eq!(world.stock("item2"), (50, 1, 49));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_a_helper_has_confirmed_is_not_rejected_any_more() {
    let world = World::new();
    world.adjust("item3", -74).unwrap();
    // Between the creator's first read and its first swap, a whole life of the same request: another request with the
    // key places the order, so that the creator becomes a helper and must not reject.
    world.meanwhile(|world| {
        let placed = world.place_with_key(&[("item1", 1), ("item3", 1)], "k").unwrap();
        assert_eq!(placed.view.status, Status::Pending);
    });
    let placed = world.place_with_key(&[("item1", 1), ("item3", 1)], "k").unwrap();
    assert_eq!((placed.view.status, placed.replayed), (Status::Pending, true));
    let payment = format!("payment:{}", placed.view.order.order_id);
    assert_eq!(world.record(&payment)["confirmed"], true);
}

#[wasm_bindgen_test(unsupported = test)]
fn cancelling_gives_the_stock_back_once() {
    let world = World::new();
    let placed = world.place(&[("item1", 2), ("item2", 3)]).unwrap();
    for _ in 0..3 {
        assert_eq!(world.cancel(&placed).unwrap().status, Status::Cancelled);
        assert_eq!(world.stock("item1"), (100, 0, 100));
        assert_eq!(world.stock("item2"), (50, 0, 50));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cancel_that_stopped_half_way_is_finished_by_its_repeat_or_by_any_swap() {
    for repeat in [true, false] {
        let world = World::new();
        let placed = world.place(&[("item1", 2)]).unwrap();
        world.store.fail_after_writes(Some(1));
        assert_eq!(world.cancel(&placed).unwrap().status, Status::Cancelled, "its fate is what counts");
        world.store.fail_after_writes(None);
        assert_eq!(world.holds("item1"), 1);
        if repeat {
            world.cancel(&placed).unwrap();
        } else {
            world.adjust("item1", 1).unwrap();
        }
        assert_eq!(world.holds("item1"), 0);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_a_refusal_says_is_available_is_what_all_requests_see_then() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    world.store.fail_after_writes(Some(1));
    world.cancel(&placed).unwrap();
    world.store.fail_after_writes(None);
    assert_eq!(world.stock("item1"), (100, 2, 98), "the cancelled order still holds its stock");
    let error = world.place(&[("item1", 101)]).unwrap_err();
    assert_eq!(error, Error::InsufficientStock { item_id: id("item1"), available: 100, requested: 101 });
    assert_eq!(world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_paid_or_expired_order_cannot_be_cancelled() {
    let world = World::new();
    let (paid, expired) = (world.place(&[("item1", 2)]).unwrap(), world.place(&[("item1", 2)]).unwrap());
    world.pay(&paid).unwrap();
    world.wait(900);
    assert_eq!(world.cancel(&paid).unwrap_err(), Error::OrderNotCancellable(Status::Paid));
    assert_eq!(world.cancel(&expired).unwrap_err(), Error::OrderNotCancellable(Status::Expired));
}

#[wasm_bindgen_test(unsupported = test)]
fn stock_of_expired_orders_goes_to_the_order_that_is_short_of_it() {
    let world = World::new();
    for _ in 0..20 {
        world.place(&[("item1", 5)]).unwrap();
    }
    assert!(world.place(&[("item1", 1)]).is_err());
    world.wait(900);
    let placed = world.place(&[("item1", 100)]).unwrap();
    assert_eq!(placed.view.status, Status::Pending);
    assert_eq!((world.holds("item1"), world.stock("item1")), (1, (100, 100, 0)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_of_an_expired_order_gets_the_expired_order() {
    let world = World::new();
    world.place_with_key(&[("item1", 5)], "k").unwrap();
    world.wait(900);
    let again = world.place_with_key(&[("item1", 5)], "k").unwrap();
    assert_eq!((again.view.status, again.replayed), (Status::Expired, true));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_does_not_exist_is_not_found() {
    let world = World::new();
    let unknown = "07070707-0707-4707-8707-070707070707".parse().unwrap();
    assert_eq!(run(world.shop().show_order(unknown)).unwrap_err(), Error::OrderNotFound);
    assert_eq!(run(world.shop().cancel(unknown)).unwrap_err(), Error::OrderNotFound);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_store_that_never_swaps_ends_in_busy_and_one_that_is_down_in_its_own_error() {
    let world = World::new();
    world.store.always_conflict();
    assert_eq!(world.place(&[("item1", 1)]).unwrap_err(), Error::Contended);
    world.store.go_down();
    assert!(matches!(world.place(&[("item1", 1)]), Err(Error::Store(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_customer_an_earlier_version_took_is_shown_and_paid() {
    let world = World::new();
    let placed = world.place(&[("item1", 1)]).unwrap();
    let key = format!("order:{}", placed.view.order.order_id);
    let record = String::from_utf8(world.store.records_mut()[&key].clone()).unwrap();
    let earlier = record.replace(r#""anna""#, r#""a\tb\u202e""#);
    world.store.records_mut().insert(key, earlier.into_bytes());
    let customer = world.show(&placed).order.customer_id;
    assert_eq!(customer.unwrap().as_str(), "a\tb\u{202e}");
    assert_eq!(world.pay(&placed).unwrap().status, Status::Paid);
    // A request may not say it any more.
    assert!("a\tb".parse::<CustomerId>().is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_with_half_of_its_records_is_reported() {
    let world = World::new();
    let placed = world.place(&[("item1", 1)]).unwrap();
    let payment = format!("payment:{}", placed.view.order.order_id);
    world.store.records_mut().remove(&payment);
    let shown = run(world.shop().show_order(placed.view.order.order_id));
    assert!(matches!(shown, Err(Error::Unreadable { .. })));
}
