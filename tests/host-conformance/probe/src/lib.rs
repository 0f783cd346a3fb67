//! Shows a test, over HTTP, what a component sees of the host that it runs on. The last segment of the path says what:
//!
//! - `script` runs the calls of a [`store::Step`] list on the key-value store, and answers with what each returned.
//! - `instance` tells which instance this is, and the number of the request in it.
//! - `last` tells the same, and makes the instance refuse new requests.
//! - `hold` waits while the store has the key that is the request's query, having written there which instance holds.
//! - `panic`, `error`, `late-panic`, `late-panic-chunked` and `late-error-chunked` fail, the last three after the head of
//!   the answer was sent.
//! - `chunked` answers without saying how long the body is.
//! - `send` sends the request to another server that its body describes ([`wanted::Wanted`]), and tells what came back.
//! - `transport` does so through the shell's transport for a payment provider.
//! - Anything else answers with the request as it arrived.

mod outgoing;
mod store;
mod wanted;

use std::cell::Cell;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::http::types::ErrorCode;
use spin_sdk::wasip3::random::random::get_random_u64;
use spin_sdk::wit_bindgen::backpressure_inc;
use spin_shell::SpinTransport;

use crate::wanted::Wanted;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How often a request that holds checks whether it may end.
const PAUSE: Duration = Duration::from_millis(20);

/// The length that the head of a late panic announces.
const PROMISED: usize = 1000;

thread_local! {
    /// Requests that came to this instance so far.
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
    /// Requests that hold in this instance now.
    static HOLDING: Cell<u64> = const { Cell::new(0) };
}

#[http_service]
async fn serve(request: Request) -> Result<impl IntoResponse, ErrorCode> {
    REQUESTS.set(REQUESTS.get() + 1);
    let number = REQUESTS.get();
    let path = request.uri().path().trim_end_matches('/');
    Ok(match path.rsplit('/').next().unwrap_or_default() {
        "script" => {
            let steps = request.into_body().collect().await?.to_bytes();
            let steps = serde_json::from_slice(&steps).expect("the body is a script");
            whole(&store::run(steps).await)
        }
        "instance" => whole(&json!({ "instance": instance(), "request": number })),
        "last" => {
            backpressure_inc();
            whole(&json!({ "instance": instance(), "request": number }))
        }
        "hold" => {
            hold(request.uri().query().expect("the query is a key")).await;
            whole(&json!({}))
        }
        "panic" => panic!("as asked"),
        "error" => return Err(ErrorCode::InternalError(Some("as asked".to_owned()))),
        "late-panic" => {
            let mut response = chunks(End::Panic);
            response.headers_mut().insert(header::CONTENT_LENGTH, PROMISED.into());
            response
        }
        "late-panic-chunked" => chunks(End::Panic),
        "late-error-chunked" => chunks(End::Error),
        "chunked" => chunks(End::Whole),
        "send" => whole(&outgoing::send(wanted(request).await?).await),
        "transport" => {
            let sent = wanted(request).await?.send_through(SpinTransport).await;
            whole(&json!({ "instance": instance(), "sent": sent }))
        }
        _ => echo(request).await?,
    })
}

/// The request that a test wants sent.
async fn wanted(request: Request) -> Result<Wanted, ErrorCode> {
    Ok(Wanted::read(&request.into_body().collect().await?.to_bytes()))
}

/// A unique name.
fn instance() -> String {
    static INSTANCE: OnceLock<u64> = OnceLock::new();
    format!("{:016x}", INSTANCE.get_or_init(get_random_u64))
}

/// Writes under `key` which instance holds and how many requests now hold in it, and waits until the key is gone.
async fn hold(key: &str) {
    HOLDING.set(HOLDING.get() + 1);
    let store = Store::open_default().await.expect("the store opens");
    let holding = json!({ "instance": instance(), "holding": HOLDING.get() });
    store.set(key, holding.to_string()).await.expect("the store can be written");
    while store.exists(key).await.expect("the store can be read") {
        pause().await;
    }
    HOLDING.set(HOLDING.get() - 1);
}

async fn pause() {
    monotonic_clock::wait_for(u64::try_from(PAUSE.as_nanos()).expect("a short time")).await;
}

/// The request as it arrived, and which component it came to.
async fn echo(request: Request) -> Result<Response<Body>, ErrorCode> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    Ok(whole(&json!({
        "component": std::env::var("COMPONENT").unwrap_or_default(),
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers.collect::<Vec<_>>(),
        "body": String::from_utf8_lossy(&body),
    })))
}

/// An answer that says how long it is.
fn whole(content: &Value) -> Response<Body> {
    let body = content.to_string();
    let length = body.len();
    let mut response = Response::new(Full::from(body).map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// How an answer in pieces ends.
#[derive(Clone, Copy)]
enum End {
    Whole,
    Panic,
    Error,
}

/// An answer in two pieces, or one and then what `end` says.
fn chunks(end: End) -> Response<Body> {
    let pieces = stream::unfold(0, move |piece| async move {
        let frame = |text: &'static str| Ok(http_body::Frame::data(Bytes::from(text)));
        match piece {
            0 => Some((frame("first "), 1)),
            1 => {
                // So that the first piece is sent before.
                pause().await;
                match end {
                    End::Whole => Some((frame("second"), 2)),
                    End::Panic => panic!("as asked"),
                    End::Error => Some((Err(io::Error::other("as asked")), 2)),
                }
            }
            _ => None,
        }
    });
    Response::new(BodyExt::boxed_unsync(StreamBody::new(pieces)))
}
