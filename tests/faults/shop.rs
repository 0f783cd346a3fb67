//! Servers of the application on a store that tests can copy and read.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use host::{Interference, Liar, Lie, Options, Server};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::TARGET;
use crate::requests::{Answer, Request};

const TOKEN: &str = "let-me-in";

/// Long enough for every order to expire.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that takes so long hangs. A store that takes a second for each call needs the better part of it.
const HANGS: Duration = Duration::from_secs(90);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread can be had"));

/// The components, built once a run.
static BUILT: LazyLock<()> = LazyLock::new(|| drop(start(Store::new().state.path(), None, true)));

static CLIENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(HANGS));
    config.max_idle_connections(0).build().into()
});

/// What is stored, by key: JSON; of a claim cell the token as text, and null of one that is not claimed.
pub type Records = BTreeMap<String, Value>;

/// A store, on which any number of servers may run.
pub struct Store {
    state: TempDir,
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        // In memory where there is such a place: nothing here waits for a disk, and no machine is going to crash.
        let memory = Path::new("/dev/shm");
        let state = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        Self { state: state.expect("a folder can be made") }
    }

    /// Another one with the same content.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        // The latest commits are not in the file yet, but in the log beside it: SQLite knows.
        let made = self.connection().execute("VACUUM INTO ?1", [copy.file().to_str()]);
        made.expect("the store can be copied");
        copy
    }

    pub fn open(&self) -> Shop {
        self.open_with(None)
    }

    /// A server on this store whose key-value calls are interfered with.
    pub fn open_with(&self, interference: Option<Arc<dyn Interference>>) -> Shop {
        LazyLock::force(&BUILT);
        Shop { server: start(self.state.path(), interference, false) }
    }

    /// A server on this store that finds it otherwise than it says.
    pub fn open_lying(&self, lie: Lie) -> Shop {
        self.open_with(Some(Arc::new(Liar::new(lie))))
    }

    pub fn records(&self) -> Records {
        let file = self.connection();
        let (_, table) = TARGET.table();
        let made = file.query_row("SELECT count(*) FROM sqlite_schema WHERE name=?1", [table], |row| row.get(0));
        if made == Ok(0) {
            // Nobody has written anything.
            return Records::new();
        }
        let mut rows = file.prepare(&format!("SELECT key, value FROM {table}")).expect("it is a store");
        let rows = rows.query_map([], |row| row.try_into()).expect("it can be read");
        rows.map(|row| {
            let (key, value): (String, Vec<u8>) = row.expect("it can be read");
            let record = records::read(&key, &value).unwrap_or_else(|error| panic!("{key}: {error}"));
            (key, record)
        })
        .collect()
    }

    /// Changes the first record whose key begins like this, as no request would.
    pub fn falsify(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let records = self.records();
        let (key, record) =
            records.range(key.to_owned()..).find(|(_, record)| record.is_object()).expect("it is there");
        let mut record = record.clone();
        change(&mut record);
        let record = records::write(key, &record).expect("it is still a record");
        let (_, table) = TARGET.table();
        let update = format!("UPDATE {table} SET value=?2 WHERE key=?1");
        let changed = self.connection().execute(&update, (key, record));
        assert_eq!(changed, Ok(1));
    }

    /// The file of the store, as somebody else has it open.
    pub fn connection(&self) -> Connection {
        Connection::open(self.file()).expect("the store can be opened")
    }

    fn file(&self) -> PathBuf {
        let (name, _) = TARGET.table();
        self.state.path().join(name)
    }
}

/// A running server.
pub struct Shop {
    pub server: Server,
}

impl Shop {
    /// Puts this server's clock ahead of this machine's. Within a day every order has expired.
    pub fn days_later(&self, days: u32) {
        self.server.set_clock_ahead(A_DAY * days);
    }

    pub fn send(&self, request: &Request) -> Answer {
        let url = format!("http://{}{}", self.server.address(), request.path);
        let builder = ureq::http::Request::builder().method(request.method).uri(url);
        let builder = builder.header("authorization", format!("Bearer {TOKEN}"));
        let builder = request.key.iter().fold(builder, |builder, key| builder.header("idempotency-key", key));
        let sent = if request.body.is_null() {
            CLIENT.run(builder.body(()).expect("a request"))
        } else {
            let builder = builder.header("content-type", "application/json");
            CLIENT.run(builder.body(request.body.to_string()).expect("a request"))
        };
        // No answer, or half of one: the instance has ended just then, by what became of another request.
        let mut answer = match sent {
            Err(ureq::Error::Io(_)) => return Answer::NONE,
            sent => sent.unwrap_or_else(|error| panic!("no answer to {request:?}: {error}")),
        };
        let Ok(body) = answer.body_mut().read_to_vec() else { return Answer::NONE };
        Answer { status: answer.status().as_u16(), body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    /// Sends a request that has to be answered like this.
    pub fn must(&self, request: &Request, status: u16) -> Answer {
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        answer
    }
}

fn start(state: &Path, interference: Option<Arc<dyn Interference>>, build: bool) -> Server {
    let options = Options {
        manifest: host::manifest_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"), TARGET.name()),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        state_dir: Some(state.to_owned()),
        variables: BTreeMap::from([("operator_token".to_owned(), TOKEN.to_owned())]),
        quiet: true,
        build,
        interference,
        ..Options::default()
    };
    RUNTIME.block_on(host::start(options)).unwrap_or_else(|error| panic!("{error}"))
}
