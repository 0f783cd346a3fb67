//! The key-value store: Spin's default one, a SQLite file, through `wasi:keyvalue` and `spin:key-value`.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::{Value, json};

use crate::client::post;

/// A unique key.
pub fn fresh() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The results of calls that one request makes one after another.
pub fn run(steps: &[Value]) -> Vec<Value> {
    run_as("probe", steps)
}

fn run_as(component: &str, steps: &[Value]) -> Vec<Value> {
    let answers = post(&format!("/{component}/script"), &json!(steps).to_string()).json();
    let answers = answers.as_array().expect("a script is answered with a list").clone();
    assert_eq!(answers.len(), steps.len());
    answers
}

/// Makes the calls on a handle `b` of the default store, and asserts of each what it returns.
fn expect(steps: &[(Value, Value)]) {
    expect_as("probe", &[&[(open("b"), done())], steps].concat());
}

fn expect_as(component: &str, steps: &[(Value, Value)]) {
    let calls: Vec<_> = steps.iter().map(|(call, _)| call.clone()).collect();
    for (answer, (call, expected)) in run_as(component, &calls).iter().zip(steps) {
        assert_eq!(answer, expected, "{call}");
    }
}

/// The value under a key.
pub fn value_of(key: &str) -> Option<Vec<u8>> {
    let value = run(&[open("b"), get("b", key)])[1]["ok"].clone();
    serde_json::from_value(value).expect("a value is bytes")
}

// The calls.

pub fn open(name: &str) -> Value {
    json!({ "call": "open", "label": "default", "as": name })
}

fn get(bucket: &str, key: &str) -> Value {
    json!({ "call": "get", "bucket": bucket, "key": key })
}

fn set(bucket: &str, key: &str, value: impl AsRef<[u8]>) -> Value {
    json!({ "call": "set", "bucket": bucket, "key": key, "value": value.as_ref() })
}

pub fn delete(bucket: &str, key: &str) -> Value {
    json!({ "call": "delete", "bucket": bucket, "key": key })
}

fn exists(bucket: &str, key: &str) -> Value {
    json!({ "call": "exists", "bucket": bucket, "key": key })
}

fn get_many(keys: &[&str]) -> Value {
    json!({ "call": "get-many", "bucket": "b", "keys": keys })
}

fn set_many(pairs: &[(&str, &str)]) -> Value {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key, value.as_bytes())).collect();
    json!({ "call": "set-many", "bucket": "b", "pairs": pairs })
}

fn delete_many(keys: &[&str]) -> Value {
    json!({ "call": "delete-many", "bucket": "b", "keys": keys })
}

fn list_keys(cursor: Option<&str>) -> Value {
    json!({ "call": "list-keys", "bucket": "b", "cursor": cursor })
}

fn increment(key: &str, delta: i64) -> Value {
    json!({ "call": "increment", "bucket": "b", "key": key, "delta": delta })
}

fn cas(name: &str, key: &str) -> Value {
    json!({ "call": "cas", "bucket": "b", "key": key, "as": name })
}

fn current(cas: &str) -> Value {
    json!({ "call": "current", "cas": cas })
}

fn swap(cas: &str, value: impl AsRef<[u8]>) -> Value {
    json!({ "call": "swap", "cas": cas, "value": value.as_ref() })
}

fn drop_handle(name: &str) -> Value {
    json!({ "call": "drop", "handle": name })
}

fn spin(call: &str, more: Value) -> Value {
    let mut step = json!({ "call": format!("spin-{call}"), "store": "s" });
    step.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    step
}

fn spin_open() -> Value {
    spin("open", json!({ "label": "default", "as": "s" }))
}

// The answers.

fn ok(value: impl Into<Value>) -> Value {
    json!({ "ok": value.into() })
}

fn done() -> Value {
    ok(Value::Null)
}

/// A value that was read.
fn is(value: impl AsRef<[u8]>) -> Value {
    ok(value.as_ref())
}

fn absent() -> Value {
    ok(Value::Null)
}

fn refused(error: &str) -> Value {
    json!({ "error": error })
}

