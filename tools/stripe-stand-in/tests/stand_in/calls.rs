//! Each call: what it answers, and how it refuses.

use std::time::Duration;

use harness::Request;
use serde_json::{Value, json};
use stripe_stand_in::{RefundStatus, SECRET_KEY, SessionStatus};

use crate::support::{Provider, SESSIONS, encode, get, now, post, session_form, with, without};

fn refusal(answer: &Value) -> (&str, &str) {
    let text = |name: &str| answer["error"][name].as_str().unwrap_or_default();
    assert_eq!(text("type"), "invalid_request_error", "{answer}");
    assert!(!text("message").is_empty());
    (text("code"), text("param"))
}

#[test]
fn a_session_is_opened_as_asked() {
    let provider = Provider::new();
    let expires_at = (now() + 3600).to_string();
    let session = provider.told(200, &post(SESSIONS, &with(session_form("o-1"), "expires_at", &expires_at)));
    let expected = json!({
        "object": "checkout.session", "amount_total": 2000, "currency": "cny", "client_reference_id": "o-1", "livemode": false,
        "metadata": { "order_id": "o-1" }, "mode": "payment", "payment_intent": null, "payment_status": "unpaid", "status": "open",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(session[name], *value, "{name}");
    }
    assert_eq!(session["expires_at"].to_string(), expires_at);
    let id = session["id"].as_str().unwrap();
    assert_eq!(session["url"], format!("{}/pay/{id}", provider.stand_in.url()));
    assert_eq!(provider.look(id), session);
}

#[test]
fn a_session_is_refused_with_the_code_and_the_parameter_of_stripe() {
    let provider = Provider::new();
    let form = || session_form("o-1");
    let at = |seconds: i64| (now() as i64 + seconds).to_string();
    let line = |name: &str| format!("line_items[0]{name}");
    let (amount, currency) = (line("[price_data][unit_amount]"), line("[price_data][currency]"));
    let cases = [
        (without(form(), "mode"), "parameter_missing", "mode"),
        (with(form(), "mode", "gift"), "", "mode"),
        (with(form(), "mode", ""), "parameter_invalid_empty", "mode"),
        (without(form(), "line_items"), "parameter_missing", "line_items"),
        (without(form(), "success_url"), "parameter_missing", "success_url"),
        (with(form(), "success_url", "shop/back"), "url_invalid", "success_url"),
        (with(form(), "success_url", "javascript:alert(1)"), "url_invalid", "success_url"),
        (with(form(), &currency, "xyz"), "", currency.as_str()),
        (with(form(), &amount, "1"), "amount_too_small", ""),
        (with(form(), &amount, "-1"), "parameter_invalid_integer", amount.as_str()),
        (with(form(), &amount, "1.5"), "parameter_invalid_integer", amount.as_str()),
        (with(form(), &amount, "100000000"), "amount_too_large", amount.as_str()),
        (with(form(), &amount, "99999999"), "amount_too_large", ""),
        (with(form(), "line_items[0][quantity]", "0"), "parameter_invalid_integer", "line_items[0][quantity]"),
        (with(form(), "expires_at", &at(1795)), "", "expires_at"),
        (with(form(), "expires_at", &at(24 * 3600 + 60)), "", "expires_at"),
        (with(form(), "colour", "red"), "parameter_unknown", "colour"),
        (with(form(), "locale", "tlh"), "", "locale"),
        (with(form(), "adaptive_pricing[enabled]", "perhaps"), "", "adaptive_pricing[enabled]"),
        (with(form(), "line_items[0][colour]", "red"), "parameter_unknown", "line_items[0][colour]"),
        (with(form(), "client_reference_id", &"x".repeat(201)), "", "client_reference_id"),
        (with(form(), "metadata[x]", &"x".repeat(501)), "", "metadata"),
        (with(form(), "expand[]", "customer"), "", "expand"),
    ];
    for (form, code, param) in cases {
        let answer = provider.told(400, &post(SESSIONS, &form));
        assert_eq!(refusal(&answer), (code, param), "{form:?}\n{answer}");
    }
    assert!(provider.stand_in.sessions().is_empty(), "what is refused is not opened");
    // As the shop asks for it.
    provider.told(200, &post(SESSIONS, &with(form(), "adaptive_pricing[enabled]", "false")));
}

#[test]
fn currencies_have_amounts_in_the_units_of_stripe() {
    let provider = Provider::new();
    let open = |currency: &str, amount: &str| {
        let form = with(session_form("o-1"), "line_items[0][price_data][currency]", currency);
        provider.send(&post(SESSIONS, &with(form, "line_items[0][price_data][unit_amount]", amount))).status
    };
    assert_eq!((open("isk", "12300"), open("isk", "12345")), (200, 400));
    assert_eq!((open("kwd", "12340"), open("kwd", "12345")), (200, 400));
    assert_eq!((open("jpy", "25"), open("jpy", "24")), (200, 400), "two of them have to come to 50 yen");
    assert_eq!(open("CNY", "1000"), 200);
}

#[test]
fn a_session_has_at_most_100_lines() {
    let provider = Provider::new();
    let lines = |count: usize| {
        let mut form = without(session_form("o-1"), "line_items");
        for index in 0..count {
            for (name, value) in [
                ("[quantity]", "1"),
                ("[price_data][currency]", "cny"),
                ("[price_data][unit_amount]", "1000"),
                ("[price_data][product_data][name]", "item"),
            ] {
                form.push((format!("line_items[{index}]{name}"), value.to_owned()));
            }
        }
        provider.send(&post(SESSIONS, &form)).status
    };
    assert_eq!((lines(100), lines(101)), (200, 400));
}

#[test]
fn what_is_not_there_is_404_resource_missing() {
    let provider = Provider::new();
    for (path, param) in [
        ("/v1/checkout/sessions/cs_test_1", "session"),
        ("/v1/refunds/re_1", "refund"),
        ("/v1/payment_intents/pi_1", "intent"),
        ("/v1/charges/ch_1", "charge"),
        ("/v1/events/evt_1", "id"),
    ] {
        let answer = provider.told(404, &get(path));
        assert_eq!(refusal(&answer), ("resource_missing", param));
    }
    let refund = post("/v1/refunds", &[("payment_intent".to_owned(), "pi_1".to_owned())]);
    assert_eq!(refusal(&provider.told(404, &refund)), ("resource_missing", "payment_intent"));
    refusal(&provider.told(404, &get("/v1/customers")));
}

#[test]
fn a_request_has_to_have_the_secret_key() {
    let provider = Provider::new();
    let bare = || Request::get(SESSIONS);
    let with = |value: &str| bare().header("authorization", value);
    // `sk_test_stand_in_no_money_moves:` in Base64.
    assert_eq!(provider.send(&with("Basic c2tfdGVzdF9zdGFuZF9pbl9ub19tb25leV9tb3Zlczo=")).status, 200);
    assert_eq!(provider.send(&with(&format!("bearer {SECRET_KEY}"))).status, 200);
    for wrong in ["Bearer sk_test_another_key_of_another_account", "Bearer ", "Basic !", "sk_test"] {
        provider.told(401, &with(wrong));
    }
    refusal(&provider.told(401, &bare()));
    let publishable = provider.told(401, &with("Bearer pk_test_0123456789"));
    assert_eq!(publishable["error"]["code"], "secret_key_required");
    let other = provider.told(401, &with("Bearer sk_live_0123456789abcdefghij")).to_string();
    assert!(!other.contains("0123456789"), "an answer shows no key: {other}");
}

#[test]
fn every_answer_has_a_request_id_and_a_version() {
    let provider = Provider::new();
    for request in [get(SESSIONS), get("/v1/refunds/re_1"), Request::get(SESSIONS)] {
        let answer = provider.send(&request);
        assert!(answer.header("request-id").unwrap().starts_with("req_"));
        assert!(answer.header("stripe-version").is_some());
    }
    assert_eq!(provider.send(&get(SESSIONS).header("stripe-version", "latest")).status, 400);
}

#[test]
fn a_body_that_is_no_form_is_refused() {
    let provider = Provider::new();
    let bare = || Request::post(SESSIONS).header("authorization", format!("Bearer {SECRET_KEY}"));
    for request in [
        bare().json(json!({ "mode": "payment" })),
        bare().bare_body(encode(&session_form("o-1"))),
        post(&format!("{SESSIONS}?mode=payment"), &session_form("o-1")),
    ] {
        refusal(&provider.told(400, &request));
    }
    let large = bare().body("application/x-www-form-urlencoded", format!("a={}", "x".repeat(2 << 20)));
    assert_eq!(provider.send(&large).status, 413);
}

#[test]
fn a_buyer_who_pays_is_charged_once() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.stand_in.pay_by(&id, "alipay").unwrap();
    let session = provider.look(&id);
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!(session["url"], Value::Null);
    let intent = &session["payment_intent"];
    assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("succeeded"), &json!(2000)));
    assert_eq!(intent["latest_charge"]["payment_method_details"]["type"], "alipay");
    provider.stand_in.pay(&id).unwrap_err();
    let charges = provider.stand_in.charges();
    assert_eq!(charges.len(), 1);
    assert_eq!(
        (charges[0].order.as_deref(), charges[0].amount, charges[0].method.as_str()),
        (Some("o-1"), 2000, "alipay")
    );
}

