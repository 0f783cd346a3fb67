//! A client of the contract: asks, checks what holds for every answer, and reads the documents strictly.

use std::thread::sleep;
use std::time::Duration;

use harness::{Client, Connection, Method};
use serde_json::{Value, json};

pub use harness::{at_once, fresh};

use crate::contract;
use crate::envelope::{self, Answer};
use crate::shapes::{Item, Order};

/// How often a client that is told `busy` comes back.
const RETRIES: usize = 60;

/// The system under test, as a client sees it.
#[derive(Clone)]
pub struct Shop(pub Client);

impl Shop {
    pub fn request(&self, method: Method, path: impl Into<String>) -> Request {
        self.about(harness::Request::new(method.as_str(), path))
    }

    fn about(&self, request: harness::Request) -> Request {
        Request { shop: self.clone(), request }
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
        self.about(harness::Request::pay(order_id))
    }

    pub fn cancel(&self, order_id: &str) -> Request {
        self.about(harness::Request::cancel(order_id))
    }

    /// The operator makes an item or changes its price.
    pub fn put_item(&self, item_id: &str, body: Value) -> Request {
        self.about(harness::Request::put_item(item_id, body))
    }

    pub fn adjust(&self, item_id: &str, delta: i64) -> Request {
        self.about(harness::Request::adjust(item_id, delta))
    }

    /// An item that no other test knows.
    pub fn new_item(&self, on_hand: u64, unit_price: u64) -> String {
        let item_id = fresh("item");
        self.put_item(&item_id, json!({"unit_price": unit_price, "on_hand": on_hand})).send().item(201);
        item_id
    }

    pub fn item(&self, item_id: &str) -> Item {
        self.get(format!("/inventory/{item_id}")).send().item(200)
    }

    pub fn available(&self, item_id: &str) -> u64 {
        self.item(item_id).available
    }

    pub fn order_now(&self, order_id: &str) -> Order {
        self.get(format!("/orders/{order_id}")).send().order(200)
    }

    /// Places an order of one line that has to succeed.
    pub fn place(&self, item_id: &str, quantity: u64) -> Order {
        self.order(json!({"item_id": item_id, "quantity": quantity})).send().order(201)
    }

    pub fn place_paid(&self, item_id: &str, quantity: u64) -> Order {
        let order = self.place(item_id, quantity);
        self.pay(&order.order_id).send().order(200)
    }

    pub fn place_cancelled(&self, item_id: &str, quantity: u64) -> Order {
        let order = self.place(item_id, quantity);
        self.cancel(&order.order_id).send().order(200)
    }

    /// Sends these bytes on a connection of their own and reads one answer, for what no well-behaved client can send.
    pub fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        let line: String = String::from_utf8_lossy(request).chars().take(300).collect();
        let mut connection = self.connect();
        connection.send(request).unwrap_or_else(|error| panic!("{line}: {error}"));
        read_answer(&mut connection, &line)
    }

    pub fn connect(&self) -> Connection {
        self.0.connect().expect("the server accepts connections")
    }

    /// The first lines of a raw request: what HTTP demands.
    pub fn head_of(&self, method: &str, path: &str) -> String {
        self.0.head_of(method, path) + "connection: close\r\n"
    }
}

/// A request that is being put together.
#[derive(Clone)]
pub struct Request {
    shop: Shop,
    request: harness::Request,
}

impl Request {
    fn with(self, change: impl FnOnce(harness::Request) -> harness::Request) -> Self {
        Self { request: change(self.request), ..self }
    }

    /// Adds a header. Those of the same name stay.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.with(|request| request.header(name, value))
    }

    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.with(|request| request.body(content_type, body))
    }

    pub fn bare_body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with(|request| request.bare_body(body))
    }

    pub fn json(self, body: Value) -> Self {
        self.with(|request| request.json(body))
    }

    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        self.with(|request| request.key(key))
    }

    pub fn operator(self) -> Self {
        self.with(harness::Request::operator)
    }

    /// Sends the request, again while the answer is `busy`, and checks what holds for every answer.
    #[track_caller]
    pub fn send(self) -> Answer {
        let (method, path) = (self.request.method.clone(), self.request.path.clone());
        self.try_send().unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As [`Self::send`], but a connection that breaks is for the caller to judge, and so is the empty 500 that a
    /// server sends for an instance which was killed under it.
    pub fn try_send(self) -> Result<Answer, String> {
        let mut tries = 0;
        loop {
            let answer = self.attempt()?;
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
            sleep(Duration::from_secs(seconds).min(Duration::from_secs(5)));
        }
    }

    /// Sends the request once, also where the answer is `busy`, and checks what holds for every answer.
    #[track_caller]
    pub fn once(self) -> Answer {
        let answer = self.attempt().unwrap_or_else(|error| panic!("{error}"));
        let defects = [envelope::defects(&answer), contract::defects(&answer)].concat();
        assert!(defects.is_empty(), "{answer}\nwhat holds for every answer does not hold: {defects:#?}");
        answer
    }

    fn attempt(&self) -> Result<Answer, String> {
        assert!(
            self.shop.0.token.is_some() || !self.request.by_operator(),
            "this test needs the operator's token: with BASE_URL, set OPERATOR_TOKEN to the server's operator_token",
        );
        let body: String = self.request.text().chars().take(300).collect();
        let path: String = self.request.path.chars().take(200).collect();
        let answer = self.shop.0.send(&self.request).map_err(|error| format!("{error:?}"))?;
        Ok(Answer::to(&format!("{} {path} {body}", self.request.method), answer))
    }
}

/// Sends the same request twice at the same moment.
pub fn twice_at_once(request: &Request) -> [Answer; 2] {
    at_once(2, |_| request.clone().send()).try_into().expect("there are two answers")
}

/// Reads one answer to the end that its head announces, and checks what holds for every answer.
pub fn read_answer(connection: &mut Connection, asked: &str) -> Answer {
    let answer = connection.receive(asked.starts_with("HEAD ")).unwrap_or_else(|error| panic!("{asked}: {error}"));
    let answer = Answer::to(asked, answer.unwrap_or_else(|| panic!("{asked}: no answer")));
    let defects = envelope::defects(&answer);
    assert!(defects.is_empty(), "{answer}\nwhat holds for every answer does not hold: {defects:#?}");
    answer
}

impl Answer {
    fn to(asked: &str, answer: harness::Answer) -> Self {
        let harness::Answer { status, headers, body, .. } = answer;
        let method = asked.split(' ').next().and_then(|method| method.parse().ok()).unwrap_or(Method::GET);
        Self { method, asked: asked.to_owned(), status, headers, body }
    }

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

/// Runs `request` and proves that it left these items as they were.
pub fn leaves_alone<T>(shop: &Shop, items: &[&str], request: impl FnOnce() -> T) -> T {
    let mut before = Vec::new();
    for item in items {
        before.push(shop.item(item));
    }
    let result = request();
    for before in before {
        assert_eq!(shop.item(&before.item_id), before, "a refused request changed something");
    }
    result
}
