//! Paying for orders.

use serde_json::json;

use crate::client::{at_once, leaves_alone};
use crate::server::with_shop;
use crate::shapes::{Order, Status};

#[test]
fn an_order_is_paid_with_or_without_saying_how_and_how_much() {
    with_shop(|shop| {
        let item = shop.new_item(20, 1000);
        let pending = || shop.place(&item, 2).order_id;
        let check = |order: Order, method: Option<&str>| {
            assert_eq!(order.status, Status::Paid);
            let payment = order.payment.expect("a paid order has a payment");
            assert_eq!(payment.amount, 2000);
            if let Some(method) = method {
                assert_eq!(payment.method, method);
            }
        };
        check(shop.pay(&pending()).send().order(200), None);
        check(shop.pay(&pending()).body("application/json", "").send().order(200), None);
        check(shop.pay(&pending()).json(json!({})).send().order(200), None);
        check(shop.pay(&pending()).json(json!({"amount": 2000})).send().order(200), None);
        check(shop.pay(&pending()).json(json!({"method": "card"})).send().order(200), Some("card"));
        let both = json!({"method": "card", "amount": 2000});
        check(shop.pay(&pending()).json(both).send().order(200), Some("card"));
    });
}

#[test]
fn without_a_provider_no_money_moves_and_the_shop_says_so() {
    with_shop(|shop| {
        let how = shop.get("/payments").send().expect(200).value();
        assert_eq!(how, json!({"provider": "none", "test_mode": false}));
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 2);
        let paid = shop.pay(&order.order_id).send().order(200);
        assert!(!paid.payment.expect("it is paid").charged);
        // Nobody has events to send.
        shop.post("/payments/stripe/events").json(json!({"object": "event"})).send().problem(404, "not_found");
        shop.get("/payments/stripe/events").send().problem(405, "method_not_allowed");
        shop.get("/payments/stripe").send().problem(404, "not_found");
    });
}

#[test]
fn paying_again_answers_the_first_payment() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 2);
        let first = shop.pay(&order.order_id).json(json!({"method": "card", "amount": 2000})).send().order(200);
        assert_eq!(shop.pay(&order.order_id).send().order(200), first);
        assert_eq!(shop.pay(&order.order_id).json(json!({"method": "cash"})).send().order(200), first);
        assert_eq!(shop.order_now(&order.order_id), first);
        assert_eq!(shop.available(&item), 8);
    });
}

#[test]
fn a_wrong_amount_pays_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 2);
        leaves_alone(&shop, &[&item], || {
            for amount in [0_u64, 1, 1999, 2001, 200_000, u64::from(u32::MAX) + 2001] {
                let paying = json!({"method": "card", "amount": amount});
                shop.pay(&order.order_id).json(paying).send().problem(422, "amount_mismatch");
            }
        });
        assert_eq!(shop.order_now(&order.order_id), order);
        // Also where the order is paid already: the client is wrong about what it paid.
        let paid = shop.pay(&order.order_id).send().order(200);
        shop.pay(&order.order_id).json(json!({"amount": 1999})).send().problem(422, "amount_mismatch");
        assert_eq!(shop.order_now(&order.order_id), paid);
    });
}

#[test]
fn a_payment_that_makes_no_sense_pays_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 2);
        let pay = |body: &str| shop.pay(&order.order_id).body("application/json", body.to_owned()).send();
        for (body, pointer) in [
            (r#"{"amount":"2000"}"#, "/amount"),
            (r#"{"amount":2000.5}"#, "/amount"),
            (r#"{"amount":-2000}"#, "/amount"),
            (r#"{"amount":1000000000000000000000000000000}"#, "/amount"),
            (r#"{"amount":[2000]}"#, "/amount"),
            (r#"{"amount":true}"#, "/amount"),
            (r#"{"method":7}"#, "/method"),
            (r#"{"method":""}"#, "/method"),
            (r#"{"method":{"card":1}}"#, "/method"),
            (r#"{"method":"card","amount":2000,"tip":1}"#, "/tip?"),
            (r#"{"Amount":2000}"#, "/Amount?"),
            ("[]", ""),
            ("null", ""),
            ("2000", ""),
            (r#""card""#, ""),
        ] {
            pay(body).invalid(pointer);
        }
        for body in ["{", r#"{"amount":2000"#, r#"{"amount":2000}}"#, "{'amount':2000}", "amount=2000", " "] {
            pay(body).problem(400, "malformed_json");
        }
        assert_eq!(shop.order_now(&order.order_id), order);
        assert_eq!(shop.available(&item), 8);
    });
}

#[test]
fn twenty_payments_at_once_are_one_payment() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 3);
        let (payer, id) = (shop.clone(), order.order_id.clone());
        let answers = at_once(20, move |n| {
            let pay = payer.pay(&id).json(json!({"method": format!("card-{n}")}));
            pay.send().order(200)
        });
        let paid = shop.order_now(&order.order_id);
        for answer in answers {
            assert_eq!(answer, paid);
        }
        assert_eq!(shop.available(&item), 7);
    });
}

#[test]
fn paying_and_cancelling_at_once_leaves_one_fate() {
    with_shop(|shop| {
        let item = shop.new_item(40, 1000);
        let mut sold = 0;
        for _ in 0..20 {
            let order = shop.place(&item, 2);
            let (client, id) = (shop.clone(), order.order_id.clone());
            let answers = at_once(6, move |n| {
                let request = if n % 2 == 0 { client.pay(&id) } else { client.cancel(&id) };
                (n % 2 == 0, request.send())
            });
            let fate = shop.order_now(&order.order_id);
            for (paying, answer) in answers {
                match (paying, fate.status) {
                    (true, Status::Paid) | (false, Status::Cancelled) => assert_eq!(answer.order(200), fate),
                    (true, Status::Cancelled) => drop(answer.problem(409, "order_not_payable")),
                    (false, Status::Paid) => drop(answer.problem(409, "order_not_cancellable")),
                    (_, status) => panic!("the order is {status:?}"),
                }
            }
            sold += if fate.status == Status::Paid { 2 } else { 0 };
            assert_eq!(shop.available(&item), 40 - sold);
        }
    });
}
