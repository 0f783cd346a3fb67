//! Money that goes back to buyers who have paid, with a provider and without one.

use domain::after_sale::{Destination, MAX_RETURNS, ReturnedGoods};
use domain::dispute::MAX_DISPUTES;
use domain::fulfilment::{MAX_SHIPMENT_TEXT, MAX_TRACKING_URL, Shipment};
use domain::order::{Lines, MAX_LINES};
use domain::order_state::{MAX_LATE_REFUNDS, OrderState};
use domain::refund::{MAX_REFUNDS, NewRefund, RefundOf};
use domain::text::Reason;
use domain::{
    Condition, Error, KeyDigest, Money, Noticed, OrderEvent, OrderId, OrderView, Placed, Quantity, RefundState,
    Refunded, ReturnId, Shop, Status, Swept,
};
use memory_store::{FakeEnvironment, MemoryStore};
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::provider::{FakeProvider, Fault};
use crate::support::{AtSwap, LIMITS, World, id, run};

/// A shop where an order of two `item1` (2000) and three `item2` (6000) is paid, at the provider or without one.
struct Sold {
    world: World,
    provider: FakeProvider,
    charges: bool,
    placed: Placed,
}

/// What that order costs.
const PAID: u64 = 8000;

impl Sold {
    fn new(charges: bool) -> Self {
        let (world, provider) = (World::new(), FakeProvider::default());
        let placed = world.place(&[("item1", 2), ("item2", 3)]).unwrap();
        let sold = Self { world, provider, charges, placed };
        if charges {
            let pay = || run(sold.shop().pay(sold.id(), domain::PaymentMethod::unspecified(), None)).unwrap();
            pay();
            sold.provider.charge(0, PAID);
            pay();
            // The buyer was charged a few seconds later.
            sold.world.wait(10);
        } else {
            sold.world.pay(&sold.placed).unwrap();
        }
        sold.provider.calls();
        sold
    }

    fn id(&self) -> OrderId {
        self.placed.view.order.order_id
    }

    fn shop(&self) -> Shop<MemoryStore, FakeEnvironment, FakeProvider> {
        let with_provider = |shop: crate::support::TestShop| shop.with_provider(self.provider.clone());
        with_provider(self.world.shop())
    }

    fn ask(&self, of: RefundOf, key: &str) -> Result<Refunded, Error> {
        self.ask_if(&Condition::default(), of, key)
    }

    fn ask_if(&self, condition: &Condition<OrderView>, of: RefundOf, key: &str) -> Result<Refunded, Error> {
        let (request, key) = (NewRefund { of, reason: Reason::default() }, KeyDigest::new("refunds", key));
        if self.charges {
            run(self.shop().refund_if(condition, self.id(), request, key))
        } else {
            run(self.world.shop().refund_if(condition, self.id(), request, key))
        }
    }

    fn amount(&self, amount: u64, key: &str) -> Result<Refunded, Error> {
        self.ask(RefundOf::Amount(amount.try_into().unwrap()), key)
    }

    fn view(&self) -> OrderView {
        self.world.show(&self.placed)
    }

    /// The states of the refunds on record, with their amounts.
    fn refunds(&self) -> Vec<(u64, Option<RefundState>)> {
        self.view().after_sale.refunds().iter().map(|one| (one.amount.get(), one.state)).collect()
    }

    /// What the provider has given back.
    fn given_back(&self) -> u64 {
        self.provider.refunds().values().map(|(_, amount)| amount.get()).sum()
    }

    fn listed(&self) -> usize {
        let records = self.world.store.records();
        let list = records.get("refunding").map(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap());
        list.map_or(0, |list| list["refunds"].as_array().unwrap().len())
    }

    fn sweep(&self) -> Swept {
        run(self.shop().sweep()).unwrap()
    }

    fn notice(&self) -> Result<Noticed, Error> {
        run(self.shop().notice("signed", format!("{} charge-0", self.id()).as_bytes()))
    }

