//! Bodies: each is done, or refused as docs/api.md has it, according to a second and simpler reading of that page.

use std::collections::BTreeMap;
use std::ops::Range;

use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::damage::{Text, any_json, damages, spoil};
use crate::property::check;
use memory_shop::{Answer, World, request};

/// The preset items: id, on hand, price.
const ITEMS: [(&str, u64, u64); 3] = domain::PRESET;

/// Bodies of one kind: sound ones, spoilt ones, and just any.
fn bodies(sound: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Text> {
    let sound = sound.prop_map(|json| json.to_string().into_bytes()).boxed();
    let spoilt = (sound.clone(), damages()).prop_map(|(text, damages)| spoil(&text, &damages));
    prop_oneof![
        2 => sound,
        8 => spoilt,
        2 => any_json().prop_map(|json| json.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..500),
    ]
    .prop_map(Text)
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(&ITEMS[..]).prop_map(|(id, ..)| id.to_owned()),
        1 => vec(select(&b"abzABZ09._-"[..]), 1..65).prop_map(|id| String::from_utf8(id).expect("ASCII")),
    ]
}

fn line() -> impl Strategy<Value = Value> {
    let quantity = prop_oneof![4 => 1..60_u64, 1 => 1..=1_000_000_u64];
    // Half of the lines say a price, most of them the one that it is.
    let price = proptest::option::of(prop_oneof![8 => Just(None), 1 => any::<u64>().prop_map(Some)]);
    (id(), quantity, price).prop_map(|(item_id, quantity, price)| {
        let mut line = json!({ "item_id": item_id, "quantity": quantity });
        if let Some(price) = price {
            line["unit_price"] = price.unwrap_or_else(|| price_of(&item_id)).into();
        }
        line
    })
}

/// What a preset item costs, and what another one might.
fn price_of(id: &str) -> u64 {
    ITEMS.iter().find(|(other, ..)| *other == id).map_or(1, |(.., price)| *price)
}

/// What the lines of an order cost.
fn sum_of(order: &Value) -> u64 {
    let lines = order["items"].as_array().map_or(std::slice::from_ref(order), Vec::as_slice);
    let cost = |line: &Value| Some(price_of(line["item_id"].as_str()?) * line["quantity"].as_u64()?);
    lines.iter().filter_map(cost).sum()
}

/// Any text of this length; some have characters that the shop refuses.
fn words(length: Range<usize>) -> impl Strategy<Value = String> {
    let refused = select(
        &['\0', '\t', '\n', '\u{7f}', '\u{9f}', '\u{61c}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2069}', '\u{feff}']
            [..],
    );
    let character = prop_oneof![500 => any::<char>(), 1 => refused];
    vec(character, length).prop_map(String::from_iter)
}

fn order() -> impl Strategy<Value = Value> {
    let lines = prop_oneof![4 => vec(line(), 1..4), 1 => vec(line(), 1..=50)];
    let long = lines.prop_map(|lines| json!({ "items": lines }));
    let total = proptest::option::of(prop_oneof![8 => Just(None), 1 => any::<u64>().prop_map(Some)]);
    (prop_oneof![line(), long], proptest::option::of(words(1..129)), total).prop_map(|(mut order, customer, total)| {
        if let Some(total) = total {
            order["total"] = total.unwrap_or_else(|| sum_of(&order)).into();
        }
        if let Some(customer) = customer {
            order["customer_id"] = customer.into();
        }
        order
    })
}

/// What a second reading of docs/api.md says about a body.
enum Reading<T> {
    /// It has a number that this reading takes for another one: it reads fractions and exponents as floating point.
    Unsure,
    /// It is no JSON.
    Malformed,
    /// It is JSON and wrong.
    Invalid,
    Sound(T),
}

