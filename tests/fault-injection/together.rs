//! Requests that one instance does together, cut off at every call of the store that it makes for them, also while
//! another request changes one of their items.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use harness::Request;
use host::{Call, CallOutcome, StoreHook};

use crate::fixture::{Fixture, ONE_LINE, TWO_LINES, WITH_THE_LAST};
use crate::requests::{self, Answer};
use crate::shop::Shop;
use crate::stops::{Context, FATES, Gate, Stop};

/// How often to try to get requests into one instance.
const ATTEMPTS: usize = 20;

/// How often to look whether the next request of a batch is where the others are.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Requests in batch, and what happened before them.
struct Case {
    fixture: fn(&mut Fixture),
    /// The requests, by the ids of the orders placed before.
    requests: fn(&[String]) -> Vec<Asked>,
    /// What runs on another server of the same store, from beginning to end, before the call that is given its fate.
    meanwhile: Option<fn() -> Request>,
    /// How many calls of the store the instance makes for them, once they are together.
    calls: usize,
}

/// A request, how it is answered if nothing is cut off, and how when it is sent again.
type Asked = (Request, u16, &'static [u16]);

/// Keeps the first request waiting for batch until all are there. Only from then on calls count.
#[derive(Debug)]
struct Batch {
    whole: usize,
    stop: Arc<Stop>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many were in the instance when it was looked at last, and in how many looks that number was the same.
    there: usize,
    looks: usize,
    /// Whether they are at work.
    begun: bool,
    /// Whether one of them has come to another instance, which is up to the host.
    apart: bool,
}

impl StoreHook for Batch {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        let begun = self.state().begun;
        if begun { self.stop.outcome(call) } else { CallOutcome::Done }
    }

    fn prolongs(&self, requests: usize) -> bool {
        let mut state = self.state();
        state.apart |= requests < state.there;
        state.looks = if requests == state.there { state.looks + 1 } else { 0 };
        state.there = requests;
        state.begun |= state.has(self.whole);
        !(state.begun || state.apart)
    }
}

impl State {
    /// Whether this number is there, and the instance has nothing else to do than to take the next one.
    fn has(&self, count: usize) -> bool {
        self.there >= count && self.looks >= 2 * count
    }
}

