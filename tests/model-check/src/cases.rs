//! The small cases that are searched completely.

use std::time::Duration;

use domain::Limits;
use domain::after_sale::Destination;

use crate::request::Request::{
    Abandon, Adjust, Cancel, List, Notice, Pay, Place, PlaceAt, Price, Put, Refund, RefundNotice, Retry, Returns, Send,
    Show, Sweep, TakeBack,
};
use crate::request::{LIMITS, Level, Name, Request, Rules};
use crate::world::{Case, Faults};

/// A case with its name, which is what it is about.
pub struct Named {
    pub name: &'static str,
    pub case: Case,
}

fn faults(crashes: usize, errors: usize, expiries: usize) -> Faults {
    Faults { crashes, errors, expiries, ..Faults::default() }
}

/// An order for one of each of these.
fn one_of(items: &[Name], key: Option<Name>) -> Request {
    Place(items.iter().map(|item| (*item, 1)).collect(), key)
}

fn named(name: &'static str, stock: &[(Name, u64)], requests: Vec<Request>, faults: Faults) -> Named {
    let case = Case {
        rules: Rules::of(Level::Domain),
        stock: stock.to_vec(),
        requests,
        together: Vec::new(),
        cold: false,
        behind: Vec::new(),
        before: Vec::new(),
        before_pays: false,
        before_limits: false,
        faults,
    };
    Named { name, case }
}

/// The case in which one instance serves the first `batch` requests.
fn together(batch: usize, mut named: Named) -> Named {
    named.case.together = (0..batch).collect();
    named
}

