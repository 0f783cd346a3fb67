//! Placing, reading and cancelling orders.

use serde_json::{Value, json};

use crate::client::{at_once, fresh, leaves_alone};
use crate::server::with_shop;
use crate::shapes::{Line, Order, Status, varying_bits};

#[test]
fn an_order_lives_from_placed_to_paid() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let placed = shop.place(&item, 2);
        assert_eq!(placed.status, Status::Pending);
        assert_eq!(placed.total, 2000);
        assert_eq!(shop.order_now(&placed.order_id), placed);
        assert_eq!(shop.available(&item), 8);

        let paid = shop.pay(&placed.order_id).send().order(200);
        assert_eq!(paid.status, Status::Paid);
        assert_eq!((paid.items.clone(), paid.total, paid.expires_at), (placed.items, placed.total, placed.expires_at));
        assert_eq!(shop.order_now(&placed.order_id), paid);
        assert_eq!(shop.available(&item), 8);
    });
}

#[test]
fn an_order_lives_from_placed_to_cancelled() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let placed = shop.place(&item, 10);
        assert_eq!(shop.available(&item), 0);

        let cancelled = shop.cancel(&placed.order_id).send().order(200);
        assert_eq!(cancelled.status, Status::Cancelled);
        assert_eq!(cancelled.items, placed.items);
        assert_eq!(shop.order_now(&placed.order_id), cancelled);
        assert_eq!(shop.available(&item), 10);
    });
}

#[test]
fn cancelling_again_answers_the_same_and_gives_nothing_back_twice() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 4);
        let first = shop.cancel(&order.order_id).send().order(200);
        for _ in 0..3 {
            assert_eq!(shop.cancel(&order.order_id).send().order(200), first);
        }
        assert_eq!(shop.available(&item), 10);
    });
}

#[test]
fn twenty_cancellations_at_once_give_the_stock_back_once() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let (kept, order) = (shop.place(&item, 2), shop.place(&item, 3));
        let cancel = shop.cancel(&order.order_id);
        let answers = at_once(20, move |_| cancel.clone().send());
        for answer in answers {
            assert_eq!(answer.order(200).status, Status::Cancelled);
        }
        assert_eq!(shop.available(&item), 8);
        assert_eq!(shop.order_now(&kept.order_id), kept);
    });
}

#[test]
fn a_cancelled_order_cannot_be_paid() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place_cancelled(&item, 4);
        leaves_alone(&shop, &[&item], || {
            shop.pay(&order.order_id).send().problem(409, "order_not_payable");
            let paying = json!({"method": "card", "amount": order.total});
            shop.pay(&order.order_id).json(paying).send().problem(409, "order_not_payable");
        });
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn a_paid_order_cannot_be_cancelled() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place_paid(&item, 4);
        shop.cancel(&order.order_id).send().problem(409, "order_not_cancellable");
        assert_eq!(shop.order_now(&order.order_id), order);
        assert_eq!(shop.available(&item), 6);
    });
}

#[test]
fn cancelled_stock_can_be_bought_by_others() {
    with_shop(|shop| {
        let item = shop.new_item(3, 1000);
        let order = shop.place(&item, 3);
        shop.order(json!({"item_id": item, "quantity": 1})).send().problem(409, "insufficient_stock");
        shop.cancel(&order.order_id).send().order(200);
        let next = shop.place_paid(&item, 3);
        assert_eq!(next.status, Status::Paid);
        assert_eq!(shop.available(&item), 0);
    });
}

#[test]
fn the_answer_says_what_was_ordered_and_where_it_is() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1234);
        let request = json!({"items": [{"item_id": item, "quantity": 3}], "customer_id": "customer 7"});
        let answer = shop.order(request).send();
        let order = answer.order(201);
        assert_eq!(order.items, [Line { item_id: item.clone(), quantity: 3, unit_price: 1234, name: None }]);
        assert_eq!(order.total, 3702);
        assert_eq!(order.customer_id.as_deref(), Some("customer 7"));
        assert_eq!(order.currency, shop.item(&item).currency);
        assert!(answer.header("idempotent-replayed").is_none(), "{answer}");
        // An unpaid order says nothing of a payment, not even that there is none.
        assert!(answer.value().get("payment").is_none(), "{answer}");

        let location = answer.header("location").expect("a 201 has a location");
        let path = location.strip_prefix(&format!("http://{}", shop.0.authority)).unwrap_or(location);
        assert_eq!(path, format!("{}/orders/{}", shop.0.base, order.order_id));
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn the_short_form_means_one_line() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let request = json!({"item_id": item, "quantity": 2, "customer_id": "c"});
        let order = shop.order(request).send().order(201);
        assert_eq!(order.items, [Line { item_id: item, quantity: 2, unit_price: 1000, name: None }]);
        assert_eq!(order.customer_id.as_deref(), Some("c"));
    });
}

