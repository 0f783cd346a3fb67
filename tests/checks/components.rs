//! How large the components are, on disk and in memory.

use std::fs;

use serde_json::json;

use crate::root;
use crate::shop::Shop;

const MOST_FILE_BYTES: u64 = 470_000;
const MOST_MEMORY_BYTES: u64 = 4 << 20;

/// An instance serves so many requests, and then another takes its place.
const REQUESTS_OF_AN_INSTANCE: usize = 128;

#[test]
fn each_component_has_at_most_470_kb() {
    let _shop = Shop::open(&[]);
    let manifest = fs::read_to_string(root().join("spin.toml")).expect("spin.toml can be read");
    let manifest: toml::Table = manifest.parse().expect("spin.toml is TOML");
    let components = manifest["component"].as_table().expect("there are components");
    assert_eq!(components.len(), 3);
    for (id, component) in components {
        let source = component["source"].as_str().expect("a component has a file");
        let bytes = fs::metadata(root().join(source)).expect("it was built").len();
        println!("{id}: {bytes} bytes");
        assert!(bytes <= MOST_FILE_BYTES, "{id} has {bytes} bytes");
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
        let (_, order) = shop.post("/orders", &json!({ "item_id": "item2", "quantity": 1 }), Some("k"));
        shop.post("/orders", &large, None);
        shop.post(
            &format!("/orders/{}/pay", order["order_id"].as_str().expect("an order has an id")),
            &json!({}),
            None,
        );
    }
    let components = shop.server.stats().components;
    assert_eq!(components.len(), 3);
    for (id, component) in components {
        println!("{id}: {} bytes after {} requests", component.largest_memory, component.requests);
        assert!(component.requests >= REQUESTS_OF_AN_INSTANCE as u64, "{id}: {component:?}");
        assert!((1..=MOST_MEMORY_BYTES).contains(&component.largest_memory), "{id}: {component:?}");
    }
}
