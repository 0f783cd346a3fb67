//! `If-Match` and `If-None-Match` (RFC 9110, 13): on every request, and decided at the moment of the change.

use serde_json::json;

use crate::client::{Request, Shop, at_once, fresh, leaves_alone};
use crate::server::with_shop;
use crate::shapes::Status;

/// The tag of what is at a path.
fn etag(shop: &Shop, path: &str) -> String {
    let answer = shop.get(path).operator().send();
    answer.expect(200);
    answer.header("etag").unwrap_or_else(|| panic!("{answer}\nno etag")).to_owned()
}

fn item_path(item: &str) -> String {
    format!("/inventory/{item}")
}

fn order_path(order: &str) -> String {
    format!("/orders/{order}")
}

/// Headers that hold for what has this tag.
fn met(tag: &str) -> Vec<(&'static str, String)> {
    vec![
        ("if-match", tag.to_owned()),
        ("if-match", "*".to_owned()),
        ("if-match", format!("\"x\", {tag} ,\"y\"")),
        ("if-none-match", "\"x\"".to_owned()),
        ("if-none-match", "\"x\", W/\"y\"".to_owned()),
    ]
}

/// Headers that do not hold for what has this tag.
fn unmet(tag: &str) -> Vec<(&'static str, String)> {
    vec![
        ("if-match", "\"x\"".to_owned()),
        ("if-match", "\"x\", \"y\"".to_owned()),
        // The comparison is strong.
        ("if-match", format!("W/{tag}")),
        ("if-match", tag.trim_matches('"').to_owned()),
        ("if-match", String::new()),
        ("if-none-match", "*".to_owned()),
        ("if-none-match", tag.to_owned()),
        // The comparison is weak.
        ("if-none-match", format!("W/{tag}")),
        ("if-none-match", format!("\"x\", {tag}")),
    ]
}

#[test]
fn an_item_is_changed_only_if_it_is_what_the_operator_has_seen() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let path = item_path(&item);
        let changes: [&dyn Fn() -> Request; 3] =
            [&|| shop.put_item(&item, json!({"unit_price": 7})), &|| shop.adjust(&item, 1), &|| {
                shop.adjust(&item, -1).key(fresh("key"))
            }];
        for change in changes {
            let tag = etag(&shop, &path);
            leaves_alone(&shop, &[&item], || {
                for (name, value) in unmet(&tag) {
                    change().header(name, value).send().problem(412, "precondition_failed");
                }
                // With stock, too, and not the 409 of an item that is there.
                let put = shop.put_item(&item, json!({"unit_price": 7, "on_hand": 3}));
                put.header("if-none-match", "*").send().problem(412, "precondition_failed");
            });
            for (name, value) in met(&tag) {
                let value = if value.contains(&tag) { value.replace(&tag, &etag(&shop, &path)) } else { value };
                change().header(name, value).send().item(200);
            }
        }
        // Both have to hold.
        let tag = etag(&shop, &path);
        let both =
            |one: &str, other: &str| shop.adjust(&item, 1).header("if-match", one).header("if-none-match", other);
        both(&tag, &tag).send().problem(412, "precondition_failed");
        both("\"x\"", "\"x\"").send().problem(412, "precondition_failed");
        both(&tag, "\"x\"").send().item(200);
    });
}

#[test]
fn an_earlier_tag_of_an_item_is_stale_whatever_has_changed_it() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let path = item_path(&item);
        let order = shop.place(&item, 1).order_id;
        let changes: [&dyn Fn(); 4] = [
            &|| drop(shop.put_item(&item, json!({"unit_price": 8})).send().item(200)),
            &|| drop(shop.adjust(&item, 1).send().item(200)),
            &|| drop(shop.place(&item, 1)),
            &|| drop(shop.cancel(&order).send().order(200)),
        ];
        for change in changes {
            let tag = etag(&shop, &path);
            change();
            leaves_alone(&shop, &[&item], || {
                let put = shop.put_item(&item, json!({"unit_price": 9})).header("if-match", &tag);
                put.send().problem(412, "precondition_failed");
                shop.adjust(&item, 1).header("if-match", &tag).send().problem(412, "precondition_failed");
            });
        }
    });
}

