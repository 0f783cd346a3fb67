//! A shop in memory, asked as over HTTP: routes, contract and rules are those that ship. Each answer is held against
//! what is true of every one.

#![deny(missing_docs)]

mod contract;
pub mod stripe;

use std::path::Path;
use std::rc::Rc;
use std::sync::LazyLock;

use api::{Body, Config, Variables, after_sale, inventory, orders, payments, reports, sweep};
use domain::{Settings, Shop};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use memory_store::{FakeEnvironment, MemoryStore, run};
use serde_json::Value;
use stripe_provider::Stripe;

use crate::stripe::FakeStripe;

pub use memory_store::Records;

const TOKEN: &str = "please-let-me-in";

/// The variables of a shop without a payment provider.
static VARIABLES: LazyLock<Variables> = LazyLock::new(|| {
    let variables = variables(&[]);
    assert!(variables.are_sound());
    variables
});

/// Variables of which these have other values than usual.
fn variables(changed: &[(&str, &str)]) -> Variables {
    let value = |name| match changed.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => (*value).to_owned(),
        None => usual(name).to_owned(),
    };
    run(Variables::read(async |name| Ok::<_, String>(value(name))))
}

fn usual(name: &str) -> &'static str {
    match name {
        "operator_token" => TOKEN,
        "payment_window_seconds" => "900",
        "currency" => "CNY",
        "max_per_order" => "",
        // Nothing is removed in passing, at random: a case is to be the same each time.
        "closed_orders_kept_seconds" => "forever",
        "busy_after_milliseconds" => "60000",
        "log" => "requests",
        "allowed_origins" => ORIGIN,
        "stripe_secret_key" | "stripe_webhook_secret" | "stripe_api" | "return_url" => "",
        _ => panic!("there is no variable {name}"),
    }
}

/// The origin whose pages may do what customers do.
pub const ORIGIN: &str = "https://shop.example";

/// A shop and what it has stored.
pub struct World {
    store: MemoryStore,
    environment: FakeEnvironment,
    variables: Variables,
    stripe: FakeStripe,
}

/// An answer, as it came.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// Null where there is no body.
    pub body: Value,
    /// What the owner is told.
    pub log: Option<String>,
}

impl Answer {
    /// Status and, where it is a problem, its code.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// Whether it is said to be the answer to a repeat.
    pub fn replayed(&self) -> bool {
        self.headers.contains_key("idempotent-replayed")
    }
}

impl World {
    /// A shop with these records; chance differs with `seed`.
    pub fn new(records: Records, seed: u64) -> Self {
        let (store, environment) = (MemoryStore::with(records), FakeEnvironment::seeded(seed));
        Self { store, environment, variables: VARIABLES.clone(), stripe: FakeStripe::default() }
    }

    /// A shop with the preset items.
    pub fn preset() -> Self {
        static RECORDS: LazyLock<Records> = LazyLock::new(|| {
            let world = World::new(Records::new(), 0);
            world.get("/inventory");
            world.records()
        });
        Self::new(RECORDS.clone(), 1)
    }

    /// The same shop with these variables.
    pub fn with_variables(self, changed: &[(&str, &str)]) -> Self {
        Self { variables: variables(changed), ..self }
    }

    /// The Stripe that it asks where it has a key.
    pub fn stripe(&self) -> &FakeStripe {
        &self.stripe
    }

    /// What is in its store.
    pub fn records(&self) -> Records {
        self.store.records().clone()
    }

    /// Lets this number of seconds pass.
    pub fn wait(&self, seconds: u64) {
        self.environment.wait(seconds);
    }

    /// Sets the clock, in milliseconds since 1970.
    pub fn set_now(&self, now: u64) {
        self.environment.set_millis(now);
    }

