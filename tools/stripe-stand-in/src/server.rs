//! Takes requests, and answers them as Stripe does or as the faults say.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::calls::{self, Call};
use crate::error::ApiError;
use crate::faults::{Fault, Operation};
use crate::form::{self, Params};
use crate::objects::{API_VERSION, Saved};
use crate::shared::{InFlight, Recorded, Shared};
use crate::state::{Cause, new_id};
use crate::{control, pages, webhooks};

/// The longest body that is read.
const MOST_BODY: usize = 1 << 20;
/// The longest idempotency key.
const MOST_KEY: usize = 255;
/// The pause after a failure to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often what happens by itself is looked for.
const TICK: Duration = Duration::from_millis(100);
/// The headers of a request that are recorded.
const RECORDED: [&str; 3] = ["content-type", "idempotency-key", "stripe-version"];

pub(crate) type Response = http::Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A request without an answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unanswered(pub(crate) String);

/// A request, with its whole body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Serves for ever.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connect(&shared, stream),
            Err(error) => {
                eprintln!("warning: cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Lets sessions expire and payments come to an end, for ever.
pub(crate) async fn tick(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(TICK).await;
        _ = shared.change(|_, _| {});
    }
}

fn connect(shared: &Arc<Shared>, stream: TcpStream) {
    _ = stream.set_nodelay(true);
    let shared = shared.clone();
    let service = service_fn(move |request| respond(shared.clone(), request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // A connection's errors are the client's: it sees them itself.
    tokio::spawn(async move { _ = connection.await });
}

async fn respond(shared: Arc<Shared>, request: http::Request<Incoming>) -> Result<Response, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            return Ok(json_response(StatusCode::PAYLOAD_TOO_LARGE, &ApiError::invalid("Request is too large").body()));
        }
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    // A request goes on when its client hangs up, as it does at Stripe.
    let answer = tokio::spawn(async move {
        if request.path.starts_with("/v1/") || request.path == "/v1" {
            api(&shared, &request).await
        } else if let Some(path) = request.path.strip_prefix("/stand-in/") {
            control::respond(&shared, &request, path)
        } else {
            pages::respond(&shared, &request).await
        }
    });
    answer.await.map_err(|error| Unanswered(error.to_string()))?
}

/// What an answer of the API is, before the faults make something else of it.
struct Answer {
    status: StatusCode,
    body: Value,
    should_retry: Option<bool>,
    replayed: bool,
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, body: error.body(), should_retry: error.should_retry, replayed: false }
    }
}

impl From<Result<Value, ApiError>> for Answer {
    fn from(result: Result<Value, ApiError>) -> Self {
        match result {
            Ok(body) => Self { status: StatusCode::OK, body, should_retry: None, replayed: false },
            Err(error) => error.into(),
        }
    }
}

async fn api(shared: &Arc<Shared>, request: &Request) -> Result<Response, Unanswered> {
    let id = new_id("req_", 14);
    let routed = calls::route(&request.method, &request.path);
    let (answer, faults) = match (admit(shared, request), &routed) {
        (Err(error), _) => (Ok((error.into(), None)), Vec::new()),
        (Ok(()), None) => {
            let error = ApiError::no_such_url(request.method.as_str(), &request.path);
            (Ok((error.into(), None)), Vec::new())
        }
        (Ok(()), Some((operation, of))) => {
            let faults = shared.change(|state, _| state.faults.of_call(*operation)).map_err(unwritten)?;
            (answer(shared, request, *operation, of.clone(), &faults, &id).await, faults)
        }
    };
    let operation = routed.map(|(operation, _)| operation);
    note(shared, request, operation, answer.as_ref().ok().map(|(answer, _)| answer), &faults);
    let (answer, in_flight) = answer?;
    for fault in &faults {
        if let Fault::Slow(time) = fault {
            tokio::time::sleep(*time).await;
        }
    }
    // A key is in use until its answer is on its way.
    drop(in_flight);
    if faults.contains(&Fault::DropAfter) {
        return Err(Unanswered("a fault".to_owned()));
    }
    if faults.contains(&Fault::Nonsense) {
        // It is no answer of Stripe, and has none of its headers.
        let html = "<!doctype html><title>Gateway</title><p>Something else answers here.";
        return Ok(html_response(StatusCode::OK, html.to_owned()));
    }
    let mut response = if faults.contains(&Fault::CutOff) {
        cut_off(answer.status, &answer.body)
    } else {
        json_response(answer.status, &answer.body)
    };
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("request-id", &id);
    set("stripe-version", request.header("stripe-version").unwrap_or(API_VERSION));
    if let Some(should) = answer.should_retry {
        set("stripe-should-retry", if should { "true" } else { "false" });
    }
    if answer.replayed {
        set("idempotent-replayed", "true");
    }
    if let Some(key) = request.header("idempotency-key") {
        set("idempotency-key", key);
    }
    if answer.status == StatusCode::UNAUTHORIZED {
        set("www-authenticate", "Basic realm=\"Stripe\"");
    }
    Ok(response)
}

