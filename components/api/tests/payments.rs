//! Payment at a provider, over HTTP: what a client, the provider and the owner are told. Each answer is also held
//! against what is true of every one: its header fields, and the form of a problem.

// A test fails by panicking; clippy knows that only of the test functions themselves, not of what they share.
#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing)]

use api::{Body, MAX_BODY_BYTES};
use http::{HeaderValue, Method};
use memory_shop::stripe::{Became, KEY, Mood, SECRET, VARIABLES, event, signature};
use memory_shop::{Answer, ORIGIN, World, request};
use serde_json::{Value, json};

const EVENTS: &str = "/payments/stripe/events";

fn world() -> World {
    World::preset().with_variables(&VARIABLES)
}

/// An order of two, and its id.
fn place(world: &World) -> String {
    let placed = world.post("/orders", json!({ "item_id": "item1", "quantity": 2 }).to_string());
    placed.body["order_id"].as_str().expect("it is placed").to_owned()
}

fn pay(world: &World, order: &str) -> Answer {
    world.post(&format!("/orders/{order}/pay"), "")
}

fn cancel(world: &World, order: &str) -> Answer {
    world.post(&format!("/orders/{order}/cancel"), "")
}

fn send(world: &World, body: &[u8], signature: &str) -> Answer {
    let mut request = request(Method::POST, EVENTS, body);
    let headers = request.headers_mut();
    headers.remove("authorization");
    headers.insert("origin", HeaderValue::from_static(ORIGIN));
    headers.insert("stripe-signature", HeaderValue::from_str(signature).expect("a header"));
    let answer = world.send(request);
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
    answer
}

fn signed(world: &World, body: &str) -> Answer {
    send(world, body.as_bytes(), &signature(SECRET, body.as_bytes(), world.now()))
}

/// The cause in a line of the log, which has no secret in it.
fn cause(answer: &Answer) -> String {
    let line = answer.log.clone().expect("all requests are written down");
    assert!(!line.contains("Hidden"), "{line}");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    line["cause"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn without_a_provider_a_payment_is_recorded_and_says_that_no_money_moved() {
    let world = World::preset();
    assert_eq!(world.get("/payments").body, json!({ "provider": "none", "test_mode": false }));
    let order = place(&world);
    let paid = pay(&world, &order);
    assert_eq!((paid.status, &paid.body["payment"]["status"]), (200, &json!("paid")));
    assert_eq!((&paid.body["payment"]["charged"], &paid.body["payment"]["provider"]), (&json!(false), &Value::Null));
    assert_eq!(signed(&world, &event(&order, "cs_test_0")).outcome(), (404, "not_found"));
    assert_eq!(world.stripe().asked(), 0);
}

#[test]
fn how_the_shop_takes_payment_is_for_every_page_to_read() {
    for (world, provider) in [(World::preset(), "none"), (world(), "stripe")] {
        let ask = |method: Method, header: &'static str, value: &HeaderValue| {
            let mut request = request(method, "/payments", b"");
            request.headers_mut().insert(header, value.clone());
            request.headers_mut().insert("origin", HeaderValue::from_static(ORIGIN));
            request.headers_mut().remove("authorization");
            world.send(request)
        };
        let json = HeaderValue::from_static("application/json");
        let told = ask(Method::GET, "accept", &json);
        assert_eq!((told.status, &told.body["provider"]), (200, &json!(provider)));
        assert_eq!(told.headers["access-control-allow-origin"], ORIGIN);
        assert_eq!(ask(Method::GET, "if-none-match", &told.headers["etag"]).status, 304);
        assert_eq!(ask(Method::GET, "accept", &HeaderValue::from_static("text/html")).status, 406);
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let refused = ask(method, "accept", &json);
            assert_eq!(refused.outcome(), (405, "method_not_allowed"));
            assert_eq!(refused.headers["allow"], "GET, HEAD, OPTIONS");
        }
        assert_eq!(world.stripe().asked(), 0);
    }
}

