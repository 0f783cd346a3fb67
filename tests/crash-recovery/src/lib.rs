//! Kills: a server under load, one of several, or the Redis behind them, is killed as `kill -9` does, at random
//! moments, and started again on the same data; or the Redis stays dead, and its replica takes its place. Then
//! everything that clients were told has to be there, once, and nothing else; what they were not told is settled by
//! sending it again.
//!
//! With a payment provider it is killed, too, alone or together with a server. Then what it has charged also has to be
//! what is paid, order by order.
//!
//! Operators give money back, take goods back and send goods meanwhile. What they were told is there too, and what was
//! given back by the records is what the provider has given back, refund by refund.

pub mod after_sale;
pub mod books;
pub mod load;
pub mod redis;
mod till;

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use harness::observed::{Items, Observed, Reply, Servers, Status};
use harness::process::{NEVER, Process, Program, Settings};
use harness::store::{Database, Store};
use harness::{Request, Target};
use serde_json::Value;

use crate::books::{Adjustment, Books, ITEMS, Order, SCARCE, shown};
use crate::redis::Redis;
pub use crate::till::Figures;
use crate::till::Till;

/// The units at first, and again before clients send again what was not answered: then none is refused.
const PLENTY: u64 = 1_000_000;

/// The units of the scarce item when the load begins.
const FEW: i64 = 10;

/// The most answers that clients get while a replica that will be promoted hears nothing more.
const MAX_ANSWERS_APART: usize = 50;

/// More sweeps than there can be anything to do for.
const MAX_SWEEPS: usize = 20;

/// How many times as often as there can be holds of an item it is changed, until what is told of it fits.
const MORE_TURNS: u64 = 8;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// One of the servers.
    Server,
    /// The Redis in which they keep what they were told.
    Redis,
    /// The same, for good: its replica takes its place.
    Primary,
    /// The payment provider.
    Provider,
    /// One of the servers and the payment provider, one soon after the other.
    Both,
}

impl Victim {
    /// What is killed of a shop with a provider, in turn.
    pub const WITH_PROVIDER: [Self; 3] = [Self::Server, Self::Provider, Self::Both];
}

/// A shop's life, as far as clients know it.
pub struct Trial {
    program: Program,
    target: Target,
    store: Store,
    rng: Rng,
    /// Fewer where one could not be started again.
    servers: Vec<Process>,
    /// None where the servers have no Redis.
    redis: Option<Redis>,
    /// Where buyers pay; none where payments are recorded without a provider.
    till: Option<Till>,
    /// What clients were told.
    pub books: Books,
    /// No client asks for orders before this one any more.
    settled: usize,
    /// Makes idempotency keys.
    keys: u64,
}

impl Trial {
    /// This number of servers of one shop with no data yet.
    pub fn new(program: Program, target: Target, servers: usize, seed: u64) -> Result<Self> {
        Self::on(Self::redis_of(target, servers)?, None, program, target, servers, seed)
    }

    /// The same, whose buyers pay at a provider, which is served by `provider`: a program that can serve.
    pub fn with_provider(program: Program, provider: &Path, target: Target, servers: usize, seed: u64) -> Result<Self> {
        let till = Some(Till::start(provider)?);
        Self::on(Self::redis_of(target, servers)?, till, program, target, servers, seed)
    }

    /// The same, on a Redis with a replica. A write counts once this number of replicas has it.
    pub fn with_replica(program: Program, target: Target, servers: usize, needed: usize, seed: u64) -> Result<Self> {
        ensure!(target.has_redis(), "the replica is one of a Redis: choose a target that has one");
        Self::on(Some(Redis::with_replica(needed)?), None, program, target, servers, seed)
    }

    fn redis_of(target: Target, servers: usize) -> Result<Option<Redis>> {
        ensure!(servers == 1 || target.has_redis(), "several servers share a Redis: choose a target that has one");
        target.has_redis().then(Redis::start).transpose()
    }

