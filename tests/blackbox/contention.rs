//! Many clients that do everything at once to the same few orders and items; then the books are checked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::books::{self, Seen, Sighting, Supply, Told};
use crate::client::{Request, Shop, at_once, fresh, twice_at_once};
use crate::envelope::Answer;
use crate::server::with_shop;
use crate::shapes::{Item, Order, Status};

const CLIENTS: usize = 50;
const STEPS: usize = 10;
const INITIAL: u64 = 30;

/// Orders what happened: what was answered before something else was asked has the smaller number.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn tick() -> u64 {
    CLOCK.fetch_add(1, Ordering::SeqCst)
}

/// What one client knows when it is done.
#[derive(Default)]
struct Log {
    sightings: Vec<Sighting>,
    adjustments: Vec<(String, i64)>,
    told: Vec<Told>,
    repeats: Vec<(Request, String)>,
}

impl Log {
    /// Sends a request about an order that was acknowledged before, and notes what it shows of it.
    fn see(&mut self, order_id: &str, request: Request) {
        let from = tick();
        let answer = request.send();
        let to = tick();
        let seen = match answer.status {
            200 | 201 => Seen::Order(Box::new(answer.order(answer.status))),
            _ if answer.asked.contains("/pay") => {
                answer.problem(409, "order_not_payable");
                Seen::NotPayable
            }
            _ => {
                answer.problem(409, "order_not_cancellable");
                Seen::NotCancellable
            }
        };
        self.sightings.push(Sighting { order_id: order_id.to_owned(), from, to, seen });
    }
}

/// What all clients share: three items, and the six orders that are worth fighting over.
struct Field {
    shop: Shop,
    items: [String; 3],
    orders: Mutex<Vec<String>>,
}

impl Field {
    fn some_order(&self, random: &mut fastrand::Rng) -> String {
        let orders = self.orders.lock().expect("no client panics here");
        let recent = &orders[orders.len().saturating_sub(6)..];
        recent[random.usize(..recent.len())].clone()
    }

    fn lines(&self, random: &mut fastrand::Rng) -> Value {
        let start = random.usize(..3);
        let lines: Vec<_> = (0..random.usize(1..=2))
            .map(|n| json!({"item_id": self.items[(start + n) % 3], "quantity": random.u64(1..=2)}))
            .collect();
        json!({"items": lines})
    }
}

fn client(field: Arc<Field>, seed: u64) -> Log {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut log = Log::default();
    for _ in 0..STEPS {
        let shop = &field.shop;
        let order = field.some_order(&mut random);
        let item = field.items[random.usize(..3)].clone();
        match random.u8(..12) {
            0..3 => log.see(&order, shop.pay(&order)),
            3..6 => log.see(&order, shop.cancel(&order)),
            6..8 => {
                let delta = [-3, -2, -1, 1, 2, 3][random.usize(..6)];
                let request = shop.adjust(&item, delta).key(fresh("key"));
                adjust(&mut log, request, item, delta);
            }
            8 => log.see(&order, shop.get(format!("/orders/{order}"))),
            // Reading checks by itself that what is on hand, reserved and available fit together.
            9 => drop(shop.item(&item)),
            _ => place(&mut log, &field, &mut random),
        }
    }
    log
}

/// Asks twice at once; it is done once, unless both are refused.
fn adjust(log: &mut Log, request: Request, item: String, delta: i64) {
    let [first, second] = twice_at_once(&request);
    let (made, refused): (Vec<&Answer>, Vec<&Answer>) =
        [&first, &second].into_iter().partition(|answer| answer.status == 200);
    for answer in refused {
        answer.problem(409, "insufficient_stock");
        assert!(delta < 0, "{answer}");
    }
    let firsts = made.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(firsts, made.len().min(1), "one adjustment was made {firsts} times");
    if !made.is_empty() {
        log.adjustments.push((item, delta));
    }
}

