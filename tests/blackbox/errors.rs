//! Requests that cannot be done as they are. Each is told what is wrong, and changes nothing.

use std::io::Write;
use std::net::Shutdown;
use std::thread;

use serde_json::{Value, json};

use crate::client::{Shop, leaves_alone, read_answer};
use crate::server::with_shop;

const LIMIT: usize = 64 * 1024;

/// Runs `requests` with two items in stock and proves that it changed neither.
fn nothing_happens(requests: impl FnOnce(&Shop, &str, &str)) {
    with_shop(|shop| {
        let (item, other) = (shop.new_item(2_000_000, 1000), shop.new_item(2_000_000, 1000));
        leaves_alone(&shop, &[&item, &other], || requests(&shop, &item, &other));
    });
}

#[test]
fn what_is_not_json_is_malformed() {
    nothing_happens(|shop, item, _| {
        let good = json!({"item_id": item, "quantity": 1}).to_string();
        let broken: Vec<Vec<u8>> = vec![
            "".into(),
            " \r\n\t".into(),
            "{".into(),
            "hello".into(),
            good[..good.len() - 1].to_owned().into(),
            format!("{good}}}").into(),
            format!("{good}{good}").into(),
            format!("{good}\0").into(),
            good.replace('"', "'").into(),
            good.replace('}', ",}").into(),
            good.replace(":1", ":01").into(),
            good.replace(":1", ":1.").into(),
            good.replace(":1", ":NaN").into(),
            good.replace(":1", ":+1").into(),
            good.replace(":1", ":0x1").into(),
            format!("// an order\n{good}").into(),
            // Text that is no UTF-8, a string with a bare control character, half of a surrogate pair.
            [b"{\"item_id\":\"\xff\xfe\",\"quantity\":1}".as_slice()].concat(),
            good.replace('}', ",\"customer_id\":\"a\nb\"}").into(),
            good.replace('}', ",\"customer_id\":\"\\ud800\"}").into(),
            good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
            "[".repeat(30_000).into(),
            "{\"items\":".repeat(5_000).into(),
        ];
        for body in broken {
            shop.post("/orders").body("application/json", body).send().problem(400, "malformed_json");
        }
        // Deep, but closed: too much for a parser, or an array where an order belongs.
        let deep = ["[", "]"].map(|bracket| bracket.repeat(30_000)).concat();
        let answer = shop.post("/orders").body("application/json", deep).send();
        assert!([400, 422].contains(&answer.status), "{answer}");
    });
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    nothing_happens(|shop, item, _| {
        // Programs differ in which of the two they take: what a customer saw may not be what was ordered.
        for body in [
            format!(r#"{{"item_id":"{item}","quantity":1,"quantity":2}}"#),
            format!(r#"{{"items":[{{"item_id":"{item}","quantity":1,"quantity":1}}]}}"#),
        ] {
            let answer = shop.post("/orders").body("application/json", body).send();
            assert!([400, 422].contains(&answer.status), "{answer}");
        }
    });
}

#[test]
fn a_quantity_is_a_whole_number_from_one_to_a_million() {
    nothing_happens(|shop, item, other| {
        for quantity in [
            "0",
            "-0",
            "-1",
            "1.5",
            "0.9999999999999999999999",
            "1000001",
            "1000000000000000000000000000000",
            "-1000000000000000000000000000000",
            "1e400",
            "9223372036854775808",
            "18446744073709551617",
            "\"1\"",
            "\"\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            let send = |body: String| shop.post("/orders").body("application/json", body).send();
            let short = send(format!(r#"{{"item_id":"{item}","quantity":{quantity}}}"#));
            // A number that no program can hold may count as malformed.
            if quantity == "1e400" && short.status == 400 {
                short.problem(400, "malformed_json");
                continue;
            }
            short.invalid("/quantity");
            let line = |item: &str, quantity: &str| format!(r#"{{"item_id":"{item}","quantity":{quantity}}}"#);
            let long = send(format!(r#"{{"items":[{},{}]}}"#, line(other, "1"), line(item, quantity)));
            long.invalid("/items/1/quantity");
        }
    });
}

#[test]
fn lines_of_one_item_add_up_to_a_million_at_most() {
    nothing_happens(|shop, item, _| {
        let line = json!({"item_id": item, "quantity": 999_999});
        let problem = shop.order(json!({"items": [line, line]})).send().problem(422, "invalid_request");
        assert!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{problem}");
    });
}

#[test]
fn an_order_has_one_form_and_nothing_unknown() {
    nothing_happens(|shop, item, other| {
        let line = json!({"item_id": item, "quantity": 1});
        let with = |name: &str, value: Value| {
            let mut line = line.clone();
            line[name] = value;
            line
        };
        for (body, pointer) in [
            (json!([]), ""),
            (json!(null), ""),
            (json!(7), ""),
            (json!("an order"), ""),
            (json!([line]), ""),
            (json!({"items": "all"}), "/items"),
            (json!({"items": null}), "/items"),
            (json!({"items": line}), "/items"),
            (json!({"items": []}), "/items"),
            (json!({"items": vec![&line; 51]}), "/items"),
            (json!({"items": vec![&line; 500]}), "/items"),
            (json!({"items": [line, 1]}), "/items/1"),
            (json!({"items": [line, null]}), "/items/1"),
            (json!({"items": [line, [line]]}), "/items/1"),
            (json!({"items": [line, {"item_id": other}]}), "/items/1/quantity?"),
            (json!({"items": [{"quantity": 1}, line]}), "/items/0/item_id?"),
            (json!({"items": [with("unit_price", json!("1"))]}), "/items/0/unit_price"),
            (json!({"items": [with("price", json!(1))]}), "/items/0/price?"),
            (json!({"items": [with("Quantity", json!(1))]}), "/items/0/Quantity?"),
            (json!({"items": [line], "total": 1.5}), "/total"),
            (json!({"items": [line], "unit_price": 1}), "/unit_price?"),
            (json!({"items": [line], "order_id": "mine"}), "/order_id?"),
            (with("coupon", json!("free")), "/coupon?"),
            (with("status", json!("paid")), "/status?"),
            (with("customer_id", json!("")), "/customer_id"),
            (with("customer_id", json!("x".repeat(129))), "/customer_id"),
            (with("customer_id", json!("🦀".repeat(129))), "/customer_id"),
            (with("customer_id", json!("\u{1}".repeat(128))), "/customer_id"),
            (with("customer_id", json!("anna\tb")), "/customer_id"),
            (with("customer_id", json!("anna\u{7f}")), "/customer_id"),
            (with("customer_id", json!("anna\u{9b}31m")), "/customer_id"),
            (with("customer_id", json!("\u{202e}anna")), "/customer_id"),
            (with("customer_id", json!("an\u{2067}na")), "/customer_id"),
            (with("customer_id", json!("\u{feff}anna")), "/customer_id"),
            (with("customer_id", json!(7)), "/customer_id"),
            (with("customer_id", json!(["c"])), "/customer_id"),
            (json!({"item_id": item}), "/quantity?"),
            (json!({"quantity": 1}), "/item_id?"),
        ] {
            shop.order(body).send().invalid(pointer);
        }
        // Neither form, and both at once: where the error is, is a matter of taste.
        for body in [
            json!({}),
            json!({"customer_id": "c"}),
            with("items", json!([line])),
            with("items", json!([])),
            json!({"items": [line], "quantity": 1}),
            json!({"items": [line], "item_id": item}),
        ] {
            let answer = shop.order(body).send();
            let problem = answer.problem(422, "invalid_request");
            assert!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{answer}");
        }
    });
}

#[test]
fn an_item_id_is_up_to_64_plain_characters() {
    nothing_happens(|shop, item, _| {
        for wrong in [
            json!(""),
            json!(" "),
            json!(format!("{item} ")),
            json!("x".repeat(65)),
            json!("x".repeat(5000)),
            json!("../x"),
            json!("a/b"),
            json!("a\\b"),
            json!("item%31"),
            json!("a:b"),
            json!("a~b"),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!("artículo"),
            json!("商品"),
            json!("🦀"),
            // Looks like item1, and is a Cyrillic letter.
            json!("it\u{435}m1"),
            json!(1),
            json!(null),
            json!([item]),
            json!({"id": item}),
        ] {
            shop.order(json!({"item_id": wrong, "quantity": 1})).send().invalid("/item_id");
            let lines = json!([{"item_id": item, "quantity": 1}, {"item_id": wrong, "quantity": 1}]);
            shop.order(json!({"items": lines})).send().invalid("/items/1/item_id");
        }
    });
}

#[test]
fn a_total_that_does_not_fit_is_refused() {
    with_shop(|shop| {
        // One line that is too much by itself, and three that are too much only together.
        let dear = shop.new_item(1_000_000, 100_000_000_000_000);
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push(json!({"item_id": shop.new_item(1_000_000, 9_000_000_000_000), "quantity": 1_000_000}));
        }
        let items: Vec<_> = lines.iter().filter_map(|line| line["item_id"].as_str()).chain([dear.as_str()]).collect();
        leaves_alone(&shop, &items, || {
            let request = json!({"item_id": dear, "quantity": 1_000_000});
            shop.order(request).send().problem(422, "invalid_request");
            shop.order(json!({"items": lines})).send().problem(422, "invalid_request");
        });
        // A large total is exact to the last unit.
        let item = shop.new_item(1_000_000, 9_007_199_254_741);
        let order = shop.place(&item, 999_999);
        assert_eq!(order.total, 9_007_190_247_541_745_259);
        shop.pay(&order.order_id).json(json!({"amount": order.total - 1})).send().problem(422, "amount_mismatch");
        shop.pay(&order.order_id).json(json!({"amount": order.total})).send().order(200);
    });
}

#[test]
fn only_json_is_taken_for_json() {
    nothing_happens(|shop, item, _| {
        let order = json!({"item_id": item, "quantity": 1}).to_string();
        let price = json!({"unit_price": 1}).to_string();
        let delta = json!({"delta": 1}).to_string();
        for content_type in [
            None,
            Some(""),
            Some("json"),
            Some("text/plain"),
            Some("text/json"),
            Some("application/jsonx"),
            Some("application/json-seq"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("text/plain; application/json"),
        ] {
            for (request, body) in [
                (shop.post("/orders"), &order),
                (shop.put(format!("/inventory/{item}")).operator(), &price),
                (shop.post(format!("/inventory/{item}/adjustments")).operator(), &delta),
            ] {
                let request = match content_type {
                    Some(content_type) => request.body(content_type, body.clone()),
                    None => request.bare_body(body.clone()),
                };
                request.send().problem(415, "unsupported_media_type");
            }
        }
    });
}

#[test]
fn a_payment_in_another_format_pays_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = shop.place(&item, 1);
        let paying = json!({"amount": 1000}).to_string();
        for request in [
            shop.pay(&order.order_id).body("text/plain", paying.clone()),
            shop.pay(&order.order_id).body("application/x-www-form-urlencoded", "amount=1000"),
            shop.pay(&order.order_id).bare_body(paying),
        ] {
            request.send().problem(415, "unsupported_media_type");
        }
        assert_eq!(shop.order_now(&order.order_id), order);
    });
}

#[test]
fn json_may_be_spelled_in_other_ways() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let body = json!({"item_id": item, "quantity": 1}).to_string();
        for content_type in [
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON",
            "application/json ; charset=\"utf-8\"",
        ] {
            shop.post("/orders").body(content_type, body.clone()).send().order(201);
        }
        let escaped = body.replace("item_id", "item_\\u0069d");
        shop.post("/orders").body("application/json", escaped).send().order(201);
        assert_eq!(shop.available(&item), 5);
    });
}

fn padded(body: &Value, length: usize) -> String {
    let body = body.to_string();
    let padding = " ".repeat(length - body.len());
    format!("{body}{padding}")
}

#[test]
fn a_body_may_have_64_kib_and_not_a_byte_more() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = json!({"item_id": item, "quantity": 1});
        let placed = shop.post("/orders").body("application/json", padded(&order, LIMIT)).send().order(201);
        let adjustments = format!("/inventory/{item}/adjustments");
        let cases = [
            (shop.post("/orders"), order),
            (shop.pay(&placed.order_id), json!({"amount": 1000})),
            (shop.put(format!("/inventory/{item}")).operator(), json!({"unit_price": 1})),
            (shop.post(adjustments).operator(), json!({"delta": 1})),
        ];
        leaves_alone(&shop, &[&item], || {
            for (request, body) in &cases {
                for length in [LIMIT + 1, 2 * LIMIT, 1024 * 1024] {
                    let request = request.clone().body("application/json", padded(body, length));
                    request.send().problem(413, "body_too_large");
                }
            }
        });
        assert_eq!(shop.order_now(&placed.order_id), placed);
        for (request, body) in cases {
            let answer = request.body("application/json", padded(&body, LIMIT)).send();
            assert!(answer.status < 300, "{answer}");
        }
    });
}

