//! A served shop with a fresh store, and a client for it.

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::Duration;

use host::{Options, Server, Stats};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::root;

/// The operator's token, the one of the longer tour.
pub const TOKEN: &str = "let-me-in";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread can be had"));

/// The components, built once a run.
static BUILT: LazyLock<()> = LazyLock::new(|| Shop::build("local"));

pub struct Shop {
    pub server: Server,
    _state: TempDir,
}

impl Shop {
    /// Serves the application with these variables on top of a token.
    pub fn open(variables: &[(&str, &str)]) -> Self {
        LazyLock::force(&BUILT);
        Self::start("local", false, variables)
    }

    /// Builds the components of a target, and sees to it that they can be served.
    pub fn build(target: &str) {
        drop(Self::start(target, true, &[]));
    }

    fn start(target: &str, build: bool, variables: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a folder can be made");
        let token = ("operator_token", TOKEN);
        let variables = [&[token], variables].concat();
        let options = Options {
            manifest: host::manifest_of(&root().join("spin.toml"), target),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            state_dir: Some(state.path().to_owned()),
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            quiet: true,
            build,
            ..Options::default()
        };
        let server = RUNTIME.block_on(host::start(options)).unwrap_or_else(|error| panic!("{target}: {error}"));
        Self { server, _state: state }
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = client().get(self.url(path)).call();
        answer.expect("the server answers").body_mut().read_json().expect("in JSON")
    }

    /// Sends a POST with this body, and a key where there is one: status and body of the answer.
    pub fn post(&self, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let request = client().post(self.url(path)).header("authorization", format!("Bearer {TOKEN}"));
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let mut answer = request.send_json(body).expect("the server answers");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("in JSON"))
    }

    /// What the server did on its store for `request`.
    pub fn cost<T>(&self, request: impl FnOnce() -> T) -> (T, Stats) {
        let before = self.server.stats();
        let result = request();
        (result, self.server.stats().since(&before))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }
}

fn client() -> ureq::Agent {
    let minute = Duration::from_secs(60);
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(minute)).build().into()
}