fn unwritten(error: io::Error) -> Unanswered {
    eprintln!("error: the state cannot be written: {error}");
    Unanswered(error.to_string())
}

/// Records a request.
fn note(shared: &Shared, request: &Request, operation: Option<Operation>, answer: Option<&Answer>, faults: &[Fault]) {
    let headers = RECORDED.iter().filter_map(|name| Some(((*name).to_owned(), request.header(*name)?.to_owned())));
    shared.record(Recorded {
        operation,
        method: request.method.to_string(),
        path: request.path.clone(),
        query: request.query.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        headers: headers.collect::<BTreeMap<_, _>>(),
        status: answer.map(|answer| answer.status.as_u16()),
        answer: answer.map(|answer| answer.body.clone()).unwrap_or_default(),
        faults: faults.iter().map(|fault| fault.name().to_owned()).collect(),
    });
}

/// Whether the request may use the API at all.
fn admit(shared: &Shared, request: &Request) -> Result<(), ApiError> {
    check_key(shared, request)?;
    let version = request.header("stripe-version").unwrap_or(API_VERSION);
    let date = version.split('.').next().unwrap_or_default();
    let dated = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !dated {
        return Err(ApiError::invalid(format!("Invalid Stripe API version: {version}")));
    }
    Ok(())
}

/// Whether the request has the secret key, as a bearer's token or as a user without a password.
pub(crate) fn check_key(shared: &Shared, request: &Request) -> Result<(), ApiError> {
    let header = request.header(AUTHORIZATION).unwrap_or_default();
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let given = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => value.trim().to_owned(),
        "basic" => basic_user(value.trim()).unwrap_or_default(),
        _ => String::new(),
    };
    if given.is_empty() {
        return Err(ApiError::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth \
             (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or \
             we can help at https://support.stripe.com/.",
        ));
    }
    if given == shared.secret_key {
        return Ok(());
    }
    if given.starts_with("pk_") {
        let error = ApiError::unauthorized(
            "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of \
             your API keys at https://dashboard.stripe.com/account/apikeys.",
        );
        return Err(error.code("secret_key_required"));
    }
    Err(ApiError::unauthorized(format!("Invalid API Key provided: {}", redacted(&given))))
}

/// A key as Stripe shows it in an error: its kind and its last four characters.
fn redacted(key: &str) -> String {
    let all: Vec<_> = key.chars().collect();
    let shown = |range: std::ops::Range<usize>| all.get(range).unwrap_or_default().iter().collect::<String>();
    if all.len() < 16 {
        return "*".repeat(all.len());
    }
    format!("{}{}{}", shown(0..8), "*".repeat(all.len() - 12), shown(all.len() - 4..all.len()))
}

/// The user of basic authentication.
fn basic_user(encoded: &str) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in encoded.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|other| *other == digit)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_owned())
}

fn params(request: &Request) -> Result<Params, ApiError> {
    if request.method != Method::POST {
        return form::parse(request.query.as_bytes());
    }
    let kind = request.header(CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !request.body.is_empty() && !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ApiError::invalid(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any \
             questions, we can help at https://support.stripe.com/.",
        ));
    }
    if !request.query.is_empty() {
        // Stripe takes parameters of a POST in its body.
        return Err(ApiError::invalid("Parameters of a POST belong in its body."));
    }
    form::parse(&request.body)
}

