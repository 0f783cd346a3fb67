//! The shop over HTTP: where it is, what a request looks like on the wire, and what an answer means.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::redis_server::RedisServer;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{self, Uri};

use crate::history::Answer;
use crate::model::{ItemNo, Line, Status, Stock};

/// Turns a hang into an unknown outcome.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The operator's token where the shop is served here.
const TOKEN: &str = "the-token-of-these-histories";

/// A shop that is served somewhere, by one server or by several.
pub struct Server {
    agent: Agent,
    /// Any of them is asked.
    authorities: Vec<String>,
    /// What stands before every path.
    base: String,
    token: String,
}

/// A request as it goes over the wire.
pub struct Message {
    method: &'static str,
    path: String,
    body: Option<Value>,
    key: Option<String>,
}

/// The names of a history's items. They sort as their numbers do: that is the order in which a shop holds lines.
pub struct Names(pub String);

impl Names {
    fn of(&self, item: ItemNo) -> String {
        format!("{}-{item:02}", self.0)
    }

    fn number(&self, name: &str) -> Option<ItemNo> {
        name.strip_prefix(&self.0)?.strip_prefix('-')?.parse().ok()
    }

    pub fn create(&self, item: ItemNo, on_hand: u64) -> Message {
        Message::new("PUT", format!("/inventory/{}", self.of(item)))
            .json(json!({ "unit_price": 1, "on_hand": on_hand }))
    }

    pub fn place(&self, lines: &[Line], key: Option<String>) -> Message {
        let line = |line: &Line| json!({ "item_id": self.of(line.item), "quantity": line.quantity });
        let lines: Vec<_> = lines.iter().map(line).collect();
        Message { key, ..Message::new("POST", "/orders".to_owned()).json(json!({ "items": lines })) }
    }

    pub fn adjust(&self, item: ItemNo, delta: i64, key: Option<String>) -> Message {
        let path = format!("/inventory/{}/adjustments", self.of(item));
        Message { key, ..Message::new("POST", path).json(json!({ "delta": delta })) }
    }

    pub fn show_item(&self, item: ItemNo) -> Message {
        Message::new("GET", format!("/inventory/{}", self.of(item)))
    }

    /// What a client is told by an answer with this status and body, and the order's id where there is one.
    fn read(&self, status: u16, body: &[u8]) -> (Answer, Option<String>) {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Body {
            Item(Stock),
            Order { order_id: String, status: Status },
            Short { code: Short, item_id: String, available: u64 },
            Decided { code: Decided, order_status: Status },
        }
        #[derive(Deserialize)]
        enum Short {
            #[serde(rename = "insufficient_stock")]
            Code,
        }
        #[derive(Deserialize)]
        enum Decided {
            #[serde(rename = "order_not_payable", alias = "order_not_cancellable")]
            Code,
        }
        let strange = || Answer::Strange(format!("{status} {}", String::from_utf8_lossy(body)));
        match (status, serde_json::from_slice(body)) {
            (200 | 201, Ok(Body::Item(stock))) => (Answer::Item(stock), None),
            (200 | 201, Ok(Body::Order { order_id, status })) => (Answer::Order(status), Some(order_id)),
            (409, Ok(Body::Short { code: Short::Code, item_id, available })) => {
                (self.number(&item_id).map_or_else(strange, |item| Answer::Short { item, available }), None)
            }
            (409, Ok(Body::Decided { code: Decided::Code, order_status })) => (Answer::Decided(order_status), None),
            _ => (strange(), None),
        }
    }
}

impl Message {
    fn new(method: &'static str, path: String) -> Self {
        Self { method, path, body: None, key: None }
    }

    fn json(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub fn pay(order_id: &str) -> Self {
        Self::new("POST", format!("/orders/{order_id}/pay"))
    }

    pub fn cancel(order_id: &str) -> Self {
        Self::new("POST", format!("/orders/{order_id}/cancel"))
    }

    pub fn show_order(order_id: &str) -> Self {
        Self::new("GET", format!("/orders/{order_id}"))
    }
}

impl Server {
    /// The server at a URL of the form `http://host:port/prefix`.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn at(url: &str, token: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "{url} is not of the form http://host:port");
        let host = uri.host().with_context(|| format!("{url} names no host"))?;
        let agent = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build().into();
        Ok(Self {
            agent,
            authorities: vec![format!("{host}:{}", uri.port_u16().unwrap_or(80))],
            base: uri.path().trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        })
    }

    /// Sends a request and waits for the answer, and the id of the order in it. None where what became of the request
    /// is unknown.
    pub fn ask(&self, names: &Names, message: &Message) -> Option<(Answer, Option<String>)> {
        let uri = format!("http://{}{}{}", self.authority(), self.base, message.path);
        let request = http::Request::builder().method(message.method).uri(uri);
        let headers = self.headers(message).into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let mut answer = self.agent.run(request.body(message.content()).ok()?).ok()?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().read_to_vec().ok()?;
        (status < 500).then(|| names.read(status, &body))
    }

    /// Sends a request and hangs up after a while, answered or not. Whether it arrived is unknown in any case.
    pub fn ask_and_leave(&self, message: &Message, wait: Duration) {
        let (content, authority) = (message.content(), self.authority());
        let headers: String =
            self.headers(message).into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{} {}{} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n{headers}\r\n{content}",
            message.method,
            self.base,
            message.path,
            content.len(),
        );
        if let Ok(mut connection) = TcpStream::connect(authority) {
            let _ = connection.write_all(request.as_bytes());
            sleep(wait);
        }
    }

    fn authority(&self) -> &str {
        fastrand::choice(&self.authorities).map_or("", String::as_str)
    }

    fn headers(&self, message: &Message) -> Vec<(&'static str, String)> {
        let mut headers = vec![("authorization", format!("Bearer {}", self.token))];
        headers.extend(message.body.iter().map(|_| ("content-type", "application/json".to_owned())));
        headers.extend(message.key.iter().map(|key| ("idempotency-key", key.clone())));
        headers
    }
}

impl Message {
    fn content(&self) -> String {
        self.body.as_ref().map(Value::to_string).unwrap_or_default()
    }
}

/// The target of which there are two servers, on one Redis.
const WITH_REDIS: &str = "akamai-functions";

/// Serves the components of a target of this workspace with a fresh store, for as long as `visit` takes: by one server, or
/// by two where they share a Redis.
///
/// # Errors
/// Says why they cannot be served, or what `visit` says.
pub fn with_own_server<T>(target: &str, visit: impl FnOnce(&Server) -> Result<T>) -> Result<T> {
    let state = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let redis = (target == WITH_REDIS).then(RedisServer::start).transpose()?;
    let mut variables = BTreeMap::from([("operator_token".to_owned(), TOKEN.to_owned())]);
    variables.extend(redis.iter().map(|redis| ("redis_host".to_owned(), redis.address())));
    let options = host::Options {
        manifest: host::manifest_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"), target),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        state_dir: Some(state.path().to_owned()),
        variables,
        quiet: true,
        ..host::Options::default()
    };
    let mut serving = vec![runtime.block_on(host::start(options.clone()))?];
    if redis.is_some() {
        serving.push(runtime.block_on(host::start(host::Options { build: false, ..options }))?);
    }
    let authorities = serving.iter().map(|server| server.address().to_string()).collect();
    let result = visit(&Server { authorities, ..Server::at("http://localhost", TOKEN)? });
    serving.into_iter().for_each(|server| runtime.block_on(server.shutdown()));
    result
}
