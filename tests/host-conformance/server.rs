//! Where the probe application is served.

use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs};

use host::{Options, Server};

/// `host:port` of the server that all tests share.
pub fn address() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| match env::var("BASE_URL") {
        Ok(url) if !url.is_empty() => {
            let authority = url.strip_prefix("http://").expect("BASE_URL is http://host:port");
            authority.trim_end_matches('/').to_owned()
        }
        _ => HOST.address().to_string(),
    });
    &ADDRESS
}

static HOST: LazyLock<Server> = LazyLock::new(|| {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twin");
    // An earlier run may have left records. The names of keys are random, so no test depends on them.
    let _ = fs::remove_dir_all(&state);
    let options = Options {
        manifest: env!("CARGO_MANIFEST_DIR").into(),
        listen: ([127, 0, 0, 1], 0).into(),
        state_dir: Some(state),
        quiet: true,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be had");
    runtime.block_on(host::start(options)).unwrap_or_else(|error| panic!("{error}"))
});