    /// The clock, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.environment.millis()
    }

    /// Sends a GET as a well-behaved operator does.
    pub fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[]))
    }

    /// Sends a POST as a well-behaved operator does.
    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(request(Method::POST, path, body.as_ref()))
    }

    /// The shop behind the contract.
    pub fn open(&self, settings: Settings) -> Shop<MemoryStore, FakeEnvironment> {
        Shop::new(self.store.clone(), self.environment.clone(), settings, Rc::default())
    }

    /// Sends a request on the way that it would take: to the component of its route.
    ///
    /// # Panics
    /// What is true of every answer is not true of this one.
    pub fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let (head, body) = request.into_parts();
        let body = if body.len() > api::MAX_BODY_BYTES { Body::TooLarge } else { Body::Whole(body) };
        self.send_received(Request::from_parts(head, ()), body)
    }

    /// The same, with the body as a shell has received it.
    ///
    /// # Panics
    /// What is true of every answer is not true of this one.
    pub fn send_received(&self, request: Request<()>, body: Body) -> Answer {
        let component = component(request.uri().path());
        let asked = format!("{} {}", request.method(), request.uri());
        let (head, ()) = request.into_parts();
        let key = head.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
        let fields = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        let request = api::Request {
            method: head.method,
            target: head.uri.to_string(),
            headers: fields.collect::<Vec<_>>().into(),
            body,
        };
        let open = async |config: &Config| {
            let stripe = config.stripe.clone();
            let stripe = stripe.map(|stripe| Stripe::new(stripe, self.stripe.clone(), self.environment.clone()));
            Ok(self.open(config.settings.clone()).with_provider::<Stripe<_, _>>(stripe))
        };
        let (environment, variables) = (&self.environment, &self.variables);
        let response = match component {
            "orders" => run(api::respond(request, environment, variables, open, orders::handle)),
            "payments" => run(api::respond(request, environment, variables, open, payments::handle)),
            "inventory" => run(api::respond(request, environment, variables, open, inventory::handle)),
            "reports" => run(api::respond(request, environment, variables, open, reports::handle)),
            "after-sale" => run(api::respond(request, environment, variables, open, after_sale::handle)),
            "sweep" => run(api::respond(request, environment, variables, open, sweep::handle)),
            // Without its files: what they are is no matter of chance. It has no log.
            "console" => api::respond_with_files(request, environment, &[]),
            other => panic!("there is no component {other}"),
        };
        let logged = component != "console";
        assert_eq!(response.line.is_some(), logged, "{asked}");
        // A short key may also be a word.
        let secret =
            [key.as_deref(), Some(TOKEN)].into_iter().flatten().filter(|secret| *secret == TOKEN || secret.len() >= 16);
        for secret in secret {
            assert!(!response.line.as_ref().is_some_and(|line| line.contains(secret)), "{asked}: {:?}", response.line);
        }
        contract::check(&asked, response)
    }
}

/// A request as a well-behaved operator sends it.
///
/// # Panics
/// The path is none.
pub fn request(method: Method, path: &str, body: &[u8]) -> Request<Vec<u8>> {
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a token"));
    request
}

/// The same request under an idempotency key.
pub fn with_key(mut request: Request<Vec<u8>>, key: &str) -> Request<Vec<u8>> {
    let name = HeaderName::from_static("idempotency-key");
    request.headers_mut().append(name, HeaderValue::from_str(key).expect("a key"));
    request
}

/// Which component serves a path, by the routes of spin.toml and with the router that Spin uses.
///
/// # Panics
/// There is none.
pub fn component(path: &str) -> &'static str {
    static ROUTES: LazyLock<routefinder::Router<String>> = LazyLock::new(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).expect("spin.toml").parse().expect("TOML");
        let mut router = routefinder::Router::new();
        for trigger in manifest["trigger"]["http"].as_array().expect("there are routes") {
            let route = trigger["route"].as_str().expect("a route").replace("/...", "/*");
            router.add(route, trigger["component"].as_str().expect("a component").to_owned()).expect("a sound route");
        }
        router
    });
    ROUTES.best_match(path).expect("a route for every path").handler()
}
