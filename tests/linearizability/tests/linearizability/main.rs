//! The short form, and what the checker has to refuse.

use harness::Target;
use harness::observed::{Line, Observed, Status, Stock};
use linearizability::history::{History, Request};
use linearizability::load::{record, with_own_servers};

const HISTORIES: u64 = 60;

#[test]
fn what_concurrent_clients_are_told_is_linearizable() {
    is_linearizable(Target::Local);
}

#[test]
fn what_concurrent_clients_are_told_is_linearizable_on_sqlite() {
    is_linearizable(Target::FermyonCloud);
}

#[test]
fn what_concurrent_clients_of_two_servers_on_a_redis_are_told_is_linearizable() {
    is_linearizable(Target::AkamaiFunctions);
}

fn is_linearizable(target: Target) {
    let unknown = with_own_servers(target, |clients| {
        let mut unknown = 0;
        for seed in 0..HISTORIES {
            let history = record(clients, seed)?;
            if let Some(beginning) = history.unexplained() {
                panic!("{beginning}history {seed} is not linearizable: nothing explains the last answer");
            }
            unknown += history.operations().iter().filter(|operation| operation.answer.is_none()).count();
        }
        Ok(unknown)
    });
    assert!(unknown.expect("the shop is served") > 0, "no request was left");
}

/// An order for this quantity of item 0.
fn lines(quantity: u64) -> Vec<Line> {
    vec![Line { item: 0, quantity }]
}

fn place(order: usize, quantity: u64) -> Request {
    Request::Place { order, lines: lines(quantity) }
}

const PLACED: Observed = Observed::Order(Status::Pending);
const PAID: Observed = Observed::Order(Status::Paid);
const CANCELLED: Observed = Observed::Order(Status::Cancelled);

fn short(available: u64) -> Observed {
    Observed::Short { item: 0, available }
}

fn stock(on_hand: u64, reserved: u64) -> Observed {
    Observed::Item(Stock { on_hand, reserved, available: on_hand - reserved })
}

/// A history that begins with items 0 and 1 in these quantities.
fn with_stock(on_hand: u64) -> History {
    let mut history = History::default();
    for item in [0, 1] {
        history.at_once(0, Request::Create { item, on_hand }, stock(on_hand, 0));
    }
    history
}

/// Does one thing after another; the answer to the last is either of two: one that the checker has to accept, and one
/// that it has to refuse.
#[track_caller]
fn tells_apart(on_hand: u64, before: &[(Request, Observed)], last: Request, right: Observed, wrong: Observed) {
    let mut history = with_stock(on_hand);
    for (request, answer) in before {
        history.at_once(0, request.clone(), answer.clone());
    }
    for (answer, expected) in [(right, true), (wrong, false)] {
        let mut history = history.clone();
        history.at_once(1, last.clone(), answer.clone());
        assert_eq!(history.is_linearizable(), expected, "{answer:?}\n{history}");
    }
}

#[test]
fn the_last_unit_sold_twice_is_refused() {
    tells_apart(1, &[(place(0, 1), PLACED)], place(2, 1), short(0), PLACED);
}

#[test]
fn a_payment_after_a_cancellation_is_refused() {
    let cancelled = [(place(0, 1), PLACED), (Request::Cancel { order: 0, lines: lines(1) }, CANCELLED)];
    let pay = Request::Pay { order: 0, lines: lines(1) };
    tells_apart(1, &cancelled, pay, Observed::NotPayable(Status::Cancelled), PAID);
}

#[test]
fn a_cancellation_after_a_payment_is_refused() {
    let paid = [(place(0, 1), PLACED), (Request::Pay { order: 0, lines: lines(1) }, PAID)];
    let cancel = Request::Cancel { order: 0, lines: lines(1) };
    tells_apart(1, &paid, cancel, Observed::NotCancellable(Status::Paid), CANCELLED);
}

#[test]
fn a_stale_read_of_an_item_is_refused() {
    tells_apart(5, &[(place(0, 2), PLACED)], Request::ShowItem { item: 0 }, stock(5, 2), stock(5, 0));
}