    fn on(
        redis: Option<Redis>,
        till: Option<Till>,
        program: Program,
        target: Target,
        servers: usize,
        seed: u64,
    ) -> Result<Self> {
        let store = match &redis {
            Some(redis) => Store::in_redis(Database::of(&redis.primary))?,
            None => Store::new(target)?,
        };
        let rng = Rng::with_seed(seed);
        let mut books = Books::new(PLENTY.cast_signed());
        books.with_provider = till.is_some();
        let none = Vec::new();
        let mut trial = Self { program, target, store, rng, servers: none, redis, till, books, settled: 0, keys: 0 };
        for _ in 0..servers {
            trial.servers.push(trial.start()?);
        }
        let servers = trial.clients();
        for item in 0..ITEMS {
            let reply = servers.ask(&servers.items.create(item, PLENTY));
            let is_made = matches!(reply, Some(Reply { code: 201, observed: Observed::Item(_), .. }));
            ensure!(is_made, "no item can be made: {reply:?}");
        }
        trial.lead_webhooks()?;
        Ok(trial)
    }

    /// Starts a server on what is there.
    fn start(&self) -> Result<Process> {
        let variables = self.redis.iter().flat_map(Redis::variables).chain(self.till.iter().flat_map(Till::variables));
        let settings = Settings {
            manifest: &self.target.manifest(),
            state: self.store.folder(),
            payment_window: if self.till.is_some() { till::PAYMENT_WINDOW.as_secs() } else { NEVER },
            variables: variables.chain([harness::patient()]).collect(),
            cache: None,
        };
        Ok(Process::start(&self.program, &settings)?)
    }

    /// All servers, as clients see them.
    fn clients(&self) -> Servers {
        let clients = self.servers.iter().map(|server| server.client().clone()).collect();
        Servers { clients, items: Items::default() }
    }

    /// Puts load on the servers, kills one or their Redis in the middle of that, does `while_down` to its data, starts
    /// it again, settles what is unsure and compares. What does not fit together is in the books.
    pub fn kill(&mut self, victim: Victim, while_down: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.servers.is_empty() {
            return Ok(());
        }
        let servers = self.clients();
        self.leave_few(&servers);
        let provider = self.till.as_ref().map(|till| till.provider.remote.clone());
        let provider = provider.as_ref();
        match (victim, &mut self.redis, &mut self.till) {
            (Victim::Server, ..) => {
                let server = self.servers.swap_remove(self.rng.usize(..self.servers.len()));
                let kill = |_: &dyn Fn(usize)| Ok(server.kill()?);
                load::until_killed(&servers, provider, &mut self.books, &mut self.rng, kill)?;
                while_down(self.store.folder())?;
                if let Some(provider) = provider {
                    load::buyers(provider, &mut self.books, &mut self.rng);
                }
                self.servers.push(self.start()?);
            }
            (Victim::Redis, Some(redis), _) => {
                let kill = |_: &dyn Fn(usize)| {
                    redis.primary.kill();
                    Ok(())
                };
                load::until_killed(&servers, provider, &mut self.books, &mut self.rng, kill)?;
                while_down(redis.primary.folder())?;
                redis.primary.restart()?;
            }
            (Victim::Primary, Some(redis), None) => {
                let apart = self.rng.usize(..=MAX_ANSWERS_APART);
                let fail_over = |wait_for: &dyn Fn(usize)| redis.fail_over(|| wait_for(apart), while_down);
                load::until_killed(&servers, provider, &mut self.books, &mut self.rng, fail_over)?;
            }
            (Victim::Provider, _, Some(till)) => {
                let [dead, after] = [(); 2].map(|()| self.rng.usize(..=MAX_ANSWERS_APART));
                let kill = |wait_for: &dyn Fn(usize)| {
                    till.provider.kill()?;
                    wait_for(dead);
                    while_down(till.provider.folder())?;
                    till.provider.restart()?;
                    till.provider.remote.send_webhooks_to(&servers.clients[0])?;
                    wait_for(after);
                    Ok(())
                };
                load::until_killed(&servers, provider, &mut self.books, &mut self.rng, kill)?;
            }
            (Victim::Both, _, Some(till)) => {
                let server = self.servers.swap_remove(self.rng.usize(..self.servers.len()));
                let [server_first, provider_first_again] = [(); 2].map(|()| self.rng.bool());
                let pause = till::MAX_APART.mul_f64(self.rng.f64());
                let kill = |_: &dyn Fn(usize)| {
                    if server_first {
                        server.kill()?;
                        sleep(pause);
                        Ok(till.provider.kill()?)
                    } else {
                        till.provider.kill()?;
                        sleep(pause);
                        Ok(server.kill()?)
                    }
                };
                load::until_killed(&servers, provider, &mut self.books, &mut self.rng, kill)?;
                while_down(self.store.folder())?;
                if provider_first_again {
                    till.provider.restart()?;
                    load::buyers(&till.provider.remote, &mut self.books, &mut self.rng);
                }
                self.servers.push(self.start()?);
                if !provider_first_again {
                    self.till.as_mut().context("it was killed")?.provider.restart()?;
                }
            }
            (Victim::Redis | Victim::Primary, ..) => bail!("these servers have no such Redis"),
            (Victim::Provider | Victim::Both, ..) => bail!("these servers have no provider"),
        }
        self.lead_webhooks()?;
        if let Some(till) = &self.till {
            till.be_honest()?;
            // It does that after a day, when no request of the day before is under way any more.
            if self.rng.bool() {
                till.wait_for_webhooks(&mut self.books)?;
                till.provider.remote.forget_keys()?;
            }
        }

        let servers = self.clients();
        self.settle(&servers)?;
        self.come_to_rest(&servers)?;
        self.check(&servers, self.settled);
        self.audit()?;
        self.settled = self.books.orders.len().saturating_sub(load::RECENT);
        Ok(())
    }

