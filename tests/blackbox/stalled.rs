//! Clients that ask and take nothing, or give up what they asked for.

use std::thread::sleep;
use std::time::Duration;

use harness::Http2;

use crate::server::with_shop;

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