/// What can happen to requests that are done together.
fn batches() -> Vec<Named> {
    let (k, l) = (Some("k"), Some("l"));
    let mut on_key_value = together(
        2,
        named(
            "a_batch_on_key_value_and_a_faster_request",
            &[("a", 3)],
            vec![one_of(&["a"], k), one_of(&["a"], None), Adjust("a", 1, None)],
            faults(0, 1, 0),
        ),
    );
    on_key_value.case.rules.level = Level::KeyValue;
    let mut payers = named(
        "two_payers_in_one_batch_and_a_canceller",
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
                "a_batch_and_another_buyer_want_the_last_two",
                &[("a", 2)],
                vec![one_of(&["a"], None), one_of(&["a"], None), one_of(&["a"], None)],
                faults(1, 1, 0),
            ),
        ),
        together(
            3,
            named(
                "one_in_a_batch_of_three_asks_for_too_much",
                &[("a", 2)],
                vec![one_of(&["a"], None), Place(vec![("a", 2)], None), one_of(&["a"], k)],
                faults(1, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "two_claimants_of_one_key_in_one_batch_and_one_elsewhere",
                &[("a", 2)],
                vec![one_of(&["a"], k), one_of(&["a"], k), one_of(&["a"], k)],
                faults(0, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "a_claimant_behind_another_buyer_in_one_batch_and_one_elsewhere",
                &[("a", 1)],
                vec![one_of(&["a"], None), one_of(&["a"], k), one_of(&["a"], k)],
                faults(0, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "a_batch_over_two_items_stops_in_the_middle",
                &[("a", 1), ("b", 1)],
                vec![one_of(&["a", "b"], k), one_of(&["b"], l)],
                faults(1, 1, 0),
            ),
        ),
        together(
            2,
            named(
                "a_batch_over_two_items_and_a_faster_request",
                &[("a", 1), ("b", 1)],
                vec![one_of(&["a", "b"], k), one_of(&["b"], l), Adjust("b", 1, None)],
                faults(1, 0, 0),
            ),
        ),
        together(
            2,
            named(
                "a_batch_whose_orders_are_paid_and_expire",
                &[("a", 2)],
                vec![one_of(&["a"], None), one_of(&["a"], k), Pay(0), Adjust("a", 1, None)],
                faults(0, 0, 1),
            ),
        ),
        on_key_value,
    ]
}

/// More calls than a request makes: all of them.
const ALL: usize = 100;

/// What can happen at the limits of records, caches, clocks and copies.
fn limits() -> Vec<Named> {
    let (k, l, m) = (Some("k"), Some("l"), Some("m"));
    let keyed = |key| one_of(&["a"], key);

    let mut full = named(
        "an_item_with_room_for_three_holds",
        &[("a", 9)],
        vec![
            keyed(k),
            keyed(l),
            keyed(m),
            keyed(Some("n")),
            keyed(Some("o")),
            keyed(Some("p")),
            Adjust("a", 1, None),
            Pay(0),
        ],
        faults(0, 1, 1),
    );
    full.case.before = (0..6).map(|number| (number, ALL)).collect();
    full.case.rules.limits = Limits { record_bytes: 360, reserved_bytes: 110, ..LIMITS };

    let mut earlier = named(
        "an_item_that_an_earlier_version_filled",
        &[("a", 9)],
        vec![keyed(k), keyed(l), keyed(m), keyed(Some("n")), Adjust("a", 1, None), keyed(Some("o"))],
        faults(1, 0, 1),
    );
    earlier.case.before = (0..4).map(|number| (number, ALL)).collect();
    earlier.case.before_limits = true;
    earlier.case.rules.limits = Limits { record_bytes: 235, reserved_bytes: 20, ..LIMITS };

    let mut clocks = named(
        "two_servers_whose_clocks_differ",
        &[("a", 1)],
        vec![one_of(&["a"], None), Show(0), Pay(0), Cancel(0), Pay(0)],
        faults(0, 1, 1),
    );
    clocks.case.before = vec![(0, ALL)];
    clocks.case.behind = vec![2, 3];

    let mut listed =
        named("orders_of_one_key_in_the_list", &[("a", 2)], vec![keyed(k), keyed(k), List, Cancel(1)], faults(0, 0, 1));
    listed.case.behind = vec![3];

    let mut failover = named(
        "a_payment_that_no_replica_has",
        &[("a", 1)],
        vec![one_of(&["a"], None), Pay(0), Pay(0), Cancel(0), Show(0)],
        Faults { failovers: 1, ..faults(0, 1, 0) },
    );
    failover.case.before = vec![(0, ALL)];

    let placed = named(
        "an_order_that_no_replica_has",
        &[("a", 1)],
        vec![keyed(k), keyed(k), Show(0)],
        Faults { failovers: 1, ..faults(0, 1, 0) },
    );

    let mut numbers = named(
        "numbers_that_no_replica_has",
        &[("a", 2)],
        vec![one_of(&["a"], None), one_of(&["a"], None)],
        Faults { failovers: 1, ..faults(0, 1, 0) },
    );
    numbers.case.cold = true;

    let mut release = named(
        "cancels_that_cannot_release",
        &[("a", 2), ("b", 1)],
        vec![one_of(&["a", "b"], None), one_of(&["a"], None), Cancel(0), Cancel(1)],
        faults(1, 3, 0),
    );
    release.case.before = vec![(0, ALL), (1, ALL)];

    let mut cache = named(
        "a_cache_with_one_place",
        &[("a", 2), ("b", 2)],
        vec![one_of(&["a", "b"], None), one_of(&["a", "b"], k), Put("a", 1)],
        faults(0, 0, 0),
    );
    cache.case.rules = Rules { claims: 1, ..Rules::of(Level::KeyValue) };

    let mut first_items = named(
        "one_key_with_two_first_items",
        &[("a", 1), ("b", 1)],
        vec![keyed(k), one_of(&["b"], k), Pay(0), Pay(1), Adjust("a", 1, None), Adjust("b", 1, None), keyed(k)],
        faults(1, 1, 0),
    );
    first_items.case.before = (0..5).map(|number| (number, ALL)).collect();
    let every_key = Limits { mappings_per_write: 1, ..LIMITS };
    first_items.case.rules = Rules { limits: every_key, ..Rules::of(Level::KeyValue) };

    let mut four = together(
        4,
        named(
            "a_batch_of_four_during_settlement",
            &[("a", 6)],
            vec![
                one_of(&["a"], None),
                keyed(k),
                one_of(&["a"], None),
                keyed(l),
                keyed(m),
                one_of(&["a"], None),
                Cancel(5),
                Adjust("a", 1, None),
            ],
            faults(0, 0, 0),
        ),
    );
    // One is paid, one is being cancelled, and the four have come.
    four.case.requests.push(Pay(4));
    four.case.before = vec![(4, ALL), (5, ALL), (8, ALL), (0, 1), (1, 1), (2, 1), (3, 1)];
    four.case.rules.limits = every_key;

    vec![full, earlier, clocks, listed, failover, placed, numbers, release, cache, first_items, four]
}

/// What can happen while closed orders are removed, at once after they were closed.
fn sweeps() -> Vec<Named> {
    let k = Some("k");
    let keyed = || one_of(&["a"], k);
    let mut cases = vec![
        named(
            "a_sweep_of_an_order_that_is_placed_and_cancelled",
            &[("a", 1)],
            vec![keyed(), Cancel(0), Sweep],
            faults(1, 1, 0),
        ),
        named(
            "a_sweep_of_an_order_of_two_lines_that_is_placed_and_expires",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], None), Sweep, Pay(0)],
            faults(0, 1, 1),
        ),
        named("a_sweep_while_an_order_is_paid_or_expires", &[("a", 1)], vec![keyed(), Pay(0), Sweep], faults(1, 1, 1)),
        named(
            "two_claimants_of_one_key_whose_order_is_swept",
            &[("a", 2)],
            vec![keyed(), keyed(), Cancel(0), Sweep],
            faults(0, 0, 0),
        ),
        named(
            "two_sweeps_and_a_claimant_of_the_key",
            &[("a", 2)],
            vec![keyed(), Cancel(0), Sweep, Sweep, keyed()],
            faults(1, 1, 0),
        ),
        named(
            "a_slow_request_maps_the_key_of_an_order_that_was_swept",
            &[("a", 3)],
            vec![keyed(), Cancel(0), Adjust("a", 1, None), Sweep, keyed(), Pay(4), Adjust("a", 1, None), keyed()],
            faults(0, 0, 0),
        ),
        named(
            "a_slow_request_holds_for_an_order_that_was_swept",
            &[("a", 1)],
            vec![one_of(&["a"], None), Cancel(0), Sweep, one_of(&["a"], None)],
            faults(0, 0, 0),
        ),
    ];
    cases[3].case.before = vec![(0, ALL)];
    cases[4].case.before = vec![(0, ALL), (1, ALL)];
    // The cancelling request is about to write the mapping, and to swap the item.
    cases[5].case.before = vec![(0, ALL), (1, 3), (2, ALL), (3, ALL)];
    let mut halfway = named(
        "a_sweep_that_stopped_halfway_and_a_claimant_of_the_key",
        &[("a", 3)],
        vec![keyed(), Cancel(0), Sweep, keyed(), Pay(3), Adjust("a", 1, None), Sweep, keyed()],
        faults(0, 0, 0),
    );
    // The first sweep has removed the mapping, and not the order.
    halfway.case.before = vec![(0, ALL), (1, ALL), (2, 9), (3, ALL), (4, ALL)];
    cases.push(halfway);
    let mut on_key_value = named(
        "a_slow_sweep_on_key_value_and_a_claimant_of_the_key",
        &[("a", 3)],
        vec![keyed(), Cancel(0), Sweep, Sweep, keyed(), Pay(4), Adjust("a", 1, None), keyed()],
        faults(0, 0, 0),
    );
    // One sweep is about to remove the mapping, and another one has removed the order.
    on_key_value.case.before = vec![(0, ALL), (1, ALL), (2, 11), (3, ALL)];
    on_key_value.case.rules.level = Level::KeyValue;
    cases.push(on_key_value);
    for case in &mut cases {
        case.case.rules.closed_orders_kept = Some(Duration::ZERO);
        case.case.rules.limits = Limits { mappings_per_write: 1, ..LIMITS };
    }
    cases
}

