//! The payment provider of a shop, and the comparison of what it has charged with what is paid.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use harness::observed::{PRICE, Servers, Status};
use harness::{Request, Store, provider};
use stripe_stand_in::{Charged, RefundStatus, Refunded, WebhookDelivery};
use tempfile::TempDir;

use crate::books::{Books, Decision, Order};
use crate::{load, sweep};

/// How long an unpaid order holds its stock: longer than most loads, and each round waits for it.
pub const PAYMENT_WINDOW: Duration = Duration::from_secs(4);

/// The longest time between the ends of a server and of the provider that are both killed.
pub const MAX_APART: Duration = Duration::from_millis(50);

/// Turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// What a provider has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Sessions that were opened.
    pub sessions: usize,
    /// Charges that were made.
    pub charges: usize,
    /// Refunds that were made of charges that did not pay an order.
    pub late: usize,
    /// Refunds that were made of payments.
    pub refunds: usize,
    /// Refunds that have failed.
    pub failed: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, charges, late, refunds, failed } = self;
        write!(f, "what {charges} charges in {sessions} sessions have taken is paid, but for {late} that went back; ")?;
        write!(f, "the provider's {refunds} refunds of payments are on record, and {failed} refunds have failed")
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
        // Buyers can pay a few of what it ends all the same, in the next round.
        self.provider.remote.set_faults(&[load::LIE])?;
        sweep(servers, books)?;
        self.provider.remote.set_faults(&[])?;
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
        self.settle_refunds(rng)?;
        self.repeat_webhooks(servers, books, rng)?;
        sweep(servers, books)?;
        self.retry_refunds(servers, books)?;
        self.wait_for_webhooks(books)?;
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
    pub fn wait_for_webhooks(&self, books: &mut Books) -> Result<()> {
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

    /// Each refund that is pending comes to its end.
    fn settle_refunds(&self, rng: &mut Rng) -> Result<()> {
        for refund in self.provider.remote.refunds()? {
            if refund.status == RefundStatus::Pending {
                self.provider.remote.settle_refund(&refund.id, rng.u32(..4) > 0)?;
            }
        }
        Ok(())
    }

    /// An operator has the refunds made again that have failed and are of charges that did not pay their order.
    fn retry_refunds(&self, servers: &Servers, books: &mut Books) -> Result<()> {
        let (charges, refunds) = (self.provider.remote.charges()?, self.provider.remote.refunds()?);
        for order in &books.orders {
            let Some(id) = order.id.as_deref() else { continue };
            if stay(id, order, &charges, &refunds) > usize::from(order.status == Status::Paid) {
                servers.clients[0].send(&Request::post(format!("/orders/{id}/refunds/retry")).operator())?;
            }
        }
        Ok(())
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
        let mut paid = 0;
        for number in 0..books.orders.len() {
            let order = &books.orders[number];
            let Some(id) = &order.id else { continue };
            let is_paid = order.status == Status::Paid;
            paid += usize::from(is_paid);
            let stay = stay(id, order, &charges, &refunds);
            let of_order: Vec<_> = refunds.iter().filter(|refund| refund.order == order.id).cloned().collect();
            let differs = order.after_sale.compare_with(id, &of_order).err();
            let contradictions = [
                (stay != usize::from(is_paid)).then(|| format!("{order:?} was charged {stay} times")),
                differs.map(|why| format!("{order:?}: {why}")),
            ];
            contradictions.into_iter().flatten().for_each(|what| books.contradiction(what));
        }
        let names: HashSet<_> = books.orders.iter().flat_map(|order| order.after_sale.refund_ids()).collect();
        let is_of_payment =
            |refund: &&Refunded| refund.metadata.get("refund_id").is_some_and(|id| names.contains(&**id));
        let made = refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let (of_payments, late): (Vec<_>, Vec<_>) = made.partition(is_of_payment);
        let back: i64 = late.iter().map(|refund| refund.amount).sum();
        let figures = Figures {
            sessions: sessions.len(),
            charges: charges.len(),
            late: late.len(),
            refunds: of_payments.len(),
            failed: refunds.len() - late.len() - of_payments.len(),
        };
        let taken: i64 = charges.iter().map(|charge| charge.amount).sum();
        let lines = books.orders.iter().filter(|order| order.status == Status::Paid).flat_map(|order| &order.lines);
        let sold: u64 = lines.map(|line| line.quantity * PRICE).sum();
        if taken - back != sold.cast_signed() {
            books.contradiction(format!("{taken} were charged, {back} of it late, for {paid} paid orders of {sold}"));
        }
        for page in std::mem::take(&mut books.paid_on) {
            if !sessions.iter().any(|session| session.url == page && session.paid) {
                books.contradiction(format!("a buyer has paid at {page}, of which the provider knows nothing"));
            }
        }
        self.figures = figures;
        Ok(())
    }
}

/// How many charges stay with an order, but for what operators have given back.
fn stay(id: &str, order: &Order, charges: &[Charged], refunds: &[Refunded]) -> usize {
    let by_operators = |refund: &&Refunded| {
        let name = refund.metadata.get("refund_id");
        name.is_some_and(|name| order.after_sale.refund_ids().any(|id| id == name))
    };
    let stays = |charge: &&Charged| {
        let of_charge = refunds.iter().filter(|refund| refund.charge == charge.id);
        let made = of_charge.filter(|refund| refund.status != RefundStatus::Failed).filter(by_operators);
        charge.refunded - made.map(|refund| refund.amount).sum::<i64>() < charge.amount
    };
    charges.iter().filter(|charge| charge.order.as_deref() == Some(id)).filter(stays).count()
}
