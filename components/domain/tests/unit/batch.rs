//! Requests that are done together in one instance.

use std::time::Duration;

use domain::{Error, KeyDigest, Limits, OrderView, PaymentMethod, Placed, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{AtSwap, LIMITS, World, order, paid, run};

type Lines<'a> = &'a [(&'a str, u64)];

const ONE: (Lines<'_>, Option<&str>) = (&[("item1", 1)], None);
const WITH_A_KEY: (Lines<'_>, Option<&str>) = (&[("item1", 1), ("item2", 1)], Some("k"));

/// Places these orders together, each with a key where there is one.
fn place_together(world: &World, orders: &[(Lines<'_>, Option<&str>)]) -> Vec<Result<Placed, Error>> {
    let place = |(lines, key): &(Lines<'_>, Option<&str>)| {
        let (shop, order, key) = (world.shop(), order(lines), key.map(|key| KeyDigest::new("orders", key)));
        async move { shop.place(order, key).await }
    };
    world.together(orders.iter().map(place).collect())
}

/// Pays these orders together.
fn pay_together(world: &World, orders: &[&Placed]) -> Vec<Result<OrderView, Error>> {
    let pay = |placed: &&Placed| {
        let (shop, order) = (world.shop(), placed.view.order.order_id);
        async move { shop.pay(order, PaymentMethod::unspecified(), None).await.map(paid) }
    };
    world.together(orders.iter().map(pay).collect())
}

fn ids(placed: &[Result<Placed, Error>]) -> Vec<String> {
    placed.iter().map(|placed| placed.as_ref().unwrap().view.order.order_id.to_string()).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_of_one_item_are_placed_together_with_two_writes_in_all() {
    let world = World::new();
    let (placed, writes) = world.writes(|| place_together(&world, &[ONE; 5]));
    assert!(placed.iter().all(|placed| placed.as_ref().unwrap().view.status == Status::Pending));
    assert_eq!((writes, world.stock("item1"), world.holds("item1")), (2, (100, 5, 95), 5));
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_of_several_items_share_the_swap_of_each() {
    let world = World::new();
    let orders: [(Lines<'_>, _); 3] =
        [(&[("item1", 1), ("item2", 1)], Some("k")), (&[("item2", 2), ("item3", 2)], None), (&[("item3", 3)], None)];
    let (placed, writes) = world.writes(|| place_together(&world, &orders));
    // The orders, and each of the items.
    assert_eq!((placed.len(), writes), (3, 4));
    assert_eq!(
        (world.stock("item1"), world.stock("item2"), world.stock("item3")),
        ((100, 1, 99), (50, 3, 47), (75, 5, 70))
    );
    assert!(placed.iter().all(|placed| world.show(placed.as_ref().unwrap()).status == Status::Pending));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_last_of_an_item_goes_to_the_first_that_asks() {
    let world = World::new();
    let placed = place_together(&world, &[(&[("item2", 49)], None), (&[("item2", 2)], None), (&[("item2", 1)], None)]);
    assert!(placed[0].is_ok() && placed[2].is_ok());
    assert!(matches!(placed[1], Err(Error::InsufficientStock { available: 0, requested: 2, .. })));
    assert_eq!((world.stock("item2"), world.orders()), ((50, 50, 0), 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn one_order_that_cannot_be_placed_leaves_the_others_alone() {
    let world = World::new();
    world.store.records_mut().insert("inventory:broken".to_owned(), b"broken".to_vec());
    let orders: [(Lines<'_>, _); 5] = [
        (&[("item1", 1)], None),
        (&[("nothing", 1)], None),
        (&[("broken", 1), ("item1", 1)], None),
        (&[("item1", 1000)], None),
        (&[("item1", 1)], None),
    ];
    let (placed, writes) = world.writes(|| place_together(&world, &orders));
    assert!(placed[0].is_ok() && placed[4].is_ok());
    assert!(matches!(placed[1], Err(Error::ItemNotFound(_))));
    assert!(matches!(placed[2], Err(Error::Unreadable { .. })));
    assert!(matches!(placed[3], Err(Error::InsufficientStock { available: 98, .. })));
    assert_eq!((writes, world.stock("item1"), world.orders()), (2, (100, 2, 98), 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn requests_with_one_key_in_one_batch_get_one_order() {
    let world = World::new();
    let placed = place_together(&world, &[WITH_A_KEY; 3]);
    let ids = ids(&placed);
    assert!(ids.iter().all(|id| *id == ids[0]));
    let replayed = placed.iter().filter(|placed| placed.as_ref().unwrap().replayed);
    assert_eq!((replayed.count(), world.orders(), world.stock("item1")), (2, 1, (100, 1, 99)));

    let other = place_together(&world, &[(&[("item1", 1)], Some("l")), (&[("item1", 2)], Some("l"))]);
    assert!(other[0].is_ok());
    assert_eq!(other[1], Err(Error::IdempotencyKeyReused));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_faster_request_costs_a_batch_one_more_swap() {
    let world = World::new();
    world.meanwhile(|world| drop(world.place(&[("item1", 1)]).unwrap()));
    let (placed, writes) =
        world.writes(|| place_together(&world, &[(&[("item1", 1)], None), (&[("item1", 2)], Some("k"))]));
    assert!(placed.iter().all(Result::is_ok));
    // Two of the faster request, then the orders and their holds.
    assert_eq!((writes, world.stock("item1")), (4, (100, 4, 96)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_lost_answer_is_looked_up_for_the_whole_batch() {
    let world = World::new();
    world.at_next_swap(AtSwap::LoseAnswer);
    let (placed, writes) =
        world.writes(|| place_together(&world, &[(&[("item1", 1)], None), (&[("item1", 2)], Some("k"))]));
    assert!(placed.iter().all(Result::is_ok));
    assert_eq!((writes, world.stock("item1")), (2, (100, 3, 97)));
}

#[wasm_bindgen_test(unsupported = test)]
fn stock_that_falls_short_for_a_batch_is_refused_to_the_orders_that_it_is_too_little_for() {
    let world = World::new();
    world.meanwhile(|world| drop(world.place(&[("item2", 47)]).unwrap()));
    let placed = place_together(&world, &[(&[("item1", 1), ("item2", 2)], None), (&[("item2", 3)], Some("k"))]);
    // The first swap is that of item1, so both look at item2 after that was bought.
    assert!(placed[0].is_ok());
    assert!(matches!(placed[1], Err(Error::InsufficientStock { available: 1, requested: 3, .. })));
    assert_eq!((world.stock("item1"), world.stock("item2")), ((100, 1, 99), (50, 49, 1)));
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_whose_batch_loses_every_swap_are_placed_alone() {
    let world = World::new();
    // As often as a batch tries.
    for _ in 0..4 {
        world.meanwhile(|world| world.adjust("item1", 1).unwrap());
    }
    let placed = place_together(&world, &[(&[("item1", 1)], None), (&[("item1", 1)], None)]);
    assert!(placed.iter().all(Result::is_ok));
    assert_eq!(world.stock("item1"), (104, 2, 102));
}

#[wasm_bindgen_test(unsupported = test)]
fn more_orders_than_go_together_are_placed_in_several_goes() {
    let world = World::new();
    let (placed, writes) = world.writes(|| place_together(&world, &[ONE; 40]));
    assert!(placed.iter().all(Result::is_ok));
    // 16, 16 and 8.
    assert_eq!((writes, world.stock("item1")), (6, (100, 40, 60)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_leader_that_is_stopped_leaves_the_lead_to_another() {
    let world = World::new();
    world.environment.set_waits_for_batch(true);
    let shop = world.shop();
    let mut leader = Box::pin(shop.place(order(&[("item1", 1)]), None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(leader.as_mut().poll(&mut context).is_pending());
    let shop = world.shop();
    let mut other = Box::pin(shop.place(order(&[("item2", 1)]), None));
    assert!(other.as_mut().poll(&mut context).is_pending());
    drop(leader);
    world.environment.set_waits_for_batch(false);
    assert!(run(other).is_ok());
    // The request of the one that stopped was not begun: no client waits for it.
    assert_eq!((world.stock("item1"), world.stock("item2")), ((100, 0, 100), (50, 1, 49)));
}

/// Begins these orders, of which the first leads and lets others join; lets the time pass; and then does them.
fn place_after(world: &World, count: usize, time: Duration) -> Vec<Result<Placed, Error>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    world.environment.set_waits_for_batch(true);
    let shops: Vec<_> = (0..count).map(|_| world.shop()).collect();
    let mut requests: Vec<_> = shops.iter().map(|shop| Box::pin(shop.place(order(&[("item1", 1)]), None))).collect();
    let mut early = Vec::new();
    requests.retain_mut(|request| match request.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => {
            early.push(answer);
            false
        }
        std::task::Poll::Pending => true,
    });
    world.environment.pass(time);
    world.environment.set_waits_for_batch(false);
    requests.into_iter().map(run).chain(early).collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_that_waited_too_long_among_others_are_refused_and_nothing_is_written() {
    let (world, patience) = (World::new(), LIMITS.place_patience);
    let (placed, writes) = world.writes(|| place_after(&world, 5, patience + Duration::from_millis(1)));
    assert!(placed.iter().all(|placed| *placed == Err(Error::Overloaded)), "{placed:?}");
    assert_eq!((writes, world.orders(), world.stock("item1")), (0, 0, (100, 0, 100)));
    assert!(place_after(&world, 5, patience).iter().all(Result::is_ok));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_is_alone_in_its_instance_is_refused_too() {
    let world = World::new();
    let refused = place_after(&world, 1, LIMITS.place_patience + Duration::from_millis(1));
    assert_eq!((refused, world.orders()), (vec![Err(Error::Overloaded)], 0));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_waited_too_long_for_the_first_read_is_refused_and_its_instance_takes_none_for_a_moment() {
    let world = World::new();
    let (environment, patience) = (world.environment.clone(), LIMITS.place_patience);
    world.store.at_next_read(move || environment.pass(patience + Duration::from_millis(1)));
    let (placed, writes) = world.writes(|| place_together(&world, &[ONE; 3]));
    assert!(placed.iter().all(|placed| *placed == Err(Error::Overloaded)), "{placed:?}");
    assert_eq!((writes, world.orders()), (0, 0));
    assert_eq!(world.place(&[("item1", 1)]), Err(Error::Overloaded));
    world.environment.pass(Duration::from_secs(1));
    assert!(world.place(&[("item1", 1)]).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn more_orders_than_may_wait_are_refused_at_once() {
    let limits = Limits { queued_requests: 3, ..LIMITS };
    let world = World { limits, ..World::new() };
    let placed = place_after(&world, 5, Duration::ZERO);
    let refused = placed.iter().filter(|placed| **placed == Err(Error::Overloaded)).count();
    assert_eq!((refused, world.orders()), (2, 3));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_request_was_given_up_in_the_queue_is_not_placed() {
    let world = World::new();
    world.environment.set_waits_for_batch(true);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let shop = world.shop();
    let mut leader = Box::pin(shop.place(order(&[("item1", 1)]), None));
    assert!(leader.as_mut().poll(&mut context).is_pending());
    let other = world.shop();
    let mut given_up = Box::pin(other.place(order(&[("item2", 1)]), None));
    assert!(given_up.as_mut().poll(&mut context).is_pending());
    drop(given_up);
    world.environment.set_waits_for_batch(false);
    assert!(run(leader).is_ok());
    assert_eq!((world.orders(), world.stock("item2")), (1, (50, 0, 50)));
}

#[wasm_bindgen_test(unsupported = test)]
fn payments_wait_longer_than_orders() {
    let world = World::new();
    let placed = [1, 2].map(|quantity| world.place(&[("item1", quantity)]).unwrap());
    let environment = world.environment.clone();
    world.store.at_next_read(move || environment.pass(LIMITS.place_patience + Duration::from_millis(1)));
    assert!(pay_together(&world, &[&placed[0]]).iter().all(Result::is_ok));
    let environment = world.environment.clone();
    world.store.at_next_read(move || environment.pass(LIMITS.pay_patience + Duration::from_millis(1)));
    let paid = pay_together(&world, &[&placed[1], &placed[0]]);
    assert!(paid.iter().all(|paid| *paid == Err(Error::Overloaded)), "{paid:?}");
    assert_eq!(world.show(&placed[1]).status, Status::Pending);
}

#[wasm_bindgen_test(unsupported = test)]
fn orders_that_are_paid_together_have_each_their_own_fate() {
    let world = World::new();
    let [one, paid, cancelled, half] = [1, 2, 3, 4].map(|quantity| world.place(&[("item1", quantity)]).unwrap());
    let (paid_before, _) = (world.pay(&paid).unwrap(), world.cancel(&cancelled).unwrap());
    world.store.records_mut().remove(&format!("order:{}", half.view.order.order_id));
    let (outcomes, writes) = world.writes(|| pay_together(&world, &[&one, &one, &paid, &cancelled, &half]));
    let status = |outcome: &Result<OrderView, Error>| outcome.as_ref().map(|view| view.status).ok();
    assert_eq!((status(&outcomes[0]), status(&outcomes[1])), (Some(Status::Paid), Some(Status::Paid)));
    assert_eq!(outcomes[2].as_ref().unwrap(), &paid_before);
    assert_eq!(outcomes[3], Err(Error::OrderNotPayable(Status::Cancelled)));
    assert!(matches!(outcomes[4], Err(Error::Unreadable { .. })));
    assert_eq!((writes, world.show(&one).status), (1, Status::Paid));
}
