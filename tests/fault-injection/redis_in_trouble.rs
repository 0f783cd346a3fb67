//! A Redis that is in trouble, and what the shop makes of it: it says so, loses nothing and sells nothing twice.

use std::time::Duration;
use std::{fs, thread};

use harness::store::Database;
use harness::{RedisServer, Request};
use host::StoreFault;
use redis::FromRedisValue;

use crate::books::Books;
use crate::race::race;
use crate::requests::{self, Answer};
use crate::shop::{Shop, Store};
use crate::stops::Context;

/// A Redis of its own, and a store in it.
fn redis(settings: &[&str]) -> (RedisServer, Store) {
    let server = RedisServer::start_with(settings).unwrap_or_else(|error| panic!("{error}"));
    let store = Store::in_redis(Database::of(&server));
    (server, store)
}

/// Puts the one of the item `last` into a store.
fn opened(store: &Store) -> Shop {
    let shop = store.open();
    shop.must(&requests::create("last", 1), 201);
    shop
}

fn place() -> Request {
    Request::place(&[("last", 1)]).key(requests::key("k"))
}

fn is_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.problem().as_str()), (503, "store_unavailable"), "{answer:?}");
}

/// Whatever writes is refused, and what only reads is not.
fn is_read_only(shop: &Shop) {
    is_unavailable(&shop.send(&Request::get("/ready")));
    is_unavailable(&shop.send(&place()));
    shop.must(&Request::get("/inventory/last"), 200);
    shop.must(&Request::get("/health"), 200);
}

/// Nothing is sold or shown, and no request waits for ever.
fn is_down(shop: &Shop) {
    for request in [Request::get("/ready"), Request::get("/inventory/last"), place()] {
        is_unavailable(&shop.send(&request));
    }
    shop.must(&Request::get("/health"), 200);
}

