//! Goods of a paid order go out to the buyer, and come back, and so does the money.

use std::collections::BTreeSet;

use harness::observed::Status;
use serde_json::{Value, json};

use crate::client::{Request, Shop, at_once, fresh, leaves_alone};
use crate::envelope::Answer;
use crate::server::with_shop;
use crate::shapes::{Account, Accounts, Order, Refund, Return};

fn take_back(shop: &Shop, order: &Order, body: Value, key: &str) -> Request {
    shop.post(format!("/orders/{}/returns", order.order_id)).operator().json(body).key(key)
}

/// Takes this many of the order's item back, into stock or not.
fn take_some_back(shop: &Shop, order: &Order, quantity: u64, to: &str, key: &str) -> Answer {
    let item = &order.items[0].item_id;
    take_back(shop, order, json!({"items": [{"item_id": item, "quantity": quantity}], "to": to}), key).send()
}

fn fulfil(shop: &Shop, order: &str, body: Value) -> Request {
    shop.put(format!("/orders/{order}/fulfilment")).operator().json(body)
}

fn returned(answer: &Answer, status: u16) -> Return {
    answer.expect(status);
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{answer}\n{error}"))
}

fn returns_of(shop: &Shop, order: &Order) -> Value {
    let answer = shop.get(format!("/orders/{}/returns", order.order_id)).operator().send();
    answer.expect(200);
    answer.value()["returns"].clone()
}

fn give_back(shop: &Shop, order: &Order, body: Value, key: &str) -> Request {
    shop.post(format!("/orders/{}/refunds", order.order_id)).operator().json(body).key(key)
}

fn refunded(answer: &Answer, status: u16) -> Refund {
    answer.expect(status);
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{answer}\n{error}"))
}

fn account(shop: &Shop, item: &str) -> Account {
    let answer = shop.get("/books").operator().send();
    let books = Accounts::parse(&answer.expect(200).body).unwrap_or_else(|error| panic!("{answer}\n{error}"));
    let account = books.items.into_iter().find(|account| account.item_id == item).expect("an account");
    assert!(account.balanced, "{account:?}");
    account
}

#[test]
fn goods_that_come_back_can_be_sold_again_or_are_written_off() {
    with_shop(|shop| {
        let item = shop.new_item(10, 500);
        let order = shop.place_paid(&item, 5);
        let back = returned(&take_some_back(&shop, &order, 2, "stock", "a"), 201);
        assert_eq!((back.done, back.items[0].quantity, back.to.as_str(), &back.reason), (true, 2, "stock", &None));
        assert_eq!(shop.available(&item), 7);
        let body = json!({"items": [{"item_id": item, "quantity": 3}], "to": "written_off", "reason": "broken"});
        let lost = returned(&take_back(&shop, &order, body, "b").send(), 201);
        assert_eq!(lost.reason.as_deref(), Some("broken"));
        assert_eq!(shop.available(&item), 7);
        let account = account(&shop, &item);
        assert_eq!((account.received, account.sold, account.on_hand), (10, 5, 7));
        assert_eq!((account.returned, account.written_off), (5, 3));

        let shown = shop.order_now(&order.order_id);
        assert_eq!((shown.status, shown.returns.len()), (Status::Paid, 2));
        assert!(shown.returns.iter().all(|one| one.reason.is_none()), "the reason is for the operator: {shown:?}");
        assert_eq!(returns_of(&shop, &order)[1]["reason"], "broken");
        let history = shop.get(format!("/orders/{}/history", order.order_id)).send();
        let events = history.value()["events"].clone();
        assert_eq!(
            (&events[2]["event"], &events[3]["event"]),
            (&json!("returned"), &json!("written_off")),
            "{history}"
        );
        assert!(!String::from_utf8_lossy(&history.body).contains("broken"), "{history}");
        let metrics = shop.get("/metrics").operator().send();
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(metrics.contains(&format!("stock_returned{{item=\"{item}\"}} 5")), "{metrics}");
        assert!(metrics.contains(&format!("stock_written_off{{item=\"{item}\"}} 3")), "{metrics}");
    });
}

