//! Disputes: the provider says that a buyer has asked the bank for what was charged.

use domain::dispute::{Dispute, DisputeStatus, FoundDispute, MAX_DISPUTES, disputed};
use domain::order_state::OrderState;
use domain::{Error, Noticed, OrderEvent, OrderId, OrderView, PaymentMethod, Placed, Shop, Status, Timestamp};
use memory_store::{FakeEnvironment, MemoryStore};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::provider::{FakeProvider, Fault, Session};
use crate::support::{World, run};

/// What the order of these tests costs: two `item1`.
const TOTAL: u64 = 2000;

/// When the disputes of these tests were opened.
const OPENED: u64 = 1_700_000_060_000;

/// An order that is being paid at the provider.
#[derive(Clone)]
struct Paying {
    world: World,
    provider: FakeProvider,
    placed: Placed,
}

impl Paying {
    fn new() -> Self {
        let (world, provider) = (World::new(), FakeProvider::default());
        let placed = world.place(&[("item1", 2)]).unwrap();
        let paying = Self { world, provider, placed };
        paying.pay();
        paying
    }

    /// One that is paid.
    fn paid() -> Self {
        let paying = Self::new();
        paying.provider.charge(0, TOTAL);
        paying.pay();
        paying.world.wait(120);
        paying.provider.calls();
        paying
    }

    fn pay(&self) {
        run(self.shop().pay(self.id(), PaymentMethod::unspecified(), None)).unwrap();
    }

    fn id(&self) -> OrderId {
        self.placed.view.order.order_id
    }

    fn shop(&self) -> Shop<MemoryStore, FakeEnvironment, FakeProvider> {
        self.world.shop().with_provider(self.provider.clone())
    }

    /// The provider says this of a dispute about what was charged in the first session.
    fn says(&self, id: &str, amount: u64, status: DisputeStatus) {
        self.provider.dispute(id, self.found(amount, status));
    }

    fn found(&self, amount: u64, status: DisputeStatus) -> FoundDispute {
        FoundDispute {
            order: self.id(),
            charge: "charge-0".parse().unwrap(),
            amount: amount.try_into().unwrap(),
            currency: "CNY".to_owned().try_into().unwrap(),
            status,
            opened_at: OPENED.into(),
        }
    }

    fn notice(&self, id: &str) -> Result<Noticed, Error> {
        run(self.shop().notice("signed", id.as_bytes()))
    }

    fn view(&self) -> OrderView {
        self.world.show(&self.placed)
    }

    fn statuses(&self) -> Vec<(u64, DisputeStatus)> {
        self.view().disputes.iter().map(|one| (one.amount.get(), one.status)).collect()
    }

