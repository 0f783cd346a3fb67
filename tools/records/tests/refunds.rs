//! What operators have given back, compared by the program as a user has it: a shop that is served, its store, and a
//! stand-in for Stripe.

use std::fs;
use std::process::Command;

use harness::{Client, Request, TOKEN, Target};
use money::Till;
use serde_json::{Value, json};
use stripe_stand_in::{Refunded, SECRET_KEY};

/// What the program says about a shop, which is the same whether it is served or read from its store.
#[track_caller]
fn said(till: &Till, code: i32) -> Vec<String> {
    let store = format!("key-value:{}", till.store.folder().join("sqlite_key_value.db").display());
    let shop = till.client().url();
    let [served, stored] = [["--shop", &shop], ["--store", &store]].map(|side| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_records"));
        command.args(["reconcile", "--wait", "0", "--api", &till.provider.url()]).args(side);
        let output = command.env("OPERATOR_TOKEN", TOKEN).env("STRIPE_SECRET_KEY", SECRET_KEY).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{side:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(served, stored);
    served
}

#[track_caller]
fn agrees(till: &Till) {
    let orders = till.provider.charges().len();
    assert_eq!(said(till, 0), [format!("{orders} orders, {orders} charges, 0 differences")]);
}

/// The program names these differences of an order, in this order, and no others.
#[track_caller]
fn differs(till: &Till, order: &str, differences: &[&str]) {
    let said = said(till, 2);
    assert_eq!(said.len(), differences.len() + 1, "{said:#?}");
    for (line, difference) in said.iter().zip(differences) {
        assert!(line.starts_with(&format!("order {order}: {difference}")), "{said:#?}");
    }
}

/// A paid order of 2000.
fn paid(till: &Till) -> String {
    let (order, session) = till.at_provider();
    till.provider.pay(&session).unwrap();
    till.must(&Request::pay(&order), 200, "");
    order
}

/// The operator gives some of it back: with how far that has come.
#[track_caller]
fn give_back(till: &Till, order: &str, key: &str, body: Value) -> String {
    let refund = Request::post(format!("/orders/{order}/refunds")).operator().key(key).json(body);
    till.must(&refund, 201, "").value()["status"].as_str().unwrap().to_owned()
}

/// Changes the refunds on the record of an order by hand, looks, and changes them back.
#[track_caller]
fn with_other_refunds(till: &Till, order: &str, change: impl FnOnce(&mut Value), look: impl FnOnce()) {
    let key = format!("payment:{order}");
    let record = till.store.value(&key).unwrap();
    let mut state: Value = serde_json::from_slice(&record).unwrap();
    change(&mut state["refunds"]);
    till.store.replace(&key, state.to_string().as_bytes());
    look();
    till.store.replace(&key, &record);
}

/// The latest refund at the provider.
fn latest(till: &Till) -> Refunded {
    till.provider.refunds().pop().unwrap()
}

#[test]
fn refunds_that_have_come_to_their_end_do_not_differ() {
    let till = Till::open(Target::Local);
    let [some, all, failed, waits, fulfilled] = [(); 5].map(|()| paid(&till));
    assert_eq!(give_back(&till, &some, "a", json!({ "amount": 700 })), "succeeded");
    assert_eq!(give_back(&till, &some, "b", json!({ "amount": 300, "reason": "too small" })), "succeeded");
    assert_eq!(give_back(&till, &all, "a", json!({ "restock": true })), "succeeded");
    assert_eq!(till.status(&all), "refunded");
    till.must(&Request::put(format!("/orders/{fulfilled}/fulfilment")).operator().json(json!({})), 200, "");
    assert_eq!(give_back(&till, &fulfilled, "a", json!({ "amount": 1 })), "succeeded");
    till.set_faults(&["refund-fails"]);
    assert_eq!(give_back(&till, &failed, "a", json!({ "amount": 2000 })), "failed");
    till.set_faults(&[]);
    assert_eq!(give_back(&till, &failed, "b", json!({ "amount": 1500 })), "succeeded");
    agrees(&till);

    // No message tells how it ends: the operator sweeps.
    till.set_faults(&["refund-pending", "never"]);
    assert_eq!(give_back(&till, &waits, "a", json!({ "amount": 500 })), "pending");
    differs(&till, &waits, &["the refund is unfinished"]);
    till.provider.settle_refund(&latest(&till).id, true).unwrap();
    differs(&till, &waits, &["refunded at the provider, and not on record"]);
    till.sweep();
    agrees(&till);
    assert_eq!(give_back(&till, &waits, "b", json!({ "amount": 500 })), "pending");
    till.provider.settle_refund(&latest(&till).id, false).unwrap();
    differs(&till, &waits, &["the refund is unfinished"]);
    till.sweep();
    agrees(&till);

    // One that had succeeded fails after all, and no message says so.
    assert_eq!(give_back(&till, &waits, "c", json!({ "amount": 400 })), "pending");
    let third = latest(&till).id;
    till.provider.settle_refund(&third, true).unwrap();
    till.sweep();
    till.provider.settle_refund(&third, false).unwrap();
    differs(&till, &waits, &["refunded on record, and not at the provider"]);
    till.must(&till.event("refund.failed", &third), 200, "");
    agrees(&till);
}

#[test]
fn each_refund_on_record_that_is_broken_by_hand_is_found() {
    let till = Till::open(Target::Local);
    let order = paid(&till);
    assert_eq!(give_back(&till, &order, "a", json!({ "amount": 700 })), "succeeded");
    assert_eq!(give_back(&till, &order, "b", json!({ "amount": 300 })), "succeeded");
    agrees(&till);
    let (missing, unknown) = ("refunded on record, and not at the provider", "paid, and the money has gone back");
    let not_recorded = "refunded at the provider, and not on record";
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 6] = [
        (|refunds| _ = refunds.as_array_mut().unwrap().remove(0), &[unknown]),
        (|refunds| *refunds = json!([]), &[unknown]),
        (|refunds| refunds[0]["amount"] = 701.into(), &[missing, unknown]),
        (|refunds| refunds[0]["id"] = "refund-00000000000000000000000000000000".into(), &[missing, unknown]),
        (|refunds| refunds[0]["state"] = "pending".into(), &[not_recorded]),
        (|refunds| (refunds[1]["state"], refunds[1]["failed_at"]) = ("failed".into(), 1.into()), &[not_recorded]),
    ];
    for (change, expected) in cases {
        with_other_refunds(&till, &order, change, || differs(&till, &order, expected));
    }
    agrees(&till);
}

#[test]
fn a_refund_at_the_provider_that_the_shop_does_not_know_is_found() {
    let till = Till::open(Target::Local);
    let order = paid(&till);
    let other = paid(&till);
    assert_eq!(give_back(&till, &order, "a", json!({ "amount": 700 })), "succeeded");
    let intent =
        till.provider.charges().into_iter().find(|charge| charge.order.as_deref() == Some(&order)).unwrap().intent;
    let form = format!("payment_intent={intent}&amount=500");
    let by_hand = Request::post("/v1/refunds").header("authorization", format!("Bearer {SECRET_KEY}"));
    let by_hand = by_hand.body("application/x-www-form-urlencoded", form);
    let made = Client::new(&till.provider.url(), None).unwrap().send(&by_hand).unwrap();
    assert_eq!(made.status, 200, "{made:?}");
    differs(&till, &order, &["paid, and the money has gone back"]);
    let line = said(&till, 2).remove(0);
    assert!(line.contains("refund-") && line.contains("of 700 has succeeded"), "{line}");
    assert!(line.contains("took 2000 CNY, 1200 went back"), "{line}");
    // What stays of it is less than the shop can give back.
    assert_eq!(give_back(&till, &order, "b", json!({ "amount": 1300 })), "failed");
    differs(&till, &order, &["paid, and the money has gone back"]);

    // The difference of one order is none of another.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), TOKEN).unwrap();
    assert_eq!(give_back(&till, &other, "a", json!({ "amount": 700 })), "succeeded");
    let mut as_json = Command::new(env!("CARGO_BIN_EXE_records"));
    as_json.args(["reconcile", "--wait", "0", "--json", "--api", &till.provider.url(), "--shop", &till.client().url()]);
    as_json.arg("--token").arg(folder.path().join("token"));
    let output = as_json.env_remove("OPERATOR_TOKEN").env("STRIPE_SECRET_KEY", SECRET_KEY).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(2), 2), "{lines:?}");
    let expected = [&json!(order), &json!("paid_and_given_back"), &json!(intent)];
    assert_eq!(["order_id", "kind", "charge_id"].map(|name| &lines[0][name]), expected);
    assert_eq!(lines[1], json!({ "orders": 2, "charges": 2, "differences": 1 }));
}
