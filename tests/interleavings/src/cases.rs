//! The small cases that are searched completely.

use crate::request::Request::{Adjust, Cancel, Pay, Place, Put};
use crate::request::{Level, Name, Request};
use crate::world::{Case, Faults};

/// A case with its name, which is what it is about.
pub struct Named {
    pub name: &'static str,
    pub case: Case,
}

fn faults(crashes: usize, errors: usize, expiries: usize) -> Faults {
    Faults { crashes, errors, expiries }
}

/// An order for one of each of these.
fn one_of(items: &[Name], key: Option<Name>) -> Request {
    Place(items.iter().map(|item| (*item, 1)).collect(), key)
}

fn named(name: &'static str, stock: &[(Name, u64)], requests: Vec<Request>, faults: Faults) -> Named {
    let case = Case {
        level: Level::Domain,
        stock: stock.to_vec(),
        requests,
        together: Vec::new(),
        cold: false,
        before: Vec::new(),
        faults,
    };
    Named { name, case }
}

/// The case in which one instance serves the first `company` requests.
fn together(company: usize, mut named: Named) -> Named {
    named.case.together = (0..company).collect();
    named
}

/// What can happen to requests that are done together.
fn companies() -> Vec<Named> {
    let (k, l) = (Some("k"), Some("l"));
    let mut on_key_value = together(
        2,
        named(
            "a_company_on_key_value_and_somebody_faster",
            &[("a", 3)],
            vec![one_of(&["a"], k), one_of(&["a"], None), Adjust("a", 1, None)],
            faults(0, 1, 0),
        ),
    );
    on_key_value.case.level = Level::KeyValue;
    let mut payers = named(
        "two_payers_in_one_company_and_a_canceller",
        &[("a", 2)],
        vec![one_of(&["a"], None), one_of(&["a"], None), Pay(0), Pay(1), Cancel(0)],
        faults(1, 1, 1),
    );
    payers.case.together = vec![2, 3];
    // Both orders are placed.
    payers.case.before = vec![(0, 4), (1, 4)];
    vec![
        payers,
        together(
            2,
            named(
                "a_company_and_another_buyer_want_the_last_two",
                &[("a", 2)],
                vec![one_of(&["a"], None), one_of(&["a"], None), one_of(&["a"], None)],
                faults(1, 1, 0),
            ),
        ),
        together(
            3,
            named(
                "one_in_a_company_of_three_asks_for_too_much",
                &[("a", 2)],
                vec![one_of(&["a"], None), Place(vec![("a", 2)], None), one_of(&["a"], k)],
                faults(1, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "two_claimants_of_one_key_in_one_company_and_one_elsewhere",
                &[("a", 2)],
                vec![one_of(&["a"], k), one_of(&["a"], k), one_of(&["a"], k)],
                faults(0, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "a_company_over_two_items_stops_in_the_middle",
                &[("a", 1), ("b", 1)],
                vec![one_of(&["a", "b"], k), one_of(&["b"], l)],
                faults(1, 1, 0),
            ),
        ),
        together(
            2,
            named(
                "a_company_over_two_items_and_somebody_faster",
                &[("a", 1), ("b", 1)],
                vec![one_of(&["a", "b"], k), one_of(&["b"], l), Adjust("b", 1, None)],
                faults(1, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "a_company_whose_orders_are_paid_and_expire",
                &[("a", 2)],
                vec![one_of(&["a"], None), one_of(&["a"], k), Pay(0), Adjust("a", 1, None)],
                faults(0, 0, 1),
            ),
        ),
        on_key_value,
    ]
}

/// All of them.
pub fn all() -> Vec<Named> {
    let k = Some("k");
    let mut helper_completes = named(
        "a_helper_completes_what_its_creator_is_about_to_reject",
        &[("a", 1), ("b", 1)],
        vec![one_of(&["a", "b"], k), one_of(&["b"], None), one_of(&["a", "b"], k), Cancel(1)],
        faults(0, 0, 0),
    );
    // The first has seen that there is enough and written its order; then the second takes it away.
    helper_completes.case.before = vec![(0, 2), (1, 4)];
    let mut presets = named(
        "preset_items_by_two_first_requests",
        &[],
        vec![one_of(&["item3"], None), one_of(&["item3"], None)],
        faults(0, 0, 0),
    );
    presets.case.level = Level::KeyValue;
    // The first has made the ledger and item1 and is in the middle of item2; both are about to make item3 and the catalog.
    presets.case.before = vec![(0, 18), (1, 3)];
    let mut first_orders = named(
        "two_first_orders_of_their_instances_take_numbers",
        &[("a", 2)],
        vec![one_of(&["a"], None), one_of(&["a"], None)],
        faults(1, 1, 0),
    );
    first_orders.case.cold = true;
    let mut creators = named(
        "two_creators_of_one_item",
        &[("a", 1)],
        vec![Put("b", 1), Put("b", 2), one_of(&["b"], None)],
        faults(0, 1, 0),
    );
    creators.case.level = Level::KeyValue;
    let mut last_unit = named(
        "two_buyers_of_the_last_unit_on_key_value",
        &[("a", 1)],
        vec![one_of(&["a"], None), one_of(&["a"], None)],
        faults(1, 1, 0),
    );
    last_unit.case.level = Level::KeyValue;
    let mut cases = companies();
    cases.extend([
        named(
            "two_buyers_of_the_last_unit",
            &[("a", 1)],
            vec![one_of(&["a"], None), one_of(&["a"], None), Pay(0)],
            faults(1, 1, 1),
        ),
        named(
            "two_claimants_of_one_key_with_pay_and_settlement",
            &[("a", 2)],
            vec![one_of(&["a"], k), one_of(&["a"], k), Pay(0), Adjust("a", 1, None)],
            faults(0, 1, 0),
        ),
        named(
            "two_claimants_of_one_key_while_their_order_expires",
            &[("a", 2)],
            vec![one_of(&["a"], k), one_of(&["a"], k), Adjust("a", 1, None)],
            faults(1, 0, 1),
        ),
        named(
            "an_idempotent_repeat_during_a_crash",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], k), one_of(&["a", "b"], k)],
            faults(1, 1, 0),
        ),
        named(
            "two_executors_of_one_order_of_two_lines_and_a_restock",
            &[("a", 1), ("b", 0)],
            vec![one_of(&["a", "b"], k), one_of(&["a", "b"], k), Adjust("b", 1, None)],
            faults(1, 0, 0),
        ),
        named(
            "one_order_by_two_executors_with_pay_settlement_and_restock",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], k), one_of(&["a", "b"], k), Pay(0), Adjust("b", 1, None)],
            faults(0, 0, 0),
        ),
        helper_completes,
        named(
            "pay_against_cancel_against_expiry_on_two_lines",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], None), Pay(0), Cancel(0)],
            faults(1, 1, 1),
        ),
        named(
            "two_orders_over_the_same_two_items",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], None), one_of(&["b", "a"], None), Pay(0)],
            faults(0, 1, 0),
        ),
        named(
            "an_adjustment_below_what_is_being_reserved",
            &[("a", 1)],
            vec![one_of(&["a"], None), Adjust("a", -1, None), Pay(0)],
            faults(1, 2, 1),
        ),
        presets,
        creators,
        last_unit,
        first_orders,
    ]);
    cases
}
