//! Servers in processes of their own, which can be killed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use host::Stats;
use tokio::runtime::Builder;

use crate::{Client, Error, Request, TOKEN, provider};

/// Turns a server that does not start into an error.
const TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// Ports that systems give to no client that connects.
const PORTS_OF_NO_CLIENT: Range<u16> = 10_000..32_768;
const TRIED_PORTS: usize = 100;

/// The longest payment window, in seconds: no order expires while a test runs.
pub const NEVER: u64 = 31_536_000;

/// What serves.
#[derive(Clone, Debug)]
pub enum Program {
    /// A program that calls [`serve_if_told`].
    Host(PathBuf),
    /// Spin.
    Spin(PathBuf),
}

impl Program {
    /// This `spin`, or this very program where there is none.
    pub fn new(spin: Option<PathBuf>) -> Result<Self, Error> {
        Ok(match spin {
            Some(spin) => Self::Spin(spin),
            None => Self::Host(std::env::current_exe()?),
        })
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The manifest of what it serves.
    pub manifest: &'a Path,
    /// Where it keeps its files.
    pub state: &'a Path,
    /// How long an unpaid order holds its stock, in seconds.
    pub payment_window: u64,
    /// Variables of the application besides that and the operator's token.
    pub variables: Vec<(&'static str, String)>,
    /// Where the runtime keeps compiled components, where that is not the usual place.
    pub cache: Option<&'a Path>,
}

/// A program that listens, in a process group of its own. It is killed when this is dropped.
pub(crate) struct Listening {
    child: Child,
    address: SocketAddr,
}

impl Listening {
    /// Starts a program that will listen at this address, and waits until it answers. Where it does not, the log says why.
    pub(crate) fn start(
        mut command: Command,
        address: SocketAddr,
        log: &Path,
        answers: impl Fn() -> bool,
    ) -> Result<Self, Error> {
        // `spin up` starts a process that serves: they are one group, and die as one.
        command.process_group(0);
        let start = Instant::now();
        let spawned = command.spawn();
        let child = spawned.map_err(|error| Error::NotStarted(format!("{command:?} cannot be run: {error}")))?;
        let mut listening = Self { child, address };
        while !answers() {
            let ended = listening.child.try_wait()?;
            if ended.is_some() || start.elapsed() > TIMEOUT {
                return Err(Error::NotStarted(fs::read_to_string(log)?));
            }
            sleep(PAUSE);
        }
        Ok(listening)
    }

    /// Kills it as `kill -9` does, and waits until nothing of it is left.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        let group = format!("-{}", self.child.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
        self.child.wait()?;
        if !killed.success() {
            return Err(std::io::Error::other(format!("process group {group} was gone before it was killed")).into());
        }
        while TcpStream::connect(self.address).is_ok() {
            sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Once it was killed there is nothing to kill.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.end();
        }
    }
}

/// An address of this machine at which no program listens.
fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The same, for a program that will listen there again after it was killed: no client is given its port meanwhile.
pub(crate) fn lasting_address() -> Result<SocketAddr, Error> {
    let mut tried =
        (0..TRIED_PORTS).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS_OF_NO_CLIENT))));
    let found = tried.find_map(Result::ok);
    Ok(found.ok_or_else(|| std::io::Error::other("no port is free"))?.local_addr()?)
}

/// A server. It is killed when this is dropped.
pub struct Process {
    listening: Listening,
    client: Client,
    /// Where a server that is no Spin is asked for its counters, and tells them.
    counters: Option<(ChildStdin, BufReader<ChildStdout>)>,
    /// From the start of the process to its first answer.
    pub first_answer: Duration,
}

impl Process {
    /// Starts a server, and waits until it answers.
    pub fn start(program: &Program, settings: &Settings<'_>) -> Result<Self, Error> {
        let address = free_address()?;
        let log = settings.state.join(format!("server-{}.log", address.port()));
        let output = File::create(&log)?;
        // A server of this kind ends with the process that has its standard input.
        let (path, verb, input, told) = match program {
            Program::Host(path) => (path, "serve", Stdio::piped(), Stdio::piped()),
            Program::Spin(path) => (path, "up", Stdio::null(), output.try_clone()?.into()),
        };
        let mut command = Command::new(path);
        command.args([verb, "--from"]).arg(settings.manifest);
        command.args(["--listen", &address.to_string(), "--state-dir"]).arg(settings.state);
        command.env("SPIN_VARIABLE_OPERATOR_TOKEN", TOKEN);
        command.env("SPIN_VARIABLE_PAYMENT_WINDOW_SECONDS", settings.payment_window.to_string());
        for (name, value) in &settings.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
        command.envs(settings.cache.map(|cache| ("XDG_CACHE_HOME", cache)));
        command.stdin(input).stdout(told).stderr(output);
        let client = Client::new(&format!("http://{address}"), Some(TOKEN))?;
        let start = Instant::now();
        let answers = || client.send(&Request::get("/health")).map_or(0, |answer| answer.status) == 200;
        let mut listening = Listening::start(command, address, &log, answers)?;
        let first_answer = start.elapsed();
        let child = &mut listening.child;
        let counters = child.stdin.take().zip(child.stdout.take().map(BufReader::new));
        Ok(Self { listening, client, counters, first_answer })
    }

    /// A client of it that has the operator's token.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The id of its process. `spin up` is the parent of the one that serves.
    pub fn id(&self) -> u32 {
        self.listening.child.id()
    }

    /// What it has done so far; none of Spin, which keeps no such counters.
    pub fn stats(&mut self) -> Result<Option<Stats>, Error> {
        let Some((asked, told)) = &mut self.counters else { return Ok(None) };
        asked.write_all(b"\n")?;
        let mut line = String::new();
        told.read_line(&mut line)?;
        Ok(Some(serde_json::from_str(&line).map_err(std::io::Error::other)?))
    }

    /// Kills it as `kill -9` does, and waits until nothing of it is left.
    pub fn kill(mut self) -> Result<(), Error> {
        self.listening.end()
    }
}

/// Serves with the host library, if this program was started by [`Process::start`] to do so, or stands in for a payment
/// provider, if it was started by [`provider::Process::start`]: to be called first in `main`. A server tells its counters
/// in a line for each line that it is sent. Both end the program where there are no more, since the process that has
/// started it is gone then.
pub fn serve_if_told() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let served = match arguments.as_slice() {
        [verb, _, manifest, _, listen, _, state] if verb == "serve" => {
            serve(manifest, &listen.to_string_lossy(), state)
        }
        [verb, listen, state] if verb == provider::VERB => provider::serve(&listen.to_string_lossy(), state),
        _ => return,
    };
    if let Err(error) = served {
        eprintln!("{error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

fn serve(manifest: &OsString, listen: &str, state: &OsString) -> Result<(), Error> {
    let options = host::Options {
        manifest: manifest.into(),
        listen: listen.parse().map_err(std::io::Error::other)?,
        state_dir: Some(state.into()),
        build: false,
        ..host::Options::default()
    };
    let server = Builder::new_current_thread().build()?.block_on(host::start(options))?;
    for line in std::io::stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&server.stats()).map_err(std::io::Error::other)?);
    }
    Ok(())
}
