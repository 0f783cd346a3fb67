//! The bytes of items.

use domain::after_sale::Destination;
use domain::item::{Adjustment, Change, DecodeError, Hold, Item, Offer, Settlement};
use domain::{KeyDigest, Money, OrderId, ReturnId};
use wasm_bindgen_test::wasm_bindgen_test;

fn order(number: u8) -> OrderId {
    OrderId::from_random([number; 16])
}

fn key(number: u8) -> KeyDigest {
    KeyDigest::from_random([number; 16])
}

/// An item with some of everything.
fn full() -> Item {
    let mut item = Item::new(2_000_000.try_into().unwrap(), 1000.try_into().unwrap());
    item.advance_version();
    let named = Offer {
        max_per_order: Change::Set(1_000_000.try_into().unwrap()),
        name: Change::Set("Tea\u{fc}r".parse().unwrap()),
        image: Change::Set("https://a.example/b".parse().unwrap()),
        ..Offer::at(1000.try_into().unwrap())
    };
    assert!(item.offer(&named));
    // Neither placed nor expiring in the order of their ids.
    for (number, quantity, expires_at, key) in
        [(3, 1_000_000, 1_700_000_900_000, Some(key(9))), (1, 1, 1_700_000_100_000, None), (2, 256, 0, None)]
    {
        let quantity = u64::try_into(quantity).unwrap();
        item.hold(order(number), Hold { quantity, expires_at: u64::into(expires_at), key }).unwrap();
    }
    item.hold(order(6), Hold { quantity: 30.try_into().unwrap(), expires_at: 0.into(), key: None }).unwrap();
    item.settle(order(6), Settlement::Sold).unwrap();
    for (number, of) in [(1, 4), (2, 5)] {
        let hold = Hold { quantity: 1.try_into().unwrap(), expires_at: 0.into(), key: Some(key(number)) };
        item.hold(order(of), hold).unwrap();
        item.settle(order(of), Settlement::Released { key_reusable: false }).unwrap();
    }
    for number in 0..3 {
        item.adjust(Adjustment::new(key(number), 5.try_into().unwrap(), "found"), 5.try_into().unwrap()).unwrap();
    }
    for (number, to) in [(1, Destination::Stock), (2, Destination::WrittenOff)] {
        item.take_back(returned(number), order(6), 7.try_into().unwrap(), to).unwrap();
    }
    item
}

fn returned(number: u8) -> ReturnId {
    ReturnId::new(order(6), key(number))
}