#[test]
fn a_return_of_several_lines_is_sent_again_and_made_once() {
    with_shop(|shop| {
        let (tea, cup) = (shop.new_item(5, 100), shop.new_item(5, 100));
        let lines = json!({"items": [{"item_id": tea, "quantity": 2}, {"item_id": cup, "quantity": 1}]});
        let order = shop.order(lines.clone()).send().order(201);
        shop.pay(&order.order_id).send().order(200);
        let first = take_back(&shop, &order, lines.clone(), "a").send();
        assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
        let again = take_back(&shop, &order, lines.clone(), "\"a\"").send();
        assert_eq!((again.header("idempotent-replayed"), again.value()), (Some("true"), first.value()));
        assert_eq!((shop.available(&tea), shop.available(&cup)), (5, 5));
        for other in [json!({"items": [{"item_id": tea, "quantity": 2}]}), {
            let mut other = lines.clone();
            other["to"] = "written_off".into();
            other
        }] {
            take_back(&shop, &order, other, "a").send().problem(422, "idempotency_key_reused");
        }
        assert_eq!(returns_of(&shop, &order).as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn no_more_comes_back_than_was_sold_however_many_ask_at_once() {
    with_shop(|shop| {
        let item = shop.new_item(20, 100);
        let order = shop.place_paid(&item, 5);
        let (asked, of) = (shop.clone(), order.clone());
        let answers = at_once(20, move |number| {
            take_some_back(&asked, &of, 1, ["stock", "written_off"][number % 2], &number.to_string())
        });
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 5);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            let problem = answer.problem(409, "return_exceeds_sale");
            assert_eq!((&problem["item_id"], &problem["sold"]), (&json!(item), &json!(5)));
        }
        assert_eq!(account(&shop, &item).returned, 5);
    });
}

#[test]
fn one_return_that_many_send_at_once_is_made_once() {
    with_shop(|shop| {
        let item = shop.new_item(20, 100);
        let order = shop.place_paid(&item, 5);
        let (asked, of) = (shop.clone(), order.clone());
        let answers = at_once(20, move |_| take_some_back(&asked, &of, 2, "stock", "the-same"));
        let ids: Vec<_> = answers.iter().map(|answer| returned(answer, 201).return_id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let account = account(&shop, &item);
        assert_eq!((account.returned, account.on_hand), (2, 17));
    });
}

#[test]
fn what_cannot_come_back_is_refused_and_changes_nothing() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let (pending, cancelled) = (shop.place(&item, 1), shop.place_cancelled(&item, 1));
        let order = shop.place_paid(&item, 2);
        shop.item(&item);
        leaves_alone(&shop, &[&item], || {
            for (order, status) in [(&pending, "pending"), (&cancelled, "cancelled")] {
                let problem = take_some_back(&shop, order, 1, "stock", "k").problem(409, "order_not_returnable");
                assert_eq!(problem["order_status"], status);
            }
            let problem = take_some_back(&shop, &order, 3, "stock", "k").problem(409, "return_exceeds_sale");
            assert_eq!((&problem["requested"], &problem["returnable"]), (&json!(3), &json!(2)));
            let unknown = json!({"items": [{"item_id": fresh("item"), "quantity": 1}]});
            let problem = take_back(&shop, &order, unknown, "k").send().problem(409, "return_exceeds_sale");
            assert_eq!((&problem["sold"], &problem["returnable"]), (&json!(0), &json!(0)));
            let none = shop.post("/orders/a51dee89-7e11-4f02-a419-92ca47ab279f/returns").operator().key("k");
            none.json(json!({"items": [{"item_id": item, "quantity": 1}]})).send().problem(404, "order_not_found");
        });
        assert_eq!(returns_of(&shop, &order), json!([]));
    });
}

