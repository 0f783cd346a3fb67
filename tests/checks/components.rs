//! How large the components are, on disk and in memory.

use harness::{Request, at_once};
use serde_json::json;

use crate::platforms::{components, platforms};
use crate::shop::Shop;

/// On Redis, where each is some 10 kB larger than on the key-value store, and 70 kB larger than on WASI 0.2.
const MAX_FILE_BYTES: usize = 515_000;
/// Of those that ask the payment provider: its requests and answers, their repeats, its refunds, and a client of HTTP are
/// some 100 kB in each.
const MAX_FILE_BYTES_WITH_PROVIDER: usize = 620_000;
/// Of the one that places orders and lists them, and asks the payment provider for a customer who finds too little.
const MAX_FILE_BYTES_OF_ORDERS: usize = 665_000;
/// Of the component that has the pages in it.
const MAX_FILE_BYTES_OF_PAGES: usize = 900_000;
const MAX_MEMORY_BYTES: u64 = 4 << 20;

/// The number of requests that an instance serves before another takes its place.
const REQUESTS_OF_AN_INSTANCE: usize = 128;

#[test]
fn each_component_is_small() {
    for target in platforms().keys() {
        let components = components(target);
        assert_eq!(components.len(), 7);
        for (id, component) in components {
            let bytes = component.len();
            println!("{target}: {id}: {bytes} bytes");
            let most = match id.as_str() {
                "console" => MAX_FILE_BYTES_OF_PAGES,
                "orders" => MAX_FILE_BYTES_OF_ORDERS,
                "payments" | "after-sale" | "sweep" => MAX_FILE_BYTES_WITH_PROVIDER,
                _ => MAX_FILE_BYTES,
            };
            assert!(bytes <= most, "{target}: {id} has {bytes} bytes");
        }
    }
}

#[test]
fn an_instance_has_at_most_4_mib_of_memory_at_its_last_request() {
    let shop = Shop::open(&[]);
    // As large as a body may be.
    let spaces = " ".repeat(64 * 1024 - 200);
    let large = json!({ "item_id": "item1", "quantity": 1, "customer_id": spaces });
    for _ in 0..REQUESTS_OF_AN_INSTANCE {
        shop.get("/inventory");
        let (_, order) =
            shop.post("/orders", &json!({ "item_id": "item2", "quantity": 1 }), Some("a-key-that-is-long"));
        shop.post("/orders", &large, None);
        shop.post(
            &format!("/orders/{}/pay", order["order_id"].as_str().expect("an order has an id")),
            &json!({}),
            None,
        );
    }
    let mut components = shop.server.host.stats().components;
    // No request was for pages, reports or a sweep, nor came after the sale.
    for id in ["console", "reports", "after-sale", "sweep"] {
        assert!(components.remove(id).is_some_and(|component| component.requests == 0), "{id}");
    }
    assert_eq!(components.len(), 3);
    for (id, component) in components {
        println!("{id}: {} bytes after {} requests", component.largest_memory, component.requests);
        assert!(component.requests >= REQUESTS_OF_AN_INSTANCE as u64, "{id}: {component:?}");
        assert!((1..=MAX_MEMORY_BYTES).contains(&component.largest_memory), "{id}: {component:?}");
    }
}

#[test]
fn an_export_of_any_length_takes_no_more_memory_than_an_instance_has() {
    const ORDERS: usize = 6_000;
    let shop = Shop::open(&[]);
    for item in ["a", "b", "c", "d"] {
        let created = shop.server.client.send(&Request::create(item, 1, 1_000_000)).expect("the server answers");
        assert_eq!(created.status, 201, "{created:?}");
    }
    // As long as it can be, also in JSON.
    let customer = "\u{1F9A5}".repeat(128);
    at_once(16, |client| {
        for number in 0..ORDERS.div_ceil(16) {
            let item = ["a", "b", "c", "d"][(client + number) % 4];
            let order = json!({ "item_id": item, "quantity": 1, "customer_id": customer });
            let (status, placed) = shop.post("/orders", &order, None);
            assert_eq!(status, 201, "{placed}");
        }
    });
    for format in ["csv", "ndjson"] {
        let request = Request::get(format!("/orders?format={format}")).operator();
        let answer = shop.server.client.send(&request).expect("the answer is whole");
        let rows = answer.body.iter().filter(|byte| **byte == b'\n').count();
        assert!(rows >= ORDERS, "{rows} in {format}");
        println!("{} bytes of {format}", answer.body.len());
        assert!(format == "csv" || answer.body.len() as u64 > MAX_MEMORY_BYTES, "it would not fit");
    }
    let orders = &shop.server.host.stats().components["orders"];
    println!("{} bytes of memory", orders.largest_memory);
    assert!((1..=MAX_MEMORY_BYTES).contains(&orders.largest_memory), "{orders:?}");
}