#[test]
fn a_customer_id_has_up_to_128_characters_whatever_their_bytes() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        for customer in ["x".to_owned(), "🦀".repeat(128), "客".repeat(128), "\"\\/ <script>".to_owned()] {
            let request = json!({"item_id": item, "quantity": 1, "customer_id": customer});
            let order = shop.order(request).send().order(201);
            assert_eq!(order.customer_id.as_deref(), Some(customer.as_str()));
            assert_eq!(shop.order_now(&order.order_id), order);
        }
    });
}

#[test]
fn an_order_of_several_items_takes_and_returns_them_all() {
    with_shop(|shop| {
        let (a, b) = (shop.new_item(10, 1000), shop.new_item(5, 2500));
        let request = json!({"items": [{"item_id": a, "quantity": 2}, {"item_id": b, "quantity": 3}]});
        let order = shop.order(request.clone()).send().order(201);
        assert_eq!((order.quantity(&a), order.quantity(&b), order.items.len()), (2, 3, 2));
        assert_eq!(order.total, 2 * 1000 + 3 * 2500);
        assert_eq!((shop.available(&a), shop.available(&b)), (8, 2));
        shop.cancel(&order.order_id).send().order(200);
        assert_eq!((shop.available(&a), shop.available(&b)), (10, 5));

        let order = shop.order(request).send().order(201);
        shop.pay(&order.order_id).send().order(200);
        assert_eq!((shop.available(&a), shop.available(&b)), (8, 2));
    });
}

#[test]
fn lines_of_the_same_item_are_added_up() {
    with_shop(|shop| {
        let (a, b) = (shop.new_item(5, 10), shop.new_item(5, 100));
        let line = |item: &str, quantity| json!({"item_id": item, "quantity": quantity});
        let order = shop.order(json!({"items": [line(&a, 2), line(&b, 1), line(&a, 3)]})).send().order(201);
        assert_eq!((order.items.len(), order.quantity(&a), order.quantity(&b)), (2, 5, 1));
        assert_eq!(order.total, 150);
        assert_eq!((shop.available(&a), shop.available(&b)), (0, 4));

        // Two lines that fit one by one, and do not fit together.
        leaves_alone(&shop, &[&b], || {
            let request = json!({"items": [line(&b, 2), line(&b, 3)]});
            let problem = shop.order(request).send().problem(409, "insufficient_stock");
            assert_eq!((&problem["available"], &problem["requested"]), (&json!(4), &json!(5)));
        });
    });
}

#[test]
fn an_order_may_have_fifty_lines() {
    with_shop(|shop| {
        let mut lines = Vec::new();
        for price in 1..=50 {
            lines.push(json!({"item_id": shop.new_item(3, price), "quantity": 2}));
        }
        let order = shop.order(json!({"items": lines})).send().order(201);
        assert_eq!((order.items.len(), order.total), (50, 50 * 51));
        for line in &order.items {
            assert_eq!(shop.available(&line.item_id), 1);
        }
        shop.cancel(&order.order_id).send().order(200);
        for line in &order.items {
            assert_eq!(shop.available(&line.item_id), 3);
        }
    });
}

#[test]
fn a_quantity_may_be_a_million() {
    with_shop(|shop| {
        let item = shop.new_item(1_000_001, 7);
        assert_eq!(shop.place(&item, 1_000_000).total, 7_000_000);
        assert_eq!(shop.available(&item), 1);
    });
}

#[test]
fn too_little_stock_is_said_with_numbers_and_nothing_is_held() {
    with_shop(|shop| {
        let item = shop.new_item(5, 1000);
        shop.place(&item, 2);
        leaves_alone(&shop, &[&item], || {
            let request = json!({"item_id": item, "quantity": 4});
            let problem = shop.order(request).send().problem(409, "insufficient_stock");
            assert_eq!(problem["item_id"], item.as_str());
            assert_eq!((&problem["available"], &problem["requested"]), (&json!(3), &json!(4)));
        });
        // What is left can still be had, to the last piece, and then none.
        shop.place(&item, 3);
        let request = json!({"item_id": item, "quantity": 1});
        let problem = shop.order(request).send().problem(409, "insufficient_stock");
        assert_eq!((&problem["available"], &problem["requested"]), (&json!(0), &json!(1)));
    });
}

