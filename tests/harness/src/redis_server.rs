//! A real redis-server for a test: on a free port, with a folder of its own, that ends with the test.
//!
//! It is taken from `PATH`. Where it is not there, Debian's package is installed, as root.

mod front;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisError};
use tempfile::TempDir;

use crate::debian;
use crate::guard::Guard;

pub use front::Front;

/// How long a server is waited for that does not come up: it reads all its data first.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a port is chosen. Another may take the one that was free.
const ATTEMPTS: usize = 5;

/// Why there is no server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It is not on this machine, and could not be installed.
    #[error(
        "redis-server is not here, and could not be installed ({0}): install it, on Debian with `apt-get install redis-server`"
    )]
    Missing(String),
    /// It is there, and does not run.
    #[error("redis-server does not run: {0}")]
    Stopped(String),
}

impl Error {
    fn stopped(error: impl ToString) -> Self {
        Self::Stopped(error.to_string())
    }
}

/// A server of one's own. It is gone when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: Folder,
    settings: Vec<String>,
    port: u16,
    process: Option<Process>,
}

/// Where a server keeps its data.
#[derive(Debug)]
enum Folder {
    /// One that is gone with the server.
    Own(TempDir),
    /// One that stays.
    Existing(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Existing(folder) => folder,
        }
    }
}

/// A server at work.
#[derive(Debug)]
struct Process {
    server: Child,
    _guard: Guard,
}

impl Process {
    fn start(mut command: Command) -> io::Result<Self> {
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let guard = Guard::at_the_end(&format!("kill -9 {} 2> /dev/null", server.id()))?;
        Ok(Self { server, _guard: guard })
    }

    fn end(mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl RedisServer {
    /// Starts a server that loses nothing which it has acknowledged: each write is on the disk before it is answered.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&[])
    }

    /// As [`RedisServer::start`], with these settings besides, as they are given to redis-server: `--maxmemory 10mb`.
    pub fn start_with(settings: &[&str]) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().map_err(Error::stopped)?;
        Self::start_on(Folder::Own(folder), settings)
    }

    /// As [`RedisServer::start`], on the data in this folder, which has to be there and stays.
    pub fn start_in(folder: &Path) -> Result<Self, Error> {
        Self::start_on(Folder::Existing(folder.to_owned()), &[])
    }

    fn start_on(folder: Folder, settings: &[&str]) -> Result<Self, Error> {
        INSTALLED.clone()?;
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { folder, settings, port: 0, process: None };
        let mut started = Err(Error::Stopped("no port is free".to_owned()));
        for _ in 0..ATTEMPTS {
            server.port = free_port().map_err(Error::stopped)?;
            started = server.run();
            if started.is_ok() {
                break;
            }
        }
        started.map(|()| server)
    }

    /// Starts a server that copies everything that this one is told, and waits until it has what is there and hears of
    /// all that comes.
    pub fn start_replica(&self) -> Result<Self, Error> {
        let replica = Self::start_with(&[&format!("--replicaof {} {}", Ipv4Addr::LOCALHOST, self.port)])?;
        replica.wait_until("replication", |info| info.lines().any(|line| line == "master_link_status:up"))?;
        // What it has got at first is on its disk only when it has written its file anew.
        replica.wait_until("persistence", |info| {
            let is_done = |line| info.lines().any(|other| other == line);
            is_done("aof_rewrite_in_progress:0") && is_done("aof_rewrite_scheduled:0")
        })?;
        let listening = format!("port={},state=online", replica.port);
        self.wait_until("replication", |info| info.lines().any(|line| line.contains(&listening)))?;
        Ok(replica)
    }

    /// Makes a replica a server of its own, which takes writes: what is done when its primary is gone. One that was
    /// killed is that when it is started again.
    pub fn promote(&mut self) -> Result<(), Error> {
        self.settings.retain(|setting| !setting.starts_with("--replicaof "));
        if self.process.is_some() {
            let mut connection = self.connect().map_err(Error::stopped)?;
            redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut connection).map_err(Error::stopped)?;
        }
        Ok(())
    }

    /// Waits until this section of its `INFO` is like this.
    fn wait_until(&self, section: &str, is_so: impl Fn(&str) -> bool) -> Result<(), Error> {
        let mut connection = self.connect().map_err(Error::stopped)?;
        let begun = Instant::now();
        loop {
            let info: String = redis::cmd("INFO").arg(section).query(&mut connection).map_err(Error::stopped)?;
            if is_so(&info) {
                return Ok(());
            }
            if begun.elapsed() > TIMEOUT {
                return Err(Error::Stopped(format!("it does not come to what was waited for: {info}")));
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Where a client finds it.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address())
    }

    /// Where it keeps its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new connection to it.
    pub fn connect(&self) -> Result<Connection, RedisError> {
        let connection = Client::open(self.url())?.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }

    /// Ends it as a crash does, at whatever it is doing. Its data stays.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
    }

    /// Starts it again on its data and its port, after [`RedisServer::kill`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        self.run()
    }

    /// Keeps it from doing anything, with all its connections open, until [`RedisServer::go_on`].
    pub fn halt(&self) -> Result<(), Error> {
        self.signal("-STOP")
    }

    /// Lets it go on after [`RedisServer::halt`].
    pub fn go_on(&self) -> Result<(), Error> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Error> {
        let process = self.process.as_ref().ok_or_else(|| Error::stopped("it was killed"))?;
        let sent =
            Command::new("kill").arg(signal).arg(process.server.id().to_string()).status().map_err(Error::stopped)?;
        if sent.success() { Ok(()) } else { Err(Error::stopped("it takes no signals")) }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port"]).arg(self.port.to_string());
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(self.folder.path());
        // A replica gets what is there at once, and not after five seconds in which others might come.
        command.args(["--repl-diskless-sync-delay", "0"]);
        // Redis takes an option and its values as one argument.
        command.args(&self.settings);
        let mut process = Process::start(command).map_err(Error::stopped)?;
        let started = Instant::now();
        let answered = loop {
            if let Some(status) = process.server.try_wait().map_err(Error::stopped)? {
                process.end();
                return Err(Error::Stopped(format!("it ended, {status}")));
            }
            match self.connect().and_then(|mut connection| redis::cmd("PING").exec(&mut connection)) {
                Ok(()) => break Ok(()),
                // With a password it answers as well, if not us.
                Err(error) if error.kind() == redis::ErrorKind::AuthenticationFailed => break Ok(()),
                Err(error) if error.code() == Some("NOAUTH") => break Ok(()),
                Err(error) if started.elapsed() > TIMEOUT => break Err(Error::stopped(error)),
                Err(_) => sleep(Duration::from_millis(10)),
            }
        };
        self.process = Some(process);
        answered
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether redis-server is on this machine, after an attempt to bring it there.
static INSTALLED: LazyLock<Result<(), Error>> =
    LazyLock::new(|| debian::install("redis-server", "redis-server").map_err(Error::Missing));
