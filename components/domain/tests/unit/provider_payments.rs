//! Payments at a provider: who is sent where, who is charged, and what becomes of the order and its goods.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::order_state::{LateRefund, PaymentReference};
use domain::{
    Error, InvalidNotice, Noticed, OrderEvent, OrderId, OrderView, PayResult, PaymentMethod, PaymentProgress, Placed,
    RefundState, Shop, Status, Swept,
};
use memory_store::{FakeEnvironment, MemoryStore};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::provider::{FakeProvider, Fault, Session, session};
use crate::support::{AtSwap, World, id, order, run};

struct Provided {
    world: World,
    provider: FakeProvider,
}

impl Provided {
    fn new() -> Self {
        Self { world: World::new(), provider: FakeProvider::default() }
    }

    fn shop(&self) -> Shop<MemoryStore, FakeEnvironment, FakeProvider> {
        self.world.shop().with_provider(self.provider.clone())
    }

    /// Places an order of two, which costs 2000.
    fn placed(&self) -> Placed {
        self.world.place(&[("item1", 2)]).unwrap()
    }

    fn pay(&self, placed: &Placed) -> Result<PayResult, Error> {
        run(self.shop().pay(placed.view.order.order_id, PaymentMethod::unspecified(), None))
    }

    /// Pays, and answers with the page to which the buyer is sent.
    #[track_caller]
    fn sent_to(&self, placed: &Placed) -> String {
        match self.pay(placed).unwrap() {
            PayResult::AtProvider(view, PaymentProgress::Open { url, .. }) => {
                assert_eq!((view.status, view.at_provider()), (Status::Pending, true));
                url
            }
            result => panic!("the buyer is sent nowhere: {result:?}"),
        }
    }

    #[track_caller]
    fn paid(&self, placed: &Placed) -> OrderView {
        crate::support::paid(self.pay(placed).unwrap())
    }

    fn cancel(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().cancel(placed.view.order.order_id))
    }

    fn notice(&self, placed: &Placed, number: usize) -> Result<Noticed, Error> {
        let body = format!("{} {}", placed.view.order.order_id, session(number));
        run(self.shop().notice("signed", body.as_bytes()))
    }

    fn sweep(&self) -> Swept {
        run(self.shop().sweep()).unwrap()
    }

    fn events(&self, placed: &Placed) -> Vec<OrderEvent> {
        let history = run(self.shop().order_history(placed.view.order.order_id)).unwrap();
        history.events.into_iter().map(|(_, event)| event).collect()
    }

    /// The late charges in the record of an order.
    fn late(&self, placed: &Placed) -> Vec<LateRefund> {
        let record = self.world.record(&format!("payment:{}", placed.view.order.order_id));
        serde_json::from_value(record["late"].clone()).unwrap_or_default()
    }
}

const FIRST: &str = "https://pay.example/0";
const SECOND: &str = "https://pay.example/1";

