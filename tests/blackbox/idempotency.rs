//! The Idempotency-Key header on orders and adjustments.

use serde_json::{Value, json};

use crate::books::{self, Told};
use crate::client::{at_once, fresh, leaves_alone};
use crate::server::with_shop;
use crate::shapes::Status;

fn one_of(item: &str) -> Value {
    json!({"item_id": item, "quantity": 1})
}

#[test]
fn a_repeat_gets_the_same_order() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let key = fresh("key");
        let request = shop.order(json!({"item_id": item, "quantity": 2, "customer_id": "c"})).key(&key);
        let first = request.clone().send();
        assert!(first.header("idempotent-replayed").is_none(), "{first}");
        for _ in 0..3 {
            let again = request.clone().send();
            assert_eq!(again.order(201), first.order(201));
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
            assert_eq!(again.header("location"), first.header("location"));
        }
        assert_eq!(shop.available(&item), 8);
    });
}

#[test]
fn a_repeat_shows_the_order_as_it_now_is() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        for (fate, status) in [("pay", Status::Paid), ("cancel", Status::Cancelled)] {
            let request = shop.order(one_of(&item)).key(fresh("key"));
            let first = request.clone().send().order(201);
            shop.post(format!("/orders/{}/{fate}", first.order_id)).send().order(200);
            let again = request.clone().send();
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
            assert_eq!(again.order(201).status, status);
            assert_eq!(again.order(201), shop.order_now(&first.order_id));
        }
        assert_eq!(shop.available(&item), 9);
    });
}

#[test]
fn a_repeat_is_recognised_after_everything_was_settled() {
    with_shop(|shop| {
        let item = shop.new_item(200, 1000);
        let mut requests = Vec::new();
        for n in 0..40 {
            let request = shop.order(one_of(&item)).key(fresh("key"));
            let order = request.clone().send().order(201);
            let fate = if n % 2 == 0 { shop.pay(&order.order_id) } else { shop.cancel(&order.order_id) };
            requests.push((request, fate.send().order(200)));
        }
        // More traffic on the item, so that the holds which carried the keys are gone.
        for _ in 0..60 {
            shop.place_cancelled(&item, 1);
        }
        for (request, order) in requests {
            let again = request.send();
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
            assert_eq!(again.order(201), order);
        }
        assert_eq!(shop.available(&item), 180);
    });
}

#[test]
fn a_key_does_not_stand_for_another_order() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let other = shop.new_item(10, 1000);
        let key = fresh("key");
        let first = shop.order(one_of(&item)).key(&key).send().order(201);
        leaves_alone(&shop, &[&item, &other], || {
            for body in [
                json!({"item_id": item, "quantity": 2}),
                json!({"item_id": item, "quantity": 1, "customer_id": "another"}),
                json!({"items": [{"item_id": item, "quantity": 1}, {"item_id": item, "quantity": 1}]}),
            ] {
                shop.order(body).key(&key).send().problem(422, "idempotency_key_reused");
            }
        });
        assert_eq!(shop.order_now(&first.order_id), first);
        // Another client's key of another name is no obstacle, nor is none.
        shop.order(one_of(&item)).key(fresh("key")).send().order(201);
        shop.order(one_of(&item)).send().order(201);
        assert_eq!(shop.available(&item), 7);
    });
}

#[test]
fn twenty_repeats_at_once_are_one_order() {
    with_shop(|shop| {
        let (a, b) = (shop.new_item(100, 1000), shop.new_item(100, 500));
        for lines in [
            json!([{"item_id": a, "quantity": 3}]),
            json!([{"item_id": a, "quantity": 3}, {"item_id": b, "quantity": 2}]),
        ] {
            let before = (shop.available(&a), shop.available(&b));
            let request = shop.order(json!({"items": lines})).key(fresh("key"));
            let answers = at_once(20, move |_| request.clone().send());
            let told: Vec<_> = answers.iter().map(|answer| Told::of("the key", answer)).collect();
            assert_eq!(books::key_violations(&told), Vec::<String>::new());
            let order = shop.order_now(&answers[0].order(201).order_id);
            assert_eq!(order.status, Status::Pending);
            let after = (before.0 - order.quantity(&a), before.1 - order.quantity(&b));
            assert_eq!((shop.available(&a), shop.available(&b)), after);
        }
    });
}

