//! Paths: what they name, and that the component which a path leads to is the one that serves it.

use api::{Route, Verb};
use http::{Method, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::property::check;
use memory_shop::{World, component, request};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];

const WORDS: [&str; 25] = [
    "orders",
    "inventory",
    "pay",
    "cancel",
    "adjustments",
    "history",
    "abandon",
    "refunds",
    "retry",
    "returns",
    "fulfilment",
    "books",
    "metrics",
    "sweep",
    "health",
    "ready",
    "console",
    "docs",
    "item1",
    "payments",
    "stripe",
    "events",
    "Orders",
    "..",
    ".",
];

/// Segments that mean something, nearly do, or nothing at all.
fn segment() -> impl Strategy<Value = String> {
    let encoded = any::<Vec<u8>>().prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect());
    prop_oneof![
        12 => select(&WORDS).prop_map(str::to_owned),
        1 => Just("4be0643f-1d98-473b-97cd-ca98a65347dd".to_owned()),
        1 => Just(String::new()),
        1 => any::<String>(),
        1 => encoded,
        1 => (select(&WORDS), 1..2000_usize).prop_map(|(word, times)| word.repeat(times)),
        1 => vec(select(&b"abz09._-~!$&'()*+,;=:@%"[..]), 0..80)
            .prop_map(|bytes| String::from_utf8(bytes).expect("ASCII")),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let slashes = |usual: usize| prop_oneof![4 => Just(usual), 1 => 0..3_usize].prop_map(|count| "/".repeat(count));
    (slashes(1), vec(segment(), 0..6), slashes(0))
        .prop_map(|(start, segments, end)| format!("{start}{}{end}", segments.join("/")))
}

/// What a path names, read off a table of patterns.
fn named(path: &str) -> Option<(Route<'_>, &'static str)> {
    let path = path.strip_prefix('/')?;
    let segments: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    if segments.contains(&"") {
        return None;
    }
    Some(match segments[..] {
        ["orders"] => (Route::Orders, "orders"),
        ["orders", id] => (Route::Order(id), "orders"),
        ["orders", id, "pay"] => (Route::Pay(id), "payments"),
        ["orders", id, "cancel"] => (Route::Cancel(id), "payments"),
        ["orders", id, "abandon"] => (Route::Abandon(id), "payments"),
        ["orders", id, "refunds"] => (Route::Refunds(id), "after-sale"),
        ["orders", id, "refunds", "retry"] => (Route::RetryRefunds(id), "after-sale"),
        ["payments"] => (Route::Payments, "payments"),
        ["payments", "stripe", "events"] => (Route::StripeEvents, "payments"),
        ["inventory"] => (Route::Items, "inventory"),
        ["inventory", id] => (Route::Item(id), "inventory"),
        ["inventory", id, "adjustments"] => (Route::Adjustments(id), "inventory"),
        ["orders", id, "returns"] => (Route::Returns(id), "after-sale"),
        ["orders", id, "fulfilment"] => (Route::Fulfilment(id), "after-sale"),
        ["orders", id, "history"] => (Route::OrderHistory(id), "reports"),
        ["inventory", id, "history"] => (Route::ItemHistory(id), "reports"),
        ["books"] => (Route::Books, "reports"),
        ["metrics"] => (Route::Metrics, "reports"),
        ["sweep"] => (Route::Sweep, "sweep"),
        ["health"] => (Route::Health, "inventory"),
        ["ready"] => (Route::Ready, "inventory"),
        _ => return None,
    })
}

#[test]
fn a_path_names_what_the_table_says_and_leads_to_the_component_that_serves_it() {
    check(20_000, path(), |path| {
        let named = named(&path);
        assert_eq!(Route::parse(&path), named.map(|(route, _)| route));
        if let Some((_, served_by)) = named {
            assert_eq!(component(&path), served_by);
        }
    });
}

#[test]
fn a_path_and_a_method_of_any_kind_are_answered() {
    let body = br#"{"item_id":"item1","quantity":1}"#;
    check(5_000, (path(), select(&METHODS)), |(path, method)| {
        // What no request can carry, none can bring; and a query or a fragment is no part of the path.
        let Ok(uri) = format!("/{}", path.strip_prefix('/').unwrap_or(&path)).parse::<Uri>() else { return };
        let path = uri.path();
        let answer = World::preset().send(request(method.clone(), path, body));
        match Route::parse(path).map(|route| route.verb(&method)) {
            None => assert_eq!(answer.outcome(), (404, "not_found")),
            Some(_) if method == Method::OPTIONS => assert_eq!(answer.status, 204),
            Some(None) => assert_eq!(answer.outcome(), (405, "method_not_allowed")),
            Some(Some(verb)) => {
                assert!(answer.status < 500, "{answer:?}");
                // Only the list of orders looks at the query.
                let query = Route::parse(path) == Some(Route::Orders) && uri.query().is_some();
                let expected = if query { [200, 422] } else { [200, 404] };
                assert!(verb != Verb::Get || expected.contains(&answer.status), "{answer:?}");
            }
        }
    });
}