/// What can happen where buyers pay at a provider.
fn payments() -> Vec<Named> {
    let order = || one_of(&["a"], None);
    let lies = Faults { charges_all_the_same: 1, ..faults(0, 1, 0) };
    let mut cases = vec![
        named(
            "two_payers_at_the_provider_and_a_canceller",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0), Cancel(0)],
            Faults { closes: 1, slow: 1, forgets: 1, ..faults(1, 0, 0) },
        ),
        named(
            "a_payer_at_the_provider_whose_calls_fail_and_a_canceller",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0)],
            Faults { slow: 1, forgets: 1, ..faults(1, 1, 1) },
        ),
        named(
            "a_customer_who_is_short_while_a_payment_is_overdue",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0), order()],
            faults(1, 1, 1),
        ),
        named(
            "a_charge_in_a_session_that_was_closed",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0)],
            Faults { crashes: 1, forgets: 1, ..lies },
        ),
        named(
            "two_messages_about_a_charge_that_came_too_late",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0), Notice(0, 0)],
            Faults { crashes: 1, forgets: 1, ..lies },
        ),
        named(
            "a_charge_in_a_session_that_another_has_replaced",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0), Notice(0, 0), Notice(0, 1)],
            Faults { closes: 1, ..lies },
        ),
        named(
            "a_refund_of_a_charge_in_a_session_that_is_on_no_record",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0), Notice(0, 0)],
            Faults { closes: 1, ..lies },
        ),
        named(
            "a_charge_of_another_amount",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0)],
            Faults { wrong_charges: 1, ..faults(1, 0, 1) },
        ),
        named(
            "a_sweep_of_an_order_with_a_charge_of_another_amount",
            &[("a", 1)],
            vec![order(), Pay(0), Sweep, Cancel(0)],
            Faults { wrong_charges: 1, ..faults(1, 0, 1) },
        ),
        named(
            "an_order_whose_session_is_lost",
            &[("a", 1)],
            vec![order(), Pay(0), Abandon(0), Cancel(0), Notice(0, 0)],
            Faults { losses: 1, ..faults(1, 1, 1) },
        ),
        named(
            "a_lost_session_in_which_the_buyer_is_charged_all_the_same",
            &[("a", 1)],
            vec![order(), Pay(0), Abandon(0), Notice(0, 0), Sweep],
            Faults { losses: 1, charges_all_the_same: 1, ..faults(1, 0, 0) },
        ),
        named(
            "a_refund_that_fails_later_and_is_made_again",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0), RefundNotice(0, 0), Retry(0)],
            Faults { charges_all_the_same: 1, refund_failures: 1, ..faults(1, 0, 0) },
        ),
        named(
            "a_provider_that_refuses",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0)],
            Faults { refusals: 1, closes: 1, ..faults(1, 1, 1) },
        ),
        named(
            "a_sweep_of_an_order_whose_buyer_pays",
            &[("a", 1)],
            vec![order(), Pay(0), Sweep, Notice(0, 0)],
            Faults { slow: 1, ..faults(1, 1, 1) },
        ),
        named(
            "a_sweep_of_an_order_whose_charge_came_too_late",
            &[("a", 1)],
            vec![order(), Pay(0), Cancel(0), Notice(0, 0), Sweep],
            Faults { crashes: 1, ..lies },
        ),
        named(
            "a_session_that_no_replica_has",
            &[("a", 1)],
            vec![order(), Pay(0), Pay(0), Cancel(0)],
            Faults { failovers: 1, ..faults(0, 1, 0) },
        ),
    ];
    for case in &mut cases {
        case.case.before = vec![(0, ALL)];
        case.case.rules.provider = true;
    }
    // The buyer is at the provider.
    for case in cases.iter_mut().filter(|case| case.name.starts_with("a_charge_in")) {
        case.case.before.push((1, ALL));
    }
    for case in cases
        .iter_mut()
        .filter(|case| case.name.starts_with("an_order_whose_session") || case.name.starts_with("a_lost_session"))
    {
        case.case.before.push((1, ALL));
    }
    for case in cases
        .iter_mut()
        .filter(|case| case.name.starts_with("a_refund_that_fails_later") || case.name.starts_with("two_messages"))
    {
        case.case.before.extend([(1, ALL), (2, ALL)]);
    }
    // The order was cancelled.
    for case in cases.iter_mut().filter(|case| case.name.ends_with("charge_came_too_late")) {
        case.case.before.extend([(1, ALL), (2, ALL)]);
        case.case.rules.closed_orders_kept = Some(Duration::ZERO);
    }
    let mut batch = named(
        "two_payers_at_the_provider_in_one_batch",
        &[("a", 2)],
        vec![order(), order(), Pay(0), Pay(1), Cancel(0)],
        Faults { closes: 1, ..faults(1, 0, 0) },
    );
    batch.case.before = vec![(0, ALL), (1, ALL)];
    batch.case.together = vec![2, 3];
    let mut on_key_value = named(
        "a_payer_at_the_provider_on_key_value_and_a_canceller",
        &[("a", 1)],
        vec![order(), Pay(0), Cancel(0)],
        faults(1, 1, 0),
    );
    on_key_value.case.before = vec![(0, ALL)];
    on_key_value.case.rules.level = Level::KeyValue;
    let mut two_lines = named(
        "a_payer_at_the_provider_while_the_order_is_placed",
        &[("a", 1), ("b", 1)],
        vec![one_of(&["a", "b"], Some("k")), one_of(&["a", "b"], Some("k")), Pay(0), Cancel(0)],
        faults(1, 0, 1),
    );
    for case in [&mut batch, &mut on_key_value, &mut two_lines] {
        case.case.rules.provider = true;
    }
    cases.extend([batch, on_key_value, two_lines]);
    cases
}

