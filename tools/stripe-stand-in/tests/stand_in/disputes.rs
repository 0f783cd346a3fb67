//! Disputes: how they begin and end, what is told of them, and what they keep from being refunded.

use harness::{Answer, Request};
use serde_json::{Value, json};
use stripe_stand_in::{BuyerError, DisputeStatus, Disputed, Options, Rule, WEBHOOK_SECRET};

use crate::support::{Hooks, Provider, SESSIONS, act, eventually, get, post, session_form, soon, with};

fn look(provider: &Provider, dispute: &str) -> Value {
    provider.told(200, &get(&format!("/v1/disputes/{dispute}")))
}

/// A session that is paid and disputed whole, its intent, and the dispute.
#[track_caller]
fn disputed(provider: &Provider, order: &str) -> (String, String, String) {
    let (session, intent) = provider.paid(order);
    let dispute = provider.stand_in.dispute(&session, None, false).unwrap();
    (session, intent, dispute)
}

fn status(provider: &Provider) -> Vec<DisputeStatus> {
    provider.stand_in.disputes().iter().map(|dispute| dispute.status).collect()
}

#[track_caller]
fn charged_back(answer: &Answer) {
    let error = &answer.value()["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!("charge_disputed")), "{error}");
    assert_eq!(error["type"], "invalid_request_error");
    assert!(error["message"].as_str().unwrap().ends_with("has been charged back; cannot issue a refund."));
}

/// The events about disputes, by the last part of their type, in the order in which they happened.
fn events(provider: &Provider) -> Vec<String> {
    let all = provider.stand_in.events().into_iter();
    all.filter_map(|event| event.kind.strip_prefix("charge.dispute.").map(str::to_owned)).collect()
}

#[test]
fn a_dispute_takes_the_money_of_a_charge() {
    let provider = Provider::new();
    let (session, intent, id) = disputed(&provider, "o-1");
    let charge = provider.stand_in.charges().pop().unwrap().id;
    let dispute = look(&provider, &id);
    assert!(id.starts_with("du_1"), "{id}");
    assert_eq!((&dispute["id"], &dispute["object"]), (&json!(id), &json!("dispute")));
    assert_eq!((&dispute["charge"], &dispute["payment_intent"]), (&json!(charge), &json!(intent)));
    assert_eq!((&dispute["amount"], &dispute["currency"]), (&json!(2000), &json!("cny")));
    assert_eq!((&dispute["status"], &dispute["is_charge_refundable"]), (&json!("needs_response"), &json!(false)));
    assert_eq!((&dispute["metadata"], &dispute["livemode"]), (&json!({}), &json!(false)));
    assert_eq!(dispute["payment_method_details"]["card"]["case_type"], "chargeback");
    let due_by = dispute["evidence_details"]["due_by"].as_i64().unwrap();
    assert!((due_by + 1) % 86_400 == 0 && due_by > dispute["created"].as_i64().unwrap() + 8 * 86_400);
    let movements = dispute["balance_transactions"].as_array().unwrap();
    assert_eq!(movements.len(), 1);
    assert_eq!((&movements[0]["amount"], &movements[0]["net"]), (&json!(-2000), &json!(-3500)));
    assert_eq!(movements[0]["source"], id.as_str());
    assert_eq!(provider.look(&session)["payment_intent"]["latest_charge"]["disputed"], true);
    assert_eq!(events(&provider), ["created", "funds_withdrawn"]);
    let Disputed { order, session: of, status, withdrawn, amount, .. } = provider.stand_in.disputes().pop().unwrap();
    assert_eq!((order.as_deref(), of, status), (Some("o-1"), session, DisputeStatus::NeedsResponse));
    assert_eq!((withdrawn, amount), (true, 2000));
}

#[test]
fn only_what_was_charged_can_be_disputed_and_no_more_of_it() {
    let provider = Provider::new();
    let open = provider.open("o-1");
    let unknown = provider.stand_in.dispute("cs_test_1", None, false).unwrap_err();
    assert!(matches!(unknown, BuyerError::Unknown(_)));
    let not_charged = |session: &str| {
        let error = provider.stand_in.dispute(session, None, false).unwrap_err();
        assert!(matches!(error, BuyerError::State(_, "not charged")), "{error}");
    };
    not_charged(&open);
    provider.stand_in.decline(&open).unwrap();
    not_charged(&open);
    provider.stand_in.pay_later(&open).unwrap();
    not_charged(&open);
    provider.stand_in.settle(&open, false).unwrap();
    not_charged(&open);
    let (paid, _) = provider.paid("o-2");
    assert_eq!(provider.look(&paid)["payment_intent"]["latest_charge"]["disputed"], false);
    let refused = |amount: Option<u64>, expected: i64| {
        let error = provider.stand_in.dispute(&paid, amount, false).unwrap_err();
        assert!(matches!(error, BuyerError::Amount { rest, .. } if rest == expected), "{amount:?}: {error}");
    };
    refused(Some(0), 2000);
    refused(Some(2001), 2000);
    refused(Some(u64::MAX), 2000);
    let first = provider.stand_in.dispute(&paid, Some(500), false).unwrap();
    refused(Some(1501), 1500);
    let second = provider.stand_in.dispute(&paid, None, true).unwrap();
    assert_eq!(look(&provider, &second)["amount"], 1500);
    refused(None, 0);
    refused(Some(1), 0);
    // What has come to nothing can be disputed again, and what was lost cannot.
    provider.stand_in.close_dispute(&second, true).unwrap();
    refused(Some(1501), 1500);
    provider.stand_in.close_dispute(&first, false).unwrap();
    refused(Some(1501), 1500);
    provider.stand_in.close_dispute(&first, true).unwrap();
    provider.stand_in.dispute(&paid, Some(2000), false).unwrap();
}

#[test]
fn a_charge_with_a_dispute_that_is_open_or_lost_cannot_be_refunded() {
    let provider = Provider::new();
    let (session, intent) = provider.paid("o-1");
    provider.refund(&intent, 100).json();
    let part = provider.stand_in.dispute(&session, Some(1), false).unwrap();
    charged_back(&provider.refund(&intent, 100));
    let fields = [("charge".to_owned(), provider.stand_in.charges()[0].id.clone())];
    charged_back(&provider.send(&post("/v1/refunds", &fields)));
    provider.stand_in.answer_dispute(&part).unwrap();
    charged_back(&provider.refund(&intent, 100));
    provider.stand_in.close_dispute(&part, false).unwrap();
    charged_back(&provider.refund(&intent, 100));
    // The bank changes its mind.
    provider.stand_in.close_dispute(&part, true).unwrap();
    assert_eq!(look(&provider, &part)["is_charge_refundable"], true);
    assert_eq!(provider.refund(&intent, 100).status, 200);
    let other = provider.stand_in.dispute(&session, Some(1), false).unwrap();
    assert_eq!(look(&provider, &part)["is_charge_refundable"], false, "for another dispute of the charge");
    charged_back(&provider.refund(&intent, 100));
    provider.stand_in.prevent_dispute(&other).unwrap();
    charged_back(&provider.refund(&intent, 100));
    assert_eq!(provider.stand_in.charges()[0].refunded, 200);
    let (_, another) = provider.paid("o-2");
    assert_eq!(provider.refund(&another, 100).status, 200, "another charge is not concerned");
}

#[test]
fn a_dispute_that_is_won_gives_the_money_back() {
    let provider = Provider::new();
    let (session, _, id) = disputed(&provider, "o-1");
    provider.stand_in.answer_dispute(&id).unwrap();
    let answered = look(&provider, &id);
    assert_eq!(
        (&answered["status"], &answered["evidence_details"]["has_evidence"]),
        (&json!("under_review"), &json!(true))
    );
    provider.stand_in.close_dispute(&id, true).unwrap();
    let won = look(&provider, &id);
    assert_eq!((&won["status"], &won["is_charge_refundable"]), (&json!("won"), &json!(true)));
    let amounts: Vec<_> = won["balance_transactions"].as_array().unwrap().iter().map(|one| &one["amount"]).collect();
    assert_eq!(amounts, [-2000, 2000]);
    assert_eq!(provider.look(&session)["payment_intent"]["latest_charge"]["disputed"], true, "it was disputed");
    assert!(!provider.stand_in.disputes()[0].withdrawn);
    assert_eq!(events(&provider), ["created", "funds_withdrawn", "updated", "funds_reinstated", "closed"]);
}

#[test]
fn a_dispute_that_is_lost_or_prevented_keeps_the_money() {
    let provider = Provider::new();
    let (_, _, lost) = disputed(&provider, "o-1");
    provider.stand_in.close_dispute(&lost, false).unwrap();
    let (_, _, prevented) = disputed(&provider, "o-2");
    provider.stand_in.prevent_dispute(&prevented).unwrap();
    assert_eq!(status(&provider), [DisputeStatus::Lost, DisputeStatus::Prevented]);
    assert!(provider.stand_in.disputes().iter().all(|dispute| dispute.withdrawn));
    let prevented = look(&provider, &prevented);
    assert_eq!((&prevented["status"], &prevented["is_charge_refundable"]), (&json!("prevented"), &json!(false)));
    assert_eq!(prevented["payment_method_details"]["card"]["case_type"], "resolution");
    let one = ["created", "funds_withdrawn", "closed"];
    assert_eq!(events(&provider), [one, one].concat());
}

#[test]
fn an_inquiry_takes_nothing_until_it_is_escalated() {
    let provider = Provider::new();
    let (session, intent) = provider.paid("o-1");
    let id = provider.stand_in.dispute(&session, None, true).unwrap();
    let inquiry = look(&provider, &id);
    assert_eq!(
        (&inquiry["status"], &inquiry["is_charge_refundable"]),
        (&json!("warning_needs_response"), &json!(true))
    );
    assert_eq!(inquiry["payment_method_details"]["card"]["case_type"], "inquiry");
    assert_eq!(inquiry["balance_transactions"], json!([]));
    assert!(!provider.stand_in.disputes()[0].withdrawn);
    assert_eq!(provider.refund(&intent, 100).status, 200);
    provider.stand_in.answer_dispute(&id).unwrap();
    assert_eq!(status(&provider), [DisputeStatus::WarningUnderReview]);
    assert_eq!(provider.refund(&intent, 100).status, 200);
    provider.stand_in.close_dispute(&id, false).unwrap_err();
    provider.stand_in.escalate_dispute(&id).unwrap();
    charged_back(&provider.refund(&intent, 100));
    let escalated = look(&provider, &id);
    assert_eq!(escalated["payment_method_details"]["card"]["case_type"], "chargeback");
    assert_eq!(escalated["balance_transactions"].as_array().unwrap().len(), 1);
    assert_eq!(events(&provider), ["created", "updated", "updated", "funds_withdrawn"]);
    let (session, _) = provider.paid("o-2");
    let prevented = provider.stand_in.dispute(&session, None, true).unwrap();
    provider.stand_in.prevent_dispute(&prevented).unwrap();
    assert_eq!(events(&provider)[4..], ["created", "funds_withdrawn", "closed"]);
}

#[test]
fn an_inquiry_that_comes_to_nothing_is_closed_by_the_bank_or_by_a_whole_refund() {
    let provider = Provider::new();
    let (session, intent) = provider.paid("o-1");
    let by_bank = provider.stand_in.dispute(&session, Some(1), true).unwrap();
    provider.stand_in.close_dispute(&by_bank, true).unwrap();
    let by_refund = provider.stand_in.dispute(&session, None, true).unwrap();
    provider.refund(&intent, 1999).json();
    assert_eq!(status(&provider), [DisputeStatus::WarningClosed, DisputeStatus::WarningNeedsResponse]);
    let last = provider.send(&post("/v1/refunds", &[("payment_intent".to_owned(), intent)]).key("k-1"));
    assert_eq!(last.status, 200);
    assert_eq!(status(&provider), [DisputeStatus::WarningClosed; 2]);
    assert_eq!(events(&provider), ["created", "closed", "created", "closed"]);
    let closed = provider.told(200, &get("/v1/events?type=charge.dispute.closed&limit=1"))["data"][0].clone();
    assert_eq!(closed["request"]["idempotency_key"], "k-1");
    provider.stand_in.escalate_dispute(&by_refund).unwrap_err();
    // The buyer wants the money from the bank all the same.
    provider.stand_in.dispute(&session, None, false).unwrap();
}

#[test]
fn what_is_closed_stays_closed() {
    let provider = Provider::new();
    let of = |inquiry: bool, ends: fn(&Provider, &str)| {
        let (session, _) = provider.paid("o-1");
        let id = provider.stand_in.dispute(&session, None, inquiry).unwrap();
        ends(&provider, &id);
        id
    };
    let ended = [
        of(false, |provider, id| provider.stand_in.close_dispute(id, true).unwrap()),
        of(true, |provider, id| provider.stand_in.close_dispute(id, true).unwrap()),
        of(false, |provider, id| provider.stand_in.prevent_dispute(id).unwrap()),
        of(false, |provider, id| provider.stand_in.close_dispute(id, false).unwrap()),
    ];
    let before = (provider.stand_in.disputes(), events(&provider));
    for (number, id) in ended.iter().enumerate() {
        provider.stand_in.answer_dispute(id).unwrap_err();
        provider.stand_in.escalate_dispute(id).unwrap_err();
        provider.stand_in.prevent_dispute(id).unwrap_err();
        let lost = provider.stand_in.close_dispute(id, false).unwrap_err();
        assert!(matches!(lost, BuyerError::State(..)), "{lost}");
        // Of what was lost, the bank may think again.
        if number < 3 {
            provider.stand_in.close_dispute(id, true).unwrap_err();
        }
    }
    assert_eq!((provider.stand_in.disputes(), events(&provider)), before);
    let unknown = provider.stand_in.close_dispute("du_1", true).unwrap_err();
    assert!(matches!(unknown, BuyerError::Unknown(_)));
    let (_, _, answered) = disputed(&provider, "o-2");
    provider.stand_in.escalate_dispute(&answered).unwrap_err();
    provider.stand_in.answer_dispute(&answered).unwrap();
    provider.stand_in.answer_dispute(&answered).unwrap_err();
    provider.stand_in.prevent_dispute(&answered).unwrap_err();
}

#[test]
fn disputes_are_looked_at_and_listed_by_what_they_are_of() {
    let provider = Provider::new();
    let (first, intent, one) = disputed(&provider, "o-1");
    let (_, other_intent, two) = disputed(&provider, "o-2");
    provider.stand_in.close_dispute(&one, true).unwrap();
    let three = provider.stand_in.dispute(&first, Some(7), false).unwrap();
    let charges: Vec<_> = provider.stand_in.charges().into_iter().map(|charge| charge.id).collect();
    let list = |query: &str| {
        let list = provider.told(200, &get(&format!("/v1/disputes?{query}")));
        assert_eq!(list["url"], "/v1/disputes");
        list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(""), [&*three, &*two, &*one]);
    assert_eq!(list(&format!("payment_intent={intent}")), [&*three, &*one]);
    assert_eq!(list(&format!("charge={}", charges[1])), [&*two]);
    assert_eq!(list("charge=ch_3x"), [""; 0]);
    assert_eq!(list("created[gte]=1&limit=1"), [&*three]);
    assert_eq!(list("created[lt]=1"), [""; 0]);
    assert_eq!(list(&format!("starting_after={three}&limit=1")), [&*two]);
    assert_eq!(list(&format!("ending_before={one}")), [&*three, &*two]);
    for wrong in ["limit=0", "starting_after=du_1", "status=won", "expand[]=data.evidence"] {
        assert_eq!(provider.send(&get(&format!("/v1/disputes?{wrong}"))).status, 400, "{wrong}");
    }
    let whole = "expand[]=payment_intent.latest_charge&expand[]=charge";
    let shown = provider.told(200, &get(&format!("/v1/disputes/{two}?{whole}")));
    assert_eq!(shown["payment_intent"]["id"], other_intent.as_str());
    assert_eq!(shown["payment_intent"]["latest_charge"]["disputed"], true);
    assert_eq!(shown["charge"]["id"], charges[1].as_str());
    let listed = provider.told(200, &get("/v1/disputes?expand[]=data.payment_intent"));
    assert_eq!(listed["data"][0]["payment_intent"]["id"], intent.as_str());
    let unknown = provider.told(404, &get("/v1/disputes/du_1"));
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["param"]),
        (&json!("resource_missing"), &json!("dispute"))
    );
    assert_eq!(unknown["error"]["message"], "No such dispute: 'du_1'");
    assert_eq!(provider.send(&post(&format!("/v1/disputes/{two}"), &[])).status, 404, "it takes no evidence");
}

