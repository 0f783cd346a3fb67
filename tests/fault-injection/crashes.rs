//! Every kind of request, cut off at every call of the store: before it, after it, and with its answer lost or refused.

use harness::{Request, Target};
use host::CallOutcome;
use serde_json::json;

use crate::TARGET;
use crate::fixture::{Fixture, ONE_LINE, TWO_LINES, WITH_THE_LAST};
use crate::requests::{self, Answer};
use crate::stops::{Context, FATES, Stop};

/// A request, and what happened before it.
struct Case {
    fixture: fn(&mut Fixture),
    /// Whether what was placed before has expired when the request comes.
    expired: bool,
    /// The request, by the ids of the orders placed before.
    request: fn(&[String]) -> Request,
    /// How it is answered if nothing is cut off, and how when it is sent again.
    answer: u16,
    again: &'static [u16],
    /// How many calls of the store it makes: it is cut off at each.
    calls: usize,
    /// How many it makes of a SQLite database, or of a Redis.
    statements: usize,
}

fn cut_off_everywhere(case: &Case) {
    let fixture = Fixture::new(case.fixture);
    for fate in FATES {
        let calls = (1..).take_while(|number| cut_off(case, &fixture, *number, fate)).count();
        let expected = match TARGET {
            Target::Local => case.calls,
            // Where there is nothing yet, SQLite misses the table and makes it.
            Target::AkamaiFunctions if fixture.store.records().is_empty() => case.statements - 2,
            Target::FermyonCloud | Target::AkamaiFunctions | Target::SpinKube => case.statements,
        };
        assert_eq!(calls, expected, "{fate:?}");
    }
}

/// One run; false if the request ended before its n-th call.
fn cut_off(case: &Case, fixture: &Fixture, number: usize, fate: CallOutcome) -> bool {
    let store = fixture.store.copy();
    let stop = Stop::at(number, fate);
    let shop = store.open_with(Some(stop.clone()));
    let mut books = fixture.books.clone();
    if case.expired {
        shop.days_later(1);
        books.expiry();
    }
    let request = (case.request)(&fixture.orders);
    let answer = shop.send(&request);
    let reached = stop.reached();
    stop.end();
    let _context = Context(format!("call {number} was {fate:?}: {reached:?}; the answer was {answer:?}"));

    match fate {
        _ if reached.is_none() => assert_eq!(answer.status, case.answer),
        CallOutcome::Killed { .. } => assert_eq!(answer, Answer::NONE),
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
        fixture: Fixture::opened,
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
        fixture: Fixture::opened,
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
        fixture: Fixture::opened,
        expired: false,
        request: |_| Request::place(&TWO_LINES).key(requests::key("k")),
        answer: 201,
        again: &[201],
        calls: 17,
        statements: 8,
    });
}

#[test]
fn repeating_what_was_placed_with_a_key() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE).key(requests::key("k")));
        },
        expired: false,
        request: |_| Request::place(&ONE_LINE).key(requests::key("k")),
        answer: 201,
        again: &[201],
        calls: 10,
        statements: 5,
    });
}

#[test]
fn repeating_what_was_cut_off_when_its_first_line_was_held() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.half_placed(&Request::place(&TWO_LINES).key(requests::key("k")));
        },
        expired: false,
        request: |_| Request::place(&TWO_LINES).key(requests::key("k")),
        answer: 201,
        again: &[201],
        calls: 13,
        statements: 8,
    });
}

#[test]
fn repeating_what_was_cut_off_and_has_expired() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.half_placed(&Request::place(&TWO_LINES).key(requests::key("k")));
        },
        expired: true,
        request: |_| Request::place(&TWO_LINES).key(requests::key("k")),
        answer: 201,
        again: &[201],
        calls: 8,
        statements: 4,
    });
}

