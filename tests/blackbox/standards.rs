//! What HTTP, JSON and UUIDs allow: each is done, or refused by name (docs/standards.md).

use harness::Method;
use serde_json::json;

use crate::client::{Request, Shop, leaves_alone};
use crate::server::with_shop;
use crate::shapes::Status;

#[test]
fn an_integer_may_be_written_with_a_fraction_or_an_exponent() {
    with_shop(|shop| {
        let item = shop.new_item(1000, 1000);
        for two in ["2", "2.0", "2.000", "2e0", "2E+0", "20e-1", "0.2e1", "0.0000002e7"] {
            let send = |request: Request, body: String| request.body("application/json", body).send();
            let order = send(shop.post("/orders"), format!(r#"{{"item_id":"{item}","quantity":{two}}}"#)).order(201);
            assert_eq!(order.quantity(&item), 2, "{two}");
            let lines = format!(r#"{{"items":[{{"item_id":"{item}","quantity":{two}}}]}}"#);
            assert_eq!(send(shop.post("/orders"), lines).order(201).quantity(&item), 2, "{two}");
            let price = send(shop.put(format!("/inventory/{item}")).operator(), format!(r#"{{"unit_price":{two}}}"#));
            assert_eq!(price.item(200).unit_price, 2, "{two}");
            let amount = send(shop.pay(&shop.place(&item, 1).order_id), format!(r#"{{"amount":{two}}}"#));
            assert_eq!(amount.order(200).status, Status::Paid, "{two}");
            let adjust = || shop.post(format!("/inventory/{item}/adjustments")).operator();
            let before = shop.item(&item).on_hand;
            send(adjust(), format!(r#"{{"delta":-{two}}}"#)).item(200);
            let after = send(adjust(), format!(r#"{{"delta":{two}}}"#)).item(200);
            assert!(after.on_hand <= before, "{two}");
            let new = crate::client::fresh("item");
            let body = format!(r#"{{"unit_price":{two},"on_hand":{two}}}"#);
            assert_eq!(send(shop.put(format!("/inventory/{new}")).operator(), body).item(201).on_hand, 2, "{two}");
        }
    });
}

#[test]
fn a_number_that_is_no_integer_is_one_in_no_spelling() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        leaves_alone(&shop, &[&item], || {
            for number in [
                "2.5",
                "25e-1",
                "2.00000000000000000000001",
                "1e-1",
                "1e400",
                "-1e400",
                "1e-400",
                "1e999999999999999999999999",
                "1e-999999999999999999999999",
                "1e20",
            ] {
                for (request, name, more) in [
                    (shop.post("/orders"), "quantity", format!(r#","item_id":"{item}""#)),
                    (shop.pay(&order.order_id), "amount", String::new()),
                    (shop.put(format!("/inventory/{item}")).operator(), "unit_price", String::new()),
                    (shop.post(format!("/inventory/{item}/adjustments")).operator(), "delta", String::new()),
                ] {
                    let body = format!(r#"{{"{name}":{number}{more}}}"#);
                    request.body("application/json", body).send().invalid(&format!("/{name}"));
                }
            }
        });
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn an_optional_field_may_be_null() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.order(json!({"item_id": item, "quantity": 1, "customer_id": null})).send().order(201);
        assert_eq!(order.customer_id, None);
        let lines = json!([{"item_id": item, "quantity": 1}]);
        shop.order(json!({"items": lines, "customer_id": null})).send().order(201);
        // What the shop tells of an order can be sent for another.
        let told = shop.get(format!("/orders/{}", order.order_id)).send().value();
        let again = json!({"customer_id": told["customer_id"], "item_id": item, "quantity": 1});
        shop.order(again).send().order(201);
        let paid = shop.pay(&order.order_id).json(json!({"method": null, "amount": null})).send().order(200);
        assert_eq!(paid.payment.map(|payment| payment.method), Some("unspecified".to_owned()));
        let adjustments = format!("/inventory/{item}/adjustments");
        shop.post(adjustments).operator().json(json!({"delta": 1, "reason": null})).send().item(200);
        shop.put_item(&item, json!({"unit_price": 5, "on_hand": null})).send().item(200);
        let new = crate::client::fresh("item");
        let created = shop.put_item(&new, json!({"unit_price": 5, "on_hand": null})).send().item(201);
        assert_eq!(created.on_hand, 0);
    });
}

#[test]
fn a_required_field_that_is_null_is_named() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        for (answer, pointer) in [
            (shop.order(json!({"item_id": item, "quantity": null})).send(), "/quantity"),
            (shop.order(json!({"item_id": null, "quantity": 1})).send(), "/item_id"),
            (shop.order(json!({"items": null})).send(), "/items"),
            (shop.order(json!({"items": [{"item_id": item, "quantity": null}]})).send(), "/items/0/quantity"),
            (shop.put_item(&item, json!({"unit_price": null})).send(), "/unit_price"),
            (
                shop.post(format!("/inventory/{item}/adjustments")).operator().json(json!({"delta": null})).send(),
                "/delta",
            ),
        ] {
            let problem = answer.invalid(pointer);
            assert!(problem.to_string().contains("must not be null"), "{problem}");
        }
    });
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let marked = |request: Request, body: serde_json::Value| {
            request.body("application/json", format!("\u{feff}{body}")).send()
        };
        let order = marked(shop.post("/orders"), json!({"item_id": item, "quantity": 1})).order(201);
        marked(shop.pay(&order.order_id), json!({"amount": 1000})).order(200);
        marked(shop.put(format!("/inventory/{item}")).operator(), json!({"unit_price": 1})).item(200);
        marked(shop.post(format!("/inventory/{item}/adjustments")).operator(), json!({"delta": 1})).item(200);
        // One, and at the beginning.
        for body in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}", "{}\u{feff}"] {
            shop.post("/orders").body("application/json", body).send().problem(400, "malformed_json");
        }
    });
}

#[test]
fn a_member_that_is_there_twice_is_named() {
    with_shop(|shop| {
        let answer =
            shop.post("/orders").body("application/json", r#"{"item_id":"a","quantity":1,"quantity":1}"#).send();
        let problem = answer.problem(400, "malformed_json");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("\"quantity\"")), "{problem}");
    });
}

#[test]
fn an_order_is_the_same_in_upper_case_and_percent_encoded() {
    with_shop(|shop| {
        let item = shop.new_item(100, 1000);
        let spellings: [fn(&str) -> String; 4] = [
            |id| id.to_uppercase(),
            |id| id.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect(),
            |id| id.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            |id| id.to_uppercase().bytes().map(|byte| format!("%{byte:02x}")).collect(),
        ];
        for spell in spellings {
            let order = shop.place(&item, 1);
            let id = spell(&order.order_id);
            assert_eq!(shop.get(format!("/orders/{id}")).send().order(200), order);
            let history = shop.get(format!("/orders/{id}/history")).send();
            assert_eq!(history.expect(200).value()["order_id"], order.order_id);
            let paid = shop.pay(&id).send().order(200);
            assert_eq!((paid.order_id.as_str(), paid.status), (order.order_id.as_str(), Status::Paid));
            let other = shop.place(&item, 1);
            let cancelled = shop.cancel(&spell(&other.order_id)).send().order(200);
            assert_eq!((cancelled.order_id, cancelled.status), (other.order_id, Status::Cancelled));
        }
        // An item's name is percent-encoded like any other part of a path, and has a case.
        let encoded: String = item.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(shop.get(format!("/inventory/{encoded}")).send().item(200).item_id, item);
        assert_eq!(shop.put_item(&encoded, json!({"unit_price": 3})).send().item(200).item_id, item);
        assert_eq!(shop.adjust(&encoded, 1).send().item(200).item_id, item);
        shop.get(format!("/inventory/{encoded}/history")).operator().send().expect(200);
        shop.get(format!("/inventory/{}", item.to_uppercase())).send().problem(404, "item_not_found");
    });
}

#[test]
fn another_text_form_of_a_uuid_is_no_id() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1).order_id;
        for id in [
            order.replace('-', ""),
            format!("urn:uuid:{order}"),
            format!("%7B{order}%7D"),
            format!("{order}%20"),
            format!("%{order}"),
            format!("{order}%"),
            format!("{order}%zz"),
            format!("{order}%00"),
        ] {
            shop.get(format!("/orders/{id}")).send().problem(404, "order_not_found");
        }
    });
}