#[test]
fn an_item_is_made_only_if_that_is_what_the_operator_expects() {
    with_shop(|shop| {
        for (name, value) in [("if-match", "*"), ("if-match", "\"x\"")] {
            let item = fresh("item");
            let put = shop.put_item(&item, json!({"unit_price": 1, "on_hand": 1})).header(name, value);
            put.send().problem(412, "precondition_failed");
            shop.get(item_path(&item)).send().problem(404, "item_not_found");
            let list = shop.get("/inventory").send();
            assert!(!list.to_string().contains(&item), "{list}");
        }
        for value in ["*", "\"x\""] {
            let item = fresh("item");
            let put = shop.put_item(&item, json!({"unit_price": 1, "on_hand": 1})).header("if-none-match", value);
            put.send().item(201);
        }
        // What is not there stays not found, whatever is expected of it.
        let unknown = fresh("unknown");
        shop.adjust(&unknown, 1).header("if-match", "*").send().problem(404, "item_not_found");
        let order = "00000000-0000-4000-8000-000000000000";
        shop.pay(order).header("if-match", "*").send().problem(404, "order_not_found");
        shop.cancel(order).header("if-match", "\"x\"").send().problem(404, "order_not_found");
    });
}

#[test]
fn an_order_is_paid_or_cancelled_only_if_it_is_what_the_client_has_seen() {
    with_shop(|shop| {
        let item = shop.new_item(100, 1000);
        for (status, change) in [(Status::Paid, Shop::pay as fn(&Shop, &str) -> _), (Status::Cancelled, Shop::cancel)] {
            let change = |order: &str| change(&shop, order);
            let order = shop.place(&item, 1);
            let tag = etag(&shop, &order_path(&order.order_id));
            for (name, value) in unmet(&tag) {
                change(&order.order_id).header(name, value).send().problem(412, "precondition_failed");
            }
            assert_eq!(shop.order_now(&order.order_id), order);
            for index in 0..met(&tag).len() {
                let order = shop.place(&item, 1).order_id;
                let (name, value) = met(&etag(&shop, &order_path(&order))).swap_remove(index);
                assert_eq!(change(&order).header(name, value).send().order(200).status, status);
            }
        }
    });
}

#[test]
fn an_earlier_tag_of_an_order_is_stale_once_it_is_decided() {
    with_shop(|shop| {
        let item = shop.new_item(100, 1000);
        for decide in [Shop::pay, Shop::cancel] {
            let order = shop.place(&item, 1).order_id;
            let tag = etag(&shop, &order_path(&order));
            let decided = decide(&shop, &order).send().order(200);
            for request in [shop.pay(&order), shop.cancel(&order)] {
                request.header("if-match", &tag).send().problem(412, "precondition_failed");
            }
            assert_eq!(shop.order_now(&order), decided);
            // The same again, of what it now is.
            let now = etag(&shop, &order_path(&order));
            assert_eq!(decide(&shop, &order).header("if-match", &now).send().order(200), decided);
        }
    });
}

#[test]
fn a_repeat_under_a_key_is_answered_whatever_it_expects() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let tag = etag(&shop, &item_path(&item));
        let adjust = shop.adjust(&item, 5).key(fresh("key")).header("if-match", &tag);
        let first = adjust.clone().send();
        assert_eq!(first.item(200).on_hand, 15);
        for _ in 0..3 {
            let again = adjust.clone().send();
            assert_eq!(again.item(200), first.item(200));
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again}");
        }
        // A request that was refused has not used its key.
        let key = fresh("key");
        let late = shop.adjust(&item, 1).key(&key);
        late.clone().header("if-match", &tag).send().problem(412, "precondition_failed");
        let made = late.header("if-match", etag(&shop, &item_path(&item))).send();
        assert!(made.header("idempotent-replayed").is_none(), "{made}");
        assert_eq!(made.item(200).on_hand, 16);

        let place = shop.order(json!({"item_id": item, "quantity": 1})).key(fresh("key"));
        let placed = place.clone().header("if-match", "*").send().order(201);
        assert_eq!(place.header("if-match", "*").send().order(201), placed);
    });
}

#[test]
fn the_orders_have_no_tag_that_an_order_could_be_placed_under() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let place = || shop.order(json!({"item_id": item, "quantity": 1}));
        leaves_alone(&shop, &[&item], || {
            for (name, value) in [("if-match", "\"x\""), ("if-none-match", "*")] {
                place().header(name, value).send().problem(412, "precondition_failed");
            }
        });
        for (name, value) in [("if-match", "*"), ("if-none-match", "\"x\"")] {
            place().header(name, value).send().order(201);
        }
    });
}

