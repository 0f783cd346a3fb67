//! What the watchers let pass, and what not.

use std::time::{Duration, Instant};

use harness::observed::Status;
use records::{Adjustment, Books, Bytes, Hold, Item};
use serde_json::{Value, json};
use soak::audit::{contradictions, imbalances};
use soak::told::{Order, Told};
use soak::watch::{Bound, Holds};
use uuid::Uuid;

const ITEM: &str = "hot-0";
const ORDER: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn item() -> Item {
    let hold = Hold { quantity: 2, expires_at: 0, key: None };
    let adjustment = Adjustment { key: Bytes([7; 16]), request: Bytes([8; 8]) };
    Item {
        on_hand: 10_000_001,
        unit_price: 1,
        holds: [(ORDER, hold)].into(),
        adjustments: vec![adjustment],
        ..Item::default()
    }
}

/// The record of an adjustment by one.
fn adjustment() -> Value {
    json!({ "at": 0, "delta": 1, "reason": "" })
}

/// A store in order: an item with one adjustment by one, and one order of two, which is paid and still held.
fn shop() -> Vec<(String, Vec<u8>)> {
    let json = |value: Value| value.to_string().into_bytes();
    vec![
        ("catalog~".to_owned(), 5_u64.to_le_bytes().to_vec()),
        ("catalog~0000000000000005".to_owned(), json(json!({ "items": [ITEM] }))),
        ("ledger".to_owned(), json(json!({ "id": "", "next": 1, "by": "" }))),
        (format!("inventory:{ITEM}"), item().encode()),
        (format!("order:{ORDER}"), json(json!({ "lines": [{ "item_id": ITEM, "quantity": 2 }] }))),
        (format!("payment:{ORDER}"), json(json!({ "state": "paid" }))),
        ("placed:0000000000000000".to_owned(), json(json!([ORDER]))),
        (format!("adjustment:{}", Bytes([7; 16])), json(adjustment())),
    ]
}

fn told(status: Status) -> Told {
    let order = Order { id: ORDER, lines: [(0, 2)].into(), status, unsure: false, expires: Instant::now() };
    Told { orders: vec![order], adjusted: [(0, 1)].into(), ..Told::default() }
}

fn read(records: Vec<(String, Vec<u8>)>) -> Books {
    Books::of_store(records).expect("records can be read")
}

/// What is wrong with a store, in which these records are changed, put in or, where that is none, left out.
fn faults(changes: &[(&str, Option<Value>)]) -> String {
    let mut records = shop();
    for (key, value) in changes {
        records.retain(|(other, _)| other != key);
        records.extend(value.as_ref().map(|value| ((*key).to_owned(), value.to_string().into_bytes())));
    }
    let (books, told, items) = (read(records), told(Status::Paid), [ITEM.to_owned()]);
    let (contradictions, imbalances) = (contradictions(&books, &told, &items), imbalances(&books, &told, &items));
    format!("{}{contradictions}{imbalances}", books.unnamed())
}

#[test]
fn a_store_in_order_has_no_faults() {
    assert_eq!(faults(&[]), "");
}

#[test]
fn an_adjustment_is_named_by_its_key_and_also_by_its_key_and_what_was_asked_for() {
    let [by_key, by_both] = [format!("adjustment:{}", Bytes([7; 16])), "adjustment:".to_owned() + BY_BOTH];
    assert_eq!(faults(&[(&by_key, None), (&by_both, Some(adjustment()))]), "");
    assert_eq!(faults(&[(&by_both, Some(adjustment()))]), "");
}

/// The first 16 bytes of SHA-256 over both digests as text, each with a zero byte behind it.
const BY_BOTH: &str = "ad7e862f7641c798acb2761fa0df4a64";

