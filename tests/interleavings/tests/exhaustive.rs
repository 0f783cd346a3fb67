//! Small cases, searched completely.

use std::sync::Mutex;

use interleavings::cases;
use interleavings::search::search;

/// How many states each case has: asserted, so that what is covered cannot shrink unseen.
const STATES: &[(&str, usize)] = &[
    ("a_company_and_another_buyer_want_the_last_two", 87_809),
    ("a_company_on_key_value_and_somebody_faster", 111_511),
    ("a_company_over_two_items_and_somebody_faster", 3_257),
    ("a_company_over_two_items_stops_in_the_middle", 5_182),
    ("a_company_whose_orders_are_paid_and_expire", 278_152),
    ("a_helper_completes_what_its_creator_is_about_to_reject", 64_281),
    ("an_adjustment_below_what_is_being_reserved", 330_486),
    ("an_idempotent_repeat_during_a_crash", 12_996),
    ("one_in_a_company_of_three_asks_for_too_much", 33_494),
    ("one_order_by_two_executors_with_pay_settlement_and_restock", 9_108),
    ("pay_against_cancel_against_expiry_on_two_lines", 133_087),
    ("preset_items_by_two_first_requests", 119_821),
    ("two_buyers_of_the_last_unit", 115_996),
    ("two_buyers_of_the_last_unit_on_key_value", 997),
    ("two_claimants_of_one_key_in_one_company_and_one_elsewhere", 18_717),
    ("two_claimants_of_one_key_while_their_order_expires", 47_972),
    ("two_claimants_of_one_key_with_pay_and_settlement", 37_039),
    ("two_creators_of_one_item", 116_993),
    ("two_executors_of_one_order_of_two_lines_and_a_restock", 1_672),
    ("two_first_orders_of_their_instances_take_numbers", 13_015),
    ("two_orders_over_the_same_two_items", 7_229),
    ("two_payers_in_one_company_and_a_canceller", 82_685),
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
