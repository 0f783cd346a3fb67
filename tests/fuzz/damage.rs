//! Ways to spoil JSON and CBOR: a little, so that much of it still makes sense, or beyond recognition.

use std::fmt;

use ciborium::Value as Tree;
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
    Replace(Index, Tree),
    /// Another number for a number, another text for a text, other bytes for bytes.
    Twist(Index, Index),
    /// What is in another place, here.
    Copy { to: Index, from: Index },
    /// Something less.
    Remove(Index),
    /// Something twice.
    Repeat(Index),
    /// A field that is not known.
    Add(Index, String, Tree),
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
        1 => place().prop_map(Damage::Repeat),
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
fn value() -> impl Strategy<Value = Tree> {
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
    let json = prop_oneof![
        6 => select(&NUMBERS).prop_map(Value::from),
        3 => select(others),
        1 => any_json(),
    ];
    json.prop_map(|json| Tree::serialized(&json).expect("a tree can be all that JSON can"))
}

/// Bytes that are shown as what they mostly are.
#[derive(Clone, PartialEq)]
pub struct Text(pub Vec<u8>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Form::of(&self.0) {
            Form::Json => write!(f, "{:?}", String::from_utf8_lossy(&self.0)),
            Form::Cbor => match Form::Cbor.read(&self.0) {
                Some(tree) => write!(f, "{tree:?}"),
                None => write!(f, "{:02x?}", self.0),
            },
        }
    }
}

/// How something is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Cbor,
}

impl Form {
    /// CBOR says so itself.
    fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&[0xd9, 0xd9, 0xf7]) { Self::Cbor } else { Self::Json }
    }

    fn read(self, bytes: &[u8]) -> Option<Tree> {
        match self {
            Self::Json => serde_json::from_slice(bytes).ok(),
            Self::Cbor => ciborium::from_reader(bytes).ok(),
        }
    }

    fn write(self, tree: &Tree) -> Vec<u8> {
        match self {
            Self::Json => serde_json::to_vec(tree).expect("what came of JSON can be written as such"),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(tree, &mut bytes).expect("memory takes everything");
                bytes
            }
        }
    }
}

/// The bytes after all of this went wrong with them, one after the other.
pub fn spoil(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    damages.iter().fold(bytes.to_vec(), |bytes, damage| match damage {
        Damage::Flip(at, byte) if !bytes.is_empty() => {
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            bytes
        }
        Damage::Cut(at) => bytes[..at.index(bytes.len() + 1)].to_vec(),
        Damage::Bytes(bytes) => bytes.clone(),
        // What cannot be read any more is bad enough.
        damage => {
            let form = Form::of(&bytes);
            form.read(&bytes).map_or(bytes, |tree| form.write(&spoil_tree(tree, damage)))
        }
    })
}

fn spoil_tree(mut tree: Tree, damage: &Damage) -> Tree {
    let places = places(&tree);
    let place = |index: &Index| places[index.index(places.len())].clone();
    match damage {
        Damage::Replace(at, value) => *at_place(&mut tree, &place(at)) = value.clone(),
        Damage::Twist(at, other) => {
            let is_leaf = |tree: &Tree| tree.is_integer() || tree.is_float() || tree.is_text() || tree.is_bytes();
            let mut leaves = places.clone();
            leaves.retain(|place| is_leaf(at_place(&mut tree, place)));
            if !leaves.is_empty() {
                match at_place(&mut tree, &leaves[at.index(leaves.len())]) {
                    Tree::Bytes(bytes) => twist(bytes, other),
                    Tree::Text(text) => *text = TEXTS[other.index(TEXTS.len())].to_owned(),
                    number => *number = NUMBERS[other.index(NUMBERS.len())].into(),
                }
            }
        }
        Damage::Copy { to, from } => {
            let value = at_place(&mut tree, &place(from)).clone();
            *at_place(&mut tree, &place(to)) = value;
        }
        Damage::Remove(at) => {
            if let Some((last, parent)) = place(at).split_last() {
                match at_place(&mut tree, parent) {
                    Tree::Map(fields) => _ = fields.remove(*last),
                    Tree::Array(list) => _ = list.remove(*last),
                    tagged => *tagged = at_place(tagged, &[*last]).clone(),
                }
            }
        }
        Damage::Repeat(at) => {
            // There is no agreement on what JSON with a field twice means.
            let in_json = !tree.is_tag();
            if let Some((last, parent)) = place(at).split_last() {
                match at_place(&mut tree, parent) {
                    Tree::Map(fields) if !in_json => fields.push(fields[*last].clone()),
                    Tree::Array(list) => list.push(list[*last].clone()),
                    _ => {}
                }
            }
        }
        Damage::Add(at, name, value) => match at_place(&mut tree, &place(at)) {
            Tree::Map(fields) => fields.push((name.as_str().into(), value.clone())),
            Tree::Array(list) => list.push(value.clone()),
            _ => {}
        },
        Damage::Flip(..) | Damage::Cut(_) | Damage::Bytes(_) => {}
    }
    tree
}

/// Another bit in a byte, or another number of bytes.
fn twist(bytes: &mut Vec<u8>, other: &Index) {
    let length = bytes.len();
    match other.index(length + 4) {
        at if at < length => bytes[at] ^= 1,
        at if at == length => bytes.clear(),
        at if at == length + 1 => bytes.push(0),
        at if at == length + 2 => bytes.extend_from_within(..length.min(16)),
        _ => bytes.truncate(length.saturating_sub(16)),
    }
}

/// How to get from a value to one inside it: the how manieth it is, and so on.
type Place = Vec<usize>;

/// Where there is something: the whole first.
fn places(tree: &Tree) -> Vec<Place> {
    let inside: Vec<&Tree> = match tree {
        Tree::Map(fields) => fields.iter().map(|(_, value)| value).collect(),
        Tree::Array(list) => list.iter().collect(),
        Tree::Tag(_, tagged) => vec![tagged],
        _ => Vec::new(),
    };
    let below = |(step, value)| places(value).into_iter().map(move |rest| [vec![step], rest].concat());
    [Vec::new()].into_iter().chain(inside.into_iter().enumerate().flat_map(below)).collect()
}

fn at_place<'a>(tree: &'a mut Tree, place: &[usize]) -> &'a mut Tree {
    place.iter().fold(tree, |tree, step| match tree {
        Tree::Map(fields) => &mut fields[*step].1,
        Tree::Array(list) => &mut list[*step],
        Tree::Tag(_, tagged) => tagged,
        leaf => leaf,
    })
}