#[test]
fn a_buyer_is_sent_to_the_page_of_the_provider_and_the_order_is_paid_once_that_says_so() {
    let world = world();
    assert_eq!(world.get("/payments").body, json!({ "provider": "stripe", "test_mode": true }));
    let order = place(&world);
    let open = pay(&world, &order);
    assert_eq!((open.status, &open.body["status"]), (202, &json!("pending")));
    let payment = json!({
        "status": "open", "provider": "stripe", "url": "https://checkout.stripe.com/cs_test_0",
        "expires_at": "2023-11-14T22:59:20.000Z"
    });
    assert_eq!(open.body["payment"], payment);
    assert!(!open.headers.contains_key("retry-after"));
    // A repeat leads to the same page.
    assert_eq!(pay(&world, &order).body, open.body);
    assert_eq!(world.stripe().sessions_of(&order), ["cs_test_0"]);
    // The operator sees in which session that is.
    let listed = || world.get(&format!("/orders?order_id={order}")).body["orders"][0].clone();
    let session = json!({ "status": "at_provider", "provider": "stripe", "session_id": "cs_test_0" });
    assert_eq!(listed()["payment"], session);
    // A look at the order asks nobody, and is not told the page.
    let asked = world.stripe().asked();
    let shown = world.get(&format!("/orders/{order}"));
    assert_eq!(shown.body["payment"], json!({ "status": "at_provider", "provider": "stripe" }));
    assert_eq!(world.stripe().asked(), asked);

    world.stripe().set(&order, Became::Processing);
    let processing = pay(&world, &order);
    assert_eq!((processing.status, &processing.headers["retry-after"]), (202, &HeaderValue::from_static("5")));
    assert_eq!(processing.body["payment"], json!({ "status": "processing", "provider": "stripe" }));
    // The goods stay held, and what was charged is not given up.
    let kept = cancel(&world, &order);
    assert_eq!(kept.outcome(), (409, "payment_processing"));
    assert_eq!(kept.body["title"], "Payment processing");
    assert_eq!(world.get("/inventory/item1").body["available"], 98);
    assert_eq!(world.get(&format!("/orders/{order}")).body["status"], "pending");

    world.stripe().set(&order, Became::Paid(0));
    let paid = pay(&world, &order);
    assert_eq!((paid.status, &paid.body["status"]), (200, &json!("paid")));
    assert_eq!((&paid.body["payment"]["charged"], &paid.body["payment"]["provider"]), (&json!(true), &json!("stripe")));
    assert_eq!(cancel(&world, &order).outcome(), (409, "order_not_cancellable"));
    // What it is called at the provider is for the operator.
    for public in [&paid, &world.get(&format!("/orders/{order}")), &world.get(&format!("/orders/{order}/history"))] {
        let text = public.body.to_string();
        assert!(!text.contains("cs_test") && !text.contains("pi_0"), "{text}");
    }
    let paid = listed();
    assert_eq!((&paid["payment"]["session_id"], &paid["payment"]["charge_id"]), (&json!("cs_test_0"), &json!("pi_0")));
    assert_eq!((&world.get("/orders").body["orders"][0], paid.get("late_charges")), (&paid, None));
}

#[test]
fn a_condition_holds_for_the_order_as_it_is_shown() {
    let world = world();
    let order = place(&world);
    let tag = |world: &World| world.get(&format!("/orders/{order}")).headers["etag"].clone();
    let pay_if = |tag: &HeaderValue| {
        let mut request = request(Method::POST, &format!("/orders/{order}/pay"), b"");
        request.headers_mut().insert("if-match", tag.clone());
        world.send(request)
    };
    let before = tag(&world);
    assert_eq!(pay_if(&before).status, 202);
    let during = tag(&world);
    assert_ne!(before, during);
    assert_eq!(pay_if(&before).outcome(), (412, "precondition_failed"));
    assert_eq!(pay_if(&during).status, 202);
}