#[test]
fn a_return_that_is_badly_written_is_refused_with_its_place() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let order = shop.place_paid(&item, 2);
        let line = |quantity: Value| json!({"items": [{"item_id": item, "quantity": quantity}]});
        let with = |name: &str, value: Value| {
            let mut body = line(json!(1));
            body[name] = value;
            body
        };
        leaves_alone(&shop, &[&item], || {
            for (body, pointer) in [
                (json!({}), "/items?"),
                (json!({"items": []}), "/items"),
                (json!({"items": null}), "/items"),
                (json!([]), ""),
                (line(json!(0)), "/items/0/quantity"),
                (line(json!(-1)), "/items/0/quantity"),
                (line(json!(1.5)), "/items/0/quantity"),
                (line(json!(1_000_001)), "/items/0/quantity"),
                (line(json!("1")), "/items/0/quantity"),
                (json!({"items": [{"item_id": "no item", "quantity": 1}]}), "/items/0/item_id"),
                (json!({"items": [{"item_id": item, "quantity": 1, "unit_price": 5}]}), "/items/0/unit_price"),
                (json!({"items": vec![json!({"item_id": item, "quantity": 1}); 51]}), "/items"),
                (with("to", json!("nowhere")), "/to"),
                (with("to", json!(1)), "/to"),
                (with("reason", json!("x".repeat(257))), "/reason"),
                (with("reason", json!("a\nb")), "/reason"),
                (with("reason", json!("a\u{202e}b")), "/reason"),
                (with("amount", json!(1)), "/amount"),
            ] {
                take_back(&shop, &order, body, "k").send().invalid(pointer);
            }
            let path = format!("/orders/{}/returns", order.order_id);
            let without_key = shop.post(&path).operator().json(line(json!(1))).send();
            let problem = without_key.problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["header"], "idempotency-key", "{problem}");
            for key in ["", "a b", &"k".repeat(256)] {
                take_back(&shop, &order, line(json!(1)), key).send().problem(422, "invalid_request");
            }
            shop.post(&path).operator().key("k").body("application/json", "{").send().problem(400, "malformed_json");
        });
        let reason = with("reason", json!("件".repeat(256)));
        assert_eq!(returned(&take_back(&shop, &order, reason, "k").send(), 201).reason, Some("件".repeat(256)));
    });
}

#[test]
fn an_order_takes_sixty_four_returns() {
    with_shop(|shop| {
        let item = shop.new_item(100, 1);
        let order = shop.place_paid(&item, 100);
        for number in 0..64 {
            returned(&take_some_back(&shop, &order, 1, "stock", &number.to_string()), 201);
        }
        take_some_back(&shop, &order, 1, "stock", "more").problem(507, "order_full");
        returned(&take_some_back(&shop, &order, 1, "stock", "0"), 201);
        assert_eq!(shop.available(&item), 64);
        assert_eq!(returns_of(&shop, &order).as_array().map(Vec::len), Some(64));
    });
}

#[test]
fn what_an_item_has_no_room_for_does_not_come_back() {
    with_shop(|shop| {
        let item = shop.new_item(2, 1);
        let order = shop.place_paid(&item, 2);
        shop.adjust(&item, 1).send().item(200);
        shop.adjust(&item, 999_999_999_998).send().item(200);
        take_some_back(&shop, &order, 2, "stock", "a").invalid("/items");
        returned(&take_some_back(&shop, &order, 1, "stock", "b"), 201);
        assert_eq!(shop.item(&item).on_hand, 1_000_000_000_000);
    });
}

#[test]
fn goods_go_out_and_how_can_be_said_otherwise_until_they_are_delivered() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let order = shop.place(&item, 1);
        let id = order.order_id.as_str();
        let problem = fulfil(&shop, id, json!({})).send().problem(409, "order_not_fulfillable");
        assert_eq!(problem["order_status"], "pending");
        shop.pay(id).send().order(200);
        let body = json!({
            "carrier": "DHL", "tracking_number": "123", "tracking_url": "https://track.example/123?lang=de"
        });
        let sent = fulfil(&shop, id, body.clone()).send().order(200);
        assert_eq!(sent.status, Status::Fulfilled);
        assert_eq!(fulfil(&shop, id, body).send().order(200), sent);
        assert_eq!(shop.order_now(id), sent);
        let changed = fulfil(&shop, id, json!({"carrier": "UPS"})).send().order(200);
        let (first, now) = (sent.fulfilment.expect("it went out"), changed.fulfilment.expect("it went out"));
        assert_eq!((now.carrier.as_deref(), now.tracking_number, now.tracking_url), (Some("UPS"), None, None));
        assert_eq!((first.fulfilled_at, now.delivered_at), (now.fulfilled_at, None));
        let delivered = fulfil(&shop, id, json!({"carrier": "UPS", "delivered": true})).send().order(200);
        assert!(delivered.fulfilment.as_ref().is_some_and(|out| out.delivered_at.is_some()));
        assert_eq!(fulfil(&shop, id, json!({"carrier": "UPS", "delivered": true})).send().order(200), delivered);
        for body in [json!({"carrier": "DHL", "delivered": true}), json!({"carrier": "UPS"}), json!({})] {
            fulfil(&shop, id, body).send().problem(409, "order_delivered");
        }
        assert_eq!(shop.pay(id).send().order(200), delivered);
        let problem = shop.cancel(id).send().problem(409, "order_not_cancellable");
        assert_eq!(problem["order_status"], "fulfilled");
        let history = shop.get(format!("/orders/{id}/history")).send().value();
        let events: Vec<_> = history["events"].as_array().into_iter().flatten().map(|event| &event["event"]).collect();
        assert_eq!(events, ["placed", "paid", "fulfilled", "delivered"]);
    });
}

