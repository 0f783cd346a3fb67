//! Outgoing HTTP requests, as Spin 4.1 sends them: with the same client, which keeps connections for later requests of
//! any component and follows no redirect, and with the same errors. There is no limit of how many are under way, and no
//! network is blocked: in Spin both are off unless its runtime configuration says otherwise.
//!
//! What Spin does and this host does not: calls between components (`NAME.spin.internal`), client certificates, HTTP/2
//! without TLS, and headers of a trace. On macOS and Windows Spin leaves it to the system whom to trust; this host reads the
//! certificates that the system trusts.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use wasmtime_wasi_http::p2::bindings::http::types::{DnsErrorPayload, ErrorCode};
use wasmtime_wasi_http::p2::body::{HyperIncomingBody, HyperOutgoingBody};
use wasmtime_wasi_http::p2::types::OutgoingRequestConfig;
use wasmtime_wasi_http::p3::RequestOptions;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode3;

use crate::guest::Grants;
use crate::outbound::Destination;

/// How long a request may wait for a connection, for the head of its answer, and for each part of the body.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// The host by which a component of WASI 0.2 or 0.3 calls its own application.
const SELF: &str = "self.alt";

tokio::task_local! {
    /// How long the request that wants a connection waits for it. A connection that is there from an earlier request
    /// takes no notice of it.
    static CONNECT_TIMEOUT: Duration;
}

/// The client that all components share.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<Connector, HyperOutgoingBody>,
    /// Where the application itself is served.
    own: SocketAddr,
}

/// How long a request waits.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    connect: Duration,
    first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

impl From<Option<RequestOptions>> for Timeouts {
    fn from(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT),
            first_byte: options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT),
            between_bytes: options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT),
        }
    }
}

impl From<OutgoingRequestConfig> for Timeouts {
    fn from(config: OutgoingRequestConfig) -> Self {
        Self {
            connect: config.connect_timeout,
            first_byte: config.first_byte_timeout,
            between_bytes: config.between_bytes_timeout,
        }
    }
}

impl HttpClient {
    pub(crate) fn new(own: SocketAddr) -> Self {
        Self::with(Connector::default(), own)
    }

    fn with(connector: Connector, own: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector), own }
    }

    /// Sends a request, where the manifest allows it, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<HyperOutgoingBody>,
        timeouts: Timeouts,
        grants: &Grants,
    ) -> Result<Response<HyperIncomingBody>, ErrorCode> {
        self.address(&mut request, grants)?;
        self.exchange(request, timeouts).await
    }

    async fn exchange(
        &self,
        mut request: Request<HyperOutgoingBody>,
        timeouts: Timeouts,
    ) -> Result<Response<HyperIncomingBody>, ErrorCode> {
        // The client writes its own, and HTTP/2 has none.
        request.headers_mut().remove(header::HOST);
        let sent = CONNECT_TIMEOUT.scope(timeouts.connect, self.client.request(request));
        // As in Spin, the time for the first byte counts from the start, connecting included.
        let answer = timeout(timeouts.first_byte, sent).await.map_err(|_| ErrorCode::ConnectionReadTimeout)?;
        let answer = answer.map_err(|error| error_code(&error))?;
        Ok(answer.map(|body| body.map_err(|error| error_code(&error)).boxed_unsync()))
    }

    /// Checks that the component may send a request there, and finds out where its own application is.
    fn address(&self, request: &mut Request<HyperOutgoingBody>, grants: &Grants) -> Result<(), ErrorCode> {
        let uri = request.uri();
        let authority = uri.authority().map(Authority::host).unwrap_or_default();
        if !(authority.is_empty() || authority == SELF) {
            let url = uri.to_string();
            if !grants.may_connect(&url, "https") {
                return Err(ErrorCode::HttpRequestDenied);
            }
            if Destination::parse(&url, "https").is_some_and(|to| to.is_component()) {
                return Err(ErrorCode::InternalError(Some("calls between components are left to Spin".to_owned())));
            }
            return Ok(());
        }
        if !grants.may_call_self() {
            return Err(ErrorCode::HttpRequestDenied);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let own = Uri::builder().scheme(Scheme::HTTP).authority(self.own.to_string()).path_and_query(path).build();
        *request.uri_mut() = own.map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
        Ok(())
    }
}

