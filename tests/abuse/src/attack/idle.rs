//! Connections that are opened, and on which nothing comes, or half of a head.

use std::io::Write;
use std::net::TcpStream;

use anyhow::Result;
use harness::Client;

use super::readers::{address, is_closed};
use super::{Held, Keeper, PATIENCE};
use crate::Sizes;

pub(super) fn run(sizes: &Sizes, client: &Client) -> Result<Held> {
    let (mut silent, mut halves, mut refused) = (Vec::new(), Vec::new(), 0);
    let address = address(client)?;
    let head = client.head_of("GET", "/health");
    for number in 0..2 * sizes.connections {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else {
            refused += 1;
            continue;
        };
        if number % 2 == 0 {
            silent.push(stream);
        } else if stream.write_all(head.as_bytes()).is_ok() {
            halves.push(stream);
        }
    }
    let mut done =
        vec![format!("{} connections on which nothing is sent, {} with half of a head", silent.len(), halves.len())];
    if refused > 0 {
        done.push(format!("{refused} more were not accepted"));
    }
    Ok(Held { done, keeper: Some(Box::new(Idle { silent, halves })) })
}

struct Idle {
    silent: Vec<TcpStream>,
    halves: Vec<TcpStream>,
}

impl Keeper for Idle {
    fn end(self: Box<Self>) -> Result<Vec<String>> {
        let all = [&self.silent, &self.halves].map(Vec::len);
        let [silent, halves] =
            [&self.silent, &self.halves].map(|sockets| sockets.iter().filter(|socket| is_closed(socket)).count());
        Ok(vec![format!(
            "the server has closed {silent} of {} silent ones and {halves} of {} with half of a head",
            all[0], all[1]
        )])
    }
}