#[test]
fn an_order_whose_goods_are_all_back_is_not_sent() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let order = shop.place_paid(&item, 2);
        returned(&take_some_back(&shop, &order, 2, "stock", "a"), 201);
        let problem = fulfil(&shop, &order.order_id, json!({})).send().problem(409, "order_not_fulfillable");
        assert_eq!(problem["order_status"], "paid");
    });
}

#[test]
fn a_shipment_that_is_badly_written_is_refused_with_its_place() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let order = shop.place_paid(&item, 1);
        for (body, pointer) in [
            (json!([]), ""),
            (json!({"carrier": ""}), "/carrier"),
            (json!({"carrier": 1}), "/carrier"),
            (json!({"carrier": "x".repeat(65)}), "/carrier"),
            (json!({"carrier": "a\tb"}), "/carrier"),
            (json!({"tracking_number": "x".repeat(65)}), "/tracking_number"),
            (json!({"tracking_number": "a\u{2066}"}), "/tracking_number"),
            (json!({"tracking_url": "http://track.example/1"}), "/tracking_url"),
            (json!({"tracking_url": "javascript:alert(1)"}), "/tracking_url"),
            (json!({"tracking_url": "https://user@evil.example/"}), "/tracking_url"),
            (json!({"tracking_url": format!("https://a/{}", "x".repeat(1015))}), "/tracking_url"),
            (json!({"delivered": "yes"}), "/delivered"),
            (json!({"delivered": 1}), "/delivered"),
            (json!({"delivered_at": "2026-11-28T12:00:00.000Z"}), "/delivered_at"),
        ] {
            fulfil(&shop, &order.order_id, body).send().invalid(pointer);
        }
        assert_eq!(shop.order_now(&order.order_id).status, Status::Paid);
        let longest = json!({
            "carrier": "件".repeat(64), "tracking_number": "x".repeat(64),
            "tracking_url": format!("https://a/{}", "x".repeat(1014))
        });
        assert_eq!(fulfil(&shop, &order.order_id, longest).send().order(200).status, Status::Fulfilled);
        let none = fulfil(&shop, "a51dee89-7e11-4f02-a419-92ca47ab279f", json!({})).send();
        none.problem(404, "order_not_found");
    });
}

#[test]
fn an_order_that_has_changed_since_it_was_looked_at_is_left_alone() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let order = shop.place_paid(&item, 3);
        let id = order.order_id.as_str();
        let tag = || shop.get(format!("/orders/{id}")).send().header("etag").expect("a tag").to_owned();
        let before = tag();
        fulfil(&shop, id, json!({})).header("if-match", &before).send().order(200);
        assert_ne!(tag(), before);
        fulfil(&shop, id, json!({"carrier": "x"}))
            .header("if-match", &before)
            .send()
            .problem(412, "precondition_failed");
        let one = json!({"items": [{"item_id": item, "quantity": 1}]});
        let stale = take_back(&shop, &order, one.clone(), "k").header("if-match", &before).send();
        stale.problem(412, "precondition_failed");
        returned(&take_back(&shop, &order, one, "k").header("if-match", tag()).send(), 201);
        assert_eq!(shop.order_now(id).returns.len(), 1);
    });
}

#[test]
fn the_list_tells_what_is_to_be_packed_from_what_went_out() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let (to_be_packed, sent) = (shop.place_paid(&item, 1), shop.place_paid(&item, 1));
        fulfil(&shop, &sent.order_id, json!({})).send().order(200);
        for (status, is_there) in [("paid", [true, false]), ("fulfilled", [false, true])] {
            let list = shop.get(format!("/orders?status={status}&limit=100")).operator().send();
            list.expect(200);
            let text = String::from_utf8_lossy(&list.body);
            let found = [&to_be_packed, &sent].map(|order| text.contains(&order.order_id));
            assert_eq!(found, is_there, "{status}");
        }
    });
}

