//! What Stripe is asked to charge, by currency and by line.

use domain::order::Order;
use domain::{Checkout, Provider, ProviderError};
use serde_json::json;

use super::{ORDER, Script, order_of, run, session, settings_in};

/// The line items of the session that is opened for an order: name, unit amount and quantity of each.
fn items(currency: &str, order: &Order) -> Vec<(String, String, String)> {
    let lower = currency.to_ascii_lowercase();
    let unit = crate::currency::Unit::of(&order.currency).unwrap();
    let total = unit.exactly(order.total()).unwrap();
    let script = Script::default().answers(200, &session(&json!({"amount_total": total, "currency": lower})));
    let opened = run(script.stripe(settings_in(currency)).open(Checkout { order, attempt: 0 }));
    assert!(opened.is_ok(), "{opened:?}");
    let body = script.sent()[0].body.clone();
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let value = |name: String| form.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    let line = |index: usize| {
        let data = format!("line_items[{index}][price_data]");
        assert!(value(format!("{data}[currency]")).is_none_or(|currency| currency == lower));
        let name = value(format!("{data}[product_data][name]"))?;
        Some((name, value(format!("{data}[unit_amount]"))?, value(format!("line_items[{index}][quantity]"))?))
    };
    (0..).map_while(line).collect()
}

fn texts(items: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    items.iter().map(|(name, amount, quantity)| ((*name).into(), (*amount).into(), (*quantity).into())).collect()
}

#[test]
fn lines_are_sent_in_the_unit_of_stripe() {
    for (currency, price, sent) in [
        ("CNY", 1000, "1000"),
        ("JPY", 500, "500"),
        ("ISK", 500, "50000"),
        ("MGA", 500_000, "5000"),
        ("KWD", 5120, "5120"),
    ] {
        assert_eq!(items(currency, &order_of(currency, &[("a", 3, price)])), texts(&[("a", sent, "3")]), "{currency}");
    }
}

#[test]
fn a_line_that_costs_nothing_is_shown_too() {
    let order = order_of("CNY", &[("a", 3, 1000), ("b", 1, 0)]);
    assert_eq!(items("CNY", &order), texts(&[("a", "1000", "3"), ("b", "0", "1")]));
}

/// An order of two lines, of which the first is of an item that was called so.
fn named(name: &str) -> Order {
    let lines = json!([
        {"item_id": "a", "quantity": 3, "unit_price": 1000, "name": name},
        {"item_id": "b", "quantity": 1, "unit_price": 5}
    ]);
    let placed =
        json!({"order_id": ORDER, "lines": lines, "total": 3005, "currency": "CNY", "placed_at": 1, "expires_at": 2});
    serde_json::from_value(placed).unwrap()
}

#[test]
fn a_line_is_called_what_its_item_was_called_when_it_was_sold_or_else_its_id() {
    for name in ["Teapot, blue", "\u{8336}\u{58f6} & <b>=1+1", &"\u{1f980}".repeat(100)] {
        assert_eq!(items("CNY", &named(name)), texts(&[(name, "1000", "3"), ("b", "5", "1")]));
    }
}

#[test]
fn lines_that_stripe_cannot_show_become_one() {
    let name = format!("Order {ORDER}");
    // Each is too fine, and their sum is not.
    let order = order_of("KWD", &[("a", 1, 1005), ("b", 1, 1005)]);
    assert_eq!(items("KWD", &order), texts(&[(&name, "2010", "1")]));
    let order = order_of("MGA", &[("a", 2, 50)]);
    assert_eq!(items("MGA", &order), texts(&[(&name, "1", "1")]));
    // More units than a line may have.
    let order = order_of("CNY", &[("a", 1_000_000, 3)]);
    assert_eq!(items("CNY", &order), texts(&[(&name, "3000000", "1")]));
    assert_eq!(items("CNY", &order_of("CNY", &[("a", 999_999, 1)])), texts(&[("a", "1", "999999")]));
    // More lines than a session may have.
    let names: Vec<String> = (0..101).map(|index| format!("a{index:03}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 7)).collect();
    assert_eq!(items("CNY", &order_of("CNY", &lines)), texts(&[(&name, "707", "1")]));
    assert_eq!(items("CNY", &order_of("CNY", &lines[..100])).len(), 100);
}

#[test]
fn an_amount_that_stripe_does_not_charge_is_refused_by_name_and_not_sent() {
    for (currency, price, reason) in [
        ("CNY", 0, "Stripe charges no less than 1 minor units of CNY, and this is 0"),
        ("USD", 49, "Stripe charges no less than 50 minor units of USD, and this is 49"),
        ("KWD", 5124, "Stripe charges only multiples of 10 minor units of KWD, and this is 5124"),
        ("CNY", 1_000_000_000_000, "Stripe charges no amount of CNY as large as 1000000000000 minor units"),
    ] {
        let script = Script::default();
        let order = order_of(currency, &[("a", 1, price)]);
        let stripe = script.stripe(settings_in(currency));
        let refused = run(stripe.open(Checkout { order: &order, attempt: 0 })).unwrap_err();
        assert_eq!(refused, ProviderError::Refused(reason.to_owned()));
        assert_eq!(stripe.settings().check_amount(order.total()).unwrap_err().to_string(), reason);
        assert_eq!(script.sent(), []);
    }
}

#[test]
fn an_order_in_a_currency_that_the_shop_had_before_is_refused() {
    let script = Script::default();
    let order = order_of("EUR", &[("a", 1, 1000)]);
    let refused = run(script.stripe(settings_in("CNY")).open(Checkout { order: &order, attempt: 0 })).unwrap_err();
    assert_eq!(refused, ProviderError::Refused("the order is in EUR, and the shop in CNY".to_owned()));
    assert_eq!(script.sent(), []);
}