fn read<T>(body: &[u8], sound: impl FnOnce(&Map<String, Value>) -> Option<T>) -> Reading<T> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(json) if is_unsure(&json) => Reading::Unsure,
        Ok(json) => json.as_object().and_then(sound).map_or(Reading::Invalid, Reading::Sound),
        Err(error) if error.to_string().starts_with("number out of range") => Reading::Unsure,
        Err(_) => Reading::Malformed,
    }
}

/// Whether a number is written with a fraction or an exponent and so large that floating point rounds it.
fn is_unsure(json: &Value) -> bool {
    match json {
        Value::Number(number) => number.as_f64().is_some_and(|it| number.is_f64() && it.abs() >= 9e15),
        Value::Array(list) => list.iter().any(is_unsure),
        Value::Object(members) => members.values().any(is_unsure),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// An integer, however it is written.
fn whole(value: &Value) -> Option<i64> {
    let written = value.as_f64().filter(|it| value.is_f64() && it.fract() == 0.0 && it.abs() < 9e15);
    value.as_i64().or_else(|| written.map(|it| it as i64))
}

fn whole_from_zero(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| whole(value)?.try_into().ok())
}

/// A field that is not null.
fn given<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Asserts that a body which is malformed or invalid is told so; gives what it says otherwise.
fn refused_unless_sound<T>(reading: Reading<T>, answer: &Answer) -> Option<T> {
    match reading {
        Reading::Malformed => assert_eq!(answer.outcome(), (400, "malformed_json"), "{answer:?}"),
        Reading::Invalid => assert_eq!(answer.outcome(), (422, "invalid_request"), "{answer:?}"),
        Reading::Unsure => assert!(answer.status < 500, "{answer:?}"),
        Reading::Sound(content) => return Some(content),
    }
    None
}

fn only(object: &Map<String, Value>, names: &[&str]) -> Option<()> {
    object.keys().all(|name| names.contains(&name.as_str())).then_some(())
}

/// A field that may be left out but, if it is there, has to be sound.
fn optional<T>(object: &Map<String, Value>, name: &str, sound: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    given(object, name).map_or(Some(None), |value| sound(value).map(Some))
}

/// A text of at most this number of characters, all of this kind.
fn text(value: &Value, most: usize, character: impl Fn(char) -> bool) -> Option<String> {
    let text = value.as_str()?;
    (text.chars().count() <= most && text.chars().all(character)).then(|| text.to_owned())
}

/// Whether a character is neither a control character nor one that turns the direction of text.
fn is_shown(character: char) -> bool {
    let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    let others = "\u{7f}\u{2028}\u{2029}\u{feff}";
    !(character < ' '
        || ('\u{80}'..'\u{a0}').contains(&character)
        || turns.contains(character)
        || others.contains(character))
}

/// How many an order takes of each item.
type Sums = BTreeMap<String, u64>;

/// An amount of money.
fn amount(value: &Value) -> Option<u64> {
    whole_from_zero(value).filter(|amount| *amount <= i64::MAX as u64)
}

/// An order, read.
struct Order {
    sums: Sums,
    customer: Option<String>,
    /// The price that is expected of an item, each time that one is said.
    prices: Vec<(String, u64)>,
    total: Option<u64>,
}

/// What an order takes, who orders, and what it is expected to cost.
fn read_order(object: &Map<String, Value>) -> Option<Order> {
    only(object, &["items", "item_id", "quantity", "unit_price", "total", "customer_id"])?;
    let lines = match given(object, "items") {
        Some(items) => {
            if ["item_id", "quantity", "unit_price"].iter().any(|name| given(object, name).is_some()) {
                return None;
            }
            let lines = items.as_array()?.iter().map(|line| {
                let line = line.as_object()?;
                only(line, &["item_id", "quantity", "unit_price"]).and(Some(line))
            });
            lines.collect::<Option<Vec<_>>>()?
        }
        None => vec![object],
    };
    let customer = optional(object, "customer_id", |id| text(id, 128, is_shown).filter(|id| !id.is_empty()))?;
    if !(1..=50).contains(&lines.len()) {
        return None;
    }
    let total = optional(object, "total", amount)?;
    let (mut sums, mut prices) = (Sums::new(), Vec::new());
    for line in lines {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_path = |id: &str| ["", ".", ".."].contains(&id);
        let id = text(line.get("item_id")?, 64, plain).filter(|id| !is_path(id))?;
        let quantity =
            line.get("quantity").and_then(whole_from_zero).filter(|quantity| (1..=1_000_000).contains(quantity))?;
        prices.extend(optional(line, "unit_price", amount)?.map(|price| (id.clone(), price)));
        *sums.entry(id).or_default() += quantity;
    }
    sums.values().all(|sum| *sum <= 1_000_000).then_some(Order { sums, customer, prices, total })
}

#[test]
fn an_order_is_placed_as_it_says_or_refused_as_the_readme_says() {
    check(6_000, bodies(order()), |Text(body)| {
        let world = World::preset();
        let before = world.records();
        let answer = world.post("/orders", &body);
        let order = refused_unless_sound(read(&body, read_order), &answer);
        let Some(Order { sums, customer, prices, total }) = order else {
            assert_eq!(world.records(), before, "a refused order leaves nothing");
            return;
        };
        let item = |id: &str| ITEMS.iter().find(|(other, ..)| *other == id);
        if sums.keys().any(|id| item(id).is_none()) {
            assert_eq!(answer.outcome(), (404, "item_not_found"));
            return;
        }
        let sum = sums.iter().map(|(id, quantity)| price_of(id) * quantity).sum::<u64>();
        if total.is_some_and(|total| total != sum) || prices.iter().any(|(id, price)| *price != price_of(id)) {
            assert_eq!((answer.outcome(), &answer.body["total"]), ((409, "price_changed"), &json!(sum)));
            assert_eq!(world.records(), before, "a refused order leaves nothing");
        } else if sums.iter().any(|(id, quantity)| item(id).is_some_and(|(_, on_hand, _)| on_hand < quantity)) {
            assert_eq!(answer.outcome(), (409, "insufficient_stock"));
        } else {
            let items = sums
                .iter()
                .map(|(id, quantity)| json!({ "item_id": id, "quantity": quantity, "unit_price": price_of(id) }));
            let order = &answer.body;
            assert_eq!((answer.status, &order["status"]), (201, &json!("pending")), "{answer:?}");
            assert_eq!(order["items"], items.collect::<Value>());
            assert_eq!(order["total"], sum);
            assert_eq!(order["customer_id"], json!(customer));
            // What was placed is what is shown, and what is held.
            let path = format!("/orders/{}", order["order_id"].as_str().expect("an id"));
            assert_eq!(world.get(&path).body, *order);
            let held = world.get("/inventory").body;
            for (id, on_hand, _) in ITEMS {
                let wanted = sums.get(id).copied().unwrap_or(0);
                let shown = held["items"].as_array().and_then(|items| items.iter().find(|item| item["item_id"] == id));
                assert_eq!(shown.expect("it is listed")["available"], on_hand - wanted);
            }
        }
    });
}

#[test]
fn a_payment_is_made_or_refused_as_the_readme_says() {
    let method = vec(select(&b"az09_-"[..]), 1..33).prop_map(|method| String::from_utf8(method).expect("ASCII"));
    let amount = prop_oneof![2 => Just(1000_u64), 1 => any::<u64>()];
    let sound = (proptest::option::of(method), proptest::option::of(amount)).prop_map(|(method, amount)| {
        let fields = [("method", method.map(Value::from)), ("amount", amount.map(Value::from))];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    });
    check(4_000, bodies(sound), |Text(body)| {
        let world = World::preset();
        let order = world.post("/orders", r#"{"item_id":"item1","quantity":1}"#).body;
        let answer = world.post(&format!("/orders/{}/pay", order["order_id"].as_str().expect("an id")), &body);
        let reading = if body.is_empty() { Reading::Sound((None, None)) } else { read(&body, read_payment) };
        match refused_unless_sound(reading, &answer) {
            None => {}
            Some((_, Some(amount))) if amount != 1000 => assert_eq!(answer.outcome(), (422, "amount_mismatch")),
            Some((method, _)) => {
                let payment = &answer.body["payment"];
                assert_eq!((answer.status, &answer.body["status"]), (200, &json!("paid")), "{answer:?}");
                assert_eq!(payment["method"], method.unwrap_or("unspecified".to_owned()));
                assert_eq!(payment["amount"], 1000);
            }
        }
    });
}

fn read_payment(object: &Map<String, Value>) -> Option<(Option<String>, Option<u64>)> {
    only(object, &["method", "amount"])?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let method = optional(object, "method", |method| text(method, 32, plain).filter(|method| !method.is_empty()))?;
    let amount = optional(object, "amount", amount)?;
    Some((method, amount))
}

#[test]
fn an_item_is_put_or_refused_as_the_readme_says() {
    let price = prop_oneof![0..=i64::MAX as u64, any::<u64>()];
    let on_hand = proptest::option::of(prop_oneof![0..=1_000_000_000_000_u64, any::<u64>()]);
    let limit = proptest::option::of(proptest::option::of(prop_oneof![0..=1_000_001_u64, any::<u64>()]));
    let name = proptest::option::of(proptest::option::of(words(0..103)));
    let image = proptest::option::of(proptest::option::of(image()));
    let sound = (price, on_hand, limit, name, image).prop_map(|(price, on_hand, limit, name, image)| {
        let mut item = json!({ "unit_price": price });
        if let Some(name) = name {
            item["name"] = name.into();
        }
        if let Some(image) = image {
            item["image"] = image.into();
        }
        if let Some(limit) = limit {
            item["max_per_order"] = limit.into();
        }
        if let Some(on_hand) = on_hand {
            item["on_hand"] = on_hand.into();
        }
        item
    });
    check(4_000, (bodies(sound), any::<bool>()), |(Text(body), new)| {
        let id = if new { "teapot" } else { "item1" };
        let answer = World::preset().send(request(Method::PUT, &format!("/inventory/{id}"), &body));
        let Some(item) = refused_unless_sound(read(&body, read_item), &answer) else { return };
        let (price, on_hand, limit, name, image) = item;
        match (new, on_hand) {
            (false, Some(_)) => assert_eq!(answer.outcome(), (409, "item_exists")),
            _ => {
                assert_eq!(answer.status, if new { 201 } else { 200 }, "{answer:?}");
                assert_eq!(answer.body["unit_price"], price);
                assert_eq!(answer.body["on_hand"], if new { on_hand.unwrap_or(0) } else { 100 });
                assert_eq!(answer.body.get("max_per_order"), limit.map(Value::from).as_ref());
                assert_eq!(answer.body.get("name"), name.map(Value::from).as_ref());
                assert_eq!(answer.body.get("image"), image.map(Value::from).as_ref());
            }
        }
    });
}

/// Addresses, most of them of pictures that an item may have.
fn image() -> impl Strategy<Value = String> {
    let scheme = select(&["https://", "https://", "https://", "http://", "javascript:", "data:", "//"][..]);
    let host = select(&["shop.example", "localhost", "127.0.0.1:3000", "a@b.example", "a..b", "[::1]", "a:0", ""][..]);
    let path = vec(select(&b"/a.%?=&1~'()#<\" "[..]), 0..8).prop_map(|path| String::from_utf8(path).expect("ASCII"));
    let long = prop_oneof![6 => Just(0_usize), 1 => 230..250_usize];
    (scheme, host, path, long)
        .prop_map(|(scheme, host, path, long)| format!("{scheme}{host}/{path}{}", "x".repeat(long)))
}

/// Whether a text of [`image`] is one that an item may have.
fn is_image(text: &str) -> bool {
    let hosts = ["https://shop.example", "https://localhost", "https://127.0.0.1:3000", "https://[::1]"];
    let near = ["http://localhost", "http://127.0.0.1:3000", "http://[::1]"];
    let sound = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte));
    let host = |host: &&str| text.strip_prefix(*host).is_some_and(|rest| rest.starts_with('/'));
    text.len() <= 255 && sound && hosts.iter().chain(&near).any(host)
}