#[test]
fn placing_what_is_not_there() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.a_last_unit();
            fixture.placed(&Request::place(&[("last", 1)]));
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
fn placing_at_a_price_that_has_changed() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.priced("item2", 1900);
        },
        expired: false,
        request: |_| {
            let line = |item: &str, quantity: u64| json!({ "item_id": item, "quantity": quantity });
            Request::post("/orders").json(json!({ "items": [line("item1", 2), line("item2", 1)], "total": 4000 }))
        },
        answer: 409,
        again: &[409],
        calls: 4,
        statements: 2,
    });
}

#[test]
fn placing_at_the_price_that_it_has() {
    cut_off_everywhere(&Case {
        fixture: Fixture::opened,
        expired: false,
        request: |_| {
            let line = |item: &str, quantity: u64| json!({ "item_id": item, "quantity": quantity });
            Request::post("/orders")
                .json(json!({ "items": [line("item1", 2), line("item2", 1)], "total": 4000 }))
                .key(requests::key("k"))
        },
        answer: 201,
        again: &[201],
        calls: 17,
        statements: 8,
    });
}

#[test]
fn placing_what_expired_holds_make_room_for() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.a_last_unit();
            fixture.placed(&Request::place(&WITH_THE_LAST).key(requests::key("k")));
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
        fixture: |fixture| {
            fixture.opened();
            for quantity in 1..=3 {
                fixture.placed(&Request::place(&[("item1", quantity), ("item2", quantity)]));
            }
            fixture.paid();
            fixture.placed(&Request::place(&[("item1", 4)]).key(requests::key("k")));
            fixture.paid();
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
        fixture: Fixture::mappings_are_due,
        expired: false,
        request: |_| Request::place(&ONE_LINE).key(requests::key("k17")),
        answer: 201,
        again: &[201],
        calls: 15,
        statements: 8,
    });
}

#[test]
fn paying() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES));
        },
        expired: false,
        request: |orders| requests::pay(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 8,
        statements: 4,
    });
}

#[test]
fn paying_what_is_not_held_yet() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.half_placed(&Request::place(&TWO_LINES));
        },
        expired: false,
        request: |orders| requests::pay(&orders[0]),
        answer: 409,
        again: &[409],
        calls: 6,
        statements: 4,
    });
}

#[test]
fn paying_again() {
    cut_off_everywhere(&Case {
        fixture: Fixture::sold,
        expired: false,
        request: |orders| requests::pay(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 3,
        statements: 2,
    });
}

#[test]
fn cancelling() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES).key(requests::key("k")));
        },
        expired: false,
        request: |orders| requests::cancel(&orders[0]),
        answer: 200,
        again: &[200],
        calls: 16,
        statements: 9,
    });
}

#[test]
fn adjusting() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
            fixture.paid();
        },
        expired: false,
        request: |_| requests::adjust("item1"),
        answer: 200,
        again: &[200],
        calls: 8,
        statements: 5,
    });
}

#[test]
fn adjusting_with_a_key() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
            fixture.cancelled();
        },
        expired: false,
        request: |_| requests::adjust("item1").key(requests::key("k")),
        answer: 200,
        again: &[200],
        calls: 9,
        statements: 6,
    });
}

#[test]
fn creating_an_item() {
    cut_off_everywhere(&Case {
        fixture: Fixture::opened,
        expired: false,
        request: |_| requests::create("new", 5),
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
        fixture: Fixture::opened,
        expired: false,
        request: |_| requests::price("item1", 1200),
        answer: 200,
        again: &[200],
        calls: 6,
        statements: 4,
    });
}

#[test]
fn changing_a_name_and_an_image() {
    cut_off_everywhere(&Case {
        fixture: Fixture::opened,
        expired: false,
        request: |_| requests::name("item1", "Teapot, blue", "https://shop.example/teapot.jpg"),
        answer: 200,
        again: &[200],
        calls: 6,
        statements: 4,
    });
}