#[test]
fn one_key_for_two_orders_at_once_places_one_of_them() {
    with_shop(|shop| {
        for _ in 0..5 {
            let item = shop.new_item(100, 1000);
            let key = fresh("key");
            let (client, id) = (shop.clone(), item.clone());
            let answers =
                at_once(16, move |n| client.order(json!({"item_id": id, "quantity": n % 2 + 1})).key(&key).send());
            let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
            assert!(!placed.is_empty(), "nothing was placed");
            let order = placed[0].order(201);
            for answer in &answers {
                if answer.status == 201 {
                    assert_eq!(answer.order(201), order);
                } else {
                    answer.problem(422, "idempotency_key_reused");
                }
            }
            assert_eq!(placed.len(), 8, "some repeats of the placed order were refused");
            assert_eq!(shop.available(&item), 100 - order.quantity(&item));
        }
    });
}

#[test]
fn a_refusal_is_not_remembered() {
    with_shop(|shop| {
        // Too little stock, then more.
        let item = shop.new_item(0, 1000);
        let request = shop.order(one_of(&item)).key(fresh("key"));
        request.clone().send().problem(409, "insufficient_stock");
        request.clone().send().problem(409, "insufficient_stock");
        shop.adjust(&item, 1).send().item(200);
        let placed = request.clone().send();
        assert!(placed.header("idempotent-replayed").is_none(), "{placed}");
        assert_eq!(request.send().order(201), placed.order(201));
        assert_eq!(shop.available(&item), 0);

        // No such item, then there is.
        let item = fresh("item");
        let request = shop.order(one_of(&item)).key(fresh("key"));
        request.clone().send().problem(404, "item_not_found");
        shop.put_item(&item, json!({"unit_price": 1, "on_hand": 1})).send().item(201);
        let placed = request.send();
        assert!(placed.header("idempotent-replayed").is_none(), "{placed}");
        assert_eq!(placed.order(201).status, Status::Pending);

        // No such order can be, then one that can.
        let item = shop.new_item(1, 1000);
        let key = fresh("key");
        shop.order(json!({"item_id": item, "quantity": 0})).key(&key).send().invalid("/quantity");
        let placed = shop.order(one_of(&item)).key(&key).send();
        assert!(placed.header("idempotent-replayed").is_none(), "{placed}");
        placed.order(201);

        // A refused adjustment.
        let request = shop.adjust(&item, -5).key(fresh("key"));
        request.clone().send().problem(409, "insufficient_stock");
        shop.adjust(&item, 5).send().item(200);
        assert_eq!(request.clone().send().item(200).available, 0);
        assert_eq!(request.send().item(200).available, 0);
    });
}

#[test]
fn an_adjustment_with_a_key_is_made_once() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let key = fresh("key");
        let request = shop.adjust(&item, 5).key(&key);
        let first = request.clone().send();
        assert_eq!(first.item(200).available, 15);
        assert!(first.header("idempotent-replayed").is_none(), "{first}");
        shop.place(&item, 1);
        let again = request.clone().send();
        assert_eq!(again.item(200).available, 14);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
        leaves_alone(&shop, &[&item], || {
            shop.adjust(&item, 6).key(&key).send().problem(422, "idempotency_key_reused");
            shop.adjust(&item, -5).key(&key).send().problem(422, "idempotency_key_reused");
        });
        // Without a key each one counts.
        shop.adjust(&item, 5).send().item(200);
        assert_eq!(shop.adjust(&item, 5).send().item(200).available, 24);
    });
}

#[test]
fn twenty_adjustments_at_once_with_one_key_are_one() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let request = shop.adjust(&item, 7).key(fresh("key"));
        let answers = at_once(20, move |_| request.clone().send());
        let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
        for answer in &answers {
            assert_eq!(answer.item(200).available, 17);
        }
        assert_eq!((replayed, shop.available(&item)), (19, 17));
    });
}

#[test]
fn orders_and_adjustments_do_not_share_their_keys() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let key = fresh("key");
        shop.adjust(&item, 5).key(&key).send().item(200);
        let placed = shop.order(one_of(&item)).key(&key).send();
        assert!(placed.header("idempotent-replayed").is_none(), "{placed}");
        placed.order(201);
        assert_eq!(shop.available(&item), 14);
    });
}

