//! Kills: a server under load, one of several, or the Redis behind them, is killed as `kill -9` does, at random moments,
//! and started again on the same data; or the Redis stays dead, and its replica takes its place. Then everything that clients were told has to be there, once, and nothing else;
//! what they were not told is settled by sending it again.

pub mod books;
pub mod client;
pub mod load;
pub mod redis;
pub mod server;

use std::path::Path;

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use tempfile::TempDir;

use crate::books::{Adjustment, Books, ITEMS, Order, SCARCE, Stock};
use crate::client::{Answer, Client};
use crate::redis::Redis;
use crate::server::{Program, Server};

/// So many are there at first, and again before clients send again what was not answered: then nobody is refused.
const PLENTY: u64 = 1_000_000;

/// So many of the scarce item are there when the load begins.
const FEW: i64 = 10;

/// A replica that will be promoted hears nothing more while clients get so many answers at most.
const MAX_ANSWERS_APART: usize = 50;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// One of the servers.
    Server,
    /// The Redis in which they keep what they were told.
    Redis,
    /// The same, for good: its replica takes its place.
    Primary,
}

/// A shop's life, as far as clients know it.
pub struct Trial {
    program: Program,
    state: TempDir,
    rng: Rng,
    /// Fewer where one could not be started again.
    servers: Vec<Server>,
    /// None where the servers have no Redis.
    redis: Option<Redis>,
    /// What clients were told.
    pub books: Books,
    /// Nobody asks for orders before this one any more.
    settled: usize,
    /// Makes idempotency keys.
    keys: u64,
}

impl Trial {
    /// So many servers of one shop with no data yet.
    ///
    /// # Errors
    /// Says why they cannot be started.
    pub fn new(program: Program, servers: usize, seed: u64) -> Result<Self> {
        ensure!(servers == 1 || program.has_redis(), "several servers share a Redis: choose a target that has one");
        let redis = program.has_redis().then(Redis::start).transpose()?;
        Self::on(redis, program, servers, seed)
    }

    /// The same, on a Redis with a replica. A write counts once so many replicas have it.
    ///
    /// # Errors
    /// Says why they cannot be started.
    pub fn with_replica(program: Program, servers: usize, needed: usize, seed: u64) -> Result<Self> {
        ensure!(program.has_redis(), "the replica is one of a Redis: choose a target that has one");
        Self::on(Some(Redis::with_replica(needed)?), program, servers, seed)
    }

