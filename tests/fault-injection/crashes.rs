//! Every kind of request, cut off at every call of the store: before it, after it, and with its answer lost or refused.

use host::Fate;

use crate::TARGET;
use crate::given::{Given, ONE_LINE, TWO_LINES, WITH_THE_LAST};
use crate::requests::{Answer, Request};
use crate::stops::{Context, FATES, Stop};
use crate::target::Target;

/// A request, and what happened before it.
struct Case {
    given: fn(&mut Given),
    /// Whether what was placed before has expired when the request comes.
    expired: bool,
    /// The request, by the ids of the orders placed before.
    request: fn(&[String]) -> Request,
    /// How it is answered if nothing is cut off, and how when it is sent again.
    answer: u16,
    again: &'static [u16],
    /// How many calls of the store it makes: so many are there to be cut off at.
    calls: usize,
    /// How many it makes of a SQLite database, or of a Redis.
    statements: usize,
}

fn cut_off_everywhere(case: &Case) {
    let given = Given::new(case.given);
    for fate in FATES {
        let calls = (1..).take_while(|number| cut_off(case, &given, *number, fate)).count();
        let expected = match TARGET {
            Target::Local => case.calls,
            // Where there is nothing yet, SQLite misses the table and makes it.
            Target::AkamaiFunctions if given.store.records().is_empty() => case.statements - 2,
            Target::FermyonCloud | Target::AkamaiFunctions => case.statements,
        };
        assert_eq!(calls, expected, "{fate:?}");
    }
}

/// One run; false if the request ended before its n-th call.
fn cut_off(case: &Case, given: &Given, number: usize, fate: Fate) -> bool {
    let store = given.store.copy();
    let stop = Stop::at(number, fate);
    let shop = store.open_with(Some(stop.clone()));
    let mut books = given.books.clone();
    if case.expired {
        shop.days_later(1);
        books.expiry();
    }
    let request = (case.request)(&given.orders);
    let answer = shop.send(&request);
    let reached = stop.reached();
    stop.end();
    let _context = Context(format!("call {number} was {fate:?}: {reached:?}; the answer was {answer:?}"));

    match fate {
        _ if reached.is_none() => assert_eq!(answer.status, case.answer),
        Fate::Killed { .. } => assert_eq!(answer, Answer::NONE),
        _ if answer.status == case.answer => {}
        _ => assert_eq!((answer.status, answer.problem().as_str()), (503, "store_unavailable")),
    }
    books.told(&request, &answer);
    books.check(&store);

    let again = shop.send(&request);
    assert!(case.again.contains(&again.status), "sent again: {again:?}");
    books.told(&request, &again);
    books.check(&store);
    books.repeat_what_has_a_key(&shop);

    books.sell_everything(&store, &shop);
    reached.is_some()
}

#[test]
fn placing_one_line() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::place(&ONE_LINE),
        answer: 201,
        again: &[201],
        calls: 12,
        statements: 7,
    });
}

#[test]
fn placing_two_lines() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::place(&TWO_LINES),
        answer: 201,
        again: &[201],
        calls: 17,
        statements: 8,
    });
}

#[test]
fn placing_with_a_key() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::place(&TWO_LINES).with_key("k"),
        answer: 201,
        again: &[201],
        calls: 17,
        statements: 8,
    });
}

#[test]
fn repeating_what_was_placed_with_a_key() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE).with_key("k"));
        },
        expired: false,
        request: |_| Request::place(&ONE_LINE).with_key("k"),
        answer: 201,
        again: &[201],
        calls: 10,
        statements: 5,
    });
}

#[test]
fn repeating_what_was_cut_off_when_its_first_line_was_held() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.half_placed(&Request::place(&TWO_LINES).with_key("k"));
        },
        expired: false,
        request: |_| Request::place(&TWO_LINES).with_key("k"),
        answer: 201,
        again: &[201],
        calls: 13,
        statements: 8,
    });
}

#[test]
fn repeating_what_was_cut_off_and_has_expired() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.half_placed(&Request::place(&TWO_LINES).with_key("k"));
        },
        expired: true,
        request: |_| Request::place(&TWO_LINES).with_key("k"),
        answer: 201,
        again: &[201],
        calls: 8,
        statements: 4,
    });
}

#[test]
fn placing_what_is_not_there() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.a_last_unit();
            given.placed(&Request::place(&[("last", 1)]));
        },
        expired: false,
        request: |_| Request::place(&WITH_THE_LAST),
        answer: 409,
        again: &[409],
        calls: 8,
        statements: 5,
    });
}

