//! Exports, whose answer has begun when the store fails: it is broken off, so that the client learns that it is not whole.

use harness::{Request, Target};
use host::CallOutcome;

use crate::TARGET;
use crate::requests::cancel;
use crate::shop::Store;
use crate::stops::{Context, Stop};

/// Two pages and a half. A page has 100 at most.
const ORDERS: usize = 250;

#[test]
fn an_export_that_cannot_be_completed_is_broken_off() {
    let store = Store::new();
    let shop = store.open();
    for _ in 0..ORDERS {
        let placed = shop.must(&Request::place(&[("item1", 1)]), 201);
        // What is decided takes no reading of items.
        shop.must(&cancel(placed.order()), 200);
    }
    drop(shop);
    for format in ["csv", "ndjson"] {
        let broken_off = (1..).map_while(|number| fails_at(&store, format, number)).filter(|begun| *begun).count();
        // Two pages come after the first, each of at least two reads. Of a Redis every read is made again.
        let fewest = if [Target::Local, Target::FermyonCloud].contains(&TARGET) { 4 } else { 0 };
        assert!(broken_off >= fewest, "{broken_off} answers in {format} were broken off");
    }
}

/// Whether the answer had begun when the n-th call failed; none if there are fewer.
fn fails_at(store: &Store, format: &str, number: usize) -> Option<bool> {
    let stop = Stop::at(number, CallOutcome::Failed { done: false });
    let shop = store.open_with(Some(stop.clone()));
    let client = &shop.0.client;
    let request = Request::get(format!("/orders?format={format}")).operator();
    let mut connection = client.connect().expect("the server accepts connections");
    connection.send(&client.bytes_of(&request)).expect("it takes the request");
    // A failure that comes at once may come before the head of the answer is on its way.
    let Some(answer) = connection.receive(false).expect("what comes is an answer") else { return Some(true) };
    let reached = stop.reached();
    let _context = Context(format!("{format}, call {number}: {reached:?}; status {}", answer.status));
    let text = String::from_utf8(answer.body.clone()).expect("it is text");
    let listed = text.lines().filter(|line| line.contains("cancelled")).count();
    if answer.status == 200 && answer.complete {
        assert_eq!(listed, ORDERS);
        // A connection that could not be opened is opened again.
        return reached.map(|_| false);
    }
    if answer.status == 503 {
        assert_eq!((answer.complete, &answer.value()["code"]), (true, &"store_unavailable".into()));
        return Some(false);
    }
    assert_eq!((answer.status, answer.complete, listed < ORDERS), (200, false, true));
    Some(true)
}
