//! Several at once about one order, on two servers where they share a store.

use std::collections::BTreeMap;

use harness::{Request, Target, at_once};
use money::Till;
use serde_json::json;
use stripe_stand_in::RefundStatus;

const ORDERS: usize = 8;
const PAYERS: usize = 8;

/// Of each of a few paid orders operators ask for each of these things, under a key of its own, this number of times.
const THINGS: usize = 8;
const TIMES: usize = 2;

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

/// More is asked for than was paid and sold, so that some of it is refused.
#[test]
fn what_operators_give_back_and_take_back_at_once_adds_up_in_money_and_goods() {
    let till = Till::open(crate::TARGET);
    let second = (crate::TARGET == Target::SpinKube).then(|| till.another_server());
    let clients = [till.client(), second.as_ref().map_or(till.client(), |server| &server.client)];
    let item = till.item(100);
    let orders = [(); 3].map(|()| {
        let order = till.place(&item, 4);
        till.provider.pay(&till.sent_to(&order)).unwrap();
        till.must(&Request::pay(&order), 200, "");
        order
    });
    let goods = |quantity: u64| json!([{ "item_id": item, "quantity": quantity }]);
    let answers = at_once(orders.len() * THINGS * TIMES, |number| {
        let (order, thing) = (number % orders.len(), number / orders.len() % THINGS);
        let id = &orders[order];
        let (refunds, returns) = (format!("/orders/{id}/refunds"), format!("/orders/{id}/returns"));
        let request = match thing {
            0 | 1 => Request::post(refunds).json(json!({ "amount": 1500 })),
            2 | 3 => Request::post(refunds).json(json!({ "items": goods(1), "restock": true })),
            4 | 5 => Request::post(returns).json(json!({ "items": goods(2), "to": "written_off" })),
            6 => Request::put(format!("/orders/{id}/fulfilment")).json(json!({ "carrier": "DHL" })),
            _ => Request::post("/sweep"),
        };
        let answer = clients[number % 2].send(&request.operator().key(format!("thing-{thing}"))).unwrap();
        ((order, thing), answer)
    });
    // What was told to each who asked for the same is the same.
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for ((order, thing), answer) in answers {
        assert!([200, 201, 409].contains(&answer.status), "{answer:?}");
        let value = answer.value();
        let name = if thing < 4 { &value["refund_id"] } else { &value["return_id"] };
        names.entry((order, thing)).or_default().extend(name.as_str().map(str::to_owned));
    }
    for names in names.values_mut() {
        names.dedup();
        assert!(names.len() <= 1, "{names:?}");
    }
    till.agrees();
    let made = till.provider.refunds();
    let (mut restocked, mut written_off) = (0, 0);
    for id in &orders {
        let order = till.send(&Request::show_order(id)).value();
        let of_order = made.iter().filter(|one| one.order.as_ref() == Some(id) && one.status != RefundStatus::Failed);
        let back: i64 = of_order.map(|one| one.amount).sum();
        assert!(back <= 4000 && order["refunded"] == back, "{back}: {order}");
        let mut returned = 0;
        for one in order["returns"].as_array().into_iter().flatten() {
            let quantity = one["items"][0]["quantity"].as_u64().unwrap_or_default();
            returned += quantity;
            *if one["to"] == "stock" { &mut restocked } else { &mut written_off } += quantity;
            assert_eq!(one["done"], true, "{one}");
        }
        assert!((3..=4).contains(&returned), "{order}");
    }
    let books = till.send(&Request::get("/books").operator()).value();
    let account = books["items"].as_array().into_iter().flatten().find(|one| one["item_id"] == item).unwrap();
    let told = ["received", "sold", "returned", "written_off", "on_hand"].map(|name| account[name].as_u64());
    let expected = [100, 12, restocked + written_off, written_off, 88 + restocked];
    assert_eq!((told, &account["balanced"]), (expected.map(Some), &true.into()), "{account}");
}
