//! The program, on stores as they are and as they should not be.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

const FILE: &str = ".spin/sqlite_key_value.db";

/// A folder whose store has these records.
fn folder(records: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".spin")).unwrap();
    let file = Connection::open(folder.path().join(FILE)).unwrap();
    let table = "CREATE TABLE spin_key_value (store TEXT, key TEXT, value BLOB, PRIMARY KEY (store, key))";
    file.execute(table, []).unwrap();
    for (key, value) in records {
        for store in ["default", "of another application"] {
            file.execute("INSERT INTO spin_key_value VALUES (?1, ?2, ?3)", (store, key, value)).unwrap();
        }
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_records")).args(arguments).current_dir(folder).output().unwrap()
}

/// What is printed where nothing goes wrong.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is said where something does.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_record_is_a_line() {
    let item = records::write("inventory:a~1", &json!({ "version": 1, "on_hand": 2, "unit_price": 3 })).unwrap();
    let folder = folder(&[
        ("payment:1", br#"{"state":"unpaid"}"#),
        ("inventory:a~0000000000000001", &item),
        ("inventory:a~", &1_u64.to_le_bytes()),
        ("inventory:b~", &[0; 8]),
        ("probe:1", b"first"),
    ]);
    let all = "inventory:a~\t\"0000000000000001\"\n\
        inventory:a~0000000000000001\t{\"version\":1,\"on_hand\":2,\"unit_price\":3}\n\
        inventory:b~\tnull\n\
        payment:1\t{\"state\":\"unpaid\"}\n\
        probe:1\t\"first\"\n";
    assert_eq!(printed(folder.path(), &[]), all);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE).display().to_string();
    assert_eq!(printed(elsewhere.path(), &["--store", &file]), all);
    assert_eq!(printed(folder.path(), &["pay"]), "payment:1\t{\"state\":\"unpaid\"}\n");
    assert_eq!(printed(folder.path(), &["inventory:b~"]), "inventory:b~\tnull\n");
    assert_eq!(printed(folder.path(), &["nothing"]), "");
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_the_others_are_printed() {
    let folder = folder(&[("inventory:a~1", b"{}"), ("order:1", b"{}")]);
    let output = run(folder.path(), &[]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"order:1\t{}\n".as_slice()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("inventory:a~1 cannot be read: "), "{said}");
    assert!(said.ends_with("error: 1 records cannot be read\n"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), &[]);
    assert_eq!(said, format!("error: {FILE} is not there; --store says which file to read\n"));
    assert!(!folder.path().join(".spin").exists());
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text"), "text ".repeat(1000)).unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    Connection::open(folder.path().join("other")).unwrap().execute("CREATE TABLE other (key TEXT)", []).unwrap();
    for file in ["text", "folder", "other"] {
        let said = refused(folder.path(), &["--store", file]);
        assert!(said.starts_with(&format!("error: {file} is no store that can be read: ")), "{said}");
    }
}

#[test]
fn a_store_in_use_is_read_and_stays_as_it_is() {
    for mode in ["DELETE", "WAL"] {
        let folder = folder(&[("payment:1", b"{}")]);
        let file = folder.path().join(FILE);
        let user = Connection::open(&file).unwrap();
        user.pragma_update(None, "journal_mode", mode).unwrap();
        user.execute("UPDATE spin_key_value SET value = ?1", [b"null"]).unwrap();
        let before = fs::read(&file).unwrap();
        assert_eq!(printed(folder.path(), &[]), "payment:1\tnull\n", "{mode}");
        assert_eq!(fs::read(&file).unwrap(), before, "{mode}");
    }
}
