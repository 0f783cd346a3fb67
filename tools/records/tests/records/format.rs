//! The forms that records have.

use ciborium::Value as Cbor;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use records::{Item, read, write};
use serde_json::{Value, json};
use uuid::Uuid;

const ITEM: &str = "inventory:item1~00000000000000ab";

/// An item in which there is something of everything, in JSON.
fn full() -> Value {
    json!({
        "version": 7,
        "on_hand": 100,
        "unit_price": 1000,
        "max_per_order": 5,
        "name": "Teapot",
        "image": "https://a.b",
        "received": 130,
        "sold": 30,
        "returned": 3,
        "written_off": 1,
        "holds": {
            "01010101-0101-4101-8101-010101010101": {
                "quantity": 2, "expires_at": 1_700_000_900_000_u64, "key": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
            },
            "02020202-0202-4202-8202-020202020202": { "quantity": 1_000_000, "expires_at": 1_700_000_899_000_u64 },
        },
        "settled_keys": { "04040404040404040404040404040404": "03030303-0303-4303-8303-030303030303" },
        "adjustments": [{ "key": "05050505050505050505050505050505", "request": "0606060606060606" }],
        "returns": [{ "id": "07070707070707070707070707070707", "order": "03030303-0303-4303-8303-030303030303" }],
    })
}

/// The same item as it is stored, written by hand after RFC 8949.
const FULL: &[&str] = &[
    "d9d9f7",                                              // tag 55799
    "af",                                                  // a map of 15
    "66666f726d6174 01",                                   // "format": 1
    "6776657273696f6e 07",                                 // "version": 7
    "676f6e5f68616e64 1864",                               // "on_hand": 100
    "6a756e69745f7072696365 1903e8",                       // "unit_price": 1000
    "6d6d61785f7065725f6f72646572 05",                     // "max_per_order": 5
    "646e616d65 66546561706f74",                           // "name": "Teapot"
    "65696d616765 6b68747470733a2f2f612e62",               // "image": "https://a.b"
    "687265636569766564 1882",                             // "received": 130
    "64736f6c64 181e",                                     // "sold": 30
    "6872657475726e6564 03",                               // "returned": 3
    "6b7772697474656e5f6f6666 01",                         // "written_off": 1
    "65686f6c6473 a4",                                     // "holds": a map of 4
    "656f72646572 5820",                                   // "order": 32 bytes
    "01010101010141018101010101010101",                    // an id
    "02020202020242028202020202020202",                    // and another
    "687175616e74697479 82 02 1a000f4240",                 // "quantity": [2, 1000000]
    "6a657870697265735f6174 82 1b0000018bcff323a0 3903e7", // "expires_at": [1700000900000, -1000]
    "636b6579 82 500f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f f6",   // "key": [16 bytes, null]
    "6c736574746c65645f6b657973 81 82",                    // "settled_keys": [[
    "5004040404040404040404040404040404",                  // the digest of a key,
    "5003030303030343038303030303030303",                  // an id]]
    "6b61646a7573746d656e7473 81 82",                      // "adjustments": [[
    "5005050505050505050505050505050505",                  // the digest of a key,
    "480606060606060606",                                  // that of a request]]
    "6772657475726e73 81 82",                              // "returns": [[
    "5007070707070707070707070707070707",                  // the name of a return,
    "5003030303030343038303030303030303",                  // an id]]
];

fn bytes(hexadecimal: &[&str]) -> Vec<u8> {
    hex::decode(hexadecimal.concat().replace(' ', "")).expect("it is hexadecimal")
}

#[test]
fn an_item_has_the_bytes_that_the_format_says() {
    assert_eq!(hex::encode(write(ITEM, &full()).unwrap()), hex::encode(bytes(FULL)));
    assert_eq!(read(ITEM, &bytes(FULL)).unwrap(), full());
}

#[test]
fn of_an_item_what_is_empty_is_left_out() {
    let item = json!({ "version": 0, "on_hand": 5, "unit_price": 0 });
    let stored = ["d9d9f7 a4 66666f726d6174 01 6776657273696f6e 00 676f6e5f68616e64 05 6a756e69745f7072696365 00"];
    assert_eq!(hex::encode(write(ITEM, &item).unwrap()), hex::encode(bytes(&stored)));
    assert_eq!(read(ITEM, &bytes(&stored)).unwrap(), item);
    let empty =
        json!({ "version": 0, "on_hand": 5, "unit_price": 0, "holds": {}, "settled_keys": {}, "adjustments": [] });
    assert_eq!(write(ITEM, &empty).unwrap(), bytes(&stored));
}

