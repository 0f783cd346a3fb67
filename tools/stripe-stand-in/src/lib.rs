//! Stands in for Stripe, on one machine and without money: for `cargo run -- --with-provider`, and for tests.
//!
//! It has what the shop uses of Stripe's API: Checkout Sessions with a hosted page, refunds, disputes, payment
//! intents, charges, events, idempotency keys, signed webhooks, and errors in Stripe's shapes. It knows nothing of the shop.
//!
//! It can be hostile: see [`Fault`]. It is no judge of itself: `tests/stripe/run` drives it with Stripe's own client,
//! and holds its traffic against Stripe's published description.
#![deny(missing_docs)]
// An object of Stripe has more members than `json!` counts by itself.
#![recursion_limit = "256"]

mod audit;
mod calls;
mod control;
mod currency;
mod error;
mod faults;
mod form;
mod objects;
mod pages;
mod server;
mod shared;
mod state;
mod webhooks;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use crate::audit::Act;
use crate::shared::{Parts, Shared};
use crate::state::{Cause, DisputeAct, State};

pub use crate::audit::{Charged, Disputed, EventInfo, Refunded, SessionInfo, WebhookDelivery};
pub use crate::error::Error;
pub use crate::faults::{Fault, InvalidRule, Operation, Rule, help as fault_help};
pub use crate::objects::{DisputeStatus, RefundStatus, SessionStatus};
pub use crate::shared::Recorded;
pub use crate::state::BuyerError;
pub use crate::webhooks::{Retries, signature};

/// The secret key that is used where none is given.
pub const SECRET_KEY: &str = "sk_test_stand_in_no_money_moves";
/// The webhook secret that is used where none is given.
pub const WEBHOOK_SECRET: &str = "whsec_stand_in_no_money_moves";

/// How long [`StandIn::kill`] waits for its threads.
const LAST_TASKS: Duration = Duration::from_secs(5);

/// What to serve, and how.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The key that a request has to have.
    pub secret_key: String,
    /// Where webhooks go: `http://host:port/path`. None: they wait until there is an address.
    pub webhook_url: Option<String>,
    /// What webhooks are signed with: one secret, or two while one is rolled.
    pub webhook_secrets: Vec<String>,
    /// The file in which all that was done outlives this process. None: it is in memory.
    pub state: Option<PathBuf>,
    /// The file to which each request of the API and its answer is added, as a line of JSON.
    pub record: Option<PathBuf>,
    /// The faults from the beginning.
    pub faults: Vec<Rule>,
    /// How far the clock is ahead of the machine's.
    pub clock_ahead: Duration,
    /// After how long a payment that a person makes "later" on the page comes to an end by itself.
    pub settle_after: Duration,
    /// When webhooks are sent again.
    pub retries: Retries,
    /// Print a line for each request and each webhook.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            secret_key: SECRET_KEY.to_owned(),
            webhook_url: None,
            webhook_secrets: vec![WEBHOOK_SECRET.to_owned()],
            state: None,
            record: None,
            faults: Vec::new(),
            clock_ahead: Duration::ZERO,
            settle_after: Duration::from_secs(10),
            retries: Retries::default(),
            verbose: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without keys and secrets.
        let Self { listen, webhook_url, state, faults, .. } = self;
        let mut options = f.debug_struct("Options");
        options.field("listen", listen).field("webhook_url", webhook_url).field("state", state).field("faults", faults);
        options.finish_non_exhaustive()
    }
}