/// What a component is told of an error: what the connector said, and else that something was wrong with the protocol.
fn error_code(error: &(dyn Error + 'static)) -> ErrorCode {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<ErrorCode>());
    cause.cloned().unwrap_or(ErrorCode::HttpProtocolError)
}

fn dns_error(reason: &str) -> ErrorCode {
    ErrorCode::DnsError(DnsErrorPayload { rcode: Some(reason.to_owned()), info_code: Some(0) })
}

/// Makes connections for the client.
#[derive(Clone, Default)]
struct Connector {
    /// Made with the first connection that needs it, since that takes a while.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = ErrorCode;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ErrorCode>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Stream>, ErrorCode> {
        let authority = uri.authority().ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        let address = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:{}", if encrypted { 443 } else { 80 }),
        };
        let addresses: Vec<_> =
            tokio::net::lookup_host(address).await.map_err(|_| dns_error("address not available"))?.collect();
        let connected = timeout(CONNECT_TIMEOUT.get(), TcpStream::connect(&*addresses)).await;
        let stream = connected.map_err(|_| ErrorCode::ConnectionTimeout)?.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrNotAvailable => dns_error("address not available"),
            _ => ErrorCode::ConnectionRefused,
        })?;
        if !encrypted {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(authority.host()).map_err(|_| dns_error("invalid dns name"))?.to_owned();
        let encrypted = TlsConnector::from(self.tls.get_or_init(|| tls(trusted())).clone())
            .connect(name, stream)
            .await
            .map_err(|error| {
                eprintln!("warning: no TLS with {authority}: {error}");
                ErrorCode::TlsProtocolError
            })?;
        Ok(Box::new(encrypted))
    }
}

/// Whom the system trusts, or `SSL_CERT_FILE` names, and whom browsers trust.
fn trusted() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn tls(roots: RootCertStore) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("ring has what the versions of TLS need");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    fn speaks_http_2(&self) -> bool {
        false
    }
}

impl Stream for TcpStream {}

impl Stream for TlsStream<TcpStream> {
    fn speaks_http_2(&self) -> bool {
        self.get_ref().1.alpn_protocol() == Some(b"h2")
    }
}

impl Connection for Box<dyn Stream> {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.speaks_http_2() { connected.negotiated_h2() } else { connected }
    }
}

/// A body of which each part has to come within a time. Where none does, the connection is closed.
pub(crate) struct Patient {
    body: Option<HyperIncomingBody>,
    patience: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(crate) fn new(body: HyperIncomingBody, patience: Duration) -> Self {
        Self { body: Some(body), patience, wait: None }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = ErrorCode3;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ErrorCode3>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            this.wait = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(ErrorCode3::from)));
        }
        let patience = this.patience;
        ready!(this.wait.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(context));
        this.body = None;
        Poll::Ready(Some(Err(ErrorCode3::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use http::Version;
    use http_body_util::Empty;
    use hyper::service::service_fn;
    use hyper_util::server::conn::auto;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const OWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    async fn get(client: &HttpClient, url: &str, options: RequestOptions) -> Result<Version, ErrorCode> {
        let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(url).body(empty).unwrap();
        Ok(client.exchange(request, Some(options).into()).await?.version())
    }

    /// A server with a certificate of its own for `localhost`, and who trusts it.
    async fn encrypted(protocols: &[&[u8]]) -> (SocketAddr, RootCertStore) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![cert.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = service_fn(async |_| Ok::<_, ErrorCode>(Response::new(Empty::<Bytes>::new())));
                    let server = auto::Builder::new(TokioExecutor::new());
                    _ = server.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        (address, roots)
    }

    fn trusting(roots: RootCertStore) -> HttpClient {
        HttpClient::with(Connector { tls: Arc::new(OnceLock::from(tls(roots))) }, OWN)
    }

    #[tokio::test]
    async fn a_server_is_believed_whose_certificate_is_trusted_and_names_it() {
        let (address, roots) = encrypted(&[]).await;
        let (client, port) = (trusting(roots), address.port());
        let options = RequestOptions::default();
        assert_eq!(get(&client, &format!("https://localhost:{port}/"), options).await.unwrap(), Version::HTTP_11);
        let other = get(&client, &format!("https://127.0.0.1:{port}/"), options).await;
        assert!(matches!(other, Err(ErrorCode::TlsProtocolError)), "{other:?}");
        let stranger = get(&HttpClient::new(OWN), &format!("https://localhost:{port}/"), options).await;
        assert!(matches!(stranger, Err(ErrorCode::TlsProtocolError)), "{stranger:?}");
    }

    #[tokio::test]
    async fn http_2_is_spoken_with_a_server_that_offers_it() {
        let (address, roots) = encrypted(&[b"h2"]).await;
        let url = format!("https://localhost:{}/", address.port());
        assert_eq!(get(&trusting(roots), &url, RequestOptions::default()).await.unwrap(), Version::HTTP_2);
    }

    #[tokio::test]
    async fn a_connection_has_its_time() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // Connections beyond these two wait until the server accepts one, which it never does.
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let _waiting = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let options = RequestOptions { connect_timeout: Some(Duration::from_millis(100)), ..Default::default() };
        let late = get(&HttpClient::new(OWN), &format!("http://{address}/"), options).await;
        assert!(matches!(late, Err(ErrorCode::ConnectionTimeout)), "{late:?}");
    }
}
