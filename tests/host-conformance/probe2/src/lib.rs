//! Shows a test, over HTTP, what a component of WASI 0.2 sees of the host that it runs on. The last segment of the path
//! says what:
//!
//! - `send` sends the request to another server that its body describes ([`wanted::Wanted`]), and tells what came back.
//! - `transport` does so through the shell's transport for a payment provider.

#[path = "../../probe/src/wanted.rs"]
mod wanted;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use wasi::exports::http::incoming_handler::Guest;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    RequestOptions, ResponseOutparam, Scheme,
};
use wasi::io::streams::StreamError;
use wasi2_shell::Wasi2Transport;

use crate::wanted::{Wanted, told};

/// As much as one write may have.
const WRITE_BYTES: usize = 4096;

struct Component;

wasi::http::proxy::export!(Component with_types_in wasi);

impl Guest for Component {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (text, _) = read(request.consume().expect("a request has a body"));
        let wanted = Wanted::read(&text);
        let answer = match path.rsplit('/').next().unwrap_or_default() {
            "send" => exchange(wanted).unwrap_or_else(|error| json!({ "error": error })),
            _ => json!({ "sent": run(wanted.send_through(Wasi2Transport)) }),
        };
        let outgoing = OutgoingResponse::new(Fields::new());
        let body = outgoing.body().expect("an answer has a body");
        ResponseOutparam::set(response, Ok(outgoing));
        write(&body, answer.to_string().as_bytes());
        OutgoingBody::finish(body, None).expect("the body can be finished");
    }
}

/// Runs a future to its end. Each of its waits blocks the instance.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

fn exchange(wanted: Wanted) -> Result<Value, String> {
    let request = OutgoingRequest::new(Fields::from_list(&wanted.fields()).map_err(|error| format!("{error:?}"))?);
    let (scheme, authority, path) = wanted.place();
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let method = match wanted.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "path")?;
    let content = wanted.body.repeat(wanted.times).into_bytes();
    let body = (!content.is_empty()).then(|| request.body().expect("a request has a body"));
    let sent = outgoing_handler::handle(request, Some(options(&wanted))).map_err(|error| format!("{error:?}"))?;
    if let Some(body) = body {
        write(&body, &content);
        // Where the host has taken less, the answer says why.
        _ = OutgoingBody::finish(body, None);
    }
    sent.subscribe().block();
    let answer = sent.get().expect("it is ready").expect("it is asked for once");
    Ok(tell(&answer.map_err(|error| format!("{error:?}"))?))
}

fn options(wanted: &Wanted) -> RequestOptions {
    let options = RequestOptions::new();
    let nanoseconds = |time: Option<u64>| time.map(|time| time * 1_000_000);
    options.set_connect_timeout(nanoseconds(wanted.connect_timeout)).expect("it can be set");
    options.set_first_byte_timeout(nanoseconds(wanted.first_byte_timeout)).expect("it can be set");
    options.set_between_bytes_timeout(nanoseconds(wanted.between_bytes_timeout)).expect("it can be set");
    options
}

fn tell(answer: &IncomingResponse) -> Value {
    let (status, fields) = (answer.status(), answer.headers().entries());
    let (body, end) = read(answer.consume().expect("it is consumed once"));
    told(status, fields, &body, end)
}

/// A body, and the error that it ends in.
fn read(body: IncomingBody) -> (Vec<u8>, Option<String>) {
    let content = body.stream().expect("a body has one stream");
    let mut bytes = Vec::new();
    loop {
        match content.blocking_read(64 * 1024) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => return (bytes, None),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasi::http::types::http_error_code(&error);
                return (bytes, Some(code.map_or_else(|| error.to_debug_string(), |code| format!("{code:?}"))));
            }
        }
    }
}

fn write(body: &OutgoingBody, bytes: &[u8]) {
    let content = body.write().expect("a body has one stream");
    for chunk in bytes.chunks(WRITE_BYTES) {
        if content.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
}