fn chunked(shop: &Shop) -> String {
    let head = shop.head_of("POST", "/orders");
    format!("{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
}

#[test]
fn a_body_in_chunks_is_a_body() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let order = json!({"item_id": item, "quantity": 2});
        for length in [order.to_string().len(), LIMIT] {
            let mut request = chunked(&shop);
            for chunk in padded(&order, length).as_bytes().chunks(1 + length / 7) {
                let chunk = str::from_utf8(chunk).expect("plain ASCII");
                request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
            }
            shop.raw(request + "0\r\n\r\n").order(201);
        }
        let over = padded(&order, LIMIT + 1);
        let request = format!("{}{:x}\r\n{over}\r\n0\r\n\r\n", chunked(&shop), over.len());
        shop.raw(request).problem(413, "body_too_large");
        assert_eq!(shop.available(&item), 6);
    });
}

#[test]
fn a_body_without_end_is_cut_off() {
    nothing_happens(|shop, item, _| {
        let start = json!({"item_id": item, "quantity": 1}).to_string();
        let mut connection = shop.connect();
        let mut writing = connection.stream().try_clone().expect("a connection has two halves");
        let head = chunked(shop);
        let sending = thread::spawn(move || {
            let start = format!("{head}{:x}\r\n{start}\r\n", start.len());
            let chunk = format!("{:x}\r\n{}\r\n", 4096, " ".repeat(4096));
            // Far past the limit, but not for ever; a server that hangs up ends it sooner.
            let mut sent = writing.write_all(start.as_bytes());
            for _ in 0..4096 {
                if sent.is_err() {
                    break;
                }
                sent = writing.write_all(chunk.as_bytes());
            }
            // Kept open: the end of the body must not be what the server was waiting for.
            writing
        });
        read_answer(&mut connection, "POST /orders, in chunks without end").problem(413, "body_too_large");
        // What is still being written fails then.
        let _ = connection.stream().shutdown(Shutdown::Both);
        sending.join().expect("it comes to an end");
    });
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_all_there() {
    nothing_happens(|shop, item, _| {
        let start = padded(&json!({"item_id": item, "quantity": 1}), LIMIT + 1024);
        let head = shop.head_of("POST", "/orders");
        let request = format!("{head}content-type: application/json\r\ncontent-length: 100000000\r\n\r\n{start}");
        shop.raw(request).problem(413, "body_too_large");
    });
}

#[test]
fn clients_that_stop_sending_hold_up_nobody_and_are_told() {
    nothing_happens(|shop, item, other| {
        let body = json!({"item_id": item, "quantity": 1}).to_string();
        let head = shop.head_of("POST", "/orders");
        let request = format!("{head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{body}");
        // More of them than one instance serves at once.
        let mut silent = Vec::new();
        for _ in 0..20 {
            let mut connection = shop.connect();
            connection.send(request.as_bytes()).expect("the server takes requests");
            silent.push(connection);
        }
        shop.place_cancelled(other, 1);
        for mut connection in silent {
            read_answer(&mut connection, "POST /orders, half of it").problem(408, "request_timeout");
        }
    });
}

#[test]
fn half_a_request_places_nothing() {
    nothing_happens(|shop, item, _| {
        let body = json!({"item_id": item, "quantity": 1}).to_string();
        let head = shop.head_of("POST", "/orders");
        for announced in [format!("content-length: {}", body.len() + 10), "transfer-encoding: chunked".to_owned()] {
            let body =
                if announced.starts_with('t') { format!("{:x}\r\n{body}\r\n", body.len()) } else { body.clone() };
            let request = format!("{head}content-type: application/json\r\n{announced}\r\n\r\n{body}");
            let mut connection = shop.connect();
            connection.send(request.as_bytes()).expect("the server takes requests");
            // The client goes away before the end of the body.
            drop(connection);
        }
    });
}