#[test]
fn one_short_line_holds_nothing_of_the_others() {
    with_shop(|shop| {
        let (a, b, c) = (shop.new_item(9, 1), shop.new_item(1, 1), shop.new_item(9, 1));
        leaves_alone(&shop, &[&a, &b, &c], || {
            // Whatever order the lines are worked through in, the short one comes first, between and last.
            for short in [&a, &b, &c] {
                let lines: Vec<_> = [&a, &b, &c]
                    .into_iter()
                    .map(|item| json!({"item_id": item, "quantity": if item == short { 10 } else { 1 }}))
                    .collect();
                let problem = shop.order(json!({"items": lines})).send().problem(409, "insufficient_stock");
                assert_eq!(problem["item_id"], short.as_str());
                assert_eq!(problem["requested"], 10);
            }
        });
    });
}

#[test]
fn an_unknown_item_is_named_and_nothing_is_held() {
    with_shop(|shop| {
        let item = shop.new_item(5, 1000);
        let unknown = fresh("unknown");
        leaves_alone(&shop, &[&item], || {
            for items in [
                json!([{"item_id": unknown, "quantity": 1}]),
                json!([{"item_id": item, "quantity": 1}, {"item_id": unknown, "quantity": 1}]),
                json!([{"item_id": unknown, "quantity": 1}, {"item_id": item, "quantity": 1}]),
            ] {
                let problem = shop.order(json!({"items": items})).send().problem(404, "item_not_found");
                assert_eq!(problem["item_id"], unknown.as_str());
            }
        });
    });
}

#[test]
fn a_new_price_leaves_placed_orders_as_they_were() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let before = shop.place(&item, 2);
        shop.put_item(&item, json!({"unit_price": 1500})).send().item(200);
        assert_eq!(shop.order_now(&before.order_id), before);
        let after = shop.place(&item, 2);
        assert_eq!((before.total, after.total), (2000, 3000));
        // Each is paid at its own price.
        let paying = json!({"method": "card", "amount": 3000});
        shop.pay(&before.order_id).json(paying.clone()).send().problem(422, "amount_mismatch");
        shop.pay(&after.order_id).json(paying).send().order(200);
        shop.pay(&before.order_id).json(json!({"amount": 2000})).send().order(200);
    });
}

#[test]
fn order_ids_cannot_be_guessed() {
    with_shop(|shop| {
        let item = shop.new_item(200, 1);
        let mut ids = Vec::new();
        for _ in 0..4 {
            let (shop, item) = (shop.clone(), item.clone());
            ids.extend(at_once(50, move |_| {
                let (shop, item) = (shop.clone(), item.clone());
                shop.place(&item, 1).order_id
            }));
        }
        // Safe in a URL as they are.
        for id in &ids {
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{id:?}");
        }
        // 122 bits of chance look like a little less in 200 samples; a clock or a counter looks like much less.
        assert!(varying_bits(&ids) > 110.0, "{} bits vary in ids like {}", varying_bits(&ids), ids[0]);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 200, "an order id was given twice");
    });
}

