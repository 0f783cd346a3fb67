//! Methods, paths, headers: what HTTP asks of any API.

use harness::Method;
use serde_json::json;

use crate::client::{Shop, fresh};
use crate::contract::routes;
use crate::envelope::{Answer, methods};
use crate::server::{with_own_server, with_shop};
use crate::shapes::Status;

fn an_order(shop: &Shop) -> (String, String) {
    let item = shop.new_item(10, 1000);
    (shop.place(&item, 1).order_id, item)
}

/// The `allow` header less OPTIONS, which may or may not name itself there.
fn allowed(answer: &Answer) -> Vec<String> {
    let allow = answer.header("allow").unwrap_or_else(|| panic!("{answer}\nno allow"));
    methods(allow).into_iter().filter(|method| method != "OPTIONS").collect()
}

#[test]
fn every_route_refuses_the_methods_it_does_not_have() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        let before = (shop.order_now(&order), shop.item(&item));
        for (path, known) in routes(&order, &item) {
            for path in [path.clone(), format!("{path}/")] {
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW", "get"] {
                    if known.contains(&method) {
                        continue;
                    }
                    let method = Method::from_bytes(method.as_bytes()).expect("a method");
                    let answer = shop.request(method.clone(), &path).send();
                    answer.expect(405);
                    if method != Method::HEAD {
                        answer.problem(405, "method_not_allowed");
                    }
                    assert_eq!(allowed(&answer), known, "{answer}");
                }
            }
        }
        assert_eq!((shop.order_now(&order), shop.item(&item)), before);
    });
}

#[test]
fn options_tells_what_a_route_has() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        for (path, known) in routes(&order, &item) {
            for path in [path.clone(), format!("{path}/")] {
                let answer = shop.request(Method::OPTIONS, path).send();
                answer.expect(204);
                assert_eq!(allowed(&answer), known, "{answer}");
            }
        }
    });
}

#[test]
fn head_answers_as_get_does_without_the_body() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        let mut paths: Vec<_> = routes(&order, &item)
            .into_iter()
            .filter(|(_, known)| known.contains(&"HEAD"))
            .map(|(path, _)| (path, 200))
            .collect();
        for missing in ["/orders/none", "/inventory/none-of-these", "/none"] {
            paths.push((missing.to_owned(), 404));
        }
        for (path, status) in paths {
            // The list changes while other tests run: compare with a GET that is the same before and after.
            let mut tries = 0;
            let (get, head) = loop {
                let before = shop.get(&path).operator().send();
                let head = shop.head(&path).operator().send();
                let after = shop.get(&path).operator().send();
                if before.body.len() == after.body.len() {
                    break (before, head);
                }
                tries += 1;
                assert!(tries < 200, "{path} never stands still");
            };
            get.expect(status);
            head.expect(status);
            for name in ["content-length", "content-type", "cache-control", "etag"] {
                if path == "/inventory" && name == "etag" {
                    continue;
                }
                assert_eq!(head.header(name), get.header(name), "{name} of {head}");
            }
        }
        // The mention of a body is not the body: the connection is good for the next request.
        let head = shop.head_of("HEAD", &format!("/orders/{order}")).replace("connection: close\r\n", "");
        let answer = shop.raw(format!("{head}\r\n{}\r\n", shop.head_of("GET", "/health")));
        assert!(answer.body.is_empty());
    });
}

#[test]
fn every_path_works_with_a_slash_at_the_end() {
    with_shop(|shop| {
        let item = fresh("item");
        let put = shop.put(format!("/inventory/{item}/")).operator();
        put.json(json!({"unit_price": 5, "on_hand": 5})).send().item(201);
        let adjust = shop.post(format!("/inventory/{item}/adjustments/")).operator();
        assert_eq!(adjust.json(json!({"delta": 1})).send().item(200).on_hand, 6);
        let place = || shop.post("/orders/").json(json!({"item_id": item, "quantity": 1}));
        let answer = place().send();
        let (paid, cancelled) = (answer.order(201), place().send().order(201));
        let location = answer.header("location").expect("a location");
        assert!(location.ends_with(&format!("/orders/{}", paid.order_id)), "{answer}");
        assert_eq!(shop.get(format!("/orders/{}/", paid.order_id)).send().order(200), paid);
        shop.post(format!("/orders/{}/pay/", paid.order_id)).send().order(200);
        shop.post(format!("/orders/{}/cancel/", cancelled.order_id)).send().order(200);
        assert_eq!(shop.get(format!("/inventory/{item}/")).send().item(200).available, 5);
        for path in ["/inventory/", "/health/", "/ready/"] {
            shop.get(path).send().expect(200);
            shop.head(path).send().expect(200);
        }
    });
}

