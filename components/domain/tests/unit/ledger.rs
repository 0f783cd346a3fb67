//! The list of orders, histories and accounts.

use domain::{Cursor, Error, InstanceState, OrderEvent, OrderId, OrderPage, OrderQuery, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, run, with_on_hand};

impl World {
    /// Without any numbers, as an instance begins.
    pub fn cold(&self) -> Self {
        Self { instance: InstanceState::default().into(), ..self.elsewhere() }
    }

    fn page(&self, cursor: Option<&Cursor>, status: Option<Status>, most: usize) -> OrderPage {
        let query = OrderQuery { status, ..OrderQuery::default() };
        run(self.shop().list_orders(cursor.cloned(), &query, most)).unwrap()
    }

    /// All pages, of which none has more than `most`.
    fn pages(&self, status: Option<Status>, most: usize) -> Vec<OrderId> {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(cursor.as_ref(), status, most);
            assert!(page.orders.len() <= most);
            ids.extend(page.orders.iter().map(|view| view.order.order_id));
            cursor = page.next;
            if cursor.is_none() {
                return ids;
            }
        }
    }

    pub fn place_some(&self, count: usize) -> Vec<OrderId> {
        (0..count).map(|_| self.place(&[("item1", 1)]).unwrap().view.order.order_id).collect()
    }
}

fn reversed(mut ids: Vec<OrderId>) -> Vec<OrderId> {
    ids.reverse();
    ids
}

