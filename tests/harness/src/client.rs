//! A client of HTTP/1.1 that sends what it is given, byte for byte, and hides nothing of the answer.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// No test asserts how long anything takes; this only turns a hang into a failure. A store that takes a second for each
/// call needs the better part of it.
const TIMEOUT: Duration = Duration::from_secs(120);

/// More than any server sends.
const MAX_HEADERS: usize = 128;

/// A request of the shop, as a value: so it can be sent again, and to another server.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The method, in any spelling.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    by_operator: bool,
}

impl Request {
    /// A request without headers and without a body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new(), by_operator: false }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new("PUT", path)
    }

    /// An order of these quantities.
    pub fn place(lines: &[(impl AsRef<str>, u64)]) -> Self {
        let line = |(item, quantity): &(_, u64)| json!({ "item_id": AsRef::<str>::as_ref(item), "quantity": quantity });
        Self::post("/orders").json(json!({ "items": lines.iter().map(line).collect::<Vec<_>>() }))
    }

    /// Pays an order.
    pub fn pay(order_id: &str) -> Self {
        Self::post(format!("/orders/{order_id}/pay"))
    }

    /// Cancels an order.
    pub fn cancel(order_id: &str) -> Self {
        Self::post(format!("/orders/{order_id}/cancel"))
    }

    /// Shows an order.
    pub fn show_order(order_id: &str) -> Self {
        Self::get(format!("/orders/{order_id}"))
    }

    /// The operator makes an item, or changes its price.
    pub fn put_item(item_id: &str, body: Value) -> Self {
        Self::put(format!("/inventory/{item_id}")).operator().json(body)
    }

    /// The operator makes an item.
    pub fn create(item_id: &str, unit_price: u64, on_hand: u64) -> Self {
        Self::put_item(item_id, json!({ "unit_price": unit_price, "on_hand": on_hand }))
    }

    /// The operator adds stock, or takes some.
    pub fn adjust(item_id: &str, delta: i64) -> Self {
        Self::post(format!("/inventory/{item_id}/adjustments")).operator().json(json!({ "delta": delta }))
    }

    /// Shows an item.
    pub fn show_item(item_id: &str) -> Self {
        Self::get(format!("/inventory/{item_id}"))
    }

    /// Adds a header. Those of the same name stay.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets a body of this type.
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", content_type).bare_body(body)
    }

    /// Sets a body without saying what it is.
    pub fn bare_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON.
    pub fn json(self, body: Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets the idempotency key.
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.header("idempotency-key", key)
    }

    /// Is sent with the operator's token, if the client has it.
    pub fn operator(mut self) -> Self {
        self.by_operator = true;
        self
    }

    /// The idempotency key that was set.
    pub fn key_of(&self) -> Option<&[u8]> {
        self.headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.as_slice())
    }

    /// Whether it is sent with the operator's token.
    pub fn by_operator(&self) -> bool {
        self.by_operator
    }

    /// The body as text, where it is text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON; null where it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, " {name}: {};", String::from_utf8_lossy(value)))?;
        write!(f, " {}", self.text())
    }
}

/// An answer, with nothing left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, without the frames of its chunks.
    pub body: Vec<u8>,
    /// Whether the body is as long as it was announced to be, or the last chunk was there.
    pub complete: bool,
}

