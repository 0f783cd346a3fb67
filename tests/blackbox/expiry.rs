//! Orders that are not paid in time. Each test has a server with a payment window of a second or two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::books::{self, Seen, Sighting};
use crate::client::{Shop, at_once, fresh};
use crate::server::with_own_server;
use crate::shapes::{Order, Status};

const SHORT: &[(&str, &str)] = &[("payment_window_seconds", "1")];

/// Waits until the order says that it has expired.
fn expired(shop: &Shop, order: &Order) -> Order {
    for _ in 0..1200 {
        let now = shop.order_now(&order.order_id);
        if now.status == Status::Expired {
            return now;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{} does not expire", order.order_id);
}

#[test]
fn an_unpaid_order_expires_and_others_get_its_stock() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let (a, b) = (shop.new_item(5, 1000), shop.new_item(5, 1000));
        let lines = json!([{"item_id": a, "quantity": 5}, {"item_id": b, "quantity": 3}]);
        let order = shop.order(json!({"items": lines})).send().order(201);
        let after = expired(shop, &order);
        assert_eq!((&after.items, after.expires_at), (&order.items, order.expires_at));
        // Who looks sees it at once, though nothing was written since.
        assert_eq!((shop.available(&a), shop.available(&b)), (5, 5));
        shop.place(&a, 5);
        assert_eq!(shop.adjust(&b, -5).send().item(200).on_hand, 0);
        assert_eq!(shop.order_now(&order.order_id), after);
    });
}

#[test]
fn an_expired_order_can_be_neither_paid_nor_cancelled() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let item = shop.new_item(5, 1000);
        let order = shop.place(&item, 5);
        let after = expired(shop, &order);
        // Before its stock was taken by anybody, and after.
        for _ in 0..2 {
            shop.pay(&order.order_id).send().problem(409, "order_not_payable");
            let paying = json!({"method": "card", "amount": order.total});
            shop.pay(&order.order_id).json(paying).send().problem(409, "order_not_payable");
            shop.cancel(&order.order_id).send().problem(409, "order_not_cancellable");
            assert_eq!(shop.order_now(&order.order_id), after);
            if shop.available(&item) == 5 {
                shop.adjust(&item, -5).send().item(200);
            }
        }
    });
}

#[test]
fn a_fate_outlives_the_payment_window() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let item = shop.new_item(10, 1000);
        let in_time = |fate: &str| {
            // The window is short and the machine may be busy: try until one was in time.
            for _ in 0..100 {
                let order = shop.place(&item, 1);
                let answer = shop.post(format!("/orders/{}/{fate}", order.order_id)).send();
                if answer.status == 200 {
                    return answer.order(200);
                }
            }
            panic!("never in time to {fate}");
        };
        let (paid, cancelled) = (in_time("pay"), in_time("cancel"));
        let clock = shop.place(&item, 1);
        expired(shop, &clock);
        assert_eq!(shop.order_now(&paid.order_id), paid);
        assert_eq!(shop.order_now(&cancelled.order_id), cancelled);
        assert_eq!(shop.pay(&paid.order_id).send().order(200), paid);
        assert_eq!(shop.cancel(&cancelled.order_id).send().order(200), cancelled);
        shop.cancel(&paid.order_id).send().problem(409, "order_not_cancellable");
        shop.pay(&cancelled.order_id).send().problem(409, "order_not_payable");
        // What was paid is not for sale, however long ago.
        assert_eq!(shop.available(&item), 9);
        shop.order(json!({"item_id": item, "quantity": 10})).send().problem(409, "insufficient_stock");
        shop.place(&item, 9);
    });
}

#[test]
fn a_repeat_of_an_expired_order_shows_it_expired() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let item = shop.new_item(5, 1000);
        let request = shop.order(json!({"item_id": item, "quantity": 5})).key(fresh("key"));
        let order = request.clone().send().order(201);
        let after = expired(shop, &order);
        for _ in 0..2 {
            let again = request.clone().send();
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
            assert_eq!(again.order(201), after);
            // The second time, when its stock is in another order.
            shop.adjust(&item, -1).send().item(200);
        }
    });
}

#[test]
fn the_stock_of_expired_orders_is_shown_at_the_first_look_everywhere() {
    for orders in [20, 80] {
        with_own_server(SHORT, |server| {
            let shop = &server.shop;
            let item = shop.new_item(5 * orders, 1000);
            let placed: Vec<_> = (0..orders).map(|_| shop.place(&item, 5)).collect();
            expired(shop, placed.last().expect("there are some"));
            let of_item = |path: &str| {
                let items = shop.get(path).operator().send().expect(200).value()["items"].clone();
                let items = items.as_array().expect("a list").clone();
                let item = items.into_iter().find(|listed| listed["item_id"] == *item).expect("it is there");
                (item["available"].as_u64(), item["reserved"].as_u64())
            };
            assert_eq!(of_item("/books"), (Some(5 * orders), Some(0)));
            let metrics = shop.get("/metrics").operator().send();
            let metrics = String::from_utf8(metrics.expect(200).body.to_vec()).expect("text");
            let line = format!("stock_available{{item=\"{item}\"}} {}", 5 * orders);
            assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
            assert_eq!(of_item("/inventory"), (Some(5 * orders), Some(0)));
            assert_eq!(shop.available(&item), 5 * orders);
        });
    }
}

