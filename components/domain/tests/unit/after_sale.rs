//! What can happen to an order after it is paid, without a store.

use domain::after_sale::{AfterSaleEvent, Destination, MAX_RETURNS, ReturnError, ReturnedGoods};
use domain::fulfilment::{Carrier, Shipment, TrackingNumber, TrackingUrl};
use domain::order::Lines;
use domain::order_state::{Event, Illegal, OrderState, Payment};
use domain::text::Reason;
use domain::{KeyDigest, Money, OrderId, PaymentMethod, ReturnId, Status, status};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::id;

fn lines(lines: &[(&str, u64)]) -> Lines {
    Lines::new(lines.iter().map(|(item, quantity)| (id(item), (*quantity).try_into().unwrap()))).unwrap()
}

/// What the order of these tests has.
fn sold() -> Lines {
    lines(&[("a", 3), ("b", 1)])
}

fn name(number: usize) -> ReturnId {
    ReturnId::new(OrderId::from_random([1; 16]), KeyDigest::new("returns", &number.to_string()))
}

fn claim(number: usize, of: &[(&str, u64)]) -> Event {
    let goods = ReturnedGoods { lines: lines(of), to: Destination::Stock, reason: Reason::default() };
    Event::AfterSale(AfterSaleEvent::ClaimReturn { id: name(number), goods, sold: sold(), at: 5.into() })
}

fn finish(number: usize) -> Event {
    Event::AfterSale(AfterSaleEvent::FinishReturn(name(number)))
}

fn fulfil(carrier: &str, delivered: bool, at: u64) -> Event {
    let shipment = Shipment { carrier: Some(carrier.parse().unwrap()), ..Shipment::default() };
    Event::AfterSale(AfterSaleEvent::Fulfil { shipment, delivered, sold: sold(), at: at.into() })
}

fn paid(events: impl IntoIterator<Item = Event>) -> Result<OrderState, Illegal> {
    let (amount, method) = (Money::ZERO, PaymentMethod::unspecified());
    let payment = Event::Pay(Payment { amount, method, paid_at: 1.into(), reference: None });
    [payment].into_iter().chain(events).try_fold(OrderState::NEW, |state, event| state.apply(event, 100.into()))
}

#[wasm_bindgen_test(unsupported = test)]
fn goods_of_a_paid_order_go_out_and_come_back_and_of_no_other() {
    for events in [vec![], vec![Event::Cancel { at: 1.into() }], vec![Event::Expire { at: 100.into() }]] {
        let apply = |state: OrderState, event| state.apply(event, 100.into());
        let state = events.into_iter().try_fold(OrderState::NEW, apply).unwrap();
        for event in [claim(1, &[("a", 1)]), finish(1), fulfil("x", false, 2)] {
            assert_eq!(state.apply(event, 100.into()), Err(Illegal), "{state:?}");
        }
    }
    let state = paid([claim(1, &[("a", 1)]), finish(1), fulfil("x", false, 2)]).unwrap();
    assert!(state.payment().is_some() && state.after_sale().returns()[0].done);
    assert_eq!(status(&state, true), Status::Fulfilled);
}