/// A list of pairs, by key, out of an answer to `get-many`.
fn pairs(answer: &Value) -> Vec<(String, Option<Vec<u8>>)> {
    let mut pairs: Vec<_> = serde_json::from_value(answer["ok"].clone()).expect("a list of pairs");
    pairs.sort();
    pairs
}

#[test]
fn what_was_set_is_read_until_it_is_deleted() {
    let k = &fresh();
    expect(&[
        (get("b", k), absent()),
        (exists("b", k), ok(false)),
        (set("b", k, "1"), done()),
        (set("b", k, "2"), done()),
        (get("b", k), is("2")),
        (exists("b", k), ok(true)),
        (delete("b", k), done()),
        (delete("b", k), done()),
        (get("b", k), absent()),
        (exists("b", k), ok(false)),
    ]);
}

#[test]
fn both_interfaces_are_one_store() {
    let k = &fresh();
    expect(&[
        (spin_open(), done()),
        (spin("get", json!({ "key": k })), absent()),
        (spin("exists", json!({ "key": k })), ok(false)),
        (spin("set", json!({ "key": k, "value": b"1" })), done()),
        (get("b", k), is("1")),
        (set("b", k, "2"), done()),
        (spin("get", json!({ "key": k })), is("2")),
        (spin("exists", json!({ "key": k })), ok(true)),
        (spin("delete", json!({ "key": k })), done()),
        (spin("delete", json!({ "key": k })), done()),
        (get("b", k), absent()),
    ]);
}

#[test]
fn what_one_request_writes_the_next_one_reads() {
    let k = &fresh();
    expect(&[(set("b", k, "1"), done())]);
    expect(&[(get("b", k), is("1"))]);
    assert_eq!(value_of(k), Some(b"1".to_vec()));
}

#[test]
fn an_empty_value_is_not_an_absent_one() {
    let k = &fresh();
    expect(&[
        (set("b", k, ""), done()),
        (get("b", k), is("")),
        (exists("b", k), ok(true)),
        (cas("c", k), done()),
        (current("c"), is("")),
        (swap("c", "1"), done()),
        (get("b", k), is("1")),
    ]);
}

#[test]
fn keys_and_values_are_any_texts_and_bytes() {
    let bytes: Vec<u8> = (0..=255).collect();
    let k = fresh();
    for key in [format!("{k} 件🦀\n\"'%_"), format!("{k}\0a"), format!("{k}\0b"), k.clone(), k.repeat(1000)] {
        expect(&[(get("b", &key), absent()), (set("b", &key, &bytes), done()), (get("b", &key), is(&bytes))]);
    }
    // A key is compared letter by letter.
    expect(&[(get("b", &k.to_uppercase()), if k == k.to_uppercase() { is(&bytes) } else { absent() })]);
}

#[test]
fn a_value_may_have_a_megabyte() {
    let (k, value) = (&fresh(), vec![7; 1 << 20]);
    expect(&[(set("b", k, &value), done()), (get("b", k), is(&value))]);
}

#[test]
fn get_many_leaves_out_absent_keys_and_gives_each_other_key_once() {
    let (k, l, none) = (&fresh(), &fresh(), &fresh());
    let answers = run(&[open("b"), set("b", k, "1"), set("b", l, ""), get_many(&[l, none, k, l])]);
    let mut expected = [(k.clone(), Some(b"1".to_vec())), (l.clone(), Some(vec![]))];
    expected.sort();
    assert_eq!(pairs(&answers[3]), expected);
}

#[test]
fn of_a_key_that_is_set_twice_in_one_call_the_last_value_stays() {
    let (k, l) = (&fresh(), &fresh());
    expect(&[(set_many(&[(k, "1"), (l, "2"), (k, "3")]), done()), (get("b", k), is("3")), (get("b", l), is("2"))]);
}

#[test]
fn delete_many_deletes_what_is_there() {
    let (k, l, none) = (&fresh(), &fresh(), &fresh());
    expect(&[
        (set_many(&[(k, "1"), (l, "2")]), done()),
        (delete_many(&[none, k]), done()),
        (get("b", k), absent()),
        (get("b", l), is("2")),
    ]);
}