#[test]
fn a_buyer_who_is_declined_may_try_again() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.stand_in.decline(&id).unwrap();
    let session = provider.look(&id);
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert_eq!(session["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(session["payment_intent"]["last_payment_error"]["code"], "card_declined");
    assert!(provider.stand_in.charges().is_empty());
    provider.stand_in.pay(&id).unwrap();
    let paid = provider.look(&id);
    assert_eq!(
        (&paid["payment_intent"]["id"], &paid["payment_intent"]["last_payment_error"]),
        (&session["payment_intent"]["id"], &Value::Null)
    );
    assert_eq!(provider.stand_in.charges().len(), 1);
}

#[test]
fn a_payment_that_takes_a_while_is_processing_until_it_arrives_or_fails() {
    let provider = Provider::new();
    for (succeeds, status, payment_status) in
        [(true, "succeeded", "paid"), (false, "requires_payment_method", "unpaid")]
    {
        let id = provider.open("o-1");
        provider.stand_in.settle(&id, succeeds).unwrap_err();
        provider.stand_in.pay_later(&id).unwrap();
        let session = provider.look(&id);
        assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!("unpaid")));
        assert_eq!(session["payment_intent"]["status"], "processing");
        assert_eq!(provider.expire(&id).status, 400, "what is processing cannot be ended");
        provider.stand_in.settle(&id, succeeds).unwrap();
        let session = provider.look(&id);
        assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!(payment_status)));
        assert_eq!(session["payment_intent"]["status"], status);
        provider.stand_in.settle(&id, true).unwrap_err();
    }
    assert_eq!(provider.stand_in.charges().len(), 1);
}

