//! Kills: a server under load is killed as `kill -9` does, at random moments, and started again on the same data. Then
//! everything that clients were told has to be there, once, and nothing else; what they were not told is settled by
//! sending it again.

pub mod books;
pub mod client;
pub mod load;
pub mod server;

use std::path::Path;

use anyhow::{Result, ensure};
use fastrand::Rng;
use tempfile::TempDir;

use crate::books::{Adjustment, Books, ITEMS, Order, SCARCE};
use crate::client::Client;
use crate::server::{Program, Server};

/// So many are there at first, and again before clients send again what was not answered: then nobody is refused.
const PLENTY: u64 = 1_000_000;

/// So many of the scarce item are there when the load begins.
const FEW: i64 = 10;

/// A server's life, as far as clients know it.
pub struct Trial {
    program: Program,
    state: TempDir,
    rng: Rng,
    /// None where it could not be started again.
    server: Option<Server>,
    /// What clients were told.
    pub books: Books,
    /// Nobody asks for orders before this one any more.
    settled: usize,
    /// Makes idempotency keys.
    keys: u64,
}

impl Trial {
    /// A server with no data yet.
    ///
    /// # Errors
    /// Says why it cannot be started.
    pub fn new(program: Program, seed: u64) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let server = Server::start(&program, state.path())?;
        let client = server.client();
        for item in 0..ITEMS.len() {
            let answer = client.create(item, PLENTY);
            ensure!(matches!(answer, Some((201, _))), "no item can be made: {answer:?}");
        }
        let books = Books::new(PLENTY.cast_signed());
        Ok(Self { program, state, rng: Rng::with_seed(seed), server: Some(server), books, settled: 0, keys: 0 })
    }

    /// Puts load on the server, kills it in the middle of that, does `while_down` to its data, starts it again, settles
    /// what is unsure and compares.
    ///
    /// # Errors
    /// Says why the server cannot be started or killed. What does not fit together is in the books.
    pub fn kill(&mut self, while_down: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let client = server.client();
        self.leave_few(&client);
        load::until_killed(&client, &mut self.books, &mut self.rng, || server.kill())?;
        while_down(self.state.path())?;

        let server = self.server.insert(Server::start(&self.program, self.state.path())?);
        let client = server.client();
        self.settle(&client);
        self.check(&client, self.settled);
        self.settled = self.books.orders.len().saturating_sub(load::RECENT);
        Ok(())
    }

    /// Compares once more everything that was ever told.
    pub fn check_all(&mut self) {
        if let Some(client) = self.server.as_ref().map(Server::client) {
            self.check(&client, 0);
        }
    }

    /// Takes the scarce item down to a few.
    fn leave_few(&mut self, client: &Client) {
        let available = client.show_item(SCARCE).and_then(|(_, item)| item["available"].as_i64());
        self.adjust(client, FEW - available.unwrap_or(FEW));
    }

    fn adjust(&mut self, client: &Client, delta: i64) {
        self.keys += 1;
        let adjustment = Adjustment { item: SCARCE, delta, key: format!("runner-{}", self.keys) };
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
        self.adjust(client, PLENTY.cast_signed());
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
        let stock: Vec<_> = (0..ITEMS.len()).map(|item| client.show_item(item)).collect();
        self.books.compare(&stock);
    }
}
