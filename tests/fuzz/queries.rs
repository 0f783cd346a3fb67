//! Queries of the list of orders: each parameter right, wrong, unknown or doubled, in any combination.

use std::collections::BTreeMap;

use http::Method;
use memory_shop::{World, request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::property::check;

/// Names with values that mean something, and others that do not.
const PARAMETERS: [(&str, &[&str], &[&str]); 10] = [
    ("limit", &["1", "2", "100"], &["0", "101", "", "1.0", "+1", "٣", "18446744073709551617"]),
    ("status", &["paid", "cancelled", "pending", "expired", "placing"], &["", "Paid", "lost", "paid,pending"]),
    ("customer_id", &["anna", "B%20%26%20co", "nobody", "%0a", "%C3%A9"], &["", "%ff", LONG]),
    ("item_id", &["item1", "item2", "%69tem3", "none"], &["", ".", "..", "item%201", "%00", "a%2Fb", LONG]),
    ("placed_on", DAYS, BAD_DAYS),
    ("placed_from", DAYS, BAD_DAYS),
    ("placed_until", DAYS, BAD_DAYS),
    ("order", &["newest", "oldest"], &["", "Oldest", "asc"]),
    ("format", &["json"], &["", "xml", "JSON"]),
    ("cursor", &[], &["", "made-up", "0-0-0", "0-0-0-0", "00000000000000000000000000000000-1-0", "-", "%00", LONG]),
];

const DAYS: &[&str] = &["2023-11-14", "2023-11-15", "2023-11-16", "1970-01-01", "9999-12-31", "2024-02-29"];

const BAD_DAYS: &[&str] = &[
    "",
    "2023-02-29",
    "2023-11-31",
    "2023-11-00",
    "2023-1-1",
    "1969-12-31",
    "10000-01-01",
    "2023-11-14T00:00:00Z",
    "20231114",
    "2023-11-14%00",
    "%EF%BC%92023-11-14",
    LONG,
];

/// Longer than any value may be.
const LONG: &str = concat!(
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
);

/// A parameter, whether its value is right, and whether there is such a parameter.
fn parameter() -> impl Strategy<Value = (String, String, bool)> {
    let known = select(&PARAMETERS[..]).prop_flat_map(|(name, right, wrong)| {
        let all: Vec<_> = [(right, true), (right, true), (right, true), (wrong, false)]
            .into_iter()
            .flat_map(|(values, is_right)| values.iter().map(move |value| (*value, is_right)))
            .collect();
        select(all).prop_map(move |(value, is_right)| (name.to_owned(), value.to_owned(), is_right))
    });
    let unknown = select(&["page", "Status", "sort", "placed", "%00", "customer"][..])
        .prop_map(|name| (name.to_owned(), "1".to_owned(), false));
    prop_oneof![20 => known, 1 => unknown]
}

/// A shop with orders of three days: the day of each, and how it is told.
fn shop() -> (World, Vec<(&'static str, Value)>) {
    let world = World::preset();
    let mut orders = Vec::new();
    // From 2023-11-14, 22:13 on.
    for (day, customer, items) in [
        ("2023-11-14", Some("anna"), &["item1"][..]),
        ("2023-11-15", Some("B & co"), &["item1", "item2"]),
        ("2023-11-15", None, &["item2"]),
        ("2023-11-16", Some("anna"), &["item3"]),
    ] {
        let lines: Vec<_> = items.iter().map(|item| json!({ "item_id": item, "quantity": 1 })).collect();
        let order = world.post("/orders", json!({ "items": lines, "customer_id": customer }).to_string()).body;
        let path = format!("/orders/{}", order["order_id"].as_str().expect("an id"));
        match orders.len() {
            0 => _ = world.post(&format!("{path}/pay"), ""),
            1 => _ = world.post(&format!("{path}/cancel"), ""),
            _ => {}
        }
        orders.push((day, path));
        world.wait(12 * 3600);
    }
    let told = orders.into_iter().map(|(day, path)| (day, world.get(&path).body)).collect();
    (world, told)
}

/// The text that a value means.
fn meant(value: &str) -> String {
    value.replace("%20", " ").replace("%26", "&").replace("%69", "i").replace("%0a", "\n").replace("%C3%A9", "é")
}

#[test]
fn a_query_is_refused_by_the_name_of_what_is_wrong_or_answered_with_what_each_parameter_leaves() {
    check(5_000, vec(parameter(), 0..5), |parameters| {
        let (world, orders) = shop();
        let query: Vec<_> = parameters.iter().map(|(name, value, _)| format!("{name}={value}")).collect();
        let answer = world.send(request(Method::GET, &format!("/orders?{}", query.join("&")), &[]));

        let mut wrong: Vec<&str> =
            parameters.iter().filter(|(.., is_right)| !is_right).map(|(name, ..)| name.as_str()).collect();
        let mut given = BTreeMap::new();
        for (name, value, _) in &parameters {
            if given.insert(name.as_str(), meant(value)).is_some() {
                wrong.push(name);
            }
        }
        let is_range = given.contains_key("placed_from") || given.contains_key("placed_until");
        if given.contains_key("placed_on") && is_range {
            wrong.push("placed_on");
        } else if let (Some(from), Some(until)) = (given.get("placed_from"), given.get("placed_until"))
            && from > until
        {
            wrong.push("placed_until");
        }
        if !wrong.is_empty() {
            assert_eq!(answer.outcome(), (422, "invalid_request"), "{answer:?}");
            for error in answer.body["errors"].as_array().expect("errors") {
                assert!(wrong.contains(&error["parameter"].as_str().expect("a parameter")), "{wrong:?} {answer:?}");
            }
            return;
        }
        let is_wanted = |(day, order): &&(&str, Value)| {
            given.iter().all(|(name, value)| match *name {
                "status" => order["status"] == value.as_str(),
                "customer_id" => order["customer_id"] == value.as_str(),
                "item_id" => {
                    let lines = order["items"].as_array().expect("lines");
                    lines.iter().any(|line| line["item_id"] == value.as_str())
                }
                "placed_on" => *day == value.as_str(),
                "placed_from" => *day >= value.as_str(),
                "placed_until" => *day <= value.as_str(),
                _ => true,
            })
        };
        let mut wanted: Vec<_> = orders.iter().filter(is_wanted).map(|(_, order)| order.clone()).collect();
        if given.get("order").is_none_or(|order| order == "newest") {
            wanted.reverse();
        }
        if let Some(limit) = given.get("limit") {
            wanted.truncate(limit.parse().expect("a number"));
        }
        assert_eq!((answer.status, &answer.body["orders"]), (200, &Value::from(wanted)), "{given:?}");
    });
}

#[test]
fn a_query_of_any_text_is_answered_or_refused() {
    let text = prop_oneof![any::<String>(), "[a-z_=&%0-9-]{0,40}", "(cursor|placed_on|item_id)=[0-9a-f%-]{0,60}"];
    check(5_000, text, |text| {
        let Ok(target) = format!("/orders?{text}").parse::<http::Uri>() else { return };
        let answer = World::preset().get(&target.to_string());
        assert!([200, 422].contains(&answer.status), "{answer:?}");
    });
}