/// What can happen while goods of a paid order come back.
fn returns() -> Vec<Named> {
    let back = |quantity, key| TakeBack(0, vec![("a", quantity)], key, Destination::Stock);
    let both = || TakeBack(0, vec![("a", 1), ("b", 1)], "r", Destination::Stock);
    let sold = |quantity| Place(vec![("a", quantity)], None);
    let no_replica = named(
        "a_return_that_no_replica_has",
        &[("a", 1)],
        vec![sold(1), Pay(0), back(1, "r"), back(1, "r")],
        Faults { failovers: 1, ..faults(0, 1, 0) },
    );
    let mut on_key_value = named(
        "a_return_sent_twice_on_key_value",
        &[("a", 1)],
        vec![sold(1), Pay(0), back(1, "r"), back(1, "r")],
        faults(1, 0, 0),
    );
    on_key_value.case.rules.level = Level::KeyValue;
    let mut cases = vec![
        named(
            "a_return_sent_twice_and_an_adjustment_that_settles",
            &[("a", 2)],
            vec![sold(1), Pay(0), back(1, "r"), back(1, "r"), Adjust("a", 1, None)],
            faults(1, 1, 0),
        ),
        named(
            "a_return_sent_twice_whose_goods_are_sold_again",
            &[("a", 1)],
            vec![sold(1), Pay(0), back(1, "r"), back(1, "r"), sold(1)],
            faults(1, 0, 0),
        ),
        named(
            "two_returns_of_more_than_was_sold",
            &[("a", 2)],
            vec![sold(2), Pay(0), back(1, "r"), TakeBack(0, vec![("a", 2)], "s", Destination::WrittenOff), Returns(0)],
            faults(1, 0, 0),
        ),
        named(
            "a_return_of_two_lines_that_stops_in_the_middle",
            &[("a", 1), ("b", 1)],
            vec![one_of(&["a", "b"], None), Pay(0), both(), Sweep],
            faults(1, 1, 0),
        ),
        named(
            "two_who_say_how_goods_go_out_and_a_return",
            &[("a", 1)],
            vec![sold(1), Pay(0), Send(0, "x", false), Send(0, "y", true), back(1, "r")],
            faults(1, 1, 0),
        ),
        no_replica,
        on_key_value,
    ];
    for case in &mut cases {
        case.case.before = vec![(0, ALL), (1, ALL)];
    }
    cases.push(named(
        "a_return_of_an_order_that_is_being_paid_or_expires",
        &[("a", 1)],
        vec![sold(1), Pay(0), back(1, "r")],
        faults(1, 1, 1),
    ));
    cases
}