#[wasm_bindgen_test(unsupported = test)]
fn a_payment_takes_two_writes_and_one_session() {
    let shop = Provided::new();
    let placed = shop.placed();
    let (url, writes) = shop.world.writes(|| shop.sent_to(&placed));
    assert_eq!((url.as_str(), writes, shop.provider.calls()), (FIRST, 1, vec!["open"]));
    let charge = shop.provider.charge(0, 2000);
    let (paid, writes) = shop.world.writes(|| shop.paid(&placed));
    assert_eq!((paid.status, paid.at_provider(), writes), (Status::Paid, false, 1));
    assert_eq!(shop.provider.calls(), ["look"]);
    let payment = paid.payment.clone().unwrap();
    assert_eq!((payment.amount.get(), payment.method, payment.paid_at), (2000, charge.method, charge.charged_at));
    assert_eq!(payment.reference, Some(PaymentReference { session: session(0), charge: charge.id }));
    let (again, writes) = shop.world.writes(|| shop.paid(&placed));
    assert_eq!((again, writes, shop.provider.calls()), (paid, 0, vec![]), "what is paid is not asked about");
    assert_eq!(shop.events(&placed), [OrderEvent::Placed, OrderEvent::Paid]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_buyer_is_sent_to_the_session_on_record_while_it_is_open() {
    let shop = Provided::new();
    let placed = shop.placed();
    assert_eq!((shop.sent_to(&placed), shop.sent_to(&placed)), (FIRST.to_owned(), FIRST.to_owned()));
    shop.provider.forget();
    assert_eq!(shop.sent_to(&placed), FIRST);
    assert_eq!((shop.provider.sessions(), shop.provider.calls()), (1, vec!["open", "look", "look"]));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_session_was_closed_in_time_gets_another_one() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.set(0, Session::Closed);
    assert_eq!(shop.sent_to(&placed), SECOND);
    let record = shop.world.record(&format!("payment:{}", placed.view.order.order_id));
    let expected = serde_json::json!({ "state": "at_provider", "attempt": 1, "session": "session-1" });
    assert_eq!(record, expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_that_has_waited_for_the_provider_is_not_refused_as_one_that_waits_for_the_store() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.set(0, Session::Closed);
    let environment = shop.world.environment.clone();
    *shop.provider.meanwhile.borrow_mut() = Some(Box::new(move || environment.pass(Duration::from_secs(5))));
    assert_eq!(shop.sent_to(&placed), SECOND);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_payment_that_is_processed_is_neither_paid_nor_cancelled() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.set(0, Session::Processing);
    let PayResult::AtProvider(_, PaymentProgress::Processing) = shop.pay(&placed).unwrap() else { panic!() };
    assert_eq!(shop.cancel(&placed), Err(Error::PaymentProcessing));
    shop.world.wait(901);
    assert_eq!(shop.cancel(&placed), Err(Error::PaymentProcessing));
    assert_eq!(shop.sweep().decided_payments, 0);
    assert_eq!(shop.world.show(&placed).status, Status::Pending);
    shop.provider.charge(0, 2000);
    assert_eq!(shop.paid(&placed).status, Status::Paid, "late, and its goods were held all the while");
    assert_eq!(shop.world.stock("item1").2, 98);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cancellation_ends_the_session_first_and_then_gives_the_goods_back() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    assert_eq!(shop.cancel(&placed).unwrap().status, Status::Cancelled);
    assert_eq!((shop.provider.is(0), shop.provider.calls()), (Session::Closed, vec!["open", "close"]));
    assert_eq!(shop.world.stock("item1"), (100, 0, 100));
    assert_eq!(shop.cancel(&placed).unwrap().status, Status::Cancelled);
    assert_eq!(shop.pay(&placed), Err(Error::OrderNotPayable(Status::Cancelled)));
    let record = shop.world.record(&format!("payment:{}", placed.view.order.order_id));
    assert_eq!(record["session"], "session-0");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cancellation_that_comes_after_the_charge_makes_the_order_paid_and_is_refused() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.charge(0, 2000);
    assert_eq!(shop.cancel(&placed), Err(Error::OrderNotCancellable(Status::Paid)));
    assert_eq!(shop.world.show(&placed).status, Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_session_of_which_nothing_is_known_is_not_taken_for_closed() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    for fault in [Fault::Fails, Fault::Refuses] {
        shop.provider.fails_next(fault);
        assert!(shop.cancel(&placed).is_err(), "{fault:?}");
        assert!(shop.world.show(&placed).at_provider(), "{fault:?}");
    }
    shop.provider.fails_next(Fault::AnswerLost);
    assert!(matches!(shop.cancel(&placed), Err(Error::ProviderUnavailable(_))));
    assert_eq!(shop.world.stock("item1"), (100, 2, 98));
    assert_eq!(shop.cancel(&placed).unwrap().status, Status::Cancelled);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_session_whose_opening_is_not_answered_is_the_one_that_a_repeat_gets() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.provider.fails_next(Fault::AnswerLost);
    assert!(matches!(shop.pay(&placed), Err(Error::ProviderUnavailable(_))));
    assert_eq!((shop.sent_to(&placed), shop.provider.sessions()), (FIRST.to_owned(), 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refused_session_is_asked_for_under_another_name_the_next_time() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.provider.fails_next(Fault::Refuses);
    let (refused, writes) = shop.world.writes(|| shop.pay(&placed));
    assert!(matches!(refused, Err(Error::ProviderRefused(_))));
    assert_eq!(writes, 1);
    let key = format!("payment:{}", placed.view.order.order_id);
    assert_eq!(shop.world.record(&key)["attempt"], 1);
    for _ in 0..40 {
        shop.provider.fails_next(Fault::Refuses);
        assert!(shop.pay(&placed).is_err());
    }
    assert_eq!(shop.world.record(&key)["attempt"], 16, "not for ever");
    assert_eq!(shop.sent_to(&placed), FIRST);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_session_that_is_not_put_on_record_is_told_to_no_buyer() {
    let shop = Provided::new();
    let placed = shop.placed();
    let order = placed.clone();
    // Another request cancels the order while the session is being opened.
    shop.world.meanwhile(move |world| drop(world.cancel(&order).unwrap()));
    assert_eq!(shop.pay(&placed), Err(Error::OrderNotPayable(Status::Cancelled)));
    assert_eq!(shop.provider.sessions(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_swap_whose_answer_is_lost_sends_the_buyer_to_the_one_session() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(shop.sent_to(&placed), FIRST);
    shop.provider.charge(0, 2000);
    shop.world.at_next_swap(AtSwap::LoseAnswer);
    assert_eq!(shop.paid(&placed).status, Status::Paid);
    assert_eq!(shop.provider.calls(), ["open", "look", "look"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_is_sent_to_the_provider_only_in_time_and_for_its_total() {
    let shop = Provided::new();
    let placed = shop.placed();
    let amount = Some(1999.try_into().unwrap());
    let pay = run(shop.shop().pay(placed.view.order.order_id, PaymentMethod::unspecified(), amount));
    assert!(matches!(pay, Err(Error::AmountMismatch { .. })));
    shop.world.wait(900);
    assert_eq!(shop.pay(&placed), Err(Error::OrderNotPayable(Status::Expired)));
    assert_eq!(shop.provider.calls(), [""; 0]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_costs_nothing_needs_no_provider() {
    let shop = Provided::new();
    run(shop.shop().put_item(&id("gift"), 0.try_into().unwrap(), Some(5.try_into().unwrap()))).unwrap();
    let placed = shop.world.place(&[("gift", 1)]).unwrap();
    assert_eq!(shop.paid(&placed).payment.unwrap().reference, None);
    assert_eq!(shop.provider.calls(), [""; 0]);
}

#[wasm_bindgen_test(unsupported = test)]
fn another_amount_or_currency_or_order_pays_nothing_and_closes_nothing() {
    let shop = Provided::new();
    let placed = shop.placed();
    let other: OrderId = shop.placed().view.order.order_id;
    shop.sent_to(&placed);
    let right = shop.provider.charge(0, 2000);
    for wrong in [
        domain::Charge { amount: 1999.try_into().unwrap(), ..right.clone() },
        domain::Charge { amount: 2001.try_into().unwrap(), ..right.clone() },
        domain::Charge { currency: "EUR".to_owned().try_into().unwrap(), ..right.clone() },
        domain::Charge { order: Some(other), ..right.clone() },
    ] {
        shop.provider.set(0, Session::Paid(wrong));
        assert!(matches!(shop.pay(&placed), Err(Error::WrongCharge(_))));
        assert!(matches!(shop.cancel(&placed), Err(Error::WrongCharge(_))));
        assert!(matches!(shop.notice(&placed, 0), Err(Error::WrongCharge(_))));
    }
    shop.world.wait(901);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered), (0, 1));
    assert_eq!((shop.world.show(&placed).status, shop.world.holds("item1")), (Status::Pending, 1));
    assert!(shop.provider.refunds().is_empty());
    shop.provider.set(0, Session::Paid(domain::Charge { order: None, ..right }));
    assert_eq!(shop.paid(&placed).status, Status::Paid, "the session on record says which order it is");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_overdue_order_at_the_provider_keeps_its_goods_in_every_answer() {
    let shop = Provided::new();
    let (waits, expires) = (shop.placed(), shop.world.place(&[("item1", 3)]).unwrap());
    shop.sent_to(&waits);
    shop.world.wait(901);
    assert_eq!(shop.world.stock("item1"), (100, 2, 98), "the other one's are shown as free");
    let report = run(shop.world.shop().stock_report(100)).unwrap().items.remove(0);
    assert_eq!((report.view.reserved, report.holds.overdue, report.holds.decided), (2, 1, 1));
    assert_eq!((shop.world.show(&waits).status, shop.world.show(&expires).status), (Status::Pending, Status::Expired));
    shop.world.adjust("item1", 1).unwrap();
    assert_eq!(shop.world.holds("item1"), 1);
    assert_eq!(shop.provider.calls(), ["open"], "a reader does not ask");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_customer_who_finds_too_little_has_overdue_payments_ended() {
    let shop = Provided::new();
    let placed = shop.world.place(&[("item1", 100)]).unwrap();
    shop.sent_to(&placed);
    let place = || run(shop.shop().place(order(&[("item1", 1)]), None));
    assert!(matches!(place(), Err(Error::InsufficientStock { .. })));
    assert_eq!(shop.provider.calls(), ["open"], "it is not overdue");
    shop.world.wait(901);
    assert_eq!(place().unwrap().view.status, Status::Pending);
    assert_eq!((shop.provider.calls(), shop.provider.is(0)), (vec!["close"], Session::Closed));
    assert_eq!(shop.world.show(&placed).status, Status::Expired);
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_whose_overdue_payment_turns_out_to_be_made_are_not_sold_again() {
    let shop = Provided::new();
    let placed = shop.world.place(&[("item1", 100)]).unwrap();
    shop.sent_to(&placed);
    shop.world.wait(901);
    shop.provider.charge(0, 100_000);
    let place = run(shop.shop().place(order(&[("item1", 1)]), None));
    assert!(matches!(place, Err(Error::InsufficientStock { .. })));
    assert_eq!(shop.world.show(&placed).status, Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_customer_who_finds_too_little_does_not_wait_for_a_provider_that_is_silent() {
    let shop = Provided::new();
    let placed = shop.world.place(&[("item1", 100)]).unwrap();
    shop.sent_to(&placed);
    shop.world.wait(901);
    shop.provider.answers.set(false);
    let place = run(shop.shop().place(order(&[("item1", 1)]), None));
    assert!(matches!(place, Err(Error::InsufficientStock { .. })));
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered), (0, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_customer_who_finds_too_little_asks_no_more_once_the_time_for_that_is_over() {
    let shop = Provided::new();
    let orders: Vec<_> = (0..20).map(|_| shop.world.place(&[("item1", 5)]).unwrap()).collect();
    orders.iter().for_each(|placed| drop(shop.sent_to(placed)));
    shop.world.wait(901);
    shop.provider.calls();
    // On WASI 0.2 a call blocks: they come one after another.
    let environment = shop.world.environment.clone();
    *shop.provider.meanwhile.borrow_mut() = Some(Box::new(move || environment.pass(Duration::from_millis(900))));
    assert!(run(shop.shop().place(order(&[("item1", 1)]), None)).is_ok());
    assert_eq!(shop.provider.calls(), ["close"; 3]);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered), (12, 5));
    assert_eq!(shop.provider.calls(), ["close"; 12]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_ends_more_overdue_payments_than_it_looks_up_at_once() {
    let shop = Provided::new();
    let orders: Vec<_> = (0..100).map(|_| shop.world.place(&[("item1", 1)]).unwrap()).collect();
    orders.iter().for_each(|placed| drop(shop.sent_to(placed)));
    shop.world.wait(901);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered, swept.more), (100, 0, false));
    assert_eq!(shop.world.stock("item1"), (100, 0, 100));
}

#[wasm_bindgen_test(unsupported = test)]
fn few_overdue_payments_are_asked_about_at_once_and_others_the_next_time() {
    let shop = Provided::new();
    let orders: Vec<_> = (0..20).map(|_| shop.world.place(&[("item1", 5)]).unwrap()).collect();
    orders.iter().for_each(|placed| drop(shop.sent_to(placed)));
    shop.world.wait(901);
    shop.provider.calls();
    (0..20).for_each(|number| shop.provider.set(number, Session::Processing));
    let place = || run(shop.shop().place(order(&[("item1", 1)]), None));
    assert!(place().is_err());
    assert_eq!(shop.provider.calls(), ["close"; 8]);
    shop.provider.set(3, Session::Open);
    assert!((0..30).any(|_| place().is_ok()), "those that are not decided do not stand in the way");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_ends_overdue_payments_of_all_items_and_settles_them() {
    let shop = Provided::new();
    let orders: Vec<_> = (0..20).map(|_| shop.world.place(&[("item1", 1), ("item2", 1)]).unwrap()).collect();
    orders.iter().for_each(|placed| drop(shop.sent_to(placed)));
    shop.provider.charge(7, 3000);
    assert_eq!(shop.sweep(), Swept::default(), "none is due");
    shop.world.wait(901);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered, swept.more), (20, 0, false));
    assert_eq!((shop.world.stock("item1"), shop.world.holds("item1")), ((99, 0, 99), 0));
    assert_eq!(shop.world.show(&orders[7]).status, Status::Paid);
    assert_eq!(shop.world.show(&orders[8]).status, Status::Expired);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_notice_makes_the_order_what_the_provider_says_however_often_it_comes() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert!(shop.world.show(&placed).at_provider(), "nothing has happened");
    shop.provider.charge(0, 2000);
    for _ in 0..3 {
        assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
        assert_eq!(shop.world.show(&placed).status, Status::Paid);
    }
    let expires = shop.placed();
    shop.sent_to(&expires);
    shop.provider.set(1, Session::Closed);
    shop.notice(&expires, 1).unwrap();
    assert!(!shop.world.show(&expires).at_provider(), "it can be paid again");
    shop.sent_to(&expires);
    shop.provider.set(2, Session::Closed);
    shop.world.wait(901);
    shop.notice(&expires, 2).unwrap();
    assert_eq!(shop.world.show(&expires).status, Status::Expired);
    assert!(shop.provider.refunds().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_notice_of_another_sender_or_shop_does_nothing() {
    let shop = Provided::new();
    let (placed, other) = (shop.placed(), shop.placed());
    shop.sent_to(&placed);
    shop.sent_to(&other);
    shop.provider.charge(0, 2000);
    let notice = |signature: &str, body: &[u8]| run(shop.shop().notice(signature, body));
    let of_placed = format!("{} session-0", placed.view.order.order_id);
    assert_eq!(notice("forged", of_placed.as_bytes()), Err(Error::InvalidNotice(InvalidNotice::Signature)));
    assert_eq!(notice("signed", b"no-order session-0"), Err(Error::InvalidNotice(InvalidNotice::Unreadable)));
    assert_eq!(notice("signed", b"hello"), Ok(Noticed::NotOurs));
    let elsewhere = OrderId::from_random([9; 16]);
    assert_eq!(notice("signed", format!("{elsewhere} session-0").as_bytes()), Ok(Noticed::NotOurs));
    let no_session = format!("{} session-77", placed.view.order.order_id);
    assert_eq!(notice("signed", no_session.as_bytes()), Ok(Noticed::NotOurs));
    // The session of another order, whose buyer was charged.
    assert_eq!(shop.notice(&other, 0), Ok(Noticed::NotOurs));
    assert_eq!((shop.world.show(&placed).at_provider(), shop.world.show(&other).at_provider()), (true, true));
    assert!(shop.provider.refunds().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_notice_is_not_taken_where_store_or_provider_fails() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.charge(0, 2000);
    shop.provider.fails_next(Fault::Fails);
    assert!(matches!(shop.notice(&placed, 0), Err(Error::ProviderUnavailable(_))));
    shop.world.store.fail_after_writes(Some(0));
    assert!(matches!(shop.notice(&placed, 0), Err(Error::Store(_))));
    shop.world.store.fail_after_writes(None);
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
}

/// An order that was cancelled, and whose buyer was charged all the same.
fn charged_too_late(shop: &Provided) -> Placed {
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.cancel(&placed).unwrap();
    shop.provider.charge(0, 2000);
    shop.provider.calls();
    placed
}

#[wasm_bindgen_test(unsupported = test)]
fn money_that_comes_too_late_goes_back_once_and_the_history_says_so() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    for _ in 0..3 {
        assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    }
    assert_eq!(shop.provider.calls(), ["look", "refund"]);
    let refunds = shop.provider.refunds();
    assert_eq!(refunds.len(), 1);
    let late = shop.late(&placed).remove(0);
    let (name, (charge, amount)) = refunds.into_iter().next().unwrap();
    assert_eq!((late.refund_id().to_string(), &late.charge, late.amount), (name, &charge, amount));
    assert_eq!(late.refund, Some(RefundState::Succeeded));
    assert_eq!(shop.events(&placed), [OrderEvent::Placed, OrderEvent::Cancelled, OrderEvent::RefundedLate]);
    assert_eq!(shop.world.show(&placed).status, Status::Cancelled);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_was_begun_is_looked_for_before_it_is_made_again() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    shop.world.store.fail_after_writes(Some(1));
    assert!(shop.notice(&placed, 0).is_err(), "the outcome is not written down");
    shop.world.store.fail_after_writes(None);
    assert_eq!(shop.late(&placed)[0].refund, None);
    shop.provider.calls();
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert_eq!(shop.provider.calls(), ["find_refund"]);
    assert_eq!((shop.late(&placed)[0].refund, shop.provider.refunds().len()), (Some(RefundState::Succeeded), 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_takes_a_while_is_carried_on_by_a_sweep_and_its_order_stays() {
    let mut shop = Provided::new();
    shop.world.closed_orders_kept = Some(Duration::ZERO);
    shop.world.list_numbers_below(64);
    shop.world.instance = std::rc::Rc::new(domain::InstanceState::with_sequence(0..64));
    let placed = charged_too_late(&shop);
    shop.provider.refunds_come_to.set(RefundState::Pending);
    shop.notice(&placed, 0).unwrap();
    assert_eq!(shop.events(&placed)[2], OrderEvent::RefundingLate);
    let later = shop.placed();
    shop.cancel(&later).unwrap();
    assert_eq!(shop.sweep().removed_orders, 0, "a sweep does not go past it");
    shop.provider.refunds_come_to.set(RefundState::Failed);
    assert_eq!(shop.sweep().removed_orders, 1);
    assert_eq!(shop.events(&placed)[2], OrderEvent::LateRefundFailed);
    assert_eq!(shop.world.show(&placed).status, Status::Cancelled, "money has moved");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_charge_in_a_session_that_is_not_the_one_on_record_goes_back_and_the_other_pays() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.set(0, Session::Closed);
    shop.sent_to(&placed);
    shop.provider.charge(0, 2000);
    shop.notice(&placed, 0).unwrap();
    assert_eq!((shop.world.show(&placed).at_provider(), shop.provider.refunds().len()), (true, 1));
    shop.provider.charge(1, 2000);
    shop.notice(&placed, 1).unwrap();
    assert_eq!((shop.world.show(&placed).status, shop.provider.refunds().len()), (Status::Paid, 1));
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert_eq!(shop.provider.refunds().len(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_charge_in_a_session_that_was_never_put_on_record_goes_back_and_its_attempt_is_over() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.provider.fails_next(Fault::AnswerLost);
    assert!(shop.pay(&placed).is_err());
    shop.provider.charge(0, 2000);
    shop.notice(&placed, 0).unwrap();
    assert_eq!(shop.provider.refunds().len(), 1);
    assert_eq!(shop.sent_to(&placed), SECOND, "not to the session whose charge went back");
}

#[wasm_bindgen_test(unsupported = test)]
fn late_charges_of_one_order_are_bounded() {
    let shop = Provided::new();
    let placed = shop.placed();
    for number in 0..17 {
        shop.sent_to(&placed);
        shop.provider.set(number, Session::Closed);
    }
    shop.sent_to(&placed);
    for number in 0..16 {
        shop.provider.charge(number, 2000);
        shop.notice(&placed, number).unwrap();
    }
    shop.provider.charge(16, 2000);
    assert_eq!(shop.notice(&placed, 16), Err(Error::TooManyLateCharges(session(16))));
    assert_eq!(shop.provider.refunds().len(), 16);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_shop_that_lost_its_provider_does_not_close_what_is_there() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    assert!(matches!(shop.world.pay(&placed), Err(Error::ProviderUnavailable(_))));
    assert!(matches!(shop.world.cancel(&placed), Err(Error::ProviderUnavailable(_))));
    shop.world.wait(901);
    run(shop.world.shop().sweep()).unwrap();
    assert_eq!(shop.world.show(&placed).status, Status::Pending);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_slow_provider_delays_no_other_payment_of_the_instance() {
    let shop = Provided::new();
    let (slow, free) = (shop.placed(), {
        run(shop.shop().put_item(&id("gift"), 0.try_into().unwrap(), Some(5.try_into().unwrap()))).unwrap();
        shop.world.place(&[("gift", 1)]).unwrap()
    });
    shop.provider.answers.set(false);
    let (slow_shop, free_shop) = (shop.shop(), shop.shop());
    let mut waits = Box::pin(slow_shop.pay(slow.view.order.order_id, PaymentMethod::unspecified(), None));
    let mut pays = Box::pin(free_shop.pay(free.view.order.order_id, PaymentMethod::unspecified(), None));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    assert!(matches!(pays.as_mut().poll(&mut context), Poll::Ready(Ok(PayResult::Paid(_)))));
    assert!(waits.as_mut().poll(&mut context).is_pending());
}