/// Any text of this number of hexadecimal digits.
fn digest(digits: usize) -> impl Strategy<Value = String> {
    vec(any::<u8>(), digits / 2).prop_map(hex::encode)
}

fn order_id() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string())
}

/// Mostly small ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..2000_u64, 2 => 1_700_000_000_000..1_700_001_000_000_u64, 1 => any::<u64>()]
}

fn hold() -> impl Strategy<Value = Value> {
    (number(), number(), proptest::option::of(digest(32))).prop_map(|(quantity, expires_at, key)| {
        let mut hold = json!({ "quantity": quantity, "expires_at": expires_at });
        hold.as_object_mut().unwrap().extend(key.map(|key| ("key".to_owned(), key.into())));
        hold
    })
}

/// Any item, in JSON.
fn item() -> impl Strategy<Value = Value> {
    let adjustment = (digest(32), digest(16)).prop_map(|(key, request)| json!({ "key": key, "request": request }));
    let parts = (
        btree_map(order_id(), hold(), 0..30).prop_map(|holds| json!(holds)),
        btree_map(digest(32), order_id(), 0..30).prop_map(|keys| json!(keys)),
        vec(adjustment, 0..30).prop_map(Value::from),
        btree_map(digest(32), order_id(), 0..10)
            .prop_map(|returns| returns.into_iter().map(|(id, order)| json!({ "id": id, "order": order })).collect()),
    );
    let accounts = proptest::option::of((number(), 1..u64::MAX, proptest::option::of((1..u64::MAX, 0..=1_u64))));
    let numbers = (number(), number(), number(), proptest::option::of(number()), accounts);
    let labels = ["name", "image"].map(|name| proptest::option::of(any::<String>().prop_map(move |text| (name, text))));
    (numbers, labels, parts).prop_map(
        |((version, on_hand, unit_price, limit, accounts), labels, (holds, keys, adjustments, returns))| {
            let mut item = json!({ "version": version, "on_hand": on_hand, "unit_price": unit_price });
            if let Some(limit) = limit {
                item["max_per_order"] = limit.into();
            }
            for (name, text) in labels.into_iter().flatten() {
                item[name] = text.into();
            }
            if let Some((received, sold, back)) = accounts {
                item["received"] = received.into();
                item["sold"] = sold.into();
                if let Some((returned, written_off)) = back {
                    item["returned"] = returned.into();
                    item["written_off"] = written_off.into();
                }
            }
            let parts = [("holds", holds), ("settled_keys", keys), ("adjustments", adjustments), ("returns", returns)];
            let parts = parts.into_iter().filter(|(_, part)| *part != json!({}) && *part != json!([]));
            item.as_object_mut().unwrap().extend(parts.map(|(name, part)| (name.to_owned(), part)));
            item
        },
    )
}

/// What is done to bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let place = any::<Index>;
        prop_oneof![
            (place(), any::<u8>()).prop_map(|(at, byte)| Self::Flip(at, byte)),
            (place(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            place().prop_map(Self::Remove),
            place().prop_map(Self::Cut),
        ]
    }

    fn to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            _ if bytes.is_empty() => {}
            Self::Flip(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Remove(at) => _ = bytes.remove(at.index(bytes.len())),
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(item in item()) {
        prop_assert_eq!(read(ITEM, &write(ITEM, &item).unwrap()).unwrap(), item);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_item(item in item(), damages in vec(Damage::any(), 1..4)) {
        let mut bytes = write(ITEM, &item).unwrap();
        damages.iter().for_each(|damage| damage.to(&mut bytes));
        // Numbers may have become longer than they need be.
        if let Ok(item) = Item::decode(&bytes) {
            prop_assert!(item.encode().len() <= bytes.len());
        }
    }

    #[test]
    fn just_any_bytes_are_an_error(bytes in vec(any::<u8>(), 0..200), tagged: bool) {
        let bytes = [if tagged { &[0xd9, 0xd9, 0xf7][..] } else { &[] }, &bytes].concat();
        prop_assert!(read(ITEM, &bytes).is_err());
    }
}

/// Changes a stored item, which is a map with a tag.
fn changed(change: impl FnOnce(&mut Vec<(Cbor, Cbor)>)) -> Vec<u8> {
    let mut stored: Cbor = ciborium::from_reader(bytes(FULL).as_slice()).unwrap();
    change(stored.as_tag_mut().unwrap().1.as_map_mut().unwrap());
    let mut bytes = Vec::new();
    ciborium::into_writer(&stored, &mut bytes).unwrap();
    bytes
}

/// A field of a stored map.
fn field<'a>(map: &'a mut [(Cbor, Cbor)], name: &str) -> &'a mut Cbor {
    &mut map.iter_mut().find(|(key, _)| key.as_text() == Some(name)).unwrap().1
}

