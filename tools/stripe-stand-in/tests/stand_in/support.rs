//! A shop for the tests: it makes requests as one does, and takes webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{Answer, Client, Request};
use serde_json::Value;
use stripe_stand_in::{Options, Retries, Rule, SECRET_KEY, StandIn};

/// Far longer than anything takes: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Waits until this holds.
#[track_caller]
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Retries that a test can wait for.
pub fn soon() -> Retries {
    Retries { first: Duration::from_millis(20), longest: Duration::from_millis(40), stop: Duration::from_secs(30) }
}

/// The fields of a session of 20.00 yuan for this order.
pub fn session_form(order: &str) -> Vec<(String, String)> {
    [
        ("mode", "payment"),
        ("client_reference_id", order),
        ("metadata[order_id]", order),
        ("success_url", "http://shop.example/back?session={CHECKOUT_SESSION_ID}"),
        ("cancel_url", "http://shop.example/cancelled"),
        ("line_items[0][quantity]", "2"),
        ("line_items[0][price_data][currency]", "cny"),
        ("line_items[0][price_data][unit_amount]", "1000"),
        ("line_items[0][price_data][product_data][name]", "item1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The same fields, with this one in place of another of its name, or added.
pub fn with(mut form: Vec<(String, String)>, name: &str, value: &str) -> Vec<(String, String)> {
    form.retain(|(other, _)| other != name);
    form.push((name.to_owned(), value.to_owned()));
    form
}

/// The same fields, without this one.
pub fn without(mut form: Vec<(String, String)>, name: &str) -> Vec<(String, String)> {
    form.retain(|(other, _)| other != name && !other.starts_with(&format!("{name}[")));
    form
}

pub fn encode(form: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// A POST of these fields with the secret key.
pub fn post(path: &str, form: &[(String, String)]) -> Request {
    Request::post(path)
        .header("authorization", format!("Bearer {SECRET_KEY}"))
        .body("application/x-www-form-urlencoded", encode(form))
}

/// A GET with the secret key.
pub fn get(path: &str) -> Request {
    Request::get(path).header("authorization", format!("Bearer {SECRET_KEY}"))
}

/// What a test in another process asks for, with the secret key.
pub fn act(path: &str) -> Request {
    Request::post(format!("/stand-in/{path}")).header("authorization", format!("Bearer {SECRET_KEY}"))
}

pub const SESSIONS: &str = "/v1/checkout/sessions";

/// A stand-in, and a client of it.
pub struct Provider {
    pub stand_in: StandIn,
    pub client: Client,
}

impl Provider {
    pub fn new() -> Self {
        Self::with(Options { retries: soon(), ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let stand_in = StandIn::start(options).unwrap();
        let client = Client::new(&stand_in.url(), None).unwrap();
        Self { stand_in, client }
    }

    /// One with this fault from the beginning.
    pub fn hostile(rule: &str) -> Self {
        let provider = Self::new();
        provider.fault(rule);
        provider
    }

    pub fn fault(&self, rule: &str) {
        self.stand_in.add_fault(rule.parse::<Rule>().unwrap());
    }

    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.client.send(request).unwrap()
    }

    /// The answer of a request that has one, and its status is this.
    #[track_caller]
    pub fn told(&self, status: u16, request: &Request) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
        answer.value()
    }

    /// Opens a session for an order.
    #[track_caller]
    pub fn open(&self, order: &str) -> String {
        self.told(200, &post(SESSIONS, &session_form(order)))["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn look(&self, session: &str) -> Value {
        self.told(200, &get(&format!("{SESSIONS}/{session}?expand[]=payment_intent.latest_charge")))
    }

    #[track_caller]
    pub fn expire(&self, session: &str) -> Answer {
        self.send(&post(&format!("{SESSIONS}/{session}/expire"), &[]))
    }

    /// A session that is paid, and its intent.
    #[track_caller]
    pub fn paid(&self, order: &str) -> (String, String) {
        let session = self.open(order);
        self.stand_in.pay(&session).unwrap();
        let intent = self.stand_in.charges().pop().unwrap().intent;
        (session, intent)
    }

    #[track_caller]
    pub fn refund(&self, intent: &str, amount: u64) -> Answer {
        let fields = [("payment_intent", intent.to_owned()), ("amount", amount.to_string())];
        self.send(&post("/v1/refunds", &fields.map(|(name, value)| (name.to_owned(), value))))
    }
}

/// A webhook that has arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub signature: Option<String>,
    pub body: String,
}

impl Arrived {
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.event()["type"].as_str().unwrap().to_owned()
    }

    /// The time of the signature, if that is right for this secret.
    pub fn signed_at(&self, secret: &str) -> Option<u64> {
        let signature = self.signature.as_ref()?;
        let time: u64 = signature.split(',').find_map(|part| part.strip_prefix("t="))?.parse().ok()?;
        let own = stripe_stand_in::signature(&[secret], time as i64, self.body.as_bytes());
        let own = own.split(',').nth(1)?;
        signature.split(',').any(|part| part == own).then_some(time)
    }
}

/// Where webhooks arrive.
pub struct Hooks {
    pub url: String,
    arrived: Mutex<Receiver<Arrived>>,
    status: Arc<AtomicU16>,
}

impl Hooks {
    /// Answers all with 200.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let (sender, arrived) = channel();
        let status = Arc::new(AtomicU16::new(200));
        let answer = status.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, answer) = (sender.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut length, mut signature) = (0, None);
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        let Some((name, value)) = line.trim_end().split_once(": ") else {
                            if line.trim().is_empty() {
                                break;
                            }
                            continue;
                        };
                        match name {
                            "content-length" => length = value.parse().unwrap(),
                            "stripe-signature" => signature = Some(value.to_owned()),
                            _ => {}
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let status = answer.load(Ordering::SeqCst);
                    _ = sender.send(Arrived { signature, body: String::from_utf8(body).unwrap() });
                    _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                });
            }
        });
        Self { url, arrived: Mutex::new(arrived), status }
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The next one.
    #[track_caller]
    pub fn next(&self) -> Arrived {
        self.arrived.lock().unwrap().recv_timeout(PATIENCE).expect("a webhook")
    }

    /// What has arrived and was not asked for yet.
    pub fn all(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().try_iter().collect()
    }
}