impl Answer {
    /// The first header of this name, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null where it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body of a 200, which is JSON.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!((self.status, self.complete), (200, true), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and length, for an answer without a body.
    ///
    /// # Panics
    /// It was cut off.
    #[track_caller]
    pub fn empty(&self) -> (u16, usize) {
        assert!(self.complete, "{self:?}");
        (self.status, self.body.len())
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read of the next answer.
    received: Vec<u8>,
}

impl Connection {
    /// Connects to a server, `host:port`.
    pub fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// What is below.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one answer to the end that its head announces; none where the connection was closed instead. The answer to
    /// a HEAD ends with its head.
    pub fn receive(&mut self, to_head: bool) -> io::Result<Option<Answer>> {
        let (status, headers, start) = loop {
            let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut slots);
            if let httparse::Status::Complete(start) = head.parse(&self.received).map_err(invalid)? {
                break (head.code.unwrap_or_default(), headers(head.headers)?, start);
            }
            if !self.read_some()? {
                let begun = !self.received.is_empty();
                return if begun { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
        };
        let mut answer = Answer { status, headers, body: Vec::new(), complete: true };
        self.received.drain(..start);
        if to_head || status == 204 || status == 304 {
            return Ok(Some(answer));
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            (answer.body, answer.complete) = self.chunks()?;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(invalid)?;
            answer.complete = self.read_to(length)?;
            answer.body = self.received.drain(..length.min(self.received.len())).collect();
        } else {
            while self.read_some()? {}
            answer.body = std::mem::take(&mut self.received);
        }
        Ok(Some(answer))
    }

    /// The content of the chunks, and whether the last one was there.
    fn chunks(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut body = Vec::new();
        loop {
            let parsed =
                httparse::parse_chunk_size(&self.received).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
            let httparse::Status::Complete((start, size)) = parsed else {
                if self.read_some()? {
                    continue;
                }
                return Ok((body, false));
            };
            let end = start.saturating_add(usize::try_from(size).map_err(invalid)?);
            let whole = self.read_to(end.saturating_add(2))?;
            let end = end.min(self.received.len());
            body.extend_from_slice(&self.received[start..end]);
            self.received.drain(..(end + 2).min(self.received.len()));
            if !whole || size == 0 {
                return Ok((body, whole));
            }
        }
    }

    /// Reads until this number of bytes is there; false if the connection ends before.
    fn read_to(&mut self, length: usize) -> io::Result<bool> {
        while self.received.len() < length {
            if !self.read_some()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads what there is; false at the end.
    fn read_some(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(count) => {
                self.received.extend_from_slice(&piece[..count]);
                Ok(count > 0)
            }
            // A server that refuses the head may close before it has the rest.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether another request can be sent.
    fn is_open(&self) -> bool {
        let looked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let waits = looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        waits && self.stream.set_nonblocking(false).is_ok()
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

fn headers(headers: &[httparse::Header<'_>]) -> io::Result<HeaderMap> {
    let header = |header: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(invalid)?;
        Ok((name, HeaderValue::from_bytes(header.value).map_err(invalid)?))
    };
    headers.iter().map(header).collect()
}

/// A server of the shop, as its clients see it. Its clones share the connections that are open.
#[derive(Clone, Debug)]
pub struct Client {
    /// `host:port`.
    pub authority: Arc<str>,
    /// What stands before every path: empty, or `/prefix`.
    pub base: Arc<str>,
    /// The operator's.
    pub token: Option<Arc<str>>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Client {
    /// A client of the server at a URL of the form `http://host:port/prefix`.
    ///
    /// # Errors
    /// The URL is not of this form.
    pub fn new(url: &str, token: Option<&str>) -> io::Result<Self> {
        let refused = || io::Error::new(ErrorKind::InvalidInput, format!("{url} is not of the form http://host:port"));
        let rest = url.strip_prefix("http://").ok_or_else(refused)?;
        let (host, base) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let base = base.trim_end_matches('/');
        let base = if base.is_empty() { String::new() } else { format!("/{base}") };
        let token = token.filter(|token| !token.is_empty()).map(Into::into);
        Ok(Self { authority: authority.into(), base: base.into(), token, idle: Arc::default() })
    }

    /// Where the server is.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.base)
    }

    /// The first lines of a request: what HTTP demands.
    pub fn head_of(&self, method: &str, path: &str) -> String {
        format!("{method} {}{path} HTTP/1.1\r\nhost: {}\r\n", self.base, self.authority)
    }

    /// The bytes that are sent for a request.
    pub fn bytes_of(&self, request: &Request) -> Vec<u8> {
        let Request { method, path, headers, body, by_operator } = request;
        let mut bytes = self.head_of(method, path).into_bytes();
        let mut line = |name: &str, value: &[u8]| bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        headers.iter().for_each(|(name, value)| line(name, value));
        if let Some(token) = self.token.as_deref().filter(|_| *by_operator) {
            line("authorization", format!("Bearer {token}").as_bytes());
        }
        if !body.is_empty() || !["GET", "HEAD"].contains(&method.as_str()) {
            line("content-length", body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }

    /// A new connection to the server.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(&self.authority)
    }

    /// Sends a request, and waits for the whole answer. Without one it is unknown whether the request was done.
    pub fn send(&self, request: &Request) -> io::Result<Answer> {
        let mut connection = self.connection()?;
        let sent = connection.send(&self.bytes_of(request));
        let Some(answer) = connection.receive(request.method == "HEAD")? else {
            return Err(sent.err().unwrap_or_else(|| ErrorKind::UnexpectedEof.into()));
        };
        if !answer.complete {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if answer.header("connection") != Some("close") {
            self.idle().push(connection);
        }
        Ok(answer)
    }

    /// Sends a request, and hangs up after a while, answered or not. In any case it is unknown whether it arrived.
    pub fn send_and_leave(&self, request: &Request, wait: Duration) {
        if let Ok(mut connection) = self.connect() {
            let _ = connection.send(&self.bytes_of(request));
            std::thread::sleep(wait);
        }
    }

    /// A connection that is open, or a new one.
    fn connection(&self) -> io::Result<Connection> {
        loop {
            // The lock is not held while the connection is looked at.
            let idle = self.idle().pop();
            match idle {
                Some(connection) if connection.is_open() => return Ok(connection),
                Some(_) => {}
                None => return self.connect(),
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
