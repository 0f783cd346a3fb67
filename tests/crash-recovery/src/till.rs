//! The payment provider of a shop, and the comparison of what it has charged with what is paid.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use harness::observed::{Servers, Status};
use harness::{Request, Store, provider};
use serde_json::Value;
use stripe_stand_in::{RefundStatus, WebhookDelivery};
use tempfile::TempDir;

use crate::books::{Books, Decision};
use crate::load;

/// How long an unpaid order holds its stock: longer than most loads, and each round waits for it.
pub const PAYMENT_WINDOW: Duration = Duration::from_secs(4);

/// The longest time between the ends of a server and of the provider that are both killed.
pub const MAX_APART: Duration = Duration::from_millis(50);

/// Turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// More sweeps than there can be anything to do for.
const MAX_SWEEPS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// What a provider has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Sessions that were opened.
    pub sessions: usize,
    /// Charges that were made.
    pub charges: usize,
    /// Refunds that were made.
    pub refunds: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, charges, refunds } = self;
        write!(f, "and what {charges} charges in {sessions} sessions have taken, but for {refunds} refunds, is paid")
    }
}

/// A provider that can be killed.
pub struct Till {
    /// Where buyers pay.
    pub provider: provider::Process,
    /// What it had done at the last comparison.
    pub figures: Figures,
    /// The number of its events that were repeated.
    repeated: usize,
    _folder: TempDir,
}

impl Till {
    /// One that has done nothing yet.
    pub fn start(program: &Path) -> Result<Self> {
        let folder = harness::store::folder()?;
        let provider = provider::Process::start(program, folder.path())?;
        Ok(Self { provider, figures: Figures::default(), repeated: 0, _folder: folder })
    }

    /// The variables that tell servers of the shop where it is.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        provider::variables(&self.provider.remote.client().url()).into_iter()
    }

    /// Ends all faults, and delivers what was kept back.
    pub fn be_honest(&self) -> Result<()> {
        self.provider.remote.set_faults(&[])?;
        Ok(self.provider.remote.release_webhooks()?)
    }

    /// Waits until these orders are overdue, has the shop decide them, and says everything to it once more: what was said
    /// in a webhook that was lost, it learns by that. Notes what has become of the orders.
    pub fn come_to_rest(
        &mut self,
        servers: &Servers,
        books: &mut Books,
        orders: Range<usize>,
        rng: &mut Rng,
    ) -> Result<()> {
        sleep(PAYMENT_WINDOW);
        self.wait_for_webhooks(books)?;
        sweep(servers, books)?;
        self.wait_for_webhooks(books)?;
        // Buyers come back.
        for number in orders.clone() {
            let order = &books.orders[number];
            if order.page.is_none() {
                continue;
            }
            let (before, answer) = (order.status, load::decide(servers, order, Decision::Pay));
            books.asked(number, before, Decision::Pay, &answer);
        }
        self.repeat_webhooks(servers, books, rng)?;
        for number in orders {
            let Some(id) = &books.orders[number].id else { continue };
            let answer = servers.ask(&Request::show_order(id));
            books.seen(number, books.orders[number].status, &answer);
            if books.orders[number].status == Status::Pending {
                books.contradiction(format!("{:?} is never decided: {answer:?}", books.orders[number]));
            }
        }
        Ok(())
    }

    /// Waits until no payment is being processed, and each webhook was taken, or lost by a fault.
    fn wait_for_webhooks(&self, books: &mut Books) -> Result<()> {
        let (remote, begun) = (&self.provider.remote, Instant::now());
        loop {
            let processing = remote.sessions()?.into_iter().filter(|session| session.processing).count();
            let events = remote.events()?;
            let pending: Vec<_> = events.iter().filter(|event| event.delivery == WebhookDelivery::Pending).collect();
            if processing == 0 && pending.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                books.contradiction(format!("{processing} payments are not done, and not taken are {pending:?}"));
                return Ok(());
            }
            sleep(PAUSE);
        }
    }

    /// Sends all webhooks of this round once more, in any order.
    fn repeat_webhooks(&mut self, servers: &Servers, books: &mut Books, rng: &mut Rng) -> Result<()> {
        let mut events: Vec<_> = self.provider.remote.events()?.into_iter().skip(self.repeated).collect();
        self.repeated += events.len();
        rng.shuffle(&mut events);
        for event in events {
            let webhook = money::signed(&self.provider.remote.event(&event.id)?);
            let server = rng.choice(&servers.clients).expect("a server is there");
            let answer = server.send(&webhook)?;
            if answer.status != 200 {
                books.contradiction(format!("{event:?} was answered with {}: {}", answer.status, answer.value()));
            }
        }
        Ok(())
    }

    /// Compares what was charged with the records of the shop, with what clients were told, and with what buyers were.
    pub fn audit(&mut self, store: &Store, books: &mut Books) -> Result<()> {
        let remote = &self.provider.remote;
        let (sessions, charges, refunds) = (remote.sessions()?, remote.charges()?, remote.refunds()?);
        for difference in money::audit(store.all(), &charges, &refunds, &[]) {
            books.contradiction(difference.to_string());
        }
        let stay = |order: &str| {
            let of_order = charges.iter().filter(|charge| charge.order.as_deref() == Some(order));
            of_order.filter(|charge| charge.refunded < charge.amount).count()
        };
        let mut paid = 0;
        for number in 0..books.orders.len() {
            let order = &books.orders[number];
            let Some(id) = &order.id else { continue };
            let is_paid = order.status == Status::Paid;
            paid += usize::from(is_paid);
            let stay = stay(id);
            if stay != usize::from(is_paid) {
                books.contradiction(format!("{order:?} was charged {stay} times"));
            }
        }
        let all = charges.iter().filter(|charge| charge.refunded < charge.amount).count();
        if all != paid {
            books.contradiction(format!("{all} charges stay, and clients know of {paid} paid orders"));
        }
        for page in std::mem::take(&mut books.paid_on) {
            if !sessions.iter().any(|session| session.url == page && session.paid) {
                books.contradiction(format!("a buyer has paid at {page}, of which the provider knows nothing"));
            }
        }
        let refunds = refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded).count();
        self.figures = Figures { sessions: sessions.len(), charges: charges.len(), refunds };
        Ok(())
    }
}

/// The operator sweeps until nothing is due any more.
fn sweep(servers: &Servers, books: &mut Books) -> Result<()> {
    let mut last = Value::Null;
    for _ in 0..MAX_SWEEPS {
        last = servers.clients[0].send(&Request::post("/sweep").operator())?.value();
        let idle = ["decided_payments", "unanswered"].iter().all(|count| last[*count] == 0);
        if idle && last["more"] == false {
            return Ok(());
        }
    }
    books.contradiction(format!("sweeps come to no end: {last}"));
    Ok(())
}
