//! Clients that ask for things at once, and note what they asked and what they were told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use harness::observed::{Items, Line, Observed, Servers};
use harness::{Client, Server, Store, Target, server};

use crate::history::{History, Request};
use crate::model::OrderNo;

/// A request as it goes over the wire.
type Message = harness::Request;

/// Serves the components of a target of this workspace with a fresh store, for as long as `visit` takes: by one server,
/// or by two where they share a Redis.
pub fn with_own_servers<T>(target: Target, visit: impl FnOnce(&[Client]) -> Result<T>) -> Result<T> {
    let store = Store::new(target)?;
    let start = |_| Server::start(&store, server::Settings::default());
    let serving = (0..if target.has_redis() { 2 } else { 1 }).map(start).collect::<Result<Vec<_>, _>>()?;
    let clients: Vec<_> = serving.iter().map(|server| server.client.clone()).collect();
    let result = visit(&clients);
    serving.into_iter().for_each(Server::stop);
    result
}

/// With eight, one history in some hundreds takes the checker a minute.
const CLIENTS: usize = 5;
const REQUESTS_A_CLIENT: usize = 8;
/// So few that all clients want the same.
const ITEMS: usize = 2;
const MAX_ON_HAND: u64 = 6;
const MAX_PER_LINE: u64 = 3;
/// Of this number of requests that change something, one is sent and not waited for.
const LEFT: u32 = 8;
/// Longer than most requests take: some are left before they are read, and some after they are done.
const MAX_WAIT: Duration = Duration::from_millis(4);

/// The requests of one history that are made while others are.
pub const OPERATIONS: usize = CLIENTS * REQUESTS_A_CLIENT;

/// An order as clients know it.
#[derive(Clone)]
struct Known {
    order: OrderNo,
    order_id: String,
    lines: Vec<Line>,
}

struct Scene {
    servers: Servers,
    history: Mutex<History>,
    orders: Mutex<Vec<Known>>,
    next_order: AtomicUsize,
}

/// Lets clients loose on items of their own: what they asked and were told, and at the end everything as it is then.
pub fn record(clients: &[Client], seed: u64) -> Result<History> {
    let mut rng = Rng::with_seed(seed);
    // Not from the seed, so that a server which keeps its data can be asked with the same one again.
    let scene = Scene {
        servers: Servers { clients: clients.to_vec(), items: Items(format!("history-{:016x}", fastrand::u64(..))) },
        history: Mutex::default(),
        orders: Mutex::default(),
        next_order: AtomicUsize::default(),
    };
    for item in 0..ITEMS {
        let on_hand = rng.u64(1..=MAX_ON_HAND);
        let answer = scene.ask(0, Request::Create { item, on_hand }, &scene.servers.items.create(item, on_hand));
        ensure!(matches!(answer, Some(Observed::Item(_))), "no item can be made: {answer:?}");
    }
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (scene, mut rng) = (&scene, rng.fork());
            scope.spawn(move || (0..REQUESTS_A_CLIENT).for_each(|_| scene.request(client, &mut rng)));
        }
    });
    for item in 0..ITEMS {
        scene.ask(0, Request::ShowItem { item }, &scene.servers.items.show(item));
    }
    for Known { order, order_id, .. } in scene.orders.lock().expect("no client panics").iter() {
        scene.ask(0, Request::ShowOrder { order: *order }, &Message::show_order(order_id));
    }
    Ok(scene.history.into_inner().expect("no client panics"))
}

impl Scene {
    /// Makes one request, whichever comes to mind.
    fn request(&self, client: usize, rng: &mut Rng) {
        let known = rng.choice(&*self.orders.lock().expect("no client panics")).cloned();
        let item = rng.usize(..ITEMS);
        // Like the items, not from the seed.
        let key = rng.bool().then(|| format!("{:016x}", fastrand::u64(..)));
        let keyed = key.is_some();
        match (rng.u32(..100), known) {
            (35..50, Some(Known { order, order_id, lines })) => {
                self.change(client, rng, Request::Pay { order, lines }, &Message::pay(&order_id), true);
            }
            (50..65, Some(Known { order, order_id, lines })) => {
                self.change(client, rng, Request::Cancel { order, lines }, &Message::cancel(&order_id), true);
            }
            (65..78, Some(Known { order, order_id, .. })) => {
                self.ask(client, Request::ShowOrder { order }, &Message::show_order(&order_id));
            }
            // Also where there is no order yet for which to do something else.
            (35..90, _) => {
                self.ask(client, Request::ShowItem { item }, &self.servers.items.show(item));
            }
            (90.., _) => {
                let delta = if rng.bool() { rng.i64(1..=3) } else { rng.i64(-3..=-1) };
                let message = self.servers.items.adjust(item, delta, key.as_deref());
                self.change(client, rng, Request::Adjust { item, delta }, &message, keyed);
            }
            _ => {
                let items = if rng.bool() { item..item + 1 } else { 0..ITEMS };
                let lines: Vec<_> = items.map(|item| Line { item, quantity: rng.u64(1..=MAX_PER_LINE) }).collect();
                let order = self.next_order.fetch_add(2, Ordering::Relaxed);
                let message = self.servers.items.place(&lines, key.as_deref());
                self.change(client, rng, Request::Place { order, lines }, &message, keyed);
            }
        }
    }

    /// Makes a request that changes something. Some are not waited for; of those that can be, some are repeated.
    fn change(&self, client: usize, rng: &mut Rng, request: Request, message: &Message, repeatable: bool) {
        let number = self.history().call(client, request);
        if rng.u32(..LEFT) == 0 {
            self.servers.ask_and_leave(message, MAX_WAIT.mul_f64(rng.f64()));
            if !repeatable || rng.bool() {
                return;
            }
            self.history().repeat(number);
        }
        self.finish(number, message);
    }

    fn ask(&self, client: usize, request: Request, message: &Message) -> Option<Observed> {
        let number = self.history().call(client, request);
        self.finish(number, message)
    }

    fn finish(&self, number: usize, message: &Message) -> Option<Observed> {
        let reply = self.servers.ask(message)?;
        let mut history = self.history();
        history.answer(number, reply.observed.clone());
        let placed = (&history.operations()[number].request, reply.order_id);
        if let (Request::Place { order, lines }, Some(order_id)) = placed {
            let known = Known { order: *order, order_id, lines: lines.clone() };
            self.orders.lock().expect("no client panics").push(known);
        }
        Some(reply.observed)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no client panics")
    }
}
