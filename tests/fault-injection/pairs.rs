//! Two requests at once: the first waits before one of its calls, each of them in turn, while the second runs to its
//! end on another server of the same store. Then the first is killed, or goes on.

use std::ops::RangeInclusive;
use std::thread;

use harness::Request;
use host::CallOutcome;

use crate::fixture::{Fixture, ONE_LINE, TWO_LINES, WITH_THE_LAST};
use crate::requests;
use crate::stops::{Context, Stop};

/// Two requests, and what happened before them.
struct Pair {
    fixture: fn(&mut Fixture),
    /// The days by which the clock of each request's server is ahead: within one, every order that was placed has
    /// expired.
    days: [u32; 2],
    /// The requests, by the ids of the orders placed before.
    requests: fn(&[String]) -> [Request; 2],
    /// How many of the two may succeed if none is killed.
    succeed: RangeInclusive<usize>,
    /// How many calls of the store the first makes by itself: it can be made to wait before each.
    calls: usize,
}

fn at_once(pair: &Pair) {
    let fixture = Fixture::new(pair.fixture);
    for end in [CallOutcome::Killed { done: false }, CallOutcome::Done] {
        let calls = (1..).take_while(|number| one_waits(pair, &fixture, *number, end)).count();
        assert_eq!(calls, pair.calls, "{end:?}");
    }
}

/// One run; false if the first request ended before its n-th call.
fn one_waits(pair: &Pair, fixture: &Fixture, number: usize, end: CallOutcome) -> bool {
    let store = fixture.store.copy();
    let (stop, gate) = Stop::waiting_at(number);
    let shops = [store.open_with(Some(stop.clone())), store.open()];
    let mut books = fixture.books.clone();
    for (shop, days) in shops.iter().zip(pair.days) {
        shop.days_later(days);
        if days > 0 {
            books.expiry();
        }
    }
    let [first, second] = (pair.requests)(&fixture.orders);
    let [first_shop, second_shop] = &shops;
    let (first_answer, second_answer) = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let answer = first_shop.send(&first);
            stop.end();
            answer
        });
        gate.arrived();
        let second_answer = second_shop.send(&second);
        gate.go(end);
        (running.join().expect("the first request is answered"), second_answer)
    });
    let reached = stop.reached();
    let _context = Context(format!("{first:?} waited before call {number}, {reached:?}, and then: {end:?}"));

    let killed = reached.is_some() && end != CallOutcome::Done;
    let succeeded = [&first_answer, &second_answer].iter().filter(|answer| answer.status < 300).count();
    if killed {
        assert_eq!(first_answer.status, 500);
    } else {
        assert!(first_answer.status < 500, "{first_answer:?}");
        assert!(pair.succeed.contains(&succeeded), "{first_answer:?} {second_answer:?}");
    }
    assert!(second_answer.status < 500, "{second_answer:?}");
    books.told(&first, &first_answer);
    books.told(&second, &second_answer);
    books.check(&store);

    for request in [&first, &second] {
        let again = second_shop.send(request);
        assert!(again.status < 500, "{request:?} sent again: {again:?}");
        books.told(request, &again);
        books.check(&store);
    }
    books.repeat_what_has_a_key(second_shop);

    books.sell_everything(&store, second_shop);
    reached.is_some()
}

#[test]
fn two_placings_of_the_last_unit() {
    at_once(&Pair {
        fixture: Fixture::a_last_unit,
        days: [0, 0],
        requests: |_| [Request::place(&[("last", 1)]), Request::place(&[("last", 1)])],
        succeed: 1..=1,
        calls: 12,
    });
}

#[test]
fn two_placings_of_a_last_unit_that_an_expired_order_holds() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.a_last_unit();
            fixture.placed(&Request::place(&WITH_THE_LAST).key(requests::key("k")));
        },
        days: [1, 1],
        requests: |_| [Request::place(&[("last", 1)]), Request::place(&WITH_THE_LAST)],
        succeed: 1..=1,
        calls: 22,
    });
}

#[test]
fn two_placings_with_one_key() {
    at_once(&Pair {
        fixture: Fixture::opened,
        days: [0, 0],
        requests: |_| {
            [Request::place(&TWO_LINES).key(requests::key("k")), Request::place(&TWO_LINES).key(requests::key("k"))]
        },
        succeed: 2..=2,
        calls: 17,
    });
}

#[test]
fn two_placings_with_one_key_when_mappings_are_due() {
    at_once(&Pair {
        fixture: Fixture::mappings_are_due,
        days: [0, 0],
        requests: |_| {
            [Request::place(&ONE_LINE).key(requests::key("k17")), Request::place(&ONE_LINE).key(requests::key("k17"))]
        },
        succeed: 2..=2,
        calls: 15,
    });
}

#[test]
fn a_repeat_while_the_mapping_of_its_key_is_written() {
    at_once(&Pair {
        fixture: Fixture::mappings_are_due,
        days: [0, 0],
        requests: |_| [Request::place(&ONE_LINE).key(requests::key("k16")), Request::place(&ONE_LINE)],
        succeed: 2..=2,
        calls: 6,
    });
}