#[test]
fn nothing_can_be_asked_of_many() {
    expect(&[(get_many(&[]), ok(json!([]))), (set_many(&[]), done()), (delete_many(&[]), done())]);
}

#[test]
fn all_keys_are_listed_at_once_and_without_a_cursor() {
    let k = fresh();
    let keys: BTreeSet<_> = (0..20).map(|n| format!("{k}:{n}")).collect();
    let sets = keys.iter().map(|key| set("b", key, ""));
    let steps: Vec<_> = [open("b"), spin_open()].into_iter().chain(sets).collect();
    let calls = [&steps[..], &[list_keys(None), spin("get-keys", json!({})), list_keys(Some("1"))]].concat();
    // The store is locked until all keys are taken. A call by another request of the same instance would block the
    // instance, and so wait for itself. So no other test uses this component.
    let answers = run_as("lister", &calls);
    let listed = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|key| key.as_str().expect("a text").to_owned()).filter(|key| key.starts_with(&k)).collect()
    };
    let [wasi, spin, cursor] = &answers[steps.len()..] else { panic!("three answers") };
    assert_eq!(listed(&wasi["ok"]["keys"]), keys);
    assert_eq!(wasi["ok"]["cursor"], Value::Null);
    assert_eq!(listed(&spin["ok"]), keys);
    assert_eq!(*cursor, refused("list_keys: cursor not supported"));
}

#[test]
fn a_store_that_was_not_granted_is_denied() {
    let other = |call: &str| json!({ "call": call, "label": "other", "as": "o" });
    for (component, steps) in [("stranger", [open("o"), spin_open()]), ("probe", [other("open"), other("spin-open")])] {
        expect_as(component, &steps.map(|step| (step, refused("access-denied"))));
    }
}

#[test]
fn increment_adds_to_eight_little_endian_bytes() {
    let (k, l) = (&fresh(), &fresh());
    expect(&[
        (increment(k, 0), ok(0)),
        (get("b", k), is([0; 8])),
        (increment(k, 258), ok(258)),
        (increment(k, -1), ok(257)),
        (get("b", k), is([1, 1, 0, 0, 0, 0, 0, 0])),
        (increment(k, -258), ok(-1)),
        (get("b", k), is([255; 8])),
        (set("b", l, [0, 0, 0, 0, 0, 0, 0, 0x40]), done()),
        (increment(l, 5), ok(0x4000_0000_0000_0005_i64)),
        (cas("c", l), done()),
        (current("c"), is([5, 0, 0, 0, 0, 0, 0, 0x40])),
    ]);
}

#[test]
fn a_swap_from_the_value_that_was_read_succeeds_once() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (cas("d", k), done()),
        (current("c"), is("1")),
        (current("d"), is("1")),
        (swap("c", "2"), done()),
        (swap("d", "3"), refused("cas-failed")),
        (get("b", k), is("2")),
    ]);
}

#[test]
fn a_swap_that_fails_hands_back_a_handle_that_has_read_the_value() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (current("c"), is("1")),
        (set("b", k, "2"), done()),
        (swap("c", "3"), refused("cas-failed")),
        (swap("c", "3"), done()),
        (get("b", k), is("3")),
        // Read again and changed again: this handle's own reading counts.
        (cas("c", k), done()),
        (current("c"), is("3")),
        (set("b", k, "4"), done()),
        (swap("c", "5"), refused("cas-failed")),
        (current("c"), is("4")),
        (set("b", k, "6"), done()),
        (swap("c", "5"), refused("cas-failed")),
        (get("b", k), is("6")),
    ]);
}

#[test]
fn a_swap_compares_bytes_and_nothing_else() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (current("c"), is("1")),
        (set("b", k, "2"), done()),
        (set("b", k, "1"), done()),
        (swap("c", "1"), done()),
        (get("b", k), is("1")),
    ]);
}

#[test]
fn a_swap_goes_by_the_latest_reading() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (current("c"), is("1")),
        (set("b", k, "2"), done()),
        (current("c"), is("2")),
        (swap("c", "3"), done()),
    ]);
}