/// Whether something of a text is seen.
fn is_seen(text: &str) -> bool {
    let blank = |character: char| {
        let others = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{200b}\u{200c}\u{200d}\u{2800}\u{3164}\u{ffa0}";
        let ranges = ["\u{180b}\u{180f}", "\u{2060}\u{206f}", "\u{fe00}\u{fe0f}"];
        let within = |range: &str| {
            let mut ends = range.chars();
            ends.next() <= Some(character) && Some(character) <= ends.next()
        };
        character.is_whitespace() || others.contains(character) || ranges.into_iter().any(within)
    };
    !text.chars().all(blank)
}

type ItemFields = (u64, Option<u64>, Option<u64>, Option<String>, Option<String>);

fn read_item(object: &Map<String, Value>) -> Option<ItemFields> {
    only(object, &["unit_price", "on_hand", "max_per_order", "name", "image"])?;
    let price = object.get("unit_price").and_then(whole_from_zero).filter(|price| *price <= i64::MAX as u64)?;
    let on_hand =
        optional(object, "on_hand", |count| whole_from_zero(count).filter(|count| *count <= 1_000_000_000_000))?;
    let quantity = |count: &Value| whole_from_zero(count).filter(|count| (1..=1_000_000).contains(count));
    let name = optional(object, "name", |name| text(name, 100, is_shown).filter(|name| is_seen(name)))?;
    let image = optional(object, "image", |image| text(image, 255, |_| true).filter(|image| is_image(image)))?;
    Some((price, on_hand, optional(object, "max_per_order", quantity)?, name, image))
}

