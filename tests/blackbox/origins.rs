//! Pages of other origins (the CORS protocol of the Fetch standard). `tests/browser` has the same in a browser.

use harness::Method;
use serde_json::json;

use crate::client::{Request, Shop};
use crate::envelope::Answer;
use crate::server::{with_own_server, with_shop};

const STOREFRONT: &str = "https://shop.example";
const BOTH: &[(&str, &str)] = &[("allowed_origins", "https://Shop.Example:443 http://localhost:8000\n")];

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

fn preflight(shop: &Shop, path: &str, method: &str, origin: &str) -> Answer {
    let request = shop.request(Method::OPTIONS, path).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    let answer = request.header("access-control-request-headers", "content-type,idempotency-key").send();
    answer.expect(204);
    answer
}

/// What customers do with an order that is there and one that is not, and what is wrong with each.
fn customers_requests(shop: &Shop, order: &str) -> Vec<(Request, u16)> {
    let order_of = |quantity: u64| shop.order(json!({"item_id": "item1", "quantity": quantity}));
    vec![
        (shop.get("/inventory"), 200),
        (shop.head("/inventory/item1"), 200),
        (shop.get("/inventory/item1").header("if-none-match", "*"), 304),
        (shop.get("/inventory/none"), 404),
        (order_of(1), 201),
        (order_of(1_000_000), 409),
        (order_of(0), 422),
        (shop.post("/orders").body("application/json", "{"), 400),
        (shop.post("/orders").body("text/plain", "{}"), 415),
        (shop.get(format!("/orders/{order}")), 200),
        (shop.get(format!("/orders/{order}/history")), 200),
        (shop.pay(order).header("if-match", "\"x\""), 412),
        (shop.pay(order), 200),
        (shop.cancel(order), 409),
        (shop.get(format!("/orders/{order}")).header("accept", "text/html"), 406),
        (shop.request(Method::DELETE, format!("/orders/{order}")), 405),
        (shop.get("/none"), 404),
        (shop.get("/health"), 200),
        (shop.get("/ready"), 200),
    ]
}

/// What is the operator's, with the method that a preflight would ask for.
const OPERATORS: [(&str, &str); 6] = [
    ("GET", "/orders"),
    ("PUT", "/inventory/item1"),
    ("POST", "/inventory/item1/adjustments"),
    ("GET", "/inventory/item1/history"),
    ("GET", "/books"),
    ("GET", "/metrics"),
];

#[test]
fn a_page_of_an_origin_that_is_named_may_do_what_customers_do() {
    with_own_server(BOTH, |server| {
        let shop = &server.shop;
        for origin in [STOREFRONT, "http://localhost:8000"] {
            let order = shop.place("item1", 1).order_id;
            for (request, status) in customers_requests(shop, &order) {
                let answer = request.header("origin", origin).send();
                answer.expect(status);
                assert_eq!(allowed(&answer), Some(origin), "{answer}");
                assert_eq!(answer.header("vary"), Some("origin"), "{answer}");
                let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
                for name in ["etag", "idempotent-replayed", "link", "location", "retry-after", "x-request-id"] {
                    assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {answer}");
                }
                // No cookies, and no token of the browser's: there are none.
                assert!(answer.header("access-control-allow-credentials").is_none(), "{answer}");
            }
            for (method, path) in [
                ("POST", "/orders".to_owned()),
                ("POST", format!("/orders/{order}/pay")),
                ("POST", format!("/orders/{order}/cancel")),
                ("GET", format!("/orders/{order}")),
                ("GET", "/inventory/item1".to_owned()),
                ("HEAD", "/inventory".to_owned()),
            ] {
                let answer = preflight(shop, &path, method, origin);
                assert_eq!(allowed(&answer), Some(origin), "{answer}");
                assert_eq!(answer.header("access-control-allow-methods"), Some(method), "{answer}");
                let sent = answer.header("access-control-allow-headers").unwrap_or_default();
                for name in ["content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id"] {
                    assert!(sent.split(", ").any(|sent| sent == name), "{name}: {answer}");
                }
                assert!(!sent.contains("authorization"), "{answer}");
                assert!(answer.header("allow").is_some(), "{answer}");
            }
        }
    });
}

#[test]
fn a_page_of_an_origin_that_is_not_named_is_told_nothing() {
    with_own_server(BOTH, |server| {
        let shop = &server.shop;
        for origin in [
            "https://evil.example",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://a.shop.example",
            "https://shop.example/",
            "null",
            "*",
            "",
        ] {
            let order = shop.place("item1", 1).order_id;
            for (request, status) in customers_requests(shop, &order) {
                let answer = request.header("origin", origin).send();
                answer.expect(status);
                assert_eq!(allowed(&answer), None, "{answer}");
                // A cache must not give the answer to another origin.
                assert_eq!(answer.header("vary"), Some("origin"), "{answer}");
            }
            let answer = preflight(shop, "/orders", "POST", origin);
            assert_eq!(allowed(&answer), None, "{answer}");
            assert!(answer.header("access-control-allow-methods").is_none(), "{answer}");
        }
    });
}

#[test]
fn no_page_of_another_origin_may_do_what_the_operator_does() {
    with_own_server(BOTH, |server| {
        let shop = &server.shop;
        for (method, path) in OPERATORS {
            let answer = preflight(shop, path, method, STOREFRONT);
            assert!(allowed(&answer).is_none() && answer.header("access-control-allow-methods").is_none(), "{answer}");
            let method: Method = method.parse().expect("a method");
            let request = || shop.request(method.clone(), path).header("origin", STOREFRONT);
            let body = if method == Method::PUT { json!({"unit_price": 5}) } else { json!({"delta": 1}) };
            let with = |request: Request| if method == Method::GET { request } else { request.json(body.clone()) };
            for answer in [with(request()).send(), with(request().operator()).send()] {
                assert_eq!(allowed(&answer), None, "{answer}");
            }
        }
        // Nor what nothing does.
        for (method, path) in [("DELETE", "/orders"), ("PATCH", "/inventory/item1"), ("OPTIONS", "/orders")] {
            assert_eq!(allowed(&preflight(shop, path, method, STOREFRONT)), None);
        }
    });
}

#[test]
fn a_shop_names_no_origin_unless_it_is_told_to() {
    with_shop(|shop| {
        for origin in [STOREFRONT, "null", "*"] {
            let answer = shop.get("/inventory").header("origin", origin).send();
            assert!(allowed(&answer).is_none() && answer.header("vary").is_none(), "{answer}");
            assert_eq!(allowed(&preflight(&shop, "/orders", "POST", origin)), None);
        }
    });
}

#[test]
fn a_page_can_read_that_the_shop_is_not_configured() {
    with_own_server(&[BOTH[0], ("currency", "ABC")], |server| {
        let answer = server.shop.get("/inventory").header("origin", STOREFRONT).send();
        answer.problem(503, "misconfigured");
        assert_eq!(allowed(&answer), Some(STOREFRONT), "{answer}");
        assert_eq!(allowed(&preflight(&server.shop, "/orders", "POST", STOREFRONT)), Some(STOREFRONT));
    });
}
