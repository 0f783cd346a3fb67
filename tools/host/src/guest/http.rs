//! `wasi:http`: a component receives requests and cannot send any.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p2 as wasi_2;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, OutgoingRequestConfig};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::guest::Guest;

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

/// Refuses every outgoing request, as Spin does where the manifest allows no hosts.
pub(super) struct NoNetwork;

type Io = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Sent = (http::Response<UnsyncBoxBody<Bytes, ErrorCode>>, Io);

impl WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _: http::Request<UnsyncBoxBody<Bytes, ErrorCode>>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<Sent, TrappableError<ErrorCode>>> + Send> {
        Box::new(async { Err(ErrorCode::HttpRequestDenied.into()) })
    }
}

impl wasi_2::WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _: http::Request<HyperOutgoingBody>,
        _: OutgoingRequestConfig,
    ) -> wasi_2::HttpResult<HostFutureIncomingResponse> {
        Err(wasi_2::bindings::http::types::ErrorCode::HttpRequestDenied.into())
    }
}