#[test]
fn two_placings_of_two_lines_of_which_one_is_short() {
    at_once(&Pair {
        fixture: Fixture::a_last_unit,
        days: [0, 0],
        requests: |_| [Request::place(&WITH_THE_LAST), Request::place(&WITH_THE_LAST)],
        succeed: 1..=1,
        calls: 17,
    });
}

#[test]
fn two_placings_with_one_key_of_two_lines_of_which_one_is_the_last() {
    at_once(&Pair {
        fixture: Fixture::a_last_unit,
        days: [0, 0],
        requests: |_| {
            [
                Request::place(&WITH_THE_LAST).key(requests::key("k")),
                Request::place(&WITH_THE_LAST).key(requests::key("k")),
            ]
        },
        succeed: 2..=2,
        calls: 17,
    });
}

#[test]
fn paying_against_cancelling() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES));
        },
        days: [0, 0],
        requests: |orders| [requests::pay(&orders[0]), requests::cancel(&orders[0])],
        succeed: 1..=1,
        calls: 8,
    });
}

#[test]
fn cancelling_against_paying() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES).key(requests::key("k")));
        },
        days: [0, 0],
        requests: |orders| [requests::cancel(&orders[0]), requests::pay(&orders[0])],
        succeed: 1..=1,
        calls: 16,
    });
}

#[test]
fn paying_against_the_settlement_of_what_has_expired() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES).key(requests::key("k")));
        },
        days: [0, 1],
        requests: |orders| [requests::pay(&orders[0]), requests::adjust("item1")],
        succeed: 1..=2,
        calls: 8,
    });
}

#[test]
fn the_settlement_of_what_has_expired_against_paying() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.a_last_unit();
            fixture.placed(&Request::place(&WITH_THE_LAST));
        },
        days: [1, 0],
        requests: |orders| [Request::place(&[("last", 1)]), requests::pay(&orders[0])],
        succeed: 1..=1,
        calls: 22,
    });
}

#[test]
fn the_settlement_of_what_was_paid_against_placing() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE).key(requests::key("k")));
            fixture.paid();
        },
        days: [0, 0],
        requests: |_| [requests::adjust("item1"), Request::place(&ONE_LINE)],
        succeed: 2..=2,
        calls: 8,
    });
}

#[test]
fn cancelling_against_adjusting() {
    at_once(&Pair {
        fixture: |fixture| {
            fixture.a_last_unit();
            fixture.placed(&Request::place(&WITH_THE_LAST));
        },
        days: [0, 0],
        requests: |orders| [requests::cancel(&orders[0]), requests::adjust("last").key(requests::key("k"))],
        succeed: 1..=2,
        calls: 16,
    });
}

#[test]
fn placing_against_adjusting() {
    at_once(&Pair {
        fixture: Fixture::a_last_unit,
        days: [0, 0],
        requests: |_| [Request::place(&WITH_THE_LAST), requests::adjust("last")],
        succeed: 1..=1,
        calls: 17,
    });
}

#[test]
fn adjusting_against_placing() {
    at_once(&Pair {
        fixture: Fixture::a_last_unit,
        days: [0, 0],
        requests: |_| [requests::adjust("last").key(requests::key("k")), Request::place(&[("last", 1)])],
        succeed: 1..=1,
        calls: 9,
    });
}

#[test]
fn two_creations_of_one_item() {
    at_once(&Pair {
        fixture: Fixture::opened,
        days: [0, 0],
        requests: |_| [requests::create("new", 5), requests::create("new", 5)],
        succeed: 1..=1,
        calls: 14,
    });
}

#[test]
fn two_first_requests_of_a_new_shop() {
    at_once(&Pair {
        fixture: |_| {},
        days: [0, 0],
        requests: |_| [Request::get("/inventory"), Request::place(&TWO_LINES)],
        succeed: 2..=2,
        calls: 56,
    });
}

#[test]
fn two_that_take_the_same_back() {
    at_once(&Pair {
        fixture: Fixture::sold,
        days: [0, 0],
        requests: |orders| [(); 2].map(|()| requests::take_back(&orders[0], &["item1", "item2"], "r")),
        succeed: 2..=2,
        calls: 20,
    });
}

#[test]
fn two_that_give_back_what_was_paid_once() {
    at_once(&Pair {
        fixture: Fixture::sold,
        days: [0, 0],
        requests: |orders| ["r", "s"].map(|name| requests::give_back(&orders[0], &["item2"], name)),
        succeed: 1..=1,
        calls: 16,
    });
}

#[test]
fn two_that_take_back_what_was_sold_once() {
    at_once(&Pair {
        fixture: Fixture::sold,
        days: [0, 0],
        requests: |orders| ["r", "s"].map(|name| requests::take_back(&orders[0], &["item2"], name)),
        succeed: 1..=1,
        calls: 16,
    });
}
