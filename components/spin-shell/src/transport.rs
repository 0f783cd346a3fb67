//! Requests to a payment provider, with the client of `wasi:http` 0.3. Other requests of the instance go on meanwhile.

use std::pin::pin;

use api::{Body, Config};
use futures::future::{Either, select};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{
    ErrorCode, Fields, Method as WasiMethod, Request as WasiRequest, RequestOptions, Response as WasiResponse, Scheme,
    Trailers,
};
use spin_sdk::wasip3::wit_bindgen::{FutureWriter, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};
use stripe_provider::{HEADERS, MAX_BODY, Method, Request, Response, Stripe, Transport, TransportError};

use crate::http::{whole, within, write};
use crate::{SpinEnvironment, nanoseconds};

/// Why a request is not sent whose URL cannot be read.
const INVALID_URL: &str = "its URL is not valid";

/// The payment provider of a shop that has a key for it; see [`component_with_provider!`](crate::component_with_provider).
#[doc(hidden)]
pub fn stripe(config: &Config) -> Option<Stripe<SpinTransport, SpinEnvironment>> {
    let settings = config.stripe.clone()?;
    Some(Stripe::new(settings, SpinTransport, SpinEnvironment))
}

/// Sends requests to where the manifest allows them.
#[derive(Debug, Clone, Copy)]
pub struct SpinTransport;

impl Transport for SpinTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let timeout = request.timeout;
        // The host gives the request up where its time is over, since the call is dropped then.
        let answered = within(timeout, exchange(request)).await;
        answered.unwrap_or_else(|| Err(TransportError::NoAnswer(format!("it took more than {timeout:?}"))))
    }
}

async fn exchange(request: Request) -> Result<Response, TransportError> {
    let (content, content_reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(|| Ok(None));
    let has_body = request.method == Method::Post;
    let outgoing = {
        let options = RequestOptions::new();
        let time = Some(nanoseconds(request.timeout));
        // Where the host takes none, the time for all of it still holds.
        let _ = options.set_connect_timeout(time);
        let _ = options.set_first_byte_timeout(time);
        let _ = options.set_between_bytes_timeout(time);
        let fields = fields(&request).ok_or_else(|| not_sent("its header fields are not valid"))?;
        WasiRequest::new(fields, has_body.then_some(content_reader), end_reader, Some(options)).0
    };
    address(&outgoing, &request).ok_or_else(|| not_sent(INVALID_URL))?;
    let sending = pin!(client::send(outgoing));
    let writing = pin!(write_body(content, end, request));
    // A server may answer before it has the whole body.
    let answer = match select(sending, writing).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), sending)) => sending.await,
    };
    read(answer.map_err(failed)?).await
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
fn address(outgoing: &WasiRequest, request: &Request) -> Option<()> {
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

/// Hands the body of a request to the host.
async fn write_body(
    mut content: StreamWriter<u8>,
    end: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
    request: Request,
) {
    if request.method == Method::Post {
        write(&mut content, request.body, request.timeout).await;
    }
    drop(content);
    // An error says that the host needs it no more.
    let _ = end.write(Ok(None)).await;
}

/// Reads an answer, if it is whole and not too large.
async fn read(answer: WasiResponse) -> Result<Response, TransportError> {
    let status = answer.get_status_code();
    let headers = read_fields(answer.get_headers().copy_all());
    // The host is not told how the reading ended: it has no use for that.
    let (_read, outcome) = wit_future::new(|| Ok(()));
    let (content, end) = WasiResponse::consume_body(answer, outcome);
    match whole(content, end, MAX_BODY).await {
        Body::Whole(body) => Ok(Response { status, headers, body }),
        Body::TooLarge => Err(TransportError::NoAnswer(format!("its body has more than {MAX_BODY} bytes"))),
        Body::Incomplete | Body::Late => Err(no_answer("it broke off")),
    }
}

/// Those header fields that are read.
fn read_fields(fields: Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
    let read = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let read = read.filter(|(name, _)| HEADERS.contains(&name.as_str()));
    read.filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?))).collect()
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
