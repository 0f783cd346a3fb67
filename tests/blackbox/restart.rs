//! The server stops, in order or in the middle of things, and another one takes over its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};

use crate::books::{self, Supply};
use crate::client::{Request, Shop, fresh};
use crate::server::{OwnServer, with_own_server};
use crate::shapes::Status;

#[test]
fn everything_is_there_after_a_restart() {
    with_own_server(&[], |server| {
        let shop = server.shop.clone();
        let item = shop.new_item(50, 1234);
        let request = |shop: &Shop, key: &str| shop.order(json!({"item_id": item, "quantity": 2})).key(key);
        let (first, second, third) = (fresh("key"), fresh("key"), fresh("key"));
        let pending = request(&shop, &first).send().order(201);
        let paid = request(&shop, &second).send().order(201);
        let paid = shop.pay(&paid.order_id).json(json!({"method": "card"})).send().order(200);
        let cancelled = shop.place_cancelled(&item, 3);
        shop.adjust(&item, 5).key(&third).send().item(200);
        let stock = shop.item(&item);

        server.restart();
        let shop = &server.shop;
        for order in [&pending, &paid, &cancelled] {
            assert_eq!(shop.order_now(&order.order_id), *order);
        }
        assert_eq!(shop.item(&item), stock);
        // Keys are remembered too.
        assert_eq!(request(shop, &first).send().order(201), pending);
        assert_eq!(request(shop, &second).send().order(201), paid);
        assert_eq!(shop.adjust(&item, 5).key(&third).send().item(200).available, stock.available);
        // And life goes on.
        shop.pay(&pending.order_id).send().order(200);
        assert_eq!(shop.available(&item), stock.available);
    });
}

#[test]
fn what_a_stop_cut_off_is_done_once_when_repeated() {
    with_own_server(&[], |server| cut_off(server, Ending::Stop));
}

#[test]
fn what_a_crash_cut_off_is_done_once_when_repeated() {
    for _ in 0..3 {
        with_own_server(&[], |server| cut_off(server, Ending::Crash));
    }
}

enum Ending {
    Stop,
    Crash,
}

/// What one request was sent for, and what of it was acknowledged.
struct Wish {
    key: String,
    body: Value,
    order_id: Option<String>,
    decision: Option<&'static str>,
    fate: Option<Status>,
}

impl Wish {
    fn request(&self, shop: &Shop) -> Request {
        shop.order(self.body.clone()).key(&self.key)
    }

    fn decide(&self, shop: &Shop, order_id: &str) -> Option<Request> {
        self.decision.map(|decision| shop.post(format!("/orders/{order_id}/{decision}")))
    }
}

fn cut_off(server: &mut OwnServer, ending: Ending) {
    const STOCK: u64 = 100_000;
    let items = [server.shop.new_item(STOCK, 1), server.shop.new_item(STOCK, 1)];
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (shop, items, done) = (server.shop.clone(), items.clone(), done.clone());
            thread::spawn(move || keep_ordering(shop, items, n, done))
        })
        .collect();
    // Clients that are done already have something to say for themselves, below.
    while done.load(Ordering::SeqCst) < 40 && clients.iter().all(|client| !client.is_finished()) {
        sleep(Duration::from_millis(1));
    }
    match ending {
        Ending::Stop => server.stop(),
        Ending::Crash => server.crash(),
    }
    let mut wishes = Vec::new();
    for client in clients {
        wishes.extend(client.join().expect("a client does not panic when the server goes away"));
    }
    server.restart();

    let shop = &server.shop;
    let mut orders = Vec::new();
    for wish in &wishes {
        let order = wish.request(shop).send().order(201);
        if let Some(id) = &wish.order_id {
            assert_eq!(order.order_id, *id, "an acknowledged order was lost");
        }
        if let Some(fate) = wish.fate {
            assert_eq!(order.status, fate, "an acknowledged fate was lost");
        }
        assert_eq!(wish.request(shop).send().order(201), order);
        // A client that was not told the outcome asks for the same again.
        orders.push(match wish.decide(shop, &order.order_id) {
            Some(request) => request.send().order(200),
            None => order,
        });
    }
    let mut now = Vec::new();
    for item in &items {
        now.push(shop.item(item));
    }
    let supplies = items.map(|item| (item, Supply { initial: STOCK, adjusted: 0 })).into();
    assert_eq!(books::imbalances(&supplies, &now, &orders), Vec::<String>::new());
}

/// Places orders of both items, pays some and cancels some, until the server is gone.
fn keep_ordering(shop: Shop, items: [String; 2], client: u64, done: Arc<AtomicUsize>) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for n in 0..5_000 {
        let lines = items.each_ref().map(|item| json!({"item_id": item, "quantity": 1 + (client + n) % 3}));
        let decision = [Some("pay"), Some("cancel"), None, None][(client + n) as usize % 4];
        let body = json!({"items": lines});
        let mut wish = Wish { key: fresh("key"), body, order_id: None, decision, fate: None };
        let gone = place_and_decide(&shop, &mut wish).is_err();
        wishes.push(wish);
        if gone {
            return wishes;
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    panic!("the server never stopped");
}

fn place_and_decide(shop: &Shop, wish: &mut Wish) -> Result<(), String> {
    let order_id = wish.request(shop).try_send()?.order(201).order_id;
    wish.order_id = Some(order_id.clone());
    if let Some(request) = wish.decide(shop, &order_id) {
        wish.fate = Some(request.try_send()?.order(200).status);
    }
    Ok(())
}