    /// Sends the provider's webhooks to one of the servers.
    fn lead_webhooks(&mut self) -> Result<()> {
        let Some(till) = &self.till else { return Ok(()) };
        let server = self.rng.choice(&self.servers).context("no server is left")?;
        Ok(till.provider.remote.send_webhooks_to(server.client())?)
    }

    /// Waits until every order is decided, every refund has come to its end and every webhook was taken, and sends once
    /// more what operators asked for: it is done, and is not done again.
    fn come_to_rest(&mut self, servers: &Servers) -> Result<()> {
        if let Some(till) = &mut self.till {
            let orders = self.settled..self.books.orders.len();
            till.come_to_rest(servers, &mut self.books, orders, &mut self.rng)?;
        }
        sweep(servers, &mut self.books)?;
        for asked in std::mem::take(&mut self.books.made) {
            load::ask(servers, &Mutex::new(&mut self.books), asked);
        }
        self.books.made.clear();
        Ok(())
    }

    /// Compares what was charged with what is paid, and what was given back with what is on record.
    fn audit(&mut self) -> Result<()> {
        let Some(till) = &mut self.till else { return Ok(()) };
        till.audit(&self.store, &mut self.books)
    }

    /// What the provider has done until the last comparison; none without a provider.
    pub fn figures(&self) -> Option<Figures> {
        self.till.as_ref().map(|till| till.figures)
    }

    /// Compares once more everything that was ever told.
    pub fn check_all(&mut self) -> Result<()> {
        self.check(&self.clients(), 0);
        self.audit()
    }

    /// Where the servers keep what they were told.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes the scarce item down to a few.
    fn leave_few(&mut self, servers: &Servers) {
        let available =
            shown(&servers.ask(&servers.items.show(SCARCE))).map_or(FEW, |stock| stock.available.cast_signed());
        self.adjust(servers, SCARCE, FEW - available);
    }

    fn adjust(&mut self, servers: &Servers, item: usize, delta: i64) {
        self.keys += 1;
        let adjustment = Adjustment { item, delta, key: format!("runner-{}", self.keys) };
        if delta != 0 {
            let answer = send_adjustment(servers, &adjustment);
            self.books.adjusted(adjustment, &answer);
        }
    }

