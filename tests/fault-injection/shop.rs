//! Servers of the application on a store that tests can copy and read.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use host::{Interference, Liar, Lie, Options, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::TARGET;
use crate::kept::Kept;
use crate::requests::{Answer, Request};

const TOKEN: &str = "let-me-in";

/// Long enough for every order to expire.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that takes so long hangs. A store that takes a second for each call needs the better part of it.
const HANGS: Duration = Duration::from_secs(90);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread can be had"));

/// The components, built once a run.
static BUILT: LazyLock<()> = LazyLock::new(|| drop(start(&Store::new(), None, true)));

static CLIENT: LazyLock<ureq::Agent> = LazyLock::new(|| {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(HANGS));
    config.max_idle_connections(0).build().into()
});

/// What is stored, by key: JSON; of a claim cell the token as text, and null of one that is not claimed.
pub type Records = BTreeMap<String, Value>;

/// A store, on which any number of servers may run.
pub struct Store {
    state: TempDir,
    pub kept: Kept,
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        // In memory where there is such a place: nothing here waits for a disk, and no machine is going to crash.
        let memory = Path::new("/dev/shm");
        let state = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let state = state.expect("a folder can be made");
        Self { kept: Kept::in_state(state.path()), state }
    }

    /// One that is kept there.
    #[allow(dead_code, reason = "the tests of one target use it")]
    pub fn in_place(kept: Kept) -> Self {
        Self { kept, ..Self::new() }
    }

    /// Another one with the same content.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        self.kept.copy_to(&copy.kept);
        copy
    }

    pub fn open(&self) -> Shop {
        self.open_with(None)
    }

    /// A server on this store whose key-value calls are interfered with.
    pub fn open_with(&self, interference: Option<Arc<dyn Interference>>) -> Shop {
        LazyLock::force(&BUILT);
        Shop { server: start(self, interference, false) }
    }

    /// A server on this store that finds it otherwise than it says.
    pub fn open_lying(&self, lie: Lie) -> Shop {
        self.open_with(Some(Arc::new(Liar::new(lie))))
    }

    pub fn records(&self) -> Records {
        let read = |(key, value): (String, Vec<u8>)| {
            let record = records::read(&key, &value).unwrap_or_else(|error| panic!("{key}: {error}"));
            (key, record)
        };
        self.kept.all().into_iter().map(read).collect()
    }

    /// Changes the first record whose key begins like this, as no request would.
    pub fn falsify(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let records = self.records();
        let (key, record) =
            records.range(key.to_owned()..).find(|(_, record)| record.is_object()).expect("it is there");
        let mut record = record.clone();
        change(&mut record);
        self.kept.replace(key, records::write(key, &record).expect("it is still a record"));
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

fn start(store: &Store, interference: Option<Arc<dyn Interference>>, build: bool) -> Server {
    let mut variables = BTreeMap::from([("operator_token".to_owned(), TOKEN.to_owned())]);
    variables.extend(store.kept.variables());
    let options = Options {
        manifest: host::manifest_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"), TARGET.name()),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        state_dir: Some(store.state.path().to_owned()),
        variables,
        quiet: true,
        build,
        interference,
        ..Options::default()
    };
    RUNTIME.block_on(host::start(options)).unwrap_or_else(|error| panic!("{error}"))
}