#[test]
fn what_is_no_order_is_not_found() {
    with_shop(|shop| {
        let item = shop.new_item(5, 1000);
        let order = shop.place(&item, 1);
        let near = [
            "00000000-0000-4000-8000-000000000000".to_owned(),
            "0".to_owned(),
            "x".repeat(3000),
            format!("{}0", order.order_id),
            order.order_id[1..].to_owned(),
            order.order_id.replace('-', "~"),
            format!("order:{}", order.order_id),
            format!("payment:{}", order.order_id),
            format!("inventory:{item}"),
            "%00".to_owned(),
            "..%2Finventory".to_owned(),
            "%F0%9F%A6%80".to_owned(),
            "%ff%fe".to_owned(),
            "';DROP%20TABLE%20spin_key_value;--".to_owned(),
        ];
        for id in near.iter().filter(|id| **id != order.order_id) {
            shop.get(format!("/orders/{id}")).send().problem(404, "order_not_found");
            shop.pay(id).send().problem(404, "order_not_found");
            shop.cancel(id).send().problem(404, "order_not_found");
        }
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn an_order_is_placed_at_the_price_that_the_customer_saw_or_not_at_all() {
    with_shop(|shop| {
        let (one, other) = (shop.new_item(10, 1000), shop.new_item(10, 250));
        let line =
            |item: &str, quantity: u64, price: u64| json!({"item_id": item, "quantity": quantity, "unit_price": price});
        let long = |lines: Value, total: u64| json!({"items": lines, "total": total});
        for (request, total) in [
            (json!({"item_id": one, "quantity": 2, "unit_price": 1000}), 2000),
            (json!({"item_id": one, "quantity": 2, "total": 2000}), 2000),
            (long(json!([line(&one, 1, 1000), line(&other, 2, 250)]), 1500), 1500),
            (long(json!([line(&one, 1, 1000), line(&one, 1, 1000)]), 2000), 2000),
        ] {
            let order = shop.order(request).send().order(201);
            assert_eq!((order.total, order.status), (total, Status::Pending));
            shop.cancel(&order.order_id).send().order(200);
        }
        shop.put_item(&one, json!({"unit_price": 1200})).send().item(200);
        for request in [
            json!({"item_id": one, "quantity": 2, "unit_price": 1000}),
            json!({"item_id": one, "quantity": 2, "total": 2000}),
            json!({"item_id": one, "quantity": 2, "unit_price": 1200, "total": 2000}),
            json!({"item_id": one, "quantity": 2, "unit_price": 0}),
            // Of the price of one item, one of these is wrong.
            json!({"items": [line(&one, 1, 1200), line(&one, 1, 1000)]}),
        ] {
            let problem = leaves_alone(&shop, &[&one], || shop.order(request).send().problem(409, "price_changed"));
            assert_eq!(problem["items"], json!([{"item_id": one, "quantity": 2, "unit_price": 1200}]));
            assert_eq!(problem["total"], 2400);
        }
        let lines = json!([line(&other, 1, 250), line(&one, 1, 1000)]);
        let problem =
            leaves_alone(&shop, &[&one, &other], || shop.order(long(lines, 1250)).send().problem(409, "price_changed"));
        let now = |item: &str| {
            problem["items"].as_array().into_iter().flatten().find(|line| line["item_id"] == item).cloned()
        };
        assert_eq!(now(&one).expect("it is there")["unit_price"], 1200);
        assert_eq!(now(&other).expect("it is there")["unit_price"], 250);
        assert_eq!(problem["total"], 1450);
        // What is not said may be anything.
        assert_eq!(shop.place(&one, 1).total, 1200);
        for (field, value) in
            [("unit_price", json!(-1)), ("unit_price", json!("1200")), ("total", json!(1.5)), ("total", json!([]))]
        {
            let mut request = json!({"item_id": one, "quantity": 1});
            request[field] = value;
            shop.order(request).send().invalid(&format!("/{field}"));
        }
        shop.order(json!({"items": [line(&one, 1, 1200), {"item_id": one, "quantity": 1, "unit_price": true}]}))
            .send()
            .invalid("/items/1/unit_price");
        shop.order(json!({"items": [line(&one, 1, 1200)], "unit_price": 1200})).send().invalid("/unit_price");
    });
}

#[test]
fn a_repeat_under_a_key_is_answered_as_before_when_the_price_has_changed() {
    with_shop(|shop| {
        let (item, key) = (shop.new_item(10, 1000), fresh("key"));
        let request = |price: u64| {
            shop.order(json!({"item_id": item, "quantity": 2, "unit_price": price, "total": 2 * price})).key(&key)
        };
        // A refusal is not remembered.
        request(900).send().problem(409, "price_changed");
        let first = request(1000).send().order(201);
        shop.put_item(&item, json!({"unit_price": 1100})).send().item(200);
        let again = request(1000).send();
        assert_eq!((again.header("idempotent-replayed"), again.order(201)), (Some("true"), first));
        request(1100).send().problem(422, "idempotency_key_reused");
        shop.order(json!({"item_id": item, "quantity": 2, "total": 2200}))
            .key(&key)
            .send()
            .problem(422, "idempotency_key_reused");
        assert_eq!(shop.available(&item), 8);
    });
}

#[test]
fn while_a_price_goes_up_and_down_every_order_is_at_the_price_that_its_customer_saw() {
    with_shop(|shop| {
        let item = shop.new_item(10_000, 1000);
        at_once(8, |number| {
            for round in 0..25 {
                let price = 1000 + (round % 3) * 10;
                if number == 0 {
                    shop.put_item(&item, json!({"unit_price": price})).send().item(200);
                    continue;
                }
                let answer = shop.order(json!({"item_id": item, "quantity": 1, "unit_price": price})).send();
                if answer.status == 409 {
                    answer.problem(409, "price_changed");
                } else {
                    assert_eq!(answer.order(201).items[0].unit_price, price);
                }
            }
        });
    });
}

#[test]
fn an_order_above_the_limit_of_an_item_is_refused_by_name_and_holds_nothing() {
    with_shop(|shop| {
        let (one, other) = (shop.new_item(10, 1000), shop.new_item(10, 250));
        let limited = shop.put_item(&one, json!({"unit_price": 1000, "max_per_order": 3})).send().item(200);
        assert_eq!((limited.max_per_order, shop.item(&one)), (Some(3), limited));
        let line = |item: &str, quantity: u64| json!({"item_id": item, "quantity": quantity});
        for (request, requested) in [
            (line(&one, 4), 4),
            // Lines of the same item are added up.
            (json!({"items": [line(&one, 2), line(&other, 1), line(&one, 3)]}), 5),
            (json!({"items": [line(&one, 10)], "total": 1}), 10),
            (json!({"items": [line(&one, 1_000_000)]}), 1_000_000),
        ] {
            let problem = leaves_alone(&shop, &[&one, &other], || {
                shop.order(request).send().problem(422, "quantity_above_limit")
            });
            assert_eq!((&problem["item_id"], &problem["max_per_order"]), (&json!(one), &json!(3)));
            assert_eq!(problem["requested"], requested);
        }
        for (place, quantity) in [(line(&one, 3), 3), (json!({"items": [line(&one, 1), line(&one, 2)]}), 3)] {
            let order = shop.order(place).send().order(201);
            assert_eq!(order.items[0].quantity, quantity);
            shop.cancel(&order.order_id).send().order(200);
        }
        // An item without a limit has none.
        shop.place(&other, 10);
    });
}

#[test]
fn a_repeat_under_a_key_is_answered_as_before_when_the_limit_is_lower_now() {
    with_shop(|shop| {
        let (item, key) = (shop.new_item(10, 1000), fresh("key"));
        let request = |quantity: u64| shop.order(json!({"item_id": item, "quantity": quantity})).key(&key);
        let first = request(5).send().order(201);
        shop.put_item(&item, json!({"unit_price": 1000, "max_per_order": 2})).send().item(200);
        let again = request(5).send();
        assert_eq!((again.header("idempotent-replayed"), again.order(201)), (Some("true"), first));
        request(4).send().problem(422, "idempotency_key_reused");
        shop.order(json!({"item_id": item, "quantity": 5})).send().problem(422, "quantity_above_limit");
        assert_eq!(shop.available(&item), 5);
    });
}

#[test]
fn a_line_keeps_the_name_that_its_item_had_when_the_order_was_placed() {
    with_shop(|shop| {
        let item = shop.new_item(9, 5);
        let rename = |name: Value| shop.put_item(&item, json!({"unit_price": 5, "name": name})).send().item(200);
        let name = |order: &Order| order.items[0].name.clone();
        let (unnamed, body) = (shop.place(&item, 1), json!({"item_id": item, "quantity": 2}));
        rename(json!("Teapot, blue"));
        let key = fresh("key-of-a-named-order");
        let order = shop.order(body.clone()).key(&key).send().order(201);
        assert_eq!((name(&unnamed), name(&order).as_deref()), (None, Some("Teapot, blue")));
        rename(json!("Cup"));
        let again = shop.order(body).key(&key).send().order(201);
        assert_eq!(again, order);
        rename(json!(null));
        let path = format!("/orders/{}", order.order_id);
        assert_eq!(name(&shop.order_now(&order.order_id)).as_deref(), Some("Teapot, blue"));
        let history = shop.get(format!("{path}/history")).send().value();
        assert_eq!(history["events"][0]["text"], format!("Placed: 2 of {item} (Teapot, blue)."));
        assert_eq!(name(&shop.pay(&order.order_id).send().order(200)).as_deref(), Some("Teapot, blue"));
    });
}