#[test]
fn a_query_of_the_list_may_be_percent_encoded() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        (0..3).for_each(|_| drop(shop.place_paid(&item, 1)));
        let list = |query: &str| shop.get(format!("/orders?{query}")).operator().send();
        let first = list("%73tatus=p%61id&limit=%31").expect(200).value();
        assert_eq!(first["orders"].as_array().map(Vec::len), Some(1));
        let next = first["next"].as_str().expect("there are more");
        let page = list(&format!("limit=1&cursor={next}")).expect(200).value();
        for cursor in [next.to_uppercase(), next.replace('-', "%2D"), next.replace('-', "%2d")] {
            let same = list(&format!("limit=1&cursor={cursor}")).expect(200).value();
            assert_eq!(same["orders"], page["orders"], "{cursor}");
        }
        for wrong in ["status=p%2561id", "limit=1%00", "status=%ff", "%ff=1"] {
            list(wrong).problem(422, "invalid_request");
        }
    });
}

/// Each request that a body belongs to.
fn with_body(shop: &Shop, item: &str, order: &str) -> [(Request, serde_json::Value); 4] {
    [
        (shop.post("/orders"), json!({"item_id": item, "quantity": 1})),
        (shop.pay(order), json!({"amount": 1000})),
        (shop.put(format!("/inventory/{item}")).operator(), json!({"unit_price": 1})),
        (shop.post(format!("/inventory/{item}/adjustments")).operator(), json!({"delta": 1})),
    ]
}

