//! Small cases, searched completely.

use std::sync::Mutex;

use interleavings::cases;
use interleavings::search::search;

/// How many states each case has: asserted, so that what is covered cannot shrink unseen.
const STATES: &[(&str, usize)] = &[
    ("a_helper_completes_what_its_creator_is_about_to_reject", 40_781),
    ("an_adjustment_below_what_is_being_reserved", 133_883),
    ("an_idempotent_repeat_during_a_crash", 52_119),
    ("one_order_by_two_executors_with_pay_settlement_and_restock", 16_439),
    ("pay_against_cancel_against_expiry_on_two_lines", 171_318),
    ("preset_items_by_two_first_requests", 60_573),
    ("two_buyers_of_the_last_unit", 96_717),
    ("two_buyers_of_the_last_unit_on_key_value", 3_246),
    ("two_claimants_of_one_key_while_their_order_expires", 41_545),
    ("two_claimants_of_one_key_with_pay_and_settlement", 55_930),
    ("two_creators_of_one_item", 174_213),
    ("two_executors_of_one_order_of_two_lines_and_a_restock", 3_645),
    ("two_orders_over_the_same_two_items", 31_729),
];

#[test]
fn every_state_of_the_small_cases_keeps_every_promise() {
    let cases = Mutex::new(cases::all().into_iter());
    let states = Mutex::new(Vec::new());
    let next = || cases.lock().expect("nobody panics here").next();
    let work = || {
        while let Some(named) = next() {
            let outcome = search(&named.case);
            if let Some((violation, story)) = outcome.violation {
                panic!("{}: {violation}\n{}", named.name, story.join("\n"));
            }
            states.lock().expect("nobody panics here").push((named.name, outcome.states));
        }
    };
    std::thread::scope(|scope| [(); 2].map(|()| drop(scope.spawn(work))));
    let mut states = states.into_inner().expect("nobody panics here");
    let mut expected = STATES.to_vec();
    states.sort_unstable();
    expected.sort_unstable();
    assert_eq!(states, expected);
}