    fn events(&self) -> Vec<(Timestamp, &'static str)> {
        let history = run(self.shop().order_history(self.id())).unwrap();
        history.events.iter().map(|(at, event)| (*at, OrderEvent::name(event))).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        self.events().into_iter().map(|(_, name)| name).collect()
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_dispute_is_what_the_provider_says_however_often_it_is_told() {
    let shop = Paying::paid();
    shop.says("dispute-1", 500, DisputeStatus::Open);
    let told = |status| Ok(Noticed::Disputed(shop.id(), status));
    assert_eq!(shop.notice("dispute-1"), told(DisputeStatus::Open));
    assert_eq!(shop.statuses(), [(500, DisputeStatus::Open)]);
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Understood));
    assert_eq!(shop.events().last(), Some(&(OPENED.into(), "disputed")));
    // Another amount, and a second one.
    shop.says("dispute-1", 700, DisputeStatus::Open);
    shop.says("dispute-2", 300, DisputeStatus::Open);
    assert_eq!(shop.notice("dispute-1"), told(DisputeStatus::Open));
    assert_eq!(shop.notice("dispute-2"), told(DisputeStatus::Open));
    assert_eq!(shop.statuses(), [(700, DisputeStatus::Open), (300, DisputeStatus::Open)]);
    assert_eq!(disputed(&shop.view().disputes), 1000);
    shop.says("dispute-1", 700, DisputeStatus::Won);
    shop.says("dispute-2", 300, DisputeStatus::Lost);
    assert_eq!(shop.notice("dispute-1"), told(DisputeStatus::Won));
    shop.world.wait(5);
    assert_eq!(shop.notice("dispute-2"), told(DisputeStatus::Lost));
    assert_eq!(shop.names(), ["placed", "paid", "disputed", "disputed", "dispute_won", "dispute_lost"]);
    let closed = shop.events();
    shop.world.wait(5);
    assert_eq!(shop.notice("dispute-2"), Ok(Noticed::Understood));
    assert_eq!(shop.events(), closed, "it was decided when that was first heard");
    assert_eq!(disputed(&shop.view().disputes), 300);
    // The rest of the order is as it was.
    assert_eq!(shop.view().status, Status::Paid);
    assert_eq!(shop.view().payment.unwrap().amount.get(), TOTAL);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_dispute_that_is_opened_again_is_open() {
    let shop = Paying::paid();
    for status in [DisputeStatus::Won, DisputeStatus::Open, DisputeStatus::Lost] {
        shop.says("dispute-1", 500, status);
        assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Disputed(shop.id(), status)));
        assert_eq!(shop.statuses(), [(500, status)]);
    }
    assert_eq!(shop.names(), ["placed", "paid", "disputed", "dispute_lost"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_was_written_while_the_provider_was_asked_is_not_written_over() {
    let shop = Paying::paid();
    shop.says("dispute-1", 500, DisputeStatus::Open);
    let other = shop.clone();
    shop.world.meanwhile(move |_| {
        other.says("dispute-1", 500, DisputeStatus::Lost);
        assert_eq!(other.notice("dispute-1"), Ok(Noticed::Disputed(other.id(), DisputeStatus::Lost)));
    });
    // It has heard "open", and another request has since heard and written "lost".
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Understood));
    assert_eq!(shop.statuses(), [(500, DisputeStatus::Lost)]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_dispute_about_something_else_does_nothing() {
    let shop = Paying::paid();
    let before = shop.world.store.records().clone();
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::NotOurs), "the provider does not know it");
    let found = shop.found(500, DisputeStatus::Open);
    shop.provider.dispute("dispute-1", FoundDispute { order: OrderId::from_random([7; 16]), ..found.clone() });
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::NotOurs), "the shop does not know the order");
    shop.provider.dispute("dispute-1", FoundDispute { charge: "charge-9".parse().unwrap(), ..found });
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::NotOurs), "the order does not know the charge");
    assert_eq!(*shop.world.store.records(), before);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_charge_of_which_the_shop_has_not_heard_is_put_on_record_with_its_dispute() {
    let shop = Paying::new();
    shop.provider.charge(0, TOTAL);
    shop.says("dispute-1", TOTAL, DisputeStatus::Open);
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Disputed(shop.id(), DisputeStatus::Open)));
    assert_eq!(shop.view().status, Status::Paid);
    assert_eq!(shop.statuses(), [(TOTAL, DisputeStatus::Open)]);
    // The session says nothing of a charge.
    let shop = Paying::new();
    shop.says("dispute-1", TOTAL, DisputeStatus::Open);
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::NotOurs));
    assert_eq!(shop.view().status, Status::Pending);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_charge_that_did_not_pay_the_order_can_be_disputed() {
    let shop = Paying::new();
    run(shop.shop().cancel(shop.id())).unwrap();
    assert_eq!(shop.provider.is(0), Session::Closed);
    shop.provider.charge(0, TOTAL);
    let mut found = shop.found(900, DisputeStatus::Open);
    found.currency = "USD".to_owned().try_into().unwrap();
    shop.provider.dispute("dispute-1", found);
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Disputed(shop.id(), DisputeStatus::Open)));
    let view = shop.view();
    assert_eq!((view.status, view.late_refunds.len()), (Status::Cancelled, 1), "it goes back all the same");
    let [Dispute { currency: Some(currency), .. }] = &view.disputes[..] else { panic!("{:?}", view.disputes) };
    assert_eq!((currency.as_str(), disputed(&view.disputes)), ("USD", 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_message_about_a_dispute_is_not_taken_where_store_or_provider_fails() {
    let shop = Paying::paid();
    shop.says("dispute-1", 500, DisputeStatus::Open);
    shop.provider.fails_next(Fault::Fails);
    assert!(matches!(shop.notice("dispute-1"), Err(Error::ProviderUnavailable(_))));
    shop.world.store.fail_after_writes(Some(0));
    assert!(matches!(shop.notice("dispute-1"), Err(Error::Store(_))));
    shop.world.store.fail_after_writes(None);
    assert_eq!(shop.statuses(), []);
    assert_eq!(shop.notice("dispute-1"), Ok(Noticed::Disputed(shop.id(), DisputeStatus::Open)));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_keeps_a_bounded_number_of_disputes_and_the_rest_is_told_once_and_again() {
    let shop = Paying::paid();
    for number in 0..=MAX_DISPUTES {
        let id = format!("dispute-{number}");
        shop.says(&id, 1, DisputeStatus::Open);
        assert_eq!(shop.notice(&id), Ok(Noticed::Disputed(shop.id(), DisputeStatus::Open)));
    }
    assert_eq!(shop.statuses().len(), MAX_DISPUTES);
    shop.says("dispute-0", 1, DisputeStatus::Won);
    assert_eq!(shop.notice("dispute-0"), Ok(Noticed::Disputed(shop.id(), DisputeStatus::Won)));
    assert_eq!(shop.statuses()[0], (1, DisputeStatus::Won));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_of_disputes_that_no_order_has_is_not_read() {
    let paid = |disputes: &str| {
        let head = r#"{"state":"paid","amount":9,"method":"card","paid_at":1,"session":"s","charge":"c""#;
        let text = format!(r#"{head},"disputes":[{disputes}]}}"#);
        serde_json::from_str::<OrderState>(&text).map(|state| serde_json::to_string(&state).unwrap() == text)
    };
    for dispute in [
        r#"{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2}"#,
        r#"{"id":"a","charge":"c","amount":1,"currency":"USD","status":"won","opened_at":2,"closed_at":3}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"lost","opened_at":2,"closed_at":3}"#,
    ] {
        assert!(paid(dispute).unwrap(), "{dispute}");
    }
    for dispute in [
        r#"{"id":"","charge":"c","amount":1,"status":"open","opened_at":2}"#,
        r#"{"id":"a","charge":"other","amount":1,"status":"open","opened_at":2}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"open"}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"closed","opened_at":2}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2,"closed_at":3}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"won","opened_at":2}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2,"more":1}"#,
        r#"{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2},{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2}"#,
    ] {
        assert!(paid(dispute).is_err(), "{dispute}");
    }
    let unpaid = r#"{"state":"unpaid","disputes":[{"id":"a","charge":"c","amount":1,"status":"open","opened_at":2}]}"#;
    assert!(serde_json::from_str::<OrderState>(unpaid).is_err());
}