#[wasm_bindgen_test(unsupported = test)]
fn returns_stand_where_the_description_says_and_an_item_without_any_has_the_bytes_that_it_had_before() {
    let mut item = Item::new(2.try_into().unwrap(), 0.try_into().unwrap());
    let hold = Hold { quantity: 2.try_into().unwrap(), expires_at: 0.into(), key: None };
    item.hold(order(6), hold).unwrap();
    item.settle(order(6), Settlement::Sold).unwrap();
    let before = b"\xd9\xd9\xf7\xa6\x66format\x01\x67version\x00\x67on_hand\x00\x6aunit_price\x00".to_vec();
    let before = [before.as_slice(), b"\x68received\x02\x64sold\x02"].concat();
    assert_eq!(item.to_bytes(), before);
    item.take_back(returned(1), order(6), 1.try_into().unwrap(), Destination::WrittenOff).unwrap();
    let is_remembered = Item::from_bytes(&item.to_bytes()).unwrap();
    assert_eq!((is_remembered.returns(), &is_remembered), ([(returned(1), order(6))].as_slice(), &item));
    assert!(item.forget_returns(|id, of| (id, of) == (returned(1), order(6))));
    let after = [&before[..3], b"\xa8", &before[4..], b"\x68returned\x01\x6bwritten_off\x01"].concat();
    assert_eq!(item.to_bytes(), after);
    assert_eq!(Item::from_bytes(&after), Ok(item));

    // More is written off than came back, nothing came back, or one of both is not said.
    let with = |fields: u8, end: &[u8]| [&before[..3], &[0xa6 + fields], &before[4..], end].concat();
    for (fields, end) in [
        (2, b"\x68returned\x01\x6bwritten_off\x02".as_slice()),
        (2, b"\x68returned\x00\x6bwritten_off\x00"),
        (1, b"\x68returned\x01"),
        (1, b"\x6bwritten_off\x01"),
        (2, b"\x6bwritten_off\x01\x68returned\x01"),
        (1, b"\x67returns\x80"),
    ] {
        assert_eq!(Item::from_bytes(&with(fields, end)), Err(DecodeError::Malformed), "{end:?}");
    }
    let twice = [b"\x82\x50".as_slice(), &[1; 16], b"\x50", &[2; 16]].concat();
    for (number, is_read) in [(1, true), (2, false)] {
        let returns = [b"\x67returns".as_slice(), &[0x80 + number], &twice.repeat(usize::from(number))].concat();
        assert_eq!(Item::from_bytes(&with(1, &returns)).is_ok(), is_read, "a return that is remembered {number} times");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_is_read_as_it_was_written() {
    let mut item = full();
    loop {
        assert_eq!(Item::from_bytes(&item.to_bytes()), Ok(item.clone()));
        let Some((order, _)) = item.holds().iter().next().copied() else { break };
        item.settle(order, Settlement::Released { key_reusable: true }).unwrap();
    }
    let new = Item::new(0.try_into().unwrap(), 0.try_into().unwrap());
    assert_eq!(Item::from_bytes(&new.to_bytes()), Ok(new));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_bytes_are_those_that_the_description_says() {
    let mut item = Item::new(100.try_into().unwrap(), 1000.try_into().unwrap());
    (0..7).for_each(|_| item.advance_version());
    item.hold(order(1), Hold { quantity: 2.try_into().unwrap(), expires_at: 24.into(), key: None }).unwrap();
    let mut expected =
        b"\xd9\xd9\xf7\xa5\x66format\x01\x67version\x07\x67on_hand\x18\x64\x6aunit_price\x19\x03\xe8".to_vec();
    expected.extend(b"\x65holds\xa3\x65order\x50\x01\x01\x01\x01\x01\x01\x41\x01\x81\x01\x01\x01\x01\x01\x01\x01");
    expected.extend(b"\x68quantity\x81\x02\x6aexpires_at\x81\x18\x18");
    assert_eq!(item.to_bytes(), expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_limit_stands_behind_the_price_and_an_item_without_one_has_the_bytes_that_it_had_before_there_were_limits() {
    let mut item = Item::new(1.try_into().unwrap(), 0.try_into().unwrap());
    let before = b"\xd9\xd9\xf7\xa4\x66format\x01\x67version\x00\x67on_hand\x01\x6aunit_price\x00".to_vec();
    assert_eq!(item.to_bytes(), before);
    let limit = |max_per_order| Offer { max_per_order, ..Offer::at(Money::ZERO) };
    assert!(item.offer(&limit(Change::Set(300.try_into().unwrap()))));
    let mut limited = [&before[..3], b"\xa5", &before[4..], b"\x6dmax_per_order\x19\x01\x2c"].concat();
    assert_eq!(item.to_bytes(), limited);
    assert_eq!(Item::from_bytes(&limited), Ok(item.clone()));
    assert!(!item.offer(&limit(Change::Keep)));
    assert_eq!(item.to_bytes(), limited);
    assert!(item.offer(&limit(Change::Remove)));
    assert_eq!(item.to_bytes(), before);
    // No order can have 0.
    let end = limited.len() - 3;
    limited.truncate(end);
    limited.push(0);
    assert_eq!(Item::from_bytes(&limited), Err(DecodeError::Malformed));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_name_and_an_image_stand_behind_the_limit_and_an_item_without_them_has_the_bytes_that_it_had_before_there_were_any()
{
    let mut item = Item::new(1.try_into().unwrap(), 0.try_into().unwrap());
    let before = item.to_bytes();
    let all = Offer {
        max_per_order: Change::Set(3.try_into().unwrap()),
        name: Change::Set("T\u{e9}".parse().unwrap()),
        image: Change::Set("https://a.b".parse().unwrap()),
        ..Offer::at(Money::ZERO)
    };
    assert!(item.offer(&all));
    assert!(!item.offer(&all));
    let parts = [b"\x6dmax_per_order\x03".as_slice(), b"\x64name\x63T\xc3\xa9", b"\x65image\x6bhttps://a.b"];
    let with = |fields: u8, parts: &[&[u8]]| [&before[..3], &[fields], &before[4..], &parts.concat()].concat();
    assert_eq!(item.to_bytes(), with(0xa7, &parts));
    assert_eq!(Item::from_bytes(&with(0xa7, &parts)), Ok(item.clone()));
    for (name, image, left) in [
        (Change::Remove, Change::Keep, with(0xa6, &[parts[0], parts[2]])),
        (Change::Keep, Change::Remove, with(0xa5, &[parts[0]])),
        (Change::Keep, Change::Keep, with(0xa5, &[parts[0]])),
    ] {
        item.offer(&Offer { name, image, ..Offer::at(Money::ZERO) });
        assert_eq!(item.to_bytes(), left);
        assert_eq!(Item::from_bytes(&left), Ok(item.clone()));
    }
    for wrong in [
        with(0xa6, &[parts[1], parts[0]]),
        with(0xa6, &[parts[2], parts[1]]),
        with(0xa6, &[parts[1], parts[1]]),
        // What no shop writes: an empty name, one that turns the text around it, and an image that is a program.
        with(0xa5, &[b"\x64name\x60"]),
        with(0xa5, &[b"\x64name\x64a\xe2\x80\xae"]),
        with(0xa5, &[b"\x64name\xf6"]),
        with(0xa5, &[b"\x65image\x6djavascript:1"]),
    ] {
        assert_eq!(Item::from_bytes(&wrong), Err(DecodeError::Malformed));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_longest_name_and_image_take_no_more_than_the_room_of_31_holds() {
    let mut item = Item::new(1.try_into().unwrap(), 0.try_into().unwrap());
    let empty = item.to_bytes().len();
    let name: String = "\u{1f980}".repeat(100);
    let image = format!("https://a.example/{}", "b".repeat(237));
    let longest = Offer {
        name: Change::Set(name.parse().unwrap()),
        image: Change::Set(image.parse().unwrap()),
        ..Offer::at(Money::ZERO)
    };
    item.offer(&longest);
    assert_eq!(item.to_bytes().len() - empty, 671);
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_that_were_cut_off_or_altered_are_no_other_item_or_none_at_all() {
    let item = full();
    let bytes = item.to_bytes();
    for length in 0..bytes.len() {
        assert_eq!(Item::from_bytes(&bytes[..length]), Err(DecodeError::Malformed), "cut off at {length}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            // What can still be read is written as it stands there: one item, one sequence of bytes. Only numbers can
            // be written in more than one length.
            if let Ok(other) = Item::from_bytes(&altered) {
                assert_ne!(other, item, "bit {bit} of byte {at}");
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_hold_takes_some_22_bytes() {
    let mut item = Item::new(1_000_000.try_into().unwrap(), 1000.try_into().unwrap());
    let empty = item.to_bytes().len();
    for number in 0..10_000_u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let expires_at = (1_700_000_000_000 + number * 90).into();
        item.hold(OrderId::from_random(id), Hold { quantity: 2.try_into().unwrap(), expires_at, key: None }).unwrap();
    }
    let bytes = item.to_bytes().len() - empty;
    assert!((200_000..=230_000).contains(&bytes), "{bytes} bytes for 10,000 holds");
}

#[wasm_bindgen_test(unsupported = test)]
fn bytes_that_say_what_an_item_says_in_another_way_are_no_item() {
    let bytes = full().to_bytes();
    let at = |part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap();
    let (holds, settled, adjusted) = (at(b"\x65holds"), at(b"\x6csettled_keys"), at(b"\x6badjustments"));
    let returns = at(b"\x67returns\x82");
    let parts = [
        &bytes[..holds],
        &bytes[holds..settled],
        &bytes[settled..adjusted],
        &bytes[adjusted..returns],
        &bytes[returns..],
    ];
    assert_eq!(parts.concat(), bytes);
    for order in [[0, 2, 1, 3, 4], [0, 1, 3, 2, 4], [0, 1, 2, 4, 3], [0, 1, 2, 2, 4], [0, 1, 1, 3, 4], [0, 1, 2, 4, 4]]
    {
        assert_eq!(Item::from_bytes(&order.map(|part| parts[part]).concat()), Err(DecodeError::Malformed), "{order:?}");
    }

    let new = Item::new(0.try_into().unwrap(), 0.try_into().unwrap());
    for fields in 0..4 {
        let mut bytes = new.to_bytes();
        bytes[3] = 0xa0 + fields;
        assert_eq!(Item::from_bytes(&bytes), Err(DecodeError::Malformed), "{fields} fields are said");
    }

    // What was received without what was sold, and accounts that say nothing.
    let full = full();
    let accounts = |item: &Item| (item.received(), item.sold());
    assert_eq!(accounts(&Item::from_bytes(&full.to_bytes()).unwrap()), (2_000_015, 30));
    assert_eq!((full.returned(), full.written_off(), full.is_balanced()), (14, 7, true));
    let mut sold = Item::new(2_000_045.try_into().unwrap(), 1000.try_into().unwrap());
    sold.hold(order(6), Hold { quantity: 30.try_into().unwrap(), expires_at: 0.into(), key: None }).unwrap();
    sold.settle(order(6), Settlement::Sold).unwrap();
    let bytes = sold.to_bytes();
    let received = bytes.windows(9).position(|window| window == b"\x68received").unwrap();
    let mut one = bytes[..received + 14].to_vec();
    one[3] = 0xa5;
    assert_eq!(Item::from_bytes(&one), Err(DecodeError::Malformed));
    let mut nothing = Item::new(1.try_into().unwrap(), 0.try_into().unwrap()).to_bytes();
    nothing[3] = 0xa6;
    nothing.extend(b"\x68received\x01\x64sold\x00");
    assert_eq!(Item::from_bytes(&nothing), Err(DecodeError::Malformed));

    // A column of keys without a key, and a hold that expires after the year 9999.
    let mut held = Item::new(1.try_into().unwrap(), 0.try_into().unwrap());
    held.hold(order(1), Hold { quantity: 1.try_into().unwrap(), expires_at: 24.into(), key: Some(key(1)) }).unwrap();
    let key = [b"\x50".as_slice(), &[1; 16]].concat();
    for (from, to) in [(key.as_slice(), b"\xf6".as_slice()), (b"\x18\x18", b"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff")] {
        let bytes = held.to_bytes();
        let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
        let bytes = [&bytes[..at], to, &bytes[at + from.len()..]].concat();
        assert_eq!(Item::from_bytes(&bytes), Err(DecodeError::Malformed));
    }
}
