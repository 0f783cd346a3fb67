//! What the suites share: servers of the shop on each of its stores, a client, a Redis, and folders for all of them.

#![deny(missing_docs)]

mod client;
pub mod debian;
mod guard;
mod http2;
pub mod observed;
#[cfg(feature = "server")]
pub mod process;
#[cfg(feature = "server")]
pub mod provider;
pub mod redis_server;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod store;
mod target;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

pub use client::{Answer, Client, Connection, Request};
pub use http::{HeaderMap, Method, StatusCode, header};
pub use http2::Http2;
pub use redis_server::RedisServer;
#[cfg(feature = "server")]
pub use server::{Server, patient};
#[cfg(feature = "server")]
pub use store::Store;
pub use target::Target;

/// The operator's token, the one of the README.
pub const TOKEN: &str = "please-let-me-in";

/// Why something is not there that a suite needs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server of this process.
    #[cfg(feature = "server")]
    #[error(transparent)]
    Host(#[from] host::Error),
    /// A server of another process.
    #[error("the server does not start: {0}")]
    NotStarted(String),
    /// A Redis.
    #[error(transparent)]
    Redis(#[from] redis_server::Error),
    /// A file, a folder, a process or a connection.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A name that no other test has, on this server or any other.
pub fn fresh(kind: &str) -> String {
    format!("bb-{kind}-{:016x}", fastrand::u64(..))
}

/// Runs this number of clients, which all start at the same moment; the results are in the order of their numbers.
pub fn at_once<T: Send>(count: usize, client: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(count);
    let run = |number| {
        start.wait();
        client(number)
    };
    thread::scope(|scope| {
        let run = &run;
        let clients: Vec<_> = (0..count).map(|number| scope.spawn(move || run(number))).collect();
        clients.into_iter().map(|client| client.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