    fn events(&self) -> Vec<&'static str> {
        let history = run(self.shop().order_history(self.id())).unwrap();
        history.events.iter().map(|(_, event)| OrderEvent::name(event)).collect()
    }

    fn fulfil(&self) -> Result<OrderView, Error> {
        run(self.shop().fulfil_if(&Condition::default(), self.id(), &Shipment::default(), false))
    }
}

fn lines(lines: &[(&str, u64)]) -> Lines {
    Lines::new(lines.iter().map(|(item, quantity)| (id(item), (*quantity).try_into().unwrap()))).unwrap()
}

fn items(of: &[(&str, u64)], restock: bool) -> RefundOf {
    RefundOf::Items { lines: lines(of), restock }
}

const REST: RefundOf = RefundOf::Rest { restock: false };
const DONE: Option<RefundState> = Some(RefundState::Succeeded);

#[wasm_bindgen_test(unsupported = test)]
fn money_goes_back_as_an_amount_or_for_items_or_all_that_is_left_and_never_more_than_was_paid() {
    for charges in [true, false] {
        let sold = Sold::new(charges);
        assert_eq!(sold.amount(500, "a").unwrap().made.state, DONE);
        assert_eq!(sold.ask(items(&[("item1", 1), ("item2", 1)], false), "b").unwrap().made.amount.get(), 3000);
        assert_eq!(sold.view().status, Status::Paid);
        let too_much = Err(Error::RefundExceedsPayment { left: 4500, requested: 4501 });
        assert_eq!(sold.amount(4501, "c"), too_much);
        assert_eq!(sold.ask(REST, "c").unwrap().made.amount.get(), 4500, "the key was used for nothing yet");
        assert_eq!((sold.view().status, sold.view().after_sale.refunded()), (Status::Refunded, PAID));
        assert_eq!(sold.amount(1, "d"), Err(Error::RefundExceedsPayment { left: 0, requested: 1 }));
        assert_eq!(sold.ask(REST, "d"), Err(Error::OrderNotRefundable(Status::Refunded)));
        assert_eq!(sold.refunds(), [(500, DONE), (3000, DONE), (4500, DONE)]);
        let (given_back, listed) = if charges { (PAID, 0) } else { (0, 0) };
        assert_eq!((sold.given_back(), sold.listed()), (given_back, listed));
        assert_eq!(sold.events()[2..], ["refunded"; 3]);
        assert_eq!(sold.world.stock("item1").2, 98, "money alone");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn each_line_is_refunded_at_most_as_often_as_it_was_sold_over_all_refunds_by_items() {
    let sold = Sold::new(true);
    sold.ask(items(&[("item1", 1)], false), "a").unwrap();
    let more = |left, requested| Err(Error::RefundExceedsSale { item_id: id("item1"), sold: 2, left, requested });
    assert_eq!(sold.ask(items(&[("item1", 2)], false), "b"), more(1, 2));
    let none = Err(Error::RefundExceedsSale { item_id: id("item3"), sold: 0, left: 0, requested: 1 });
    assert_eq!(sold.ask(items(&[("item3", 1)], false), "b"), none);
    sold.ask(items(&[("item1", 1)], false), "b").unwrap();
    assert_eq!(sold.ask(items(&[("item1", 1)], false), "c"), more(0, 1));
    sold.amount(5999, "c").unwrap();
    let left = Err(Error::RefundExceedsPayment { left: 1, requested: 2000 });
    assert_eq!(sold.ask(items(&[("item2", 1)], false), "d"), left, "an amount counts too");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_is_sent_again_is_made_once_and_its_key_stands_for_it_alone() {
    for charges in [true, false] {
        let sold = Sold::new(charges);
        let first = sold.amount(500, "a").unwrap();
        let (again, writes) = sold.world.writes(|| sold.amount(500, "a").unwrap());
        assert_eq!((first.replayed, again.replayed, writes, &again.made), (false, true, 0, &first.made));
        let words =
            NewRefund { of: RefundOf::Amount(500.try_into().unwrap()), reason: "x".to_owned().try_into().unwrap() };
        let reused = run(sold.shop().refund(sold.id(), words, KeyDigest::new("refunds", "a")));
        assert_eq!(reused, Err(Error::IdempotencyKeyReused));
        for of in [RefundOf::Amount(501.try_into().unwrap()), items(&[("item1", 1)], false), REST] {
            assert_eq!(sold.ask(of, "a"), Err(Error::IdempotencyKeyReused));
        }
        sold.ask(REST, "rest").unwrap();
        assert!(sold.ask(REST, "rest").unwrap().replayed, "whatever is left by now");
        assert_eq!(sold.refunds().len(), 2);
        assert_eq!(sold.given_back(), if charges { PAID } else { 0 });
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn only_money_that_was_paid_goes_back() {
    let sold = Sold::new(true);
    let other = sold.world.place(&[("item1", 1)]).unwrap();
    let ask = |order: OrderId| {
        let request = NewRefund { of: REST, reason: Reason::default() };
        run(sold.shop().refund(order, request, KeyDigest::new("refunds", "a")))
    };
    assert_eq!(ask(other.view.order.order_id), Err(Error::OrderNotRefundable(Status::Pending)));
    sold.world.cancel(&other).unwrap();
    assert_eq!(ask(other.view.order.order_id), Err(Error::OrderNotRefundable(Status::Cancelled)));
    assert_eq!(ask(OrderId::from_random([9; 16])), Err(Error::OrderNotFound));
    assert_eq!((sold.listed(), sold.provider.calls()), (0, vec![]));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_was_charged_is_not_refunded_by_a_shop_that_has_no_provider_any_more() {
    let mut sold = Sold::new(true);
    sold.charges = false;
    assert!(matches!(sold.amount(500, "a"), Err(Error::ProviderUnavailable(_))));
    assert_eq!((sold.refunds(), sold.listed()), (vec![], 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_has_failed_frees_its_amount_and_its_goods_also_after_it_had_succeeded() {
    let sold = Sold::new(true);
    sold.provider.refunds_come_to.set(RefundState::Failed);
    assert_eq!(sold.ask(REST, "a").unwrap().made.state, Some(RefundState::Failed));
    assert_eq!((sold.view().status, sold.view().after_sale.refunded(), sold.listed()), (Status::Paid, 0, 0));
    sold.provider.refunds_come_to.set(RefundState::Succeeded);
    assert!(sold.ask(REST, "a").unwrap().replayed, "the key stands for the one that has failed");
    sold.ask(items(&[("item1", 2)], false), "b").unwrap();
    assert_eq!(sold.notice(), Ok(Noticed::Understood));
    // Days later.
    sold.provider.settle_refunds(RefundState::Failed);
    assert_eq!(sold.notice(), Ok(Noticed::RefundFailed(sold.id())));
    assert_eq!(sold.notice(), Ok(Noticed::Understood), "it was said");
    assert_eq!(sold.refunds(), [(PAID, Some(RefundState::Failed)), (2000, Some(RefundState::Failed))]);
    assert_eq!(sold.events()[2..], ["refunding", "refund_failed", "refunded", "refund_failed"]);
    sold.provider.refunds_come_to.set(RefundState::Succeeded);
    assert_eq!(sold.ask(items(&[("item1", 2)], false), "c").unwrap().made.state, DONE);
    assert_eq!(sold.ask(REST, "d").unwrap().made.amount.get(), 6000);
    assert_eq!(sold.view().status, Status::Refunded);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_that_was_refused_and_made_all_the_same_counts() {
    for (is, listed) in [(RefundState::Succeeded, 0), (RefundState::Pending, 1)] {
        let sold = Sold::new(true);
        sold.provider.refunds_come_to.set(RefundState::Failed);
        sold.amount(5000, "a").unwrap();
        sold.provider.settle_refunds(is);
        assert_eq!(sold.amount(5000, "b"), Err(Error::RefundExceedsPayment { left: 3000, requested: 5000 }));
        assert_eq!((sold.refunds(), sold.given_back(), sold.listed()), (vec![(5000, Some(is))], 5000, listed));
        assert_eq!(sold.ask(REST, "b").unwrap().made.amount.get(), 3000);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_whose_answer_is_lost_is_pending_and_made_once_whatever_carries_on() {
    type CarryOn = fn(&Sold);
    let by: [CarryOn; 4] = [
        |sold| assert!(sold.amount(500, "a").unwrap().replayed),
        |sold| assert_eq!(sold.sweep().unanswered, 0),
        |sold| assert_eq!(sold.notice(), Ok(Noticed::Understood)),
        |sold| drop(run(sold.shop().retry_refunds(sold.id())).unwrap()),
    ];
    for fault in [Fault::AnswerLost, Fault::Fails] {
        for carry_on in by {
            let sold = Sold::new(true);
            sold.provider.fails_next(fault);
            let made = sold.amount(500, "a").unwrap();
            assert!(made.made.state.is_none() && matches!(made.unfinished, Some(Error::ProviderUnavailable(_))));
            assert_eq!((sold.view().after_sale.refunded(), sold.listed()), (500, 1), "it counts");
            carry_on(&sold);
            assert_eq!((sold.refunds(), sold.given_back()), (vec![(500, DONE)], 500));
            sold.sweep();
            assert_eq!(sold.listed(), 0);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_pending_refund_is_followed_until_the_provider_has_said_how_it_ended() {
    for (end, status) in [(RefundState::Succeeded, Status::Refunded), (RefundState::Failed, Status::Paid)] {
        let sold = Sold::new(true);
        sold.provider.refunds_come_to.set(RefundState::Pending);
        assert_eq!(sold.ask(REST, "a").unwrap().made.state, Some(RefundState::Pending));
        assert_eq!((sold.view().status, sold.events()[2]), (Status::Refunded, "refunding"));
        sold.sweep();
        assert_eq!(sold.listed(), 1);
        sold.provider.settle_refunds(end);
        assert_eq!(sold.sweep().failed_refunds, usize::from(end == RefundState::Failed));
        assert_eq!((sold.refunds()[0].1, sold.view().status, sold.listed()), (Some(end), status, 0));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_is_made_once_wherever_its_request_has_stopped() {
    for writes in 0..=6 {
        let sold = Sold::new(true);
        sold.world.store.fail_after_writes(Some(writes));
        let _ = sold.ask(items(&[("item1", 2)], true), "a");
        sold.world.store.fail_after_writes(None);
        sold.sweep();
        let on_record = sold.refunds();
        assert!(on_record.iter().all(|one| *one == (2000, DONE)), "{writes}: {on_record:?}");
        assert_eq!((sold.listed(), sold.given_back()), (0, 2000 * on_record.len() as u64), "{writes}");
        // The record says which goods come back, from the same moment on.
        run(sold.shop().order_returns(sold.id())).unwrap();
        assert_eq!(sold.world.stock("item1").2, 98 + 2 * on_record.len() as u64, "{writes}");
        assert_eq!(sold.ask(items(&[("item1", 2)], true), "a").unwrap().replayed, on_record.len() == 1, "{writes}");
        assert_eq!((sold.refunds(), sold.given_back()), (vec![(2000, DONE)], 2000), "{writes}");
        assert_eq!(sold.world.stock("item1").2, 100, "{writes}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_swap_whose_answer_is_lost_makes_the_refund_once() {
    for charges in [true, false] {
        let sold = Sold::new(charges);
        for _ in 0..6 {
            sold.world.at_next_swap(AtSwap::LoseAnswer);
        }
        let made = sold.ask(items(&[("item1", 2)], true), "a").unwrap();
        assert_eq!((made.replayed, sold.refunds()), (false, vec![(2000, DONE)]));
        assert_eq!((sold.given_back(), sold.world.stock("item1").0), (if charges { 2000 } else { 0 }, 100));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn of_two_requests_at_once_the_second_gives_back_what_the_first_has_left() {
    for charges in [true, false] {
        let sold = Sold::new(charges);
        let first =
            Sold { world: sold.world.clone(), provider: sold.provider.clone(), charges, placed: sold.placed.clone() };
        sold.world.meanwhile(move |_| drop(first.amount(5000, "a").unwrap()));
        assert_eq!(sold.amount(5000, "b"), Err(Error::RefundExceedsPayment { left: 3000, requested: 5000 }));
        assert_eq!(sold.refunds(), [(5000, DONE)]);
        assert_eq!(sold.listed(), if charges { 1 } else { 0 }, "that of the request that was refused");
        sold.sweep();
        assert_eq!((sold.listed(), sold.given_back()), (0, if charges { 5000 } else { 0 }));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_that_a_sweep_has_overtaken_lists_its_refund_again() {
    let sold = Sold::new(true);
    // The sweep comes between the list and the record: the swap of the record is the second one.
    let sweeper =
        Sold { world: sold.world.clone(), provider: sold.provider.clone(), charges: true, placed: sold.placed.clone() };
    sold.amount(1, "first").unwrap();
    sold.world.at_next_swap(AtSwap::Nothing);
    sold.world.meanwhile(move |_| assert_eq!(sweeper.sweep().failed_refunds, 0));
    sold.provider.fails_next(Fault::Fails);
    assert_eq!(sold.amount(500, "a").unwrap().made.state, None);
    assert_eq!((sold.listed(), sold.refunds().len()), (1, 2), "it is on record and listed");
    sold.sweep();
    assert_eq!((sold.listed(), sold.refunds()), (0, vec![(1, DONE), (500, DONE)]));
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_come_back_with_a_refund_once_and_stay_back_if_it_fails() {
    for charges in [true, false] {
        let sold = Sold::new(charges);
        let made = sold.ask(items(&[("item1", 1)], true), "a").unwrap();
        let returns = made.view.after_sale.returns();
        assert_eq!((returns.len(), Some(returns[0].id), returns[0].done), (1, made.made.return_id(), true));
        assert_eq!(sold.world.stock("item1"), (99, 0, 99));
        let again = Err(Error::ReturnExceedsSale { item_id: id("item2"), sold: 3, left: 1, requested: 2 });
        sold.ask(items(&[("item2", 2)], true), "b").unwrap();
        sold.provider.settle_refunds(RefundState::Failed);
        if charges {
            sold.notice().unwrap();
            assert_eq!(
                sold.ask(items(&[("item2", 2)], true), "c"),
                again,
                "the goods are back, whatever the money does"
            );
            sold.provider.refunds_come_to.set(RefundState::Succeeded);
            sold.ask(items(&[("item2", 2)], false), "c").unwrap();
        }
        sold.ask(RefundOf::Rest { restock: true }, "rest").unwrap();
        assert_eq!((sold.world.stock("item1").0, sold.world.stock("item2").0), (100, 50));
        assert_eq!(sold.view().status, Status::Refunded);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_of_the_rest_takes_back_what_is_not_back_and_is_one_of_money_alone_where_all_is() {
    let sold = Sold::new(false);
    let take_back = |of: &[(&str, u64)], key: &str| {
        let goods = ReturnedGoods { lines: lines(of), to: Destination::WrittenOff, reason: Reason::default() };
        run(sold.world.shop().return_goods(sold.id(), goods, KeyDigest::new("returns", key))).unwrap();
    };
    take_back(&[("item1", 2), ("item2", 1)], "a");
    sold.amount(1, "a").unwrap();
    let made = sold.ask(RefundOf::Rest { restock: true }, "b").unwrap();
    let back = made.view.after_sale.returns().iter().find(|one| Some(one.id) == made.made.return_id()).unwrap();
    assert_eq!((back.lines.iter().len(), back.lines.get(&id("item2")).unwrap().get()), (1, 2));
    assert_eq!((sold.world.stock("item1").0, sold.world.stock("item2").0), (98, 49));
    let sold = Sold::new(false);
    let all = [("item1", 2), ("item2", 3)];
    let goods = ReturnedGoods { lines: lines(&all), to: Destination::Stock, reason: Reason::default() };
    run(sold.world.shop().return_goods(sold.id(), goods, KeyDigest::new("returns", "a"))).unwrap();
    let made = sold.ask(RefundOf::Rest { restock: true }, "b").unwrap();
    assert_eq!((made.made.amount.get(), made.view.after_sale.returns().len()), (PAID, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_refunded_whole_is_not_sent_unless_it_was_before() {
    let sold = Sold::new(true);
    sold.amount(PAID - 1, "a").unwrap();
    assert_eq!(sold.fulfil().unwrap().status, Status::Fulfilled, "some of it is paid still");
    sold.amount(1, "b").unwrap();
    assert_eq!(sold.view().status, Status::Refunded);
    assert_eq!(sold.fulfil().unwrap().status, Status::Refunded, "it was sent before");
    let sold = Sold::new(true);
    sold.ask(REST, "a").unwrap();
    assert_eq!(sold.fulfil(), Err(Error::OrderNotFulfillable(Status::Refunded)));
    sold.provider.settle_refunds(RefundState::Failed);
    sold.notice().unwrap();
    assert_eq!(sold.fulfil().unwrap().status, Status::Fulfilled, "the money is not back");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refund_is_made_of_an_order_that_is_what_is_expected() {
    let sold = Sold::new(true);
    let is =
        |status: Status| Condition::new(move |view: Option<&OrderView>| view.is_some_and(|view| view.status == status));
    let ask = |status| sold.ask_if(&is(status), REST, "a");
    assert_eq!(ask(Status::Fulfilled), Err(Error::PreconditionFailed));
    assert_eq!(ask(Status::Paid).unwrap().made.state, DONE);
    assert!(ask(Status::Paid).unwrap().replayed, "it is made, and nothing is expected of it any more");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_takes_so_many_refunds_and_no_more() {
    let sold = Sold::new(true);
    for number in 0..MAX_REFUNDS {
        sold.amount(1, &number.to_string()).unwrap();
    }
    assert_eq!(sold.amount(1, "more"), Err(Error::OrderFull));
    assert_eq!((sold.given_back(), sold.listed()), (64, 0));
    let record = sold.world.record(&format!("payment:{}", sold.id()));
    assert!(serde_json::from_value::<OrderState>(record.clone()).is_ok());
    let mut more = record;
    let mut one = more["refunds"][0].clone();
    one["id"] = "another".into();
    more["refunds"].as_array_mut().unwrap().push(one);
    assert!(serde_json::from_value::<OrderState>(more).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_cost_nothing_has_nothing_to_be_given_back() {
    let world = World::new();
    run(world.shop().put_item(&id("free"), 0.try_into().unwrap(), Some(5.try_into().unwrap()))).unwrap();
    let placed = world.place(&[("free", 2)]).unwrap();
    world.pay(&placed).unwrap();
    for of in [REST, items(&[("free", 1)], false)] {
        let request = NewRefund { of, reason: Reason::default() };
        let refund = run(world.shop().refund(placed.view.order.order_id, request, KeyDigest::new("refunds", "a")));
        assert_eq!(refund, Err(Error::OrderNotRefundable(Status::Paid)));
    }
    assert_eq!(world.show(&placed).status, Status::Paid);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_of_refunds_that_no_order_has_is_not_read() {
    let record = |refund: &str| {
        let text = format!(r#"{{"state":"paid","amount":9,"method":"card","paid_at":1,"refunds":[{refund}]}}"#);
        serde_json::from_str::<OrderState>(&text).map(|state| (serde_json::to_string(&state).unwrap() == text, state))
    };
    for refund in [
        r#"{"id":"a","amount":1,"at":2}"#,
        r#"{"id":"a","amount":1,"at":2,"state":"pending"}"#,
        r#"{"id":"a","amount":1,"lines":[["x",1]],"restock":true,"reason":"y","at":2,"state":"failed","succeeded_at":3,"failed_at":4}"#,
        r#"{"id":"a","amount":1,"rest":true,"restock":true,"at":2,"state":"succeeded","succeeded_at":3}"#,
    ] {
        assert!(record(refund).unwrap().0, "{refund}");
    }
    for refund in [
        r#"{"id":"","amount":1,"at":2}"#,
        r#"{"id":"a","amount":0,"at":2}"#,
        r#"{"id":"a","amount":1}"#,
        r#"{"id":"a","amount":1,"at":2,"state":"claimed"}"#,
        r#"{"id":"a","amount":1,"at":2,"state":"succeeded"}"#,
        r#"{"id":"a","amount":1,"at":2,"state":"failed","succeeded_at":3}"#,
        r#"{"id":"a","amount":1,"at":2,"restock":true}"#,
        r#"{"id":"a","amount":1,"at":2,"rest":true,"lines":[["x",1]]}"#,
        r#"{"id":"a","amount":1,"at":2,"lines":[]}"#,
        r#"{"id":"a","amount":1,"at":2,"more":1}"#,
        r#"{"id":"a","amount":1,"at":2},{"id":"a","amount":1,"at":2}"#,
    ] {
        assert!(record(refund).is_err(), "{refund}");
    }
    let unpaid = r#"{"state":"unpaid","refunds":[{"id":"a","amount":1,"at":2}]}"#;
    assert!(serde_json::from_str::<OrderState>(unpaid).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn the_largest_state_of_an_order_fits_into_a_record() {
    let lines: Vec<_> = (0..MAX_LINES).map(|line| json!([format!("{line:0>64}"), Quantity::MAX])).collect();
    let reason = "\u{1f980}".repeat(Reason::MAX_LEN);
    let time = 9_999_999_999_999_u64;
    let refund = |number: usize| {
        json!({
            "id": format!("{number:0>255}"), "amount": Money::MAX, "lines": lines, "restock": true, "reason": reason,
            "at": time, "state": "failed", "succeeded_at": time, "failed_at": time
        })
    };
    let id =
        |number: usize| ReturnId::new(OrderId::from_random([9; 16]), KeyDigest::new("returns", &number.to_string()));
    let returned =
        |number| json!({ "id": id(number), "lines": lines, "to": "written_off", "reason": reason, "at": time });
    let late = |number| {
        json!({
            "session": format!("{number:0>255}"), "charge": "c".repeat(255), "amount": Money::MAX, "currency": "ABC",
            "at": time, "refund": "succeeded"
        })
    };
    let dispute = |number: usize| {
        json!({
            "id": format!("{number:0>255}"), "charge": "c".repeat(255), "amount": Money::MAX, "currency": "ABC",
            "status": "lost", "opened_at": time, "closed_at": time
        })
    };
    let url = format!("https://example.com/{}", "a".repeat(MAX_TRACKING_URL - 20));
    let text = "\u{1f980}".repeat(MAX_SHIPMENT_TEXT);
    let record = json!({
        "state": "paid", "amount": Money::MAX, "method": "m".repeat(32), "paid_at": time, "session": "s".repeat(255),
        "charge": "c".repeat(255),
        "late": (0..MAX_LATE_REFUNDS).map(late).collect::<Vec<_>>(),
        "refunds": (0..MAX_REFUNDS).map(refund).collect::<Vec<_>>(),
        "returns": (0..MAX_RETURNS).map(returned).collect::<Vec<_>>(),
        "fulfilment": {
            "shipment": { "carrier": text, "tracking_number": text, "tracking_url": url }, "fulfilled_at": time,
            "delivered_at": time
        },
        "given_up": u32::MAX,
        "disputes": (0..MAX_DISPUTES).map(dispute).collect::<Vec<_>>()
    });
    let state: OrderState = serde_json::from_value(record).unwrap();
    let bytes = serde_json::to_vec(&state).unwrap().len();
    assert!((500_000..LIMITS.record_bytes).contains(&bytes), "{bytes} bytes");
}
