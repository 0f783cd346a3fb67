//! The Spin variables.

use std::time::Duration;

use serde_json::json;

use crate::server::with_own_server;
use crate::shapes::Inventory;

#[test]
fn an_order_can_be_paid_for_as_long_as_the_window_says() {
    for (variables, seconds) in [(&[][..], 900), (&[("payment_window_seconds", "86400")][..], 86_400)] {
        with_own_server(variables, |server| {
            let order = server.shop.place("item1", 1);
            assert_eq!(order.expires_at.since(order.placed_at), Some(Duration::from_secs(seconds)));
        });
    }
}

#[test]
fn every_price_is_in_the_currency_that_is_set() {
    with_own_server(&[("currency", "EUR")], |server| {
        let shop = &server.shop;
        let answer = shop.get("/inventory").send();
        let list = Inventory::parse(&answer.expect(200).body).unwrap_or_else(|error| panic!("{answer}\n{error}"));
        assert!(list.items.iter().all(|item| item.currency == "EUR"), "{answer}");
        let created = shop.put_item("pen", json!({"unit_price": 5, "on_hand": 5})).send().item(201);
        assert_eq!(created.currency, "EUR");
        let order = shop.place("pen", 1);
        assert_eq!(order.currency, "EUR");
        assert_eq!(shop.pay(&order.order_id).send().order(200).currency, "EUR");
    });
}

#[test]
fn a_price_says_how_many_decimal_places_its_currency_has() {
    for (currency, digits) in [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4)] {
        with_own_server(&[("currency", currency)], |server| {
            let shop = &server.shop;
            assert_eq!(shop.item("item1").currency_digits, digits);
            assert_eq!(shop.place("item1", 1).currency_digits, digits);
        });
    }
}

#[test]
fn the_limit_of_all_items_holds_for_each_that_has_none_of_its_own() {
    with_own_server(&[("max_per_order", "5")], |server| {
        let shop = &server.shop;
        let answer = shop.get("/inventory").send();
        let list = Inventory::parse(&answer.expect(200).body).unwrap_or_else(|error| panic!("{answer}\n{error}"));
        assert!(list.items.iter().all(|item| item.max_per_order == Some(5)), "{answer}");
        for (own, most) in [(json!(8), 8), (json!(2), 2), (json!(null), 5)] {
            let body = json!({"unit_price": 1000, "max_per_order": own});
            assert_eq!(shop.put_item("item1", body).send().item(200).max_per_order, Some(most));
            let order = |quantity: u64| shop.order(json!({"item_id": "item1", "quantity": quantity})).send();
            assert_eq!(order(most + 1).problem(422, "quantity_above_limit")["max_per_order"], most);
            shop.cancel(&order(most).order(201).order_id).send().order(200);
        }
    });
}

#[test]
fn a_shop_that_is_not_configured_says_so_and_sells_nothing() {
    for (name, value) in [
        ("payment_window_seconds", ""),
        ("payment_window_seconds", "0"),
        ("payment_window_seconds", "-1"),
        ("payment_window_seconds", "a while"),
        ("payment_window_seconds", "99999999999999999999"),
        ("max_per_order", "0"),
        ("max_per_order", "a few"),
        ("max_per_order", "1000001"),
        ("currency", ""),
        ("currency", "yuan"),
        ("currency", "cny"),
        ("currency", "ABC"),
        ("currency", "XAU"),
        ("log", "everything"),
        ("operator_token", "two\nlines"),
        ("allowed_origins", "*"),
        ("allowed_origins", "shop.example"),
        ("allowed_origins", "https://shop.example/"),
        ("allowed_origins", "https://shop.example, null"),
    ] {
        with_own_server(&[(name, value)], |server| {
            let shop = &server.shop;
            // The process is well; the shop is not.
            shop.get("/health").send().expect(200);
            let order = json!({"item_id": "item1", "quantity": 1});
            for request in [shop.order(order), shop.get("/inventory/item1"), shop.get("/ready"), shop.pay("none")] {
                request.send().problem(503, "misconfigured");
            }
            shop.get("/none").send().problem(404, "not_found");
        });
    }
}

/// A secret that comes out of a file ends with a line break.
#[test]
fn white_space_around_a_variable_does_not_count() {
    let variables = [
        ("operator_token", " please-let-me-in\n"),
        ("payment_window_seconds", "60\r\n"),
        ("currency", "\nEUR \n"),
        ("log", "problems\n"),
        ("allowed_origins", "\n"),
    ];
    with_own_server(&variables, |server| {
        let shop = &server.shop;
        for (token, status) in [("please-let-me-in", 200), (" please-let-me-in ", 200), ("please-let-me", 401)] {
            let put = shop.put("/inventory/item1").json(json!({"unit_price": 1000}));
            put.header("authorization", format!("Bearer {token}")).send().expect(status);
        }
        let order = shop.place("item1", 1);
        assert_eq!(order.expires_at.since(order.placed_at), Some(Duration::from_secs(60)));
        assert_eq!(order.currency, "EUR");
    });
}

#[test]
fn a_token_that_is_too_short_is_the_operators_in_no_request_and_the_shop_goes_on() {
    for token in ["x", "fifteen-letters"] {
        with_own_server(&[("operator_token", token)], |server| {
            let shop = &server.shop;
            for request in [
                shop.put_item("item1", json!({"unit_price": 1})),
                shop.adjust("item1", 1),
                shop.get("/books").operator(),
                shop.get("/orders"),
                shop.get("/metrics").header("authorization", "Bearer another"),
            ] {
                let answer = request.send();
                answer.problem(503, "misconfigured");
                assert!(
                    !answer.to_string().split("->").nth(1).is_some_and(|answer| answer.contains("fifteen-letters")),
                    "{answer}"
                );
            }
            assert_eq!(shop.item("item1").on_hand, 100);
            let order = shop.place("item1", 1);
            shop.pay(&order.order_id).send().order(200);
        });
    }
    with_own_server(&[("operator_token", "sixteen-letters!")], |server| {
        server.shop.adjust("item1", 1).send().item(200);
    });
}

#[test]
fn nothing_says_the_operators_token() {
    with_own_server(&[("operator_token", "a-very-secret-token")], |server| {
        let shop = &server.shop;
        for request in [
            shop.put("/inventory/item1").header("authorization", "Bearer wrong").json(json!({"unit_price": 1})),
            shop.put_item("item1", json!({"unit_price": "x"})),
            shop.get("/health").operator(),
            shop.get("/ready").operator(),
            shop.get("/none").operator(),
        ] {
            let answer = request.send();
            assert!(!answer.to_string().contains("very-secret"), "{answer}");
        }
    });
}
