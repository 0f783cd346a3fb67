//! Requests to a payment provider, with the client of `wasi:http` 0.2. An instance serves one request, so that a wait
//! keeps no other request waiting.

use std::time::Duration;

use api::{Body, Config};
use stripe_provider::{
    Failure, MAX_BODY, Method, Patience, Request, Response, Stripe, Target, Transport, TransportError,
};
use wasi::clocks::monotonic_clock;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasi::io::poll::{Pollable, poll};

use crate::http::{read_body, write_until};
use crate::{Wasi2Environment, nanoseconds};

/// How long the provider is asked about one order by a request that places another. They are asked about one after
/// another, so that one without an answer leaves time for the next.
const WHILE_PLACING: Duration = Duration::from_secs(1);

/// The payment provider of a shop that has a key for it, for a request that places an order or another one; see
/// [`component_with_provider!`](crate::component_with_provider).
#[doc(hidden)]
pub fn stripe(config: &Config, places: bool) -> Option<Stripe<Wasi2Transport, Wasi2Environment>> {
    let settings = config.stripe.clone()?;
    let stripe = Stripe::new(settings, Wasi2Transport, Wasi2Environment);
    let usual = Patience::default();
    // A wait cannot be cut short here, so that each has no more time than is left for all of them.
    let together = Some(config.settings.limits.overdue_patience);
    let hurried = Patience { one: WHILE_PLACING, all: WHILE_PLACING, together, tries: 1, ..usual };
    let patience = if places { hurried } else { usual };
    Some(stripe.with_patience(patience))
}

/// Sends requests to where the manifest allows them.
#[derive(Debug, Clone, Copy)]
pub struct Wasi2Transport;

impl Transport for Wasi2Transport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let instant = monotonic_clock::now().saturating_add(nanoseconds(request.timeout));
        let deadline = monotonic_clock::subscribe_instant(instant);
        let fields = Fields::from_list(&request.fields())
            .map_err(|_| TransportError::not_sent("its header fields are not valid"))?;
        let outgoing = OutgoingRequest::new(fields);
        address(&outgoing, &request)?;
        let body = match request.method {
            Method::Post => Some(outgoing.body().map_err(|()| TransportError::not_sent("it can have no body"))?),
            Method::Get => None,
        };
        let sent = outgoing_handler::handle(outgoing, Some(options(&request))).map_err(failed)?;
        if let Some(body) = body {
            // Where the host does not take all of it, the answer says why.
            if body.write().is_ok_and(|content| write_until(&content, &request.body, || instant)) {
                let _ = OutgoingBody::finish(body, None);
            }
        }
        let answer = wait(&sent, &deadline).ok_or_else(|| TransportError::late(request.timeout))?.map_err(failed)?;
        // The call is given up where its handle is dropped, the answer where its body is.
        read(&answer, &deadline, &request)
    }
}

/// Says how a request is sent, and where to.
fn address(outgoing: &OutgoingRequest, request: &Request) -> Result<(), TransportError> {
    let Target { scheme, authority, path } = request.target()?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(Failure::InvalidUrl.into()),
    };
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
    };
    let set = outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(path)));
    set.map_err(|()| Failure::InvalidUrl.into())
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
    let fields = answer.headers().entries();
    let body = answer.consume().map_err(|()| TransportError::no_answer("it has no body"))?;
    match read_body(body, deadline, MAX_BODY) {
        Body::Whole(body) => Ok(Response::new(status, fields, body)),
        Body::TooLarge => Err(TransportError::too_large()),
        Body::Incomplete => Err(TransportError::no_answer("it broke off")),
        Body::Late => Err(TransportError::late(request.timeout)),
    }
}

/// Tells the platform's errors apart.
fn failed(error: ErrorCode) -> TransportError {
    let failure = match error {
        ErrorCode::HttpRequestDenied => Failure::Denied,
        ErrorCode::HttpRequestUriInvalid => Failure::InvalidUrl,
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout | ErrorCode::DestinationNotFound => Failure::UnknownHost,
        ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable => Failure::NotConnected,
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError => Failure::NotEncrypted,
        ErrorCode::ConnectionTimeout | ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => {
            Failure::Late
        }
        _ => Failure::Other,
    };
    failure.into()
}
