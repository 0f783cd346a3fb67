use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::server::Settings;
use harness::{Answer, Client, Request, Server, Store, Target, fresh, provider};
use records::reconcile::Difference;
use stripe_stand_in::{Rule, SessionInfo, StandIn, WEBHOOK_SECRET, signature};

use crate::audit;

/// Turns a hang into a failure. No test asserts how long anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an item costs.
const PRICE: u64 = 1000;

/// A webhook with this body, signed now.
///
/// # Panics
/// The clock is before 1970.
pub fn signed(body: &[u8]) -> Request {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_secs().cast_signed();
    let signature = signature(&[WEBHOOK_SECRET], now, body);
    Request::post(provider::EVENTS).header("stripe-signature", signature).body("application/json", body)
}

/// A shop with its provider.
pub struct Till {
    /// Where the shop keeps its records.
    pub store: Store,
    /// Where buyers pay.
    pub provider: StandIn,
    /// The shop.
    pub server: Server,
}

impl Till {
    /// A shop of this target with no data yet.
    ///
    /// # Panics
    /// It does not start.
    pub fn open(target: Target) -> Self {
        Self::open_with(target, Settings::default())
    }

    /// The same, with a server that is started like this.
    ///
    /// # Panics
    /// It does not start.
    pub fn open_with(target: Target, settings: Settings) -> Self {
        let provider = provider::start().unwrap_or_else(|error| panic!("{error}"));
        let store = Store::new(target).unwrap_or_else(|error| panic!("{error}"));
        let server = Self::serve(&provider, &store, settings);
        Self { store, provider, server }
    }

    fn serve(provider: &StandIn, store: &Store, settings: Settings) -> Server {
        Server::start_paid_at(provider, store, settings).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Another server on the same store, paid at the same provider.
    pub fn another_server(&self) -> Server {
        Self::serve(&self.provider, &self.store, Settings::default())
    }

    /// Puts the clocks of the shop and of its provider ahead.
    pub fn set_clock_ahead(&self, ahead: Duration) {
        self.server.host.set_clock_ahead(ahead);
        self.provider.set_clock_ahead(ahead);
    }

    /// What the provider does wrong from now on.
    ///
    /// # Panics
    /// There is no such fault.
    pub fn set_faults(&self, rules: &[&str]) {
        let rule = |rule: &&str| rule.parse::<Rule>().unwrap_or_else(|error| panic!("{error}"));
        self.provider.set_faults(rules.iter().map(rule));
    }

    /// A client of the shop.
    pub fn client(&self) -> &Client {
        &self.server.client
    }

    /// Sends a request.
    ///
    /// # Panics
    /// There is no answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.client().send(request).unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Sends a request that has to be answered like this.
    ///
    /// # Panics
    /// It is answered otherwise.
    #[track_caller]
    pub fn must(&self, request: &Request, status: u16, code: &str) -> Answer {
        let answer = self.send(request);
        let told = answer.value()["code"].as_str().unwrap_or_default().to_owned();
        let last = || self.provider.requests().pop();
        assert_eq!((answer.status, told.as_str()), (status, code), "{request:?}: {}; {:?}", answer.value(), last());
        answer
    }

    /// A new item of which there is this much.
    pub fn item(&self, on_hand: u64) -> String {
        let item = fresh("item");
        self.must(&Request::create(&item, PRICE, on_hand), 201, "");
        item
    }

    /// Orders some of an item.
    #[track_caller]
    pub fn place(&self, item: &str, quantity: u64) -> String {
        let placed = self.must(&Request::place(&[(item, quantity)]), 201, "").value();
        placed["order_id"].as_str().unwrap_or_default().to_owned()
    }

    /// A new order of a new item.
    #[track_caller]
    pub fn order(&self) -> String {
        self.place(&self.item(10), 2)
    }

    /// Asks to pay an order. The session in which its buyer can.
    ///
    /// # Panics
    /// It is answered otherwise.
    #[track_caller]
    pub fn sent_to(&self, order: &str) -> String {
        let answer = self.must(&Request::pay(order), 202, "").value();
        assert_eq!(answer["payment"]["status"], "open", "{answer}");
        let url = answer["payment"]["url"].as_str().unwrap_or_default().to_owned();
        let session = self.provider.sessions().into_iter().find(|session| session.url == url);
        session.unwrap_or_else(|| panic!("there is no page {url}")).id
    }

    /// A new order, and the session in which its buyer can pay.
    #[track_caller]
    pub fn at_provider(&self) -> (String, String) {
        let order = self.order();
        let session = self.sent_to(&order);
        (order, session)
    }

    /// The sessions of an order.
    pub fn sessions(&self, order: &str) -> Vec<SessionInfo> {
        let of_order = |session: &SessionInfo| session.order.as_deref() == Some(order);
        self.provider.sessions().into_iter().filter(of_order).collect()
    }

    /// What the provider tells the shop about a session or a refund, signed as it is.
    ///
    /// # Panics
    /// There is no such session or refund.
    #[track_caller]
    pub fn event(&self, kind: &str, session: &str) -> Request {
        let event = self.provider.event(kind, session).unwrap_or_else(|| panic!("there is no session {session}"));
        signed(&event.to_string().into_bytes())
    }

    /// The status of an order.
    #[track_caller]
    pub fn status(&self, order: &str) -> String {
        self.send(&Request::show_order(order)).value()["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an order has this status, which it gets by a webhook.
    ///
    /// # Panics
    /// It never has.
    #[track_caller]
    pub fn becomes(&self, order: &str, status: &str) {
        self.eventually(&format!("{order} is {status}"), || self.status(order) == status);
    }

    /// Waits until this holds.
    ///
    /// # Panics
    /// It never does.
    #[track_caller]
    pub fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "never: {what}; it differs in {:?}", self.audit());
            sleep(Duration::from_millis(20));
        }
    }

    /// What can be sold of an item.
    pub fn available(&self, item: &str) -> u64 {
        self.send(&Request::show_item(item)).value()["available"].as_u64().unwrap_or_default()
    }

    /// The operator sweeps.
    pub fn sweep(&self) {
        self.must(&Request::post("/sweep").operator(), 200, "");
    }

    /// How the shop and its provider differ.
    pub fn audit(&self) -> Vec<Difference> {
        let (charges, refunds, disputes) = (self.provider.charges(), self.provider.refunds(), self.provider.disputes());
        audit(self.store.all(), &charges, &refunds, &disputes)
    }

    /// Waits until the shop and its provider do not differ: webhooks may be on their way.
    ///
    /// # Panics
    /// They go on to differ.
    #[track_caller]
    pub fn agrees(&self) {
        self.eventually("the shop and its provider agree", || self.audit().is_empty());
    }
}
