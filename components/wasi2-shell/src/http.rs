//! Requests and answers between `wasi:http` 0.2 and the contract.

use std::pin::pin;

use api::{Body, Reply};
use domain::Environment;
use futures::future::{Either, select};
use futures::{Stream, StreamExt};
use http::Method;
use spin_sdk::http::{Fields, IncomingRequest, Method as WasiMethod, OutgoingResponse, ResponseOutparam};

use crate::Wasi;

/// Takes a request from the host, with its body if it is worth reading.
pub(crate) async fn receive(request: IncomingRequest) -> api::Request {
    let method = method(request.method());
    let target = request.path_with_query().unwrap_or_default();
    let headers = request.headers().entries().into();
    let body = if api::wants_body(&method) { read(request).await } else { Body::Whole(Vec::new()) };
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
        // No resource has a method of another name: any that none has will do for one that cannot be.
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes()).unwrap_or(Method::TRACE),
    }
}

/// Reads a body, as far as it is worth reading.
async fn read(request: IncomingRequest) -> Body {
    match select(pin!(whole(request.into_body_stream())), pin!(Wasi.sleep(api::BODY_TIMEOUT))).await {
        Either::Left((body, _)) => body,
        Either::Right(_) => Body::Late,
    }
}

async fn whole<E>(content: impl Stream<Item = Result<Vec<u8>, E>>) -> Body {
    let mut content = pin!(content);
    let mut body = Vec::new();
    while let Some(chunk) = content.next().await {
        match chunk {
            Ok(chunk) => body.extend(chunk),
            Err(_) => return Body::Incomplete,
        }
        if body.len() > api::MAX_BODY_BYTES {
            return Body::TooLarge;
        }
    }
    Body::Whole(body)
}

/// Hands an answer to the host.
pub(crate) async fn send(response: ResponseOutparam, reply: Reply) {
    // No field of ours is refused; and if one were, the client would still want the rest.
    let answer = OutgoingResponse::new(Fields::from_list(&reply.fields()).unwrap_or_else(|_| Fields::new()));
    // Every status that there is, the host takes.
    let _ = answer.set_status_code(reply.status.as_u16());
    // A client that has gone does not want to read it.
    let _ = response.set_with_body(answer, reply.body).await;
}
