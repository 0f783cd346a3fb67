//! The shop that it is done to.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use harness::process::{NEVER, Process, Program, Settings};
use harness::{Client, RedisServer, Request, Target, server};
use tempfile::TempDir;

use crate::{Burst, Sizes};

/// More than is ever ordered.
const PLENTY: u64 = 10_000_000;

/// The most characters of a line of the log that are shown, and the most lines that are kept.
const LINE: usize = 200;
const MANY: usize = 10_000;

/// The item that honest clients want.
pub(crate) const HONEST: &str = "abuse-honest";

/// The item of the orders that are taken back.
pub(crate) const TAKEN_BACK: &str = "abuse-taken-back";

/// One of the items of the flood.
pub(crate) fn flooded(line: usize) -> String {
    format!("abuse-flood-{line}")
}

/// Where it is served.
pub enum Place {
    /// In a process of its own for each burst.
    Own(Program),
    /// Somewhere already.
    There {
        /// A client of it that has the operator's token.
        client: Client,
        /// Its process, where that is on this machine.
        process: Option<u32>,
    },
}

/// A shop.
pub struct Shop {
    client: Client,
    process: Option<u32>,
    own: Option<Own>,
}

/// What ends with the shop.
struct Own {
    // The first field: it ends before its store does.
    _server: Process,
    redis: Option<RedisServer>,
    state: TempDir,
}

impl Shop {
    /// Starts it, or finds it. The flood has a store that it can fill.
    pub(crate) fn open(place: &Place, burst: Burst) -> Result<Self> {
        let program = match place {
            Place::There { client, process } => {
                return Ok(Self { client: client.clone(), process: *process, own: None });
            }
            Place::Own(program) => program,
        };
        let target = if burst == Burst::Flood { Target::SpinKube } else { Target::Local };
        server::build(target)?;
        let redis = target.has_redis().then(small_redis).transpose()?;
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/abuse");
        std::fs::create_dir_all(&directory)?;
        let state = tempfile::tempdir_in(directory.canonicalize()?)?;
        let settings = Settings {
            manifest: &target.manifest(),
            state: state.path(),
            payment_window: NEVER,
            variables: redis.iter().map(|redis| ("redis_host", redis.address())).collect(),
            cache: None,
        };
        let server = Process::start(program, &settings)?;
        let (client, process) = (server.client().clone(), Some(server.id()));
        Ok(Self { client, process, own: Some(Own { _server: server, redis, state }) })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn process(&self) -> Option<u32> {
        self.process
    }

    /// What its Redis takes, where it has one of its own, and what it may take.
    pub(crate) fn redis_memory(&self) -> Result<Option<(u64, u64)>> {
        let Some(redis) = self.own.as_ref().and_then(|own| own.redis.as_ref()) else { return Ok(None) };
        let info: String = redis::cmd("INFO").arg("memory").query(&mut redis.connect()?)?;
        let field = |name: &str| -> Result<u64> {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            Ok(value.with_context(|| format!("there is no {name}"))?.trim().parse()?)
        };
        Ok(Some((field("used_memory")?, field("maxmemory")?)))
    }

    /// What the server has said of itself, each thing once and no more than a few: why it has answered with 500.
    pub(crate) fn said(&self) -> BTreeSet<String> {
        let files = self.own.iter().filter_map(|own| std::fs::read_dir(own.state.path()).ok()).flatten().flatten();
        let logs = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|kind| kind == "log"));
        let text: String = logs.filter_map(|log| std::fs::read_to_string(log).ok()).collect();
        // The lines of the shop are JSON; what belongs to a line before it is indented or numbered.
        let own =
            |line: &&str| line.starts_with("worker failed") || line.starts_with("warning") || line.contains("ERROR");
        text.lines().filter(own).map(|line| line.chars().take(LINE).collect()).take(MANY).collect()
    }

    /// Leaves this number of kB in its Redis, where it has one of its own.
    pub(crate) fn leave_room(&self, kilobytes: i64) -> Result<()> {
        let redis = self.own.as_ref().and_then(|own| own.redis.as_ref());
        if let Some((redis, (used, _))) = redis.zip(self.redis_memory()?) {
            let limit = used.saturating_add_signed(kilobytes * 1024).to_string();
            redis::cmd("CONFIG").arg(&["SET", "maxmemory", &limit]).exec(&mut redis.connect()?)?;
        }
        Ok(())
    }
}

fn small_redis() -> Result<RedisServer> {
    // How fast a disk is has no part in this.
    Ok(RedisServer::start_with(&["--maxmemory-policy noeviction", "--appendfsync no"])?)
}

/// Makes the items.
pub(crate) fn stock(client: &Client, sizes: &Sizes) -> Result<()> {
    let flooded = (0..sizes.lines).map(flooded);
    for item in [HONEST, TAKEN_BACK].into_iter().map(str::to_owned).chain(flooded) {
        let answer = client.send(&Request::create(&item, 1000, PLENTY))?;
        // One that is there from an earlier run keeps what it has.
        ensure!([200, 201, 409].contains(&answer.status), "{item} is not made: {} {}", answer.status, answer.value());
    }
    Ok(())
}