#[test]
fn a_session_that_is_expired_cannot_be_paid_nor_expired_again() {
    let provider = Provider::new();
    let by_shop = provider.open("o-1");
    let expired = provider.expire(&by_shop);
    assert_eq!(
        (expired.status, &expired.value()["status"], &expired.value()["url"]),
        (200, &json!("expired"), &Value::Null)
    );
    let by_merchant = provider.open("o-2");
    provider.stand_in.decline(&by_merchant).unwrap();
    provider.stand_in.close(&by_merchant).unwrap();
    assert_eq!(provider.look(&by_merchant)["payment_intent"]["status"], "canceled");
    for id in [by_shop, by_merchant] {
        provider.stand_in.pay(&id).unwrap_err();
        provider.stand_in.close(&id).unwrap_err();
        let again = provider.expire(&id);
        assert_eq!(again.status, 400);
        assert!(again.value()["error"]["message"].as_str().unwrap().contains("has a status of `expired`"));
    }
    assert!(provider.stand_in.charges().is_empty());
    let (paid, _) = provider.paid("o-3");
    assert_eq!(provider.expire(&paid).status, 400);
}

#[test]
fn a_session_expires_by_itself_when_its_time_is_over() {
    let provider = Provider::new();
    let expires_at = (now() + 2400).to_string();
    let id = provider.told(200, &post(SESSIONS, &with(session_form("o-1"), "expires_at", &expires_at)));
    let id = id["id"].as_str().unwrap();
    provider.stand_in.set_clock_ahead(Duration::from_secs(1700));
    assert_eq!(provider.look(id)["status"], "open");
    provider.stand_in.set_clock_ahead(Duration::from_secs(2500));
    provider.stand_in.pay(id).unwrap_err();
    assert_eq!(provider.look(id)["status"], "expired");
    assert_eq!(provider.stand_in.sessions()[0].status, SessionStatus::Expired);
}

#[test]
fn a_refund_gives_back_no_more_than_was_charged() {
    let provider = Provider::new();
    let (_, intent) = provider.paid("o-1");
    assert_eq!(provider.refund(&intent, 1500).json()["status"], "succeeded");
    let more = provider.refund(&intent, 501);
    assert_eq!((more.status, refusal(&more.value())), (400, ("", "amount")));
    assert_eq!(provider.refund(&intent, 500).status, 200);
    let again = provider.refund(&intent, 1);
    assert_eq!((again.status, refusal(&again.value())), (400, ("charge_already_refunded", "")));
    let charge = provider.stand_in.charges().pop().unwrap();
    assert_eq!(charge.refunded, 2000);
    let shown = provider.told(200, &get(&format!("/v1/charges/{}", charge.id)));
    assert_eq!((&shown["amount_refunded"], &shown["refunded"]), (&json!(2000), &json!(true)));
}