#[test]
fn a_stale_read_of_an_order_is_refused() {
    let paid = [(place(0, 1), PLACED), (Request::Pay { order: 0, lines: lines(1) }, PAID)];
    tells_apart(1, &paid, Request::ShowOrder { order: 0 }, PAID, PLACED);
}

#[test]
fn a_lost_order_is_refused() {
    let placed = [(place(0, 1), PLACED)];
    tells_apart(1, &placed, Request::ShowOrder { order: 0 }, PLACED, Observed::Strange("404".to_owned()));
}

#[test]
fn an_adjustment_that_was_lost_is_refused() {
    let adjusted = [(Request::Adjust { item: 0, delta: 2 }, stock(3, 0))];
    tells_apart(1, &adjusted, Request::ShowItem { item: 0 }, stock(3, 0), stock(1, 0));
}

#[test]
fn an_adjustment_below_what_is_promised_is_refused() {
    let placed = [(place(0, 2), PLACED)];
    tells_apart(3, &placed, Request::Adjust { item: 0, delta: -2 }, short(1), stock(1, 0));
}

#[test]
fn stock_that_a_cancelled_order_keeps_is_refused() {
    let cancelled = [(place(0, 1), PLACED), (Request::Cancel { order: 0, lines: lines(1) }, CANCELLED)];
    tells_apart(1, &cancelled, place(2, 1), PLACED, short(0));
}

#[test]
fn stock_that_a_refused_order_keeps_is_refused() {
    let both = vec![Line { item: 0, quantity: 1 }, Line { item: 1, quantity: 2 }];
    let refused = [(Request::Place { order: 0, lines: both }, Observed::Short { item: 1, available: 1 })];
    tells_apart(1, &refused, Request::ShowItem { item: 0 }, stock(1, 0), stock(1, 1));
}

#[test]
fn paid_goods_may_leave_the_shelf_at_any_time_and_are_never_available() {
    let paid = [(place(0, 2), PLACED), (Request::Pay { order: 0, lines: lines(2) }, PAID)];
    tells_apart(5, &paid, Request::ShowItem { item: 0 }, stock(3, 0), stock(5, 0));
    tells_apart(5, &paid, Request::ShowItem { item: 0 }, stock(5, 2), stock(4, 2));
}

#[test]
fn a_refused_order_may_hold_its_first_line_until_it_is_answered_and_not_longer() {
    let both = vec![Line { item: 0, quantity: 1 }, Line { item: 1, quantity: 2 }];
    let refused = Observed::Short { item: 1, available: 1 };
    for (meanwhile, expected) in [(true, true), (false, false)] {
        let mut history = with_stock(1);
        let placing = history.call(0, Request::Place { order: 0, lines: both.clone() });
        if meanwhile {
            history.at_once(1, place(2, 1), short(0));
        }
        history.answer(placing, refused.clone());
        if !meanwhile {
            history.at_once(1, place(2, 1), short(0));
        }
        assert_eq!(history.is_linearizable(), expected, "{history}");
    }
}

#[test]
fn a_request_of_unknown_outcome_was_done_or_not_and_not_both() {
    let unknown = || {
        let mut history = with_stock(2);
        history.call(0, place(0, 2));
        history
    };
    for (seen, expected) in [
        ([stock(2, 0), stock(2, 0)], true),
        ([stock(2, 2), stock(2, 2)], true),
        ([stock(2, 0), stock(2, 2)], true),
        ([stock(2, 2), stock(2, 0)], false),
        ([stock(2, 1), stock(2, 2)], false),
    ] {
        let mut history = unknown();
        for answer in seen {
            history.at_once(1, Request::ShowItem { item: 0 }, answer);
        }
        assert_eq!(history.is_linearizable(), expected, "{history}");
    }
}

#[test]
fn a_repeated_order_that_is_there_twice_is_refused() {
    for (seen, expected) in [(stock(5, 1), true), (stock(5, 2), false)] {
        let mut history = with_stock(5);
        let placing = history.call(0, place(0, 1));
        history.repeat(placing);
        history.answer(placing, PLACED);
        history.at_once(1, Request::ShowItem { item: 0 }, seen);
        assert_eq!(history.is_linearizable(), expected, "{history}");
    }
}
