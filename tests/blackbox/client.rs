//! A client of the contract: asks, checks what holds for every answer, and reads the documents strictly.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};

use crate::contract;
use crate::envelope::{self, Answer};
use crate::shapes::{Item, Order};

/// No test asserts how long anything takes; this only turns a hang into a failure.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How often a client that is told `busy` comes back.
const RETRIES: usize = 60;

static CONNECTIONS: LazyLock<Client<HttpConnector, Full<Bytes>>> = LazyLock::new(|| {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
});

/// The system under test, as a client sees it.
#[derive(Clone)]
pub struct Shop {
    /// `host:port`.
    pub authority: Arc<str>,
    /// What stands before every path: empty, or `/prefix`.
    pub base: Arc<str>,
    pub token: Option<Arc<str>>,
}

impl Shop {
    pub fn request(&self, method: Method, path: impl Into<String>) -> Request {
        Request { shop: self.clone(), method, path: path.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub fn get(&self, path: impl Into<String>) -> Request {
        self.request(Method::GET, path)
    }

    pub fn head(&self, path: impl Into<String>) -> Request {
        self.request(Method::HEAD, path)
    }

    pub fn post(&self, path: impl Into<String>) -> Request {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: impl Into<String>) -> Request {
        self.request(Method::PUT, path)
    }

    pub fn order(&self, body: Value) -> Request {
        self.post("/orders").json(body)
    }

    pub fn pay(&self, order_id: &str) -> Request {
        self.post(format!("/orders/{order_id}/pay"))
    }

    pub fn cancel(&self, order_id: &str) -> Request {
        self.post(format!("/orders/{order_id}/cancel"))
    }

    /// The operator makes an item or changes its price.
    pub fn put_item(&self, item_id: &str, body: Value) -> Request {
        self.put(format!("/inventory/{item_id}")).operator().json(body)
    }

    pub fn adjust(&self, item_id: &str, delta: i64) -> Request {
        self.post(format!("/inventory/{item_id}/adjustments")).operator().json(json!({"delta": delta}))
    }

    /// An item that no other test knows.
    pub async fn new_item(&self, on_hand: u64, unit_price: u64) -> String {
        let item_id = fresh("item");
        self.put_item(&item_id, json!({"unit_price": unit_price, "on_hand": on_hand})).send().await.item(201);
        item_id
    }

    pub async fn item(&self, item_id: &str) -> Item {
        self.get(format!("/inventory/{item_id}")).send().await.item(200)
    }

    pub async fn available(&self, item_id: &str) -> u64 {
        self.item(item_id).await.available
    }

    pub async fn order_now(&self, order_id: &str) -> Order {
        self.get(format!("/orders/{order_id}")).send().await.order(200)
    }

    /// Places an order of one line that has to succeed.
    pub async fn place(&self, item_id: &str, quantity: u64) -> Order {
        self.order(json!({"item_id": item_id, "quantity": quantity})).send().await.order(201)
    }

    pub async fn place_paid(&self, item_id: &str, quantity: u64) -> Order {
        let order = self.place(item_id, quantity).await;
        self.pay(&order.order_id).send().await.order(200)
    }

    pub async fn place_cancelled(&self, item_id: &str, quantity: u64) -> Order {
        let order = self.place(item_id, quantity).await;
        self.cancel(&order.order_id).send().await.order(200)
    }

    /// Sends these bytes on a connection of their own and reads one answer, for what no well-behaved client can send.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        let line: String = String::from_utf8_lossy(request).chars().take(300).collect();
        let mut connection = self.connect().await;
        connection.write_all(request).await.unwrap_or_else(|error| panic!("{line}: {error}"));
        read_answer(connection, &line).await
    }

    pub async fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&*self.authority).await.expect("the server accepts connections");
        connection.set_nodelay(true).expect("a fresh connection takes options");
        connection
    }

    /// The first lines of a raw request: what HTTP demands.
    pub fn head_of(&self, method: &str, path: &str) -> String {
        format!("{method} {}{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.base, self.authority)
    }
}

