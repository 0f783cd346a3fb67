//! Clients that ask for a large file, and take nothing of it.

use std::io::Read;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use harness::Client;
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::{Held, Keeper, PATIENCE, connect, request, runtime};
use crate::Sizes;

/// The largest file that the shop serves.
const FILE: &str = "/docs/swagger-ui/swagger-ui-bundle.js";

/// What a connection of HTTP/1.1 takes before it is read from: little.
const RECEIVE_BUFFER: usize = 2048;

pub(super) fn run(sizes: &Sizes, client: &Client) -> Result<Held> {
    let runtime = runtime()?;
    let given_up = Arc::new(AtomicUsize::new(0));
    let asked = runtime.block_on(streams(sizes, client, &given_up))?;
    let mut sockets = Vec::new();
    for number in 0..sizes.readers {
        sockets.push(reader(client, number)?);
    }
    let done = format!(
        "{asked} streams of one connection with a window of 0, and {} connections of HTTP/1.1, ask for {FILE} and do not read",
        sockets.len()
    );
    Ok(Held { done: vec![done], keeper: Some(Box::new(Readers { runtime, asked, given_up, sockets })) })
}

/// How many streams there are. Each counts itself among those that were given up, when it is.
async fn streams(sizes: &Sizes, client: &Client, given_up: &Arc<AtomicUsize>) -> Result<usize> {
    let mut sender = connect(client, 0).await?;
    let mut asked = 0;
    for number in 0..sizes.streams {
        // A server that takes fewer streams at once is asked for no more.
        let Ok(ready) = timeout(PATIENCE, sender.ready()).await else { break };
        sender = ready?;
        let mut request = request(client, "GET", FILE)?;
        if number % 2 == 1 {
            request = request.header("accept-encoding", "gzip");
        }
        let (response, _) = sender.send_request(request.body(())?, true)?;
        let given_up = given_up.clone();
        tokio::spawn(async move {
            let Ok(response) = response.await else {
                given_up.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let mut body = response.into_body();
            // Nothing can come but an end.
            while let Some(Ok(_)) = body.data().await {}
            given_up.fetch_add(1, Ordering::Relaxed);
        });
        asked += 1;
    }
    Ok(asked)
}

fn reader(client: &Client, number: usize) -> Result<TcpStream> {
    let address = address(client)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.connect(&address.into())?;
    let mut stream = TcpStream::from(socket);
    let mut head = client.head_of("GET", FILE);
    if number % 2 == 1 {
        head.push_str("accept-encoding: gzip\r\n");
    }
    head.push_str("\r\n");
    std::io::Write::write_all(&mut stream, head.as_bytes())?;
    Ok(stream)
}

/// The first address of the server.
pub(super) fn address(client: &Client) -> Result<SocketAddr> {
    client.authority.to_socket_addrs()?.next().context("the server has no address")
}

/// What is not read.
struct Readers {
    runtime: Runtime,
    asked: usize,
    given_up: Arc<AtomicUsize>,
    sockets: Vec<TcpStream>,
}

impl Keeper for Readers {
    fn end(self: Box<Self>) -> Result<Vec<String>> {
        let Self { runtime, asked, given_up, sockets } = *self;
        let given_up = given_up.load(Ordering::Relaxed);
        // A connection that is still served is read to the end of the file, and stays open.
        let all = sockets.len();
        let closed = sockets.into_iter().filter(is_closed).count();
        runtime.shutdown_background();
        Ok(vec![format!("the server has given up {given_up} of {asked} streams and {closed} of {all} connections")])
    }
}

/// Whether the server has ended a connection, before or after what it has sent already.
pub(super) fn is_closed(socket: &TcpStream) -> bool {
    let mut piece = vec![0; 64 << 10];
    let mut socket = socket;
    if socket.set_read_timeout(Some(Duration::from_millis(20))).is_err() {
        return true;
    }
    loop {
        match socket.read(&mut piece) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            }
        }
    }
}
