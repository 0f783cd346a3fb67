//! What the books let pass, and what not.

use crash_recovery::books::{Adjustment, Books, Decision, ITEMS};
use harness::observed::{Line, Observed, Reply, Status, Stock};

const ONE_EACH: [Line; 2] = [Line { item: 0, quantity: 1 }, Line { item: 1, quantity: 2 }];

fn reply(code: u16, observed: Observed) -> Option<Reply> {
    Some(Reply { code, observed, order_id: None })
}

fn order(id: &str, status: Status, code: u16) -> Option<Reply> {
    Some(Reply { code, observed: Observed::Order(status), order_id: Some(id.to_owned()) })
}

fn stock(on_hand: u64, available: u64) -> Option<Reply> {
    reply(200, Observed::Item(Stock { on_hand, reserved: on_hand - available, available }))
}

/// Of which there are ten of everything.
fn ten() -> Books {
    Books::new(10)
}

/// One order, "a", of one of the first item and two of the second.
fn with_an_order() -> Books {
    let mut books = ten();
    books.placed(ONE_EACH.to_vec(), Some("key".to_owned()), &order("a", Status::Pending, 201));
    books
}

/// Whether stock with this quantity available fits; nothing has been paid.
fn fits(books: &Books, available: [u64; ITEMS]) -> bool {
    let mut books = books.clone();
    books.compare(&available.map(|available| stock(available.max(10), available)));
    books.contradictions.is_empty()
}

#[test]
fn an_order_is_missing_from_the_stock_once() {
    let books = with_an_order();
    assert!(fits(&books, [9, 8, 10, 10]));
    for wrong in [[10, 8, 10, 10], [9, 9, 10, 10], [8, 6, 10, 10], [9, 8, 9, 10]] {
        assert!(!fits(&books, wrong), "{wrong:?}");
    }
}

#[test]
fn an_order_that_nobody_can_name_holds_nothing_or_its_first_lines() {
    let mut books = ten();
    books.placed(ONE_EACH.to_vec(), None, &None);
    for right in [[10, 10, 10, 10], [9, 10, 10, 10], [9, 8, 10, 10]] {
        assert!(fits(&books, right), "{right:?}");
    }
    for wrong in [[10, 8, 10, 10], [8, 10, 10, 10], [11, 10, 10, 10]] {
        assert!(!fits(&books, wrong), "{wrong:?}");
    }
}

/// An order that was being refused, and whose second line was not given back, leaves a hold. Its repeat, when there is
/// enough again, is another order.
#[test]
fn what_an_order_that_was_cut_off_while_it_was_refused_still_holds_fits_once_it_is_cleared_away() {
    let mut books = ten();
    books.placed(ONE_EACH.to_vec(), Some("key".to_owned()), &None);
    books.repeated(0, &order("b", Status::Pending, 201));
    assert!(!fits(&books, [9, 6, 10, 10]));

    for delta in [1, -1] {
        let adjustment = Adjustment { item: 1, delta, key: format!("clear away, {delta}") };
        books.adjusted(adjustment, &stock(10, 10));
    }
    assert!(fits(&books, [9, 8, 10, 10]));
    assert!(!fits(&books, [9, 6, 10, 10]), "nothing that stays is excused");
}

#[test]
fn a_look_at_what_does_not_fit_is_no_contradiction_yet() {
    let books = with_an_order();
    let unreadable = [const { None }; ITEMS];
    assert!(books.missing(&unreadable).is_err());
    assert_eq!(books.contradictions, [""; 0]);
}

#[test]
fn an_order_has_one_fate_and_keeps_it() {
    let mut paid = with_an_order();
    paid.decided(0, Decision::Pay, &order("a", Status::Paid, 200));
    let refusal = reply(409, Observed::NotCancellable(Status::Paid));
    paid.decided(0, Decision::Cancel, &refusal);
    paid.unchanged(0, &order("a", Status::Paid, 200));
    assert_eq!(paid.contradictions, [""; 0]);

    let contradicts = |tell: &dyn Fn(&mut Books)| {
        let mut books = paid.clone();
        tell(&mut books);
        assert_eq!(books.contradictions.len(), 1);
    };
    contradicts(&|books| books.decided(0, Decision::Cancel, &order("a", Status::Cancelled, 200)));
    contradicts(&|books| books.seen(0, Status::Paid, &order("a", Status::Pending, 200)));
    contradicts(&|books| books.unchanged(0, &order("a", Status::Pending, 200)));
    contradicts(&|books| books.unchanged(0, &reply(404, Observed::Strange("order_not_found".to_owned()))));
}

