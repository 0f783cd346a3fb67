//! What holds at the limits: of a record, of what a swap settles, of what is remembered, and of the clocks of servers.

use domain::{Delta, Error, KeyDigest, Limits, OrderQuery, Placed, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{LIMITS, World, id, order, run};

/// A shop whose items have room for a few holds.
fn small() -> World {
    let limits = Limits { record_bytes: 3000, reserved_bytes: 2600, ..LIMITS };
    World { limits, ..World::new() }
}

/// Places orders of one unit until the item's record is full, all with keys or none.
fn fill(world: &World, keyed: bool) -> Vec<Placed> {
    let mut placed = Vec::new();
    loop {
        let key = format!("key {}", placed.len());
        let outcome = if keyed { world.place_with_key(&[("item1", 1)], &key) } else { world.place(&[("item1", 1)]) };
        match outcome {
            Ok(order) => placed.push(order),
            Err(error) => {
                assert_eq!(error, Error::ItemFull(id("item1")));
                return placed;
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_finds_no_room_writes_nothing() {
    for keyed in [false, true] {
        let world = small();
        let placed = fill(&world, keyed);
        assert!((3..40).contains(&placed.len()), "{}", placed.len());
        let records = world.store.records().clone();
        assert!(world.place(&[("item1", 1)]).is_err());
        assert!(world.place_with_key(&[("item1", 1)], "another key").is_err());
        assert!(world.place_together("item1", 4).iter().all(Result::is_err));
        assert_eq!(*world.store.records(), records);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_item_takes_adjustments_and_prices_and_has_room_again_once_its_orders_are_decided() {
    for keyed in [false, true] {
        let world = small();
        let placed = fill(&world, keyed);
        for _ in 0..70 {
            world.adjust("item1", 1).unwrap();
        }
        run(world.shop().put_item(&id("item1"), 7.try_into().unwrap(), None)).unwrap();
        for cancelled in &placed[..3] {
            world.cancel(cancelled).unwrap();
        }
        world.place(&[("item1", 1)]).unwrap();
        for paid in &placed[3..6] {
            world.pay(paid).unwrap();
        }
        world.place(&[("item1", 1)]).unwrap();
        world.wait(900);
        assert_eq!(world.place_with_key(&[("item1", 167)], "all of it").unwrap().view.status, Status::Pending);
        if keyed {
            assert!(world.place_with_key(&[("item1", 1)], "key 0").unwrap().replayed);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_that_an_earlier_version_filled_to_the_limit_is_taken_apart() {
    let earlier = World::new();
    let placed: Vec<_> =
        (0..30).map(|number| earlier.place_with_key(&[("item1", 1)], &format!("key {number}")).unwrap()).collect();
    // All that makes it longer is too much now.
    let record_bytes = earlier.item("item1").to_bytes().len();
    let world = World { limits: Limits { record_bytes, reserved_bytes: 200, ..LIMITS }, ..earlier };
    assert_eq!(world.adjust("item1", 1), Err(Error::ItemFull(id("item1"))));
    assert_eq!(world.count("adjustment:"), 0);
    assert_eq!(world.place(&[("item1", 1)]).unwrap_err(), Error::ItemFull(id("item1")));
    world.cancel(&placed[0]).unwrap();
    world.pay(&placed[1]).unwrap();
    world.wait(900);
    world.adjust("item1", 1).unwrap();
    assert_eq!(world.place(&[("item1", 100)]).unwrap().view.status, Status::Pending);
    for (number, placed) in placed.iter().enumerate() {
        let again = world.place_with_key(&[("item1", 1)], &format!("key {number}")).unwrap();
        assert_eq!((again.replayed, again.view.order.order_id), (true, placed.view.order.order_id));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_first_order_for_all_of_the_stock_finds_what_thousands_of_expired_orders_held() {
    let world = World::new();
    world.adjust("item1", 2600).unwrap();
    for instance in [world.elsewhere(), world.elsewhere(), world.elsewhere()] {
        for _ in 0..900 {
            instance.place(&[("item1", 1)]).unwrap();
        }
    }
    world.wait(900);
    assert_eq!(world.place(&[("item1", 2700)]).unwrap().view.status, Status::Pending);
    assert_eq!(world.holds("item1"), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn every_reader_is_shown_the_stock_of_all_expired_orders_at_the_first_look() {
    for orders in [20, 64, 65, 300] {
        let world = World::new();
        world.adjust("item1", 5 * orders).unwrap();
        for _ in 0..orders {
            world.place(&[("item1", 5)]).unwrap();
        }
        let all = u64::try_from(100 + 5 * orders).unwrap();
        world.wait(900);
        let listed = || run(world.shop().list_items()).unwrap().items.remove(0).available;
        let reported = |look| run(world.shop().stock_report(look)).unwrap().items.remove(0).view.available;
        assert_eq!([listed(), reported(0), reported(1000)], [all; 3], "{orders}");
        assert_eq!(world.stock("item1"), (all, 0, all), "{orders}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn readers_settle_the_holds_of_expired_orders_where_there_are_many() {
    let world = World::new();
    for _ in 0..100 {
        world.place(&[("item1", 1)]).unwrap();
    }
    let (_, writes) = world.writes(|| world.stock("item1"));
    assert_eq!(writes, 0, "none is expired");
    world.wait(900);
    world.stock("item1");
    assert!(world.holds("item1") <= 64, "{} holds", world.holds("item1"));
    let (_, writes) = world.writes(|| world.stock("item1"));
    assert_eq!(writes, 0, "few are left");
}

#[wasm_bindgen_test(unsupported = test)]
fn the_books_say_what_is_sold_when_they_are_asked_and_how_much_they_could_not_look_up() {
    let world = World::new();
    let report = |look| run(world.shop().stock_report(look)).unwrap().items.remove(0);
    let paid: Vec<_> = (0..3).map(|_| world.place(&[("item1", 2)]).unwrap()).collect();
    world.place(&[("item1", 1)]).unwrap();
    for paid in &paid {
        world.pay(paid).unwrap();
    }
    let complete = report(1000);
    assert_eq!((complete.sold, complete.view.on_hand, complete.view.reserved), (6, 94, 1));
    assert_eq!((complete.view.available, complete.balanced), (93, true));
    assert_eq!((complete.holds.all, complete.holds.looked_at, complete.holds.decided), (4, 4, 3));
    let partial = report(2);
    assert_eq!((partial.holds.all, partial.holds.looked_at, partial.view.available), (4, 2, 93));
    assert!(partial.balanced);
}

#[wasm_bindgen_test(unsupported = test)]
fn holds_do_not_pile_up_however_many_orders_are_placed_and_paid_at_once() {
    for group in [1, 2, 4, 16] {
        let world = World::new();
        let payers = world.elsewhere();
        world.adjust("item1", 100_000).unwrap();
        let mut pending = Vec::<Placed>::new();
        for round in 0..900 / group {
            pending.extend(world.place_together("item1", group).into_iter().map(Result::unwrap));
            // Some wait for a while, so that there is something pending among what is looked at.
            let late = if round % 8 == 0 { 0 } else { pending.len().min(group * 3) };
            let paid: Vec<_> = pending.drain(..pending.len() - late).collect();
            for some in paid.chunks(group) {
                payers.pay_together(some);
            }
            let holds = world.holds("item1");
            assert!(
                holds <= 2 * pending.len() + 16 + 2 * group,
                "groups of {group}: {holds} holds of {}",
                pending.len()
            );
        }
        payers.pay_together(&pending);
        assert!(world.holds("item1") <= 32, "groups of {group}: {} are left", world.holds("item1"));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn holds_go_where_orders_are_only_paid() {
    for group in [1, 4, 16] {
        let world = World::new();
        world.adjust("item1", 10_000).unwrap();
        let placed: Vec<_> = (0..600).map(|_| world.place(&[("item1", 1)]).unwrap()).collect();
        for (number, paid) in placed.chunks(group).enumerate() {
            world.pay_together(paid);
            let pending = placed.len() - (number * group + paid.len());
            let holds = world.holds("item1");
            assert!(holds <= 2 * pending + 48 + 2 * group, "groups of {group}: {holds} holds of {pending}");
        }
        assert!(world.holds("item1") <= 16 + group, "groups of {group}: {} are left", world.holds("item1"));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_was_told_expired_stays_so_when_the_clock_goes_back() {
    let world = World::new();
    world.list_numbers_below(1000);
    let tell: [fn(&World, &Placed) -> Status; 4] = [
        |world, placed| world.show(placed).status,
        |world, placed| match world.pay(placed).unwrap_err() {
            Error::OrderNotPayable(status) => status,
            other => panic!("{other}"),
        },
        |world, placed| match world.cancel(placed).unwrap_err() {
            Error::OrderNotCancellable(status) => status,
            other => panic!("{other}"),
        },
        |world, placed| {
            let page = run(world.shop().list_orders(None, &OrderQuery::default(), 100)).unwrap();
            let view = page.orders.iter().find(|view| view.order.order_id == placed.view.order.order_id);
            view.expect("it is listed").status
        },
    ];
    for tell in tell {
        let placed = world.place(&[("item1", 1)]).unwrap();
        let before = world.environment.millis();
        world.wait(900);
        assert_eq!(tell(&world, &placed), Status::Expired);
        world.environment.set_millis(before);
        assert_eq!(world.pay(&placed).unwrap_err(), Error::OrderNotPayable(Status::Expired));
        assert_eq!(world.show(&placed).status, Status::Expired);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_list_of_pending_orders_decides_nothing() {
    let world = World::new();
    let placed = world.place(&[("item1", 1)]).unwrap();
    world.wait(900);
    let pending = OrderQuery { status: Some(Status::Pending), ..OrderQuery::default() };
    assert_eq!(run(world.shop().list_orders(None, &pending, 10)).unwrap().orders, []);
    assert_eq!(world.record(&format!("payment:{}", placed.view.order.order_id))["state"], "unpaid");
}

fn adjust(world: &World, item: &str, delta: i64, reason: &str, key: &str) -> Result<bool, Error> {
    let key = Some(KeyDigest::new("adjustments", key));
    let delta: Delta = delta.try_into().unwrap();
    run(world.shop().adjust_item(&id(item), delta, reason, key)).map(|adjusted| adjusted.replayed)
}

/// Seconds since the beginning, delta and reason of what an item remembers, newest first.
fn history(world: &World, item: &str) -> Vec<(u64, i64, String)> {
    let history = run(world.shop().item_history(&id(item))).unwrap();
    assert_eq!(history.unreadable, 0);
    let seconds = |at| (u64::from(at) - 1_700_000_000_000) / 1000;
    history.adjustments.into_iter().map(|made| (seconds(made.at), made.delta, made.reason)).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_of_an_adjustment_stands_for_one_item() {
    let world = World::new();
    assert_eq!(adjust(&world, "item1", 5, "found", "k"), Ok(false));
    world.wait(60);
    assert_eq!(adjust(&world, "item2", 5, "found", "k"), Err(Error::IdempotencyKeyReused));
    assert_eq!(adjust(&world, "item1", 6, "found", "k"), Err(Error::IdempotencyKeyReused));
    assert_eq!(adjust(&world, "item1", 5, "found", "k"), Ok(true));
    assert_eq!(history(&world, "item1"), [(0, 5, "found".to_owned())]);
    assert_eq!(world.stock("item2").0, 50);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_that_is_refused_leaves_nothing_and_its_key_is_free() {
    let world = World::new();
    assert!(matches!(adjust(&world, "item1", -101, "lost", "k"), Err(Error::InsufficientStock { .. })));
    assert_eq!(world.count("adjustment:"), 0);
    world.adjust("item1", 50).unwrap();
    world.wait(60);
    assert_eq!(adjust(&world, "item1", -101, "lost", "k"), Ok(false));
    assert_eq!(history(&world, "item1")[0], (60, -101, "lost".to_owned()));
    // Refused only at the swap.
    let before = world.count("adjustment:");
    world.meanwhile(|world| world.adjust("item3", -70).unwrap());
    assert!(adjust(&world, "item3", -6, "lost", "l").is_err());
    assert_eq!(world.count("adjustment:"), before + 1);
    world.wait(60);
    assert_eq!(adjust(&world, "item2", -6, "lost", "l"), Ok(false));
    assert_eq!(history(&world, "item2"), [(120, -6, "lost".to_owned())]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_an_item_does_not_remember_any_more_leaves_no_record() {
    let world = World::new();
    for number in 0..70 {
        assert_eq!(adjust(&world, "item1", 1, "", &format!("key {number}")), Ok(false));
    }
    assert_eq!((history(&world, "item1").len(), world.count("adjustment:")), (64, 64));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_key_stands_for_the_order_that_it_stood_for_first() {
    let world = World { limits: Limits { mappings_per_write: 1, ..LIMITS }, ..World::new() };
    let first = world.place_with_key(&[("item1", 1)], "k").unwrap();
    let second = world.place_with_key(&[("item2", 1)], "k").unwrap();
    assert_ne!(first.view.order.order_id, second.view.order.order_id);
    for placed in [&first, &second] {
        world.pay(placed).unwrap();
    }
    world.adjust("item1", 1).unwrap();
    assert!(world.place_with_key(&[("item1", 1)], "k").unwrap().replayed);
    world.adjust("item2", 1).unwrap();
    let again = world.place_with_key(&[("item1", 1)], "k").unwrap();
    assert_eq!((again.view.order.order_id, again.replayed), (first.view.order.order_id, true));
    assert_eq!(world.place_with_key(&[("item2", 1)], "k").unwrap_err(), Error::IdempotencyKeyReused);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_lost_item_is_the_trouble_of_its_own_orders_alone() {
    let world = World::new();
    let pending = world.place(&[("item1", 1)]).unwrap();
    let other = world.place(&[("item2", 1)]).unwrap();
    world.list_numbers_below(1000);
    world.store.damage("inventory:item1");

    let page = run(world.shop().list_orders(None, &OrderQuery::default(), 10)).unwrap();
    assert_eq!(page.orders.iter().map(|view| view.order.order_id).collect::<Vec<_>>(), [other.view.order.order_id]);
    assert_eq!(page.unreadable, [pending.view.order.order_id]);
    let list = run(world.shop().list_items()).unwrap();
    assert_eq!((list.items.len(), list.unreadable), (2, vec![id("item1")]));

    let shops: Vec<_> = (0..2).map(|_| world.shop()).collect();
    let requests = shops.iter().zip(["item1", "item2"]).map(|(shop, item)| shop.place(order(&[(item, 1)]), None));
    let answers = world.together(requests.collect());
    assert!(matches!(answers[0], Err(Error::Unreadable { .. })) && answers[1].is_ok(), "{answers:?}");
    let both = [pending, other];
    let paid: Vec<_> = both.iter().map(|placed| world.pay(placed).is_ok()).collect();
    assert_eq!(paid, [false, true]);

    // And a damaged entry of the list is not the trouble of the others.
    let entry = world.store.records().keys().find(|key| key.starts_with("placed:")).unwrap().clone();
    world.store.damage(&entry);
    let page = run(world.shop().list_orders(None, &OrderQuery::default(), 10)).unwrap();
    assert_eq!((page.unreadable_entries, page.orders.len()), (1, 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_adjustment_that_an_earlier_version_wrote_down_is_in_the_history() {
    let world = World::new();
    assert_eq!(adjust(&world, "item1", 5, "found", "k"), Ok(false));
    let made = world.item("item1").adjustments()[0];
    let request = u64::from_be_bytes(made.request);
    let earlier = KeyDigest::new(&made.key.to_string(), &format!("{request:016x}"));
    let mut records = world.store.records_mut();
    records.remove(&format!("adjustment:{}", made.key)).unwrap();
    let record = br#"{"at":1700000000000,"delta":5,"reason":"found"}"#;
    records.insert(format!("adjustment:{earlier}"), record.to_vec());
    drop(records);
    assert_eq!(history(&world, "item1"), [(0, 5, "found".to_owned())]);
    assert_eq!(adjust(&world, "item1", 5, "found", "k"), Ok(true));
}