#[test]
fn a_swap_of_a_key_that_was_deleted_fails_and_its_fresh_handle_writes_blindly() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (current("c"), is("1")),
        (delete("b", k), done()),
        (swap("c", "2"), refused("cas-failed")),
        (get("b", k), absent()),
        (set("b", k, "someone else's"), done()),
        (swap("c", "mine"), done()),
        (get("b", k), is("mine")),
    ]);
}

#[test]
fn of_two_that_swap_an_absent_key_both_win() {
    let k = &fresh();
    expect(&[
        (cas("c", k), done()),
        (cas("d", k), done()),
        (current("c"), absent()),
        (current("d"), absent()),
        (swap("c", "first"), done()),
        (swap("d", "second"), done()),
        (get("b", k), is("second")),
    ]);
}

#[test]
fn a_swap_without_a_reading_overwrites() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (swap("c", "2"), done()),
        (get("b", k), is("2")),
        (cas("c", &format!("{k}:absent")), done()),
        (swap("c", "3"), done()),
        (get("b", &format!("{k}:absent")), is("3")),
    ]);
}

#[test]
fn a_swap_that_fails_after_its_bucket_was_closed_finds_no_store() {
    let k = &fresh();
    expect(&[
        (set("b", k, "1"), done()),
        (cas("c", k), done()),
        (cas("d", k), done()),
        (current("c"), is("1")),
        (current("d"), is("1")),
        (drop_handle("b"), done()),
        (current("c"), is("1")),
        (swap("c", "2"), done()),
        (swap("d", "3"), refused("no-such-store")),
        (open("b"), done()),
        (get("b", k), is("2")),
    ]);
}

#[test]
fn a_handle_that_is_let_go_changes_nothing() {
    let k = &fresh();
    expect(&[
        (open("other"), done()),
        (set("other", k, "1"), done()),
        (cas("c", k), done()),
        (current("c"), is("1")),
        (drop_handle("c"), done()),
        (drop_handle("other"), done()),
        (get("b", k), is("1")),
    ]);
}

#[test]
fn a_thousand_handles_may_be_open_at_once() {
    let k = &fresh();
    let names: Vec<_> = (0..500).flat_map(|n| [open(&format!("b{n}")), cas(&format!("c{n}"), k)]).collect();
    expect(&names.into_iter().map(|step| (step, done())).collect::<Vec<_>>());
}

#[test]
fn increments_at_once_are_all_counted() {
    let k = &fresh();
    let add = || (0..25).map(|_| run(&[open("b"), increment(k, 1)])[1]["ok"].as_i64()).collect::<Vec<_>>();
    let sums = at_once(8, |_| add());
    let sums: BTreeSet<_> = sums.into_iter().flatten().map(|sum| sum.expect("a number")).collect();
    assert_eq!(sums, (1..=200).collect());
}

#[test]
fn of_swaps_at_once_each_value_is_replaced_by_one() {
    let k = &fresh();
    expect(&[(set("b", k, "first"), done())]);
    let won = at_once(8, |client| {
        let mut replaced = Vec::new();
        for attempt in 0..25 {
            let answers = run(&[open("b"), cas("c", k), current("c"), swap("c", format!("{client}:{attempt}"))]);
            if answers[3] == done() {
                replaced.push(answers[2]["ok"].to_string());
            }
        }
        replaced
    });
    let won: Vec<_> = won.into_iter().flatten().collect();
    let values: BTreeSet<_> = won.iter().collect();
    assert_eq!(values.len(), won.len(), "a value was replaced by two");
    assert!(!won.is_empty());
}

#[test]
fn what_is_set_in_one_call_is_read_together() {
    let (k, l) = (&fresh(), &fresh());
    at_once(6, |client| {
        for round in 0..25 {
            if client % 2 == 0 {
                let value = format!("{client}:{round}");
                expect(&[(set_many(&[(k, &value), (l, &value)]), done())]);
            } else {
                let read = pairs(&run(&[open("b"), get_many(&[k, l])])[1]);
                let values: BTreeMap<_, _> = read.into_iter().collect();
                assert_eq!(values.get(k), values.get(l));
            }
        }
    });
}

/// Runs this number of clients at once, each with its number.
fn at_once<T: Send>(clients: usize, client: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends well")).collect()
    })
}