#[test]
fn a_key_is_the_same_quoted_or_bare() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let longest = format!("{}{}", fresh("key"), "k".repeat(255));
        for key in [fresh("key"), longest[..255].to_owned(), format!("{}!#$%&'*+,/:;<=>?@[]^`{{|}}~", fresh("key"))] {
            let bare = shop.order(one_of(&item)).key(&key).send().order(201);
            let quoted = shop.order(one_of(&item)).key(format!("\"{key}\"")).send();
            assert_eq!(quoted.order(201), bare);
            assert_eq!(quoted.header("idempotent-replayed"), Some("true"), "{quoted}");
        }
        // A quote and a backslash are escaped where they are quoted.
        let key = fresh("key");
        let bare = shop.order(one_of(&item)).key(format!(r#"{key}"\x"#)).send().order(201);
        let quoted = shop.order(one_of(&item)).key(format!(r#""{key}\"\\x""#)).send();
        assert_eq!(quoted.order(201), bare);
        assert_eq!(shop.available(&item), 6);
    });
}

#[test]
fn a_key_that_is_none_is_refused() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let wrong: &[&[u8]] =
            &[b"", b"\"\"", &[b'k'; 256], &[b'k'; 4000], b"two words", b"\"two words\"", b"tab\there", b"\xc3\xa9"];
        leaves_alone(&shop, &[&item], || {
            for key in wrong {
                shop.order(one_of(&item)).key(key).send().problem(422, "invalid_request");
                shop.adjust(&item, 1).key(key).send().problem(422, "invalid_request");
            }
            let (key, other) = (fresh("key"), fresh("key"));
            for (first, second) in [(&key, &other), (&key, &key)] {
                let request = shop.order(one_of(&item)).key(first).key(second);
                request.send().problem(422, "invalid_request");
                shop.adjust(&item, 1).key(first).key(second).send().problem(422, "invalid_request");
            }
        });
    });
}

#[test]
fn two_customers_who_choose_the_same_weak_key_do_not_get_one_order() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        leaves_alone(&shop, &[&item], || {
            for key in ["1", "\"1\"", "my-cart-7", "0123456789abcde", "\"\\\"3456789abcde\""] {
                for _ in 0..2 {
                    shop.order(one_of(&item)).key(key).send().problem(422, "invalid_request");
                }
            }
        });
        // The operator's keys need not be secrets: a delivery note has a number.
        let note = fresh("n").chars().rev().take(6).collect::<String>();
        assert_eq!(shop.adjust(&item, 1).key(&note).send().item(200).on_hand, 11);
        assert_eq!(shop.adjust(&item, 1).key(&note).send().item(200).on_hand, 11);
    });
}

#[test]
fn paying_and_cancelling_need_no_key_and_mind_none() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let key = fresh("key");
        let (a, b) = (shop.place(&item, 1), shop.place(&item, 1));
        let paid = shop.pay(&a.order_id).key(&key).send().order(200);
        assert_eq!(shop.pay(&a.order_id).key(&key).send().order(200), paid);
        assert_eq!(shop.pay(&b.order_id).key(&key).send().order(200).order_id, b.order_id);
        let c = shop.place(&item, 1);
        assert_eq!(shop.cancel(&c.order_id).key(&key).send().order(200).status, Status::Cancelled);
    });
}

#[test]
fn a_key_of_an_adjustment_does_not_stand_for_one_of_another_item() {
    with_shop(|shop| {
        let (item, other) = (shop.new_item(10, 1000), shop.new_item(10, 1000));
        let key = fresh("key");
        let first = shop.adjust(&item, 5).key(&key);
        assert_eq!(first.clone().send().item(200).on_hand, 15);
        shop.adjust(&other, 5).key(&key).send().problem(422, "idempotency_key_reused");
        assert_eq!(shop.item(&other).on_hand, 10);
        let again = first.send();
        assert_eq!((again.header("idempotent-replayed"), again.item(200).on_hand), (Some("true"), 15));
    });
}

#[test]
fn a_key_of_an_adjustment_that_was_refused_is_free() {
    with_shop(|shop| {
        let (item, other) = (shop.new_item(10, 1000), shop.new_item(10, 1000));
        let key = fresh("key");
        shop.adjust(&item, -11).key(&key).send().problem(409, "insufficient_stock");
        assert_eq!(shop.adjust(&other, -9).key(&key).send().item(200).on_hand, 1);
    });
}

#[test]
fn a_key_that_was_used_with_two_first_items_stands_for_the_first_order() {
    with_shop(|shop| {
        let (item, other) = (shop.new_item(200, 1000), shop.new_item(200, 1000));
        let key = fresh("key");
        let first = shop.order(one_of(&item)).key(&key);
        let placed = first.clone().send().order(201);
        shop.pay(&placed.order_id).send().order(200);
        let second = shop.order(one_of(&other)).key(&key).send().order(201);
        shop.pay(&second.order_id).send().order(200);
        // Each item settles its order and writes the key's mapping, the first one first.
        for item in [&item, &other] {
            for _ in 0..40 {
                let filler = shop.order(one_of(item)).key(fresh("key")).send().order(201);
                shop.cancel(&filler.order_id).send().order(200);
            }
            assert_eq!(first.clone().send().order(201).order_id, placed.order_id);
        }
    });
}
