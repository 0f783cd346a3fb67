//! Clients that keep a server busy until it is gone, and note what they are told.

use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use harness::Request;
use harness::observed::{Line, Reply, Servers};

use crate::books::{Adjustment, Books, Decision, ITEMS, Order, SCARCE};

const CLIENTS: usize = 8;
const MAX_LINES: usize = 3;
const MAX_PER_LINE: u64 = 3;

/// Clients ask for one of this number of the latest orders.
pub const RECENT: usize = 100;

/// The server is killed after at most this number of answers and a random time, so that it is not always between two.
const MAX_ANSWERS: usize = 250;
const MAX_DELAY: Duration = Duration::from_millis(5);

/// Lets clients loose on the server, and kills it at a random moment. Each of them stops when it is not answered.
/// How many more answers `kill` can wait for, or until no client is left.
pub fn until_killed(
    servers: &Servers,
    books: &mut Books,
    rng: &mut Rng,
    kill: impl FnOnce(&dyn Fn(usize)) -> Result<()>,
) -> Result<()> {
    let books = Mutex::new(books);
    let (answered, answers) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (books, mut rng, answered) = (&books, rng.fork(), answered.clone());
            scope.spawn(move || while request(servers, books, &mut rng) && answered.send(()).is_ok() {});
        }
        // Once no client is left, there is nothing to wait for.
        drop(answered);
        let wait_for = |count| answers.iter().take(count).for_each(drop);
        wait_for(rng.usize(1..=MAX_ANSWERS));
        sleep(MAX_DELAY.mul_f64(rng.f64()));
        let killed = kill(&wait_for);
        // A client that goes on all the same, since the server could not be killed, is not heard any more.
        drop(answers);
        killed
    })
}

/// Sends a decision about an order that was placed.
pub fn decide(servers: &Servers, order: &Order, decision: Decision) -> Option<Reply> {
    let id = order.id.as_deref()?;
    match decision {
        Decision::Pay => servers.ask(&Request::pay(id)),
        Decision::Cancel => servers.ask(&Request::cancel(id)),
    }
}

/// Makes one request, whichever comes to mind; false if it was not answered.
fn request(servers: &Servers, books: &Mutex<&mut Books>, rng: &mut Rng) -> bool {
    let key = format!("client-{:016x}", rng.u64(..));
    let recent = recent(&lock(books), rng);
    let answer = match (rng.u32(..100), recent) {
        (40..60, Some((number, order))) => {
            let decision = if rng.bool() { Decision::Pay } else { Decision::Cancel };
            let answer = decide(servers, &order, decision);
            lock(books).decided(number, decision, &answer);
            answer
        }
        (60..75, Some((number, order))) => {
            let answer = order.id.as_deref().and_then(|id| servers.ask(&Request::show_order(id)));
            lock(books).seen(number, order.status, &answer);
            answer
        }
        (75..85, _) => servers.ask(&servers.items.show(rng.usize(..ITEMS))),
        (85.., _) => {
            let delta = if rng.bool() { rng.i64(1..=3) } else { rng.i64(-3..=-1) };
            let adjustment = Adjustment { item: rng.usize(..ITEMS), delta, key };
            let answer = servers.ask(&servers.items.adjust(adjustment.item, delta, Some(&adjustment.key)));
            lock(books).adjusted(adjustment, &answer);
            answer
        }
        _ => {
            let key = rng.bool().then_some(key);
            // What cannot be asked for again is not asked of what is scarce: an order that is cut off while it is being
            // refused would hold whatever it happened to.
            let items = if key.is_some() { ITEMS } else { SCARCE };
            let lines = rng.usize(1..=MAX_LINES);
            let mut items = rng.choose_multiple(0..items, lines);
            items.sort_unstable();
            let lines: Vec<_> =
                items.into_iter().map(|item| Line { item, quantity: rng.u64(1..=MAX_PER_LINE) }).collect();
            let answer = servers.ask(&servers.items.place(&lines, key.as_deref()));
            lock(books).placed(lines, key, &answer);
            answer
        }
    };
    answer.is_some()
}

/// One of the latest orders that were acknowledged.
fn recent(books: &Books, rng: &mut Rng) -> Option<(usize, Order)> {
    let first = books.orders.len().saturating_sub(RECENT);
    let number = rng.usize(first..books.orders.len().max(first + 1));
    let order = books.orders.get(number).filter(|order| order.id.is_some())?;
    Some((number, order.clone()))
}

fn lock<'a, 'b>(books: &'a Mutex<&'b mut Books>) -> MutexGuard<'a, &'b mut Books> {
    books.lock().expect("no client panics")
}