#[test]
fn an_adjustment_is_made_or_refused_as_the_readme_says() {
    let delta = prop_oneof![4 => -120..200_i64, 1 => any::<i64>(), 1 => -1_000_000_000_001..=1_000_000_000_001_i64];
    let sound = (delta, proptest::option::of(words(0..261))).prop_map(|(delta, reason)| {
        let mut adjustment = json!({ "delta": delta });
        if let Some(reason) = reason {
            adjustment["reason"] = reason.into();
        }
        adjustment
    });
    check(4_000, bodies(sound), |Text(body)| {
        let answer = World::preset().post("/inventory/item1/adjustments", &body);
        let Some(delta) = refused_unless_sound(read(&body, read_adjustment), &answer) else { return };
        match 100 + delta {
            ..0 => assert_eq!(answer.outcome(), (409, "insufficient_stock")),
            on_hand @ 0..=1_000_000_000_000 => {
                assert_eq!((answer.status, &answer.body["on_hand"]), (200, &json!(on_hand)), "{answer:?}");
            }
            _ => assert_eq!(answer.outcome(), (422, "invalid_request")),
        }
    });
}

fn read_adjustment(object: &Map<String, Value>) -> Option<i64> {
    only(object, &["delta", "reason"])?;
    optional(object, "reason", |reason| text(reason, 256, is_shown))?;
    let sound = |delta: &i64| *delta != 0 && delta.unsigned_abs() <= 1_000_000_000_000;
    object.get("delta").and_then(whole).filter(sound)
}

#[test]
fn a_body_of_more_than_64_kib_is_too_large_and_one_of_64_kib_is_read() {
    let padded = |length: usize| {
        let order = r#"{"item_id":"item1","quantity":1}"#;
        format!("{order}{}", " ".repeat(length - order.len()))
    };
    assert_eq!(World::preset().post("/orders", padded(65_536)).status, 201);
    assert_eq!(World::preset().post("/orders", padded(65_537)).outcome(), (413, "body_too_large"));
}
