//! A shop as its operator sees it over HTTP: what it answers is made of records in a file. The components themselves are
//! compared in tests/money.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};

/// The operator's token.
pub const TOKEN: &str = "please-let-me-in";

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Good,
    NoProvider,
    Live,
    Redirects,
    NoShop,
    Nonsense,
    Disabled,
    /// Each page of the list leads to itself.
    Endless,
    /// An entry of the list cannot be read.
    Entries,
}

pub struct Served {
    pub url: String,
    pub mood: Arc<Mutex<Mood>>,
    /// How many requests for a further page are refused as too many.
    pub busy: Arc<Mutex<usize>>,
    paths: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Shared {
    file: PathBuf,
    mood: Arc<Mutex<Mood>>,
    busy: Arc<Mutex<usize>>,
    paths: Arc<Mutex<Vec<String>>>,
    before: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Served {
    pub fn start(file: &Path) -> Self {
        Self::start_with(file, |_| {})
    }

    /// As [`Self::start`]; something happens before each answer.
    pub fn start_with(file: &Path, before: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (mood, busy, paths) = <(Arc<Mutex<Mood>>, Arc<Mutex<usize>>, Arc<Mutex<Vec<String>>>)>::default();
        let (file, before) = (file.to_owned(), Arc::new(before));
        let shared = Shared { file, mood: mood.clone(), busy: busy.clone(), paths: paths.clone(), before };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                thread::spawn(move || serve(connection, &shared));
            }
        });
        Self { url, mood, busy, paths }
    }

    /// What was asked and answered.
    pub fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

fn serve(connection: TcpStream, shared: &Shared) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let authorization = format!("authorization: Bearer {TOKEN}");
    // All of it is read: what is left unread when a connection ends resets it.
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let known = headers.iter().any(|line| line.eq_ignore_ascii_case(&authorization));
    (shared.before)(&path);
    let (status, body) = answer(shared, &path, known);
    let body = body.to_string();
    let head = "connection: close\r\nlocation: http://127.0.0.1:9/\r\nretry-after: 0";
    let _ = write!(&connection, "HTTP/1.1 {status} \r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

fn answer(shared: &Shared, path: &str, known: bool) -> (u16, Value) {
    let mood = *shared.mood.lock().unwrap();
    let list = path.strip_prefix("/orders?");
    match (mood, list) {
        (Mood::Redirects, _) => return (307, json!({})),
        (Mood::NoShop, _) => return (404, json!({ "code": "not_found" })),
        (Mood::Nonsense, Some(_)) => return (200, json!({ "orders": 1 })),
        (Mood::Disabled, Some(_)) => return (403, json!({ "code": "operator_disabled" })),
        (Mood::Endless, Some(_)) => return (200, json!({ "orders": [], "next": "a-1-1" })),
        (Mood::NoProvider, None) => return (200, json!({ "provider": "none", "test_mode": false })),
        (mood, None) => return (200, json!({ "provider": "stripe", "test_mode": mood != Mood::Live })),
        (_, Some(_)) => {}
    }
    if !known {
        return (401, json!({ "code": "unauthorized" }));
    }
    let parameter =
        |name: &str| list.into_iter().flat_map(|list| list.split('&')).find_map(|one| one.strip_prefix(name));
    let after: usize = parameter("cursor=").map_or(0, |cursor| cursor.parse().unwrap());
    let mut busy = shared.busy.lock().unwrap();
    if after > 0 && *busy > 0 {
        *busy -= 1;
        return (503, json!({ "code": "busy" }));
    }
    drop(busy);
    shared.paths.lock().unwrap().push(path.to_owned());
    let store = Connection::open(&shared.file).unwrap();
    let record = |key: String| {
        let bytes = store.query_row("SELECT value FROM records WHERE key = ?1", [key], |row| row.get::<_, Vec<u8>>(0));
        bytes.ok().map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let mut keys = store.prepare("SELECT key FROM records ORDER BY key").unwrap();
    let keys = keys.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let mut ids: Vec<_> = keys.filter_map(|key| key.split_once(':').map(|(_, id)| id.to_owned())).collect();
    ids.sort();
    ids.dedup();
    ids.retain(|id| parameter("order_id=").is_none_or(|wanted| wanted == id));
    let limit = parameter("limit=").map_or(50, |limit| limit.parse().unwrap());
    let next = (after + limit < ids.len()).then(|| (after + limit).to_string());
    let (mut orders, mut unreadable) = (Vec::new(), Vec::new());
    for id in ids.into_iter().skip(after).take(limit) {
        match (record(format!("order:{id}")), record(format!("payment:{id}"))) {
            (Some(order @ Value::Object(_)), Some(state)) => orders.push(shown(&order, &state)),
            _ => unreadable.push(id),
        }
    }
    let mut page = json!({ "orders": orders, "next": next });
    if !unreadable.is_empty() {
        page["unreadable_orders"] = unreadable.into();
    }
    if mood == Mood::Entries {
        page["unreadable_entries"] = 1.into();
    }
    (200, page)
}

/// An order in the list.
fn shown(order: &Value, state: &Value) -> Value {
    let mut shown = json!({ "order_id": order["order_id"], "total": order["total"], "currency": order["currency"] });
    match state["state"].as_str().unwrap() {
        "unpaid" => shown["status"] = "pending".into(),
        "at_provider" => {
            shown["status"] = "pending".into();
            shown["payment"] = json!({ "status": "at_provider", "provider": "stripe", "session_id": state["session"] });
        }
        "paid" => {
            shown["status"] = "paid".into();
            shown["payment"] = json!({ "status": "paid", "amount": state["amount"], "method": "card" });
            if state["charge"].is_string() {
                shown["payment"]["session_id"] = state["session"].clone();
                shown["payment"]["charge_id"] = state["charge"].clone();
            }
        }
        _ => shown["status"] = state["reason"].clone(),
    }
    if let Some(late) = state["late"].as_array() {
        let late = late.iter().map(|late| {
            let refund = late["refund"].as_str().unwrap_or("pending");
            json!({
                "session_id": late["session"], "charge_id": late["charge"], "amount": late["amount"],
                "recorded_at": "2026-11-25T22:03:05.493Z", "refund": refund
            })
        });
        shown["late_charges"] = late.collect();
    }
    if let Some(disputes) = state["disputes"].as_array() {
        let dispute = |one: &Value| {
            json!({
                "dispute_id": one["id"], "charge_id": one["charge"], "amount": one["amount"], "currency": "CNY",
                "status": one["status"], "opened_at": "2026-11-25T22:03:05.493Z"
            })
        };
        shown["disputes"] = disputes.iter().map(dispute).collect();
    }
    shown
}