#[test]
fn a_cancelled_order_has_no_page_to_pay_at() {
    let world = world();
    let order = place(&world);
    pay(&world, &order);
    assert_eq!(cancel(&world, &order).body["status"], "cancelled");
    assert_eq!(pay(&world, &order).outcome(), (409, "order_not_payable"));
    // The buyer was charged all the same, and the refund is refused: the owner is told.
    world.stripe().set(&order, Became::Paid(0));
    let taken = signed(&world, &event(&order, "cs_test_0"));
    assert_eq!((taken.status, &taken.body), (200, &json!({ "received": true })));
    assert!(cause(&taken).contains(&format!("a charge of order {order} could not be given back")), "{taken:?}");
    let history = world.get(&format!("/orders/{order}/history"));
    assert_eq!(history.body["events"][2]["event"], "late_refund_failed");
    // What the charge is called is for the operator.
    let shown = world.get(&format!("/orders/{order}")).body;
    assert_eq!((shown.get("late_charges"), shown.get("payment")), (None, None));
    let list = world.get("/orders").body;
    let late = &list["orders"][0]["late_charges"];
    assert_eq!(late.as_array().map(Vec::len), Some(1), "{list}");
    let of = |name: &str| late[0][name].as_str().unwrap_or_default().to_owned();
    assert_eq!([of("session_id"), of("charge_id"), of("refund")], ["cs_test_0", "pi_0", "failed"]);
    assert_eq!((&late[0]["amount"], of("recorded_at").is_empty()), (&shown["total"], false));
}

#[test]
fn a_provider_that_fails_is_told_with_what_to_do_and_the_log_says_why() {
    for (mood, expected, why) in [
        (Mood::Silent, (503, "payment_provider_unavailable"), "no whole answer"),
        (Mood::Locked, (502, "payment_provider_error"), "401"),
        (Mood::Mad, (502, "payment_provider_error"), "makes no sense"),
    ] {
        let world = world();
        let order = place(&world);
        world.stripe().set_mood(mood);
        let failed = pay(&world, &order);
        assert_eq!(failed.outcome(), expected);
        let again = failed.headers.get("retry-after");
        assert_eq!(again, (expected.0 == 503).then(|| HeaderValue::from_static("5")).as_ref());
        assert!(!failed.body.to_string().contains(KEY));
        assert!(cause(&failed).contains(why), "{failed:?}");
        // A repeat is safe.
        world.stripe().set_mood(Mood::Well);
        assert_eq!(pay(&world, &order).status, 202);
        world.stripe().set_mood(mood);
        assert_eq!(cancel(&world, &order).outcome(), expected);
        let event = event(&order, "cs_test_0");
        assert_eq!(signed(&world, &event).outcome(), expected, "it has to come again");
        assert_eq!(world.get(&format!("/orders/{order}")).body["status"], "pending");
    }
}

#[test]
fn a_charge_of_another_amount_that_cannot_be_given_back_is_told_to_the_owner() {
    let world = world();
    let order = place(&world);
    pay(&world, &order);
    world.stripe().set(&order, Became::Paid(1));
    // The refund is refused.
    let wrong = pay(&world, &order);
    assert_eq!(wrong.outcome(), (502, "payment_provider_error"));
    assert!(cause(&wrong).contains(&format!("a charge of order {order} could not be given back")), "{wrong:?}");
    assert!(!wrong.body.to_string().contains("cs_test"), "{wrong:?}");
    assert_eq!(pay(&world, &order).status, 202, "it can be paid in another session");
    let path = format!("/orders/{order}/refunds");
    let listed = world.get(&path);
    let [refund] = &listed.body["refunds"].as_array().expect("a list")[..] else { panic!("{listed:?}") };
    assert_eq!(
        (&refund["status"], &refund["amount"], &refund["currency"]),
        (&json!("failed"), &json!(2001), &json!("CNY"))
    );
    assert_eq!((&refund["session_id"], &refund["charge_id"]), (&json!("cs_test_0"), &json!("pi_0")));
    let again = world.post(&format!("{path}/retry"), "");
    assert_eq!((again.status, again.body["refunds"].as_array().map(Vec::len)), (200, Some(2)));
    assert_ne!(again.body["refunds"][1]["refund_id"], refund["refund_id"]);
    assert_eq!(again.body["refunds"][0], *refund, "it stays on record");
}

