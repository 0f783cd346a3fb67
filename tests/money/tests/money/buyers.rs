//! What buyers do at an honest provider.

use std::time::Duration;

use harness::Request;
use money::Till;
use records::reconcile::Kind;
use stripe_stand_in::SessionStatus;

/// Longer than the payment window.
const OVERDUE: Duration = Duration::from_secs(901);

#[test]
fn a_payment_is_learned_of_by_the_webhook_and_is_made_once() {
    let till = Till::open(crate::TARGET);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.becomes(&order, "paid");
    let paid = till.must(&Request::pay(&order), 200, "").value();
    assert_eq!((&paid["payment"]["amount"], &paid["payment"]["charged"]), (&2000.into(), &true.into()), "{paid}");
    till.must(&Request::cancel(&order), 409, "order_not_cancellable");
    assert!(till.provider.pay(&session).is_err());
    assert_eq!((till.audit(), till.provider.charges().len()), (vec![], 1));
}

#[test]
fn a_payment_is_learned_of_by_a_look_where_no_webhook_comes() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["never"]);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    assert_eq!(till.status(&order), "pending");
    assert_eq!(till.audit().iter().map(|difference| difference.kind).collect::<Vec<_>>(), [Kind::ChargedNotPaid]);
    till.must(&Request::pay(&order), 200, "");
    assert_eq!(till.audit(), []);
}

#[test]
fn a_buyer_is_sent_to_one_session_until_it_is_closed() {
    let till = Till::open(crate::TARGET);
    let (order, session) = till.at_provider();
    till.provider.leave(&session);
    assert_eq!(till.sent_to(&order), session);
    till.provider.forget_keys();
    assert_eq!(till.sent_to(&order), session, "also after the provider has forgotten the key");
    till.provider.decline(&session).unwrap();
    assert_eq!(till.sent_to(&order), session, "a card that is declined can be another card");
    till.provider.close(&session).unwrap();
    let next = till.sent_to(&order);
    assert_ne!(next, session);
    till.provider.pay(&next).unwrap();
    till.becomes(&order, "paid");
    assert_eq!((till.audit(), till.sessions(&order).len()), (vec![], 2));
}

#[test]
fn what_is_processing_is_neither_paid_nor_cancelled_and_keeps_its_goods() {
    let till = Till::open(crate::TARGET);
    for succeeds in [true, false] {
        let item = till.item(2);
        let order = till.place(&item, 2);
        let session = till.sent_to(&order);
        till.provider.pay_later(&session).unwrap();
        let answer = till.must(&Request::pay(&order), 202, "").value();
        assert_eq!(answer["payment"]["status"], "processing", "{answer}");
        till.must(&Request::cancel(&order), 409, "payment_processing");
        assert_eq!((till.status(&order).as_str(), till.available(&item)), ("pending", 0));
        till.provider.settle(&session, succeeds).unwrap();
        if succeeds {
            till.becomes(&order, "paid");
        } else {
            // It can be paid in another session, or cancelled.
            till.eventually("there is another session", || till.sent_to(&order) != session);
            till.must(&Request::cancel(&order), 200, "");
            assert_eq!(till.available(&item), 2);
        }
        till.agrees();
    }
    assert_eq!(till.provider.charges().len(), 1);
}

#[test]
fn a_cancellation_closes_the_session_first() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let order = till.place(&item, 2);
    let session = till.sent_to(&order);
    till.must(&Request::cancel(&order), 200, "");
    assert!(till.provider.pay(&session).is_err(), "nobody can pay it any more");
    assert_eq!((till.sessions(&order)[0].status, till.available(&item)), (SessionStatus::Expired, 2));
    till.must(&Request::pay(&order), 409, "order_not_payable");
    assert_eq!((till.audit(), till.provider.charges().len()), (vec![], 0));
}

#[test]
fn a_payer_is_given_no_page_of_an_order_that_was_cancelled_while_it_was_opened() {
    let till = Till::open(crate::TARGET);
    let order = till.order();
    till.set_faults(&["slow=2000@create*1"]);
    let paying = std::thread::scope(|scope| {
        let paying = scope.spawn(|| till.send(&Request::pay(&order)));
        till.eventually("the session is opened", || till.sessions(&order).len() == 1);
        till.must(&Request::cancel(&order), 200, "");
        paying.join().unwrap()
    });
    // Where the page was on record before the cancellation came, that has closed it.
    let is_closed = till.provider.pay(&till.sessions(&order)[0].id).is_err();
    assert!(paying.status == 409 || is_closed, "{paying:?}");
    assert_eq!(till.status(&order), "cancelled");
}

#[test]
fn a_cancellation_that_comes_after_the_charge_is_refused() {
    let till = Till::open(crate::TARGET);
    till.set_faults(&["never"]);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.must(&Request::cancel(&order), 409, "order_not_cancellable");
    assert_eq!((till.status(&order).as_str(), till.audit()), ("paid", vec![]));
}

#[test]
fn an_overdue_order_whose_buyer_pays_all_the_same_is_sold() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let order = till.place(&item, 2);
    let session = till.sent_to(&order);
    till.set_clock_ahead(OVERDUE);
    assert_eq!((till.status(&order).as_str(), till.available(&item)), ("pending", 0), "the goods are held");
    till.provider.pay(&session).unwrap();
    till.becomes(&order, "paid");
    till.sweep();
    assert_eq!((till.status(&order).as_str(), till.available(&item), till.audit()), ("paid", 0, vec![]));
}

#[test]
fn a_sweep_closes_the_sessions_of_overdue_orders_first() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let order = till.place(&item, 2);
    let session = till.sent_to(&order);
    till.set_clock_ahead(OVERDUE);
    till.sweep();
    assert_eq!((till.status(&order).as_str(), till.available(&item)), ("expired", 2));
    assert!(till.provider.pay(&session).is_err());
    till.must(&Request::pay(&order), 409, "order_not_payable");
    assert_eq!(till.audit(), []);
}

#[test]
fn an_order_that_is_short_of_stock_closes_overdue_sessions() {
    let till = Till::open(crate::TARGET);
    let item = till.item(2);
    let (overdue, session) = {
        let order = till.place(&item, 2);
        let session = till.sent_to(&order);
        (order, session)
    };
    till.must(&Request::place(&[(&item, 2)]), 409, "insufficient_stock");
    till.set_clock_ahead(OVERDUE);
    let next = till.place(&item, 2);
    assert_eq!(till.status(&overdue), "expired");
    assert!(till.provider.pay(&session).is_err());
    let session = till.sent_to(&next);
    till.provider.pay(&session).unwrap();
    till.becomes(&next, "paid");
    assert_eq!(till.audit(), []);
}

#[test]
fn an_audit_finds_a_payment_that_is_struck_from_the_records() {
    let till = Till::open(crate::TARGET);
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.becomes(&order, "paid");
    assert_eq!(till.audit(), []);
    let key = format!("payment:{order}");
    let paid = till.store.value(&key).unwrap();
    till.store.replace(&key, br#"{"state":"void","reason":"cancelled","at":1}"#);
    assert_eq!(till.audit().iter().map(|difference| difference.kind).collect::<Vec<_>>(), [Kind::VoidAndCharged]);
    let mut other: serde_json::Value = serde_json::from_slice(&paid).unwrap();
    other["charge"] = "pi_other".into();
    till.store.replace(&key, other.to_string().as_bytes());
    assert_eq!(till.audit().iter().map(|difference| difference.kind).collect::<Vec<_>>(), [Kind::PaidNotCharged]);
    till.store.replace(&key, &paid);
    assert_eq!(till.audit(), []);
}
