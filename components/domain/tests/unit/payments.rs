//! Rules of payment: who pays what, once, and when the goods leave.

use domain::{Error, Money, PaymentMethod, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, run};

fn money(amount: u64) -> Option<Money> {
    Some(amount.try_into().unwrap())
}

#[wasm_bindgen_test(unsupported = test)]
fn paying_takes_one_write_and_repeating_it_none() {
    let world = World::new();
    let placed = world.place(&[("item1", 2), ("item2", 1)]).unwrap();
    let (paid, writes) = world.writes(|| world.pay(&placed).unwrap());
    assert_eq!((paid.status, writes), (Status::Paid, 1));
    world.wait(5);
    let (again, writes) = world.writes(|| world.pay(&placed).unwrap());
    assert_eq!((again, writes), (paid, 0), "the first payment stands, with its time");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_payment_records_amount_method_and_time() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    world.wait(3);
    let method: PaymentMethod = "card".parse().unwrap();
    let result = run(world.shop().pay(placed.view.order.order_id, method.clone(), money(2000))).unwrap();
    let paid = crate::support::paid(result).payment.unwrap();
    assert_eq!(paid.reference, None, "no provider has charged for it");
    assert_eq!((paid.amount.get(), paid.method, u64::from(paid.paid_at)), (2000, method, 1_700_000_003_000));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_amount_that_is_not_the_total_is_refused() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    for given in [0, 1999, 2001] {
        let pay = run(world.shop().pay(placed.view.order.order_id, PaymentMethod::unspecified(), money(given)));
        assert!(matches!(pay, Err(Error::AmountMismatch { .. })));
    }
    assert_eq!(world.show(&placed).status, Status::Pending);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cancelled_or_expired_order_cannot_be_paid() {
    let world = World::new();
    let (cancelled, expired) = (world.place(&[("item1", 2)]).unwrap(), world.place(&[("item1", 2)]).unwrap());
    world.cancel(&cancelled).unwrap();
    assert_eq!(world.pay(&cancelled).unwrap_err(), Error::OrderNotPayable(Status::Cancelled));
    world.wait(899);
    assert_eq!(world.show(&expired).status, Status::Pending);
    world.wait(1);
    assert_eq!(world.pay(&expired).unwrap_err(), Error::OrderNotPayable(Status::Expired));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_cancelled_while_it_is_paid_is_one_of_both() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    let order = placed.clone();
    world.meanwhile(move |world| drop(world.cancel(&order).unwrap()));
    assert_eq!(world.pay(&placed).unwrap_err(), Error::OrderNotPayable(Status::Cancelled));
    assert_eq!(world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_paid_while_it_is_cancelled_stays_paid() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    let order = placed.clone();
    world.meanwhile(move |world| drop(world.pay(&order).unwrap()));
    assert_eq!(world.cancel(&placed).unwrap_err(), Error::OrderNotCancellable(Status::Paid));
    assert_eq!(world.stock("item1").2, 98);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_paid_while_it_expires_stays_paid_and_held() {
    let world = World::new();
    let placed = world.place(&[("item1", 100)]).unwrap();
    world.wait(899);
    world.wait(1);
    // A request that is short of stock is about to expire it; a payer whose clock is a second behind pays first.
    let order = placed.clone();
    world.meanwhile(move |world| {
        let now = world.environment.millis();
        world.environment.set_millis(now - 1000);
        world.pay(&order).unwrap();
        world.environment.set_millis(now);
    });
    assert!(world.place(&[("item1", 1)]).is_err());
    assert_eq!(world.show(&placed).status, Status::Paid);
    assert_eq!(world.stock("item1").2, 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_payment_whose_answer_was_lost_is_made_once() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(world.pay(&placed).unwrap().status, Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn the_goods_of_a_paid_order_leave_once() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    world.pay(&placed).unwrap();
    assert_eq!(world.stock("item1").2, 98);
    for _ in 0..3 {
        world.adjust("item1", 1).unwrap();
        world.adjust("item1", -1).unwrap();
        assert_eq!(world.stock("item1"), (98, 0, 98));
    }
    assert_eq!(world.pay(&placed).unwrap().status, Status::Paid, "long settled, and still paid");
    assert_eq!(world.show(&placed).status, Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_settled_while_it_is_shown_or_paid_is_shown_as_paid() {
    let world = World::new();
    let placed = world.place(&[("item1", 2)]).unwrap();
    let order = placed.clone();
    // The first pay's swap loses to another pay, and the settlement takes the hold away as well.
    world.meanwhile(move |world| {
        world.pay(&order).unwrap();
        world.adjust("item1", 1).unwrap();
    });
    assert_eq!(world.pay(&placed).unwrap().status, Status::Paid);
    assert_eq!(world.holds("item1"), 0);
}
