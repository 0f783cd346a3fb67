//! A client of the shop that has one connection, and sends one request after the other.

use std::net::SocketAddr;
use std::time::Duration;

use crash_recovery::client::TOKEN;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Turns a request that is not answered into an error.
const TIMEOUT: Duration = Duration::from_secs(60);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a server says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The error's name, where it is one.
    pub(crate) fn code(&self) -> &str {
        self.text("code")
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// Whether the shop had no time for this: it may have been done.
    pub(crate) fn is_busy(&self) -> bool {
        self.status == 503 && self.code() == "busy"
    }
}

/// A connection that is made when it is needed.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// The answer, or why there is none. Then it is not known whether the request was done.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Answer, String> {
        let answer = timeout(TIMEOUT, self.try_to_ask(method, path, body, key)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("none within {} s", TIMEOUT.as_secs()).into()));
        answer.map_err(|error| {
            self.connection = None;
            format!("{method} {path} has no answer: {error}")
        })
    }

    async fn try_to_ask(&mut self, method: &str, path: &str, body: &str, key: Option<&str>) -> Result<Answer, Error> {
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = if body.is_empty() { request } else { request.header("content-type", "application/json") };
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        let connection = self.connection().await?;
        let answer = connection.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: serde_json::from_slice(&body)? })
    }

    /// The connection that there is, or a new one where the server has closed it.
    async fn connection(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Error> {
        let open = match self.connection.take() {
            Some(mut connection) => connection.ready().await.is_ok().then_some(connection),
            None => None,
        };
        let open = match open {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                connection
            }
        };
        Ok(self.connection.insert(open))
    }
}