#[test]
fn money_goes_back_with_the_goods_or_without_and_the_order_says_how_much() {
    with_shop(|shop| {
        let item = shop.new_item(10, 500);
        let order = shop.place_paid(&item, 4);
        let body = json!({"items": [{"item_id": item, "quantity": 1}], "restock": true, "reason": "broken"});
        let answer = give_back(&shop, &order, body.clone(), "a").send();
        let one = refunded(&answer, 201);
        assert_eq!((one.amount, one.status.as_str(), one.of.as_str()), (500, "succeeded", "payment"));
        assert_eq!((one.reason.as_deref(), one.items[0].quantity), (Some("broken"), 1));
        assert_eq!(shop.available(&item), 7);
        let again = give_back(&shop, &order, body, "\"a\"").send();
        assert_eq!((again.header("idempotent-replayed"), again.value()), (Some("true"), answer.value()));
        give_back(&shop, &order, json!({"amount": 500}), "a").send().problem(422, "idempotency_key_reused");
        let shown = shop.order_now(&order.order_id);
        assert_eq!((shown.status, shown.refunded, &shown.refunds[0].reason), (Status::Paid, Some(500), &None));
        assert_eq!(shown.refunds[0].return_id.as_deref(), Some(shown.returns[0].return_id.as_str()));

        let problem =
            give_back(&shop, &order, json!({"amount": 1501}), "b").send().problem(409, "refund_exceeds_payment");
        assert_eq!((&problem["refundable"], &problem["requested"]), (&json!(1500), &json!(1501)));
        let more = json!({"items": [{"item_id": item, "quantity": 4}]});
        let problem = give_back(&shop, &order, more, "b").send().problem(409, "refund_exceeds_sale");
        assert_eq!((&problem["refundable"], &problem["sold"]), (&json!(3), &json!(4)));
        let rest = refunded(&give_back(&shop, &order, json!({}), "b").send(), 201);
        assert_eq!((rest.amount, shop.available(&item)), (1500, 7));
        assert_eq!(shop.order_now(&order.order_id).status, Status::Refunded);
        give_back(&shop, &order, json!({"amount": 1}), "c").send().problem(409, "refund_exceeds_payment");
        let problem = give_back(&shop, &order, json!({}), "c").send().problem(409, "order_not_refundable");
        assert_eq!(problem["order_status"], "refunded");
        fulfil(&shop, &order.order_id, json!({})).send().problem(409, "order_not_fulfillable");
        shop.cancel(&order.order_id).send().problem(409, "order_not_cancellable");
        assert_eq!(shop.pay(&order.order_id).send().order(200).status, Status::Refunded, "it was paid");

        let listed = shop.get(format!("/orders/{}/refunds", order.order_id)).operator().send();
        let listed = listed.value();
        assert_eq!((&listed["refunded"], listed["refunds"].as_array().map(Vec::len)), (&json!(2000), Some(2)));
        let history = shop.get(format!("/orders/{}/history", order.order_id)).send();
        let events = history.value()["events"].clone();
        let of = |event: &str| events.as_array().into_iter().flatten().filter(|one| one["event"] == event).count();
        assert_eq!((of("refunded"), of("returned")), (2, 1), "{history}");
        assert!(!String::from_utf8_lossy(&history.body).contains("broken"), "{history}");
        let rows = shop.get(format!("/orders?format=csv&order_id={}", order.order_id)).operator().send();
        let rows = String::from_utf8_lossy(&rows.body).into_owned();
        assert!(rows.contains(",refunded,disputed\r\n") && rows.trim_end().ends_with(",2000,"), "{rows}");
        let account = account(&shop, &item);
        assert_eq!((account.sold, account.returned, account.on_hand), (4, 1, 7));
    });
}

