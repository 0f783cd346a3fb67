//! Ways to spoil JSON: a little, so that much of it still makes sense, or beyond recognition.

use std::fmt;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

const NUMBERS: [i64; 15] =
    [-1, 0, 1, 2, 3, 5, 50, 99, 100, 101, 1000, 1_000_000, 1_000_001, 1_000_000_000_000, i64::MAX];

const TEXTS: [&str; 8] =
    ["", "item1", "item2", "item3", "teapot", "paid", "unpaid", "4be0643f-1d98-473b-97cd-ca98a65347dd"];

/// One thing that goes wrong. Places are chosen among those that there are.
#[derive(Debug, Clone)]
pub enum Damage {
    /// Another value in a place.
    Replace(Index, Value),
    /// Another number for a number, another text for a text.
    Twist(Index, Index),
    /// What is in another place, here.
    Copy { to: Index, from: Index },
    /// Something less.
    Remove(Index),
    /// A field that is not known.
    Add(Index, String, Value),
    /// A byte instead of a byte.
    Flip(Index, u8),
    /// Only the beginning.
    Cut(Index),
    /// Something else altogether.
    Bytes(Vec<u8>),
}

pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let place = any::<Index>;
    let damage = prop_oneof![
        8 => (place(), value()).prop_map(|(at, value)| Damage::Replace(at, value)),
        8 => (place(), place()).prop_map(|(at, other)| Damage::Twist(at, other)),
        4 => (place(), place()).prop_map(|(to, from)| Damage::Copy { to, from }),
        2 => place().prop_map(Damage::Remove),
        1 => (place(), any::<String>(), value()).prop_map(|(at, name, value)| Damage::Add(at, name, value)),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        1 => place().prop_map(Damage::Cut),
        1 => vec(any::<u8>(), 0..200).prop_map(Damage::Bytes),
    ];
    vec(damage, 1..4)
}

/// Any JSON.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..6).prop_map(|object| object.into_iter().collect()),
        ]
    })
}

/// A value that may mean something somewhere, or just any.
fn value() -> impl Strategy<Value = Value> {
    let others = vec![
        json!(u64::MAX),
        json!(1.0),
        json!(1e30),
        json!(null),
        json!(true),
        json!(""),
        json!("item1"),
        json!("item2"),
        json!("paid"),
        json!("a".repeat(65)),
        json!("件".repeat(129)),
        json!([]),
        json!({}),
    ];
    prop_oneof![
        6 => select(&NUMBERS).prop_map(Value::from),
        3 => select(others),
        1 => any_json(),
    ]
}

/// Bytes that are shown as the text that they mostly are.
#[derive(Clone)]
pub struct Text(pub Vec<u8>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// The text after all of this went wrong with it, one after the other.
pub fn spoil(text: &[u8], damages: &[Damage]) -> Vec<u8> {
    damages.iter().fold(text.to_vec(), |text, damage| match damage {
        Damage::Flip(at, byte) if !text.is_empty() => {
            let mut text = text;
            let at = at.index(text.len());
            text[at] = *byte;
            text
        }
        Damage::Cut(at) => text[..at.index(text.len() + 1)].to_vec(),
        Damage::Bytes(bytes) => bytes.clone(),
        // What is no JSON any more is bad enough.
        damage => serde_json::from_slice(&text).map_or(text, |json| spoil_json(json, damage).to_string().into_bytes()),
    })
}

fn spoil_json(mut json: Value, damage: &Damage) -> Value {
    let places = places(&json);
    let place = |index: &Index| places[index.index(places.len())].clone();
    match damage {
        Damage::Replace(at, value) => *at_place(&mut json, &place(at)) = value.clone(),
        Damage::Twist(at, other) => {
            let mut leaves = places.clone();
            leaves.retain(|place| matches!(at_place(&mut json, place), Value::Number(_) | Value::String(_)));
            if !leaves.is_empty() {
                let leaf = at_place(&mut json, &leaves[at.index(leaves.len())]);
                *leaf = match leaf {
                    Value::Number(_) => NUMBERS[other.index(NUMBERS.len())].into(),
                    _ => TEXTS[other.index(TEXTS.len())].into(),
                };
            }
        }
        Damage::Copy { to, from } => {
            let value = at_place(&mut json, &place(from)).clone();
            *at_place(&mut json, &place(to)) = value;
        }
        Damage::Remove(at) => {
            if let Some((last, parent)) = place(at).split_last() {
                match (at_place(&mut json, parent), last) {
                    (Value::Object(object), Step::Name(name)) => _ = object.remove(name),
                    (Value::Array(list), Step::Index(index)) => _ = list.remove(*index),
                    _ => unreachable!("places are where something is"),
                }
            }
        }
        Damage::Add(at, name, value) => match at_place(&mut json, &place(at)) {
            Value::Object(object) => _ = object.insert(name.clone(), value.clone()),
            Value::Array(list) => list.push(value.clone()),
            _ => {}
        },
        Damage::Flip(..) | Damage::Cut(_) | Damage::Bytes(_) => {}
    }
    json
}

/// How to get from a value to one inside it.
#[derive(Clone)]
enum Step {
    Name(String),
    Index(usize),
}

/// Where there is something: the whole first.
fn places(json: &Value) -> Vec<Vec<Step>> {
    let below = |step: Step, value: &Value| {
        places(value).into_iter().map(move |rest| [vec![step.clone()], rest].concat()).collect::<Vec<_>>()
    };
    let mut all = vec![Vec::new()];
    match json {
        Value::Object(object) => {
            all.extend(object.iter().flat_map(|(name, value)| below(Step::Name(name.clone()), value)));
        }
        Value::Array(list) => {
            all.extend(list.iter().enumerate().flat_map(|(index, value)| below(Step::Index(index), value)));
        }
        _ => {}
    }
    all
}

fn at_place<'a>(json: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(json, |json, step| match step {
        Step::Name(name) => &mut json[name.as_str()],
        Step::Index(index) => &mut json[index],
    })
}