#[test]
fn a_body_that_is_compressed_is_refused_with_what_is_taken() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        leaves_alone(&shop, &[&item], || {
            for coding in ["gzip", "deflate", "br", "GZIP", "x-gzip", "identity, gzip", "unknown"] {
                for (request, body) in with_body(&shop, &item, &order.order_id) {
                    let answer = request.json(body).header("content-encoding", coding).send();
                    answer.problem(415, "unsupported_content_coding");
                    assert_eq!(answer.header("accept-encoding"), Some("identity"), "{answer}");
                }
            }
        });
        for (request, body) in with_body(&shop, &item, &order.order_id) {
            let answer = request.json(body).header("content-encoding", "identity").send();
            assert!(answer.status < 300, "{answer}");
        }
    });
}

#[test]
fn a_body_of_another_type_is_refused_with_what_is_taken() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        leaves_alone(&shop, &[&item], || {
            for (request, body) in with_body(&shop, &item, &order.order_id) {
                for types in
                    [&["text/plain"][..], &["application/merge-patch+json"], &["application/json", "text/plain"]]
                {
                    let request = request.clone().bare_body(body.to_string());
                    let answer =
                        types.iter().fold(request, |request, kind| request.header("content-type", kind)).send();
                    answer.problem(415, "unsupported_media_type");
                    assert_eq!(answer.header("accept"), Some("application/json"), "{answer}");
                }
            }
        });
    });
}

#[test]
fn a_part_of_an_item_is_not_put() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        leaves_alone(&shop, &[&item], || {
            let put = shop.put_item(&item, json!({"unit_price": 1})).header("content-range", "bytes 0-15/16");
            let problem = put.send().problem(400, "unsupported_header");
            assert_eq!(problem["errors"][0]["header"], "content-range", "{problem}");
        });
        // For a POST the header has no meaning (RFC 9110, 14.4).
        shop.adjust(&item, 1).header("content-range", "bytes 0-15/16").send().item(200);
    });
}

