//! The provider on a scripted transport: what it sends, and what it makes of each answer.

mod disputes;
mod money;
mod notices;
mod refunds;
mod retries;
mod sessions;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::order::Order;
use domain::{Environment, SessionId, Timestamp};
use serde_json::{Value, json};

use crate::{Request, Response, Settings, Stripe, Transport, TransportError, Variables};

const KEY: &str = "sk_test_51HiddenHiddenHidden";
const SECRET: &str = "whsec_HiddenHiddenHiddenHidden";
const OTHER_SECRET: &str = "whsec_OtherOtherOtherOtherOther";
const ORDER: &str = "4be0643f-1d98-473b-97cd-ca98a65347dd";
const SESSION: &str = "cs_test_a1B2";
const INTENT: &str = "pi_3Ab";

/// When the orders of these tests are placed.
const PLACED: u64 = 1_700_000_000_000;

/// What a transport does next.
#[derive(Debug, Clone)]
struct Step {
    result: Result<Response, TransportError>,
    takes: Duration,
}

/// The script, what was sent, and the time.
#[derive(Debug, Default)]
struct World {
    script: RefCell<VecDeque<Step>>,
    sent: RefCell<Vec<Request>>,
    slept: RefCell<Vec<Duration>>,
    monotonic: Cell<Duration>,
    random: Cell<u8>,
}

impl World {
    fn pass(&self, time: Duration) {
        self.monotonic.set(self.monotonic.get().saturating_add(time));
    }
}

#[derive(Debug, Clone, Default)]
struct Script(Rc<World>);

impl Script {
    fn then(self, step: Step) -> Self {
        self.0.script.borrow_mut().push_back(step);
        self
    }

    fn answers(self, status: u16, body: &Value) -> Self {
        self.then(reply(status, &[], &body.to_string()))
    }

    fn stripe(&self, settings: Settings) -> Stripe<Self, Self> {
        Stripe::new(settings, self.clone(), self.clone())
    }

    fn sent(&self) -> Vec<Request> {
        assert!(self.0.script.borrow().is_empty(), "not all of the script was asked for");
        self.0.sent.borrow().clone()
    }

    /// What was sent, as `METHOD url body`.
    fn lines(&self) -> Vec<String> {
        let line = |request: Request| {
            format!("{:?} {} {}", request.method, request.url, String::from_utf8(request.body).unwrap())
        };
        self.sent().into_iter().map(line).map(|line| line.trim_end().to_owned()).collect()
    }

    fn slept(&self) -> Vec<u64> {
        self.0.slept.borrow().iter().map(|pause| u64::try_from(pause.as_millis()).unwrap()).collect()
    }
}

impl Transport for Script {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.0.sent.borrow_mut().push(request.clone());
        let step = self.0.script.borrow_mut().pop_front().expect("no more is in the script");
        self.0.pass(step.takes.min(request.timeout));
        if step.takes > request.timeout {
            return Err(TransportError::NoAnswer("it took too long".to_owned()));
        }
        step.result
    }
}

impl Environment for Script {
    fn now(&self) -> Timestamp {
        PLACED.into()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic.get()
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.random.get());
    }

    async fn sleep(&self, duration: Duration) {
        self.0.slept.borrow_mut().push(duration);
        self.0.pass(duration);
    }

    async fn wait_until(&self, _: impl Fn() -> bool) {}

    async fn linger(&self, _: Duration) {}
}

fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("nothing waits here"),
    }
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Step {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Step { result: Ok(Response { status, headers, body: body.as_bytes().to_vec() }), takes: Duration::ZERO }
}

fn lost() -> Step {
    Step { result: Err(TransportError::NoAnswer("the connection broke".to_owned())), takes: Duration::ZERO }
}

/// An error as Stripe answers it.
fn error(kind: &str, code: &str, param: &str) -> Value {
    json!({"error": {"type": kind, "code": code, "param": param, "message": format!("{KEY} is not told"),
        "doc_url": "https://stripe.com/docs/error-codes"}})
}

fn settings_in(currency: &str) -> Settings {
    let secrets = format!("{SECRET} {OTHER_SECRET}");
    let variables = Variables {
        secret_key: KEY,
        webhook_secret: &secrets,
        api: "https://api.stripe.com",
        return_url: "https://shop.example/console?lang=zh",
    };
    let currency = currency.to_owned().try_into().unwrap();
    Settings::new(&variables, &currency, &[]).unwrap().unwrap()
}

fn settings() -> Settings {
    settings_in("CNY")
}

/// An order of these lines: item, quantity, price of one.
fn order_of(currency: &str, lines: &[(&str, u64, u64)]) -> Order {
    let total: u64 = lines.iter().map(|(_, quantity, price)| quantity.saturating_mul(*price)).sum();
    let lines: Vec<_> = lines
        .iter()
        .map(|(item, quantity, price)| json!({"item_id": item, "quantity": quantity, "unit_price": price}))
        .collect();
    let order = json!({"order_id": ORDER, "lines": lines, "total": total, "currency": currency, "placed_at": PLACED,
        "expires_at": PLACED + 15 * 60 * 1000});
    serde_json::from_value(order).unwrap()
}

fn order() -> Order {
    order_of("CNY", &[("item1", 2, 1000), ("tea.set-2", 1, 550)])
}

fn session_id() -> SessionId {
    SESSION.parse().unwrap()
}

/// The session of [`order`], as Stripe answers it while it is open.
fn open_session() -> Value {
    json!({
        "id": SESSION, "object": "checkout.session", "livemode": false, "mode": "payment", "status": "open",
        "payment_status": "unpaid", "url": "https://checkout.stripe.com/c/pay/cs_test_a1B2#fidkdWxOYHwnPyd1blpx",
        "expires_at": 1_700_002_760, "amount_total": 2550, "currency": "cny", "client_reference_id": ORDER,
        "metadata": {"order_id": ORDER, "made_by": "order-system-for-spin"}, "payment_intent": null,
        "created": 1_700_000_001, "payment_method_types": ["card", "alipay", "wechat_pay"], "unknown": {"later": []},
    })
}

/// Its PaymentIntent.
fn intent(status: &str) -> Value {
    let received = if status == "succeeded" { 2550 } else { 0 };
    json!({
        "id": INTENT, "object": "payment_intent", "status": status, "amount": 2550, "amount_received": received,
        "currency": "cny", "created": 1_700_000_050, "livemode": false,
        "latest_charge": {
            "id": "ch_3Ab", "object": "charge", "status": "succeeded", "paid": true, "created": 1_700_000_060,
            "payment_method_details": {"type": "wechat_pay", "wechat_pay": {}},
        },
    })
}

/// The session with these fields in place of its own.
fn session(changes: &Value) -> Value {
    let mut session = open_session();
    for (name, value) in changes.as_object().unwrap() {
        session[name] = value.clone();
    }
    session
}

fn paid_session() -> Value {
    session(
        &json!({"status": "complete", "payment_status": "paid", "url": null, "payment_intent": intent("succeeded")}),
    )
}
