//! The stock that a store is given on its first use. Each test has a store that was never used.

use serde_json::json;

use crate::client::{Shop, at_once};
use crate::server::with_own_server;
use crate::shapes::{Inventory, Item};

fn list(shop: &Shop) -> Vec<Item> {
    let answer = shop.get("/inventory").send();
    Inventory::parse(&answer.expect(200).body).unwrap_or_else(|error| panic!("{answer}\n{error}")).items
}

fn preset() -> Vec<Item> {
    [("item1", 100, 1000), ("item2", 50, 2000), ("item3", 75, 1500)]
        .map(|(id, stock, unit_price)| Item {
            item_id: id.to_owned(),
            on_hand: stock,
            reserved: 0,
            available: stock,
            unit_price,
            currency: "CNY".to_owned(),
            currency_digits: 2,
            max_per_order: None,
            name: None,
            image: None,
        })
        .into()
}

#[test]
fn a_fresh_store_has_the_preset_items_and_no_others() {
    with_own_server(&[], |server| {
        assert_eq!(list(&server.shop), preset());
    });
}

#[test]
fn each_kind_of_first_request_finds_the_preset_items() {
    let first: [(&str, u16); 5] = [("read", 200), ("order", 201), ("adjust", 200), ("price", 200), ("create", 409)];
    for (kind, status) in first {
        with_own_server(&[], |server| {
            let shop = &server.shop;
            let request = match kind {
                "read" => shop.get("/inventory/item1"),
                "order" => shop.order(json!({"item_id": "item1", "quantity": 1})),
                "adjust" => shop.adjust("item1", 1),
                "price" => shop.put_item("item1", json!({"unit_price": 5})),
                _ => shop.put_item("item1", json!({"unit_price": 5, "on_hand": 5})),
            };
            request.send().expect(status);
            let on_hand = if kind == "adjust" { 101 } else { 100 };
            assert_eq!(shop.item("item1").on_hand, on_hand, "{kind}");
            assert_eq!(list(shop).len(), 3, "{kind}");
        });
    }
}

#[test]
fn twenty_first_requests_at_once_give_the_preset_once() {
    for _ in 0..3 {
        with_own_server(&[], |server| {
            let shop = server.shop.clone();
            let answers = at_once(20, move |n| {
                let request = match n % 5 {
                    0 => shop.get("/inventory"),
                    1 => shop.get("/inventory/item1"),
                    2 => shop.order(json!({"item_id": "item2", "quantity": 1})),
                    3 => shop.adjust("item3", -1),
                    _ => shop.get("/ready"),
                };
                request.send()
            });
            for answer in &answers {
                assert!(answer.status < 300, "{answer}");
            }
            let mut expected = preset();
            expected[1].reserved = 4;
            expected[1].available = 46;
            expected[2].on_hand = 71;
            expected[2].available = 71;
            assert_eq!(list(&server.shop), expected);
        });
    }
}

#[test]
fn the_first_customers_of_all_cannot_oversell_the_preset() {
    with_own_server(&[], |server| {
        let shop = server.shop.clone();
        let answers = at_once(20, move |_| shop.order(json!({"item_id": "item1", "quantity": 10})).send());
        let (placed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(placed.len(), 10);
        for answer in refused {
            answer.problem(409, "insufficient_stock");
        }
        assert_eq!(server.shop.available("item1"), 0);
    });
}

#[test]
fn the_preset_is_given_once_and_never_again() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        shop.adjust("item1", -100).send().item(200);
        shop.put_item("item2", json!({"unit_price": 1})).send().item(200);
        shop.place_paid("item3", 75);
        let sold_out = list(shop).into_iter().map(|item| (item.available, item.unit_price)).collect::<Vec<_>>();
        assert_eq!(sold_out, [(0, 1000), (50, 1), (0, 1500)]);
        server.restart();
        for _ in 0..2 {
            let now = list(&server.shop).into_iter().map(|item| (item.available, item.unit_price));
            assert_eq!(now.collect::<Vec<_>>(), sold_out);
        }
        let one = json!({"item_id": "item3", "quantity": 1});
        server.shop.order(one).send().problem(409, "insufficient_stock");
    });
}
