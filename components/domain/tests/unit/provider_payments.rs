//! Payments at a provider: who is sent where, who is charged, and what becomes of the order and its goods.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::order_state::{LateRefund, PaymentReference};
use domain::{
    Charge, Error, InvalidNotice, Noticed, OrderEvent, OrderId, OrderView, PayResult, PaymentMethod, PaymentProgress,
    Placed, RefundState, Shop, Status, Swept,
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

    fn abandon(&self, placed: &Placed) -> Result<OrderView, Error> {
        run(self.shop().abandon(&domain::Condition::default(), placed.view.order.order_id))
    }

    /// How many refunds are listed as unfinished.
    fn listed(&self) -> usize {
        let records = self.world.store.records();
        let list = records.get("refunding").map(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap());
        list.map_or(0, |list| list["refunds"].as_array().unwrap().len())
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

/// What a buyer of [`Provided::placed`] is charged wrongly.
fn wrong_charges(right: &Charge) -> [Charge; 3] {
    [
        Charge { amount: 1999.try_into().unwrap(), ..right.clone() },
        Charge { amount: 2001.try_into().unwrap(), ..right.clone() },
        Charge { currency: "EUR".to_owned().try_into().unwrap(), ..right.clone() },
    ]
}

#[wasm_bindgen_test(unsupported = test)]
fn another_amount_or_currency_goes_back_and_the_order_can_be_paid_again() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    for number in 0..3 {
        let wrong = wrong_charges(&shop.provider.charge(number, 2000))[number].clone();
        shop.provider.set(number, Session::Paid(wrong.clone()));
        assert_eq!(shop.sent_to(&placed), format!("https://pay.example/{}", number + 1));
        let late = shop.late(&placed)[number].clone();
        assert_eq!((late.amount, late.refund), (wrong.amount, Some(RefundState::Succeeded)));
        assert_eq!(shop.provider.refunds()[late.refund_id().as_str()], (wrong.id, wrong.amount));
        assert_eq!(shop.provider.currencies.borrow()[number], wrong.currency.as_str());
        assert_eq!(shop.listed(), 0);
    }
    shop.provider.charge(3, 2000);
    assert_eq!(shop.paid(&placed).status, Status::Paid);
    assert_eq!(shop.provider.refunds().len(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_charge_stands_in_the_way_of_no_cancellation_and_of_no_other_customer() {
    let shop = Provided::new();
    let (cancelled, told, overdue) = (shop.placed(), shop.placed(), shop.placed());
    for (number, placed) in [&cancelled, &told, &overdue].into_iter().enumerate() {
        shop.sent_to(placed);
        shop.provider.charge(number, 2001);
    }
    assert_eq!(shop.cancel(&cancelled).unwrap().status, Status::Cancelled);
    assert_eq!(shop.notice(&told, 1), Ok(Noticed::Understood));
    assert_eq!((shop.world.show(&told).at_provider(), shop.provider.refunds().len()), (false, 2));
    shop.world.wait(901);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered, swept.failed_refunds, swept.more), (1, 0, 0, false));
    assert_eq!(shop.world.show(&overdue).status, Status::Expired);
    assert_eq!((shop.provider.refunds().len(), shop.listed()), (3, 0));
    assert_eq!((shop.world.stock("item1"), shop.world.holds("item1")), ((100, 0, 100), 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_charge_that_cannot_be_given_back_is_told() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.provider.refunds_come_to.set(RefundState::Failed);
    shop.sent_to(&placed);
    shop.provider.charge(0, 2001);
    assert_eq!(shop.pay(&placed), Err(Error::RefundFailed(placed.view.order.order_id)));
    assert_eq!(shop.sent_to(&placed), SECOND);
    shop.provider.charge(1, 2001);
    assert_eq!(shop.notice(&placed, 1), Ok(Noticed::RefundFailed(placed.view.order.order_id)));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_money_of_another_order_pays_nothing_and_is_not_given_back() {
    let shop = Provided::new();
    let placed = shop.placed();
    let other: OrderId = shop.placed().view.order.order_id;
    shop.sent_to(&placed);
    let right = shop.provider.charge(0, 2000);
    shop.provider.set(0, Session::Paid(Charge { order: Some(other), ..right.clone() }));
    assert!(matches!(shop.pay(&placed), Err(Error::WrongCharge(_))));
    assert!(matches!(shop.cancel(&placed), Err(Error::WrongCharge(_))));
    assert!(matches!(shop.notice(&placed, 0), Err(Error::WrongCharge(_))));
    shop.world.wait(901);
    let swept = shop.sweep();
    assert_eq!((swept.decided_payments, swept.unanswered), (0, 1));
    assert_eq!((shop.world.show(&placed).status, shop.world.holds("item1")), (Status::Pending, 1));
    assert!(shop.provider.refunds().is_empty());
    shop.provider.set(0, Session::Paid(Charge { order: None, ..right }));
    assert_eq!(shop.paid(&placed).status, Status::Paid, "the session on record says which order it is");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_session_is_lost_is_given_up_by_the_operator_alone() {
    let shop = Provided::new();
    let placed = shop.placed();
    shop.sent_to(&placed);
    shop.provider.set(0, Session::Lost);
    assert!(matches!(shop.pay(&placed), Err(Error::SessionLost(_))));
    assert!(matches!(shop.cancel(&placed), Err(Error::SessionLost(_))));
    assert!(matches!(shop.notice(&placed, 0), Err(Error::SessionLost(_))), "it has to come again");
    assert_eq!(shop.world.holds("item1"), 1);
    for fault in [Fault::Fails, Fault::Refuses] {
        shop.provider.fails_next(fault);
        assert!(shop.abandon(&placed).is_err(), "{fault:?}");
        assert!(shop.world.show(&placed).at_provider(), "{fault:?}");
    }
    for _ in 0..2 {
        assert_eq!(shop.abandon(&placed).unwrap().status, Status::Cancelled);
        assert_eq!(shop.world.stock("item1"), (100, 0, 100));
    }
    // It was not lost after all.
    shop.provider.charge(0, 2000);
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert_eq!((shop.provider.refunds().len(), shop.world.show(&placed).status), (1, Status::Cancelled));
}

#[wasm_bindgen_test(unsupported = test)]
fn giving_up_an_order_asks_the_provider_whose_answer_counts() {
    let shop = Provided::new();
    let (paid, open, processing, overdue) = (shop.placed(), shop.placed(), shop.placed(), shop.placed());
    [&paid, &open, &processing, &overdue].into_iter().for_each(|placed| drop(shop.sent_to(placed)));
    shop.provider.charge(0, 2000);
    assert_eq!(shop.abandon(&paid), Err(Error::OrderNotCancellable(Status::Paid)));
    assert_eq!(shop.abandon(&open).unwrap().status, Status::Cancelled);
    assert_eq!(shop.provider.is(1), Session::Closed);
    shop.provider.set(2, Session::Processing);
    assert_eq!(shop.abandon(&processing), Err(Error::PaymentProcessing));
    shop.provider.set(3, Session::Lost);
    shop.world.wait(901);
    assert_eq!(shop.abandon(&overdue).unwrap().status, Status::Expired);
    assert_eq!(shop.abandon(&overdue).unwrap().status, Status::Expired);
    let unpaid = shop.placed();
    assert_eq!(shop.abandon(&unpaid).unwrap().status, Status::Cancelled);
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
    shop.world.store.fail_after_writes(Some(2));
    assert!(shop.notice(&placed, 0).is_err(), "the outcome is not written down");
    shop.world.store.fail_after_writes(None);
    assert_eq!(shop.late(&placed)[0].refund, None);
    shop.provider.calls();
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert_eq!(shop.provider.calls(), ["find_refund"]);
    assert_eq!((shop.late(&placed)[0].refund, shop.provider.refunds().len()), (Some(RefundState::Succeeded), 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_takes_a_while_is_carried_on_by_a_sweep_wherever_its_order_stands() {
    for kept in [None, Some(Duration::ZERO)] {
        let mut shop = Provided::new();
        shop.world.closed_orders_kept = kept;
        shop.world.list_numbers_below(64);
        shop.world.instance = std::rc::Rc::new(domain::InstanceState::with_sequence(0..64));
        // An order that was placed before it, and for which it is too early.
        let _young = shop.placed();
        let placed = charged_too_late(&shop);
        shop.provider.refunds_come_to.set(RefundState::Pending);
        shop.notice(&placed, 0).unwrap();
        assert_eq!(shop.events(&placed)[2], OrderEvent::RefundingLate);
        for _ in 0..3 {
            let swept = shop.sweep();
            assert_eq!((swept.unanswered, swept.failed_refunds, swept.more, shop.listed()), (0, 0, false, 1));
        }
        shop.provider.settle_refunds(RefundState::Failed);
        assert_eq!(shop.sweep().failed_refunds, 1);
        assert_eq!(shop.events(&placed)[2], OrderEvent::LateRefundFailed);
        assert_eq!(shop.world.show(&placed).status, Status::Cancelled, "money has moved");
        shop.provider.calls();
        assert_eq!(
            (shop.sweep().failed_refunds, shop.listed(), shop.provider.calls()),
            (0, 0, vec![]),
            "it is told once"
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_is_found_by_the_next_sweep_wherever_its_request_has_stopped() {
    for writes in 0..=4 {
        let shop = Provided::new();
        let placed = charged_too_late(&shop);
        shop.world.store.fail_after_writes(Some(writes));
        // The last write is not the provider's business.
        assert_eq!(shop.notice(&placed, 0).is_ok(), writes >= 3, "{writes}");
        shop.world.store.fail_after_writes(None);
        let found = usize::from(writes > 0);
        for _ in 0..2 {
            shop.sweep();
            assert_eq!((shop.provider.refunds().len(), shop.late(&placed).len(), shop.listed()), (found, found, 0));
        }
        assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
        assert_eq!(shop.provider.refunds().len(), 1);
        assert_eq!(shop.late(&placed)[0].refund, Some(RefundState::Succeeded));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_charge_is_found_by_the_next_sweep_wherever_its_request_has_stopped() {
    for writes in 1..=4 {
        let shop = Provided::new();
        let placed = shop.placed();
        shop.sent_to(&placed);
        shop.provider.charge(0, 2001);
        shop.world.store.fail_after_writes(Some(writes));
        let _ = shop.notice(&placed, 0);
        shop.world.store.fail_after_writes(None);
        shop.sweep();
        let refunded = shop.late(&placed).iter().map(|late| late.refund).collect::<Vec<_>>();
        assert_eq!((refunded, shop.provider.refunds().len()), (vec![Some(RefundState::Succeeded)], 1), "{writes}");
        assert!(!shop.world.show(&placed).at_provider());
        shop.sweep();
        assert_eq!(shop.listed(), 0);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sweep_carries_on_with_some_refunds_and_the_next_one_with_others() {
    let shop = Provided::new();
    shop.provider.refunds_come_to.set(RefundState::Pending);
    let orders: Vec<_> = (0..20)
        .map(|number| {
            let placed = shop.world.place(&[("item1", 1)]).unwrap();
            shop.sent_to(&placed);
            shop.cancel(&placed).unwrap();
            shop.provider.charge(number, 1000);
            shop.notice(&placed, number).unwrap();
            placed
        })
        .collect();
    assert_eq!(shop.listed(), 20);
    shop.provider.settle_refunds(RefundState::Succeeded);
    let environment = shop.world.environment.clone();
    *shop.provider.meanwhile.borrow_mut() = Some(Box::new(move || environment.pass(Duration::from_millis(1500))));
    let swept = shop.sweep();
    assert!(swept.more, "{swept:?}");
    assert!((1..20).contains(&shop.listed()), "{}", shop.listed());
    for _ in 0..5 {
        shop.sweep();
    }
    assert_eq!((shop.listed(), shop.sweep().more), (0, false));
    let succeeded = |placed: &Placed| shop.late(placed)[0].refund == Some(RefundState::Succeeded);
    assert!(orders.iter().all(succeeded));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_slow_sweep_takes_nothing_out_of_the_list_that_was_listed_once_more() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    // A request has listed the refund, and stopped.
    shop.world.store.fail_after_writes(Some(1));
    assert!(shop.notice(&placed, 0).is_err());
    shop.world.store.fail_after_writes(None);
    // What the sweep is told says that there is nothing to give back.
    let Session::Paid(charge) = shop.provider.is(0) else { panic!() };
    shop.provider.set(0, Session::Closed);
    let (other, provider, id) = (shop.shop(), shop.provider.clone(), placed.view.order.order_id);
    shop.world.meanwhile(move |_| {
        provider.set(0, Session::Paid(charge.clone()));
        provider.refunds_come_to.set(RefundState::Pending);
        let noticed = run(other.notice("signed", format!("{id} session-0").as_bytes()));
        assert_eq!(noticed, Ok(Noticed::Understood));
    });
    shop.sweep();
    assert_eq!((shop.late(&placed)[0].refund, shop.listed()), (Some(RefundState::Pending), 1));
    shop.provider.settle_refunds(RefundState::Succeeded);
    shop.sweep();
    assert_eq!((shop.late(&placed)[0].refund, shop.listed()), (Some(RefundState::Succeeded), 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_message_about_a_refund_says_how_far_it_has_come_also_when_it_fails_later() {
    let shop = Provided::new();
    let (placed, other) = (charged_too_late(&shop), shop.placed());
    shop.notice(&placed, 0).unwrap();
    let notice = |placed: &Placed| {
        let body = format!("{} charge-0", placed.view.order.order_id);
        run(shop.shop().notice("signed", body.as_bytes()))
    };
    assert_eq!(notice(&placed), Ok(Noticed::Understood));
    assert_eq!(shop.events(&placed)[2], OrderEvent::RefundedLate);
    shop.provider.settle_refunds(RefundState::Failed);
    shop.provider.fails_next(Fault::Fails);
    assert!(notice(&placed).is_err(), "it has to come again");
    for _ in 0..2 {
        assert_eq!(notice(&placed), Ok(Noticed::RefundFailed(placed.view.order.order_id)));
        assert_eq!(shop.events(&placed)[2], OrderEvent::LateRefundFailed);
    }
    assert_eq!(notice(&other), Ok(Noticed::NotOurs));
    assert_eq!(shop.provider.refunds().len(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_provider_has_said_is_written_over_nothing_that_is_newer() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    shop.provider.refunds_come_to.set(RefundState::Pending);
    shop.notice(&placed, 0).unwrap();
    shop.provider.settle_refunds(RefundState::Succeeded);
    // While one request writes that it has succeeded, another one has seen it fail.
    let (other, id) = (shop.shop(), placed.view.order.order_id);
    let provider = shop.provider.clone();
    shop.world.meanwhile(move |_| {
        provider.settle_refunds(RefundState::Failed);
        let failed = run(other.notice("signed", format!("{id} charge-0").as_bytes()));
        assert_eq!(failed, Ok(Noticed::RefundFailed(id)));
    });
    shop.notice(&placed, 0).unwrap();
    assert_eq!(shop.late(&placed)[0].refund, Some(RefundState::Failed));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_has_failed_is_made_again_by_the_operator_and_stays_in_the_history() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    let retry = || run(shop.shop().retry_refunds(placed.view.order.order_id));
    let none = run(shop.shop().retry_refunds(shop.placed().view.order.order_id));
    assert_eq!(none, Err(Error::OrderNotRefundable(Status::Pending)));
    shop.provider.refunds_come_to.set(RefundState::Failed);
    shop.notice(&placed, 0).unwrap();
    let states = |view: OrderView| view.late_refunds.iter().map(|late| late.refund.unwrap()).collect::<Vec<_>>();
    assert_eq!(states(retry().unwrap()), [RefundState::Failed; 2]);
    shop.provider.refunds_come_to.set(RefundState::Pending);
    let pending = states(retry().unwrap());
    assert_eq!(pending, [RefundState::Failed, RefundState::Failed, RefundState::Pending]);
    assert_eq!((states(retry().unwrap()), shop.listed()), (pending, 1), "it is carried on with");
    shop.provider.refunds_come_to.set(RefundState::Succeeded);
    shop.provider.settle_pending(RefundState::Succeeded);
    shop.sweep();
    let last = states(retry().unwrap());
    assert_eq!((last.len(), last.last(), shop.listed()), (3, Some(&RefundState::Succeeded), 0), "it is safe to repeat");
    let names: Vec<_> = shop.late(&placed).iter().map(|late| late.refund_id().to_string()).collect();
    assert!(names.iter().all(|name| shop.provider.refunds().contains_key(name)));
    let expected = [OrderEvent::LateRefundFailed, OrderEvent::LateRefundFailed, OrderEvent::RefundedLate];
    assert_eq!(shop.events(&placed)[2..], expected);
    assert_eq!(run(shop.shop().retry_refunds(OrderId::from_random([9; 16]))), Err(Error::OrderNotFound));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_was_refused_and_made_all_the_same_is_not_made_again() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    shop.provider.refunds_come_to.set(RefundState::Failed);
    shop.notice(&placed, 0).unwrap();
    shop.provider.settle_refunds(RefundState::Succeeded);
    let view = run(shop.shop().retry_refunds(placed.view.order.order_id)).unwrap();
    assert_eq!(view.late_refunds.iter().map(|late| late.refund).collect::<Vec<_>>(), [Some(RefundState::Succeeded)]);
    assert_eq!((shop.provider.refunds().len(), shop.listed()), (1, 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_operators_retry_is_found_by_the_next_sweep_wherever_it_has_stopped() {
    for writes in 0..=4 {
        let shop = Provided::new();
        let placed = charged_too_late(&shop);
        shop.provider.refunds_come_to.set(RefundState::Failed);
        shop.notice(&placed, 0).unwrap();
        shop.provider.refunds_come_to.set(RefundState::Succeeded);
        shop.world.store.fail_after_writes(Some(writes));
        let _ = run(shop.shop().retry_refunds(placed.view.order.order_id));
        shop.world.store.fail_after_writes(None);
        shop.sweep();
        let made = if writes == 0 { 1 } else { 2 };
        assert_eq!((shop.late(&placed).len(), shop.provider.refunds().len()), (made, made), "{writes}");
        shop.sweep();
        assert_eq!(shop.listed(), 0);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_message_is_not_taken_where_the_provider_refuses_to_say_anything() {
    let shop = Provided::new();
    let placed = charged_too_late(&shop);
    // Its key is not accepted: this says nothing about the session.
    shop.provider.fails_next(Fault::Refuses);
    assert!(matches!(shop.notice(&placed, 0), Err(Error::ProviderRefused(_))));
    assert_eq!(shop.notice(&placed, 0), Ok(Noticed::Understood));
    assert_eq!(shop.provider.refunds().len(), 1);
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