#[wasm_bindgen_test(unsupported = test)]
fn a_shop_without_orders_lists_none() {
    assert_eq!(World::new().page(None, None, 100), OrderPage::default());
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_are_listed_once_each_and_newest_first_in_pages_of_any_size() {
    let world = World::new().cold();
    let placed = reversed(world.place_some(70));
    for most in [1, 7, 50, 100] {
        assert_eq!(world.pages(None, most), placed, "{most} a page");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_that_were_placed_together_are_listed_in_pages_of_any_size_too() {
    let world = World::new().cold();
    let shops: Vec<_> = (0..5).map(|_| world.shop()).collect();
    let requests = shops.iter().map(|shop| shop.place(crate::support::order(&[("item1", 1)]), None)).collect();
    let placed = world.together(requests).into_iter().map(|placed| placed.unwrap().view.order.order_id).collect();
    let placed = reversed(placed);
    for most in [1, 2, 3, 100] {
        assert_eq!(world.pages(None, most), placed, "{most} a page");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_instance_takes_numbers_once_for_many_orders_and_another_takes_others() {
    let world = World::new().cold();
    let (_, first) = world.writes(|| world.place_some(1));
    let (_, more) = world.writes(|| world.place_some(63));
    let (_, next) = world.writes(|| world.place_some(1));
    assert_eq!((first, more, next), (2 + 1, 2 * 63, 2 + 1));
    let elsewhere = world.cold();
    let (_, there) = elsewhere.writes(|| elsewhere.place_some(1));
    assert_eq!(there, 2 + 1);
    assert_eq!(world.record("ledger")["next"], 3 * 64);
    assert_eq!(world.pages(None, 100).len(), 66);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_instance_that_serves_one_request_takes_one_number() {
    let world = World { instance: InstanceState::single_request().into(), ..World::new().elsewhere() };
    world.place_some(2);
    assert_eq!(world.record("ledger")["next"], 2);
    assert_eq!(world.pages(None, 100).len(), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn instances_that_take_numbers_at_once_get_different_ones() {
    let world = World::new().cold();
    world.place_some(1);
    let elsewhere = world.cold();
    let other = world.cold();
    world.at_next_swap(AtSwap::Meanwhile(Box::new(move || _ = other.place_some(1))));
    elsewhere.place_some(1);
    assert_eq!(world.pages(None, 100).len(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn numbers_whose_taking_was_not_answered_are_used() {
    let world = World::new().cold();
    world.place_some(1);
    let elsewhere = world.cold();
    world.at_next_swap(AtSwap::LoseAnswer);
    elsewhere.place_some(1);
    assert_eq!(world.record("ledger")["next"], 2 * 64);
    assert_eq!(world.pages(None, 100).len(), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_are_listed_by_what_they_are_now() {
    let world = World::new().cold();
    let all: Vec<_> = (0..4).map(|_| world.place(&[("item1", 1), ("item2", 1)]).unwrap()).collect();
    world.pay(&all[0]).unwrap();
    world.cancel(&all[1]).unwrap();
    let ids = |status| world.pages(Some(status), 1);
    let of = |number: usize| all[number].view.order.order_id;
    assert_eq!(ids(Status::Paid), [of(0)]);
    assert_eq!(ids(Status::Cancelled), [of(1)]);
    assert_eq!(ids(Status::Pending), [of(3), of(2)]);
    world.wait(900);
    assert_eq!(ids(Status::Pending), []);
    assert_eq!(ids(Status::Expired), [of(3), of(2)]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_half_held_is_listed_as_placing() {
    let world = World::new().cold();
    world.place_some(1);
    world.crash_while_placing(&[("item1", 1), ("item2", 1)], "k", 2);
    assert_eq!(world.page(None, None, 1).orders[0].status, Status::Placing);
    assert_eq!(world.pages(Some(Status::Placing), 100).len(), 1);
    assert_eq!(world.pages(Some(Status::Pending), 100).len(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_page_looks_at_so_many_numbers_and_no_more() {
    let world = World::new();
    let first = world.place_some(1);
    // As if no instance had used the numbers in between.
    let ledger = format!("{{\"id\":\"{}\",\"next\":100000,\"by\":\"\"}}", "0".repeat(32));
    world.store.records_mut().insert("ledger".to_owned(), ledger.into_bytes());
    let page = world.page(None, None, 100);
    assert_eq!(page.orders, []);
    assert_eq!(page.next.unwrap().to_string(), format!("{}-{}-0", "0".repeat(32), 100_000 - 32 * 128));
    assert_eq!(world.pages(None, 100), first);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cursor_of_another_shop_or_none_at_all_is_refused() {
    let (world, another) = (World::new().cold(), World::new().cold());
    world.place_some(2);
    another.environment.set_millis(1);
    another.place_some(1);
    let cursor = another.page(None, None, 1).next.unwrap();
    let refused = |cursor: Cursor| run(world.shop().list_orders(Some(cursor), &OrderQuery::default(), 1)).unwrap_err();
    // Made of the same chance, the two ledgers are called alike: this one has given away fewer numbers.
    let far: Cursor = format!("{}-65-0", cursor.to_string().split('-').next().unwrap()).parse().unwrap();
    assert!(matches!(refused(far), Error::InvalidCursor(_)));
    let other: Cursor = format!("{}-1-0", "f".repeat(32)).parse().unwrap();
    assert!(matches!(refused(other), Error::InvalidCursor(_)));
    for text in ["", "a", "a-1", "a-1-1-1-1", "a-x-1", "a-1-x", "a-1-1-x", "a-+1-1", "a-01-1", "a-1-1-01", "-1--1"] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_has_its_history() {
    let world = World::new();
    let paid = world.place(&[("item1", 1)]).unwrap();
    let expired = world.place(&[("item1", 1)]).unwrap();
    world.wait(60);
    world.pay(&paid).unwrap();
    world.wait(3600);
    let events = |placed: &domain::Placed| {
        let events = run(world.shop().order_history(placed.view.order.order_id)).unwrap().events;
        let start = u64::from(placed.view.order.placed_at);
        events.into_iter().map(|(at, event)| ((u64::from(at) - start) / 1000, event)).collect::<Vec<_>>()
    };
    assert_eq!(events(&paid), [(0, OrderEvent::Placed), (60, OrderEvent::Paid)]);
    let expected = [(0, OrderEvent::Placed), (900, OrderEvent::Expired)];
    assert_eq!(events(&expired), expected);
    // The request that needs the stock writes it down, later.
    world.place(&[("item1", 99)]).unwrap();
    assert_eq!(world.record(&format!("payment:{}", expired.view.order.order_id))["reason"], "expired");
    assert_eq!(events(&expired), expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_has_its_adjustments_newest_first() {
    let world = World::new();
    for delta in [5, -3] {
        run(world.shop().adjust_item(&id("item1"), delta.try_into().unwrap(), &format!("by {delta}"), None)).unwrap();
        world.wait(1);
    }
    let refused = run(world.shop().adjust_item(&id("item1"), (-1000).try_into().unwrap(), "", None));
    assert!(refused.is_err());
    let made = run(world.shop().item_history(&id("item1"))).unwrap().adjustments;
    let told: Vec<_> = made.iter().map(|made| (made.delta, made.reason.as_str())).collect();
    assert_eq!(told, [(-3, "by -3"), (5, "by 5")]);
    assert!(made[0].at > made[1].at);
    let kept = world.store.records().keys().filter(|key| key.starts_with("adjustment:")).count();
    assert_eq!(kept, 2, "of the refused one nothing is left");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeated_adjustment_is_in_the_history_once_with_its_first_time() {
    let world = World::new();
    let key = domain::KeyDigest::new("adjustments", "k");
    let adjust = || run(world.shop().adjust_item(&id("item1"), 5.try_into().unwrap(), "", Some(key))).unwrap();
    adjust();
    let first = run(world.shop().item_history(&id("item1"))).unwrap();
    world.wait(60);
    assert!(adjust().replayed);
    assert_eq!(run(world.shop().item_history(&id("item1"))).unwrap(), first);
}

#[wasm_bindgen_test(unsupported = test)]
fn accounts_balance_after_every_kind_of_request() {
    let world = World::new();
    let account = || run(world.shop().stock_report(0)).unwrap().items.remove(0);
    let paid = world.place(&[("item1", 10)]).unwrap();
    world.pay(&paid).unwrap();
    world.cancel(&world.place(&[("item1", 5)]).unwrap()).unwrap();
    world.adjust("item1", 7).unwrap();
    world.adjust("item1", -2).unwrap();
    world.place(&[("item1", 1)]).unwrap();
    let now = account();
    assert_eq!((now.received, now.sold, now.view.on_hand, now.view.reserved), (105, 10, 95, 1));
    assert!(now.balanced);
    let missing = with_on_hand(&world.item("item1"), 94);
    world.store.records_mut().insert("inventory:item1".to_owned(), missing);
    assert!(!account().balanced, "one is missing");
}
