//! Takes connections, finds the component for a request, and hands it over as Spin's HTTP trigger does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wasmtime_wasi_http::handler::{ErrorCode, ProxyHandler};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as HttpError;

use crate::clock::Clock;
use crate::manifest::Manifest;
use crate::routes::{Match, Router, WELL_KNOWN};
use crate::runtime::Workers;

/// How long a stopping server waits for the requests that still run.
const GRACE: Duration = Duration::from_secs(5);
/// The pause after a failure to accept a connection, for example for lack of file descriptors. Here the host is kinder
/// than Spin, which ends at the first failure (docs/security.md): a developer's server that is gone shows nothing.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Request = http::Request<Incoming>;
type Response = http::Response<UnsyncBoxBody<Bytes, wasmtime::Error>>;

/// An application that is being served.
pub(crate) struct Application {
    /// Where it is served.
    pub(crate) address: SocketAddr,
    pub(crate) router: Router,
    pub(crate) components: BTreeMap<String, ProxyHandler<Workers>>,
    /// The time of day that the components see.
    pub(crate) clock: Clock,
    /// The answer to `/.well-known/spin/info`.
    pub(crate) info: Vec<u8>,
    /// See [`banner`].
    pub(crate) banner: String,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// A request without an answer: its connection is closed, as Spin does.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(&'static str);

/// Serves until `stop` is told or dropped, then waits for the requests that still run, for [`GRACE`] at most.
pub(crate) async fn serve(application: Arc<Application>, listener: TcpListener, mut stop: oneshot::Receiver<()>) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => break,
        };
        match accepted {
            Ok((stream, client)) => connect(&application, &connections, stream, client),
            Err(error) => {
                eprintln!("warning: cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
    application.stopping.store(true, Ordering::Relaxed);
}

fn connect(application: &Arc<Application>, connections: &GracefulShutdown, stream: TcpStream, client: SocketAddr) {
    // An answer in several segments must not wait for the client's acknowledgement of the first.
    _ = stream.set_nodelay(true);
    let application = application.clone();
    let service = service_fn(move |request| {
        let application = application.clone();
        async move { application.respond(request, client).await }
    });
    // Without a timer, as Spin: a connection on which nothing comes, or half of a head, stays open.
    let connection =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = connections.watch(connection);
    // A connection's errors are the client's: it sees them itself.
    tokio::spawn(async move { _ = connection.await });
}

impl Application {
    async fn respond(&self, mut request: Request, client: SocketAddr) -> Result<Response, Unanswered> {
        strip(request.headers_mut());
        let path = request.uri().path().to_owned();
        if let Some(well_known) = path.strip_prefix(WELL_KNOWN) {
            return Ok(match well_known {
                "health" => response(StatusCode::OK, "OK"),
                "info" => {
                    let mut info = response(StatusCode::OK, self.info.clone());
                    info.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    info
                }
                _ => response(StatusCode::NOT_FOUND, ""),
            });
        }
        let Some(found) = self.router.find(&path) else {
            return Ok(response(StatusCode::NOT_FOUND, ""));
        };
        *request.uri_mut() = absolute(request.uri(), request.headers())?;
        Ok(self
            .dispatch(request, &found, client)
            .await
            .unwrap_or_else(|| response(StatusCode::INTERNAL_SERVER_ERROR, "")))
    }

    /// `None` if the request cannot be handed over, or if the component fails.
    async fn dispatch(&self, mut request: Request, found: &Match<'_>, client: SocketAddr) -> Option<Response> {
        let handler = self.components.get(&found.route.component)?;
        add_spin_headers(&mut request, found, client)?;
        handler.state().grants().counters.requests.fetch_add(1, Ordering::Relaxed);
        let request = request.map(|body| body.map_err(|error| ErrorCode::P3(received(&error))).boxed_unsync());
        handler.handle((), request).await.ok()
    }
}

fn response(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response
}

/// Why the body of a request ended early.
fn received(error: &hyper::Error) -> HttpError {
    if error.is_timeout() { HttpError::ConnectionReadTimeout } else { HttpError::HttpProtocolError }
}

/// Removes the fields that concern only the connection, and a `Host` that would name a component of the application.
fn strip(headers: &mut HeaderMap) {
    let chained = |host: &HeaderValue| {
        let host = host.to_str().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name.split_once('.').is_some_and(|(_, domain)| domain == "spin.internal")
    };
    if headers.get(HOST).is_some_and(chained) {
        headers.remove(HOST);
    }
    headers.remove(CONNECTION);
}

/// The URI with scheme and authority, which are in the `Host` header, in the URI, or in both and the same.
fn absolute(uri: &Uri, headers: &HeaderMap) -> Result<Uri, Unanswered> {
    let host = match headers.get(HOST) {
        Some(host) => {
            let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
            Some(host.ok_or(Unanswered("the Host header is no authority"))?)
        }
        None => None,
    };
    let mut parts = uri.clone().into_parts();
    parts.authority = match (host, parts.authority) {
        (Some(host), Some(authority)) if host != authority => {
            return Err(Unanswered("the Host header and the URI name different authorities"));
        }
        (None, None) => return Err(Unanswered("there is no Host header")),
        (host, authority) => host.or(authority),
    };
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).map_err(|_| Unanswered("the URI has no path"))
}

/// Adds Spin's headers after those of the client, which keeps a client's own header of the same name in front: Spin's
/// fault, kept. A header that is not UTF-8, which Spin answers with 500 itself, is left to the component.
fn add_spin_headers<B>(request: &mut http::Request<B>, found: &Match<'_>, client: SocketAddr) -> Option<()> {
    let uri = request.uri();
    let host = request.headers().get(HOST).map_or(Some("localhost"), |host| host.to_str().ok())?;
    let mut url = format!("{}://{host}", uri.scheme_str().unwrap_or("http"));
    _ = write!(url, "{}", uri.path_and_query().map_or("", |path| path.as_str()));
    let route = found.route;
    let mut added = vec![
        ("spin-path-info".to_owned(), found.wildcard().into_owned()),
        ("spin-full-url".to_owned(), url),
        ("spin-matched-route".to_owned(), route.matched.clone()),
        ("spin-base-path".to_owned(), "/".to_owned()),
        ("spin-raw-component-route".to_owned(), route.raw.clone()),
        ("spin-component-route".to_owned(), route.raw_prefix().to_owned()),
        ("spin-client-addr".to_owned(), client.to_string()),
    ];
    for (name, value) in found.named() {
        let name = name.to_ascii_lowercase().replace('_', "-");
        added.push((format!("spin-path-match-{name}"), value.to_owned()));
    }
    for (name, value) in added {
        // A name or value that is not valid in a header is left out.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            request.headers_mut().append(name, value);
        }
    }
    Some(())
}

