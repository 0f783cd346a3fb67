//! Moves between all pairs of stores, and the moves that are refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::RedisServer;
use redis::Commands;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

const ONE: &str = "00000000-0000-4000-8000-000000000001";
const TWO: &str = "00000000-0000-4000-8000-000000000002";
const THREE: &str = "00000000-0000-4000-8000-000000000003";
const PRESET: [&str; 3] = ["item1", "item2", "item3"];
const KEY: &str = "00112233445566778899aabbccddeeff";

type Records = BTreeMap<String, Vec<u8>>;

/// A shop in which something has happened: an order is paid and still held, one is unpaid, and one was cancelled.
fn shop() -> Records {
    let item = |on_hand: u64, holds| {
        records::write("inventory:a", &json!({ "version": 3, "on_hand": on_hand, "unit_price": 700, "holds": holds }))
    };
    let hold = |quantity: u64| json!({ "quantity": quantity, "expires_at": 1_000_000 });
    let order = |id: &str, item: &str, quantity: u64| {
        let line = json!({ "item_id": item, "quantity": quantity, "unit_price": 700 });
        json!({ "order_id": id, "lines": [line], "total": 700, "currency": "CNY", "placed_at": 1, "expires_at": 2 })
    };
    let text = |record: serde_json::Value| record.to_string().into_bytes();
    let order_key = |id: &str| format!("order:{id}");
    let payment_key = |id: &str| format!("payment:{id}");
    [
        ("catalog".to_owned(), text(json!({ "items": ["a", "c", "item2"] }))),
        ("inventory:a".to_owned(), item(10, json!({ ONE: hold(2), TWO: hold(3) })).expect("an item")),
        ("inventory:item2".to_owned(), item(1, json!({})).expect("an item")),
        (format!("idempotency:{KEY}"), text(json!(THREE))),
        (order_key(ONE), text(order(ONE, "a", 2))),
        (payment_key(ONE), text(json!({ "state": "paid", "amount": 700, "method": "card", "paid_at": 2 }))),
        (order_key(TWO), text(order(TWO, "a", 3))),
        (payment_key(TWO), text(json!({ "state": "unpaid", "confirmed": true }))),
        (order_key(THREE), text(order(THREE, "item2", 1))),
        (payment_key(THREE), text(json!({ "state": "void", "reason": "cancelled", "at": 2 }))),
    ]
    .into()
}

const BALANCE: &str = "2 items, 11 on hand, 5 of them reserved; 1 orders unpaid, 1 paid with 2 sold, 1 void; 1 keys";

