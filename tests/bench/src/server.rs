//! What is served, and what serves it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use harness::process::{self, Process, Program};
use harness::{Client, RedisServer, Server as InProcess, Target, provider, server};
use host::Stats;
use records::location::Location;
use soak::watch::Holds;

use crate::client::item_id;

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// The shop.
    Ours,
    /// Components that do only the necessary calls.
    Bare,
    /// The shop on a SQLite database, as it is on Fermyon Cloud.
    OnSqlite,
    /// The shop on a Redis, as it is on Akamai Functions and SpinKube.
    OnRedis,
    /// The same, and two servers share the Redis.
    TwoOnRedis,
}

impl Application {
    pub const ALL: [Self; 2] = [Self::Ours, Self::Bare];
    /// The shop, on each store.
    pub const STORES: [Self; 4] = [Self::Ours, Self::OnSqlite, Self::OnRedis, Self::TwoOnRedis];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
            Self::OnSqlite => "sqlite",
            Self::OnRedis => "redis",
            Self::TwoOnRedis => "redis, two servers",
        }
    }

    fn has_redis(self) -> bool {
        matches!(self, Self::OnRedis | Self::TwoOnRedis)
    }

    pub fn manifest(self) -> PathBuf {
        match self {
            Self::Bare => Path::new(env!("CARGO_MANIFEST_DIR")).join("bare/spin.toml"),
            Self::Ours => Target::Local.manifest(),
            Self::OnSqlite => Target::FermyonCloud.manifest(),
            Self::OnRedis | Self::TwoOnRedis => Target::AkamaiFunctions.manifest(),
        }
    }

    /// Builds the components as the manifest says, and compiles them, which the runtime's cache remembers.
    pub fn build(self) -> Result<()> {
        let state = tempfile::tempdir()?;
        let built = InProcess::start_at(&self.manifest(), state.path(), server::Settings::default()).map(drop);
        built.with_context(|| format!("the components of {} cannot be built and served", self.name()))
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its store is.
    pub state: PathBuf,
    /// How long an unpaid order holds its stock, in seconds.
    pub payment_window: u64,
    /// Where the runtime keeps compiled components, where that is not the usual place.
    pub cache: Option<PathBuf>,
    /// Where the payment provider is, if the shop is paid at one.
    pub provider: Option<String>,
}

/// What serves an application: one server, or several. They are killed when this is dropped.
pub struct Server {
    servers: Vec<Process>,
    /// Behind them. After them, so that it goes last.
    _redis: Option<RedisServer>,
    /// Where their records are.
    place: Location,
    /// From the start of a process to its first answer.
    pub first_answer: Duration,
}

impl Server {
    /// Where a Redis keeps its data, below the state directory.
    pub const REDIS: &str = "redis";

    /// Starts what serves an application, and waits until it answers.
    pub fn start(program: &Program, application: Application, settings: &Settings) -> Result<Self> {
        let redis = if application.has_redis() {
            let folder = settings.state.join(Self::REDIS);
            fs::create_dir_all(&folder)?;
            Some(RedisServer::start_in(&folder)?)
        } else {
            None
        };
        let place = match (&redis, application) {
            (Some(redis), _) => Location::Redis(redis.url()),
            (None, Application::OnSqlite) => Location::Sqlite(settings.state.join("sqlite_db.db")),
            (None, _) => Location::KeyValue(settings.state.join("sqlite_key_value.db")),
        };
        let paid_at = settings.provider.iter().flat_map(|api| provider::variables(api));
        let started = process::Settings {
            manifest: &application.manifest(),
            state: &settings.state,
            payment_window: settings.payment_window,
            variables: redis.iter().map(|redis| ("redis_host", redis.address())).chain(paid_at).collect(),
            cache: settings.cache.as_deref(),
        };
        let count = if application == Application::TwoOnRedis { 2 } else { 1 };
        let servers = (0..count).map(|_| Process::start(program, &started)).collect::<Result<Vec<_>, _>>()?;
        let first_answer = servers.last().map_or(Duration::ZERO, |server| server.first_answer);
        Ok(Self { servers, _redis: redis, place, first_answer })
    }

    /// A client of one of the servers.
    pub fn client(&self) -> &Client {
        self.servers[0].client()
    }

    /// Where they all are.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.client().url()).collect()
    }

    /// The holds of the item that has most of them beyond its pending orders, out of the store.
    pub fn most_dead_holds(&self, items: usize) -> Result<Holds> {
        let mut worst = Holds::default();
        for item in 0..items {
            let holds = Holds::read(&self.place, &item_id(item))?;
            if holds.excess() >= worst.excess() {
                worst = holds;
            }
        }
        Ok(worst)
    }

    /// What the server has done so far; none of one that keeps no such counters, nor of several.
    pub fn stats(&mut self) -> Result<Option<Stats>> {
        let [server] = self.servers.as_mut_slice() else { return Ok(None) };
        Ok(server.stats()?)
    }
}