/// The body of `/.well-known/spin/info`.
pub(crate) fn info(manifest: &Manifest) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Info<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        version: &'a str,
    }
    serde_json::to_vec_pretty(&Info { name: &manifest.name, version: &manifest.version }).unwrap_or_default()
}

/// What `spin up` prints about routes, for a server at `address`.
pub(crate) fn banner(address: SocketAddr, router: &Router, manifest: &Manifest, store: &Path) -> String {
    let mut banner =
        format!("Storing default key-value data to {store:?}.\n\nServing http://{address}\nAvailable Routes:\n");
    for route in router.iter() {
        let component = &route.component;
        _ = writeln!(banner, "  {component}: http://{address}{route}");
        let description = manifest.components.get(component).map_or("", |component| &component.description);
        if !description.is_empty() {
            _ = writeln!(banner, "    {description}");
        }
    }
    banner
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Trigger;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let headers = pairs.iter();
        headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn absolute_of(uri: &str, host: Option<&'static str>) -> Option<String> {
        let headers = host.map_or_else(HeaderMap::new, |host| headers(&[("host", host)]));
        absolute(&uri.parse().unwrap(), &headers).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn the_authority_comes_from_host_header_and_uri() {
        assert_eq!(absolute_of("/a?b", Some("x:1")).as_deref(), Some("http://x:1/a?b"));
        assert_eq!(absolute_of("http://x/a", None).as_deref(), Some("http://x/a"));
        assert_eq!(absolute_of("https://x/a", Some("x")).as_deref(), Some("http://x/a"));
    }

    #[test]
    fn a_request_without_a_clear_authority_or_path_is_not_answered() {
        assert_eq!(absolute_of("/a", None), None);
        assert_eq!(absolute_of("/a", Some("not an authority")), None);
        assert_eq!(absolute_of("http://x/a", Some("y")), None);
        assert_eq!(absolute_of("x:80", Some("x:80")), None);
    }

    #[test]
    fn connection_and_the_names_of_components_are_stripped() {
        for (host, kept) in [("a.spin.internal", 1), ("a.spin.internal:80", 1), ("spin.internal", 2), ("a.b", 2)] {
            let mut headers = headers(&[("connection", "close"), ("host", host), ("accept", "*/*")]);
            strip(&mut headers);
            assert_eq!(headers.len(), kept, "{host}");
        }
    }

    #[test]
    fn the_clients_own_spin_headers_stay_in_front_of_spins() {
        let trigger = Trigger { route: Some("/orders/:order_id/...".to_owned()), component: "orders".to_owned() };
        let router = Router::new(&[trigger], |warning| panic!("{warning}")).unwrap();
        let found = router.find("/orders/o-1/x/").unwrap();
        let mut request = http::Request::new(());
        *request.uri_mut() = "http://shop/orders/o-1/x/?q=1".parse().unwrap();
        *request.headers_mut() = headers(&[("host", "shop"), ("spin-path-match-order-id", "forged")]);
        add_spin_headers(&mut request, &found, ([127, 0, 0, 1], 9).into()).unwrap();
        let all = |name: &str| -> Vec<_> {
            request.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
        };
        assert_eq!(all("spin-path-match-order-id"), ["forged", "o-1"]);
        assert_eq!(all("spin-path-info"), ["/x/"]);
        assert_eq!(all("spin-full-url"), ["http://shop/orders/o-1/x/?q=1"]);
        assert_eq!(all("spin-matched-route"), ["/orders/:order_id/..."]);
        assert_eq!(all("spin-raw-component-route"), ["/orders/:order_id/..."]);
        assert_eq!(all("spin-component-route"), ["/orders/:order_id"]);
        assert_eq!(all("spin-base-path"), ["/"]);
        assert_eq!(all("spin-client-addr"), ["127.0.0.1:9"]);
    }

    #[test]
    fn a_request_with_a_header_that_is_no_text_is_handed_over() {
        let trigger = Trigger { route: Some("/".to_owned()), component: "orders".to_owned() };
        let router = Router::new(&[trigger], |warning| panic!("{warning}")).unwrap();
        let mut request = http::Request::new(());
        request.headers_mut().insert("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(add_spin_headers(&mut request, &router.find("/").unwrap(), ([127, 0, 0, 1], 9).into()).is_some());
    }
}