#[test]
fn a_dispute_says_what_its_intent_is_about_and_nothing_of_its_own() {
    let provider = Provider::new();
    let form = with(session_form("o-1"), "payment_intent_data[metadata][order_id]", "o-1");
    let session = provider.told(200, &post(SESSIONS, &form))["id"].as_str().unwrap().to_owned();
    provider.stand_in.pay_by(&session, "alipay").unwrap();
    let id = provider.stand_in.dispute(&session, None, false).unwrap();
    let shown = provider.told(200, &get(&format!("/v1/disputes/{id}?expand[]=payment_intent")));
    assert_eq!((&shown["metadata"], &shown["payment_intent"]["metadata"]), (&json!({}), &json!({ "order_id": "o-1" })));
    assert_eq!(shown["payment_method_details"], Value::Null, "of a card only");
    assert_eq!(provider.stand_in.disputes()[0].metadata["order_id"], "o-1");
}

#[test]
fn disputes_are_made_and_ended_over_http() {
    let provider = Provider::new();
    let (session, _) = provider.paid("o-1");
    let dispute = act(&format!("sessions/{session}/dispute"));
    let made = |body: Value| {
        let told = provider.told(200, &act(&format!("sessions/{session}/dispute")).json(body));
        told["id"].as_str().unwrap().to_owned()
    };
    let part = made(json!({ "amount": 500 }));
    let inquiry = made(json!({ "amount": 300, "inquiry": true }));
    let rest = provider.told(200, &dispute)["id"].as_str().unwrap().to_owned();
    provider.told(409, &dispute);
    for wrong in [json!({ "sum": 1 }), json!({ "amount": -1 }), json!({ "amount": "1" }), json!([1, 2, 3]), json!(null)]
    {
        provider.told(400, &act(&format!("sessions/{session}/dispute")).json(wrong));
    }
    provider.told(409, &act("sessions/cs_test_1/dispute"));
    let acts = |id: &str, status: u16, what: &str| _ = provider.told(status, &act(&format!("disputes/{id}/{what}")));
    acts(&inquiry, 409, "lose");
    acts(&inquiry, 200, "escalate");
    acts(&inquiry, 200, "answer");
    acts(&inquiry, 200, "win");
    acts(&part, 200, "lose");
    acts(&rest, 200, "prevent");
    acts(&rest, 409, "win");
    acts(&rest, 404, "settle");
    acts("du_1", 409, "win");
    let listed: Vec<Disputed> = serde_json::from_value(provider.told(200, &get("/stand-in/disputes"))).unwrap();
    assert_eq!(listed, provider.stand_in.disputes());
    let all: Vec<_> = listed.iter().map(|one| (one.amount, one.status)).collect();
    use DisputeStatus::{Lost, Prevented, Won};
    assert_eq!(all, [(500, Lost), (300, Won), (1200, Prevented)]);
    assert_eq!(provider.send(&Request::get("/stand-in/disputes")).status, 401);
    assert_eq!(provider.send(&Request::post(format!("/stand-in/sessions/{session}/dispute"))).status, 401);
}