/// A folder in which stores are made.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A SQLite database that has these records.
    fn sqlite(&self, name: &str, records: &Records) -> String {
        let file = Connection::open(self.path().join(name)).expect("a file can be made");
        file.execute("CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL)", []).expect("a table");
        for (key, value) in records {
            file.execute("INSERT INTO records VALUES (?1, ?2)", (key, value)).expect("a row");
        }
        name.to_owned()
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_records"));
        command.args(arguments).current_dir(self.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it can be run");
        // What is refused may not be read to its end.
        let _ = process.stdin.take().expect("it has an input").write_all(input);
        process.wait_with_output().expect("it ends")
    }

    /// What is printed after a success.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]);
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// What is printed after a failure.
    fn refused(&self, arguments: &[&str]) -> String {
        said(self.run(arguments, &[]))
    }

    fn export(&self, from: &str) -> Vec<u8> {
        let output = self.run(&["export", "--from", from], &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Everything in a SQLite database.
    fn records(&self, name: &str) -> Records {
        let file = Connection::open(self.path().join(name)).expect("it is there");
        let mut rows = file.prepare("SELECT key, value FROM records").expect("it has the table");
        let rows = rows.query_map([], |row| row.try_into()).expect("it can be read");
        rows.map(|row| row.expect("it can be read")).collect()
    }
}

fn said(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("text")
}

fn redis() -> RedisServer {
    RedisServer::start().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_shop_that_goes_once_around_all_stores_is_the_same_byte_for_byte() {
    let (folder, redis) = (Folder::new(), redis());
    let first = folder.sqlite("first", &shop());
    let url = redis.url();
    let stops = [first.as_str(), "key-value:second", &url, "sqlite:third", "key-value:fourth", "sqlite:last"];
    for (from, to) in stops.iter().zip(&stops[1..]) {
        let moved = folder.done(&["move", "--from", from, "--to", to]);
        assert!(moved.contains(": 10 records in ") && moved.trim_end().ends_with(BALANCE), "{moved}");
    }
    assert_eq!(folder.records("last"), shop());
    assert_eq!(folder.records("first"), shop(), "what is moved from stays as it is");
}

#[test]
fn what_is_exported_is_imported_byte_for_byte() {
    let (folder, redis) = (Folder::new(), redis());
    let first = folder.sqlite("first", &shop());
    let exported = folder.export(&first);
    assert_eq!(exported.iter().filter(|byte| **byte == b'\n').count(), 12);
    for to in ["key-value:second", &redis.url()] {
        let output = folder.run(&["import", "--to", to], &exported);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let from = to.trim_start_matches("key-value:");
        assert_eq!(String::from_utf8(folder.export(from)), String::from_utf8(exported.clone()), "{to}");
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_what_was_moved() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let from = folder.sqlite("from", &shop());
    folder.done(&["move", "--from", &from, "--to", "key-value:to"]);
    let made = folder.path().join("to").metadata().expect("it was made");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
}

#[test]
fn records_of_self_tests_and_unclaimed_records_are_not_moved() {
    let folder = Folder::new();
    folder.sqlite("first", &shop());
    folder.done(&["move", "--from", "first", "--to", "key-value:second"]);
    let second = Connection::open(folder.path().join("second")).expect("it is there");
    let insert = "INSERT INTO spin_key_value VALUES ('default', ?1, ?2)";
    for key in ["probe:1", "probe:1~", "inventory:a~00000000000000ff", "inventory:c~"] {
        second.execute(insert, (key, [0_u8; 8])).expect("a row");
    }
    folder.done(&["move", "--from", "second", "--to", "sqlite:last"]);
    assert_eq!(folder.records("last"), shop());
}

#[test]
fn records_of_self_tests_and_the_fence_of_a_redis_are_not_moved() {
    let (folder, redis) = (Folder::new(), redis());
    folder.sqlite("first", &shop());
    folder.done(&["move", "--from", "first", "--to", &redis.url()]);
    let mut connection = redis.connect().expect("it runs");
    let () =
        redis::cmd("MSET").arg(&["probe:1", "first", "fence", "0"]).query(&mut connection).expect("Redis is healthy");
    folder.done(&["move", "--from", &redis.url(), "--to", "sqlite:last"]);
    assert_eq!(folder.records("last"), shop());
}

#[test]
fn a_store_that_is_not_empty_is_refused_and_stays_as_it_is() {
    let (folder, redis) = (Folder::new(), redis());
    folder.sqlite("first", &shop());
    let url = redis.url();
    for to in ["sqlite:second", "key-value:third", &url] {
        folder.done(&["move", "--from", "first", "--to", to]);
        let again = folder.refused(&["move", "--from", "first", "--to", to]);
        assert!(again.contains(" is not empty, "), "{again}");
        let exported = folder.export("first");
        assert!(said(folder.run(&["import", "--to", to], &exported)).contains(" is not empty, "));
    }
    assert_eq!(folder.records("second"), shop());
}

#[test]
fn books_that_are_not_in_order_are_not_moved() {
    let broken = |name: &str, change: &dyn Fn(&mut Records)| {
        let mut records = shop();
        change(&mut records);
        (name.to_owned(), records)
    };
    let item = |on_hand: u64, quantity: u64| {
        let hold = json!({ "quantity": quantity, "expires_at": 1 });
        let item = json!({ "version": 1, "on_hand": on_hand, "unit_price": 1, "holds": { TWO: hold } });
        records::write("inventory:a", &item).expect("an item")
    };
    let accounts = |numbers: serde_json::Value| {
        let mut item = records::read("inventory:a", &shop()["inventory:a"]).expect("an item");
        let members = item.as_object_mut().expect("an object");
        members.extend(numbers.as_object().expect("an object").clone());
        records::write("inventory:a", &item).expect("an item")
    };
    for (expected, records) in [
        broken("3 of a are reserved, and 2 are there", &|all| _ = all.insert("inventory:a".into(), item(2, 3))),
        broken("inventory:a holds what order:", &|all| _ = all.insert("inventory:a".into(), item(9, 4))),
        broken("is there, and order:", &|all| _ = all.remove(&format!("order:{TWO}"))),
        broken("is there, and payment:", &|all| _ = all.remove(&format!("payment:{THREE}"))),
        broken("is confirmed, and inventory:a does not hold it", &|all| {
            let none = json!({ "version": 1, "on_hand": 9, "unit_price": 1 });
            all.insert("inventory:a".into(), records::write("inventory:a", &none).expect("an item"));
        }),
        broken("is at the payment provider, and inventory:a does not hold it", &|all| {
            let none = json!({ "version": 1, "on_hand": 9, "unit_price": 1 });
            all.insert("inventory:a".into(), records::write("inventory:a", &none).expect("an item"));
            let state = json!({ "state": "at_provider", "attempt": 1, "session": "s" });
            all.insert(format!("payment:{TWO}"), state.to_string().into_bytes());
        }),
        broken("inventory:a is there, and the catalog does not list it", &|all| {
            all.insert("catalog".into(), b"{\"items\":[\"b\"]}".into());
        }),
        broken("the books of a do not add up: 12 received, 1 sold", &|all| {
            all.insert("inventory:a".into(), accounts(json!({ "received": 12, "sold": 1 })));
        }),
        broken("1 of a came back, and orders say 0", &|all| {
            let back = json!({ "received": 11, "sold": 2, "returned": 1, "written_off": 0 });
            all.insert("inventory:a".into(), accounts(back));
        }),
        broken("more of a is to come back than was sold", &|all| {
            let back = json!([{ "id": KEY, "lines": [["a", 3]], "to": "stock", "at": 1 }]);
            let state = json!({ "state": "paid", "amount": 700, "method": "card", "paid_at": 2, "returns": back });
            all.insert(format!("payment:{ONE}"), state.to_string().into_bytes());
        }),
        broken("cannot be read: ", &|all| _ = all.insert(format!("payment:{ONE}"), b"{}".into())),
        broken("inventory:item2 cannot be read: ", &|all| _ = all.insert("inventory:item2".into(), b"{}".into())),
        broken("something:else is no record of a shop", &|all| _ = all.insert("something:else".into(), b"1".into())),
    ] {
        let folder = Folder::new();
        folder.sqlite("first", &records);
        let moved = folder.refused(&["move", "--from", "first", "--to", "sqlite:second"]);
        assert!(moved.contains(&expected), "{moved}");
        let second = Connection::open(folder.path().join("second")).expect("it was begun");
        assert!(second.prepare("SELECT * FROM records").is_err(), "nothing is there");
        assert!(folder.refused(&["export", "--from", "first"]).contains(&expected));
    }
}

#[test]
fn lines_that_were_cut_off_or_changed_are_refused() {
    let folder = Folder::new();
    folder.sqlite("first", &shop());
    let exported = String::from_utf8(folder.export("first")).expect("text");
    let lines: Vec<_> = exported.lines().collect();
    let without = |number: usize| {
        let mut lines = lines.clone();
        lines.remove(number);
        lines.join("\n")
    };
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    for (input, expected) in [
        (String::new(), "after line 0 something is missing"),
        (without(11), "after line 11 something is missing"),
        (exported[..exported.len() - 5].to_owned(), "line 12"),
        (without(5), "line 11: these are not the records that were written"),
        (without(0), "line 1 does not say"),
        (swapped.join("\n"), "is not in its place"),
        ([&lines[..3], &lines[2..]].concat().join("\n"), "line 4: idempotency:00112233445566778899aabbccddeeff is not"),
        (exported.replacen("\"version\":1", "\"version\":2", 1), "this is version 2"),
        (exported.replacen("\"base64\":\"", "\"base64\":\"!", 1), "line 2"),
        (exported.clone() + lines[1], "comes after the last one"),
        ("text".to_owned(), "line 1 does not say"),
    ] {
        let refused = said(folder.run(&["import", "--to", "sqlite:second"], input.as_bytes()));
        assert!(refused.contains(expected), "{expected}: {refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
    assert!(
        folder.run(&["import", "--to", "sqlite:second"], exported.as_bytes()).status.success(),
        "it is still empty"
    );
}

#[test]
fn a_redis_that_cannot_be_filled_says_why() {
    let (folder, mut redis) = (Folder::new(), redis());
    folder.sqlite("first", &shop());
    let url = redis.url();
    let moved = |settings: &[&str]| {
        let () = redis::cmd("CONFIG").arg("SET").arg(settings).query(&mut redis.connect().unwrap()).unwrap();
        folder.refused(&["move", "--from", "first", "--to", &url])
    };
    assert!(moved(&["maxmemory", "1"]).contains("maxmemory"));
    assert!(moved(&["maxmemory", "0", "requirepass", "secret"]).to_lowercase().contains("auth"));
    redis.kill();
    assert!(
        folder.refused(&["move", "--from", "first", "--to", &url]).contains("cannot be reached: Connection refused")
    );
    let with_login = url.replacen("redis://", "redis://:secret@", 1);
    assert!(!folder.refused(&["export", "--from", &with_login]).contains("secret"));
}

#[test]
fn a_redis_that_has_something_else_is_not_moved_from() {
    let (folder, redis) = (Folder::new(), redis());
    let () = redis.connect().unwrap().lpush("order:1", "1").unwrap();
    let refused = folder.refused(&["export", "--from", &redis.url()]);
    assert!(refused.contains("order:1 is a list, and no record of a shop"), "{refused}");
}

#[test]
fn a_move_into_a_redis_that_was_broken_off_leaves_nothing_to_sell_and_says_how_to_begin_again() {
    let (folder, redis) = (Folder::new(), redis());
    let mut broken = shop();
    broken.insert("payment:x".into(), b"{}".into());
    folder.sqlite("first", &broken);
    folder.refused(&["move", "--from", "first", "--to", &redis.url()]);
    let mut connection = redis.connect().unwrap();
    let mut items: Vec<String> = connection.keys("inventory:*").unwrap();
    items.sort();
    assert_eq!(items, PRESET.map(|item| format!("inventory:{item}")));
    for key in items.iter().map(String::as_str).chain(["catalog"]) {
        let text: String = connection.get(key).unwrap();
        assert!(text.starts_with("a shop is moving in"), "{key}: {text}");
    }
    let again = folder.refused(&["move", "--from", "first", "--to", &redis.url()]);
    assert!(again.contains("empty it with FLUSHDB"), "{again}");
    assert!(folder.refused(&["export", "--from", &redis.url()]).contains("catalog cannot be read"));
}

#[test]
fn a_store_that_cannot_be_found_is_named_and_nothing_is_made() {
    let folder = Folder::new();
    folder.sqlite("first", &shop());
    fs::write(folder.path().join("text"), "text ".repeat(1000)).unwrap();
    for (from, to, expected) in [
        ("none", "sqlite:second", "none is not there"),
        ("text", "sqlite:second", "text is no store that can be read"),
        ("key-value:first", "sqlite:second", "first is a store of the other kind"),
        ("first", "second", "second is not there; key-value:second or sqlite:second says what to make"),
    ] {
        let refused = folder.refused(&["move", "--from", from, "--to", to]);
        assert!(refused.contains(expected), "{refused}");
        assert!(!folder.path().join("second").exists());
    }
}
