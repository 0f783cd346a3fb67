//! Requests to a payment provider, with the client of `wasi:http` 0.2. An instance serves one request, so that a wait
//! keeps no other request waiting.

use std::time::Duration;

use api::{Body, Config};
use stripe_provider::{HEADERS, MAX_BODY, Method, Patience, Request, Response, Stripe, Transport, TransportError};
use wasi::clocks::monotonic_clock;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasi::io::poll::{Pollable, poll};

use crate::http::{read_body, write_until};
use crate::{Wasi2Environment, nanoseconds};

/// Why a request is not sent whose URL cannot be read.
const INVALID_URL: &str = "its URL is not valid";

/// How long the provider is asked about one order by a request that places another: a wait cannot be cut short here, and
/// a customer who finds too little is not to wait for much longer than two seconds.
const WHILE_PLACING: Duration = Duration::from_secs(1);

/// The payment provider of a shop that has a key for it, for a request that places an order or another one; see
/// [`component_with_provider!`](crate::component_with_provider).
#[doc(hidden)]
pub fn stripe(config: &Config, places: bool) -> Option<Stripe<Wasi2Transport, Wasi2Environment>> {
    let settings = config.stripe.clone()?;
    let stripe = Stripe::new(settings, Wasi2Transport, Wasi2Environment);
    let usual = Patience::default();
    let patience = if places { Patience { one: WHILE_PLACING, all: WHILE_PLACING, tries: 1, ..usual } } else { usual };
    Some(stripe.with_patience(patience))
}

/// Sends requests to where the manifest allows them.
#[derive(Debug, Clone, Copy)]
pub struct Wasi2Transport;

impl Transport for Wasi2Transport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let instant = monotonic_clock::now().saturating_add(nanoseconds(request.timeout));
        let deadline = monotonic_clock::subscribe_instant(instant);
        let fields = fields(&request).ok_or_else(|| not_sent("its header fields are not valid"))?;
        let outgoing = OutgoingRequest::new(fields);
        address(&outgoing, &request).ok_or_else(|| not_sent(INVALID_URL))?;
        let body = match request.method {
            Method::Post => Some(outgoing.body().map_err(|()| not_sent("it can have no body"))?),
            Method::Get => None,
        };
        let sent = outgoing_handler::handle(outgoing, Some(options(&request))).map_err(failed)?;
        if let Some(body) = body {
            // Where the host does not take all of it, the answer says why.
            if body.write().is_ok_and(|content| write_until(&content, &request.body, || instant)) {
                let _ = OutgoingBody::finish(body, None);
            }
        }
        let answer = wait(&sent, &deadline).ok_or_else(|| late(&request))?.map_err(failed)?;
        // The call is given up where its handle is dropped, the answer where its body is.
        read(&answer, &deadline, &request)
    }
}

/// The header fields of a request.
fn fields(request: &Request) -> Option<Fields> {
    let given = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()));
    let mut fields: Vec<_> = given.collect();
    if request.method == Method::Post {
        fields.push(("content-length".to_owned(), request.body.len().to_string().into_bytes()));
    }
    Fields::from_list(&fields).ok()
}

/// Says how a request is sent, and where to.
fn address(outgoing: &OutgoingRequest, request: &Request) -> Option<()> {
    let (scheme, rest) = request.url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return None,
    };
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
    };
    outgoing.set_method(&method).ok()?;
    outgoing.set_scheme(Some(&scheme)).ok()?;
    outgoing.set_authority(Some(authority)).ok()?;
    outgoing.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).ok()
}

/// Times of the host for each part. Where it takes none, the time for all of it still holds.
fn options(request: &Request) -> RequestOptions {
    let options = RequestOptions::new();
    let time = Some(nanoseconds(request.timeout));
    let _ = options.set_connect_timeout(time);
    let _ = options.set_first_byte_timeout(time);
    let _ = options.set_between_bytes_timeout(time);
    options
}

/// Waits for the head of an answer, until the deadline.
fn wait(sent: &FutureIncomingResponse, deadline: &Pollable) -> Option<Result<IncomingResponse, ErrorCode>> {
    let ready = sent.subscribe();
    poll(&[&ready, deadline]);
    // It is asked for once, so it is there where it is ready.
    sent.get()?.ok()
}

/// Reads an answer, if it is whole and not too large.
fn read(answer: &IncomingResponse, deadline: &Pollable, request: &Request) -> Result<Response, TransportError> {
    let status = answer.status();
    let headers = read_fields(answer.headers().entries());
    let body = answer.consume().map_err(|()| no_answer("it has no body"))?;
    match read_body(body, deadline, MAX_BODY) {
        Body::Whole(body) => Ok(Response { status, headers, body }),
        Body::TooLarge => Err(TransportError::NoAnswer(format!("its body has more than {MAX_BODY} bytes"))),
        Body::Incomplete => Err(no_answer("it broke off")),
        Body::Late => Err(late(request)),
    }
}

/// Those header fields that are read.
fn read_fields(fields: Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
    let read = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let read = read.filter(|(name, _)| HEADERS.contains(&name.as_str()));
    read.filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?))).collect()
}

fn late(request: &Request) -> TransportError {
    TransportError::NoAnswer(format!("it took more than {:?}", request.timeout))
}

fn not_sent(reason: &str) -> TransportError {
    TransportError::NotSent(reason.to_owned())
}

fn no_answer(reason: &str) -> TransportError {
    TransportError::NoAnswer(reason.to_owned())
}

/// Of these errors alone it is certain that the request was not sent. They are told by texts of their own: what writes
/// all of them out would make the component 7 kB larger.
fn failed(error: ErrorCode) -> TransportError {
    match error {
        ErrorCode::HttpRequestDenied => not_sent("the component may not connect there (allowed_outbound_hosts)"),
        ErrorCode::HttpRequestUriInvalid => not_sent(INVALID_URL),
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout | ErrorCode::DestinationNotFound => {
            not_sent("the name of the host is not known")
        }
        ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable => not_sent("no connection could be made"),
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError => {
            not_sent("no encrypted connection could be made")
        }
        ErrorCode::ConnectionTimeout | ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            no_answer("it took too long")
        }
        _ => no_answer("the connection failed"),
    }
}
