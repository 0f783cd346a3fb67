//! Servers in processes of their own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::redis_server::RedisServer;
use host::Stats;
use records::place::Place;
use soak::watch::Holds;

use crate::client::{Client, Request, TOKEN, item_id};

/// Turns a server that does not start into an error.
const TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// What serves.
#[derive(Clone, Debug)]
pub enum Program {
    /// This program, with the host library.
    Host,
    /// Spin.
    Spin(PathBuf),
}

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
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = match self {
            Self::Bare => return here.join("bare/spin.toml"),
            Self::Ours => "local",
            Self::OnSqlite => "fermyon-cloud",
            Self::OnRedis | Self::TwoOnRedis => "akamai-functions",
        };
        host::manifest_of(&here.join("../../spin.toml"), target)
    }

    /// Builds the components as the manifest says, and compiles them, which the runtime's cache remembers.
    pub fn build(self) -> Result<()> {
        let state = tempfile::tempdir()?;
        let options = host::Options {
            manifest: self.manifest(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            state_dir: Some(state.path().to_owned()),
            ..host::Options::default()
        };
        let built = runtime()?.block_on(host::start(options)).map(drop);
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
}

impl Settings {
    /// A payment window that does not end here.
    pub const NEVER: u64 = 31_536_000;
}

/// What serves an application: one server, or several. They are killed when this is dropped.
pub struct Server {
    servers: Vec<Process>,
    /// Behind them. After them, so that it goes last.
    _redis: Option<RedisServer>,
    /// Where their records are.
    place: Place,
    /// From the start of a process to its first answer.
    pub first_answer: Duration,
}

/// A server in a process of its own. It is killed when it is dropped.
struct Process {
    child: Child,
    /// Where a server of this program is asked for its counters, and tells them.
    counters: Option<(ChildStdin, BufReader<ChildStdout>)>,
    client: Client,
}

impl Server {
    /// Where a Redis keeps its data, below the state directory.
    pub const REDIS: &str = "redis";

    /// Starts what serves an application, and waits until it answers.
    ///
    /// # Errors
    /// Says what the server said.
    pub fn start(program: &Program, application: Application, settings: &Settings) -> Result<Self> {
        let redis = if application.has_redis() {
            let folder = settings.state.join(Self::REDIS);
            fs::create_dir_all(&folder)?;
            Some(RedisServer::start_in(&folder)?)
        } else {
            None
        };
        let place = match (&redis, application) {
            (Some(redis), _) => Place::Redis(redis.url()),
            (None, Application::OnSqlite) => Place::Sqlite(settings.state.join("sqlite_db.db")),
            (None, _) => Place::KeyValue(settings.state.join("sqlite_key_value.db")),
        };
        let count = if application == Application::TwoOnRedis { 2 } else { 1 };
        let (mut servers, mut first_answer) = (Vec::new(), Duration::ZERO);
        for _ in 0..count {
            let start = Instant::now();
            servers.push(Process::start(program, application, settings, redis.as_ref())?);
            first_answer = start.elapsed();
        }
        Ok(Self { servers, _redis: redis, place, first_answer })
    }

    /// A client of one of the servers.
    pub fn client(&self) -> &Client {
        &self.servers[0].client
    }

    /// Where they all are.
    pub fn urls(&self) -> Vec<&str> {
        self.servers.iter().map(|server| server.client.url()).collect()
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
        let [Process { counters: Some((asked, told)), .. }] = self.servers.as_mut_slice() else { return Ok(None) };
        asked.write_all(b"\n")?;
        let mut line = String::new();
        told.read_line(&mut line)?;
        Ok(Some(serde_json::from_str(&line).context("the server tells no counters")?))
    }
}

impl Process {
    fn start(
        program: &Program,
        application: Application,
        settings: &Settings,
        redis: Option<&RedisServer>,
    ) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = settings.state.join(format!("server-{}.log", address.port()));
        let output = File::create(&log)?;
        let mut command = match program {
            Program::Host => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
                command
            }
            Program::Spin(path) => {
                let mut command = Command::new(path);
                command.arg("up").stdin(Stdio::null()).stdout(output.try_clone()?);
                command
            }
        };
        command
            .arg("--from")
            .arg(application.manifest())
            .args(["--listen", &address.to_string(), "--state-dir"])
            .arg(&settings.state)
            .env("SPIN_VARIABLE_OPERATOR_TOKEN", TOKEN)
            .env("SPIN_VARIABLE_PAYMENT_WINDOW_SECONDS", settings.payment_window.to_string())
            .envs(redis.map(|redis| ("SPIN_VARIABLE_REDIS_HOST", redis.address())))
            .stderr(output)
            // `spin up` starts a process that serves: they are one group, and die as one.
            .process_group(0);
        if let Some(cache) = &settings.cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be run"))?;
        let counters = child.stdin.take().zip(child.stdout.take().map(BufReader::new));
        let mut process = Self { child, counters, client: Client::new(&format!("http://{address}")) };
        while !matches!(process.client.send(&Request::get("/health")), Ok((200, _))) {
            let ended = process.child.try_wait()?;
            if ended.is_some() || start.elapsed() > TIMEOUT {
                bail!("the server does not start: {}", fs::read_to_string(log)?);
            }
            sleep(PAUSE);
        }
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself has nothing to kill.
        if let Ok(None) = self.child.try_wait() {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            let _ = self.child.wait();
        }
    }
}

/// Serves, and tells its counters in a line for each line that it is sent, until there are no more.
pub fn serve(manifest: PathBuf, listen: SocketAddr, state_dir: PathBuf) -> Result<()> {
    let options =
        host::Options { manifest, listen, state_dir: Some(state_dir), build: false, ..host::Options::default() };
    let runtime = runtime()?;
    let server = runtime.block_on(host::start(options))?;
    for line in std::io::stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&server.stats())?);
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