#[test]
fn showing_an_item() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
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
        fixture: |_| {},
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
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&TWO_LINES));
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
        fixture: Fixture::opened,
        expired: false,
        request: |_| Request::get("/ready"),
        answer: 200,
        // What an instance has found, it tells for a second.
        again: &[200, 503],
        calls: 20,
        statements: 9,
    });
}

#[test]
fn showing_an_order_that_has_expired() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
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
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
        },
        expired: true,
        request: |orders| requests::pay(&orders[0]),
        answer: 409,
        again: &[409],
        calls: 7,
        statements: 4,
    });
}

fn sold_two_lines(fixture: &mut Fixture) {
    fixture.opened();
    fixture.placed(&Request::place(&TWO_LINES).key(requests::key("k")));
    fixture.paid();
}

#[test]
fn taking_two_lines_back() {
    cut_off_everywhere(&Case {
        fixture: sold_two_lines,
        expired: false,
        request: |orders| requests::take_back(&orders[0], &["item1", "item2"], "r"),
        answer: 201,
        again: &[201],
        calls: 20,
        statements: 12,
    });
}

#[test]
fn taking_back_again() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.returned(&["item1"], "r");
        },
        expired: false,
        request: |orders| requests::take_back(&orders[0], &["item1"], "r"),
        answer: 201,
        again: &[201],
        calls: 3,
        statements: 2,
    });
}

#[test]
fn taking_back_what_was_cut_off_when_its_first_line_was_back() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.half_returned("r");
        },
        expired: false,
        request: |orders| requests::take_back(&orders[0], &["item1", "item2"], "r"),
        answer: 201,
        again: &[201],
        calls: 15,
        statements: 8,
    });
}

#[test]
fn taking_more_back_than_was_sold() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.returned(&["item2"], "r");
        },
        expired: false,
        request: |orders| requests::take_back(&orders[0], &["item1", "item2"], "s"),
        answer: 409,
        again: &[409],
        calls: 3,
        statements: 2,
    });
}

#[test]
fn giving_back_what_two_lines_have_cost_and_taking_them_back() {
    cut_off_everywhere(&Case {
        fixture: sold_two_lines,
        expired: false,
        request: |orders| requests::give_back(&orders[0], &["item1", "item2"], "r"),
        answer: 201,
        again: &[201],
        calls: 20,
        statements: 12,
    });
}

#[test]
fn giving_more_back_than_was_paid() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.given_back(&["item2"], "r");
        },
        expired: false,
        request: |orders| requests::give_back(&orders[0], &["item1", "item2"], "s"),
        answer: 409,
        again: &[409],
        calls: 3,
        statements: 2,
    });
}

#[test]
fn showing_returns_of_which_one_was_cut_off() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.half_returned("r");
        },
        expired: false,
        request: |orders| Request::get(format!("/orders/{}/returns", orders[0])).operator(),
        answer: 200,
        again: &[200],
        calls: 15,
        statements: 8,
    });
}

#[test]
fn sweeping_where_a_return_was_cut_off() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.half_returned("r");
        },
        expired: false,
        request: |_| Request::post("/sweep").operator(),
        answer: 200,
        again: &[200],
        calls: 22,
        statements: 14,
    });
}

#[test]
fn adjusting_an_item_that_remembers_a_return() {
    cut_off_everywhere(&Case {
        fixture: |fixture| {
            sold_two_lines(fixture);
            fixture.returned(&["item1"], "r");
        },
        expired: false,
        request: |_| requests::adjust("item1").key(requests::key("a")),
        answer: 200,
        again: &[200],
        calls: 10,
        statements: 7,
    });
}

#[test]
fn fulfilling() {
    cut_off_everywhere(&Case {
        fixture: sold_two_lines,
        expired: false,
        request: |orders| requests::fulfil(&orders[0], "x", true),
        answer: 200,
        again: &[200],
        calls: 6,
        statements: 3,
    });
}
