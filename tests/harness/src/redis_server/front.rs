//! A fixed address for a server that changes: what is a virtual IP or a proxy elsewhere.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Error, RedisServer};

/// Hands on connections to a server, each to the one that is behind it when the connection is made. What is connected
/// stays so, until either side ends it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    behind: Arc<Mutex<String>>,
}

impl Front {
    /// An address for this server, until another takes its place.
    pub fn of(server: &RedisServer) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::stopped)?;
        let address = listener.local_addr().map_err(Error::stopped)?;
        let behind = Arc::new(Mutex::new(server.address()));
        let current = behind.clone();
        // Ends with the process: the tests that need one need it to their end.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let behind = lock(&current).clone();
                // Where no server is behind it, the client learns that by the end of its connection.
                if let Ok(server) = TcpStream::connect(behind) {
                    // The client goes without if it cannot be served.
                    let _ = join(client, server);
                }
            }
        });
        Ok(Self { address, behind })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on this server is behind it.
    pub fn lead_to(&self, server: &RedisServer) {
        *lock(&self.behind) = server.address();
    }
}

fn lock(behind: &Mutex<String>) -> MutexGuard<'_, String> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands on what each says to the other, until one of them ends it.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        to.set_nodelay(true)?;
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
