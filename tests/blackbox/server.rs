//! Where the suite's server comes from, and the runtime that its clients run on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;
use std::{env, fs};

use redis_server::RedisServer;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

use crate::client::Shop;

const TOKEN: &str = "the-operator-token-of-this-suite";

/// One runtime for all clients, so that connections outlive the test that opened them. A server brings its own.
static CLIENTS: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("the system has threads to give")
});

/// Runs a test against the server that all tests share, or the one that `BASE_URL` names.
pub fn with_shop(test: impl AsyncFnOnce(Shop)) {
    CLIENTS.block_on(async {
        let shop = match base_url() {
            Some(base_url) => elsewhere(&base_url),
            None => shared().await,
        };
        test(shop).await;
    });
}

/// Runs a test against a fresh server of its own with these variables on top of the usual ones; not at all with
/// `BASE_URL`, where none can be had.
pub fn with_own_server(variables: &[(&str, &str)], test: impl AsyncFnOnce(&mut OwnServer)) {
    if base_url().is_some() {
        skip();
        return;
    }
    CLIENTS.block_on(async {
        let mut server = OwnServer::start(variables).await;
        test(&mut server).await;
        server.stop().await;
    });
}

/// Says once which test is skipped, past the test harness, which would swallow what a passing test prints.
fn skip() {
    static SKIPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    if SKIPPED.lock().expect("nobody panics here").insert(test.clone()) {
        let line = format!("skipped {test}: it needs a server of its own, and BASE_URL is set\n");
        // If nobody can be told, nobody needs to be.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn base_url() -> Option<String> {
    env::var("BASE_URL").ok().filter(|url| !url.is_empty())
}

fn elsewhere(base_url: &str) -> Shop {
    let rest = base_url.strip_prefix("http://").expect("BASE_URL is http://host:port");
    let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let base = base.trim_end_matches('/');
    let base = if base.is_empty() { String::new() } else { format!("/{base}") };
    let token = env::var("OPERATOR_TOKEN").ok().filter(|token| !token.is_empty());
    Shop { authority: authority.into(), base: base.into(), token: token.map(Into::into) }
}

async fn shared() -> Shop {
    static SHARED: OnceCell<(host::Server, Shop)> = OnceCell::const_new();
    let start = || async {
        let mut state = State::new();
        // Nobody is left to remove it when the test process ends; the next run does.
        state.folder.disable_cleanup(true);
        start(&state, &[]).await
    };
    SHARED.get_or_init(start).await.1.clone()
}

/// A server that one test has for itself.
pub struct OwnServer {
    pub shop: Shop,
    server: Option<host::Server>,
    state: State,
    variables: Vec<(String, String)>,
}

/// Where a server keeps what it was told.
struct State {
    folder: TempDir,
    /// The variables that say so.
    variables: Vec<(String, String)>,
}

impl State {
    fn new() -> Self {
        let variables = if crate::TARGET == "akamai-functions" { redis_database() } else { Vec::new() };
        Self { folder: state_dir(), variables }
    }
}

/// The variables of a database of one's own, in a Redis that all tests share.
fn redis_database() -> Vec<(String, String)> {
    static REDIS: LazyLock<RedisServer> =
        LazyLock::new(|| RedisServer::start_with(&["--databases 10000"]).unwrap_or_else(|error| panic!("{error}")));
    static DATABASES: AtomicUsize = AtomicUsize::new(0);
    let database = DATABASES.fetch_add(1, Ordering::Relaxed).to_string();
    vec![("redis_host".to_owned(), REDIS.address()), ("redis_database".to_owned(), database)]
}

impl OwnServer {
    async fn start(variables: &[(&str, &str)]) -> OwnServer {
        let state = State::new();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let (server, shop) = start(&state, &variables).await;
        OwnServer { shop, server: Some(server), state, variables }
    }

    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
    }

    /// Ends the server as a crash would: in the middle of whatever it does.
    pub fn crash(&mut self) {
        self.server.take();
    }

    /// Starts another server on the same state, once this one has ended.
    pub async fn restart(&mut self) {
        self.stop().await;
        let (server, shop) = start(&self.state, &self.variables).await;
        self.server = Some(server);
        self.shop = shop;
    }
}

async fn start(state: &State, variables: &[(String, String)]) -> (host::Server, Shop) {
    static BUILT: OnceLock<()> = OnceLock::new();
    static BUILDING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    // One server builds the components; the others, of the same run, take what it built.
    let building = BUILDING.lock().await;
    let mut all = vec![("operator_token".to_owned(), TOKEN.to_owned())];
    all.extend(state.variables.iter().chain(variables).cloned());
    let all = all.into_iter().collect::<BTreeMap<_, _>>();
    let token = Some(all["operator_token"].as_str().into()).filter(|token: &std::sync::Arc<str>| !token.is_empty());
    let options = host::Options {
        manifest: host::manifest_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"), crate::TARGET),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        state_dir: Some(state.folder.path().to_owned()),
        variables: all,
        quiet: true,
        build: BUILT.get().is_none(),
        ..host::Options::default()
    };
    let server = host::start(options).await.expect("the server starts");
    let _ = BUILT.set(());
    drop(building);
    let authority = server.address().to_string();
    (server, Shop { authority: authority.into(), base: "".into(), token })
}

/// A fresh folder for a server's state, below the build's own folder, so that nothing is left elsewhere.
fn state_dir() -> TempDir {
    static SWEPT: OnceLock<()> = OnceLock::new();
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("blackbox");
    fs::create_dir_all(&root).expect("the build folder can be written");
    SWEPT.get_or_init(|| sweep(&root));
    TempDir::new_in(&root).expect("the build folder can be written")
}

/// Removes what earlier runs left, but not what a run beside this one may be using.
fn sweep(root: &Path) {
    let hours = Duration::from_secs(2 * 60 * 60);
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > hours) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