/// Spin's router passes over slashes at both ends of a path, a gateway's rule for exactly one path does not.
#[test]
fn a_path_with_an_empty_segment_names_nothing() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        let before = (shop.order_now(&order), shop.item(&item));
        let mut paths = vec!["//".to_owned(), "///".to_owned()];
        let files = ["/docs", "/openapi.json", "/console/app.js", "/docs/swagger-ui/swagger-ui.css"].map(str::to_owned);
        for path in routes(&order, &item).into_iter().map(|(path, _)| path).chain(files) {
            paths.extend([
                format!("/{path}"),
                format!("//{path}"),
                format!("{path}//"),
                format!("/{path}/"),
                format!("//{path}//"),
            ]);
            let inner = path.trim_start_matches('/');
            paths.extend(inner.contains('/').then(|| format!("/{}", inner.replacen('/', "//", 1))));
        }
        paths.extend([format!("/orders/{order}//pay"), "/orders//pay".to_owned(), "/inventory//".to_owned()]);
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS] {
                let request = shop.request(method, &path).operator().json(json!({"unit_price": 1}));
                request.send().problem(404, "not_found");
            }
            shop.head(&path).operator().send().expect(404);
        }
        assert_eq!((shop.order_now(&order), shop.item(&item)), before);
    });
}

#[test]
fn a_header_that_is_no_text_is_named_and_nothing_is_done() {
    with_shop(|shop| {
        let (order, _) = an_order(&shop);
        for value in [b"\xff\xfe\x80".as_slice(), b"\xc3\x28", b"a\xed\xa0\x80"] {
            for (method, path, name) in [
                ("POST", format!("/orders/{order}/pay"), "x-odd"),
                ("POST", format!("/orders/{order}/cancel"), "x-request-id"),
                ("GET", format!("/orders/{order}"), "user-agent"),
                ("GET", "/health".to_owned(), "accept"),
                ("OPTIONS", "/orders".to_owned(), "origin"),
                ("GET", "/none".to_owned(), "x-odd"),
                ("GET", "/".to_owned(), "cookie"),
                ("GET", "/openapi.json".to_owned(), "accept-encoding"),
            ] {
                let mut request = shop.head_of(method, &path).into_bytes();
                request.extend([b"content-length: 0\r\n", name.as_bytes(), b": ", value, b"\r\n\r\n"].concat());
                // Spin itself refuses it before the shop sees it, with a status and no words.
                if unchecked(&shop, &request) == 500 {
                    continue;
                }
                let problem = shop.raw(request).problem(400, "malformed_header");
                assert_eq!(problem["errors"][0]["header"], name);
            }
        }
        assert_eq!(shop.order_now(&order).status, Status::Pending);
    });
}

#[test]
fn an_unknown_path_is_a_problem_and_not_silence() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        let paths = [
            "/order".to_owned(),
            "/Orders".to_owned(),
            "/inventories".to_owned(),
            "/health/x".to_owned(),
            "/ready/x".to_owned(),
            format!("/orders/{order}/refund"),
            format!("/orders/{order}/pay/now"),
            format!("/orders/{order}/cancel/now"),
            format!("/inventory/{item}/x"),
            format!("/inventory/{item}/adjustments/1"),
            format!("/orders/{order}/history/1"),
            "/books/1".to_owned(),
            "/console/none.js".to_owned(),
            "/docs/none.js".to_owned(),
            "/.well-known/security.txt".to_owned(),
            "/internal/settle".to_owned(),
            format!("/{}", "x/".repeat(500)),
            "/%00".to_owned(),
            "/%F0%9F%A6%80".to_owned(),
        ];
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
                shop.request(method, &path).send().problem(404, "not_found");
            }
            shop.head(&path).send().expect(404);
        }
    });
}

#[test]
fn paths_are_not_climbed() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        for path in [
            format!("/orders/../inventory/{item}"),
            format!("/orders/./{order}"),
            format!("/inventory/../orders/{order}"),
            format!("/orders/..%2F..%2Finventory%2F{item}"),
            format!("/inventory/%2e%2e/orders/{order}"),
            "/../../etc/passwd".to_owned(),
        ] {
            let answer = shop.raw(format!("{}\r\n", shop.head_of("GET", &path)));
            answer.expect(404);
        }
    });
}