#[test]
fn what_no_other_record_names_is_noticed() {
    let other = |kind: &str| format!("{kind}:{OTHER}");
    let lines = json!({ "lines": [{ "item_id": ITEM, "quantity": 3 }] });
    for (key, value, fault) in [
        (other("order"), Some(lines.clone()), "orders without a payment: 1"),
        (other("order"), Some(lines.clone()), "orders that are not listed: 1"),
        (other("payment"), Some(json!({ "state": "unpaid" })), "payments without an order: 1"),
        ("placed:0000000000000001".to_owned(), Some(json!([ORDER])), "orders that are listed twice: 1"),
        ("placed:0000000000000001".to_owned(), Some(json!([])), "lists of orders that the ledger does not know: 1"),
        (format!("order:{ORDER}"), Some(lines), "holds of what no order asks for: 1"),
        (format!("order:{ORDER}"), None, "acknowledged orders that are not there: 1"),
        (format!("payment:{ORDER}"), Some(json!({ "state": "unpaid" })), "orders that are not what was told: 1"),
        ("idempotency:00".to_owned(), Some(json!(OTHER)), "mapped keys without an order: 1"),
        ("adjustment:00".to_owned(), Some(adjustment()), "adjustments that no item remembers: 1"),
        ("probe:00".to_owned(), Some(json!("")), "records of no known kind, or that no claim cell names: 1"),
        ("catalog~07".to_owned(), Some(json!("")), "records of no known kind, or that no claim cell names: 1"),
        (format!("inventory:{ITEM}"), None, "listed items that are not there: 1"),
    ] {
        let faults = faults(&[(&key, value)]);
        assert!(faults.contains(fault), "{key}: {fault}: {faults}");
    }
}

#[test]
fn when_the_store_was_last_tried_is_no_record_of_an_unknown_kind() {
    let faults = faults(&[("probe:last", Some(json!({ "at": 1, "passed": true })))]);
    assert!(!faults.contains("no known kind"), "{faults}");
}

#[test]
fn a_cell_without_its_record_is_noticed() {
    let mut records = shop();
    records.push(("inventory:hot-1~".to_owned(), 7_u64.to_le_bytes().to_vec()));
    assert!(read(records).unnamed().to_string().contains("claim cells without a record: 1"));
}

#[test]
fn an_order_that_is_paid_though_its_client_was_told_something_else_is_noticed() {
    for status in [Status::Pending, Status::Cancelled, Status::Expired] {
        let faults = contradictions(&read(shop()), &told(status), &[ITEM.to_owned()]);
        assert_eq!(faults.of("orders that are not what was told"), 1);
    }
    let nothing = Told { adjusted: [(0, 1)].into(), ..Told::default() };
    assert_eq!(contradictions(&read(shop()), &nothing, &[]).of("paid orders that no client was told of"), 1);
}

#[test]
fn books_that_are_not_what_was_acknowledged_are_noticed() {
    let items = [ITEM.to_owned()];
    let mut more = told(Status::Paid);
    more.adjusted.insert(0, 2);
    assert!(!imbalances(&read(shop()), &more, &items).is_empty());
    assert!(!imbalances(&read(shop()), &told(Status::Pending), &items).is_empty());
    let mut lost = shop();
    lost.retain(|(key, _)| !key.starts_with("inventory:"));
    let item = Item { on_hand: 10_000_000, received: Some(10_000_001), sold: Some(0), ..item() };
    lost.push((format!("inventory:{ITEM}"), item.encode()));
    assert_eq!(imbalances(&read(lost), &told(Status::Paid), &items).of("items whose books do not add up"), 1);
}

#[test]
fn an_order_that_changes_its_fate_is_noticed() {
    let order = |status| Order { status, ..told(status).orders.remove(0) };
    assert!(order(Status::Pending).told("expired").is_ok());
    assert!(order(Status::Pending).told("rejected").is_err());
    assert!(order(Status::Pending).told("paid").is_err(), "only this client can pay it");
    assert!(order(Status::Paid).told("cancelled").is_err());
    assert!(order(Status::Expired).decided(Status::Paid).is_err());
    assert!(order(Status::Cancelled).decided(Status::Cancelled).is_ok());
    let later = Instant::now() + Duration::from_secs(60);
    assert!(Order { expires: later, ..order(Status::Pending) }.told("expired").is_err());
}

#[test]
fn too_many_holds_are_a_fault_once_they_have_lasted_for_a_second_and_many_changes() {
    let begun = Instant::now();
    let second = |number: u64| begun + Duration::from_secs(number);
    let holds = |version, all| Holds { version, all, pending: 2 };
    let broken = |samples: &[(u64, u64, usize)]| {
        let mut bound = Bound::default();
        samples.iter().for_each(|(time, version, all)| bound.sample(second(*time), holds(*version, *all)));
        bound.broken.is_some()
    };
    assert!(broken(&[(0, 0, 21), (1, 500, 21)]));
    assert!(!broken(&[(0, 0, 20), (1, 500, 20)]), "that many may be there");
    assert!(!broken(&[(0, 0, 90), (1, 500, 20), (2, 1000, 90)]), "they were gone in between");
    assert!(!broken(&[(0, 0, 90), (9, 9, 90)]), "the item was hardly changed, so they could not leave");
    assert!(!broken(&[(0, 0, 90), (0, 500, 90)]), "that was in no time");
}