#[test]
fn a_repeat_gets_the_order_that_its_key_stands_for_and_no_other() {
    let mut books = with_an_order();
    books.repeated(0, &order("a", Status::Pending, 201));
    books.placed(ONE_EACH.to_vec(), Some("unanswered".to_owned()), &None);
    books.repeated(1, &order("b", Status::Pending, 201));
    assert_eq!(books.contradictions, [""; 0]);

    for (number, wrong) in [(0, "b"), (1, "a")] {
        let mut books = with_an_order();
        books.placed(ONE_EACH.to_vec(), Some("unanswered".to_owned()), &None);
        books.repeated(number, &order(wrong, Status::Pending, 201));
        assert_eq!(books.contradictions.len(), 1);
    }
}

#[test]
fn an_adjustment_counts_once_it_is_acknowledged() {
    let mut books = ten();
    let adjustment = Adjustment { item: 0, delta: -3, key: "key".to_owned() };
    books.adjusted(adjustment.clone(), &None);
    assert_eq!((books.supply[0], books.unsure.len()), (10, 1));
    books.adjusted(adjustment, &stock(10, 10));
    assert_eq!(books.supply[0], 7);
}

/// The same order, in a shop with a provider.
fn at_a_provider() -> Books {
    let mut books = with_an_order();
    books.with_provider = true;
    books
}

fn sent_to(page: &str) -> Option<Reply> {
    let page = Some(page.to_owned());
    Some(Reply { code: 202, observed: Observed::AtProvider { page }, order_id: Some("a".to_owned()) })
}

#[test]
fn a_buyer_is_sent_to_a_provider_only_while_the_order_is_undecided() {
    let mut books = at_a_provider();
    books.asked(0, Status::Pending, Decision::Pay, &sent_to("page"));
    assert_eq!(books.orders[0].page.as_deref(), Some("page"));
    // A webhook may have decided it since.
    books.seen(0, Status::Pending, &order("a", Status::Paid, 200));
    books.asked(0, Status::Pending, Decision::Pay, &sent_to("page"));
    assert_eq!((books.orders[0].status, books.contradictions.as_slice()), (Status::Paid, [].as_slice()));
    books.asked(0, Status::Paid, Decision::Pay, &sent_to("page"));
    assert_eq!(books.contradictions.len(), 1, "what is paid is paid");

    let mut books = with_an_order();
    books.asked(0, Status::Pending, Decision::Pay, &sent_to("page"));
    assert_eq!(books.contradictions.len(), 1, "there is no provider");
}

#[test]
fn an_order_expires_only_where_there_is_a_provider_and_for_ever() {
    let mut books = at_a_provider();
    books.seen(0, Status::Pending, &order("a", Status::Expired, 200));
    assert_eq!((books.orders[0].status, books.contradictions.as_slice()), (Status::Expired, [].as_slice()));
    books.asked(0, Status::Expired, Decision::Pay, &reply(409, Observed::NotPayable(Status::Expired)));
    assert_eq!(books.contradictions, [""; 0]);
    books.seen(0, Status::Pending, &order("a", Status::Paid, 200));
    assert_eq!(books.contradictions.len(), 1);

    let mut books = with_an_order();
    books.seen(0, Status::Pending, &order("a", Status::Expired, 200));
    assert_eq!(books.contradictions.len(), 1, "there is no provider");
}

#[test]
fn an_order_that_nobody_can_name_has_expired_where_there_is_a_provider() {
    let mut books = ten();
    books.with_provider = true;
    books.placed(ONE_EACH.to_vec(), None, &None);
    assert!(fits(&books, [10, 10, 10, 10]));
    assert!(!fits(&books, [9, 8, 10, 10]), "it holds what it held");
}
