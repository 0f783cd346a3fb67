//! A SQLite database that is in trouble, and what the shop makes of it: it says so, loses nothing and sells nothing
//! twice.

use harness::Request;
use host::StoreFault;

use crate::race::race;
use crate::requests::{self, Answer};
use crate::shop::Store;
use crate::stops::Context;

/// What can happen to any store.
const TROUBLES: [StoreFault; 3] = [StoreFault::Errors, StoreFault::DiskFull, StoreFault::Down];

/// A shop with a stock of one of the item `last`.
fn opened() -> Store {
    let store = Store::new();
    store.open().must(&requests::create("last", 1), 201);
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
        is_unavailable(&template.copy().open_faulty(trouble).send(&Request::get("/ready")));
    }
}

#[test]
fn what_only_reads_works_on_a_full_disk() {
    let store = opened();
    let shop = store.open_faulty(StoreFault::DiskFull);
    shop.must(&Request::get("/inventory/last"), 200);
    is_unavailable(&shop.send(&Request::place(&[("last", 1)])));
}

#[test]
fn a_slow_database_is_waited_for() {
    let store = opened();
    let shop = store.open_faulty(StoreFault::Slow);
    shop.must(&Request::place(&[("last", 1)]), 201);
}

#[test]
fn servers_that_race_for_the_last_units_on_a_database_in_trouble_sell_none_twice() {
    let template = opened();
    template.open().must(&requests::create("new", 5), 201);
    for trouble in [StoreFault::Errors, StoreFault::DiskFull] {
        race(&template.copy(), trouble);
    }
}

#[test]
fn a_database_that_somebody_else_has_locked_is_waited_for_and_then_refused() {
    let store = opened();
    let shop = store.open();
    let place = Request::place(&[("last", 1)]).key(requests::key("k"));
    let other = store.0.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").expect("it can be locked");
    // SQLite waits for five seconds, four times.
    is_unavailable(&shop.send(&place));
    other.execute_batch("ROLLBACK").expect("it can be unlocked");
    shop.must(&place, 201);
}

#[test]
fn a_table_of_another_shape_is_left_alone() {
    let store = Store::new();
    let other = store.0.sqlite();
    other.execute_batch("CREATE TABLE records (k, v); INSERT INTO records VALUES (1, 2)").expect("it can be made");
    let shop = store.open();
    for request in [Request::get("/ready"), Request::get("/inventory"), Request::place(&[("item1", 1)])] {
        is_unavailable(&shop.send(&request));
    }
    let kept = other.query_row("SELECT k, v FROM records", [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(kept, Ok((1, 2)));
}
