//! What a test in another process needs: the same as the library has, over HTTP, below `/stand-in/`. It takes the
//! secret key, so that no page in a browser can use it.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::audit::{self, Act};
use crate::faults::Rule;
use crate::server::{Request, Response, Unanswered, check_key, json_response};
use crate::shared::Shared;
use crate::state::DisputeAct;
use crate::{calls, webhook_address};

/// What `/stand-in/settings` takes. What is left out stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// In place of those that are in force.
    faults: Option<Vec<String>>,
    /// How far the clock is ahead of the machine's, in seconds.
    clock_ahead: Option<u64>,
    /// Where webhooks go; empty for nowhere.
    webhook_url: Option<String>,
    webhook_secrets: Option<Vec<String>>,
}

/// What `/stand-in/sessions/ID/dispute` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NewDispute {
    /// In minor units; none: what is not disputed yet.
    amount: Option<u64>,
    /// Whether the bank only inquires.
    inquiry: bool,
}

pub(crate) fn respond(shared: &Arc<Shared>, request: &Request, path: &str) -> Result<Response, Unanswered> {
    if let Err(error) = check_key(shared, request) {
        return Ok(json_response(error.status, &error.body()));
    }
    let parts: Vec<_> = path.split('/').collect();
    let post = request.method == Method::POST;
    let get = request.method == Method::GET;
    let told = |value: Value| Ok(json_response(StatusCode::OK, &value));
    let refused = |status: StatusCode, reason: String| Ok(json_response(status, &json!({ "error": reason })));
    let done = |result: std::io::Result<()>| match result {
        Ok(()) => told(json!({ "done": true })),
        Err(error) => Err(Unanswered(error.to_string())),
    };
    match parts.as_slice() {
        ["charges"] if get => told(json!(shared.read(audit::charges))),
        ["refunds"] if get => told(json!(shared.read(audit::refunds))),
        ["disputes"] if get => told(json!(shared.read(audit::disputes))),
        ["sessions"] if get => told(json!(shared.read(audit::sessions))),
        ["events"] if get => told(json!(shared.read(audit::events))),
        ["requests"] if get => told(json!(shared.requests())),
        ["forget-keys"] if post => done(shared.change(|state, _| state.forget_keys())),
        ["release"] if post => done(shared.change(|state, _| state.release())),
        ["settings"] if post => match settings(shared, &request.body) {
            Ok(()) => done(Ok(())),
            Err(reason) => refused(StatusCode::BAD_REQUEST, reason),
        },
        ["sessions", session, "dispute"] if post => {
            let new = if request.body.is_empty() { Ok(NewDispute::default()) } else { read(&request.body) };
            let NewDispute { amount, inquiry } = match new {
                Ok(new) => new,
                Err(reason) => return refused(StatusCode::BAD_REQUEST, reason),
            };
            match shared.change(|state, now| state.dispute(session, amount, inquiry, now)) {
                Ok(Ok(id)) => told(json!({ "id": id })),
                Ok(Err(error)) => refused(StatusCode::CONFLICT, error.to_string()),
                Err(error) => done(Err(error)),
            }
        }
        [kind @ ("sessions" | "refunds" | "disputes"), id, act] if post => match act_of(kind, act) {
            Some(act) => match shared.change(|state, now| act.perform(state, id, now)) {
                Ok(Ok(())) => done(Ok(())),
                Ok(Err(error)) => refused(StatusCode::CONFLICT, error.to_string()),
                Err(error) => done(Err(error)),
            },
            None => refused(StatusCode::NOT_FOUND, format!("no {act}")),
        },
        _ => refused(StatusCode::NOT_FOUND, format!("no {path}")),
    }
}

fn act_of(kind: &str, act: &str) -> Option<Act> {
    let method = || calls::METHODS[0].to_owned();
    match (kind, act) {
        ("sessions", "pay") => Some(Act::Pay(method())),
        ("sessions", "decline") => Some(Act::Decline(method())),
        ("sessions", "pay-later") => Some(Act::PayLater(method(), None)),
        ("sessions", "settle") => Some(Act::Settle(true)),
        ("sessions", "fail") => Some(Act::Settle(false)),
        ("sessions", "close") => Some(Act::Close),
        ("refunds", "settle") => Some(Act::SettleRefund(true)),
        ("refunds", "fail") => Some(Act::SettleRefund(false)),
        ("disputes", "answer") => Some(Act::Dispute(DisputeAct::Answer)),
        ("disputes", "escalate") => Some(Act::Dispute(DisputeAct::Escalate)),
        ("disputes", "win") => Some(Act::Dispute(DisputeAct::Win)),
        ("disputes", "lose") => Some(Act::Dispute(DisputeAct::Lose)),
        ("disputes", "prevent") => Some(Act::Dispute(DisputeAct::Prevent)),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn settings(shared: &Arc<Shared>, body: &[u8]) -> Result<(), String> {
    let Settings { faults, clock_ahead, webhook_url, webhook_secrets } = read(body)?;
    // All is read before any is changed.
    let faults = faults.map(|all| all.iter().map(|rule| rule.parse::<Rule>()).collect::<Result<Vec<_>, _>>());
    let faults = faults.transpose().map_err(|error| error.to_string())?;
    let url = webhook_url.map(|url| if url.is_empty() { Ok(None) } else { webhook_address(&url).map(Some) });
    let url = url.transpose().map_err(|error| error.to_string())?;
    if let Some(faults) = faults {
        shared.change(|state, _| state.faults.0 = faults).map_err(|error| error.to_string())?;
    }
    if let Some(ahead) = clock_ahead {
        shared.set_ahead(Duration::from_secs(ahead));
    }
    if let Some(secrets) = webhook_secrets {
        shared.set_webhook_secrets(secrets);
    }
    if let Some(url) = url {
        shared.set_webhook_url(url);
    }
    Ok(())
}
