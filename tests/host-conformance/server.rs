//! Where the probe application is served.

use std::env;
use std::path::Path;
use std::sync::LazyLock;

use harness::server::Settings;
use harness::{Server, Store, Target};

/// `host:port` of the server that all tests share.
pub fn address() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| match env::var("BASE_URL") {
        Ok(url) if !url.is_empty() => {
            let authority = url.strip_prefix("http://").expect("BASE_URL is http://host:port");
            authority.trim_end_matches('/').to_owned()
        }
        _ => HOST.1.client.authority.to_string(),
    });
    &ADDRESS
}

static HOST: LazyLock<(Store, Server)> = LazyLock::new(|| {
    let store = Store::new(Target::Local).and_then(Store::to_the_end).expect("there is a store");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("spin.toml");
    let server = Server::start_at(&manifest, store.folder(), Settings::default());
    (store, server.unwrap_or_else(|error| panic!("{error}")))
});
