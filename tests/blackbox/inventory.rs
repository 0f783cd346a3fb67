//! Reading stock.

use serde_json::json;

use crate::client::fresh;
use crate::server::with_shop;
use crate::shapes::{Inventory, Item};

#[test]
fn an_item_says_what_there_is_and_what_is_promised() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1234);
        let fresh = shop.item(&item);
        assert_eq!((fresh.on_hand, fresh.reserved, fresh.available, fresh.unit_price), (10, 0, 10, 1234));
        assert_eq!(fresh.item_id, item);

        let order = shop.place(&item, 3);
        assert_eq!(shop.item(&item), Item { reserved: 3, available: 7, ..fresh.clone() });
        shop.cancel(&order.order_id).send().order(200);
        assert_eq!(shop.item(&item), fresh);
    });
}

#[test]
fn paid_stock_leaves_the_shelf_and_nothing_is_held_for_ever() {
    with_shop(|shop| {
        let item = shop.new_item(60, 10);
        for _ in 0..12 {
            shop.place_paid(&item, 2);
        }
        for _ in 0..6 {
            shop.place_cancelled(&item, 2);
        }
        assert_eq!(shop.available(&item), 36);
        // Ordinary requests settle what is paid: each adjustment takes a few holds along.
        let mut requests = 0;
        while shop.item(&item).reserved > 0 {
            requests += 1;
            assert!(requests <= 50, "{:?} after {requests} more requests", shop.item(&item));
            shop.adjust(&item, 1).send().item(200);
            shop.adjust(&item, -1).send().item(200);
        }
        let settled = shop.item(&item);
        assert_eq!((settled.on_hand, settled.reserved, settled.available), (36, 0, 36));
    });
}

#[test]
fn the_list_has_every_item_once_in_order() {
    with_shop(|shop| {
        let prefix = fresh("list");
        // Characters whose order differs between bytes, locales and URL encodings.
        let mut made: Vec<_> =
            ["a", "B", "Z", "_", "-", ".", "0", "9", "10", "aa"].iter().map(|end| format!("{prefix}{end}")).collect();
        for (item, stock) in made.iter().zip(1..) {
            shop.put_item(item, json!({"unit_price": 5, "on_hand": stock})).send().item(201);
        }
        shop.place(&made[3], 1);
        let list = shop.get("/inventory").send();
        let list = Inventory::parse(&list.expect(200).body).unwrap_or_else(|error| panic!("{list}\n{error}"));
        let listed: Vec<_> = list.items.into_iter().filter(|item| item.item_id.starts_with(&prefix)).collect();
        made.sort();
        assert_eq!(listed.iter().map(|item| &item.item_id).collect::<Vec<_>>(), made.iter().collect::<Vec<_>>());
        for item in listed {
            assert_eq!(shop.item(&item.item_id), item);
        }
    });
}

#[test]
fn the_preset_items_are_there() {
    with_shop(|shop| {
        let list = shop.get("/inventory").send();
        let list = Inventory::parse(&list.expect(200).body).unwrap_or_else(|error| panic!("{list}\n{error}"));
        for preset in ["item1", "item2", "item3"] {
            assert_eq!(shop.item(preset).item_id, preset);
            assert!(list.items.iter().any(|item| item.item_id == preset), "{preset} is not listed");
        }
    });
}

#[test]
fn what_is_no_item_is_not_found() {
    with_shop(|shop| {
        let item = shop.new_item(5, 1000);
        let wrong = [
            fresh("unknown"),
            "x".repeat(65),
            "x".repeat(3000),
            format!("inventory:{item}"),
            format!("{item}~"),
            "%00".to_owned(),
            "..%2Forders".to_owned(),
            "a%20b".to_owned(),
            "%E4%BB%B6".to_owned(),
            "%ff%fe".to_owned(),
            // What is decoded once is not decoded again.
            format!("%25{:02X}{}", item.as_bytes()[0], &item[1..]),
        ];
        for id in &wrong {
            shop.get(format!("/inventory/{id}")).send().problem(404, "item_not_found");
            shop.adjust(id, 1).send().problem(404, "item_not_found");
        }
        assert_eq!(shop.available(&item), 5);
    });
}
