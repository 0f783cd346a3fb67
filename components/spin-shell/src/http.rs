//! Requests and answers between `wasi:http` and the contract. The SDK's conversions are not used: they build a table of
//! the header fields on each side, and ask the host for details that the contract does not use.

use std::pin::pin;
use std::time::Duration;

use api::{Body, End, Reply, Rest};
use domain::Environment;
use futures::future::{Either, select};
use http::Method;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter, spawn, yield_async};
use spin_sdk::wasip3::{wit_future, wit_stream};

use crate::SpinEnvironment;

/// The initial capacity for a body. Most bodies are smaller.
const USUAL_BODY_BYTES: usize = 1024;

/// How often it is looked again whether the host has taken a piece of a body, before a timer is set.
const LOOKS: usize = 3;

/// Takes a request from the host, with its body if it is worth reading.
pub(crate) async fn receive(request: Request) -> Result<api::Request, ErrorCode> {
    let method = Method::try_from(request.get_method()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    let target = request.get_path_with_query().unwrap_or_default();
    let headers = request.get_headers().copy_all().into();
    let body = if api::wants_body(&method) { read(request).await } else { Body::Whole(Vec::new()) };
    Ok(api::Request { method, target, headers, body })
}

/// Reads a body, as far as it is worth reading.
async fn read(request: Request) -> Body {
    // The host is not told how the reading ended: it has no use for that.
    let (_read, outcome) = wit_future::new(|| Ok(()));
    let (content, end) = Request::consume_body(request, outcome);
    within(api::BODY_TIMEOUT, whole(content, end, api::MAX_BODY_BYTES)).await.unwrap_or(Body::Late)
}

/// Reads a body of at most this number of bytes.
pub(crate) async fn whole(
    mut content: StreamReader<u8>,
    end: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    most: usize,
) -> Body {
    let mut body = Vec::with_capacity(USUAL_BODY_BYTES);
    loop {
        body.reserve(1);
        let (result, read) = content.read(body).await;
        body = read;
        if body.len() > most {
            return Body::TooLarge;
        }
        if result == StreamResult::Dropped {
            break;
        }
    }
    match end.await {
        Ok(_) => Body::Whole(body),
        Err(_) => Body::Incomplete,
    }
}

/// Hands an answer to the host. What follows the body of `reply` is made while the host takes it. The answer is given up
/// where nothing of it is taken for as long as `patience`.
pub(crate) async fn send(mut reply: Reply, rest: Option<Rest>, patience: Duration) -> Result<Response, ErrorCode> {
    let fields =
        Fields::from_list(&reply.take_fields()).map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (mut content, content_reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(|| Err(ErrorCode::HttpResponseIncomplete));
    let (response, _) = Response::new(fields, Some(content_reader), end_reader);
    // The host takes every status that HTTP has.
    let _ = response.set_status_code(reply.status.as_u16());
    spawn(async move {
        let (mut part, mut rest, mut taken) = (Some(reply.body), rest, true);
        while let Some(bytes) = part {
            taken = write(&mut content, bytes, patience).await;
            part = match &mut rest {
                Some(rest) if taken => rest.next().await,
                _ => None,
            };
        }
        drop(content);
        let complete = match rest {
            Some(rest) => {
                let End { complete, line } = rest.end(&SpinEnvironment);
                log(line);
                complete
            }
            None => taken,
        };
        // The host breaks off the transfer of a body that ends in an error.
        let ended = if complete { Ok(None) } else { Err(ErrorCode::HttpResponseIncomplete) };
        // An error says that the client has gone.
        let _ = end.write(ended).await;
    });
    // Offers the body to the host before the head, so that the host sends both in one segment. In two segments the
    // second would wait until the client acknowledges the first, which takes 40 ms, since Spin leaves Nagle's algorithm
    // on. The first yield returns to this request, the second one runs the task that writes the body.
    yield_async().await;
    yield_async().await;
    Ok(response)
}

/// Writes a part of a body. Answers whether the host has taken all of it.
pub(crate) async fn write(content: &mut StreamWriter<u8>, bytes: Vec<u8>, patience: Duration) -> bool {
    let Some((mut result, mut rest)) = soon_or_within(patience, content.write(bytes)).await else { return false };
    while rest.remaining() > 0 && matches!(result, StreamResult::Complete(_)) {
        let Some(written) = within(patience, content.write_buf(rest)).await else { return false };
        (result, rest) = written;
    }
    rest.remaining() == 0
}

/// As [`within`]. What the host does at once, as it mostly does, needs no timer: setting and stopping one costs more than
/// looking again.
async fn soon_or_within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let looked_again = async {
        for _ in 0..LOOKS {
            yield_async().await;
        }
    };
    match select(future.as_mut(), pin!(looked_again)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => within(time, future).await,
    }
}

/// What a future ends with, if it does so within this time.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(SpinEnvironment.sleep(time))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// Writes a line to the log.
pub(crate) fn log(line: Option<String>) {
    if let Some(line) = line {
        eprintln!("{line}");
    }
}