/// Answers a call, or not. The key of the call is in use as long as what is handed back with the answer lives.
async fn answer<'a>(
    shared: &'a Arc<Shared>,
    request: &Request,
    operation: Operation,
    of: Option<String>,
    faults: &[Fault],
    id: &str,
) -> Result<(Answer, Option<InFlight<'a>>), Unanswered> {
    if faults.contains(&Fault::DropBefore) {
        return Err(Unanswered("a fault".to_owned()));
    }
    for (fault, error) in [
        (Fault::RateLimit, ApiError::rate_limit()),
        (Fault::LockTimeout, ApiError::lock_timeout()),
        (Fault::Unavailable, ApiError::unavailable()),
    ] {
        if faults.contains(&fault) {
            return Ok((error.into(), None));
        }
    }
    let key = match request.headers.get("idempotency-key").filter(|_| request.method == Method::POST) {
        Some(key) => match key.to_str() {
            Ok(key) if key.len() <= MOST_KEY => Some(key.to_owned()),
            Ok(_) => {
                let message = format!("Your idempotency key is too long: it can be up to {MOST_KEY} characters.");
                return Ok((ApiError::invalid(message).into(), None));
            }
            Err(_) => return Ok((ApiError::invalid("Your idempotency key is no text.").into(), None)),
        },
        None => None,
    };
    let params = match params(request) {
        Ok(params) => params,
        Err(error) => return Ok((error.into(), None)),
    };
    let (method_and_path, canonical) = (format!("{} {}", request.method, request.path), params.canonical());
    // Of two requests with one key at the same time, the second is refused.
    let in_flight = match &key {
        Some(key) => match shared.take_key(key) {
            Some(in_flight) => Some(in_flight),
            None => return Ok((ApiError::key_in_use(key).into(), None)),
        },
        None => None,
    };
    if let Some(replay) = key.as_ref().and_then(|key| replay(shared, key, &method_and_path, &canonical)) {
        return Ok((replay, in_flight));
    }
    for fault in faults {
        if let Fault::Late(time) = fault {
            tokio::time::sleep(*time).await;
        }
    }
    let call = match calls::read(operation, of, params, shared.now()) {
        Ok(call) => call,
        Err(error) => return Ok((error.into(), None)),
    };
    let cause = Cause { request: Some(id.to_owned()), key: key.clone() };
    let (result, early) = shared
        .transact(|state, now| {
            let result = run(call, state, faults, now, &cause);
            if let Some(key) = key {
                let answer = Answer::from(result.clone());
                let (status, body) = (answer.status.as_u16(), answer.body.to_string());
                state.save(Saved { key, method_and_path, params: canonical, status, body, at: now });
            }
            result
        })
        .map_err(unwritten)?;
    webhooks::send_early(shared, early).await;
    let mut answer = Answer::from(result);
    if answer.status == StatusCode::INTERNAL_SERVER_ERROR {
        // A repeat gets the same answer.
        answer.should_retry = in_flight.is_some().then_some(false);
    }
    Ok((answer, in_flight))
}

fn run(
    call: Call,
    state: &mut crate::state::State,
    faults: &[Fault],
    now: i64,
    cause: &Cause,
) -> Result<Value, ApiError> {
    if faults.contains(&Fault::ErrorBefore) {
        return Err(ApiError::internal());
    }
    let done = call.run(state, faults, now, cause)?;
    if faults.contains(&Fault::ErrorAfter) { Err(ApiError::internal()) } else { Ok(done) }
}

/// What was answered to a request with this key before.
fn replay(shared: &Shared, key: &str, method_and_path: &str, params: &str) -> Option<Answer> {
    let now = shared.now();
    let saved = shared.read(|state| state.saved(key, now).cloned())?;
    if saved.method_and_path != method_and_path {
        let path = saved.method_and_path.split(' ').nth(1).unwrap_or_default();
        let message = format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}'). Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        return Some(ApiError::other_request(message).into());
    }
    if saved.params != params {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a \
             key other than '{key}' if you meant to execute a different request."
        );
        return Some(ApiError::other_request(message).into());
    }
    let status = StatusCode::from_u16(saved.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let should_retry = (!status.is_success()).then_some(false);
    let body = serde_json::from_str(&saved.body).unwrap_or_default();
    Some(Answer { status, body, should_retry, replayed: true })
}

pub(crate) fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    response(status, "application/json", format!("{body:#}"))
}

pub(crate) fn html_response(status: StatusCode, body: String) -> Response {
    response(status, "text/html; charset=utf-8", body)
}

/// An answer whose head announces all of its body, of which half comes.
fn cut_off(status: StatusCode, body: &Value) -> Response {
    let text = format!("{body:#}").into_bytes();
    let half = Bytes::copy_from_slice(text.get(..text.len() / 2).unwrap_or_default());
    let body = CutOff { half: Some(half), flushed: false, announced: text.len() as u64 }.boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A body that breaks off.
struct CutOff {
    half: Option<Bytes>,
    /// Whether what came before could be sent.
    flushed: bool,
    announced: u64,
}

impl Body for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("a fault"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_error_is_not_the_key() {
        assert_eq!(redacted("sk_test_0123456789abcdef"), "sk_test_************cdef");
        assert_eq!(redacted("short"), "*****");
    }

    #[test]
    fn the_user_of_basic_authentication_is_read() {
        assert_eq!(basic_user("c2tfdGVzdF9hYmM6").as_deref(), Some("sk_test_abc"));
        assert_eq!(basic_user("c2s=").as_deref(), Some("sk"));
        assert_eq!(basic_user("!"), None);
    }
}