#[wasm_bindgen_test(unsupported = test)]
fn each_line_comes_back_at_most_as_often_as_it_was_sold_over_all_returns() {
    let state = paid([claim(1, &[("a", 2)]), claim(2, &[("a", 1), ("b", 1)])]).unwrap();
    assert_eq!(state.after_sale().returns().len(), 2);
    for more in [claim(3, &[("a", 1)]), claim(3, &[("b", 1)])] {
        assert_eq!(state.apply(more, 100.into()), Err(Illegal));
    }
    let state = paid([claim(1, &[("a", 2)]), finish(1)]).unwrap();
    let too_many = ReturnError::MoreThanSold { item_id: id("a"), sold: 3, left: 1, requested: 2 };
    assert_eq!(state.after_sale().check_return(&lines(&[("a", 2), ("b", 1)]), &sold()), Err(too_many));
    let not_in_it = ReturnError::MoreThanSold { item_id: id("c"), sold: 0, left: 0, requested: 1 };
    assert_eq!(state.after_sale().check_return(&lines(&[("c", 1)]), &sold()), Err(not_in_it));
    assert_eq!(state.after_sale().check_return(&lines(&[("a", 1), ("b", 1)]), &sold()), Ok(()));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_return_is_claimed_once_and_done_once() {
    let claimed = paid([claim(1, &[("a", 1)])]).unwrap();
    assert_eq!(claimed.apply(claim(1, &[("b", 1)]), 100.into()), Err(Illegal));
    assert_eq!(claimed.apply(finish(2), 100.into()), Err(Illegal), "it is not on record");
    let done = claimed.apply(finish(1), 100.into()).unwrap();
    assert_eq!(done.apply(finish(1), 100.into()), Err(Illegal));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_has_so_many_returns_and_no_more() {
    let sold = lines(&[("a", 1000)]);
    let goods = || ReturnedGoods { lines: lines(&[("a", 1)]), to: Destination::WrittenOff, reason: Reason::default() };
    let claim = |number: usize| {
        let (id, goods, sold) = (name(number), goods(), sold.clone());
        Event::AfterSale(AfterSaleEvent::ClaimReturn { id, goods, sold, at: 5.into() })
    };
    let full = paid((0..MAX_RETURNS).map(claim)).unwrap();
    assert_eq!(full.apply(claim(MAX_RETURNS), 100.into()), Err(Illegal));
    assert_eq!(full.after_sale().check_return(&goods().lines, &sold), Err(ReturnError::TooMany));
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<OrderState>(&text).unwrap(), full);
    let one = r#"{"id":"00000000000000000000000000000001","lines":[["a",1]],"to":"stock","at":1},"#;
    let more = text.replacen(r#""returns":["#, &format!(r#""returns":[{one}"#), 1);
    assert!(serde_json::from_str::<OrderState>(&more).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn how_goods_go_out_is_changed_until_they_are_delivered() {
    let sent = paid([fulfil("x", false, 2), fulfil("y", false, 3)]).unwrap();
    let fulfilment = sent.after_sale().fulfilment().unwrap();
    assert_eq!(fulfilment.shipment.carrier.as_ref().unwrap().as_str(), "y");
    assert_eq!((fulfilment.fulfilled_at, fulfilment.delivered_at), (2.into(), None), "they went out once");
    let delivered = sent.apply(fulfil("z", true, 4), 100.into()).unwrap();
    let fulfilment = delivered.after_sale().fulfilment().unwrap();
    assert_eq!((fulfilment.fulfilled_at, fulfilment.delivered_at), (2.into(), Some(4.into())));
    for event in [fulfil("z", true, 5), fulfil("z", false, 5), fulfil("x", true, 5)] {
        assert_eq!(delivered.apply(event, 100.into()), Err(Illegal));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_whose_goods_all_came_back_before_they_were_sent_has_nothing_to_be_sent() {
    let all = || claim(1, &[("a", 3), ("b", 1)]);
    assert_eq!(paid([all(), fulfil("x", false, 2)]), Err(Illegal));
    assert!(paid([claim(1, &[("a", 3)]), fulfil("x", false, 2)]).is_ok());
    assert!(paid([fulfil("x", false, 2), all(), fulfil("y", true, 3)]).is_ok(), "they were sent");
}

#[wasm_bindgen_test(unsupported = test)]
fn a_record_that_no_order_has_is_not_read() {
    let record = |more: &str| format!(r#"{{"state":"paid","amount":1,"method":"card","paid_at":1,{more}}}"#);
    let one = |lines: &str| format!(r#"{{"id":"{:032x}","lines":{lines},"to":"stock","at":1}}"#, 1);
    assert!(serde_json::from_str::<OrderState>(&record(&format!(r#""returns":[{}]"#, one(r#"[["a",1]]"#)))).is_ok());
    for more in [
        format!(r#""returns":[{0},{0}]"#, one(r#"[["a",1]]"#)),
        format!(r#""returns":[{}]"#, one("[]")),
        format!(r#""returns":[{}]"#, one(r#"[["a",0]]"#)),
        format!(r#""returns":[{}]"#, one(r#"[["b",1],["a",1]]"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1],["a",1]]"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a"]]"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1,1]]"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1]],"more":1"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1]],"at":1"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1]],"reason":null"#)),
        format!(r#""returns":[{}]"#, one(r#"[["a",1]],"done":null"#)),
        r#""returns":null"#.to_owned(),
        r#""fulfilment":{"fulfilled_at":1,"shipment":null}"#.to_owned(),
        r#""fulfilment":{"fulfilled_at":1,"shipment":{"more":"a"}}"#.to_owned(),
        r#""fulfilment":{}"#.to_owned(),
        r#""fulfilment":{"fulfilled_at":1,"shipment":{"carrier":""}}"#.to_owned(),
        r#""fulfilment":{"fulfilled_at":1,"shipment":{"tracking_url":"http://a"}}"#.to_owned(),
        r#""fulfilment":{"fulfilled_at":1,"more":1}"#.to_owned(),
    ] {
        assert!(serde_json::from_str::<OrderState>(&record(&more)).is_err(), "{more}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_text_has_its_bounds() {
    for (text, is_one) in [("", false), ("DHL", true), ("顺丰速运", true), ("a\nb", false), ("a\u{202e}b", false)] {
        assert_eq!(
            (text.parse::<Carrier>().is_ok(), text.parse::<TrackingNumber>().is_ok()),
            (is_one, is_one),
            "{text}"
        );
    }
    for (length, is_one) in [(64, true), (65, false)] {
        for character in ["a", "件", "𝒳"] {
            let text = character.repeat(length);
            assert_eq!((text.parse::<Carrier>().is_ok(), text.parse::<TrackingNumber>().is_ok()), (is_one, is_one));
        }
    }
    for (length, is_one) in [(0, true), (256, true), (257, false)] {
        assert_eq!(Reason::try_from("件".repeat(length)).is_ok(), is_one);
    }
    assert!(Reason::try_from("a\u{7f}".to_owned()).is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_tracking_page_is_at_an_address_that_a_page_can_link_to() {
    for url in [
        "https://a",
        "https://track.example/?id=1Z%20999&lang=de#top",
        "https://track.example:8443",
        "https://track.example/a/@b",
        &format!("https://a/{}", "x".repeat(1014)),
    ] {
        assert!(url.parse::<TrackingUrl>().is_ok(), "{url}");
    }
    for url in [
        "",
        "https://",
        "https:///a",
        "http://track.example",
        "HTTPS://track.example",
        " https://track.example",
        "javascript:alert(1)",
        "//track.example",
        "track.example",
        "https://track.example/a b",
        "https://track.example/\"",
        "https://track.example/<",
        "https://track.example/{id}",
        "https://track.example\\@evil.example",
        "https://track.example@evil.example/",
        "https://a:b@evil.example/",
        "https://a:0/",
        "https://a:65536/",
        "https://a:/",
        "https://a..b/",
        "https://.a/",
        "https://\u{0430}.example/",
        "https://track.example/\n",
        &format!("https://a/{}", "x".repeat(1015)),
    ] {
        assert!(url.parse::<TrackingUrl>().is_err(), "{url}");
    }
}
