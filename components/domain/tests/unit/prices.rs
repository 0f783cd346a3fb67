//! What an order is expected to cost: it costs that, or it is not placed.

use domain::{Error, KeyDigest, OrderQuery, Placed, Status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{World, id, order_at, run};

impl World {
    /// Gives an item another price.
    fn price(&self, item: &str, unit_price: u64) {
        run(self.shop().put_item(&id(item), unit_price.try_into().unwrap(), None)).unwrap();
    }

    /// Places an order that is expected to cost this.
    fn place_at(&self, lines: &[(&str, u64)], units: &[(&str, u64)], total: Option<u64>) -> Result<Placed, Error> {
        run(self.shop().place(order_at(lines, units, total), None))
    }

    /// The same, under a key.
    fn place_keyed_at(&self, lines: &[(&str, u64)], units: &[(&str, u64)]) -> Result<Placed, Error> {
        run(self.shop().place(order_at(lines, units, None), Some(KeyDigest::new("orders", "k"))))
    }

    /// The orders that an operator is shown.
    fn listed(&self) -> Vec<Status> {
        self.list_numbers_below(self.numbers.get());
        let page = run(self.shop().list_orders(None, &OrderQuery::default(), 100)).unwrap();
        page.orders.iter().map(|view| view.status).collect()
    }
}

/// What the refusal says about prices.
#[track_caller]
fn changed(refused: Result<Placed, Error>) -> (Vec<(String, u64)>, u64) {
    match refused {
        Err(Error::PriceChanged(order)) => {
            let lines = order.lines().iter().map(|line| (line.item_id.to_string(), line.unit_price.get()));
            (lines.collect(), order.total().get())
        }
        other => panic!("{other:?}"),
    }
}

fn of(lines: &[(&str, u64)], total: u64) -> (Vec<(String, u64)>, u64) {
    (lines.iter().map(|(item, price)| ((*item).to_owned(), *price)).collect(), total)
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_costs_what_is_expected_is_placed_with_as_many_writes() {
    let world = World::new();
    let lines = [("item1", 2), ("item2", 1)];
    for (units, total) in
        [([].as_slice(), Some(4000)), (&[("item1", 1000)], None), (&[("item1", 1000), ("item2", 2000)], Some(4000))]
    {
        let (placed, writes) = world.writes(|| world.place_at(&lines, units, total).unwrap());
        assert_eq!((placed.view.status, placed.view.order.total().get(), writes), (Status::Pending, 4000, 3));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_that_costs_something_else_is_refused_with_what_it_costs_and_without_a_write() {
    let world = World::new();
    let lines = [("item1", 2), ("item2", 1)];
    for (units, total) in [
        ([].as_slice(), Some(3999)),
        (&[("item1", 1001)], None),
        (&[("item2", 0)], None),
        (&[("item1", 1000), ("item2", 2000)], Some(4001)),
        (&[("item1", 999), ("item2", 2000)], Some(4000)),
        // One of the two is wrong.
        (&[("item1", 1000), ("item1", 999)], None),
    ] {
        let (refused, writes) = world.writes(|| world.place_at(&lines, units, total));
        assert_eq!(changed(refused), of(&[("item1", 1000), ("item2", 2000)], 4000));
        assert_eq!((writes, world.orders()), (0, 0));
    }
    assert_eq!((world.stock("item1"), world.stock("item2")), ((100, 0, 100), (50, 0, 50)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_price_that_changes_between_the_look_and_the_hold_refuses_the_order() {
    for total in [None, Some(2000)] {
        let world = World::new();
        world.meanwhile(|world| world.price("item1", 1200));
        let units = [("item1", 1000)];
        let units = if total.is_some() { &[] } else { units.as_slice() };
        assert_eq!(changed(world.place_at(&[("item1", 2)], units, total)), of(&[("item1", 1200)], 2400));
        assert_eq!((world.stock("item1"), world.holds("item1"), world.listed()), ((100, 0, 100), 0, vec![]));
        assert_eq!(world.orders(), 0);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_price_that_changes_before_the_second_hold_gives_back_the_first() {
    let world = World::new();
    world.meanwhile(|world| world.price("item2", 1900));
    let refused = world.place_keyed_at(&[("item1", 1), ("item2", 1)], &[("item2", 2000)]);
    assert_eq!(changed(refused), of(&[("item1", 1000), ("item2", 1900)], 2900));
    assert_eq!(
        (world.stock("item1"), world.stock("item2"), world.listed()),
        ((100, 0, 100), (50, 0, 50), vec![Status::Rejected])
    );
    // The key is free for what it costs now.
    let placed = world.place_keyed_at(&[("item1", 1), ("item2", 1)], &[("item2", 1900)]).unwrap();
    assert_eq!((placed.replayed, placed.view.order.total().get()), (false, 2900));
}

#[wasm_bindgen_test(unsupported = test)]
fn prices_that_change_to_the_same_total_are_those_of_the_order() {
    let world = World::new();
    world.meanwhile(|world| {
        world.price("item1", 1100);
        world.price("item2", 1900);
    });
    let placed = world.place_at(&[("item1", 1), ("item2", 1)], &[], Some(3000)).unwrap();
    let prices: Vec<_> = placed.view.order.lines().iter().map(|line| line.unit_price.get()).collect();
    assert_eq!((prices, world.listed()), (vec![1100, 1900], vec![Status::Pending]));
}

#[wasm_bindgen_test(unsupported = test)]
fn of_a_batch_those_are_refused_that_expect_the_price_before() {
    let world = World::new();
    world.meanwhile(|world| world.price("item1", 1200));
    let shops = [world.shop(), world.shop(), world.shop()];
    let orders = [
        order_at(&[("item1", 1)], &[("item1", 1000)], None),
        order_at(&[("item1", 1)], &[], None),
        order_at(&[("item1", 1)], &[], Some(1000)),
    ];
    let requests = shops.iter().zip(orders).map(|(shop, order)| shop.place(order, None)).collect();
    let answers = world.together(requests);
    let told: Vec<_> = answers.into_iter().map(|answer| answer.map(|placed| placed.view.order.total().get())).collect();
    assert!(matches!(told[0], Err(Error::PriceChanged(_))), "{told:?}");
    // Who says nothing pays what was there when the order was made.
    assert_eq!(told[1], Ok(1000));
    assert!(matches!(told[2], Err(Error::PriceChanged(_))), "{told:?}");
    assert_eq!((world.stock("item1"), world.listed()), ((100, 1, 99), vec![Status::Pending]));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_is_answered_as_before_after_the_price_has_changed_and_one_at_another_price_is_another_order() {
    let world = World::new();
    let first = world.place_keyed_at(&[("item1", 2)], &[("item1", 1000)]).unwrap();
    world.price("item1", 1200);
    for units in [[("item1", 1000)].as_slice(), &[]] {
        let again = world.place_keyed_at(&[("item1", 2)], units).unwrap();
        assert_eq!((again.replayed, &again.view), (true, &first.view));
    }
    let other = world.place_keyed_at(&[("item1", 2)], &[("item1", 1200)]);
    assert_eq!(other.unwrap_err(), Error::IdempotencyKeyReused);
    assert_eq!(world.stock("item1"), (100, 2, 98));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_repeat_carries_on_at_the_price_of_what_was_cut_off() {
    let world = World::new();
    let lines = [("item1", 1), ("item2", 1)];
    world.store.fail_after_writes(Some(2));
    assert!(world.place_keyed_at(&lines, &[("item2", 2000)]).is_err());
    world.store.fail_after_writes(None);
    world.price("item2", 1900);
    let placed = world.place_keyed_at(&lines, &[("item2", 2000)]).unwrap();
    assert_eq!((placed.replayed, placed.view.status, placed.view.order.total().get()), (true, Status::Pending, 3000));
}