#[test]
fn what_went_wrong_is_for_the_operator_alone() {
    let world = world();
    let order = place(&world);
    pay(&world, &order);
    world.stripe().set(&order, Became::Lost);
    for answer in [pay(&world, &order), cancel(&world, &order)] {
        assert_eq!(answer.outcome(), (502, "payment_provider_error"));
        assert!(cause(&answer).contains("does not know the session"), "{answer:?}");
    }
    let (abandon, refunds) = (format!("/orders/{order}/abandon"), format!("/orders/{order}/refunds"));
    let retry = format!("{refunds}/retry");
    for (method, path) in
        [(Method::POST, &abandon), (Method::POST, &refunds), (Method::GET, &refunds), (Method::POST, &retry)]
    {
        let mut request = request(method, path, b"");
        request.headers_mut().remove("authorization");
        assert_eq!(world.send(request).outcome(), (401, "unauthorized"), "{path}");
    }
    assert_eq!(world.get(&refunds).body["refunds"], json!([]));
    assert_eq!(world.post(&retry, "").outcome(), (409, "order_not_refundable"));
    for mood in [Mood::Silent, Mood::Locked] {
        world.stripe().set_mood(mood);
        assert_ne!(world.post(&abandon, "").status, 200, "{mood:?}");
    }
    world.stripe().set_mood(Mood::Well);
    for _ in 0..2 {
        let abandoned = world.post(&abandon, "");
        assert_eq!((abandoned.status, &abandoned.body["status"]), (200, &json!("cancelled")));
    }
    assert_eq!(world.get("/inventory/item1").body["available"], 100);
    for path in ["/orders/4be0643f-1d98-473b-97cd-ca98a65347dd/abandon", "/orders/none/refunds/retry"] {
        assert_eq!(world.post(path, "").outcome(), (404, "order_not_found"), "{path}");
    }
}

#[test]
fn an_event_says_when_to_look_and_may_come_again() {
    let world = world();
    let order = place(&world);
    pay(&world, &order);
    let body = event(&order, "cs_test_0");
    // What it claims is not believed.
    assert_eq!(signed(&world, &body).status, 200);
    assert_eq!(world.get(&format!("/orders/{order}")).body["status"], "pending");
    world.stripe().set(&order, Became::Paid(0));
    for _ in 0..3 {
        assert_eq!(signed(&world, &body).body, json!({ "received": true }));
        assert_eq!(world.get(&format!("/orders/{order}")).body["status"], "paid");
    }
    // Of another shop, or about something else.
    let other = "4be0643f-1d98-473b-97cd-ca98a65347dd";
    for body in [event(other, "cs_test_9"), json!({ "id": "evt_2", "object": "event", "type": "x" }).to_string()] {
        assert_eq!(signed(&world, &body).status, 200, "{body}");
    }
}

#[test]
fn an_event_that_is_not_signed_rightly_is_refused_and_asks_nobody() {
    let world = world();
    let order = place(&world);
    pay(&world, &order);
    let (body, asked) = (event(&order, "cs_test_0"), world.stripe().asked());
    let right = signature(SECRET, body.as_bytes(), world.now());
    for wrong in [
        String::new(),
        "t=1,v1=00".to_owned(),
        right.replace("v1=", "v0="),
        format!("{right}0"),
        right.to_uppercase(),
        signature("whsec_OtherOtherOtherOtherOther", body.as_bytes(), world.now()),
        signature(SECRET, body.as_bytes(), world.now() - 301_000),
        signature(SECRET, body.as_bytes(), world.now() + 301_000),
        signature(SECRET, b"{}", world.now()),
    ] {
        let refused = send(&world, body.as_bytes(), &wrong);
        assert_eq!(refused.outcome(), (400, "invalid_signature"), "{wrong}");
        // Any client can send one: it is nothing for the log.
        assert_eq!(cause(&refused), "");
    }
    // Neither is one without the header, nor with two.
    let bare = world.post(EVENTS, &body);
    assert_eq!(bare.outcome(), (400, "invalid_signature"));
    let mut twice = request(Method::POST, EVENTS, body.as_bytes());
    for _ in 0..2 {
        twice.headers_mut().append("stripe-signature", right.parse().expect("a header"));
    }
    assert_eq!(world.send(twice).outcome(), (400, "invalid_signature"));
    let unreadable = signed(&world, "hello");
    assert_eq!(unreadable.outcome(), (400, "malformed_event"));
    assert_eq!(world.stripe().asked(), asked);
}

