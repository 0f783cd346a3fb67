//! Requests and answers between `wasi:http` 0.2 and the contract.

use std::time::Duration;

use api::{Body, End, Reply, Rest};
use http::Method;
use wasi::clocks::monotonic_clock;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::poll::{Pollable, poll};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

use crate::{Wasi2Environment, nanoseconds, run};

/// How many bytes of a body are asked for at once.
const READ_BYTES: u64 = 16 * 1024;

/// Takes a request from the host, with its body if it is worth reading.
pub(crate) fn receive(request: IncomingRequest) -> api::Request {
    let method = method(request.method());
    let target = request.path_with_query().unwrap_or_default();
    let headers = request.headers().entries().into();
    let body = if api::wants_body(&method) { read(&request) } else { Body::Whole(Vec::new()) };
    api::Request { method, target, headers, body }
}

fn method(method: WasiMethod) -> Method {
    match method {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        // No resource has a method of another name, so one name that no resource has stands for all others.
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes()).unwrap_or(Method::TRACE),
    }
}

/// Reads a body, as far as it is worth reading.
fn read(request: &IncomingRequest) -> Body {
    let Ok(body) = request.consume() else { return Body::Incomplete };
    let deadline = monotonic_clock::subscribe_duration(nanoseconds(api::BODY_TIMEOUT));
    read_body(body, &deadline, api::MAX_BODY_BYTES)
}

/// Reads a body of at most this number of bytes, until the deadline.
pub(crate) fn read_body(body: IncomingBody, deadline: &Pollable, most: usize) -> Body {
    let read = match body.stream() {
        Ok(content) => read_all(&content, deadline, most),
        Err(()) => Body::Incomplete,
    };
    // Trailers are of no use here; without this call the host goes on to receive what is left of the body.
    drop(IncomingBody::finish(body));
    read
}

fn read_all(content: &InputStream, deadline: &Pollable, most: usize) -> Body {
    let available = content.subscribe();
    let mut body = Vec::new();
    loop {
        match content.read(READ_BYTES) {
            Ok(chunk) if chunk.is_empty() => {
                poll(&[&available, deadline]);
            }
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Body::Whole(body),
            Err(StreamError::LastOperationFailed(_)) => return Body::Incomplete,
        }
        if body.len() > most {
            return Body::TooLarge;
        }
        if deadline.ready() {
            return Body::Late;
        }
    }
}

/// Hands an answer to the host. What follows the body of `reply` is made while the host takes it. The answer is given up
/// where nothing of it is taken for as long as `patience`.
pub(crate) fn send(response: ResponseOutparam, mut reply: Reply, rest: Option<Rest>, patience: Duration) {
    // No field of ours is refused; and if one were, the client would still want the rest.
    let answer = OutgoingResponse::new(Fields::from_list(&reply.take_fields()).unwrap_or_else(|_| Fields::new()));
    // The host takes every status that HTTP has.
    let _ = answer.set_status_code(reply.status.as_u16());
    let body = answer.body();
    ResponseOutparam::set(response, Ok(answer));
    let Ok(body) = body else { return };
    // An error says that the client has gone: then no answer reaches it.
    let complete = body.write().map(|content| {
        let sent = write(&content, &reply.body, patience);
        match rest {
            Some(rest) => write_rest(&content, rest, sent, patience),
            None => sent,
        }
    });
    // The host breaks off the transfer of a body that is not finished.
    if complete != Ok(false) {
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Writes the parts of a body that follow the first, as far as the client takes them. Answers whether it has them all.
fn write_rest(content: &OutputStream, mut rest: Rest, mut sent: bool, patience: Duration) -> bool {
    while sent {
        let Some(part) = run(rest.next()) else { break };
        sent = write(content, &part, patience);
    }
    let End { complete, line } = rest.end(&Wasi2Environment);
    if let Some(line) = line {
        eprintln!("{line}");
    }
    complete
}

/// Writes a part of a body. Answers whether the host has taken all of it.
fn write(content: &OutputStream, bytes: &[u8], patience: Duration) -> bool {
    write_until(content, bytes, || monotonic_clock::now().saturating_add(nanoseconds(patience)))
}

/// Writes a part of a body, with a deadline for each wait. Answers whether the host has taken all of it.
pub(crate) fn write_until(content: &OutputStream, bytes: &[u8], deadline: impl Fn() -> u64) -> bool {
    let ready = content.subscribe();
    let mut rest = bytes;
    while !rest.is_empty() {
        // The host says how much it takes now; more than that would be a trap.
        let Ok(count) = content.check_write() else { return false };
        let (now, later) = rest.split_at(usize::try_from(count).unwrap_or(usize::MAX).min(rest.len()));
        if now.is_empty() {
            let deadline = monotonic_clock::subscribe_instant(deadline());
            poll(&[&ready, &deadline]);
            if !ready.ready() {
                return false;
            }
        }
        if content.write(now).is_err() {
            return false;
        }
        rest = later;
    }
    content.flush().is_ok()
}
