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
use stripe_provider::{Failure, MAX_BODY, Method, Request, Response, Stripe, Target, Transport, TransportError};

use crate::http::{whole, within, write};
use crate::{SpinEnvironment, nanoseconds};

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
        answered.unwrap_or_else(|| Err(TransportError::late(timeout)))
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
        let fields = Fields::from_list(&request.fields())
            .map_err(|_| TransportError::not_sent("its header fields are not valid"))?;
        WasiRequest::new(fields, has_body.then_some(content_reader), end_reader, Some(options)).0
    };
    address(&outgoing, &request)?;
    let sending = pin!(client::send(outgoing));
    let writing = pin!(write_body(content, end, request));
    // A server may answer before it has the whole body.
    let answer = match select(sending, writing).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), sending)) => sending.await,
    };
    read(answer.map_err(failed)?).await
}

/// Says how a request is sent, and where to.
fn address(outgoing: &WasiRequest, request: &Request) -> Result<(), TransportError> {
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
    let fields = answer.get_headers().copy_all();
    // The host is not told how the reading ended: it has no use for that.
    let (_read, outcome) = wit_future::new(|| Ok(()));
    let (content, end) = WasiResponse::consume_body(answer, outcome);
    match whole(content, end, MAX_BODY).await {
        Body::Whole(body) => Ok(Response::new(status, fields, body)),
        Body::TooLarge => Err(TransportError::too_large()),
        Body::Incomplete | Body::Late => Err(TransportError::no_answer("it broke off")),
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
