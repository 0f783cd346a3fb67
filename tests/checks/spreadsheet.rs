//! The CSV of orders, in a spreadsheet: LibreOffice opens it, and every cell is what it was meant to be.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Request, debian};
use host::toolchain::say;
use serde_json::json;

use crate::shop::Shop;

/// The whole of what a customer can be called that a spreadsheet would execute, change or tear apart.
const CUSTOMERS: [&str; 33] = [
    "=1+1",
    "+1+1",
    "-2-3",
    "@SUM(1)",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "=cmd|' /C calc'!A0",
    " =1+1",
    "\u{a0}=1+1",
    "\u{3000}＝1+1",
    "\u{200b}=1+1",
    "＝1+1",
    "＋1+1",
    "－2－3",
    "＠SUM(1)",
    "x;=1+1",
    "x,=1+1",
    "x\";=1+1;\"",
    "\"=1+1\"",
    "'=1+1",
    "00123",
    "12345678901234567890",
    "1e5",
    "１２",
    "1-2",
    "2026-01-01",
    "1/2",
    "12:30",
    "mar-1",
    "TRUE",
    "anna, \"the first\"; 安娜",
    "安娜; Ünal",
    "anna",
    "c-1234",
];

const METHODS: [&str; 6] = ["-2-3", "00123", "1e5", "1-2", "true", "card"];

/// How LibreOffice reads: which separator, quotes, UTF-8, from the first row, in English; text that is quoted may be
/// a number; numbers and dates are looked for; blanks are removed; formulas are executed.
fn reads(separator: char) -> String {
    format!(
        "--infilter=Text - txt - csv (StarCalc):{},34,76,1,,1033,false,true,false,false,true,0,true",
        separator as u32
    )
}

/// How it writes: with commas and UTF-8, texts in quotes and nothing else, as shown, formulas as such.
const WRITES: &str = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true,true,false";

/// A cell: its text, and whether it is a text.
type Cell = (String, bool);

#[test]
fn a_spreadsheet_shows_every_cell_as_it_was_meant_and_executes_none() {
    if let Err(reason) = debian::install("soffice", "libreoffice-calc-nogui") {
        // Where it counts, it has to be there.
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        say(format_args!("SKIPPED: no spreadsheet opens the CSV of orders: {reason}"));
        return;
    }
    let folder = tempfile::tempdir().expect("there is a folder");
    // A file without the guards: so the test can fail.
    let bare = "a,b,c,d,e\r\n=1+1,\"=2+2\",00123,2026-01-01,\"x;=1+1\"\r\n";
    let opened = open(folder.path(), "bare", bare.as_bytes(), ',');
    let shown: Vec<_> = opened[1].iter().map(|(text, is_text)| (text.as_str(), *is_text)).collect();
    assert!(!shown[0].1 && shown[0].0 != "=1+1" && !shown[1].1, "formulas are executed: {shown:?}");
    assert_eq!((shown[2], shown[3].1), (("123", false), false), "numbers and dates are looked for: {shown:?}");

    let shop = Shop::open(&[]);
    // Ids that are numbers, dates and formulas.
    for item in ["00123", "-1", "mar-1", "1e5", "may"] {
        let created = shop.server.client.send(&Request::create(item, 1_000, 100)).expect("the server answers");
        assert_eq!(created.status, 201, "{created:?}");
    }
    let items = ["item1", "00123", "-1", "mar-1", "1e5", "may"];
    let mut placed = Vec::new();
    for (number, customer) in CUSTOMERS.iter().enumerate() {
        let (one, other) = (items[number % items.len()], items[(number + 1) % items.len()]);
        let lines = json!([{ "item_id": one, "quantity": 1 }, { "item_id": other, "quantity": 2 }]);
        let lines = if number % 2 == 0 { lines } else { json!([lines[0]]) };
        let (_, order) = shop.post("/orders", &json!({ "items": lines, "customer_id": customer }), None);
        let id = order["order_id"].as_str().expect("it is placed").to_owned();
        let method = METHODS[number % METHODS.len()];
        shop.post(&format!("/orders/{id}/pay"), &json!({ "method": method }), None);
        let quantities = order["items"].as_array().into_iter().flatten();
        let names = quantities.map(|line| format!("{} x {}", line["quantity"], line["item_id"].as_str().unwrap_or("")));
        placed.push((id, *customer, names.collect::<Vec<_>>().join(" + "), method));
    }
    let request = Request::get("/orders?format=csv").operator();
    let csv = shop.server.client.send(&request).expect("the server answers").body;
    let rows = open(folder.path(), "orders", &csv, ',');
    assert_eq!(rows.len(), placed.len() + 1);
    for (id, customer, names, method) in &placed {
        let row = rows.iter().find(|row| row[0].0 == *id).unwrap_or_else(|| panic!("{customer:?} is not there"));
        assert_eq!(row.len(), 12, "{row:?}");
        for (column, meant) in [(4, *customer), (5, names), (8, *method)] {
            let (shown, is_text) = &row[column];
            assert!(*is_text, "{meant:?} became {shown:?}");
            // A guard is seen; line ends are those of the machine, and blanks at the ends were asked to be removed.
            let same = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n").replace('\'', "").trim().to_owned();
            assert_eq!(same(shown), same(meant), "{row:?}");
        }
        assert_eq!(row[7].0, "CNY", "{row:?}");
        assert!(!row[6].1, "a total is a number: {row:?}");
    }
    // Where a semicolon separates, rows fall apart, but nothing is executed.
    for row in open(folder.path(), "semicolons", &csv, ';') {
        for (shown, _) in row {
            let begins = shown.trim_start().chars().next().unwrap_or('x');
            assert!(!shown.contains("Err:") && !['=', '+', '@', '＝', '＋', '－', '＠'].contains(&begins), "{shown}");
            assert!(shown != "2" && shown != "-5", "{shown}");
        }
    }
}

/// What LibreOffice makes of a file.
fn open(folder: &Path, name: &str, csv: &[u8], separator: char) -> Vec<Vec<Cell>> {
    let (file, to) = (folder.join(format!("{name}.csv")), folder.join(format!("opened-{name}")));
    fs::write(&file, csv).expect("a file can be written");
    let profile = format!("-env:UserInstallation=file://{}", folder.join("profile").display());
    let run = Command::new("soffice")
        .args([&profile, "--headless", "--norestore", &reads(separator), "--convert-to", WRITES, "--outdir"])
        .arg(&to)
        .arg(&file)
        .output()
        .expect("LibreOffice runs");
    let written = fs::read_to_string(to.join(format!("{name}.csv")));
    let written = written.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    cells(written.trim_start_matches('\u{feff}'))
}

/// The cells of CSV, with whether they are in quotes.
fn cells(csv: &str) -> Vec<Vec<Cell>> {
    let (mut rows, mut row, mut cell, mut quoted, mut inside) = (Vec::new(), Vec::new(), String::new(), false, false);
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if inside && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => (inside, quoted) = (!inside, true),
            ',' if !inside => row.push((std::mem::take(&mut cell), std::mem::take(&mut quoted))),
            '\n' if !inside => {
                row.push((std::mem::take(&mut cell), std::mem::take(&mut quoted)));
                rows.push(std::mem::take(&mut row));
            }
            character => cell.push(character),
        }
    }
    rows
}