/// Changes a column of the holds of a stored item.
fn column_changed(name: &str, change: impl FnOnce(&mut Cbor)) -> Vec<u8> {
    changed(|item| change(field(field(item, "holds").as_map_mut().unwrap(), name)))
}

#[test]
fn a_change_that_changes_nothing_is_read() {
    assert_eq!(changed(|_| ()), bytes(FULL));
}

#[test]
fn a_number_may_be_longer_than_it_needs_be() {
    let longer = FULL.concat().replace("676f6e5f68616e64 1864", "676f6e5f68616e64 190064");
    assert_eq!(read(ITEM, &bytes(&[&longer])).unwrap(), full());
}

#[test]
fn an_item_in_another_form_is_not_read() {
    let push = |column: &mut Cbor, value: Cbor| column.as_array_mut().unwrap().push(value);
    let replaced = |from: &str, to: &str| bytes(&[&FULL.concat().replace(from, to)]);
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("JSON", full().to_string().into_bytes()),
        ("no tag", bytes(FULL)[3..].to_vec()),
        ("another tag", replaced("d9d9f7", "d9d9f8")),
        ("two tags", replaced("d9d9f7", "d9d9f7d9d9f7")),
        ("the end is missing", bytes(&FULL[..FULL.len() - 1])),
        ("something behind the end", [bytes(FULL), vec![0]].concat()),
        ("a map without a length", [replaced("d9d9f7af", "d9d9f7bf"), vec![0xff]].concat()),
        ("another format", changed(|item| *field(item, "format") = 2.into())),
        ("no format", changed(|item| _ = item.remove(0))),
        ("no version", changed(|item| _ = item.remove(1))),
        ("a field that is not known", changed(|item| item.push(("more".into(), 1.into())))),
        ("a field twice", changed(|item| item.push(("version".into(), 7.into())))),
        ("fields in another order", changed(|item| item.swap(1, 2))),
        ("a fraction", changed(|item| *field(item, "on_hand") = 100.0.into())),
        ("a negative number", changed(|item| *field(item, "on_hand") = (-1).into())),
        ("a part less than said", replaced("d9d9f7af", "d9d9f7ae")),
        ("a part more than said", replaced("d9d9f7af", "d9d9f7b0")),
        ("hardly any fields", replaced("d9d9f7af", "d9d9f7a3")),
        ("parts in another order", changed(|item| item.swap(4, 5))),
        ("a name behind the image", changed(|item| item.swap(5, 6))),
        ("a name of bytes", changed(|item| *field(item, "name") = Cbor::Bytes(b"Teapot".to_vec()))),
        ("a name that is not UTF-8", replaced("66546561706f74", "66ff6561706f74")),
        ("no image after all", changed(|item| *field(item, "image") = Cbor::Null)),
        ("received without sold", changed(|item| _ = item.remove(8))),
        ("sold without received", changed(|item| _ = item.remove(7))),
        (
            "nothing sold",
            changed(|item| {
                item.retain(|(name, _)| !["returned", "written_off"].map(Cbor::from).contains(name));
                *field(item, "received") = 100.into();
                *field(item, "sold") = 0.into();
            }),
        ),
        ("returned without written off", changed(|item| item.retain(|(name, _)| *name != Cbor::from("written_off")))),
        ("written off without returned", changed(|item| item.retain(|(name, _)| *name != Cbor::from("returned")))),
        (
            "nothing returned",
            changed(|item| {
                *field(item, "returned") = 0.into();
                *field(item, "written_off") = 0.into();
            }),
        ),
        ("more written off than came back", changed(|item| *field(item, "written_off") = 4.into())),
        ("no return", changed(|item| *field(item, "returns") = Cbor::Array(Vec::new()))),
        (
            "a return twice",
            changed(|item| {
                let one = field(item, "returns").as_array().unwrap()[0].clone();
                push(field(item, "returns"), one);
            }),
        ),
        ("empty holds", changed(|item| *field(item, "holds") = Cbor::Map(Vec::new()))),
        ("no adjustment", changed(|item| *field(item, "adjustments") = Cbor::Array(Vec::new()))),
        ("half an id", column_changed("order", |order| order.as_bytes_mut().unwrap().truncate(24))),
        ("an id too few", column_changed("order", |order| order.as_bytes_mut().unwrap().truncate(16))),
        ("an id twice", column_changed("order", |order| order.as_bytes_mut().unwrap().copy_within(..16, 16))),
        ("ids that are not in order", column_changed("order", |order| order.as_bytes_mut().unwrap().rotate_left(16))),
        ("a quantity too many", column_changed("quantity", |quantity| push(quantity, 1.into()))),
        ("a time too many", column_changed("expires_at", |times| push(times, 1.into()))),
        ("a time before all", column_changed("expires_at", |times| *times = Cbor::Array(vec![5.into(), (-6).into()]))),
        ("a key too many", column_changed("key", |keys| push(keys, Cbor::Null))),
        ("a short key", column_changed("key", |keys| keys.as_array_mut().unwrap()[1] = Cbor::Bytes(vec![0; 15]))),
        ("no key at all", column_changed("key", |keys| keys.as_array_mut().unwrap()[0] = Cbor::Null)),
        (
            "keys that are not in order",
            changed(|item| {
                let keys = field(item, "settled_keys");
                let first = Cbor::Array(vec![Cbor::Bytes(vec![0; 16]), Cbor::Bytes(vec![3; 16])]);
                push(keys, first);
            }),
        ),
        (
            "three of a pair",
            changed(|item| push(&mut field(item, "adjustments").as_array_mut().unwrap()[0], Cbor::Bytes(vec![0; 8]))),
        ),
    ] {
        assert!(read(ITEM, &bytes).is_err(), "{what}");
    }
}

