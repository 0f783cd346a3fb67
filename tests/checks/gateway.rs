//! The examples of a gateway in deploy/ let through what customers send, and refuse the rest: nginx itself is run with
//! the file, before a shop.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::{Client, Request, Server, Store, Target, debian, root};
use serde_json::json;
use tempfile::TempDir;

/// Turns a gateway that does not start into a failure.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An nginx, ended when it is dropped.
struct Nginx {
    process: Child,
    _folder: TempDir,
    public: Client,
    operators: Client,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It has processes of its own, and ends them.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// Text of the file that is another one in a test.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "nginx.conf has no {from:?}");
    text.replace(from, to)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Runs nginx with the file as it is, but for places, ports and TLS.
fn nginx(shop: &Client) -> Nginx {
    debian::install("nginx", "nginx-light").unwrap_or_else(|error| panic!("nginx cannot be installed: {error}"));
    let folder = tempfile::tempdir().expect("there is a place for its files");
    let [public, redirect, operators] = [free_port(), free_port(), free_port()];
    let mut text = fs::read_to_string(root().join("deploy/nginx/nginx.conf")).expect("the file is there");
    for (from, to) in [
        ("server 127.0.0.1:3000", format!("server {}", shop.authority)),
        ("listen 443 ssl http2;", format!("listen 127.0.0.1:{public};")),
        ("listen 80 default_server;", format!("listen 127.0.0.1:{redirect};")),
        ("listen 127.0.0.1:8081;", format!("listen 127.0.0.1:{operators};")),
        ("ssl_certificate ", "# ".to_owned()),
        ("ssl_certificate_key ", "# ".to_owned()),
        ("/run/", place(folder.path())),
        ("/var/log/nginx/", place(folder.path())),
    ] {
        text = replaced(&text, from, &to);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}{kind};", place(folder.path())))
        .join("\n");
    let text = replaced(&text, "http {\n", &format!("http {{\n{temporary}\n"));
    let file = folder.path().join("nginx.conf");
    // Who runs the test, for the folder is that one's.
    fs::write(&file, format!("user root;\ndaemon off;\n{text}")).expect("the file can be written");
    let errors = folder.path().join("stderr");
    let mut command = Command::new("nginx");
    command.arg("-e").arg(&errors).arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
    let mut process = command.spawn().expect("nginx can be run");
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, public)).is_err() {
        let ended = process.try_wait().expect("it can be waited for");
        let said = || fs::read_to_string(&errors).unwrap_or_default();
        assert!(ended.is_none() && begun.elapsed() < TIMEOUT, "nginx does not run: {ended:?} {}", said());
        sleep(Duration::from_millis(10));
    }
    let client = |port: u16| {
        let token = shop.token.as_deref();
        Client::new(&format!("http://127.0.0.1:{port}"), token).expect("it is an address")
    };
    Nginx { process, _folder: folder, public: client(public), operators: client(operators) }
}

fn place(folder: &Path) -> String {
    format!("{}/", folder.display())
}

fn status(client: &Client, request: &Request) -> u16 {
    client.send(request).unwrap_or_else(|error| panic!("{request:?}: {error}")).status
}

#[test]
fn a_gateway_lets_orders_through_and_refuses_what_is_too_large_too_often_or_not_public() {
    let store = Store::new(Target::Local).expect("there is a store");
    let shop = Server::start(&store, Default::default()).expect("the shop is served");
    let nginx = nginx(&shop.client);
    let (public, operators) = (&nginx.public, &nginx.operators);

    let order = Request::place(&[("item1", 1)]);
    let placed = public.send(&order).expect("an order is answered");
    assert_eq!(placed.status, 201, "{}", placed.value());
    let id = placed.value()["order_id"].as_str().expect("it has an id").to_owned();
    for request in [
        Request::show_order(&id),
        Request::pay(&id),
        Request::get(format!("/orders/{id}/history")),
        Request::get("/inventory"),
        Request::show_item("item1"),
        Request::get("/"),
        Request::get("/docs"),
        Request::get("/docs/swagger-ui/swagger-ui-bundle.js"),
        Request::get("/openapi.json"),
    ] {
        assert_eq!(status(public, &request), 200, "{request:?}");
    }

    // What is not public, however it is written.
    for path in
        ["/ready", "//ready", "/ready/", "/%72eady", "/./ready", "/metrics", "/books", "/sweep", "/health", "/orders/"]
    {
        assert_eq!(status(public, &Request::get(path).operator()), 404, "{path}");
    }
    for request in [
        Request::get("/orders").operator(),
        Request::create("new", 1, 1),
        Request::new("DELETE", "/inventory/item1").operator(),
    ] {
        assert_eq!(status(public, &request), 403, "{request:?}");
    }
    assert_eq!(status(public, &Request::adjust("item1", 1)), 404);
    assert_eq!(status(public, &Request::get(format!("/orders/{id}/returns")).operator()), 404);
    assert_eq!(status(public, &Request::put(format!("/orders/{id}/fulfilment")).operator().json(json!({}))), 404);
    for path in ["/ready", "/metrics", "/books", "/orders"] {
        assert_eq!(status(operators, &Request::get(path).operator()), 200, "{path}");
    }

    // As large as the shop takes it: the shop answers, that this is no item.
    let frame = json!({ "item_id": "", "quantity": 1 }).to_string().len();
    let whole = json!({ "item_id": "x".repeat(api::MAX_BODY_BYTES - frame), "quantity": 1 });
    assert_eq!(status(public, &Request::post("/orders").json(whole)), 422);
    let large = Request::post("/orders").json(json!({ "item_id": "x".repeat(65 << 10), "quantity": 1 }));
    let refused = public.send(&large).expect("it is answered");
    // The shop's own refusal would be a problem.
    assert_eq!((refused.status, refused.header("content-type")), (413, Some("text/html")));

    // Far more than the burst, and far faster than the rate, on any machine.
    let answers: Vec<_> = (0..100).map(|_| status(public, &order)).collect();
    assert!(answers.iter().all(|status| [201, 429].contains(status)), "{answers:?}");
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert!(refused > 10, "{refused} of {} are refused", answers.len());
    // Reading has a rate of its own, and is not hindered by it.
    assert_eq!(status(public, &Request::show_order(&id)), 200);
}
