//! What `records reconcile` finds in a shop that is served, as in its store, when a record is broken by hand.

use std::time::Duration;

use harness::{Request, TOKEN, Target};
use money::Till;
use records::comparing::Sides;
use records::location::Location;
use records::reconcile::{Difference, Kind};
use records::shop::Shop;
use records::stripe::Account;
use serde_json::{Value, json};
use stripe_stand_in::SECRET_KEY;

/// How a shop differs from its provider, read over HTTP.
#[track_caller]
fn served(till: &Till) -> Vec<Difference> {
    let account = Account::new(&till.provider.url(), SECRET_KEY).unwrap();
    let shop = Shop::served(&till.client().url(), TOKEN, account.is_test_mode()).unwrap();
    let compared = Sides { shops: vec![shop], account }.compare(Duration::ZERO).unwrap();
    assert_eq!(compared.unreadable_entries, 0);
    compared.found
}

/// The same, read from its store where that is a file.
fn stored(till: &Till) -> Option<Vec<Difference>> {
    let file = |name| till.store.folder().join(name);
    let location = match crate::TARGET {
        Target::Local => Location::KeyValue(file("sqlite_key_value.db")),
        Target::FermyonCloud => Location::Sqlite(file("sqlite_db.db")),
        Target::AkamaiFunctions | Target::SpinKube => return None,
    };
    let account = Account::new(&till.provider.url(), SECRET_KEY).unwrap();
    let sides = Sides { shops: vec![Shop::Stored(location)], account };
    Some(sides.compare(Duration::ZERO).unwrap().found)
}

/// What differs, the same whichever way the shop is read.
#[track_caller]
fn kinds(till: &Till) -> Vec<Kind> {
    let found = served(till);
    if let Some(other) = stored(till) {
        assert_eq!(other, found);
    }
    found.into_iter().map(|difference| difference.kind).collect()
}

/// Changes the state of an order by hand.
#[track_caller]
fn broken(till: &Till, order: &str, state: impl FnOnce(Value) -> Value) {
    let key = format!("payment:{order}");
    let record = serde_json::from_slice(&till.store.value(&key).unwrap()).unwrap();
    till.store.replace(&key, state(record).to_string().as_bytes());
}

#[test]
fn a_shop_over_http_is_compared_as_its_store_is() {
    let till = Till::open(crate::TARGET);
    let (paid, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.becomes(&paid, "paid");
    let (waits, waits_in) = till.at_provider();
    let cancelled = till.order();
    till.must(&Request::cancel(&cancelled), 200, "");
    assert_eq!(kinds(&till), []);

    let as_it_was = till.store.value(&format!("payment:{paid}")).unwrap();
    let is_paid: Value = serde_json::from_slice(&as_it_was).unwrap();
    let restore = |order: &str, state: &Value| broken(&till, order, |_| state.clone());
    broken(&till, &paid, |_| json!({ "state": "void", "reason": "cancelled", "at": 1 }));
    assert_eq!(kinds(&till), [Kind::VoidAndCharged]);
    broken(&till, &paid, |_| json!({ "state": "at_provider", "session": waits_in }));
    assert_eq!(kinds(&till), [Kind::ChargedNotPaid]);
    broken(&till, &paid, |mut state| {
        state["session"] = "cs_test_of_no_account".into();
        state
    });
    assert_eq!(kinds(&till), [Kind::ChargedNotPaid, Kind::NoSuchSession]);
    broken(&till, &paid, |_| json!("no state"));
    assert_eq!(kinds(&till), [Kind::Unreadable]);
    restore(&paid, &is_paid);
    assert_eq!(kinds(&till), []);

    broken(
        &till,
        &waits,
        |_| json!({ "state": "paid", "amount": 2000, "method": "card", "paid_at": 1, "session": waits_in, "charge": "pi_none" }),
    );
    assert_eq!(kinds(&till), [Kind::PaidNotCharged]);
    broken(&till, &waits, |_| json!({ "state": "at_provider", "session": waits_in }));
    broken(&till, &cancelled, |mut state| {
        state["late"] = json!([{
            "session": "cs_test_late", "charge": "pi_none", "amount": 2000, "at": 1, "refund": "succeeded"
        }]);
        state
    });
    assert_eq!(kinds(&till), [Kind::RefundMissing]);
}

#[test]
fn a_late_charge_is_compared_until_it_has_gone_back() {
    let till = Till::open(crate::TARGET);
    // No message tells anything but those that are sent here.
    till.set_faults(&["closed-yet-payable", "refund-pending", "never"]);
    let (order, session) = till.at_provider();
    till.must(&Request::cancel(&order), 200, "");
    till.provider.pay(&session).unwrap();
    assert_eq!(kinds(&till), [Kind::VoidAndCharged]);
    till.must(&till.event("checkout.session.completed", &session), 200, "");
    assert_eq!(kinds(&till), [Kind::RefundUnfinished]);
    till.provider.settle_refund(&till.provider.refunds()[0].id, true).unwrap();
    assert_eq!(kinds(&till), [Kind::RefundNotRecorded]);
    till.must(&till.event("checkout.session.completed", &session), 200, "");
    assert_eq!(kinds(&till), []);
}