#[test]
fn the_first_order_for_all_of_the_stock_gets_what_many_expired_orders_held() {
    with_own_server(SHORT, |server| {
        let shop = &server.shop;
        let item = shop.new_item(150, 1000);
        let (client, id) = (shop.clone(), item.clone());
        let orders = at_once(150, move |n| {
            let request = client.order(json!({"item_id": id, "quantity": 1}));
            let request = if n % 2 == 0 { request.key(fresh("key")) } else { request };
            request.send()
        });
        let mut seen = Vec::new();
        for answer in &orders {
            seen.push(expired(shop, &answer.order(201)));
        }
        shop.order(json!({"item_id": item, "quantity": 150})).send().order(201);
        for order in seen {
            assert_eq!(shop.order_now(&order.order_id), order);
        }
    });
}

#[test]
fn at_the_last_moment_an_order_is_paid_or_expires_and_never_both() {
    with_own_server(&[("payment_window_seconds", "5")], |server| {
        const ORDERS: u64 = 32;
        let shop = &server.shop;
        // Many lines make paying slow enough for something to come in between.
        let mut others = Vec::new();
        for _ in 0..20 {
            others.push(shop.new_item(ORDERS, 1));
        }
        let item = shop.new_item(2 * ORDERS, 1000);
        // While the orders end, others want more than there is, which makes them settle what has expired.
        let over = Arc::new(AtomicBool::new(false));
        let settlers: Vec<_> = (0..4)
            .map(|_| {
                let (shop, item, over) = (shop.clone(), item.clone(), over.clone());
                thread::spawn(move || settle(shop, item, 2 * ORDERS + 1, over))
            })
            .collect();
        let (client, id) = (shop.clone(), item.clone());
        let sightings = at_once(ORDERS as usize, move |n| {
            let lines = others.iter().map(|other| json!({"item_id": other, "quantity": 1}));
            let lines: Vec<_> = lines.chain([json!({"item_id": id, "quantity": 2})]).collect();
            pay_at_the_end(client.clone(), json!({"items": lines}), n as u64)
        })
        .concat();
        over.store(true, Ordering::SeqCst);
        for settler in settlers {
            settler.join().expect("a settler is refused and does not panic");
        }

        assert_eq!(books::contradictions(&sightings), Vec::<String>::new());
        let fates: BTreeMap<_, _> = sightings
            .iter()
            .filter_map(|sighting| match &sighting.seen {
                Seen::Order(order) => Some((&order.order_id, order.status)),
                _ => None,
            })
            .collect();
        assert!(fates.values().all(|fate| matches!(fate, Status::Paid | Status::Expired)), "{fates:?}");
        let expired = fates.values().filter(|fate| **fate == Status::Expired).count() as u64;
        // Exactly the stock of the expired ones is for sale again.
        if expired > 0 {
            let rest = shop.order(json!({"item_id": item, "quantity": 2 * expired}));
            let mut tries = 0;
            while rest.clone().send().status != 201 {
                tries += 1;
                assert!(tries < 5, "the stock of {expired} expired orders does not come back");
            }
        }
        shop.order(json!({"item_id": item, "quantity": 1})).send().problem(409, "insufficient_stock");
    });
}

/// Places an order and pays it from a little before the end of its window on, or from a little after it.
fn pay_at_the_end(shop: Shop, body: Value, n: u64) -> Vec<Sighting> {
    let order = shop.order(body).send().order(201);
    let end = order.expires_at.until() + Duration::from_millis(n);
    sleep(end.saturating_sub(Duration::from_millis(24)));
    let mut sightings = Vec::new();
    let mut see = |seen| {
        let from = 2 * sightings.len() as u64;
        sightings.push(Sighting { order_id: order.order_id.clone(), from, to: from + 1, seen });
    };
    for _ in 0..4 {
        let answer = shop.pay(&order.order_id).send();
        see(match answer.status {
            200 => Seen::Order(Box::new(answer.order(200))),
            _ => {
                answer.problem(409, "order_not_payable");
                Seen::NotPayable
            }
        });
        see(Seen::Order(Box::new(shop.order_now(&order.order_id))));
    }
    sightings
}

fn settle(shop: Shop, item: String, too_much: u64, over: Arc<AtomicBool>) {
    while !over.load(Ordering::SeqCst) {
        let request = shop.order(json!({"item_id": item, "quantity": too_much}));
        request.send().problem(409, "insufficient_stock");
    }
}