#[test]
fn calls_about_disputes_can_be_struck() {
    let provider = Provider::new();
    let (_, _, first) = disputed(&provider, "o-1");
    let request = get(&format!("/v1/disputes/{first}?expand[]=payment_intent"));
    provider.fault("unavailable@look-dispute*1");
    provider.fault("unavailable@list-disputes*1");
    provider.told(503, &request);
    provider.told(503, &get("/v1/disputes"));
    provider.fault("unknown@look-dispute*1");
    assert_eq!(provider.told(404, &request)["error"]["code"], "resource_missing");
    provider.fault("other-object@look-dispute*2");
    let alone = provider.told(200, &request);
    assert!(alone["id"] != first.as_str() && alone["id"].as_str().unwrap().starts_with("du_1"));
    assert_eq!(provider.send(&get(&format!("/v1/disputes/{}", alone["id"].as_str().unwrap()))).status, 404);
    let (_, _, second) = disputed(&provider, "o-2");
    provider.fault("other-object@look-dispute*1");
    assert_eq!(provider.told(200, &request)["id"], second.as_str());
    assert_eq!(provider.told(200, &request)["id"], first.as_str());
}

/// A stand-in that tells these hooks of disputes, and of nothing else.
fn telling(hooks: &Hooks) -> Provider {
    let faults = ["never@checkout.session.completed", "never@charge.dispute.funds_withdrawn"];
    let faults = faults.map(|rule| rule.parse::<Rule>().unwrap()).into();
    Provider::with(Options { webhook_url: Some(hooks.url.clone()), faults, retries: soon(), ..Options::default() })
}

