//! A SQLite database that is in trouble, and what the shop makes of it: it says so, loses nothing and sells nothing twice.

use std::sync::Arc;
use std::thread;

use host::{Liar, Lie};

use crate::books::Books;
use crate::requests::{Answer, Request};
use crate::shop::{Shop, Store};
use crate::stops::Context;

/// What can happen to any store.
const TROUBLES: [Lie; 3] = [Lie::Errors, Lie::DiskFull, Lie::Down];

fn troubled(store: &Store, trouble: Lie) -> Shop {
    store.open_with(Some(Arc::new(Liar::new(trouble))))
}

/// A shop with a stock of one of the item `last`.
fn opened() -> Store {
    let store = Store::new();
    store.open().must(&Request::create("last", 1), 201);
    store
}

fn is_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.problem().as_str()), (503, "store_unavailable"), "{answer:?}");
}

#[test]
fn ready_says_that_it_is_in_trouble() {
    let template = opened();
    for trouble in TROUBLES {
        let _context = Context(format!("{trouble:?}"));
        is_unavailable(&troubled(&template.copy(), trouble).send(&Request::get("/ready")));
    }
}

#[test]
fn what_only_reads_works_on_a_full_disk() {
    let store = opened();
    let shop = troubled(&store, Lie::DiskFull);
    shop.must(&Request::get("/inventory/last"), 200);
    is_unavailable(&shop.send(&Request::place(&[("last", 1)])));
}

#[test]
fn a_slow_database_is_waited_for() {
    let store = opened();
    let shop = troubled(&store, Lie::Slow);
    shop.must(&Request::place(&[("last", 1)]), 201);
}

#[test]
fn servers_that_race_for_the_last_unit_on_a_database_in_trouble_sell_it_once() {
    let template = opened();
    for trouble in [Lie::Errors, Lie::DiskFull] {
        let store = template.copy();
        let buyer = |server: usize| {
            let shop = troubled(&store, trouble);
            let mut told = Vec::new();
            for number in 0..4 {
                let place = Request::place(&[("last", 1)]).with_key(format!("{server}-{number}"));
                let placed = shop.send(&place);
                let pay = (placed.status == 201).then(|| Request::pay(placed.order()));
                told.push((place, placed));
                told.extend(pay.map(|pay| {
                    let paid = shop.send(&pay);
                    (pay, paid)
                }));
            }
            told
        };
        let told: Vec<_> = thread::scope(|scope| {
            let buyers = [0, 1, 2].map(|server| scope.spawn(move || buyer(server)));
            buyers.into_iter().flat_map(|buyer| buyer.join().expect("a buyer is answered")).collect()
        });
        let _context = Context(format!("{trouble:?}: {told:#?}"));
        let mut books = Books::default();
        for (request, answer) in &told {
            assert!(answer.status < 500 || answer.status == 503);
            books.told(request, answer);
        }
        books.check(&store);
        books.sell_everything(&store, &store.open());
    }
}

#[test]
fn a_database_that_somebody_else_has_locked_is_waited_for_and_then_refused() {
    let store = opened();
    let shop = store.open();
    let place = Request::place(&[("last", 1)]).with_key("k");
    let somebody = store.connection();
    somebody.execute_batch("BEGIN IMMEDIATE").expect("it can be locked");
    // SQLite waits for five seconds, four times.
    is_unavailable(&shop.send(&place));
    somebody.execute_batch("ROLLBACK").expect("it can be unlocked");
    shop.must(&place, 201);
}

#[test]
fn a_table_of_another_shape_is_left_alone() {
    let store = Store::new();
    let somebody = store.connection();
    somebody.execute_batch("CREATE TABLE records (k, v); INSERT INTO records VALUES (1, 2)").expect("it can be made");
    let shop = store.open();
    for request in [Request::get("/ready"), Request::get("/inventory"), Request::place(&[("item1", 1)])] {
        is_unavailable(&shop.send(&request));
    }
    let kept = somebody.query_row("SELECT k, v FROM records", [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(kept, Ok((1, 2)));
}