#[test]
fn an_event_has_the_size_and_the_form_that_every_body_has() {
    let world = world();
    for (size, expected) in [(MAX_BODY_BYTES, (400, "malformed_event")), (MAX_BODY_BYTES + 1, (413, "body_too_large"))]
    {
        assert_eq!(signed(&world, &" ".repeat(size)).outcome(), expected);
    }
    let bare = || request(Method::POST, EVENTS, b"").map(|_| ());
    assert_eq!(world.send_received(bare(), Body::Incomplete).outcome(), (400, "malformed_json"));
    assert_eq!(world.send_received(bare(), Body::Late).outcome(), (408, "request_timeout"));
    // Its type does not matter, since the signature says what it is.
    for (header, value, expected) in [
        ("content-type", "text/plain", (200, "")),
        ("content-encoding", "identity", (200, "")),
        ("content-encoding", "gzip", (415, "unsupported_content_coding")),
        ("expect", "200-ok", (417, "expectation_failed")),
    ] {
        let body = event("4be0643f-1d98-473b-97cd-ca98a65347dd", "cs_test_9");
        let mut request = request(Method::POST, EVENTS, body.as_bytes());
        let signature = signature(SECRET, body.as_bytes(), world.now());
        request.headers_mut().insert("stripe-signature", signature.parse().expect("a header"));
        request.headers_mut().insert(header, HeaderValue::from_static(value));
        assert_eq!(world.send(request).outcome(), expected, "{header}: {value}");
    }
    for method in [Method::GET, Method::PUT] {
        let refused = world.send(request(method, EVENTS, b""));
        assert_eq!(refused.outcome(), (405, "method_not_allowed"));
        assert_eq!(refused.headers["allow"], "POST, OPTIONS");
    }
}

#[test]
fn a_sweep_asks_the_provider_about_what_is_overdue() {
    let world = world();
    let (ended, paid) = (place(&world), place(&world));
    pay(&world, &ended);
    pay(&world, &paid);
    world.stripe().set(&paid, Became::Paid(0));
    world.wait(1000);
    world.stripe().set_mood(Mood::Silent);
    let unanswered = world.post("/sweep", "");
    assert_eq!((&unanswered.body["decided_payments"], &unanswered.body["unanswered"]), (&json!(0), &json!(2)));
    assert!(cause(&unanswered).contains("about 2 payments"), "{unanswered:?}");
    world.stripe().set_mood(Mood::Well);
    let swept = world.post("/sweep", "");
    assert_eq!((&swept.body["decided_payments"], &swept.body["unanswered"]), (&json!(2), &json!(0)));
    assert_eq!(cause(&swept), "");
    assert_eq!(world.get(&format!("/orders/{ended}")).body["status"], "expired");
    assert_eq!(world.get(&format!("/orders/{paid}")).body["status"], "paid");
}

#[test]
fn a_variable_that_cannot_be_meant_is_named_when_readiness_is_asked_and_never_shown() {
    let one = |name: &'static str, value: &'static str| {
        VARIABLES.map(|(known, usual)| (known, if known == name { value } else { usual }))
    };
    let other_origin = one("return_url", "https://elsewhere.example/");
    for (variables, named) in [
        (one("stripe_secret_key", "pk_test_HiddenHidden"), "stripe_secret_key"),
        (one("stripe_secret_key", "hunter-HiddenHidden"), "stripe_secret_key"),
        (one("stripe_secret_key", ""), "stripe_secret_key"),
        (one("stripe_webhook_secret", "HiddenHiddenHiddenHidden"), "stripe_webhook_secret"),
        (one("return_url", ""), "return_url"),
        (other_origin, "return_url"),
    ] {
        let world = World::preset().with_variables(&variables);
        let ready = world.get("/ready");
        assert_eq!(ready.outcome(), (503, "misconfigured"));
        let detail = ready.body["detail"].as_str().expect("it has one");
        assert!(detail.contains(&format!("the variable {named} ")) && !detail.contains("Hidden"), "{detail}");
        assert!(cause(&ready).contains(&format!("the variable {named} ")), "{ready:?}");
        // What is public does not say which.
        let public = world.get("/inventory");
        assert_eq!(public.outcome(), (503, "misconfigured"));
        assert!(!public.body.to_string().contains(named), "{public:?}");
        assert_eq!(world.get("/health").status, 200);
    }
    let mut all = VARIABLES.to_vec();
    all.push(("stripe_api", "http://stripe.example"));
    assert!(World::preset().with_variables(&all).get("/ready").body.to_string().contains("stripe_api"));
    let mut all = VARIABLES.to_vec();
    all.push(("currency", "IQD"));
    assert!(World::preset().with_variables(&all).get("/ready").body.to_string().contains("currency"));
}
