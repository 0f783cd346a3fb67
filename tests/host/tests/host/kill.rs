//! The application on this host survives `kill -9`: what was acknowledged is there afterwards.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use crate::server::COMPONENT;
use crate::workspace;

const CLIENTS: usize = 4;
/// So many orders are acknowledged before each kill; the preset stock of item1 is enough for all of them.
const ACKNOWLEDGED: usize = 20;
const KILLS: usize = 3;

/// What clients were told: order ids, and whether each was paid.
type Told = Mutex<Vec<(String, bool)>>;

#[test]
fn acknowledged_orders_and_payments_survive_kill_9() {
    LazyLock::force(&COMPONENT);
    let state = tempfile::tempdir().unwrap();
    let told = Told::default();
    for _ in 0..KILLS {
        let (mut host, address) = serve(state.path());
        let enough = told.lock().unwrap().len() + ACKNOWLEDGED;
        let clients = AtomicUsize::new(CLIENTS);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (told, address, clients) = (&told, &address, &clients);
                scope.spawn(move || {
                    // Until the host is gone.
                    while order_and_perhaps_pay(address, client % 2 == 0, told).is_some() {}
                    clients.fetch_sub(1, Ordering::Relaxed);
                });
            }
            while told.lock().unwrap().len() < enough && clients.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
            host.kill().unwrap();
        });
        host.wait().unwrap();
        assert!(told.lock().unwrap().len() >= enough, "the clients were killed with the host, not before");
    }

    let (mut host, address) = serve(state.path());
    let told = told.into_inner().unwrap();
    for (order, paid) in &told {
        let answer = request(&address, "GET", &format!("/orders/{order}"), "").unwrap();
        let as_told = answer.contains(r#""status":"paid""#) || !paid && answer.contains(r#""status":"pending""#);
        assert!(as_told, "{order}, paid: {paid}: {answer}");
    }
    let item = request(&address, "GET", "/inventory/item1", "").unwrap();
    let available: usize = field(&item, r#""available":"#).parse().unwrap();
    // A request that the kill cut off may have been done, but not more of them than there were.
    let sold = 100 - available;
    assert!((told.len()..=told.len() + KILLS * CLIENTS).contains(&sold), "{} told, {sold} sold", told.len());
    host.kill().unwrap();
    host.wait().unwrap();
}

/// Orders one item1 and pays for it where `pays`; nothing once the host does not answer.
fn order_and_perhaps_pay(address: &str, pays: bool, told: &Told) -> Option<()> {
    let answer = request(address, "POST", "/orders", r#"{"item_id":"item1","quantity":1}"#)?;
    let order = answer.contains("201 Created").then(|| field(&answer, r#""order_id":""#).to_owned())?;
    let paid =
        pays && request(address, "POST", &format!("/orders/{order}/pay"), "").is_some_and(|a| a.contains("200 OK"));
    told.lock().unwrap().push((order, paid));
    Some(())
}

/// Starts the program on a state directory: its process and its address.
fn serve(state: &Path) -> (Child, String) {
    let mut host = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["--no-build", "--quiet", "--listen", "127.0.0.1:0", "--state-dir"])
        .arg(state)
        .current_dir(workspace())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(host.stdout.take().unwrap());
    let serving = output.lines().map_while(Result::ok).find(|line| line.contains("http://")).unwrap();
    (host, serving.rsplit("http://").next().unwrap().trim().to_owned())
}

/// The whole answer to a request; nothing if it did not come whole.
fn request(address: &str, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length: usize = field(head, "content-length: ").parse().ok()?;
    (body.len() == length).then_some(answer)
}

/// What stands between `before` and the next delimiter.
fn field<'a>(text: &'a str, before: &str) -> &'a str {
    let start = text.find(before).map_or(text.len(), |at| at + before.len());
    text[start..].split(['"', ',', '}', '\r']).next().unwrap_or_default()
}