fn ask<T: FromRedisValue>(store: &Store, command: &[&str]) -> T {
    let asked = redis::cmd(command[0]).arg(&command[1..]).query(&mut store.0.redis().connect().expect("it lets us in"));
    asked.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[test]
fn ready_says_that_it_is_in_trouble() {
    let template = Store::new();
    drop(opened(&template));
    // Of errors now and then the few calls of a probe may meet none.
    for trouble in [StoreFault::DiskFull, StoreFault::Down] {
        let _context = Context(format!("{trouble:?}"));
        is_unavailable(&template.copy().open_faulty(trouble).send(&Request::get("/ready")));
    }
}

#[test]
fn a_slow_redis_is_waited_for() {
    let store = Store::new();
    drop(opened(&store));
    store.open_faulty(StoreFault::Slow).must(&place(), 201);
}

#[test]
fn servers_that_race_for_the_last_units_on_a_redis_in_trouble_sell_none_twice() {
    let template = Store::new();
    opened(&template).must(&requests::create("new", 5), 201);
    for trouble in [StoreFault::Errors, StoreFault::DiskFull] {
        race(&template.copy(), trouble);
    }
}

#[test]
fn one_that_is_down_is_found_again_when_it_is_back() {
    let (mut server, store) = redis(&[]);
    let shop = opened(&store);
    server.kill();
    is_down(&shop);
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    shop.must(&place(), 201);
    // What an instance has found holds for a second.
    while shop.send(&Request::get("/ready")).status != 200 {
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_that_is_not_there_yet_is_no_reason_not_to_start() {
    let (mut server, store) = redis(&[]);
    server.kill();
    let shop = store.open();
    is_down(&shop);
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    shop.must(&requests::create("last", 1), 201);
    shop.must(&place(), 201);
}

#[test]
fn one_that_stands_still_is_given_up_and_the_order_is_placed_once_when_it_goes_on() {
    let (server, store) = redis(&[]);
    let shop = opened(&store);
    server.halt().unwrap_or_else(|error| panic!("{error}"));
    is_unavailable(&shop.send(&place()));
    server.go_on().unwrap_or_else(|error| panic!("{error}"));
    let placed = shop.must(&place(), 201);
    assert_eq!(shop.must(&place(), 201).order(), placed.order());
    assert_eq!(shop.must(&Request::get("/inventory/last"), 200).body["reserved"], 1);
}

#[test]
fn one_without_memory_for_more_sells_no_more_and_goes_on_with_what_is_there_and_sells_again_when_it_has_some() {
    let (_server, store) = redis(&[]);
    let shop = opened(&store);
    let keyed = || Request::place(&[("item1", 1)]).key(requests::key("before"));
    let (paid, cancelled) = (shop.must(&Request::place(&[("item1", 1)]), 201), shop.must(&keyed(), 201));
    let () = ask(&store, &["CONFIG", "SET", "maxmemory", "1"]);
    for refused in [place(), requests::create("another", 1)] {
        let answer = shop.send(&refused);
        assert_eq!((answer.status, answer.problem().as_str()), (507, "store_full"), "{answer:?}");
    }
    assert_eq!(shop.must(&Request::get("/ready"), 200).body["status"], "cannot_sell");
    shop.must(&requests::pay(paid.order()), 200);
    assert_eq!(shop.must(&keyed(), 201).order(), cancelled.order());
    shop.must(&requests::cancel(cancelled.order()), 200);
    let item = shop.must(&Request::get("/inventory/item1"), 200).body;
    assert_eq!((&item["available"], &item["reserved"]), (&99.into(), &0.into()));
    let () = ask(&store, &["CONFIG", "SET", "maxmemory", "0"]);
    shop.must(&place(), 201);
}

#[test]
fn a_replica_can_be_read_and_sells_when_it_is_made_the_primary() {
    let (_server, store) = redis(&[]);
    let shop = opened(&store);
    let () = ask(&store, &["REPLICAOF", "127.0.0.1", "1"]);
    is_read_only(&shop);
    let () = ask(&store, &["REPLICAOF", "NO", "ONE"]);
    shop.must(&place(), 201);
}

#[test]
fn one_with_another_password_lets_nobody_in() {
    let (_server, store) = redis(&[]);
    drop(opened(&store));
    let () = ask(&store, &["CONFIG", "SET", "requirepass", "another"]);
    is_down(&store.open());
}

#[test]
fn a_key_of_another_type_is_refused_and_left_alone() {
    let (_server, store) = redis(&[]);
    let shop = opened(&store);
    let () = ask(&store, &["DEL", "inventory:last"]);
    let () = ask(&store, &["LPUSH", "inventory:last", "1"]);
    for request in [Request::get("/inventory/last"), place()] {
        assert_eq!(shop.send(&request).problem(), "unreadable_record");
    }
    // It is the trouble of what needs it alone.
    assert_eq!(shop.must(&Request::get("/inventory"), 200).body["unreadable_items"], serde_json::json!(["last"]));
    shop.must(&Request::place(&[("item1", 1)]), 201);
    assert_eq!(ask::<String>(&store, &["TYPE", "inventory:last"]), "list");
}

/// What it looks like meanwhile is said in `tools/records/src/location.rs`.
#[test]
fn one_that_a_shop_is_moving_into_sells_nothing_and_stays_as_it_is() {
    let (_server, store) = redis(&[]);
    let keys = ["inventory:item1", "inventory:item2", "inventory:item3", "catalog"];
    for key in keys {
        let () = ask(&store, &["SET", key, "a shop is moving in"]);
    }
    let shop = store.open();
    for path in ["/inventory", "/inventory/item1"] {
        assert_eq!(shop.send(&Request::get(path)).problem(), "unreadable_record");
    }
    for request in [Request::place(&[("item1", 1)]), requests::create("item1", 1), requests::create("new", 1)] {
        assert_eq!(shop.send(&request).problem(), "unreadable_record");
    }
    assert_eq!(shop.send(&Request::place(&[("new", 1)])).problem(), "item_not_found");
    for key in keys {
        assert_eq!(ask::<String>(&store, &["GET", key]), "a shop is moving in");
    }
    assert_eq!(ask::<usize>(&store, &["DBSIZE"]), keys.len());
}

/// The one that `docs/redis.md` says how to make.
#[test]
fn the_user_that_the_documentation_makes_may_do_what_the_shop_does_and_no_more() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/redis.md")).expect("it is there");
    let (_, command) = page.split_once("redis-cli ").expect("there is the command");
    let (command, _) = command.split_once("\n```").expect("it ends");
    let command: Vec<_> = command.split([' ', '\n', '\\', '\'']).filter(|word| !word.is_empty()).collect();
    let (_primary, _replica, admin) = redis_with_replica();
    let () = ask(&admin, &command);
    let store = Store::in_redis(admin.0.redis().with_login("shop:PASSWORD@"));
    let shop = opened(&store);
    shop.must(&Request::get("/ready"), 200);
    let placed = shop.must(&place(), 201);
    shop.must(&requests::pay(placed.order()), 200);
    shop.must(&order(placed.order()), 200);
    assert_eq!(admin.records()["fence"], 0, "what was shown was confirmed");
    let refused = redis::cmd("KEYS").arg("*").exec(&mut store.0.redis().connect().expect("it lets us in"));
    assert!(refused.is_err_and(|error| error.code() == Some("NOPERM")));
}

/// A primary with one replica, and a store in the primary that counts nothing which the replica has not got.
fn redis_with_replica() -> (RedisServer, RedisServer, Store) {
    let primary = RedisServer::start().unwrap_or_else(|error| panic!("{error}"));
    let replica = primary.start_replica().unwrap_or_else(|error| panic!("{error}"));
    let store = Store::in_redis(Database::of(&primary).with_replicas(1));
    (primary, replica, store)
}

/// A replica that was killed is started as the primary.
fn promoted(replica: &mut RedisServer) -> Store {
    replica.promote().and_then(|()| replica.restart()).unwrap_or_else(|error| panic!("{error}"));
    Store::in_redis(Database::of(replica))
}

fn order(id: &str) -> Request {
    Request::get(format!("/orders/{id}"))
}

#[test]
fn what_no_replica_has_is_told_to_nobody_and_what_was_told_is_there_after_a_failover() {
    let (mut primary, mut replica, store) = redis_with_replica();
    let shop = opened(&store);
    shop.must(&requests::create("many", 10), 201);
    let [one, other, paid] = ["one", "other", "paid"].map(|key| {
        let placed = shop.must(&Request::place(&[("many", 1)]).key(requests::key(key)), 201);
        placed.order().to_owned()
    });
    shop.must(&requests::pay(&paid), 200);

    replica.kill();
    let requests = [
        requests::pay(&one),
        requests::cancel(&other),
        requests::price("last", 1),
        requests::adjust("many").key(requests::key("k")),
        Request::place(&[("many", 1)]).key(requests::key("late")),
        order(&one),
        order(&other),
        Request::get(format!("/orders/{one}/history")),
        Request::get("/orders"),
    ];
    // A repeat finds what the first one did; and other servers find it too, that have been told of nothing.
    for _ in 0..2 {
        requests.iter().for_each(|request| is_unavailable(&shop.send(request)));
        let another = store.open();
        requests.iter().rev().for_each(|request| is_unavailable(&another.send(request)));
    }
    let kept = store.records();
    assert_eq!(kept[&format!("payment:{one}")]["state"], "paid", "the primary has what no client was told");

    primary.kill();
    let store = promoted(&mut replica);
    let shop = store.open();
    assert_eq!(shop.must(&order(&paid), 200).body["status"], "paid");
    shop.must(&requests::cancel(&one), 200);
    shop.must(&requests::pay(&other), 200);
    shop.must(&requests::price("last", 2), 200);
    shop.must(&Request::place(&[("many", 1)]).key(requests::key("late")), 201);
}

#[test]
fn what_a_replica_that_stands_still_has_not_got_is_told_when_it_goes_on() {
    let (_primary, replica, store) = redis_with_replica();
    let shop = opened(&store);
    let placed = shop.must(&place(), 201);
    replica.halt().unwrap_or_else(|error| panic!("{error}"));
    for request in [requests::pay(placed.order()), requests::pay(placed.order()), order(placed.order())] {
        is_unavailable(&shop.send(&request));
    }
    replica.go_on().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shop.must(&order(placed.order()), 200).body["status"], "paid");
    shop.must(&requests::pay(placed.order()), 200);
}

/// What was acknowledged is on the disk: `appendfsync always`.
#[test]
fn one_that_is_killed_under_load_has_every_order_that_was_acknowledged() {
    let (mut server, store) = redis(&[]);
    let shop = store.open();
    shop.must(&requests::create("plenty", 100_000), 201);
    let mut books = Books::default();
    for round in 0..5 {
        let buyer = |buyer: usize| {
            let mut told = Vec::new();
            for number in 0.. {
                let place = Request::place(&[("plenty", 1)]).key(requests::key(&format!("{round}-{buyer}-{number}")));
                let placed = shop.send(&place);
                let order = (placed.status == 201).then(|| placed.order().to_owned());
                told.push((place, placed));
                let Some(order) = order else { break };
                let (pay, cancel) = (requests::pay(&order), requests::cancel(&order));
                let last = if number % 3 == 0 { cancel } else { pay };
                let answer = shop.send(&last);
                let ended = answer.status != 200;
                told.push((last, answer));
                if ended {
                    break;
                }
            }
            told
        };
        let told: Vec<_> = thread::scope(|scope| {
            let buyers: Vec<_> = (0..8).map(|number| scope.spawn(move || buyer(number))).collect();
            thread::sleep(std::time::Duration::from_millis(300));
            server.kill();
            buyers.into_iter().flat_map(|buyer| buyer.join().expect("a buyer is answered")).collect()
        });
        assert!(told.len() > 8, "clients were served");
        server.restart().unwrap_or_else(|error| panic!("{error}"));
        for (request, answer) in &told {
            assert!(answer.status < 500 || answer.status == 503, "{request:?}: {answer:?}");
            books.told(request, answer);
        }
        books.check(&store);
    }
    books.repeat_what_has_a_key(&shop);
    books.sell_everything(&store, &shop);
}
