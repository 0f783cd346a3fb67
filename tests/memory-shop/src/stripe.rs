//! A Stripe in memory: as much of it as a shop asks for, and what is to go wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use stripe_provider::{Method, Request, Response, Transport, TransportError};

/// A key that no one is to see.
pub const KEY: &str = "sk_test_51HiddenHiddenHidden";
/// The secret of its webhooks.
pub const SECRET: &str = "whsec_HiddenHiddenHiddenHidden";

/// The variables of a shop that asks it.
pub const VARIABLES: [(&str, &str); 3] =
    [("stripe_secret_key", KEY), ("stripe_webhook_secret", SECRET), ("return_url", "https://shop.example/console/")];

/// What has become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// The buyer can pay.
    Open,
    /// The buyer has paid by a means that takes a while.
    Processing,
    /// The buyer was charged this much more than the order costs.
    Paid(u64),
    /// It has ended without a charge.
    Expired,
    /// It is not known any more.
    Lost,
}

/// How requests to it end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// As they should.
    #[default]
    Well,
    /// It does not answer.
    Silent,
    /// It does not accept the key.
    Locked,
    /// It answers with something else.
    Mad,
}

#[derive(Debug, Clone)]
struct Session {
    order: String,
    total: u64,
    became: Became,
}

#[derive(Debug, Default)]
struct World {
    sessions: BTreeMap<String, Session>,
    mood: Mood,
    asked: usize,
}

/// A Stripe. Clones of it are one.
#[derive(Debug, Clone, Default)]
pub struct FakeStripe(Rc<RefCell<World>>);

impl FakeStripe {
    /// Lets requests end like this from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.0.borrow_mut().mood = mood;
    }

    /// How many requests it has had.
    pub fn asked(&self) -> usize {
        self.0.borrow().asked
    }

    /// The sessions that were opened for an order.
    pub fn sessions_of(&self, order: &str) -> Vec<String> {
        let world = self.0.borrow();
        world.sessions.iter().filter(|(_, session)| session.order == order).map(|(id, _)| id.clone()).collect()
    }

    /// Lets the last session of an order become this.
    ///
    /// # Panics
    /// None was opened.
    pub fn set(&self, order: &str, became: Became) {
        let mut world = self.0.borrow_mut();
        let session = world.sessions.values_mut().rfind(|session| session.order == order);
        session.expect("a session was opened").became = became;
    }
}

impl World {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let path = request.url.strip_prefix("https://api.stripe.com/v1/").expect("Stripe is asked");
        let path = path.split('?').next().unwrap_or_default();
        let names: Vec<_> = path.split('/').collect();
        match (request.method, &names[..]) {
            (Method::Post, ["checkout", "sessions"]) => {
                let form: BTreeMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
                let field = |name: &str| form[name].parse::<u64>().expect("a number");
                let total = (0..).map_while(|line| {
                    form.contains_key(&format!("line_items[{line}][quantity]")).then(|| {
                        field(&format!("line_items[{line}][quantity]"))
                            * field(&format!("line_items[{line}][price_data][unit_amount]"))
                    })
                });
                let session =
                    Session { order: form["client_reference_id"].clone(), total: total.sum(), became: Became::Open };
                let id = format!("cs_test_{}", self.sessions.len());
                let shown = show(&id, &session);
                self.sessions.insert(id, session);
                (200, shown)
            }
            (method, ["checkout", "sessions", id, rest @ ..]) => {
                let known = self.sessions.get_mut(*id).filter(|session| session.became != Became::Lost);
                let Some(session) = known else {
                    return (404, error("resource_missing"));
                };
                if method == Method::Post && rest == ["expire"] {
                    if session.became != Became::Open {
                        return (400, error("resource_missing"));
                    }
                    session.became = Became::Expired;
                }
                (200, show(id, session))
            }
            (Method::Post, ["refunds"]) => (400, error("charge_disputed")),
            (Method::Get, ["refunds"]) => (200, json!({"object": "list", "data": [], "has_more": false})),
            other => panic!("nothing is asked at {other:?}"),
        }
    }
}

fn error(code: &str) -> Value {
    json!({"error": {"type": "invalid_request_error", "code": code, "message": format!("{KEY} is not told")}})
}

fn show(id: &str, session: &Session) -> Value {
    let (status, payment_status, intent) = match session.became {
        Became::Open => ("open", "unpaid", None),
        Became::Processing => ("complete", "unpaid", Some("processing")),
        Became::Paid(_) => ("complete", "paid", Some("succeeded")),
        Became::Expired | Became::Lost => ("expired", "unpaid", None),
    };
    let total = session.total + if let Became::Paid(more) = session.became { more } else { 0 };
    let intent = intent.map(|status| {
        json!({
            "id": id.replace("cs_test", "pi"), "object": "payment_intent", "status": status, "amount_received": total,
            "currency": "cny", "created": 1_700_000_050, "latest_charge": null
        })
    });
    json!({
        "id": id, "object": "checkout.session", "livemode": false, "mode": "payment", "status": status,
        "payment_status": payment_status, "url": (status == "open").then(|| format!("https://checkout.stripe.com/{id}")),
        "expires_at": 1_700_002_760, "amount_total": total, "currency": "cny", "client_reference_id": session.order,
        "payment_intent": intent,
    })
}

impl Transport for FakeStripe {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut world = self.0.borrow_mut();
        world.asked += 1;
        let (status, body) = match world.mood {
            Mood::Well => world.answer(&request),
            Mood::Silent => return Err(TransportError::NoAnswer("the connection broke".to_owned())),
            Mood::Locked => (401, error("api_key_expired")),
            Mood::Mad => (200, json!({"object": "teapot", "key": KEY})),
        };
        Ok(Response { status, headers: Vec::new(), body: body.to_string().into_bytes() })
    }
}

/// An event about a session of an order.
pub fn event(order: &str, session: &str) -> String {
    json!({
        "id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": false,
        "data": { "object": {
            "id": session, "object": "checkout.session", "client_reference_id": order,
            "metadata": { "order_id": order, "made_by": "order-system-for-spin" }
        } }
    })
    .to_string()
}

/// The signature of a body at a moment, in milliseconds since 1970.
pub fn signature(secret: &str, body: &[u8], millis: u64) -> String {
    let seconds = millis / 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={digits}")
}