#[test]
fn placing_what_expired_holds_make_room_for() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.a_last_unit();
            given.placed(&Request::place(&WITH_THE_LAST).with_key("k"));
        },
        expired: true,
        request: |_| Request::place(&WITH_THE_LAST),
        answer: 201,
        // The first may have been placed, and the last unit with it.
        again: &[201, 409],
        calls: 26,
        statements: 14,
    });
}

#[test]
fn placing_beside_holds_that_are_to_be_settled() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            for quantity in 1..=3 {
                given.placed(&Request::place(&[("item1", quantity), ("item2", quantity)]));
            }
            given.paid();
            given.placed(&Request::place(&[("item1", 4)]).with_key("k"));
            given.paid();
        },
        expired: true,
        request: |_| Request::place(&TWO_LINES),
        answer: 201,
        again: &[201],
        calls: 23,
        statements: 10,
    });
}

#[test]
fn placing_when_mappings_are_due() {
    cut_off_everywhere(&Case {
        given: Given::mappings_are_due,
        expired: false,
        request: |_| Request::place(&ONE_LINE).with_key("k17"),
        answer: 201,
        again: &[201],
        calls: 15,
        statements: 8,
    });
}

#[test]
fn paying() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&TWO_LINES));
        },
        expired: false,
        request: |orders| Request::pay(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 8,
        statements: 4,
    });
}

#[test]
fn paying_what_is_not_held_yet() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.half_placed(&Request::place(&TWO_LINES));
        },
        expired: false,
        request: |orders| Request::pay(&orders[0]),
        answer: 409,
        again: &[409],
        calls: 6,
        statements: 4,
    });
}

#[test]
fn paying_again() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&TWO_LINES));
            given.paid();
        },
        expired: false,
        request: |orders| Request::pay(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 3,
        statements: 2,
    });
}

#[test]
fn cancelling() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&TWO_LINES).with_key("k"));
        },
        expired: false,
        request: |orders| Request::cancel(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 16,
        statements: 9,
    });
}

#[test]
fn adjusting() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE));
            given.paid();
        },
        expired: false,
        request: |_| Request::adjust("item1"),
        answer: 200,
        again: &[200],
        calls: 8,
        statements: 5,
    });
}

#[test]
fn adjusting_with_a_key() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE));
            given.cancelled();
        },
        expired: false,
        request: |_| Request::adjust("item1").with_key("k"),
        answer: 200,
        again: &[200],
        calls: 9,
        statements: 6,
    });
}

#[test]
fn creating_an_item() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::create("new", 5),
        answer: 201,
        // The first may have created it.
        again: &[201, 409],
        calls: 14,
        statements: 5,
    });
}

#[test]
fn changing_a_price() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::price("item1", 1200),
        answer: 200,
        again: &[200],
        calls: 6,
        statements: 4,
    });
}

#[test]
fn showing_an_item() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE));
        },
        expired: true,
        request: |_| Request::get("/inventory/item1"),
        answer: 200,
        again: &[200],
        calls: 4,
        statements: 3,
    });
}

#[test]
fn listing_the_items_of_a_new_shop() {
    cut_off_everywhere(&Case {
        given: |_| {},
        expired: false,
        request: |_| Request::get("/inventory"),
        answer: 200,
        again: &[200],
        calls: 56,
        statements: 11,
    });
}

#[test]
fn showing_an_order() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&TWO_LINES));
        },
        expired: false,
        request: |orders| Request::get(format!("/orders/{}", orders[0])),
        answer: 200,
        again: &[200],
        calls: 5,
        statements: 3,
    });
}

#[test]
fn asking_whether_the_shop_is_ready() {
    cut_off_everywhere(&Case {
        given: Given::opened,
        expired: false,
        request: |_| Request::get("/ready"),
        answer: 200,
        again: &[200],
        calls: 17,
        statements: 7,
    });
}

#[test]
fn showing_an_order_that_has_expired() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE));
        },
        expired: true,
        request: |orders| Request::get(format!("/orders/{}", orders[0])),
        answer: 200,
        again: &[200],
        calls: 6,
        statements: 3,
    });
}

#[test]
fn paying_too_late() {
    cut_off_everywhere(&Case {
        given: |given| {
            given.opened();
            given.placed(&Request::place(&ONE_LINE));
        },
        expired: true,
        request: |orders| Request::pay(&orders[0]),
        answer: 409,
        again: &[409],
        calls: 7,
        statements: 4,
    });
}
