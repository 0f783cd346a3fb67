//! `wasi:http`: the requests that a component sends, and what a test does to them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p2 as wasi_2;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode2;
use wasmtime_wasi_http::p2::body::{HyperIncomingBody, HyperOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, IncomingResponse, OutgoingRequestConfig};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::guest::{Grants, Guest};
use crate::hook::CallOutcome;
use crate::keyvalue::Failure;
use crate::outgoing::{Patient, Timeouts};
use crate::stats::{Effect, Operation};

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}

impl wasi_2::WasiHttpView for Guest {
    fn http(&mut self) -> wasi_2::WasiHttpCtxView<'_> {
        wasi_2::WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Sends the requests of an instance.
pub(super) struct Network(pub(super) Arc<Grants>);

impl Network {
    /// Sends a request, unless a test interferes. The outer error is a trap.
    fn send(
        &self,
        request: Request<HyperOutgoingBody>,
        timeouts: Timeouts,
    ) -> impl Future<Output = wasmtime::Result<Result<Response<HyperIncomingBody>, ErrorCode2>>> + Send + use<> {
        let grants = self.0.clone();
        let chosen = grants.chosen_outcome(Operation::Send, &[format!("{} {}", request.method(), request.uri())]);
        grants.counters.call(Operation::Send, Effect::Nothing);
        async move {
            let answer = match chosen.not_done() {
                None => grants.http.send(request, timeouts, &grants).await,
                Some(Failure::Refused(_)) => Err(ErrorCode2::ConnectionRefused),
                Some(failure) => return Err(wasmtime::Error::new(failure)),
            };
            match chosen {
                CallOutcome::Killed { .. } => Err(wasmtime::Error::new(Failure::Killed)),
                CallOutcome::Failed { done: true } => Ok(Err(ErrorCode2::ConnectionTerminated)),
                CallOutcome::Done | CallOutcome::Failed { done: false } | CallOutcome::Faulty(_) => Ok(answer),
            }
        }
    }
}

type Io = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Answer = (Response<UnsyncBoxBody<Bytes, ErrorCode>>, Io);

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: Request<UnsyncBoxBody<Bytes, ErrorCode>>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<Answer, TrappableError<ErrorCode>>> + Send> {
        let timeouts = Timeouts::from(options);
        let sent = self.send(request.map(|body| body.map_err(ErrorCode2::from).boxed_unsync()), timeouts);
        Box::new(async move {
            let answer = sent.await.map_err(TrappableError::trap)?.map_err(ErrorCode::from)?;
            let answer = answer.map(|body| Patient::new(body, timeouts.between_bytes).boxed_unsync());
            // The body of the answer has the errors of the connection.
            Ok((answer, Box::new(async { Ok(()) }) as Io))
        })
    }
}

impl wasi_2::WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: Request<HyperOutgoingBody>,
        config: OutgoingRequestConfig,
    ) -> wasi_2::HttpResult<HostFutureIncomingResponse> {
        let timeouts = Timeouts::from(config);
        let sent = self.send(request, timeouts);
        let answer = async move {
            let between_bytes_timeout = timeouts.between_bytes;
            Ok(sent.await?.map(|resp| IncomingResponse { resp, worker: None, between_bytes_timeout }))
        };
        Ok(HostFutureIncomingResponse::pending(wasmtime_wasi::runtime::spawn(answer)))
    }
}