impl Batch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics here")
    }

    /// Waits until this number is together, or it is clear that they will not be.
    fn assemble(&self, count: usize, over: impl Fn() -> bool) {
        let missing = || {
            let state = self.state();
            !(state.begun || state.apart || state.has(count))
        };
        while missing() && !over() {
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn together(case: &Case) {
    let fixture = Fixture::new(case.fixture);
    for fate in FATES {
        let mut runs = (1..).map(|number| (0..ATTEMPTS).find_map(|_| cut_off(case, &fixture, number, fate)));
        let calls = runs.by_ref().take_while(|reached| reached.expect("they come together")).count();
        assert_eq!(calls, case.calls, "{fate:?}");
    }
}

/// One run; false if all were answered before the n-th call, and nothing if they did not come together.
fn cut_off(case: &Case, fixture: &Fixture, number: usize, fate: CallOutcome) -> Option<bool> {
    let store = fixture.store.copy();
    let (stop, gate) = Stop::waiting_at(number);
    let mut books = fixture.books.clone();
    let requests = (case.requests)(&fixture.orders);
    let batch = Arc::new(Batch { whole: requests.len(), stop: stop.clone(), state: Mutex::default() });
    let shop = store.open_with(Some(batch.clone()));
    let other = store.open();

    let (answers, meanwhile) = thread::scope(|scope| {
        let mut running = Vec::new();
        for (request, ..) in &requests {
            running.push(scope.spawn(|| shop.send(request)));
            batch.assemble(running.len(), || running.iter().any(thread::ScopedJoinHandle::is_finished));
        }
        let waiting = scope.spawn(|| meet(case, &other, gate, fate));
        let answers: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stop.end();
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("it is answered")).collect();
        (answers, waiting.join().expect("the other is answered"))
    });
    let reached = stop.reached();
    let _context = Context(format!("call {number} was {fate:?}: {reached:?}; the answers were {answers:#?}"));

    if batch.state().apart {
        return None;
    }
    for ((request, expected, again), answer) in requests.iter().zip(&answers) {
        let cut_off = match fate {
            _ if reached.is_none() => false,
            CallOutcome::Killed { .. } => *answer == Answer::NONE,
            _ => answer.status == 503 && answer.problem() == "store_unavailable",
        };
        // Where one has failed, another may have got what was left.
        let other = reached.is_some() && again.contains(&answer.status);
        assert!(cut_off || other || answer.status == *expected, "{request:?}: {answer:?}");
    }
    for (request, answer) in meanwhile.iter() {
        assert!(answer.status < 300, "{request:?}: {answer:?}");
        books.told(request, answer);
    }
    for ((request, ..), answer) in requests.iter().zip(&answers) {
        books.told(request, answer);
    }
    books.check(&store);

    for (request, _, allowed) in &requests {
        let again = other.send(request);
        assert!(allowed.contains(&again.status), "{request:?} sent again: {again:?}");
        books.told(request, &again);
        books.check(&store);
    }
    books.repeat_what_has_a_key(&other);
    books.sell_everything(&store, &other);
    Some(reached.is_some())
}

/// Waits for the call, lets the other request run, and gives the call its fate.
fn meet(case: &Case, other: &Shop, gate: Gate, fate: CallOutcome) -> Option<(Request, Answer)> {
    if !gate.arrived() {
        return None;
    }
    let meanwhile = case.meanwhile.map(|request| {
        let request = request();
        let answer = other.send(&request);
        (request, answer)
    });
    gate.go(fate);
    meanwhile
}

fn three_orders(_: &[String]) -> Vec<Asked> {
    vec![
        (Request::place(&ONE_LINE), 201, &[201]),
        (Request::place(&TWO_LINES).key(requests::key("k")), 201, &[201]),
        (Request::place(&WITH_THE_LAST), 201, &[201, 409]),
    ]
}

#[test]
fn three_orders_are_placed_together() {
    together(&Case { fixture: Fixture::a_last_unit, requests: three_orders, meanwhile: None, calls: 19 });
}

#[test]
fn three_orders_are_placed_together_while_one_of_their_items_changes() {
    let adjust = || requests::adjust("item1");
    together(&Case { fixture: Fixture::a_last_unit, requests: three_orders, meanwhile: Some(adjust), calls: 19 });
}

#[test]
fn an_order_that_cannot_be_placed_is_among_three() {
    together(&Case {
        fixture: Fixture::a_last_unit,
        requests: |_| {
            vec![
                (Request::place(&ONE_LINE), 201, &[201]),
                (Request::place(&[("item1", 1), ("last", 2)]), 409, &[409]),
                (Request::place(&TWO_LINES), 201, &[201]),
            ]
        },
        meanwhile: None,
        calls: 18,
    });
}

#[test]
fn two_of_three_want_the_last_unit() {
    together(&Case {
        fixture: Fixture::a_last_unit,
        requests: |_| {
            vec![
                (Request::place(&WITH_THE_LAST), 201, &[201, 409]),
                (Request::place(&[("last", 1)]), 409, &[201, 409]),
                (Request::place(&[("nothing", 1)]), 404, &[404]),
            ]
        },
        meanwhile: None,
        calls: 20,
    });
}

#[test]
fn three_orders_are_paid_together_of_which_one_was_cancelled() {
    together(&Case {
        fixture: |fixture| {
            fixture.opened();
            fixture.placed(&Request::place(&ONE_LINE));
            fixture.placed(&Request::place(&TWO_LINES));
            fixture.cancelled();
            fixture.placed(&Request::place(&TWO_LINES));
        },
        requests: |orders| {
            vec![
                (requests::pay(&orders[0]), 200, &[200]),
                (requests::pay(&orders[1]), 409, &[409]),
                (requests::pay(&orders[2]), 200, &[200]),
            ]
        },
        meanwhile: None,
        calls: 10,
    });
}