fn place(log: &mut Log, field: &Field, random: &mut fastrand::Rng) {
    let request = field.shop.order(field.lines(random));
    // Half of them with a key, and twice at once.
    let answers = if random.bool() {
        let key = fresh("key");
        let request = request.key(&key);
        let [first, second] = twice_at_once(&request);
        for answer in [&first, &second].into_iter().filter(|answer| answer.status == 201) {
            log.told.push(Told::of(&key, answer));
        }
        if let Some(told) = log.told.last().filter(|told| told.key == key) {
            log.repeats.push((request, told.order_id.clone()));
        }
        vec![first, second]
    } else {
        vec![request.send()]
    };
    for answer in answers {
        if answer.status != 201 {
            answer.problem(409, "insufficient_stock");
            continue;
        }
        let order = answer.order(201).order_id;
        let mut orders = field.orders.lock().expect("no client panics here");
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
}

#[test]
fn the_books_balance_after_everything_at_once() {
    with_shop(|shop| {
        let seed = fastrand::u64(..);
        let items = [shop.new_item(INITIAL, 100), shop.new_item(INITIAL, 200), shop.new_item(INITIAL, 300)];
        let field = Field { shop: shop.clone(), items, orders: Mutex::default() };
        for n in 0..6 {
            let lines = [0, 1].map(|m| json!({"item_id": field.items[(n + m) % 3], "quantity": 2 - m}));
            let order = shop.order(json!({"items": lines})).send().order(201);
            field.orders.lock().expect("no client runs yet").push(order.order_id);
        }
        let field = Arc::new(field);
        let logs = at_once(CLIENTS, |n| client(field.clone(), seed.wrapping_add(n as u64)));

        let mut all = Log::default();
        for log in logs {
            all.sightings.extend(log.sightings);
            all.adjustments.extend(log.adjustments);
            all.told.extend(log.told);
            all.repeats.extend(log.repeats);
        }
        let supplies = supplies(&field.items, &all.adjustments);
        let placed = field.orders.lock().expect("all clients are done").clone();

        // Everything is quiet: what is read now must agree with all that was ever said.
        let (items, orders) = read(&mut all, &field, &placed);
        assert_eq!(books::imbalances(&supplies, &items, &orders), Vec::<String>::new(), "seed {seed}");
        assert_eq!(books::contradictions(&all.sightings), Vec::<String>::new(), "seed {seed}");
        assert_eq!(books::key_violations(&all.told), Vec::<String>::new(), "seed {seed}");

        // A repeat of every request that had a key does nothing once more.
        for (request, order_id) in std::mem::take(&mut all.repeats) {
            let answer = request.clone().send();
            assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{answer}");
            assert_eq!(answer.order(201).order_id, order_id);
        }
        assert_eq!(read(&mut all, &field, &placed), (items, orders.clone()), "seed {seed}");

        // Nothing is stuck: all that is not sold comes back, and can be sold to the last piece.
        for order in orders.iter().filter(|order| order.status == Status::Pending) {
            all.see(&order.order_id, shop.cancel(&order.order_id));
        }
        let (items, mut orders) = read(&mut all, &field, &placed);
        assert!(orders.iter().all(|order| matches!(order.status, Status::Paid | Status::Cancelled)), "{orders:?}");
        assert_eq!(books::imbalances(&supplies, &items, &orders), Vec::<String>::new(), "seed {seed}");
        for item in items.iter().filter(|item| item.available > 0) {
            orders.push(shop.place_paid(&item.item_id, item.available));
            let one = json!({"item_id": item.item_id, "quantity": 1});
            shop.order(one).send().problem(409, "insufficient_stock");
        }
        let placed: Vec<_> = orders.iter().map(|order| order.order_id.clone()).collect();
        let (items, orders) = read(&mut all, &field, &placed);
        assert_eq!(books::imbalances(&supplies, &items, &orders), Vec::<String>::new(), "seed {seed}");
        assert_eq!(books::contradictions(&all.sightings), Vec::<String>::new(), "seed {seed}");
    });
}

fn supplies(items: &[String], adjustments: &[(String, i64)]) -> BTreeMap<String, Supply> {
    let adjusted = |id: &String| adjustments.iter().filter(|(item, _)| item == id).map(|(_, delta)| delta).sum();
    items.iter().map(|id| (id.clone(), Supply { initial: INITIAL, adjusted: adjusted(id) })).collect()
}

fn read(log: &mut Log, field: &Field, placed: &[String]) -> (Vec<Item>, Vec<Order>) {
    let mut items = Vec::new();
    for item in &field.items {
        items.push(field.shop.item(item));
    }
    let mut orders = Vec::new();
    for id in placed {
        log.see(id, field.shop.get(format!("/orders/{id}")));
        if let Some(Sighting { seen: Seen::Order(order), .. }) = log.sightings.last() {
            orders.push(order.as_ref().clone());
        }
    }
    (items, orders)
}