/// What can happen while the operator gives back some of what was paid for an order that costs three.
fn refunds() -> Vec<Named> {
    let sold = || Place(vec![("a", 3)], None);
    let mut cases = vec![
        named(
            "two_refunds_of_more_than_was_paid",
            &[("a", 3)],
            vec![sold(), Pay(0), Pay(0), Refund(0, 2, "r"), Refund(0, 2, "s")],
            Faults { forgets: 1, ..faults(1, 1, 0) },
        ),
        named(
            "a_refund_that_is_sent_twice",
            &[("a", 3)],
            vec![sold(), Pay(0), Pay(0), Refund(0, 2, "r"), Refund(0, 2, "r")],
            Faults { forgets: 1, ..faults(1, 1, 0) },
        ),
        named(
            "a_refund_whose_answers_are_lost_and_a_sweep",
            &[("a", 3)],
            vec![sold(), Pay(0), Pay(0), Refund(0, 2, "r"), Sweep],
            Faults { forgets: 1, ..faults(1, 2, 0) },
        ),
        named(
            "a_refund_that_fails_later_and_another_of_the_same_money",
            &[("a", 3)],
            vec![sold(), Pay(0), Pay(0), Refund(0, 2, "r"), RefundNotice(0, 0), Refund(0, 3, "s")],
            Faults { refund_failures: 1, ..Faults::default() },
        ),
        named(
            "a_refund_while_goods_go_out_and_come_back",
            &[("a", 3)],
            vec![
                sold(),
                Pay(0),
                Pay(0),
                Refund(0, 3, "r"),
                Send(0, "x", false),
                TakeBack(0, vec![("a", 3)], "b", Destination::Stock),
            ],
            faults(1, 0, 0),
        ),
    ];
    for case in &mut cases {
        // The buyer has paid, and the order is paid.
        case.case.before = vec![(0, ALL), (1, ALL), (2, ALL)];
        case.case.before_pays = true;
        case.case.rules.provider = true;
    }
    let mut without_provider = named(
        "two_refunds_without_a_provider",
        &[("a", 3)],
        vec![sold(), Pay(0), Refund(0, 2, "r"), Refund(0, 2, "s"), Refund(0, 2, "r")],
        faults(1, 1, 0),
    );
    without_provider.case.before = vec![(0, ALL), (1, ALL)];
    cases.push(without_provider);
    cases
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
    presets.case.rules.level = Level::KeyValue;
    // The first has made the ledger and item1 and is in the middle of item2; both are about to make item3 and the
    // catalog.
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
    creators.case.rules.level = Level::KeyValue;
    let mut last_unit = named(
        "two_buyers_of_the_last_unit_on_key_value",
        &[("a", 1)],
        vec![one_of(&["a"], None), one_of(&["a"], None)],
        faults(1, 1, 0),
    );
    last_unit.case.rules.level = Level::KeyValue;
    let prices = named(
        "a_price_changes_while_it_is_expected",
        &[("a", 2), ("b", 2)],
        vec![PlaceAt(vec![("a", 1), ("b", 1)], None, 1), Price("b", 2), Price("b", 1), one_of(&["b"], None)],
        faults(0, 1, 0),
    );
    let batch_at_a_price = together(
        2,
        named(
            "a_price_changes_while_one_of_a_batch_expects_it",
            &[("a", 2)],
            vec![PlaceAt(vec![("a", 1)], k, 1), one_of(&["a"], None), Price("a", 2)],
            faults(1, 1, 0),
        ),
    );
    let mut cases = batches();
    cases.extend(limits());
    cases.extend(sweeps());
    cases.extend(payments());
    cases.extend(returns());
    cases.extend(refunds());
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
        prices,
        batch_at_a_price,
        presets,
        creators,
        last_unit,
        first_orders,
    ]);
    cases
}