/// A stand-in that is running. It has its own threads. Dropping it ends it at once, as `kill -9` would: requests are
/// cut off, and what was not on file is lost.
pub struct StandIn {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The address of webhooks.
pub(crate) fn webhook_address(text: &str) -> Result<Url, Error> {
    let refused = |reason: String| Error::Option(format!("webhooks cannot go to `{text}`: {reason}"));
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if url.scheme() != "http" || !url.has_host() {
        return Err(refused("it must be http://host:port/path".to_owned()));
    }
    Ok(url)
}

impl StandIn {
    /// Starts it.
    ///
    /// # Errors
    /// Says in one line why it cannot start.
    pub fn start(options: Options) -> Result<Self, Error> {
        if !options.secret_key.starts_with("sk_test_") {
            let reason = "the stand-in's key must begin with sk_test_, so that no live key comes here";
            return Err(Error::Option(reason.to_owned()));
        }
        let url = options.webhook_url.as_deref().map(webhook_address).transpose()?;
        let listen = |reason: io::Error| Error::Listen { address: options.listen, reason };
        let listener = std::net::TcpListener::bind(options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let mut state = State::open(options.state.as_deref())?;
        let base = format!("http://{address}");
        state.base = base.clone();
        state.faults.0 = options.faults;
        let record = options.record.map(|path| {
            let opened = OpenOptions::new().create(true).append(true).open(&path);
            opened.map_err(|error| Error::File { path, reason: error.to_string() })
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("stripe-stand-in")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let (outbox, posted) = tokio::sync::mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(Parts {
            state,
            webhook_url: url,
            webhook_secrets: options.webhook_secrets,
            outbox,
            record: record.transpose()?,
            secret_key: options.secret_key,
            base,
            retries: options.retries,
            settle_after: options.settle_after,
            verbose: options.verbose,
        }));
        shared.set_ahead(options.clock_ahead);
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listen)?
        };
        runtime.spawn(webhooks::courier(shared.clone(), posted));
        // What was not delivered before this start.
        shared.post_undelivered();
        runtime.spawn(server::tick(shared.clone()));
        runtime.spawn(server::serve(shared.clone(), listener));
        Ok(Self { runtime: Some(runtime), shared, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base of the API: `http://127.0.0.1:12111`.
    pub fn url(&self) -> String {
        self.shared.base.clone()
    }

    /// Sets where webhooks go. Those that were not taken yet go there, too.
    ///
    /// # Errors
    /// It is no address of the form `http://host:port/path`.
    pub fn set_webhook_url(&self, url: Option<&str>) -> Result<(), Error> {
        self.shared.set_webhook_url(url.map(webhook_address).transpose()?);
        Ok(())
    }

    /// Sets what webhooks are signed with.
    pub fn set_webhook_secrets(&self, secrets: &[&str]) {
        self.shared.set_webhook_secrets(secrets.iter().map(|secret| (*secret).to_owned()).collect());
    }

    /// Sets the faults, in place of those that are in force.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Rule>) {
        let faults = faults.into_iter().collect();
        _ = self.shared.change(|state, _| state.faults.0 = faults);
    }

    /// Adds a fault to those that are in force.
    pub fn add_fault(&self, fault: impl Into<Rule>) {
        _ = self.shared.change(|state, _| state.faults.0.push(fault.into()));
    }

    /// Sets how far the clock is ahead of the machine's. Webhooks are signed by this clock, too.
    pub fn set_clock_ahead(&self, ahead: Duration) {
        self.shared.set_ahead(ahead);
    }

    /// The buyer pays by card.
    ///
    /// # Errors
    /// The session is not open.
    pub fn pay(&self, session: &str) -> Result<(), BuyerError> {
        self.pay_by(session, calls::METHODS[0])
    }

    /// The buyer pays by this means: `card`, `alipay` or `wechat_pay`.
    ///
    /// # Errors
    /// The session is not open.
    pub fn pay_by(&self, session: &str, method: &str) -> Result<(), BuyerError> {
        self.act(session, Act::Pay(method.to_owned()))
    }

    /// The buyer tries to pay, and the bank declines it.
    ///
    /// # Errors
    /// The session is not open.
    pub fn decline(&self, session: &str) -> Result<(), BuyerError> {
        self.act(session, Act::Decline(calls::METHODS[0].to_owned()))
    }

    /// The buyer pays by a means that takes a while: until [`Self::settle`].
    ///
    /// # Errors
    /// The session is not open.
    pub fn pay_later(&self, session: &str) -> Result<(), BuyerError> {
        self.act(session, Act::PayLater(calls::METHODS[1].to_owned(), None))
    }

    /// The payment that was processing arrives, or fails.
    ///
    /// # Errors
    /// Nothing is processing.
    pub fn settle(&self, session: &str, succeeds: bool) -> Result<(), BuyerError> {
        self.act(session, Act::Settle(succeeds))
    }

    /// The buyer leaves without paying, which changes nothing. Where the shop wants the buyer then, if it said so.
    pub fn leave(&self, session: &str) -> Option<String> {
        self.shared.read(|state| state.sessions.get(session)?.cancel_page())
    }

    /// The merchant ends a session, at Stripe and not through the shop.
    ///
    /// # Errors
    /// The session is not open.
    pub fn close(&self, session: &str) -> Result<(), BuyerError> {
        self.act(session, Act::Close)
    }

    /// A pending refund comes to an end, or one that had succeeded fails after all.
    ///
    /// # Errors
    /// It has failed before, or there is nothing to change.
    pub fn settle_refund(&self, refund: &str, succeeds: bool) -> Result<(), BuyerError> {
        self.act(refund, Act::SettleRefund(succeeds))
    }

    /// The buyer disputes the charge of a session at the bank: this amount of it, in minor units, or what is not disputed
    /// yet. The money is withdrawn, unless the bank only inquires. Disputes that were not won, and inquiries that did not
    /// come to nothing, are no more than the charge; what was refunded is not counted. Answers with the dispute's id.
    ///
    /// # Errors
    /// The session has no charge, or there is not so much of it to dispute.
    pub fn dispute(&self, session: &str, amount: Option<u64>, inquiry: bool) -> Result<String, BuyerError> {
        self.transact(|state, now| state.dispute(session, amount, inquiry, now))
    }

    /// The merchant answers a dispute or an inquiry, which the bank then reviews.
    ///
    /// # Errors
    /// It does not wait for an answer.
    pub fn answer_dispute(&self, dispute: &str) -> Result<(), BuyerError> {
        self.act(dispute, Act::Dispute(DisputeAct::Answer))
    }

    /// An inquiry becomes a formal dispute, and the money is withdrawn.
    ///
    /// # Errors
    /// It is no inquiry, or a closed one: a charge that is refunded whole closes its inquiries.
    pub fn escalate_dispute(&self, dispute: &str) -> Result<(), BuyerError> {
        self.act(dispute, Act::Dispute(DisputeAct::Escalate))
    }

    /// The bank decides: for the merchant, who gets the money back, or for the buyer. An inquiry that is won is closed. A
    /// dispute that was lost can still be won.
    ///
    /// # Errors
    /// It is closed in another way; or it is an inquiry, which cannot be lost before it is escalated.
    pub fn close_dispute(&self, dispute: &str, won: bool) -> Result<(), BuyerError> {
        self.act(dispute, Act::Dispute(if won { DisputeAct::Win } else { DisputeAct::Lose }))
    }

    /// The buyer is given the money before the dispute goes any further, as Visa's rapid dispute resolution does.
    ///
    /// # Errors
    /// It was answered, or is closed.
    pub fn prevent_dispute(&self, dispute: &str) -> Result<(), BuyerError> {
        self.act(dispute, Act::Dispute(DisputeAct::Prevent))
    }

    fn act(&self, id: &str, act: Act) -> Result<(), BuyerError> {
        self.transact(|state, now| act.perform(state, id, now))
    }

    /// What an act causes is delivered when this ends where a fault says so.
    fn transact<T>(&self, act: impl FnOnce(&mut State, i64) -> Result<T, BuyerError>) -> Result<T, BuyerError> {
        let changed = self.shared.transact(act);
        let (result, early) = changed.map_err(|error| BuyerError::File(error.to_string()))?;
        if !early.is_empty() {
            let shared = self.shared.clone();
            self.wait(async move { webhooks::send_early(&shared, early).await });
        }
        result
    }

    /// Forgets all idempotency keys, as Stripe does after 24 hours.
    pub fn forget_keys(&self) {
        _ = self.shared.change(|state, _| state.forget_keys());
    }

    /// Delivers the webhooks that were kept back.
    pub fn release_webhooks(&self) {
        _ = self.shared.change(|state, _| state.release());
    }

    /// Sends this body to the address of webhooks with this value of `Stripe-Signature`, and answers with the status:
    /// for webhooks that Stripe would never send. See [`signature`] and [`Self::event`].
    ///
    /// # Errors
    /// There is no address, or no answer.
    pub fn send_webhook(&self, body: &[u8], signature: Option<&str>) -> io::Result<u16> {
        let url = self.shared.webhook_url().borrow().clone();
        let url = url.ok_or_else(|| io::Error::other("there is no address for webhooks"))?;
        let (body, signature) = (Bytes::copy_from_slice(body), signature.map(str::to_owned));
        self.wait(async move { webhooks::send(&url, body, signature).await })
            .unwrap_or_else(|| Err(io::Error::other("the stand-in has ended")))
    }

    /// An event of this type about a session, a refund or a dispute as it is now, in Stripe's shape. It is not kept and not sent.
    pub fn event(&self, kind: &str, about: &str) -> Option<Value> {
        let object = self.shared.read(|state| {
            let session = state.sessions.get(about).map(|session| state.session_json(session));
            let refund = || state.refunds.get(about).map(|refund| refund.json());
            let dispute = || state.disputes.get(about).map(|dispute| state.dispute_json(dispute));
            session.or_else(refund).or_else(dispute)
        })?;
        let id = state::new_id("evt_1", 23);
        Some(state::event_json(&id, kind, object, self.shared.now(), &Cause::default()))
    }

    /// What buyers were charged, the oldest first. Attempts that were declined are not among it.
    pub fn charges(&self) -> Vec<Charged> {
        self.shared.read(audit::charges)
    }

    /// All refunds, the oldest first.
    pub fn refunds(&self) -> Vec<Refunded> {
        self.shared.read(audit::refunds)
    }

    /// All disputes, the oldest first.
    pub fn disputes(&self) -> Vec<Disputed> {
        self.shared.read(audit::disputes)
    }

    /// All sessions, the oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.shared.read(audit::sessions)
    }

    /// All events, the oldest first.
    pub fn events(&self) -> Vec<EventInfo> {
        self.shared.read(audit::events)
    }

    /// The latest 1,000 requests of the API, with their answers. All are in the record.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests()
    }

    /// Ends it as `kill -9` would, and waits until it is gone and its port is free. Blocks.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A thread of its own may wait even where the caller is a task.
            _ = std::thread::spawn(move || runtime.shutdown_timeout(LAST_TASKS)).join();
        }
    }

    /// Runs this on the threads of the stand-in, and waits for it. Blocks.
    fn wait<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, wait) = mpsc::channel();
        self.runtime.as_ref()?.spawn(async move { _ = done.send(task.await) });
        wait.recv().ok()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