/// A request that is being put together.
#[derive(Clone)]
pub struct Request {
    shop: Shop,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// Adds a header, beside those of the same name that are there.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).expect("a header value"));
        self
    }

    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.header("content-type", content_type).bare_body(body)
    }

    pub fn bare_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub fn json(self, body: Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn operator(self) -> Self {
        let token = self.shop.token.clone().expect(
            "this test needs the operator's token: with BASE_URL, set OPERATOR_TOKEN to the server's operator_token",
        );
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends the request, again while the answer is `busy`, and checks what holds for every answer.
    #[track_caller]
    pub fn send(self) -> impl Future<Output = Answer> + Send + 'static {
        let caller = std::panic::Location::caller();
        async move {
            let asked = format!("{} {}", self.method, self.path);
            self.try_send().await.unwrap_or_else(|error| panic!("{caller}: {asked}: {error}"))
        }
    }

    /// As [`Self::send`], but a connection that breaks is for the caller to judge, and so is the empty 500 that a server
    /// sends for an instance which was killed under it.
    pub async fn try_send(self) -> Result<Answer, String> {
        let mut tries = 0;
        loop {
            let answer = self.attempt().await?;
            if answer.status == 500 && answer.body.is_empty() {
                return Err(format!("{answer}\nan empty 500"));
            }
            // The other 503s need the owner, not patience.
            let busy = answer.status == 503 && String::from_utf8_lossy(&answer.body).contains("\"busy\"");
            let retry_after = answer.header("retry-after").filter(|_| busy).and_then(|seconds| seconds.parse().ok());
            let (true, Some(seconds)) = (tries < RETRIES, retry_after) else {
                let defects = [envelope::defects(&answer), contract::defects(&answer)].concat();
                assert!(defects.is_empty(), "{answer}\nwhat holds for every answer does not hold: {defects:#?}");
                return Ok(answer);
            };
            tries += 1;
            sleep(Duration::from_secs(seconds).min(Duration::from_secs(5))).await;
        }
    }

    async fn attempt(&self) -> Result<Answer, String> {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        let path: String = self.path.chars().take(200).collect();
        let mut request = hyper::Request::builder()
            .method(self.method.clone())
            .uri(format!("http://{}{}{}", self.shop.authority, self.shop.base, self.path))
            .body(Full::new(self.body.clone()))
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = self.headers.clone();
        let exchange = async {
            let response = CONNECTIONS.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            Ok::<_, String>((head, body))
        };
        let (head, answered) = timeout(TIMEOUT, exchange).await.map_err(|_| "no answer".to_owned())??;
        Ok(Answer {
            method: self.method.clone(),
            asked: format!("{} {path} {body}", self.method),
            status: head.status.as_u16(),
            headers: head.headers,
            body: answered,
        })
    }
}

/// Reads one answer to the end that its head announces, and checks what holds for every answer.
pub async fn read_answer(mut connection: impl tokio::io::AsyncRead + Unpin, asked: &str) -> Answer {
    let answer = timeout(TIMEOUT, parse_answer(&mut connection, asked)).await;
    let answer = answer.unwrap_or_else(|_| panic!("{asked}: no answer"));
    let defects = envelope::defects(&answer);
    assert!(defects.is_empty(), "{answer}\nwhat holds for every answer does not hold: {defects:#?}");
    answer
}