#[test]
fn bytes_that_are_no_text_do_not_hurt() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        for path in
            [b"/inventory/\xe4\xbb\xb6".as_slice(), b"/inventory/\xff\xfe", b"/orders/\xf0\x9f\xa6\x80", b"/\xff"]
        {
            let mut request = b"GET ".to_vec();
            request.extend_from_slice(shop.0.base.as_bytes());
            request.extend_from_slice(path);
            request.extend_from_slice(
                format!(" HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", shop.0.authority).as_bytes(),
            );
            // A path must be ASCII, so that the server may refuse the request before the components see it.
            match unchecked(&shop, &request) {
                400 => {}
                404 => drop(shop.raw(&request)),
                status => panic!("{status} for {path:?}"),
            }
        }
        let odd = shop.get(format!("/orders/{order}")).header("x-odd", "é").header("cookie", "件=🦀");
        odd.send().order(200);
        assert_eq!(shop.available(&item), 9);
    });
}

/// The status alone, of an answer that may come from below the components and so promises nothing.
fn unchecked(shop: &Shop, request: &[u8]) -> u16 {
    let mut connection = shop.connect();
    connection.send(request).expect("the server takes requests");
    connection.receive(false).expect("the server answers").expect("the server answers").status
}

#[test]
fn a_query_changes_nothing() {
    with_shop(|shop| {
        let (order, item) = an_order(&shop);
        let many = vec!["p=1"; 10_000].join("&");
        for query in ["", "a=b", "quantity=9&item_id=item1", "%ff=%00", "?/../", many.as_str()] {
            shop.get(format!("/orders/{order}?{query}")).send().order(200);
            shop.get(format!("/inventory/{item}?{query}")).send().item(200);
            shop.get(format!("/inventory?{query}")).send().expect(200);
            shop.get(format!("/health?{query}")).send().expect(200);
            shop.get(format!("/none?{query}")).send().problem(404, "not_found");
            let request = shop.post(format!("/orders?{query}")).json(json!({"item_id": item, "quantity": 1}));
            let placed = request.send().order(201);
            shop.post(format!("/orders/{}/cancel/?{query}", placed.order_id)).send().order(200);
        }
        assert_eq!(shop.available(&item), 9);
        shop.post(format!("/orders/{order}/pay?{many}")).send().order(200);
    });
}

#[test]
fn the_servers_own_headers_cannot_be_forged() {
    with_shop(|shop| {
        let (mine, item) = an_order(&shop);
        let (theirs, other) = an_order(&shop);
        let before = (shop.order_now(&theirs), shop.item(&other));
        let forged = |request: crate::client::Request| {
            request
                .header("spin-path-match-order-id", &theirs)
                .header("spin-path-match-order_id", &theirs)
                .header("spin-path-match-item-id", &other)
                .header("spin-path-match-item_id", &other)
                .header("spin-path-info", format!("/orders/{theirs}"))
                .header("spin-full-url", format!("http://{}/orders/{theirs}", shop.0.authority))
                .header("spin-matched-route", "/health")
                .header("spin-component-route", "/health")
                .header("spin-raw-component-route", "/health")
                .header("spin-base-path", "/x")
                .header("x-original-url", format!("/orders/{theirs}"))
                .header("x-http-method-override", "DELETE")
        };
        let get = forged(shop.get(format!("/orders/{mine}"))).send().order(200);
        assert_eq!(get.order_id, mine);
        assert_eq!(forged(shop.get(format!("/inventory/{item}"))).send().item(200).item_id, item);
        let adjusted = forged(shop.adjust(&item, 1)).send().item(200);
        assert_eq!((adjusted.item_id, adjusted.on_hand), (item.clone(), 11));
        forged(shop.put_item(&item, json!({"unit_price": 1}))).send().item(200);
        assert_eq!(forged(shop.pay(&mine)).send().order(200).order_id, mine);
        let another = shop.place(&item, 1);
        assert_eq!(forged(shop.cancel(&another.order_id)).send().order(200).order_id, another.order_id);
        forged(shop.get("/orders/none")).send().problem(404, "order_not_found");
        forged(shop.get("/none")).send().problem(404, "not_found");
        assert_eq!((shop.order_now(&theirs), shop.item(&other)), before);
    });
}