#[test]
fn a_refund_that_is_badly_written_is_refused_with_its_place() {
    with_shop(|shop| {
        let item = shop.new_item(9, 100);
        let (pending, order) = (shop.place(&item, 1), shop.place_paid(&item, 2));
        let line = |quantity: Value| json!({"items": [{"item_id": item, "quantity": quantity}]});
        leaves_alone(&shop, &[&item], || {
            for (body, pointer) in [
                (json!({"amount": 0}), "/amount"),
                (json!({"amount": null}), "/amount"),
                (json!({"amount": "1"}), "/amount"),
                (json!({"items": []}), "/items"),
                (json!({"items": null}), "/items"),
                (json!([]), ""),
                (line(json!(0)), "/items/0/quantity"),
                (line(json!(1_000_001)), "/items/0/quantity"),
                (json!({"items": vec![json!({"item_id": item, "quantity": 1}); 51]}), "/items"),
                (json!({"amount": 1, "items": [{"item_id": item, "quantity": 1}]}), "/items"),
                (json!({"amount": 1, "restock": true}), "/restock"),
                (json!({"restock": "yes"}), "/restock"),
                (json!({"reason": "a\nb"}), "/reason"),
                (json!({"to": "stock"}), "/to"),
            ] {
                give_back(&shop, &order, body, "k").send().invalid(pointer);
            }
            let path = format!("/orders/{}/refunds", order.order_id);
            let without_key = shop.post(&path).operator().json(json!({})).send();
            let problem = without_key.problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["header"], "idempotency-key", "{problem}");
            shop.post(&path).key("k").json(json!({})).send().problem(401, "unauthorized");
            let problem = give_back(&shop, &pending, json!({}), "k").send().problem(409, "order_not_refundable");
            assert_eq!(problem["order_status"], "pending");
            let none = shop.post("/orders/a51dee89-7e11-4f02-a419-92ca47ab279f/refunds").operator().key("k");
            none.json(json!({})).send().problem(404, "order_not_found");
        });
        assert_eq!(shop.order_now(&order.order_id).refunded, None);
    });
}

/// What each of fifty clients does with one of three orders of five.
fn after_sale(shop: &Shop, order: &Order, number: usize) -> Answer {
    let item = &order.items[0].item_id;
    let one = json!([{"item_id": item, "quantity": 1}]);
    let key = number.to_string();
    match number % 5 {
        0 => give_back(shop, order, json!({"items": one, "restock": true}), &key).send(),
        1 => give_back(shop, order, json!({"amount": 130}), &key).send(),
        2 => {
            let to = ["stock", "written_off"][number % 2];
            take_back(shop, order, json!({"items": one, "to": to}), &key).send()
        }
        3 => fulfil(shop, &order.order_id, json!({"carrier": key})).send(),
        _ => give_back(shop, order, json!({"items": one}), "the-same").send(),
    }
}

#[test]
fn fifty_who_give_back_take_back_and_send_at_once_leave_money_and_goods_that_add_up() {
    with_shop(|shop| {
        let item = shop.new_item(20, 100);
        let orders = [(); 3].map(|()| shop.place_paid(&item, 5));
        let (asked, of) = (shop.clone(), orders.clone());
        let answers = at_once(50, move |number| after_sale(&asked, &of[number % 3], number));
        for answer in &answers {
            let code = answer.value()["code"].as_str().unwrap_or_default().to_owned();
            let refused =
                ["refund_exceeds_payment", "refund_exceeds_sale", "return_exceeds_sale", "order_not_fulfillable"];
            assert!([200, 201].contains(&answer.status) || refused.contains(&code.as_str()), "{answer}");
        }
        let mut back = 0;
        for order in &orders {
            // Its shape says that the refunds are no more than was paid, and the returns no more than was sold.
            let shown = shop.order_now(&order.order_id);
            let told = |answer: &&Answer| answer.status == 201 && answer.value()["refund_id"].is_string();
            let ids = |answer: &Answer| answer.value()["refund_id"].as_str().unwrap_or_default().to_owned();
            let of_order: BTreeSet<_> = shown.refunds.iter().map(|one| one.refund_id.clone()).collect();
            assert_eq!(of_order.len(), shown.refunds.len(), "{shown:?}");
            let acknowledged: BTreeSet<_> =
                answers.iter().filter(told).map(ids).filter(|id| of_order.contains(id)).collect();
            assert_eq!(acknowledged, of_order, "what is on record was told, and the other way round");
            assert!(shown.refunded.unwrap_or_default() > 500 - 130, "all that fits was given back: {shown:?}");
            assert!(shown.returns.iter().all(|one| one.done), "{shown:?}");
            back += shown.returns.iter().flat_map(|one| &one.items).map(|line| line.quantity).sum::<u64>();
        }
        let account = account(&shop, &item);
        assert_eq!((account.sold, account.returned), (15, back));
        assert_eq!(account.on_hand, 20 - 15 + back - account.written_off);
    });
}