    fn on(redis: Option<Redis>, program: Program, servers: usize, seed: u64) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let servers = (0..servers).map(|_| Server::start(&program, state.path(), redis.as_ref()));
        let servers = servers.collect::<Result<Vec<_>>>()?;
        let client = client(&servers);
        for item in 0..ITEMS.len() {
            let answer = client.create(item, PLENTY);
            ensure!(matches!(answer, Some((201, _))), "no item can be made: {answer:?}");
        }
        let books = Books::new(PLENTY.cast_signed());
        let rng = Rng::with_seed(seed);
        Ok(Self { program, state, rng, servers, redis, books, settled: 0, keys: 0 })
    }

    /// Puts load on the servers, kills one or their Redis in the middle of that, does `while_down` to its data, starts it
    /// again, settles what is unsure and compares.
    ///
    /// # Errors
    /// Says why something cannot be started or killed. What does not fit together is in the books.
    pub fn kill(&mut self, victim: Victim, while_down: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        if self.servers.is_empty() {
            return Ok(());
        }
        let client = client(&self.servers);
        self.leave_few(&client);
        match (victim, &mut self.redis) {
            (Victim::Server, redis) => {
                let server = self.servers.swap_remove(self.rng.usize(..self.servers.len()));
                load::until_killed(&client, &mut self.books, &mut self.rng, |_| server.kill())?;
                while_down(self.state.path())?;
                self.servers.push(Server::start(&self.program, self.state.path(), redis.as_ref())?);
            }
            (Victim::Redis, Some(redis)) => {
                let kill = |_: &dyn Fn(usize)| {
                    redis.primary.kill();
                    Ok(())
                };
                load::until_killed(&client, &mut self.books, &mut self.rng, kill)?;
                while_down(redis.primary.folder())?;
                redis.primary.restart()?;
            }
            (Victim::Primary, Some(redis)) => {
                let apart = self.rng.usize(..=MAX_ANSWERS_APART);
                let fail_over = |wait_for: &dyn Fn(usize)| redis.fail_over(|| wait_for(apart), while_down);
                load::until_killed(&client, &mut self.books, &mut self.rng, fail_over)?;
            }
            (Victim::Redis | Victim::Primary, None) => bail!("these servers have no Redis"),
        }

        let client = self::client(&self.servers);
        self.settle(&client);
        self.check(&client, self.settled);
        self.settled = self.books.orders.len().saturating_sub(load::RECENT);
        Ok(())
    }

    /// Compares once more everything that was ever told.
    pub fn check_all(&mut self) {
        self.check(&client(&self.servers), 0);
    }

    /// Takes the scarce item down to a few.
    fn leave_few(&mut self, client: &Client) {
        let available = Stock::shown(&client.show_item(SCARCE)).map_or(FEW, |stock| stock.available);
        self.adjust(client, SCARCE, FEW - available);
    }

    fn adjust(&mut self, client: &Client, item: usize, delta: i64) {
        self.keys += 1;
        let adjustment = Adjustment { item, delta, key: format!("runner-{}", self.keys) };
        if delta != 0 {
            let answer = client.adjust(adjustment.item, adjustment.delta, &adjustment.key);
            self.books.adjusted(adjustment, &answer);
        }
    }

    /// Sends again what was not answered, and under their keys also the orders that were.
    fn settle(&mut self, client: &Client) {
        for adjustment in std::mem::take(&mut self.books.unsure) {
            let answer = client.adjust(adjustment.item, adjustment.delta, &adjustment.key);
            self.books.adjusted(adjustment, &answer);
        }
        self.adjust(client, SCARCE, PLENTY.cast_signed());
        for number in self.settled..self.books.orders.len() {
            for decision in std::mem::take(&mut self.books.orders[number].unsure) {
                let answer = load::decide(client, &self.books.orders[number], decision);
                self.books.decided(number, decision, &answer);
            }
            let Order { lines, key, .. } = &self.books.orders[number];
            if key.is_some() {
                let answer = client.place(lines, key.as_deref());
                self.books.repeated(number, &answer);
            }
        }
    }

    /// Compares the orders from this one on, and the stock, with what was told.
    fn check(&mut self, client: &Client, from: usize) {
        for number in from..self.books.orders.len() {
            let answer = self.books.orders[number].id.as_ref().and_then(|id| client.show_order(id));
            self.books.unchanged(number, &answer);
        }
        let stock = self.cleared_away(client);
        self.books.compare(&stock);
    }

    /// The stock, once nothing more is missing of it than was before, or nothing more can be done about it.
    ///
    /// An order that was cut off while it was being refused or cancelled leaves holds that no client can ask for. They
    /// look like those of an order that was cut off while it was placed, which stay, and are gone some changes later:
    /// each change of an item settles two holds, whose turn it is. So items are changed until none can be left that had
    /// no turn.
    fn cleared_away(&mut self, client: &Client) -> Vec<Answer> {
        let look = || (0..ITEMS.len()).map(|item| client.show_item(item)).collect::<Vec<_>>();
        let mut stock = look();
        let holds = stock.iter().filter_map(Stock::shown).map(|stock| stock.reserved).max().unwrap_or(0);
        for delta in [1, -1].into_iter().cycle().zip(0..holds).map(|(delta, _)| delta) {
            if self.books.is_nothing_more_missing(&stock) {
                break;
            }
            for item in 0..ITEMS.len() {
                self.adjust(client, item, delta);
            }
            stock = look();
        }
        stock
    }
}

/// A client of all these servers.
fn client(servers: &[Server]) -> Client {
    Client::new(servers.iter().map(Server::url).collect())
}