    /// Sends again what was not answered, and under their keys also the orders that were.
    fn settle(&mut self, servers: &Servers) -> Result<()> {
        // Whether a sweep comes before or after the request that is repeated, makes no difference.
        if self.rng.bool() {
            sweep(servers, &mut self.books)?;
        }
        for adjustment in std::mem::take(&mut self.books.unsure) {
            let answer = send_adjustment(servers, &adjustment);
            self.books.adjusted(adjustment, &answer);
        }
        self.adjust(servers, SCARCE, PLENTY.cast_signed());
        for number in self.settled..self.books.orders.len() {
            for decision in std::mem::take(&mut self.books.orders[number].unsure) {
                let order = &self.books.orders[number];
                let (before, answer) = (order.status, load::decide(servers, order, decision));
                self.books.asked(number, before, decision, &answer);
            }
            let Order { lines, key, .. } = &self.books.orders[number];
            if key.is_some() {
                let answer = servers.ask(&servers.items.place(lines, key.as_deref()));
                self.books.repeated(number, &answer);
            }
        }
        for asked in std::mem::take(&mut self.books.open) {
            load::ask(servers, &Mutex::new(&mut self.books), asked);
        }
        for asked in std::mem::take(&mut self.books.open) {
            self.books.contradiction(format!("{asked:?} is never answered"));
        }
        Ok(())
    }

    /// Compares the orders from this one on, and the stock, with what was told.
    fn check(&mut self, servers: &Servers, from: usize) {
        for number in from..self.books.orders.len() {
            let order = &self.books.orders[number];
            let answer = order.id.as_ref().and_then(|id| servers.answer(&Request::show_order(id)));
            self.books.unchanged(number, &answer.as_ref().map(|answer| servers.items.read(answer)));
            if self.books.orders[number].status == Status::Paid {
                self.books.compare_after_sale(number, &answer);
            }
        }
        let stock = self.cleared_away(servers);
        self.books.compare(&stock);
        self.books.compare_books(&servers.items, &servers.answer(&Request::get("/books").operator()));
    }

    /// The stock, once nothing more is missing of it than was before, or nothing more can be done about it.
    ///
    /// An order that was cut off while it was being refused or cancelled leaves holds that no client can ask for. They
    /// look like those of an order that was cut off while it was placed, which stay, and are gone some changes later:
    /// each change of an item settles two holds, beginning at a random one. So items are changed as often as there can be
    /// holds, and where that does not fit yet, some times more: then hardly any is left that had no turn.
    fn cleared_away(&mut self, servers: &Servers) -> Vec<Option<Reply>> {
        let look = || (0..ITEMS).map(|item| servers.ask(&servers.items.show(item))).collect::<Vec<_>>();
        let mut stock = look();
        let holds = stock.iter().filter_map(shown).map(|stock| stock.reserved).max().unwrap_or(0);
        for (delta, number) in [1, -1].into_iter().cycle().zip(0..holds * MORE_TURNS) {
            let had_turns = number >= holds && self.books.missing(&stock).is_ok();
            if had_turns || self.books.is_nothing_more_missing(&stock) {
                break;
            }
            for item in 0..ITEMS {
                self.adjust(servers, item, delta);
            }
            stock = look();
        }
        stock
    }
}

/// The operator sweeps until nothing is due any more.
fn sweep(servers: &Servers, books: &mut Books) -> Result<()> {
    let mut last = Value::Null;
    for _ in 0..MAX_SWEEPS {
        last = servers.clients[0].send(&Request::post("/sweep").operator())?.value();
        let counts = ["decided_payments", "unanswered", "unfinished_returns"];
        if counts.iter().all(|count| last[*count] == 0) && last["more"] == false {
            return Ok(());
        }
    }
    books.contradiction(format!("sweeps come to no end: {last}"));
    Ok(())
}

fn send_adjustment(servers: &Servers, adjustment: &Adjustment) -> Option<Reply> {
    servers.ask(&servers.items.adjust(adjustment.item, adjustment.delta, Some(&adjustment.key)))
}
