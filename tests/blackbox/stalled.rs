//! Clients that ask and take nothing, or give up what they asked for.

use std::thread::sleep;
use std::time::Duration;

use harness::Http2;
use serde_json::json;

use crate::server::{with_own_server, with_shop};

/// Longer than the shop waits for a client that takes nothing.
const GIVEN_UP: Duration = Duration::from_secs(13);

#[test]
fn an_answer_of_which_a_client_takes_nothing_is_given_up() {
    const READERS: usize = 40;
    with_shop(|shop| {
        let path = "/docs/swagger-ui/swagger-ui-bundle.js";
        let mut connections = Vec::new();
        for fields in [&[("accept-encoding", "gzip")][..], &[]] {
            let mut client = Http2::connect(&shop.0.authority, 0).expect("the server takes connections");
            for _ in 0..READERS {
                client.send("GET", path, fields, &[]).expect("the server takes requests");
            }
            connections.push(client);
        }
        // The shop goes on, on other connections.
        shop.get(path).send().expect(200);
        shop.get("/inventory").send().expect(200);
        sleep(GIVEN_UP);
        for mut client in connections {
            client.set_window(1 << 24).expect("the server takes frames");
            client.read(READERS, Duration::from_secs(60)).expect("the connection goes on");
            assert_eq!((client.complete, client.reset), (0, READERS));
        }
        shop.get(path).send().expect(200);
    });
}

#[test]
fn among_many_orders_that_are_given_up_at_once_a_client_is_answered() {
    const CONNECTIONS: usize = 4;
    const ORDERS: usize = 250;
    with_own_server(&[], |server| {
        let shop = &server.shop;
        let (flooded, item) = (shop.new_item(1_000_000, 1), shop.new_item(1_000_000, 1));
        let body = json!({"item_id": flooded, "quantity": 1}).to_string();
        let order = shop.place("item1", 1);
        let (mut placed, mut busy) = (0, 0);
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    // A server may close a connection on which too much is given up.
                    let mut client = Http2::connect(&shop.0.authority, 1 << 16).expect("the server takes connections");
                    for _ in 0..ORDERS {
                        let sent = client.send("POST", "/orders", &[], body.as_bytes());
                        // A stream that is reset before the server has seen it is no request.
                        sleep(Duration::from_millis(1));
                        if sent.and_then(|stream| client.cancel(stream)).is_err() {
                            client = Http2::connect(&shop.0.authority, 1 << 16).expect("the server takes connections");
                        }
                    }
                    // What was sent is looked at before the connection ends.
                    let _ = client.read(usize::MAX, Duration::from_millis(200));
                });
            }
            for _ in 0..20 {
                let answer = shop.order(json!({"item_id": item, "quantity": 1})).once();
                match answer.status {
                    201 => placed += 1,
                    _ => {
                        answer.problem(503, "busy");
                        assert!(answer.header("retry-after").is_some(), "{answer}");
                        busy += 1;
                    }
                }
            }
        });
        shop.pay(&order.order_id).send().order(200);
        let reserved = shop.item(&item).reserved;
        println!("{placed} placed, {busy} refused; of the flood {} were placed", shop.item(&flooded).reserved);
        assert_eq!(reserved, placed, "what was refused was not done");
    });
}
