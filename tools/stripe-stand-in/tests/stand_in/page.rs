//! The hosted page, as a browser gets it.

use std::time::Duration;

use harness::Request;
use serde_json::json;
use stripe_stand_in::Options;

use crate::support::{Provider, SESSIONS, eventually, post, session_form, soon, with, without};

fn page(provider: &Provider, id: &str, language: &str) -> (u16, String) {
    let answer = provider.send(&Request::get(format!("/pay/{id}")).header("accept-language", language));
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn press(provider: &Provider, id: &str, button: &str) -> String {
    let form = Request::post(format!("/pay/{id}/{button}")).body("application/x-www-form-urlencoded", "method=alipay");
    let answer = provider.send(&form);
    assert_eq!(answer.status, 303);
    answer.header("location").unwrap().to_owned()
}

#[test]
fn the_page_says_in_both_languages_that_no_money_moves() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    let (status, english) = page(&provider, &id, "en");
    assert_eq!(status, 200);
    for text in ["No money moves", "20.00 CNY", "item1", "lang=\"en\"", "Pay", "http://shop.example/cancelled"] {
        assert!(english.contains(text), "{text}\n{english}");
    }
    let (_, chinese) = page(&provider, &id, "zh-CN,zh;q=0.9");
    assert!(chinese.contains("不会有真实的资金流动") && chinese.contains("lang=\"zh-CN\""), "{chinese}");
    let request = post(SESSIONS, &with(session_form("o-2"), "locale", "zh"));
    let id = provider.told(200, &request)["id"].as_str().unwrap().to_owned();
    assert!(page(&provider, &id, "en").1.contains("付款"), "the shop's language comes first");
}

#[test]
fn the_page_runs_nothing_and_loads_nothing_from_elsewhere() {
    let provider = Provider::new();
    let form = with(session_form("o-1"), "line_items[0][price_data][product_data][name]", "<script>alert(1)</script>");
    let id = provider.told(200, &post(SESSIONS, &form))["id"].as_str().unwrap().to_owned();
    let answer = provider.send(&Request::get(format!("/pay/{id}")));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self' http://shop.example"),
        "{policy}"
    );
    let html = String::from_utf8(answer.body).unwrap();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    assert_eq!(provider.send(&Request::get("/stand-in.css")).header("content-type"), Some("text/css; charset=utf-8"));
}

#[test]
fn a_buyer_pays_and_goes_back_to_the_shop() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    assert_eq!(press(&provider, &id, "pay"), format!("http://shop.example/back?session={id}"));
    assert_eq!(provider.stand_in.charges()[0].method, "alipay");
    // The button again, in another tab.
    assert_eq!(press(&provider, &id, "pay"), format!("/pay/{id}"));
    assert!(page(&provider, &id, "en").1.contains("This is paid"));
    assert_eq!(provider.stand_in.charges().len(), 1);
}

#[test]
fn a_buyer_is_declined_and_pays_then() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    assert_eq!(press(&provider, &id, "decline"), format!("/pay/{id}"));
    assert!(page(&provider, &id, "en").1.contains("declined"));
    assert_eq!(provider.stand_in.leave(&id).as_deref(), Some("http://shop.example/cancelled"));
    assert!(press(&provider, &id, "pay").starts_with("http://shop.example/back"));
}

#[test]
fn a_buyer_pays_later_and_the_payment_comes_to_an_end_by_itself() {
    let provider =
        Provider::with(Options { settle_after: Duration::from_secs(3600), retries: soon(), ..Options::default() });
    for (button, status) in [("pay-later", "paid"), ("fail-later", "unpaid")] {
        let id = provider.open("o-1");
        assert!(press(&provider, &id, button).starts_with("http://shop.example/back"));
        assert!(page(&provider, &id, "en").1.contains("being processed"));
        assert_eq!(provider.look(&id)["payment_intent"]["status"], "processing");
        provider.stand_in.set_clock_ahead(Duration::from_secs(3700));
        eventually("it has come to an end", || provider.look(&id)["payment_intent"]["status"] != "processing");
        assert_eq!(provider.look(&id)["payment_status"], json!(status));
        provider.stand_in.set_clock_ahead(Duration::ZERO);
    }
    let id = provider.open("o-2");
    press(&provider, &id, "pay-later");
    press(&provider, &id, "settle");
    assert_eq!(provider.look(&id)["payment_status"], "paid");
}

#[test]
fn a_session_without_a_way_back_and_one_that_is_not_there_have_pages() {
    let provider = Provider::new();
    let id = provider.told(200, &post(SESSIONS, &without(session_form("o-1"), "cancel_url")))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!page(&provider, &id, "en").1.contains("Leave"));
    provider.expire(&id);
    assert!(page(&provider, &id, "en").1.contains("no longer"));
    assert_eq!(page(&provider, "cs_test_1", "en").0, 404);
    assert_eq!(page(&provider, "%3Cscript%3E", "en").0, 404);
    assert_eq!(press(&provider, "cs_test_1", "pay"), "/pay/cs_test_1");
    assert_eq!(provider.send(&Request::get(format!("/pay/{id}/pay"))).status, 405);
}