#[test]
fn a_sane_request_id_comes_back() {
    with_shop(|shop| {
        let (order, _) = an_order(&shop);
        for id in ["0", "blackbox-7", "2f1b7c1e-4d3c-4f0e-8f57-3b3f5f6c9a10", &"a".repeat(64)] {
            for path in [&format!("/orders/{order}"), "/orders/none", "/health", "/inventory", "/none"] {
                let answer = shop.get(path).header("x-request-id", id).send();
                assert_eq!(answer.header("x-request-id"), Some(id), "{answer}");
            }
            let answer = shop.pay(&order).header("x-request-id", id).send();
            assert_eq!(answer.header("x-request-id"), Some(id), "{answer}");
            let answer = shop.post("/orders").header("x-request-id", id).body("application/json", "{").send();
            assert_eq!(answer.problem(400, "malformed_json"), answer.value());
            assert_eq!(answer.header("x-request-id"), Some(id), "{answer}");
        }
    });
}

#[test]
fn an_insane_request_id_is_replaced() {
    with_shop(|shop| {
        let mut given = Vec::new();
        for id in
            [b"".as_slice(), b"two words", b"<script>alert(1)</script>", b"line\tfeed", "é".as_bytes(), &[b'a'; 5000]]
        {
            let answer = shop.get("/health").header("x-request-id", id).send();
            let own = answer.header("x-request-id").expect("a request id");
            assert_ne!(own.as_bytes(), id, "{answer}");
            given.push(own.to_owned());
        }
        for _ in 0..5 {
            given.push(shop.get("/health").send().header("x-request-id").expect("a request id").to_owned());
        }
        let count = given.len();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), count, "a request id was given twice: {given:?}");
        // Two of them: one comes back, or a fresh one, but never both.
        shop.get("/health").header("x-request-id", "a").header("x-request-id", "b").send().expect(200);
    });
}

#[test]
fn an_order_that_did_not_change_is_not_sent_again() {
    with_shop(|shop| {
        let (order, _) = an_order(&shop);
        let path = format!("/orders/{order}");
        let pending = revalidates(&shop, &path);
        shop.pay(&order).send().order(200);
        let changed = shop.get(&path).header("if-none-match", &pending).send();
        assert_eq!(changed.order(200).status, Status::Paid);
        assert_ne!(revalidates(&shop, &path), pending);
    });
}

#[test]
fn an_item_that_did_not_change_is_not_sent_again() {
    with_shop(|shop| {
        let (_, item) = an_order(&shop);
        let path = format!("/inventory/{item}");
        let before = revalidates(&shop, &path);
        shop.place(&item, 1);
        shop.get(&path).header("if-none-match", &before).send().item(200);
        let after = revalidates(&shop, &path);
        assert_ne!(after, before);
        shop.put_item(&item, json!({"unit_price": 77})).send().item(200);
        shop.get(&path).header("if-none-match", &after).send().item(200);
    });
}

#[test]
fn a_list_that_did_not_change_is_not_sent_again() {
    // In a shop that no other test changes.
    with_own_server(&[], |server| {
        let shop = &server.shop;
        let before = revalidates(shop, "/inventory");
        shop.place("item2", 1);
        shop.get("/inventory").header("if-none-match", &before).send().expect(200);
        assert_ne!(revalidates(shop, "/inventory"), before);
    });
}

/// Proves that the path answers conditional requests as RFC 9110 has it, and gives its etag.
fn revalidates(shop: &Shop, path: &str) -> String {
    let answer = shop.get(path).send();
    let etag = answer.header("etag").unwrap_or_else(|| panic!("{answer}\nno etag")).to_owned();
    let opaque = etag.strip_prefix("W/").unwrap_or(&etag);
    assert!(opaque.len() > 2 && opaque.starts_with('"') && opaque.ends_with('"'), "{etag}");
    for same in [
        etag.clone(),
        opaque.to_owned(),
        format!("W/{opaque}"),
        format!("\"x\", {etag}"),
        format!("{etag},\"x\""),
        "*".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = shop.request(method, path).header("if-none-match", &same).send();
            assert_eq!(answer.expect(304).header("etag"), Some(etag.as_str()), "{answer}");
        }
    }
    for other in ["\"x\"", "W/\"x\"", "x", "", &opaque[..opaque.len() - 1]] {
        shop.get(path).header("if-none-match", other).send().expect(200);
    }
    // Two header lines are one list.
    let request = shop.get(path).header("if-none-match", "\"x\"").header("if-none-match", &etag);
    request.send().expect(304);
    etag
}
