//! What an orchestrator asks.

use serde_json::json;

use crate::server::with_shop;

#[test]
fn the_process_answers() {
    with_shop(|shop| {
        let answer = shop.get("/health").send();
        assert_eq!(answer.expect(200).value(), json!({"status": "ok"}));
    });
}

#[test]
fn the_store_is_ready_and_asking_leaves_nothing_behind() {
    with_shop(|shop| {
        for _ in 0..5 {
            let answer = shop.get("/ready").send();
            assert!(answer.expect(200).value().is_object(), "{answer}");
        }
        // The scratch keys it is tried on are no items.
        let list = shop.get("/inventory").send();
        assert!(!String::from_utf8_lossy(&list.body).contains("scratch"), "{list}");
    });
}
