//! The cases. The number of states is asserted, so that what is covered cannot shrink unseen.

use crate::invariants::Case;
use crate::search::search;
use crate::world::Faults;
use crate::world::Request::{Adjust, Cancel, Pay, Place};

fn holds(case: &Case, faults: Faults, states: usize) {
    let outcome = search(case, faults);
    assert_eq!(outcome.violation, None);
    assert_eq!(outcome.states, states);
}

#[test]
fn two_buyers_of_the_last_unit() {
    let case = Case { items: &[("a", 1)], requests: &[Place(&["a"], None), Place(&["a"], None), Pay(0)], before: &[] };
    holds(&case, Faults { crashes: 1, lost_answers: 1, expiries: 1 }, 43_282);
}

#[test]
fn two_claimants_of_one_key_with_pay_and_settlement() {
    let case = Case {
        items: &[("a", 2)],
        requests: &[Place(&["a"], Some("k")), Place(&["a"], Some("k")), Pay(0), Adjust("a", 1)],
        before: &[],
    };
    holds(&case, Faults { crashes: 1, lost_answers: 0, expiries: 0 }, 29_626);
}

#[test]
fn two_claimants_of_one_key_while_their_order_expires() {
    let case = Case {
        items: &[("a", 2)],
        requests: &[Place(&["a"], Some("k")), Place(&["a"], Some("k")), Adjust("a", 1)],
        before: &[],
    };
    holds(&case, Faults { crashes: 1, lost_answers: 0, expiries: 1 }, 41_545);
}

#[test]
fn two_executors_of_one_order_of_two_lines_and_a_restock() {
    let case = Case {
        items: &[("a", 1), ("b", 0)],
        requests: &[Place(&["a", "b"], Some("k")), Place(&["a", "b"], Some("k")), Adjust("b", 1)],
        before: &[],
    };
    holds(&case, Faults { crashes: 1, lost_answers: 1, expiries: 0 }, 22_912);
}

#[test]
fn a_helper_completes_what_its_creator_is_about_to_reject() {
    let case = Case {
        items: &[("a", 1), ("b", 1)],
        requests: &[Place(&["a", "b"], Some("k")), Place(&["b"], None), Place(&["a", "b"], Some("k")), Cancel(1)],
        // The first has seen that there is enough and written its order; then the second takes it away.
        before: &[(0, 3), (1, 5)],
    };
    holds(&case, Faults { crashes: 0, lost_answers: 0, expiries: 0 }, 40_781);
}

#[test]
fn pay_against_cancel_against_expiry_on_two_lines() {
    let case =
        Case { items: &[("a", 1), ("b", 1)], requests: &[Place(&["a", "b"], None), Pay(0), Cancel(0)], before: &[] };
    holds(&case, Faults { crashes: 1, lost_answers: 1, expiries: 1 }, 65_218);
}

#[test]
fn two_orders_over_the_same_two_items() {
    let case = Case {
        items: &[("a", 1), ("b", 1)],
        requests: &[Place(&["a", "b"], None), Place(&["b", "a"], None), Pay(0)],
        before: &[],
    };
    holds(&case, Faults { crashes: 1, lost_answers: 1, expiries: 0 }, 15_645);
}

#[test]
fn an_adjustment_below_what_is_being_reserved() {
    let case = Case { items: &[("a", 1)], requests: &[Place(&["a"], None), Adjust("a", -1), Pay(0)], before: &[] };
    holds(&case, Faults { crashes: 1, lost_answers: 2, expiries: 1 }, 18_401);
}
