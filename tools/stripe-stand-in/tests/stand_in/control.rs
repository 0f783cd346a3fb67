//! What a test in another process does over HTTP.

use harness::Request;
use serde_json::{Value, json};
use stripe_stand_in::{Charged, Error, Fault, Operation, Options, Rule, SECRET_KEY, StandIn};

use crate::support::{Hooks, Provider, SESSIONS, act, get, post, session_form};

#[test]
fn buyers_and_merchants_act_over_http() {
    let provider = Provider::new();
    let id = provider.open("o-1");
    provider.told(200, &act(&format!("sessions/{id}/decline")));
    provider.told(200, &act(&format!("sessions/{id}/pay")));
    provider.told(409, &act(&format!("sessions/{id}/pay")));
    provider.told(404, &act(&format!("sessions/{id}/steal")));
    let charges: Vec<Charged> = serde_json::from_value(provider.told(200, &get("/stand-in/charges"))).unwrap();
    assert_eq!(charges, provider.stand_in.charges());
    let later = provider.open("o-2");
    provider.told(200, &act(&format!("sessions/{later}/pay-later")));
    provider.told(200, &act(&format!("sessions/{later}/settle")));
    let closed = provider.open("o-3");
    provider.told(200, &act(&format!("sessions/{closed}/close")));
    assert_eq!(provider.told(200, &get("/stand-in/sessions")).as_array().unwrap().len(), 3);
    let refund = provider.refund(&charges[0].intent, 1).json()["id"].as_str().unwrap().to_owned();
    provider.told(200, &act(&format!("refunds/{refund}/fail")));
    assert_eq!(provider.told(200, &get("/stand-in/refunds"))[0]["status"], "failed");
    assert!(provider.told(200, &get("/stand-in/events")).as_array().unwrap().len() > 3);
    provider.told(200, &post(SESSIONS, &session_form("o-4")).key("k"));
    provider.told(200, &act("forget-keys"));
    assert_eq!(provider.send(&post(SESSIONS, &session_form("o-4")).key("k")).header("idempotent-replayed"), None);
}

#[test]
fn settings_change_all_or_nothing() {
    let provider = Provider::new();
    let hooks = Hooks::new();
    let settings = |body: Value| act("settings").json(body);
    provider.told(400, &settings(json!({ "faults": ["unavailable"], "webhook_url": "ftp://x" })));
    provider.told(400, &settings(json!({ "faults": ["unavailable", "no-such"] })));
    provider.told(400, &settings(json!({ "fault": [] })));
    assert_eq!(provider.send(&get(SESSIONS)).status, 200);
    provider.told(
        200,
        &settings(json!({
            "faults": ["unavailable@look", "held*1"],
            "clock_ahead": 7200,
            "webhook_url": hooks.url,
            "webhook_secrets": ["whsec_x"],
        })),
    );
    assert_eq!(provider.send(&get(&format!("{SESSIONS}/x"))).status, 503);
    provider.told(200, &settings(json!({ "faults": ["held*1"] })));
    let session = provider.told(200, &post(SESSIONS, &session_form("o-1")));
    assert!(session["created"].as_u64().unwrap() > crate::support::now() + 7000);
    provider.stand_in.pay(session["id"].as_str().unwrap()).unwrap();
    provider.told(200, &act("release"));
    assert!(hooks.next().signed_at("whsec_x").is_some());
}

#[test]
fn the_controls_take_the_secret_key() {
    let provider = Provider::new();
    assert_eq!(provider.send(&Request::get("/stand-in/charges")).status, 401);
    assert_eq!(provider.send(&Request::post("/stand-in/forget-keys")).status, 401);
}

#[test]
fn requests_are_recorded_with_their_answers_and_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    let provider = Provider::with(Options { record: Some(path.clone()), ..Options::default() });
    provider.stand_in.add_fault(Rule::always(Fault::DropAfter).at(Operation::Expire).times(1));
    let id = provider.told(200, &post(SESSIONS, &session_form("o-1")).key("k-1"))["id"].as_str().unwrap().to_owned();
    provider.client.send(&post(&format!("{SESSIONS}/{id}/expire"), &[])).unwrap_err();
    let requests = provider.stand_in.requests();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, requests.iter().map(|request| json!(request)).collect::<Vec<_>>());
    assert_eq!((requests[0].operation, requests[0].status), (Some(Operation::Create), Some(200)));
    assert_eq!(requests[0].headers["idempotency-key"], "k-1");
    assert_eq!(requests[1].faults, ["drop-after"]);
    assert!(!text.contains(SECRET_KEY));
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start() {
    let refused = |options: Options| StandIn::start(options).unwrap_err();
    let live = refused(Options { secret_key: "sk_live_0123456789".to_owned(), ..Options::default() });
    assert!(!live.to_string().contains("0123456789"), "{live}");
    let https = refused(Options { webhook_url: Some("https://shop.example".to_owned()), ..Options::default() });
    assert!(matches!(https, Error::Option(_)));
    let taken = Provider::new();
    assert!(matches!(
        refused(Options { listen: taken.stand_in.address(), ..Options::default() }),
        Error::Listen { .. }
    ));
    let file = refused(Options { state: Some("/no/such/folder/state".into()), ..Options::default() });
    assert!(matches!(file, Error::File { .. }));
}
