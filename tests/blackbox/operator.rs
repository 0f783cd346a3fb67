//! What only the operator may do: make items, set prices, adjust stock.

use serde_json::{Value, json};

use crate::client::{Request, Shop, at_once, fresh, leaves_alone};
use crate::server::{with_own_server, with_shop};

#[test]
fn an_item_is_created_and_its_price_is_changed() {
    with_shop(|shop| {
        let item = fresh("item");
        shop.get(format!("/inventory/{item}")).send().problem(404, "item_not_found");
        let answer = shop.put_item(&item, json!({"unit_price": 1000, "on_hand": 50})).send();
        let created = answer.item(201);
        assert_eq!((created.on_hand, created.reserved, created.available), (50, 0, 50));
        assert_eq!(answer.header("location"), Some(format!("{}/inventory/{item}", shop.0.base).as_str()), "{answer}");
        assert_eq!(shop.item(&item), created);

        let changed = shop.put_item(&item, json!({"unit_price": 999})).send().item(200);
        assert_eq!((changed.unit_price, changed.on_hand), (999, 50));
        assert_eq!(shop.item(&item), changed);
        // Setting the price that it has is no mistake.
        assert_eq!(shop.put_item(&item, json!({"unit_price": 999})).send().item(200), changed);
    });
}

#[test]
fn a_new_item_without_a_number_has_no_stock() {
    with_shop(|shop| {
        let item = fresh("item");
        let created = shop.put_item(&item, json!({"unit_price": 5})).send().item(201);
        assert_eq!((created.on_hand, created.available), (0, 0));
        shop.order(json!({"item_id": item, "quantity": 1})).send().problem(409, "insufficient_stock");
        shop.adjust(&item, 1).send().item(200);
        shop.place(&item, 1);
    });
}

#[test]
fn stock_is_not_overwritten_by_creating_again() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        shop.place(&item, 4);
        leaves_alone(&shop, &[&item], || {
            for body in [json!({"unit_price": 1000, "on_hand": 10}), json!({"unit_price": 1, "on_hand": 0})] {
                let problem = shop.put_item(&item, body).send().problem(409, "item_exists");
                assert_eq!(problem["item_id"], item.as_str());
            }
        });
    });
}

#[test]
fn twenty_operators_at_once_create_an_item_once() {
    with_shop(|shop| {
        for _ in 0..5 {
            let item = fresh("item");
            let (operator, id) = (shop.clone(), item.clone());
            let answers = at_once(20, move |n| {
                let put = operator.put_item(&id, json!({"unit_price": n + 1, "on_hand": 100 + n}));
                put.send()
            });
            let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
            assert_eq!(created.len(), 1, "created {} times", created.len());
            assert_eq!(created[0].item(201), shop.item(&item));
            for answer in answers.iter().filter(|answer| answer.status != 201) {
                answer.problem(409, "item_exists");
            }
        }
    });
}

