//! Several at once about one order, on two servers where they share a store.

use harness::{Request, Target, at_once};
use money::Till;

const ORDERS: usize = 8;
const PAYERS: usize = 8;

#[test]
fn payers_at_once_are_sent_to_one_session_and_one_charge_is_made() {
    let till = Till::open(crate::TARGET);
    let second = (crate::TARGET == Target::SpinKube).then(|| till.another_server());
    let clients = [till.client(), second.as_ref().map_or(till.client(), |server| &server.client)];
    for _ in 0..ORDERS {
        let order = till.order();
        let answers = at_once(PAYERS, |number| clients[number % 2].send(&Request::pay(&order)).unwrap());
        let mut pages: Vec<_> = answers
            .iter()
            .map(|answer| {
                assert_eq!(answer.status, 202, "{answer:?}");
                answer.value()["payment"]["url"].as_str().unwrap_or_default().to_owned()
            })
            .collect();
        pages.sort_unstable();
        pages.dedup();
        assert_eq!((pages.len(), till.sessions(&order).len()), (1, 1));
        let session = till.sessions(&order)[0].id.clone();
        // All payers pay, and ask whether they have, while the webhook comes.
        let paid = at_once(PAYERS, |number| {
            let paid = till.provider.pay(&session).is_ok();
            let answer = clients[number % 2].send(&Request::pay(&order)).unwrap();
            assert!([200, 202].contains(&answer.status), "{answer:?}");
            paid
        });
        assert_eq!(paid.into_iter().filter(|paid| *paid).count(), 1);
        till.becomes(&order, "paid");
    }
    till.agrees();
    assert_eq!(till.provider.charges().len(), ORDERS);
}

#[test]
fn of_a_payment_and_a_cancellation_at_once_one_wins() {
    let till = Till::open(crate::TARGET);
    let second = (crate::TARGET == Target::SpinKube).then(|| till.another_server());
    let other = second.as_ref().map_or(till.client(), |server| &server.client);
    for _ in 0..ORDERS {
        let (order, session) = till.at_provider();
        let done = at_once(2, |number| {
            if number == 0 {
                till.provider.pay(&session).is_ok()
            } else {
                other.send(&Request::cancel(&order)).unwrap().status == 200
            }
        });
        assert!(done[0] != done[1], "both or none: {done:?}");
        till.becomes(&order, if done[0] { "paid" } else { "cancelled" });
    }
    till.agrees();
}
