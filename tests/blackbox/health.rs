//! What an orchestrator asks.

use serde_json::json;

use crate::client::at_once;
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

#[test]
fn many_that_ask_at_once_whether_the_store_is_ready_are_all_told_so() {
    with_shop(|shop| {
        at_once(16, |_| {
            for _ in 0..5 {
                assert_eq!(shop.get("/ready").send().expect(200).value(), json!({"status": "ready"}));
            }
        });
    });
}
