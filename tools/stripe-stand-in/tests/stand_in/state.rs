//! What was done outlives the stand-in, however it ends.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use std::io::{BufRead, BufReader};

use harness::Client;
use stripe_stand_in::{DisputeStatus, Error, Options, RefundStatus, SessionStatus, StandIn, WebhookDelivery};

use crate::support::{Hooks, Provider, SESSIONS, eventually, get, post, session_form, soon};

fn with_state(path: &Path) -> Provider {
    Provider::with(Options { state: Some(path.to_owned()), retries: soon(), ..Options::default() })
}

#[test]
fn all_that_was_done_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let before = with_state(&path);
    let (paid, intent) = before.paid("o-1");
    let open = before.told(200, &post(SESSIONS, &session_form("o-2")).key("k-1"));
    let processing = before.open("o-3");
    before.stand_in.pay_later(&processing).unwrap();
    let expired = before.open("o-4");
    before.expire(&expired);
    before.refund(&intent, 500).json();
    let (charges, refunds) = (before.stand_in.charges(), before.stand_in.refunds());
    drop(before);

    let after = with_state(&path);
    assert_eq!((after.stand_in.charges(), after.stand_in.refunds()), (charges, refunds));
    assert_eq!(after.stand_in.refunds()[0].status, RefundStatus::Succeeded);
    let status: Vec<_> = after.stand_in.sessions().iter().map(|session| session.status).collect();
    use SessionStatus::{Complete, Expired, Open};
    assert_eq!(status, [Complete, Open, Complete, Expired]);
    after.stand_in.pay(&paid).unwrap_err();
    after.stand_in.settle(&processing, true).unwrap();
    let replay = after.send(&post(SESSIONS, &session_form("o-2")).key("k-1"));
    assert_eq!((replay.header("idempotent-replayed"), replay.value()), (Some("true"), open));
    assert_eq!(after.refund(&intent, 1501).status, 400, "refunds of before count");
}

#[test]
fn disputes_are_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let before = with_state(&path);
    let (session, intent) = before.paid("o-1");
    let won = before.stand_in.dispute(&session, Some(500), false).unwrap();
    let open = before.stand_in.dispute(&session, Some(700), false).unwrap();
    before.stand_in.close_dispute(&won, true).unwrap();
    let disputes = before.stand_in.disputes();
    drop(before);

    let after = with_state(&path);
    assert_eq!(after.stand_in.disputes(), disputes);
    assert_eq!(after.refund(&intent, 1).status, 400, "disputes of before count");
    after.stand_in.dispute(&session, Some(1301), false).unwrap_err();
    after.stand_in.close_dispute(&open, true).unwrap();
    assert_eq!(after.refund(&intent, 1).status, 200);
}

/// What a stand-in wrote that knew of no disputes: a session that was opened and paid, and a refund of 5.00 yuan.
const BEFORE_DISPUTES: &[u8] = include_bytes!("state-before-disputes.jsonl");

#[test]
fn a_state_without_disputes_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::write(&path, BEFORE_DISPUTES).unwrap();
    let provider = with_state(&path);
    let charge = provider.stand_in.charges().pop().unwrap();
    assert_eq!((charge.order.as_deref(), charge.amount, charge.refunded), (Some("o-1"), 2000, 500));
    assert!(provider.stand_in.disputes().is_empty());
    let shown = || provider.told(200, &get(&format!("/v1/charges/{}", charge.id)));
    assert_eq!(shown()["disputed"], false);
    let dispute = provider.stand_in.dispute(&charge.session, None, false).unwrap();
    assert_eq!(shown()["disputed"], true);
    drop(provider);
    let disputes = with_state(&path).stand_in.disputes();
    assert_eq!((disputes.len(), &disputes[0].id, disputes[0].status), (1, &dispute, DisputeStatus::NeedsResponse));
    assert_eq!(fs::read(&path).unwrap()[..BEFORE_DISPUTES.len()], *BEFORE_DISPUTES, "what was written stays");
}