#[test]
fn only_the_shape_of_an_item_is_written_as_one() {
    let hold = json!({ "quantity": 1, "expires_at": 1, "key": "abc" });
    for item in [
        json!(null),
        json!({ "version": 1, "on_hand": 1 }),
        json!({ "version": 1, "on_hand": -1, "unit_price": 1 }),
        json!({ "version": 1, "on_hand": 1, "unit_price": 1, "more": 1 }),
        json!({ "version": 1, "on_hand": 1, "unit_price": 1, "holds": { "no id": { "quantity": 1, "expires_at": 1 } } }),
        json!({ "version": 1, "on_hand": 1, "unit_price": 1, "holds": { "01010101-0101-4101-8101-010101010101": hold } }),
    ] {
        assert!(write(ITEM, &item).is_err(), "{item}");
    }
}

#[test]
fn a_claim_cell_is_the_token_in_the_name_of_a_record_or_null() {
    for (key, cell, token) in [
        ("inventory:item1~", 0xab_u64, json!("00000000000000ab")),
        ("catalog~", u64::MAX, json!("ffffffffffffffff")),
        ("inventory:item1~", 0, Value::Null),
    ] {
        assert_eq!(read(key, &cell.to_le_bytes()).unwrap(), token);
        assert_eq!(write(key, &token).unwrap(), cell.to_le_bytes());
    }
    assert!(read("catalog~", &[0; 7]).is_err());
    assert!(write("catalog~", &json!("ab")).is_err());
}

#[test]
fn other_records_are_json_as_it_is() {
    let payment = r#"{"state":"unpaid","confirmed":true}"#;
    assert_eq!(read("payment:1", payment.as_bytes()).unwrap(), json!({ "state": "unpaid", "confirmed": true }));
    assert_eq!(records::line("payment:1", payment.as_bytes()).unwrap(), payment);
    assert_eq!(read("catalog~00000000000000ab", br#"{"items":[]}"#).unwrap(), json!({ "items": [] }));
    assert_eq!(read("idempotency:00", br#""an id""#).unwrap(), json!("an id"));
    assert!(read("order:1", b"{").is_err());
    assert!(records::line("order:1", b"{").is_err());
}
