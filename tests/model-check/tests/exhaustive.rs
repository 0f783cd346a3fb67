//! Small cases, searched completely.

use std::sync::Mutex;

use model_check::cases;
use model_check::search::search;

/// How many states each case has: asserted, so that what is covered cannot shrink unseen.
const STATES: &[(&str, usize)] = &[
    ("a_batch_and_another_buyer_want_the_last_two", 87_809),
    ("a_batch_of_four_during_settlement", 3_484),
    ("a_batch_on_key_value_and_a_faster_request", 111_511),
    ("a_batch_over_two_items_and_a_faster_request", 3_596),
    ("a_batch_over_two_items_stops_in_the_middle", 5_409),
    ("a_batch_whose_orders_are_paid_and_expire", 337_261),
    ("a_cache_with_one_place", 1_509),
    ("a_charge_in_a_session_that_another_has_replaced", 526_687),
    ("a_charge_in_a_session_that_was_closed", 20_473),
    ("a_charge_of_another_amount", 339_066),
    ("a_claimant_behind_another_buyer_in_one_batch_and_one_elsewhere", 12_458),
    ("a_customer_who_is_short_while_a_payment_is_overdue", 1_106_338),
    ("a_helper_completes_what_its_creator_is_about_to_reject", 99_103),
    ("a_lost_session_in_which_the_buyer_is_charged_all_the_same", 113_563),
    ("a_payer_at_the_provider_on_key_value_and_a_canceller", 5_188),
    ("a_payer_at_the_provider_while_the_order_is_placed", 3_278_284),
    ("a_payer_at_the_provider_whose_calls_fail_and_a_canceller", 371_043),
    ("a_payment_that_no_replica_has", 1_048_426),
    ("a_price_changes_while_it_is_expected", 337_760),
    ("a_price_changes_while_one_of_a_batch_expects_it", 94_430),
    ("a_provider_that_refuses", 42_993),
    ("a_refund_of_a_charge_in_a_session_that_is_on_no_record", 2_256_538),
    ("a_refund_that_fails_later_and_another_of_the_same_money", 307_171),
    ("a_refund_that_fails_later_and_is_made_again", 103_875),
    ("a_refund_that_is_sent_twice", 392_620),
    ("a_refund_while_goods_go_out_and_come_back", 159_597),
    ("a_refund_whose_answers_are_lost_and_a_sweep", 444_806),
    ("a_return_of_an_order_that_is_being_paid_or_expires", 13_836),
    ("a_return_of_two_lines_that_stops_in_the_middle", 10_543),
    ("a_return_sent_twice_and_an_adjustment_that_settles", 662_206),
    ("a_return_sent_twice_on_key_value", 2_666),
    ("a_return_sent_twice_whose_goods_are_sold_again", 98_874),
    ("a_return_that_no_replica_has", 41_928),
    ("a_session_that_no_replica_has", 1_029_079),
    ("a_slow_request_holds_for_an_order_that_was_swept", 29_510),
    ("a_slow_request_maps_the_key_of_an_order_that_was_swept", 1_639_355),
    ("a_slow_sweep_on_key_value_and_a_claimant_of_the_key", 52_200),
    ("a_sweep_of_an_order_of_two_lines_that_is_placed_and_expires", 358_278),
    ("a_sweep_of_an_order_that_is_placed_and_cancelled", 20_562),
    ("a_sweep_of_an_order_whose_buyer_pays", 149_154),
    ("a_sweep_of_an_order_whose_charge_came_too_late", 58_342),
    ("a_sweep_of_an_order_with_a_charge_of_another_amount", 123_103),
    ("a_sweep_that_stopped_halfway_and_a_claimant_of_the_key", 1_625),
    ("a_sweep_while_an_order_is_paid_or_expires", 240_643),
    ("an_adjustment_below_what_is_being_reserved", 645_513),
    ("an_idempotent_repeat_during_a_crash", 13_566),
    ("an_item_that_an_earlier_version_filled", 382_209),
    ("an_item_with_room_for_three_holds", 1_516),
    ("an_order_that_no_replica_has", 59_900),
    ("an_order_whose_session_is_lost", 1_236_911),
    ("cancels_that_cannot_release", 114_951),
    ("numbers_that_no_replica_has", 61_436),
    ("one_in_a_batch_of_three_asks_for_too_much", 48_964),
    ("one_key_with_two_first_items", 337),
    ("one_order_by_two_executors_with_pay_settlement_and_restock", 35_822),
    ("orders_of_one_key_in_the_list", 178_012),
    ("pay_against_cancel_against_expiry_on_two_lines", 194_056),
    ("preset_items_by_two_first_requests", 119_821),
    ("two_buyers_of_the_last_unit", 169_092),
    ("two_buyers_of_the_last_unit_on_key_value", 997),
    ("two_claimants_of_one_key_in_one_batch_and_one_elsewhere", 34_301),
    ("two_claimants_of_one_key_while_their_order_expires", 47_574),
    ("two_claimants_of_one_key_whose_order_is_swept", 6_365),
    ("two_claimants_of_one_key_with_pay_and_settlement", 106_448),
    ("two_creators_of_one_item", 116_993),
    ("two_executors_of_one_order_of_two_lines_and_a_restock", 2_113),
    ("two_first_orders_of_their_instances_take_numbers", 13_015),
    ("two_messages_about_a_charge_that_came_too_late", 223_542),
    ("two_orders_over_the_same_two_items", 7_507),
    ("two_payers_at_the_provider_and_a_canceller", 72_601),
    ("two_payers_at_the_provider_in_one_batch", 146_936),
    ("two_payers_in_one_batch_and_a_canceller", 588_638),
    ("two_refunds_of_more_than_was_paid", 55_348),
    ("two_refunds_without_a_provider", 2_918),
    ("two_returns_of_more_than_was_sold", 5_263),
    ("two_servers_whose_clocks_differ", 56_501),
    ("two_sweeps_and_a_claimant_of_the_key", 33_297),
    ("two_who_say_how_goods_go_out_and_a_return", 24_882),
];

#[test]
fn every_state_of_the_small_cases_keeps_every_promise() {
    let cases = Mutex::new(cases::all().into_iter());
    let states = Mutex::new(Vec::new());
    let next = || cases.lock().expect("no thread panics with it locked").next();
    let work = || {
        while let Some(named) = next() {
            let outcome = search(&named.case);
            if let Some((violation, story)) = outcome.violation {
                panic!("{}: {violation}\n{}", named.name, story.join("\n"));
            }
            states.lock().expect("no thread panics with it locked").push((named.name, outcome.states));
        }
    };
    std::thread::scope(|scope| [(); 2].map(|()| drop(scope.spawn(work))));
    let mut states = states.into_inner().expect("no thread panics with it locked");
    let mut expected = STATES.to_vec();
    states.sort_unstable();
    expected.sort_unstable();
    assert_eq!(states, expected);
}