#[test]
fn a_stand_in_that_was_killed_can_be_started_at_the_same_address() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().join("state"));
    let mut listen = ([127, 0, 0, 1], 0).into();
    for round in 1..5 {
        let provider = Provider::with(Options { listen, state: state.clone(), ..Options::default() });
        provider.open("o-1");
        assert_eq!(provider.stand_in.sessions().len(), round);
        listen = provider.stand_in.address();
        provider.stand_in.kill();
    }
}

#[test]
fn webhooks_that_were_not_taken_come_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let before = with_state(&path);
    before.fault("held*1");
    before.paid("o-1");
    before.paid("o-2");
    drop(before);
    let hooks = Hooks::new();
    let url = Some(hooks.url.clone());
    let after = Provider::with(Options {
        state: Some(path.clone()),
        webhook_url: url.clone(),
        retries: soon(),
        ..Options::default()
    });
    assert_eq!(hooks.next().event()["data"]["object"]["client_reference_id"], "o-2");
    let delivery = |number: usize| after.stand_in.events()[number].delivery;
    eventually("it is taken", || delivery(1) == WebhookDelivery::Taken);
    assert_eq!(delivery(0), WebhookDelivery::Held);
    drop(after);
    let again = Provider::with(Options { state: Some(path), webhook_url: url, retries: soon(), ..Options::default() });
    again.stand_in.release_webhooks();
    assert_eq!(hooks.next().event()["data"]["object"]["client_reference_id"], "o-1");
    eventually("all are taken", || {
        again.stand_in.events().iter().all(|event| event.delivery == WebhookDelivery::Taken)
    });
    assert_eq!(hooks.all().len(), 0, "what was taken does not come again");
}

#[test]
fn a_line_that_was_being_written_is_dropped_and_damage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let before = with_state(&path);
    before.open("o-1");
    let whole = fs::read(&path).unwrap();
    before.open("o-2");
    drop(before);
    let two = fs::read(&path).unwrap();
    for length in whole.len() + 1..two.len() {
        if length % 97 == 0 || length + 1 == two.len() {
            fs::write(&path, &two[..length]).unwrap();
            let after = with_state(&path);
            assert_eq!(after.stand_in.sessions().len(), 1, "{length}");
            after.open("o-3");
            drop(after);
            assert_eq!(with_state(&path).stand_in.sessions().len(), 2, "{length}");
        }
    }
    fs::write(&path, [b"{\n", &two[..]].concat()).unwrap();
    let error = StandIn::start(Options { state: Some(path), ..Options::default() }).unwrap_err();
    assert!(matches!(&error, Error::File { reason, .. } if reason.contains("line 1")), "{error}");
}

/// The program itself, and where it listens.
fn program(state: &Path) -> (Child, Client) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stripe-stand-in"))
        .args(["--listen", "127.0.0.1:0", "--state"])
        .arg(state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("Serving ")?.to_owned())).unwrap();
    (child, Client::new(&url, None).unwrap())
}

#[test]
fn every_session_that_was_told_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut told: Vec<String> = Vec::new();
    for round in 0..3 {
        let (mut child, client) = program(&path);
        let killed = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|number| {
                    let client = client.clone();
                    scope.spawn(move || {
                        let mut told = Vec::new();
                        for order in 0.. {
                            let request = post(SESSIONS, &session_form(&format!("{round}-{number}-{order}")));
                            match client.send(&request) {
                                Ok(answer) => told.push(answer.json()["id"].as_str().unwrap().to_owned()),
                                Err(_) => break,
                            }
                        }
                        told
                    })
                })
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(300));
            child.kill().unwrap();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        child.wait().unwrap();
        assert!(!killed.is_empty());
        told.extend(killed);
    }
    let (mut child, client) = program(&path);
    for id in told {
        assert_eq!(client.send(&get(&format!("{SESSIONS}/{id}"))).unwrap().status, 200);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
