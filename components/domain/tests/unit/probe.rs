//! Rules of the probe: who asks shares it, and for how long.

use domain::{Error, StoreError};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{World, run};

fn probe(world: &World) -> Result<(), Error> {
    run(world.shop().probe())
}

/// This number of requests of each instance at the same time.
fn probe_together(worlds: &[World], each: usize) {
    worlds.iter().for_each(|world| world.environment.set_waits_for_batch(true));
    let shops: Vec<_> = worlds.iter().flat_map(|world| (0..each).map(|_| world.shop())).collect();
    for outcome in worlds[0].together(shops.iter().map(|shop| shop.probe()).collect()) {
        outcome.unwrap();
    }
    worlds.iter().for_each(|world| world.environment.set_waits_for_batch(false));
}

/// An instance that has not yet probed, on the same store.
fn fresh(world: &World) -> World {
    world.elsewhere()
}

#[wasm_bindgen_test(unsupported = test)]
fn requests_of_an_instance_at_the_same_time_share_one_probe_also_where_none_was_made_before() {
    let world = World::new();
    world.store.let_probes_wait();
    probe_together(std::slice::from_ref(&world), 40);
    // The probe, and the record of it.
    assert_eq!((world.store.probes(), world.store.writes()), (1, 2));
}

#[wasm_bindgen_test(unsupported = test)]
fn requests_of_many_instances_at_the_same_time_share_one_probe() {
    let world = World::new();
    probe(&world).unwrap();
    world.wait(2);
    world.store.forget_writes();
    world.store.let_probes_wait();
    let worlds: Vec<_> = (0..8).map(|_| fresh(&world)).collect();
    probe_together(&worlds, 5);
    // The second of all. Its record is written when it begins and when it passes.
    assert_eq!((world.store.probes(), world.store.writes()), (2, 3));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_probe_serves_all_requests_of_a_second_and_others_read_when_it_was() {
    let world = World::new();
    for seconds in 1..4 {
        for _ in 0..10 {
            probe(&world).unwrap();
        }
        // Each of these is an instance of its own, as each request is on WASI 0.2.
        for _ in 0..10 {
            let (instance, writes) = (fresh(&world), world.store.writes());
            let shop = instance.shop();
            run(shop.probe()).unwrap();
            assert_eq!((shop.stats().calls, world.store.writes()), (1, writes));
        }
        assert_eq!(world.store.probes(), seconds);
        world.wait(1);
    }
    assert_eq!(world.count("probe:"), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_store_that_answers_no_more_is_not_ready_whatever_the_record_says() {
    let world = World::new();
    probe(&world).unwrap();
    world.store.go_down();
    let down = Err(Error::Store(StoreError::Unavailable("down".to_owned())));
    assert_eq!(probe(&fresh(&world)), down);
    world.wait(1);
    assert_eq!(probe(&world), down);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failure_is_told_for_a_second_by_its_instance_and_found_by_each_other_one() {
    let world = World::new();
    probe(&world).unwrap();
    world.wait(1);
    world.store.fail_after_writes(Some(1));
    assert!(probe(&world).is_err());
    assert!(probe(&fresh(&world)).is_err());
    world.store.fail_after_writes(None);
    assert!(probe(&world).is_err());
    world.wait(1);
    probe(&world).unwrap();
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_of_another_clock_is_believed_neither_before_nor_after_its_second() {
    for (millis, probes) in [(999, 1), (1000, 2), (-999, 1), (-1000, 2), (-1_000_000, 2)] {
        let world = World::new();
        probe(&world).unwrap();
        let now = world.environment.millis().checked_add_signed(millis).unwrap();
        world.environment.set_millis(now);
        probe(&fresh(&world)).unwrap();
        assert_eq!(world.store.probes(), probes, "{millis}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_was_found_in_the_record_is_not_told_for_another_second() {
    let world = World::new();
    let other = fresh(&world);
    probe(&world).unwrap();
    for (millis, probes) in [(600, 1), (600, 2)] {
        world.environment.wait_millis(millis);
        probe(&other).unwrap();
        assert_eq!(world.store.probes(), probes);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_probe_that_was_cut_off_is_taken_over() {
    let world = World::new();
    probe(&world).unwrap();
    world.wait(1);
    world.store.records_mut().insert(
        "probe:last".to_owned(),
        format!(r#"{{"at":{},"passed":false}}"#, world.environment.millis()).into_bytes(),
    );
    probe(&fresh(&world)).unwrap();
    world.wait(1);
    probe(&fresh(&world)).unwrap();
    probe(&fresh(&world)).unwrap();
    assert_eq!(world.store.probes(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_not_known_in_the_place_of_the_record_stays_as_it_is() {
    let world = World::new();
    let unknown = br#"{"at":1,"passed":true,"more":0}"#.to_vec();
    world.store.records_mut().insert("probe:last".to_owned(), unknown.clone());
    probe(&world).unwrap();
    probe(&fresh(&world)).unwrap();
    assert_eq!((world.store.probes(), &world.store.records()["probe:last"]), (2, &unknown));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_store_is_told_apart_from_one_that_does_not_answer_and_that_is_shared_too() {
    let world = World::new();
    probe(&world).unwrap();
    world.wait(2);
    world.store.fill(true);
    assert!(matches!(probe(&world), Err(Error::Store(StoreError::Full(_)))));
    let probes = world.store.probes();
    assert!(matches!(probe(&fresh(&world)), Err(Error::Store(StoreError::Full(_)))));
    assert_eq!(world.store.probes(), probes);
    world.store.fill(false);
    world.wait(2);
    assert_eq!(probe(&fresh(&world)), Ok(()));
}
