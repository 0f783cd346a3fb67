//! The bursts.

mod flood;
mod idle;
mod readers;
mod resets;

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::client::SendRequest;
use harness::Client;
use http::Request;
use tokio::net::TcpStream;

pub(crate) use flood::full_store;

use crate::{Burst, Shop, Sizes};

/// What a burst leaves open until the memory was looked at in the end.
pub(crate) struct Held {
    /// What was done.
    pub(crate) done: Vec<String>,
    pub(crate) keeper: Option<Box<dyn Keeper>>,
}

/// What holds it.
pub(crate) trait Keeper {
    /// Lets it go, and says what the server has given up by itself.
    fn end(self: Box<Self>) -> Result<Vec<String>>;
}

/// Does it. This takes about as long as the burst is to last, or less.
pub(crate) fn run(burst: Burst, sizes: &Sizes, client: &Client, shop: &Shop) -> Result<Held> {
    match burst {
        Burst::Readers => readers::run(sizes, client),
        Burst::Resets => resets::run(sizes, client),
        Burst::Flood => flood::run(sizes, client, shop),
        Burst::Idle => idle::run(sizes, client),
    }
}

/// A connection of HTTP/2 whose streams get this window.
async fn connect(client: &Client, window: u32) -> Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(&*client.authority).await.context("no connection")?;
    stream.set_nodelay(true)?;
    let handshake = h2::client::Builder::new().initial_window_size(window).handshake(stream);
    let (sender, connection) = handshake.await.context("no HTTP/2")?;
    // Its errors are seen by the streams.
    tokio::spawn(async move { _ = connection.await });
    Ok(sender)
}

/// A request for a path of the shop.
fn request(client: &Client, method: &str, path: &str) -> Result<http::request::Builder> {
    let uri = format!("{}{path}", client.url());
    Ok(Request::builder().method(method).uri(uri.parse::<http::Uri>()?))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// As long as any step may take of a client that means no good.
const PATIENCE: Duration = Duration::from_secs(5);