#[test]
fn an_item_that_makes_no_sense_is_not_created() {
    with_shop(|shop| {
        let item = fresh("item");
        let put =
            |body: &str| shop.put(format!("/inventory/{item}")).operator().body("application/json", body.to_owned());
        let invalid = [
            (r#"{}"#, "/unit_price?"),
            (r#"{"on_hand":1}"#, "/unit_price?"),
            (r#"{"unit_price":"1000"}"#, "/unit_price"),
            (r#"{"unit_price":10.5}"#, "/unit_price"),
            (r#"{"unit_price":-1}"#, "/unit_price"),
            (r#"{"unit_price":1000000000000000000000000000000}"#, "/unit_price"),
            (r#"{"unit_price":null}"#, "/unit_price"),
            (r#"{"unit_price":1,"on_hand":-1}"#, "/on_hand"),
            (r#"{"unit_price":1,"on_hand":1.5}"#, "/on_hand"),
            (r#"{"unit_price":1,"on_hand":"1"}"#, "/on_hand"),
            (r#"{"unit_price":1,"on_hand":1000000000000000000000000000000}"#, "/on_hand"),
            (r#"{"unit_price":1,"on_hand":[]}"#, "/on_hand"),
            (r#"{"unit_price":1,"reserved":1}"#, "/reserved?"),
            (r#"{"unit_price":1,"currency":"EUR"}"#, "/currency?"),
            (r#"[{"unit_price":1}]"#, ""),
            ("null", ""),
            ("7", ""),
        ];
        for (body, pointer) in invalid {
            put(body).send().invalid(pointer);
        }
        for body in ["", "{", r#"{"unit_price":1"#, r#"{"unit_price":1}x"#, r#"{"unit_price":01}"#] {
            put(body).send().problem(400, "malformed_json");
        }
        shop.get(format!("/inventory/{item}")).send().problem(404, "item_not_found");

        // Nor is one that is there changed.
        shop.put_item(&item, json!({"unit_price": 5, "on_hand": 5})).send().item(201);
        leaves_alone(&shop, &[&item], || {
            for (body, pointer) in invalid {
                put(body).send().invalid(pointer);
            }
        });
    });
}

#[test]
fn an_item_id_that_makes_no_sense_is_not_created() {
    with_shop(|shop| {
        for id in ["x".repeat(65), "a%20b".to_owned(), "%E4%BB%B6".to_owned(), "a:b".to_owned(), "a~b".to_owned()] {
            shop.put_item(&id, json!({"unit_price": 1})).send().problem(422, "invalid_request");
            shop.get(format!("/inventory/{id}")).send().problem(404, "item_not_found");
        }
        // The longest, with every kind of character that is allowed.
        let id = format!("{}.Z_{}", fresh("long"), "x".repeat(64));
        shop.put_item(&id[..64], json!({"unit_price": 1})).send().item(201);
    });
}

#[test]
fn an_adjustment_adds_or_takes_stock() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        assert_eq!(shop.adjust(&item, 5).send().item(200).available, 15);
        let damaged = json!({"delta": -3, "reason": "damaged"});
        let path = format!("/inventory/{item}/adjustments");
        assert_eq!(shop.post(&path).operator().json(damaged).send().item(200).available, 12);
        assert_eq!(shop.adjust(&item, -12).send().item(200).on_hand, 0);
        let problem = shop.adjust(&item, -1).send().problem(409, "insufficient_stock");
        assert_eq!((&problem["item_id"], &problem["available"]), (&json!(item), &json!(0)));
        assert_eq!(shop.adjust(&item, 1).send().item(200), shop.item(&item));
    });
}

#[test]
fn what_is_reserved_cannot_be_taken_away() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let (pending, paid) = (shop.place(&item, 4), shop.place_paid(&item, 3));
        let problem = shop.adjust(&item, -4).send().problem(409, "insufficient_stock");
        assert_eq!((&problem["item_id"], &problem["available"]), (&json!(item), &json!(3)));
        assert_eq!(shop.available(&item), 3);
        shop.adjust(&item, -3).send().item(200);
        assert_eq!(shop.available(&item), 0);
        // The orders have lost nothing.
        shop.pay(&pending.order_id).send().order(200);
        assert_eq!(shop.order_now(&paid.order_id), paid);
    });
}

#[test]
fn an_adjustment_that_makes_no_sense_adjusts_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let path = format!("/inventory/{item}/adjustments");
        let adjust = |body: &str| shop.post(&path).operator().body("application/json", body.to_owned()).send();
        leaves_alone(&shop, &[&item], || {
            for (body, pointer) in [
                (r#"{"delta":0}"#, "/delta"),
                (r#"{"delta":-0}"#, "/delta"),
                (r#"{"delta":1.5}"#, "/delta"),
                (r#"{"delta":"3"}"#, "/delta"),
                (r#"{"delta":null}"#, "/delta"),
                (r#"{"delta":true}"#, "/delta"),
                (r#"{"delta":1000000000000000000000000000000}"#, "/delta"),
                (r#"{"delta":-1000000000000000000000000000000}"#, "/delta"),
                (r#"{"delta":9223372036854775807}"#, "/delta"),
                (r#"{"delta":-9223372036854775808}"#, "/delta"),
                (r#"{"delta":18446744073709551615}"#, "/delta"),
                ("{}", "/delta?"),
                (r#"{"reason":"damaged"}"#, "/delta?"),
                (r#"{"delta":1,"reason":5}"#, "/reason"),
                (r#"{"delta":1,"reason":"a\u0000b"}"#, "/reason"),
                (r#"{"delta":1,"reason":"a\nb"}"#, "/reason"),
                (r#"{"delta":1,"reason":"\u202eb"}"#, "/reason"),
                (r#"{"delta":1,"reason":"a\u2028"}"#, "/reason"),
                (r#"{"delta":1,"on_hand":5}"#, "/on_hand?"),
                ("[1]", ""),
                ("1", ""),
                ("null", ""),
            ] {
                adjust(body).invalid(pointer);
            }
            for body in ["", "{", r#"{"delta":+1}"#, r#"{"delta":1"#, r#"{"delta":0x1}"#, r#"{"delta":NaN}"#] {
                adjust(body).problem(400, "malformed_json");
            }
        });
    });
}

#[test]
fn an_adjustment_of_an_unknown_item_makes_none() {
    with_shop(|shop| {
        let item = fresh("unknown");
        let problem = shop.adjust(&item, 5).send().problem(404, "item_not_found");
        assert_eq!(problem["item_id"], item.as_str());
        shop.get(format!("/inventory/{item}")).send().problem(404, "item_not_found");
    });
}

/// Everything an operator can ask for, before it says who it is.
fn operator_requests(shop: &Shop, item: &str) -> [Request; 7] {
    let order = "/orders/a51dee89-7e11-4f02-a419-92ca47ab279f";
    let goods = json!({"items": [{"item_id": item, "quantity": 1}]});
    [
        shop.post(format!("{order}/returns")).key(fresh("key")).json(goods),
        shop.get(format!("{order}/returns")),
        shop.put(format!("{order}/fulfilment")).json(json!({})),
        shop.put(format!("/inventory/{item}")).json(json!({"unit_price": 1})),
        shop.put(format!("/inventory/{}", fresh("item"))).json(json!({"unit_price": 1, "on_hand": 5})),
        shop.post(format!("/inventory/{item}/adjustments")).json(json!({"delta": 1})),
        // A client without the right to do a thing is not told what else is wrong with it.
        shop.put(format!("/inventory/{item}")).body("text/plain", "{"),
    ]
}

#[test]
fn only_the_token_makes_an_operator() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let token = shop.0.token.clone().expect("new_item needed it");
        let wrong = [
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer wrong".to_owned(),
            format!("Bearer {token}x"),
            format!("Bearer {}", &token[1..]),
            format!("Bearer {}", &token[..token.len() - 1]),
            format!("Bearer {}", token.to_uppercase()),
            format!("Bearer {token} {token}"),
            format!("Bearer {}", "x".repeat(5000)),
            format!("Basic {token}"),
            format!("Bearer{token}"),
            token.to_string(),
        ];
        leaves_alone(&shop, &[&item], || {
            for request in operator_requests(&shop, &item) {
                request.clone().send().problem(401, "unauthorized");
                for authorization in &wrong {
                    let request = request.clone().header("authorization", authorization);
                    request.send().problem(401, "unauthorized");
                }
                let request = request.header("authorization", format!("Bearer é{token}"));
                request.send().problem(401, "unauthorized");
            }
        });
    });
}

#[test]
fn the_name_of_the_scheme_has_no_case() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let token = shop.0.token.clone().expect("new_item needed it");
        for scheme in ["bearer", "BEARER", "Bearer"] {
            let request = shop.post(format!("/inventory/{item}/adjustments")).json(json!({"delta": 1}));
            request.header("authorization", format!("{scheme} {token}")).send().item(200);
        }
        assert_eq!(shop.available(&item), 13);
    });
}

#[test]
fn without_a_token_nobody_is_operator() {
    with_own_server(&[("operator_token", "")], |server| {
        let shop = &server.shop;
        leaves_alone(shop, &["item1"], || {
            for request in operator_requests(shop, "item1") {
                for authorization in [None, Some("Bearer"), Some("Bearer "), Some("Bearer x"), Some("Basic Og==")] {
                    let request = match authorization {
                        Some(value) => request.clone().header("authorization", value),
                        None => request.clone(),
                    };
                    request.send().problem(403, "operator_disabled");
                }
            }
        });
        // Customers are served all the same.
        let order = shop.place_paid("item1", 1);
        assert_eq!(order.total, 1000);
    });
}

#[test]
fn a_limit_is_set_kept_changed_and_taken_away() {
    with_shop(|shop| {
        let item = fresh("item");
        let created = shop.put_item(&item, json!({"unit_price": 5, "on_hand": 9, "max_per_order": 4})).send().item(201);
        assert_eq!(created.max_per_order, Some(4));
        for (body, limit) in [
            (json!({"unit_price": 6}), Some(4)),
            (json!({"unit_price": 6, "max_per_order": 1_000_000}), Some(1_000_000)),
            (json!({"unit_price": 6, "max_per_order": 1}), Some(1)),
            (json!({"unit_price": 6, "max_per_order": null}), None),
            (json!({"unit_price": 6, "max_per_order": null}), None),
            (json!({"unit_price": 6}), None),
        ] {
            let put = shop.put_item(&item, body).send().item(200);
            assert_eq!((put.max_per_order, shop.item(&item)), (limit, put));
        }
        for wrong in [json!(0), json!(-1), json!(1.5), json!(1_000_001), json!("5"), json!([]), json!(true)] {
            shop.put_item(&item, json!({"unit_price": 6, "max_per_order": wrong})).send().invalid("/max_per_order");
        }
        shop.put("/inventory/item1").json(json!({"unit_price": 6, "max_per_order": 1})).send().expect(401);
    });
}

#[test]
fn a_condition_sees_that_the_limit_has_changed() {
    with_shop(|shop| {
        let item = shop.new_item(9, 5);
        let tag = || shop.get(format!("/inventory/{item}")).send().header("etag").expect("a tag").to_owned();
        let before = tag();
        let put = |limit: u64| shop.put_item(&item, json!({"unit_price": 5, "max_per_order": limit}));
        put(4).header("if-match", &before).send().item(200);
        assert_ne!(tag(), before);
        put(5).header("if-match", &before).send().problem(412, "precondition_failed");
        assert_eq!(shop.item(&item).max_per_order, Some(4));
        put(5).header("if-match", tag()).send().item(200);
        assert_eq!(shop.item(&item).max_per_order, Some(5));
    });
}

const IMAGE: &str = "https://shop.example/teapot.jpg";

#[test]
fn a_name_and_an_image_are_set_kept_changed_and_taken_away_and_shown_wherever_the_item_is() {
    with_shop(|shop| {
        let item = fresh("item");
        let new = json!({"unit_price": 5, "on_hand": 9, "name": "Teapot, blue", "image": IMAGE});
        let created = shop.put_item(&item, new).send().item(201);
        assert_eq!((created.name.as_deref(), created.image.as_deref()), (Some("Teapot, blue"), Some(IMAGE)));
        let most = "\u{1f980}".repeat(100);
        for (body, name, image) in [
            (json!({"unit_price": 6}), Some("Teapot, blue"), Some(IMAGE)),
            (json!({"unit_price": 6, "name": "\u{8336}\u{58f6}"}), Some("\u{8336}\u{58f6}"), Some(IMAGE)),
            (json!({"unit_price": 6, "image": null}), Some("\u{8336}\u{58f6}"), None),
            (json!({"unit_price": 6, "name": null, "image": null}), None, None),
            (json!({"unit_price": 6}), None, None),
            (
                json!({"unit_price": 6, "name": most, "image": "http://localhost:3000/a.png"}),
                Some(&*most),
                Some("http://localhost:3000/a.png"),
            ),
            (
                json!({"unit_price": 6, "name": " <b>\"a\" & 'b'</b> \\", "max_per_order": 3}),
                Some(" <b>\"a\" & 'b'</b> \\"),
                Some("http://localhost:3000/a.png"),
            ),
        ] {
            let put = shop.put_item(&item, body).send().item(200);
            assert_eq!((put.name.as_deref(), put.image.as_deref()), (name, image));
            assert_eq!(shop.item(&item), put);
            let list = shop.get("/inventory").send().value();
            let listed = list["items"].as_array().expect("items").iter().find(|one| one["item_id"] == *item);
            assert_eq!(listed.expect("it is listed").get("name"), name.map(Into::into).as_ref());
            let books = shop.get("/books").operator().send().value();
            let account = books["items"].as_array().expect("items").iter().find(|one| one["item_id"] == *item);
            assert_eq!(account.expect("it is in the books").get("name"), name.map(Into::into).as_ref());
        }
        // An adjustment shows the item as `GET` does.
        assert_eq!(shop.adjust(&item, 1).send().item(200), shop.item(&item));
    });
}

#[test]
fn a_name_or_an_image_that_is_none_is_refused_with_its_place_and_changes_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(9, 5);
        let before = shop.item(&item);
        let put = |member: &str, value: Value| {
            let mut body = json!({"unit_price": 6});
            body[member] = value;
            shop.put_item(&item, body)
        };
        let names = [
            json!(""),
            json!(" "),
            json!("\u{200b}"),
            json!("a\nb"),
            json!("a\u{202e}b"),
            json!("\u{2066}a"),
            json!("\u{feff}a"),
            json!("a".repeat(101)),
            json!("\u{1f980}".repeat(101)),
            json!(5),
            json!(true),
            json!([]),
            json!({}),
            json!(["a"]),
        ];
        for name in names {
            put("name", name).send().invalid("/name");
        }
        let images = [
            json!(""),
            json!("teapot.jpg"),
            json!("/teapot.jpg"),
            json!("//shop.example/a"),
            json!("http://shop.example/a"),
            json!("javascript:alert(1)"),
            json!("JavaScript:alert(1)"),
            json!("data:image/svg+xml,<svg/>"),
            json!("https://user:word@shop.example/a"),
            json!("https://shop.example/a#b"),
            json!("https://shop.example/a b"),
            json!("https://shop.example/\u{8336}"),
            json!("https://shop.example/\u{202e}"),
            json!("https://shop.example/\n"),
            json!(format!("https://shop.example/{}", "a".repeat(235))),
            json!(7),
            json!(false),
            json!([IMAGE]),
            json!({}),
        ];
        for image in images {
            put("image", image).send().invalid("/image");
        }
        let both = json!({"unit_price": 6, "name": "", "image": "data:,", "max_per_order": 0});
        let problem = shop.put_item(&item, both).send().problem(422, "invalid_request");
        let mut places: Vec<_> =
            problem["errors"].as_array().expect("errors").iter().map(|error| &error["pointer"]).collect();
        places.sort_by_key(|place| place.to_string());
        assert_eq!(places, ["/image", "/max_per_order", "/name"]);
        assert_eq!(shop.item(&item), before);
        shop.put("/inventory/item1").json(json!({"unit_price": 1000, "name": "mine"})).send().expect(401);
        assert_eq!(shop.item("item1").name, None);
    });
}

#[test]
fn a_condition_sees_that_the_name_or_the_image_has_changed() {
    with_shop(|shop| {
        let item = shop.new_item(9, 5);
        for (member, value) in [("name", "Teapot"), ("name", "Cup"), ("image", IMAGE)] {
            let before = shop.get(format!("/inventory/{item}")).send().header("etag").expect("a tag").to_owned();
            let mut body = json!({"unit_price": 5});
            body[member] = value.into();
            shop.put_item(&item, body.clone()).header("if-match", &before).send().item(200);
            body[member] = json!(null);
            shop.put_item(&item, body).header("if-match", &before).send().problem(412, "precondition_failed");
        }
    });
}