#[test]
fn a_condition_that_cannot_be_read_is_not_passed_over() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        leaves_alone(&shop, &[&item], || {
            for value in ["", "x", "\"x", "W/x", "\"a\"b"] {
                for request in [
                    shop.put_item(&item, json!({"unit_price": 1})),
                    shop.adjust(&item, 1),
                    shop.order(json!({"item_id": item, "quantity": 1})),
                    shop.pay(&order.order_id),
                    shop.cancel(&order.order_id),
                ] {
                    let problem = request.header("if-none-match", value).send().problem(422, "invalid_request");
                    assert_eq!(problem["errors"][0]["header"], "if-none-match", "{problem}");
                }
            }
        });
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn whatever_can_be_read_has_a_tag_and_keeps_to_conditions() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1).order_id;
        for (path, known) in crate::contract::routes(&order, &item) {
            if !known.contains(&"GET") {
                continue;
            }
            let get = || shop.get(&path).operator();
            assert!(get().send().expect(200).header("etag").is_some(), "{path}");
            get().header("if-none-match", "*").send().expect(304);
            get().header("if-match", "*").send().expect(200);
            get().header("if-match", "\"x\"").send().problem(412, "precondition_failed");
            shop.head(&path).operator().header("if-match", "\"x\"").send().expect(412);
            // What there is not, is not refused for what was expected of it.
            get().header("if-match", "\"x\"").header("if-none-match", "*").send().expect(412);
        }
        shop.get("/orders/none").header("if-match", "\"x\"").send().problem(404, "order_not_found");
        // OPTIONS selects nothing that could have a tag (13.2.1).
        shop.request(harness::Method::OPTIONS, "/orders").header("if-match", "\"x\"").send().expect(204);
    });
}

#[test]
fn dates_and_ranges_are_passed_over() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let (past, future) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 06 Nov 2099 08:49:37 GMT");
        for (name, value) in [
            ("if-modified-since", future),
            ("if-unmodified-since", past),
            ("range", "bytes=0-1"),
            ("if-range", past),
            ("if-range", "\"x\""),
        ] {
            assert_eq!(shop.get(item_path(&item)).header(name, value).send().item(200).on_hand, 10);
            shop.put_item(&item, json!({"unit_price": 1})).header(name, value).send().item(200);
        }
        // A condition that is known goes before one that is not (13.2.2).
        let tag = etag(&shop, &item_path(&item));
        let get = shop.get(item_path(&item)).header("if-none-match", &tag).header("if-modified-since", past);
        get.send().expect(304);
    });
}

#[test]
fn of_twenty_changes_of_the_same_thing_one_is_made() {
    with_shop(|shop| {
        for _ in 0..5 {
            let item = shop.new_item(100, 1000);
            let tag = etag(&shop, &item_path(&item));
            let (operator, id) = (shop.clone(), item.clone());
            let answers = at_once(20, move |n| {
                // The same price, too: only one of them is the first.
                let put = operator.put_item(&id, json!({"unit_price": 1 + n / 2}));
                put.header("if-match", &tag).send()
            });
            one_is_made(&answers, 200);

            let tag = etag(&shop, &item_path(&item));
            let (operator, id) = (shop.clone(), item.clone());
            let answers = at_once(20, move |n| {
                let adjust = operator.adjust(&id, if n % 2 == 0 { 1 } else { -1 });
                adjust.header("if-match", &tag).send()
            });
            one_is_made(&answers, 200);
            assert!([99, 101].contains(&shop.item(&item).on_hand));

            let new = fresh("item");
            let (operator, id) = (shop.clone(), new.clone());
            let answers = at_once(20, move |n| {
                let put = operator.put_item(&id, json!({"unit_price": 1, "on_hand": n}));
                put.header("if-none-match", "*").send()
            });
            one_is_made(&answers, 201);

            let order = shop.place(&item, 1).order_id;
            let tag = etag(&shop, &order_path(&order));
            let (payer, id) = (shop.clone(), order.clone());
            let answers = at_once(20, move |n| {
                let request = if n % 2 == 0 { payer.pay(&id) } else { payer.cancel(&id) };
                request.header("if-match", &tag).send()
            });
            one_is_made(&answers, 200);
        }
    });
}

fn one_is_made(answers: &[crate::envelope::Answer], status: u16) {
    let made = answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(made, 1, "{made} were made");
    for answer in answers.iter().filter(|answer| answer.status != status) {
        answer.problem(412, "precondition_failed");
    }
}