#[test]
fn what_was_not_charged_cannot_be_refunded() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.stand_in.pay_later(&id).unwrap();
    let intent = provider.look(&id)["payment_intent"]["id"].as_str().unwrap().to_owned();
    assert_eq!(provider.refund(&intent, 1).status, 400);
    provider.stand_in.settle(&id, false).unwrap();
    assert_eq!(provider.refund(&intent, 1).status, 400);
    for (name, value) in [("amount", "0"), ("amount", "-5"), ("reason", "because"), ("colour", "red")] {
        let fields = [("payment_intent", intent.as_str()), (name, value)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(provider.send(&post("/v1/refunds", &fields)).status, 400, "{name}={value}");
    }
    assert_eq!(provider.send(&post("/v1/refunds", &[])).status, 400);
    assert!(provider.stand_in.refunds().is_empty());
}

#[test]
fn a_refund_may_fail_after_it_has_succeeded_and_the_money_can_go_back_again() {
    let provider = Provider::new();
    let (_, intent) = provider.paid("o-1");
    let refund = provider.refund(&intent, 2000).json()["id"].as_str().unwrap().to_owned();
    provider.stand_in.settle_refund(&refund, false).unwrap();
    let shown = provider.told(200, &get(&format!("/v1/refunds/{refund}")));
    assert_eq!(shown["status"], "failed");
    provider.stand_in.settle_refund(&refund, true).unwrap_err();
    assert_eq!(provider.stand_in.charges()[0].refunded, 0);
    assert_eq!(provider.refund(&intent, 2000).status, 200);
    let states: Vec<_> = provider.stand_in.refunds().iter().map(|refund| refund.status).collect();
    assert_eq!(states, [RefundStatus::Failed, RefundStatus::Succeeded]);
}

#[test]
fn lists_are_read_page_by_page_and_by_what_is_asked_for() {
    let provider = Provider::new();
    let mut ids: Vec<_> = (0..7).map(|number| provider.open(&format!("o-{number}"))).collect();
    ids.reverse();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = provider.told(200, &get(&format!("{SESSIONS}?limit=3{after}")));
        seen.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        after = format!("&starting_after={}", seen.last().unwrap());
    }
    assert_eq!(seen, ids, "the newest first, each once");
    let before = provider.told(200, &get(&format!("{SESSIONS}?limit=2&ending_before={}", ids[4])));
    let of = |page: &Value| page["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(of(&before), [json!(ids[2]), json!(ids[3])]);
    assert_eq!(before["has_more"], true);
    let newest = provider.told(200, &get(&format!("{SESSIONS}?limit=2&ending_before={}", ids[1])));
    assert_eq!((of(&newest), &newest["has_more"]), (vec![json!(ids[0])], &json!(false)));
    provider.expire(&ids[0]);
    assert_eq!(of(&provider.told(200, &get(&format!("{SESSIONS}?status=expired")))), [json!(ids[0])]);
    for wrong in ["limit=0", "limit=101", "limit=x", "starting_after=cs_test_1", "status=paid", "colour=red"] {
        assert_eq!(provider.send(&get(&format!("{SESSIONS}?{wrong}"))).status, 400, "{wrong}");
    }
}

#[test]
fn refunds_are_listed_by_what_they_are_of() {
    let provider = Provider::new();
    let (first, second) = (provider.paid("o-1").1, provider.paid("o-2").1);
    for (intent, amount) in [(&first, 1), (&second, 2), (&first, 3)] {
        provider.refund(intent, amount).json();
    }
    let amounts = |query: &str| {
        let list = provider.told(200, &get(&format!("/v1/refunds?{query}")));
        list["data"].as_array().unwrap().iter().map(|one| one["amount"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(amounts(&format!("payment_intent={first}")), [3, 1]);
    assert_eq!(amounts("limit=100"), [3, 2, 1]);
    let charge = provider.stand_in.charges()[1].id.clone();
    assert_eq!(amounts(&format!("charge={charge}")), [2]);
    let intents = provider.told(200, &get("/v1/payment_intents?expand[]=data.latest_charge"));
    assert_eq!(intents["data"][0]["latest_charge"]["id"], charge.as_str());
    assert_eq!(provider.told(200, &get(&format!("/v1/payment_intents/{first}")))["status"], "succeeded");
}
