//! The Redis of servers that have one, and what takes its place when it is gone.

use std::path::Path;

use anyhow::{Context, Result};
use harness::redis_server::{Front, RedisServer};

/// A Redis, with a replica or without.
pub struct Redis {
    /// The one that takes writes.
    pub primary: RedisServer,
    replica: Option<Replica>,
}

struct Replica {
    server: RedisServer,
    /// Where the servers of the shop find whichever is the primary.
    front: Front,
    /// The number of replicas that must have a write before it counts.
    needed: usize,
}

impl Redis {
    /// One without a replica.
    pub fn start() -> Result<Self> {
        Ok(Self { primary: RedisServer::start()?, replica: None })
    }

    /// One with a replica.
    pub fn with_replica(needed: usize) -> Result<Self> {
        let primary = RedisServer::start()?;
        let server = primary.start_replica()?;
        let front = Front::of(&primary)?;
        Ok(Self { primary, replica: Some(Replica { server, front, needed }) })
    }

    /// The variables that tell servers of the shop where it is.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let (address, needed) = match &self.replica {
            Some(replica) => (replica.front.address(), replica.needed),
            None => (self.primary.address(), 0),
        };
        vec![("redis_host", address), ("redis_replicas", needed.to_string())]
    }

    /// Promotes the replica, kills the primary, and gives the new one a replica of its own. In between, `apart` passes:
    /// the primary goes on, and what it is told then is gone with it. `while_down` is shown the new primary's data.
    pub fn fail_over(&mut self, apart: impl FnOnce(), while_down: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let Replica { server, front, .. } = self.replica.as_mut().context("there is no replica")?;
        server.promote()?;
        apart();
        self.primary.kill();
        while_down(server.folder())?;
        front.lead_to(server);
        let next = server.start_replica()?;
        self.primary = std::mem::replace(server, next);
        Ok(())
    }
}
