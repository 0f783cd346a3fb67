//! Lists of some orders, oldest first, and of some days.

use std::ops::Range;

use domain::{
    Cursor, CustomerId, Day, Direction, Error, OrderId, OrderPage, OrderQuery, OrderView, Period, Status, Timestamp,
};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, World, id, order, run};

const MINUTE: u64 = 60 * 1000;
const HOUR: u64 = 60 * MINUTE;

/// The first moment of 2026-11-01.
const NOVEMBER: u64 = 1_793_491_200_000;

const BOTH: [Direction; 2] = [Direction::NewestFirst, Direction::OldestFirst];

fn oldest() -> OrderQuery {
    OrderQuery { direction: Direction::OldestFirst, ..OrderQuery::default() }
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn on(text: &str, direction: Direction) -> OrderQuery {
    OrderQuery { placed: day(text).into(), direction, ..OrderQuery::default() }
}

/// Which orders are listed, how many pages they take, and how many calls of the store the pages take at most.
struct Listed {
    ids: Vec<OrderId>,
    pages: usize,
    calls: u32,
}

impl World {
    fn list(&self, cursor: Option<Cursor>, query: &OrderQuery, most: usize) -> Result<OrderPage, Error> {
        run(self.shop().list_orders(cursor, query, most))
    }

    fn list_all(&self, query: &OrderQuery, most: usize) -> Listed {
        let (mut listed, mut cursor) = (Listed { ids: Vec::new(), pages: 0, calls: 0 }, None);
        loop {
            let shop = self.shop();
            let page = run(shop.list_orders(cursor, query, most)).unwrap();
            assert!(page.orders.len() <= most);
            listed.ids.extend(page.orders.iter().map(|view| view.order.order_id));
            listed.pages += 1;
            listed.calls = listed.calls.max(shop.stats().calls);
            // As a client has it.
            cursor = page.next.map(|next| next.to_string().parse().unwrap());
            if cursor.is_none() {
                return listed;
            }
        }
    }

    /// Has these numbers of a long history, each with an order that was paid at the moment that `placed_at` says.
    /// Other numbers below the end have no order.
    fn remember(&self, end: u64, numbers: impl IntoIterator<Item = u64>, placed_at: impl Fn(u64) -> u64) {
        let sample = self.place(&[("item1", 1)]).unwrap();
        self.pay(&sample).unwrap();
        let of = |kind: &str| format!("{kind}:{}", sample.view.order.order_id);
        let (order, state) = (self.record(&of("order")), self.record(&of("payment")));
        let mut records = self.store.records_mut();
        records.retain(|key, _| !key.starts_with("placed:"));
        let mut put = |key: String, value: &Value| records.insert(key, value.to_string().into_bytes());
        for number in numbers {
            let (order_id, at) = (numbered(number), placed_at(number));
            let mut order = order.clone();
            order["order_id"] = json!(order_id);
            (order["placed_at"], order["expires_at"]) = (json!(at), json!(at + 900_000));
            put(format!("order:{order_id}"), &order);
            put(format!("payment:{order_id}"), &state);
            put(format!("placed:{number:016}"), &json!([order_id]));
        }
        drop(records);
        self.list_numbers_below(end);
    }
}

/// The order that a history has under this number.
fn numbered(number: u64) -> OrderId {
    format!("00000000-0000-4000-8000-{number:012x}").parse().unwrap()
}

/// The orders under these numbers, in this order.
fn those(numbers: Range<u64>, direction: Direction) -> Vec<OrderId> {
    let numbers = numbers.map(numbered);
    match direction {
        Direction::NewestFirst => numbers.rev().collect(),
        Direction::OldestFirst => numbers.collect(),
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_are_listed_once_each_and_oldest_first_in_pages_of_any_size() {
    let world = World::new().cold();
    let mut placed = world.place_some(70);
    let shops: Vec<_> = (0..5).map(|_| world.shop()).collect();
    let together = shops.iter().map(|shop| shop.place(order(&[("item1", 1)]), None)).collect();
    placed.extend(world.together(together).into_iter().map(|placed| placed.unwrap().view.order.order_id));
    for most in [1, 2, 3, 7, 50, 100] {
        assert_eq!(world.list_all(&oldest(), most).ids, placed, "{most} a page");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_list_that_begins_with_the_oldest_does_not_grow_while_it_is_read() {
    let world = World::new().cold();
    let placed = world.place_some(3);
    let first = world.list(None, &oldest(), 2).unwrap();
    // Of another instance, and so under other numbers.
    let later = world.cold().place_some(1);
    let rest = world.list(first.next, &oldest(), 100).unwrap();
    assert_eq!(rest.orders.iter().map(|view| view.order.order_id).collect::<Vec<_>>(), placed[2..]);
    assert_eq!(rest.next, None);
    assert_eq!(world.list_all(&oldest(), 100).ids, [placed, later].concat());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cursor_goes_on_in_its_own_order_alone() {
    let world = World::new().cold();
    let placed = world.place_some(3);
    let id = world.record("ledger")["id"].as_str().unwrap().to_owned();
    // As it was before there was another order.
    let next = world.list(None, &OrderQuery::default(), 1).unwrap().next.unwrap();
    assert_eq!((next.to_string(), next.direction()), (format!("{id}-3-1"), Direction::NewestFirst));
    assert!(matches!(world.list(Some(next), &oldest(), 1), Err(Error::InvalidCursor(_))));
    let next = world.list(None, &oldest(), 1).unwrap().next.unwrap();
    assert_eq!((next.to_string(), next.direction()), (format!("{id}-0-1-64"), Direction::OldestFirst));
    assert_eq!(world.list(Some(next.clone()), &oldest(), 1).unwrap().orders[0].order.order_id, placed[1]);
    assert!(matches!(world.list(Some(next), &OrderQuery::default(), 1), Err(Error::InvalidCursor(_))));
    // None of these was given out.
    for made_up in [format!("{id}-0-0-65"), format!("{id}-3-0-2"), format!("{}-0-0-64", "f".repeat(32))] {
        let cursor: Cursor = made_up.parse().unwrap();
        assert!(matches!(world.list(Some(cursor), &oldest(), 1), Err(Error::InvalidCursor(_))), "{made_up}");
    }
    let past_all: Cursor = format!("{id}-64-9-64").parse().unwrap();
    assert_eq!(world.list(Some(past_all), &oldest(), 1), Ok(OrderPage::default()));
}

#[wasm_bindgen_test(unsupported = test)]
fn any_filters_together_leave_those_orders_that_each_of_them_leaves() {
    let world = World::new().cold();
    world.environment.set_millis(NOVEMBER);
    let mut all = Vec::new();
    for number in 0..96_usize {
        let customer = [Some("anna"), Some("b & co>"), None][number % 3];
        let items: &[_] = [&[("item1", 1)][..], &[("item3", 1)], &[("item1", 1), ("item3", 1)]][number / 3 % 3];
        let mut new = order(items);
        new.customer_id = customer.map(|customer| customer.parse().unwrap());
        let placed = run(world.shop().place(new, None)).unwrap();
        match number % 5 {
            0 => drop(world.pay(&placed).unwrap()),
            1 => drop(world.cancel(&placed).unwrap()),
            _ => {}
        }
        all.push(placed);
        world.environment.wait_millis(HOUR);
    }
    let all: Vec<_> = all.iter().map(|placed| world.show(placed)).collect();
    let text = |customer: &str| Some(customer.parse::<CustomerId>().unwrap());
    let (first, last) = (Some(day("2026-11-02")), Some(day("2026-11-03")));
    let periods = [
        (Period::default(), 0..96),
        (day("2026-11-02").into(), 24..48),
        (Period::new(first, last).unwrap(), 24..72),
        (Period::new(first, None).unwrap(), 24..96),
        (Period::new(None, last).unwrap(), 0..72),
        (day("2026-11-05").into(), 0..0),
        (day("2026-10-31").into(), 0..0),
    ];
    for direction in BOTH {
        for status in [None, Some(Status::Paid), Some(Status::Expired)] {
            for customer_id in [None, text("anna"), text("b & co>")] {
                for item_id in [None, Some(id("item1")), Some(id("item3")), Some(id("none"))] {
                    for (placed, hours) in periods.clone() {
                        let is_wanted = |(hour, view): &(usize, &OrderView)| {
                            let order = &view.order;
                            hours.contains(hour)
                                && status.is_none_or(|status| view.status == status)
                                && (customer_id.is_none() || order.customer_id == customer_id)
                                && item_id.iter().all(|item| order.lines().iter().any(|line| line.item_id == *item))
                        };
                        let wanted = all.iter().enumerate().filter(is_wanted).map(|(_, view)| view.order.order_id);
                        let mut wanted: Vec<_> = wanted.collect();
                        if direction == Direction::NewestFirst {
                            wanted.reverse();
                        }
                        let (customer_id, item_id) = (customer_id.clone(), item_id.clone());
                        let query = OrderQuery { status, customer_id, item_id, placed, direction };
                        for most in [3, 100] {
                            assert_eq!(world.list_all(&query, most).ids, wanted, "{query:?}, {most} a page");
                        }
                    }
                }
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_left_out_is_not_decided() {
    let world = World::new().cold();
    let placed = world.place(&[("item1", 1)]).unwrap();
    world.wait(900);
    let others = [
        OrderQuery { customer_id: Some("berta".parse().unwrap()), ..oldest() },
        OrderQuery { item_id: Some(id("item2")), ..oldest() },
        on("2023-11-13", Direction::OldestFirst),
    ];
    for query in others {
        assert_eq!(world.list_all(&query, 10).ids, []);
    }
    let state = || world.record(&format!("payment:{}", placed.view.order.order_id))["state"].clone();
    assert_eq!(state(), "unpaid");
    assert_eq!(world.list_all(&on("2023-11-14", Direction::OldestFirst), 10).ids.len(), 1);
    assert_eq!(state(), "void");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_day_is_one_that_there_is_and_has_one_name() {
    let moments = |text: &str| {
        let query = on(text, Direction::OldestFirst);
        let world = World::new().cold();
        let at = |millis: u64| {
            world.environment.set_millis(millis);
            let placed = world.place_some(1);
            world.list_all(&query, 100).ids.contains(&placed[0])
        };
        [NOVEMBER - 1, NOVEMBER, NOVEMBER + 24 * HOUR - 1, NOVEMBER + 24 * HOUR].map(at)
    };
    assert_eq!(moments("2026-11-01"), [false, true, true, false]);
    for text in ["1970-01-01", "2024-02-29", "2000-02-29", "2026-12-31", "9999-12-31"] {
        assert!(text.parse::<Day>().is_ok(), "{text}");
    }
    for text in [
        "",
        "2026",
        "2026-11",
        "2026-11-00",
        "2026-11-31",
        "2026-00-01",
        "2026-13-01",
        "2026-02-29",
        "2100-02-29",
        "1969-12-31",
        "0000-01-01",
        "10000-01-01",
        "-2026-11-01",
        "+2026-11-01",
        "2026-1-1",
        "26-11-01",
        "2026-11-01 ",
        " 2026-11-01",
        "2026/11/01",
        "20261101",
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:00.000Z",
        "2026-11-1a",
        "2026-W45-1",
        "2026-305",
        "today",
        "\u{0662}\u{0660}26-11-01",
        "2026\u{2010}11-01",
        "9999-12-32",
    ] {
        assert!(text.parse::<Day>().is_err(), "{text}");
    }
    let from_until = |from, until| Period::new(Some(day(from)), Some(day(until)));
    assert_eq!(from_until("2026-11-01", "2026-11-01"), Ok(day("2026-11-01").into()));
    assert!(from_until("2026-11-02", "2026-11-01").is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_day_of_a_long_history_is_found_and_left_without_reading_the_rest() {
    // Seventy days of a busy shop with an order a minute, and of a quiet one with an order every six minutes, each of
    // which uses up a block of numbers. Some orders are removed.
    for (spacing, orders, minutes) in [(1, 100_800_u64, 1), (64, 16_800, 6)] {
        let world = World::new();
        let is_there = |order: &u64| order % 1000 < 700;
        let there = (0..orders).filter(is_there).map(|order| order * spacing);
        world.remember(orders * spacing, there, |number| NOVEMBER + number / spacing * minutes * MINUTE);
        let a_day = 24 * 60 / minutes;
        for direction in BOTH {
            let listed = world.list_all(&on("2026-12-10", direction), 100);
            let mut expected: Vec<_> =
                (39 * a_day..40 * a_day).filter(is_there).map(|order| numbered(order * spacing)).collect();
            if direction == Direction::NewestFirst {
                expected.reverse();
            }
            assert!(listed.ids == expected, "{direction:?}");
            // The whole history takes hundreds.
            assert!(listed.pages <= expected.len() / 100 + 5, "{} pages {direction:?}", listed.pages);
            assert!(listed.calls <= 330, "{} calls {direction:?}", listed.calls);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_day_before_or_behind_many_removed_orders_is_found() {
    let world = World::new();
    let there = |number: &u64| !(10_000..210_000).contains(number);
    world.remember(220_000, (0..220_000).filter(there), |number| NOVEMBER + number * MINUTE / 4);
    for direction in BOTH {
        for (text, numbers) in [("2026-12-08", 213_120..218_880), ("2026-11-01", 0..5760), ("2026-11-20", 0..0)] {
            let listed = world.list_all(&on(text, direction), 100);
            assert!(listed.ids == those(numbers, direction), "{text} {direction:?}");
            // Without a search the removed ones alone take 48 pages.
            assert!(listed.pages <= 63, "{text}: {} pages {direction:?}", listed.pages);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_time_is_up_to_an_hour_from_its_place_is_on_the_list_of_its_day() {
    let world = World::new();
    // An order every ten seconds; every 97th was placed by a server whose clock is nearly an hour behind, or before.
    let time = |number: u64| {
        let at = NOVEMBER + number * 10_000;
        match number % 194 {
            0 => at - HOUR + 1000,
            97 => at + HOUR - 1000,
            _ => at,
        }
    };
    let count = 3 * 24 * 360;
    world.remember(count, 0..count, time);
    for direction in BOTH {
        let listed = world.list_all(&on("2026-11-02", direction), 100);
        let day = NOVEMBER + 24 * HOUR..NOVEMBER + 48 * HOUR;
        let mut wanted: Vec<_> = (0..count).filter(|number| day.contains(&time(*number))).map(numbered).collect();
        let mut ids = listed.ids;
        ids.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(ids.len(), wanted.len(), "{direction:?}");
        assert!(ids == wanted, "{direction:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_few_orders_of_a_server_whose_clock_was_wrong_do_not_end_a_list() {
    let wrong = [1500..1515, 2500..2515, 3500..3515];
    let is_wrong = |number: u64| wrong.iter().any(|numbers| numbers.contains(&number));
    for odd in [0, NOVEMBER * 2] {
        let world = World::new();
        world.remember(5000, 0..5000, |number| if is_wrong(number) { odd } else { NOVEMBER + number * MINUTE });
        for direction in BOTH {
            let query = OrderQuery {
                placed: Period::new(Some(day("2026-11-02")), Some(day("2026-11-03"))).unwrap(),
                direction,
                ..OrderQuery::default()
            };
            let odd_ones: Vec<_> = wrong.iter().flat_map(|numbers| those(numbers.clone(), direction)).collect();
            let mut wanted = those(1440..4320, direction);
            wanted.retain(|id| !odd_ones.contains(id));
            assert!(world.list_all(&query, 100).ids == wanted, "{odd} {direction:?}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_has_waited_for_its_number_is_placed_when_it_has_it() {
    let world = World::new().cold();
    let other = world.cold();
    let start = world.environment.millis();
    // Another instance is faster, and this one was stopped for two hours.
    world.at_next_swap(AtSwap::Meanwhile(Box::new(move || {
        other.wait(7200);
        other.place_some(1);
    })));
    let placed = world.place(&[("item1", 1)]).unwrap().view.order;
    assert_eq!(placed.placed_at, Timestamp::from(start + 2 * HOUR));
    assert_eq!(placed.expires_at, Timestamp::from(start + 2 * HOUR + 900_000));
    assert_eq!(world.list_all(&oldest(), 100).ids[1], placed.order_id);
    assert_eq!(run(world.shop().show_order(placed.order_id)).unwrap().order, placed);
}