#[test]
fn an_answer_that_a_client_does_not_accept_is_not_made() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        let id = &order.order_id;
        leaves_alone(&shop, &[&item], || {
            for (name, value) in [
                ("accept", "text/html"),
                ("accept", "application/json;q=0"),
                ("accept", "application/json;q=0.0, */*"),
                ("accept", "text/*, image/png"),
                ("accept-encoding", "identity;q=0"),
                ("accept-encoding", "gzip, *;q=0"),
            ] {
                for (request, body) in with_body(&shop, &item, id) {
                    request.json(body).header(name, value).send().problem(406, "not_acceptable");
                }
                for path in ["/inventory", "/health", "/ready", "/orders", "/books", &format!("/orders/{id}")] {
                    shop.get(path).operator().header(name, value).send().problem(406, "not_acceptable");
                    shop.head(path).operator().header(name, value).send().expect(406);
                }
                shop.cancel(id).header(name, value).send().problem(406, "not_acceptable");
            }
        });
        assert_eq!(shop.order_now(id), order);
        for (name, value) in [
            ("accept", "*/*"),
            ("accept", "application/*"),
            ("accept", "APPLICATION/JSON ; q=0.1"),
            ("accept", "text/html, */*;q=0.1"),
            ("accept", "application/json;charset=utf-8"),
            ("accept", "not a type"),
            ("accept", ""),
            ("accept-encoding", "gzip"),
            ("accept-encoding", "br;q=1, *;q=0, identity"),
            // What these ask for may be passed over (12.5.2, 12.5.4).
            ("accept-charset", "iso-8859-1"),
            ("accept-language", "tlh"),
        ] {
            shop.get(format!("/orders/{id}")).header(name, value).send().order(200);
        }
        // The list is of the type that its query asks for, and so are the metrics and the files of theirs.
        for (path, accepted, refused) in [
            ("/orders?format=csv", "text/csv", "application/json"),
            ("/orders?format=ndjson", "application/x-ndjson", "text/csv"),
            ("/orders", "application/json", "text/csv"),
            ("/metrics", "text/plain", "application/json"),
            ("/", "text/html", "application/json"),
            ("/docs", "text/*", "image/*"),
            ("/openapi.json", "application/json", "text/html"),
        ] {
            shop.get(path).operator().header("accept", accepted).send().expect(200);
            shop.get(path).operator().header("accept", refused).send().problem(406, "not_acceptable");
        }
    });
}

#[test]
fn an_expectation_that_there_is_not_is_refused() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        leaves_alone(&shop, &[&item], || {
            for (request, body) in with_body(&shop, &item, &order.order_id) {
                request.json(body).header("expect", "a-miracle").send().problem(417, "expectation_failed");
            }
            for path in ["/inventory", "/health", "/", "/openapi.json"] {
                shop.get(path).header("expect", "x=y").send().problem(417, "expectation_failed");
            }
        });
        assert_eq!(shop.order_now(&order.order_id), order);
        shop.get("/inventory").header("expect", "100-Continue").send().expect(200);
    });
}

#[test]
fn two_tokens_are_none() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let token = format!("Bearer {}", shop.0.token.clone().expect("new_item needed it"));
        let put = || shop.put(format!("/inventory/{item}")).json(json!({"unit_price": 1}));
        leaves_alone(&shop, &[&item], || {
            for other in [token.as_str(), "Bearer other"] {
                let put = put().header("authorization", &token).header("authorization", other);
                put.send().problem(401, "unauthorized");
            }
        });
    });
}

#[test]
fn a_trace_is_refused_as_other_methods_are() {
    with_shop(|shop| {
        let answer = shop.request(Method::TRACE, "/inventory").send();
        answer.problem(405, "method_not_allowed");
        assert!(answer.header("allow").is_some_and(|allow| !allow.contains("TRACE")), "{answer}");
    });
}