async fn parse_answer(connection: &mut (impl tokio::io::AsyncRead + Unpin), asked: &str) -> Answer {
    let method = asked.split(' ').next().and_then(|method| method.parse().ok()).unwrap_or(Method::GET);
    let mut received = Vec::new();
    loop {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut slots);
        let parsed = head.parse(&received).unwrap_or_else(|error| panic!("{asked}: {error}: {received:?}"));
        if let httparse::Status::Complete(start) = parsed {
            let headers: HeaderMap = head
                .headers
                .iter()
                .map(|header| {
                    let name: HeaderName = header.name.parse().expect("a header name");
                    (name, HeaderValue::from_bytes(header.value).expect("a header value"))
                })
                .collect();
            let status = head.code.expect("a status");
            let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
            let bodiless = method == Method::HEAD || status == 204 || status == 304;
            let end = if bodiless { Some(start) } else { length.map(|length| start + length) };
            while end.is_none_or(|end| received.len() < end) && read_some(connection, &mut received, asked).await {}
            let body = Bytes::copy_from_slice(&received[start..end.unwrap_or(received.len()).min(received.len())]);
            return Answer { method, asked: asked.to_owned(), status, headers, body };
        }
        assert!(
            read_some(connection, &mut received, asked).await,
            "{asked}: the connection was closed in the middle of the answer: {:?}",
            String::from_utf8_lossy(&received),
        );
    }
}

async fn read_some(connection: &mut (impl tokio::io::AsyncRead + Unpin), into: &mut Vec<u8>, asked: &str) -> bool {
    connection.read_buf(into).await.unwrap_or_else(|error| panic!("{asked}: {error}")) > 0
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"))
    }

    #[track_caller]
    pub fn order(&self, status: u16) -> Order {
        self.expect(status);
        Order::parse(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"))
    }

    #[track_caller]
    pub fn item(&self, status: u16) -> Item {
        self.expect(status);
        Item::parse(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"))
    }

    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        self.expect(status);
        let problem = self.value();
        assert_eq!(problem["code"], code, "{self}");
        problem
    }

    /// A 422 about the body, with an error for what the pointer names. A member that is missing may be pointed at
    /// itself or by way of the object that lacks it.
    #[track_caller]
    pub fn invalid(&self, pointer: &str) -> Value {
        let problem = self.problem(422, "invalid_request");
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{self}\nno errors"));
        let pointers: Vec<&str> = errors
            .iter()
            .map(|error| {
                let pointer = error["pointer"].as_str().unwrap_or_else(|| panic!("{self}\nno pointer"));
                // RFC 9457 writes them as URI fragments.
                let pointer = pointer.strip_prefix('#').unwrap_or(pointer);
                assert!(pointer.is_empty() || pointer.starts_with('/'), "{self}\n{pointer:?} is no JSON pointer");
                pointer
            })
            .collect();
        let (pointer, missing) = match pointer.strip_suffix('?') {
            Some(pointer) => (pointer, true),
            None => (pointer, false),
        };
        let parent = pointer.rfind('/').map_or("", |at| &pointer[..at]);
        assert!(
            pointers.iter().any(|found| *found == pointer || missing && *found == parent),
            "{self}\nnothing about {pointer:?}",
        );
        problem
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n-> {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "   {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "   {}", String::from_utf8_lossy(&self.body))
    }
}

/// A name that no other test has, on this server or any other.
pub fn fresh(kind: &str) -> String {
    format!("bb-{kind}-{:016x}", fastrand::u64(..))
}

/// Runs `count` clients that all start at the same moment.
pub async fn at_once<T, F>(count: usize, mut client: impl FnMut(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let clients: Vec<_> = (0..count)
        .map(|number| {
            let start = start.clone();
            let client = client(number);
            tokio::spawn(async move {
                start.wait().await;
                client.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for client in clients {
        results.push(client.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
    }
    results
}

/// Runs `request` and proves that it left these items as they were.
pub async fn leaves_alone<T>(shop: &Shop, items: &[&str], request: impl Future<Output = T>) -> T {
    let mut before = Vec::new();
    for item in items {
        before.push(shop.item(item).await);
    }
    let result = request.await;
    for before in before {
        assert_eq!(shop.item(&before.item_id).await, before, "a refused request changed something");
    }
    result
}