#[test]
fn a_dispute_is_told_with_a_signature() {
    let hooks = Hooks::new();
    let provider = telling(&hooks);
    let (_, _, id) = disputed(&provider, "o-1");
    let told = hooks.next();
    assert!(told.signed_at(WEBHOOK_SECRET).is_some());
    let event = told.event();
    assert_eq!((told.kind(), &event["data"]["object"]), ("charge.dispute.created".to_owned(), &look(&provider, &id)));
    assert_eq!(event["request"]["id"], Value::Null);
    assert_eq!(provider.stand_in.events().last().unwrap().about, id);
    let own = provider.stand_in.event("charge.dispute.updated", &id).unwrap();
    assert_eq!((&own["type"], &own["data"]["object"]["id"]), (&json!("charge.dispute.updated"), &json!(id)));
}

#[test]
fn what_is_told_of_a_dispute_can_be_struck() {
    let hooks = Hooks::new();
    let provider = telling(&hooks);
    let mut order = 0;
    let mut tell = |rule: &str| {
        provider.fault(&format!("{rule}@charge.dispute.created*1"));
        order += 1;
        let (_, _, id) = disputed(&provider, &format!("o-{order}"));
        (look(&provider, &id), hooks.next())
    };
    let (_, thrice) = tell("thrice");
    assert!([hooks.next(), hooks.next()].iter().all(|copy| copy.body == thrice.body));
    let (_, wrong) = tell("wrong-secret");
    assert!(wrong.signature.is_some() && wrong.signed_at(WEBHOOK_SECRET).is_none());
    let (_, unsigned) = tell("unsigned");
    assert_eq!(unsigned.signature, None);
    let about = |told: &crate::support::Arrived| {
        assert!(told.signed_at(WEBHOOK_SECRET).is_some());
        told.event()["data"]["object"].clone()
    };
    // Nothing else than this changes.
    let same = |mut told: Value, dispute: &Value, but: &[&str]| {
        for member in but {
            assert_ne!(told[member], dispute[member], "{member}");
            told[member] = dispute[member].clone();
        }
        assert_eq!(&told, dispute);
    };
    let (dispute, told) = tell("unknown-session");
    assert!(about(&told)["id"].as_str().unwrap().starts_with("du_1"));
    same(about(&told), &dispute, &["id"]);
    let (dispute, told) = tell("other-account");
    assert!(told.event()["account"].as_str().unwrap().starts_with("acct_"));
    same(about(&told), &dispute, &["id", "charge", "payment_intent"]);
    let (dispute, told) = tell("not-ours");
    assert_eq!(about(&told)["payment_intent"], Value::Null);
    same(about(&told), &dispute, &["charge", "payment_intent"]);
    let (dispute, told) = tell("other-order");
    let named = about(&told);
    let other = provider.stand_in.charges().into_iter().find(|charge| named["charge"] == charge.id.as_str());
    assert_eq!(named["payment_intent"], other.unwrap().intent.as_str());
    same(named, &dispute, &["charge", "payment_intent"]);
    let (_, no_json) = tell("no-json");
    assert!(serde_json::from_str::<Value>(&no_json.body).is_err());
    let (dispute, early) = tell("early");
    assert_eq!(about(&early), dispute);
    assert_eq!(hooks.all().len(), 0);
}

#[test]
fn an_early_webhook_of_a_dispute_is_there_when_the_act_has_ended() {
    let hooks = Hooks::new();
    let provider = telling(&hooks);
    provider.fault("early");
    disputed(&provider, "o-1");
    assert_eq!(hooks.all().len(), 1);
    provider.fault("held@charge.dispute.closed*1");
    let id = provider.stand_in.disputes()[0].id.clone();
    provider.stand_in.close_dispute(&id, false).unwrap();
    assert_eq!(hooks.all().len(), 0);
    provider.stand_in.release_webhooks();
    eventually("it is delivered", || hooks.all().iter().any(|told| told.kind() == "charge.dispute.closed"));
}
