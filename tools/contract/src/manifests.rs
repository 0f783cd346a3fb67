//! The manifests of the platforms, from `spin.toml`: another store, and another command to build with.

use anyhow::{Result, ensure};

/// What a platform's manifest has in place of the key-value store.
struct Platform {
    /// The file.
    file: &'static str,
    /// For whom it is.
    purpose: &'static str,
    /// The folder below `target`, and the feature of the components.
    feature: &'static str,
    /// The lines by which a component gets its store, and those of one that may ask the payment provider too.
    store: [&'static str; 2],
    /// More variables of the application, and of each component.
    variables: [&'static str; 2],
}

/// The lines of `spin.toml` by which a component may ask the payment provider too.
const KEY_VALUE_AND_PROVIDER: &str = r#"key_value_stores = ["default"]
allowed_outbound_hosts = ["{{ stripe_api }}"]"#;

const REDIS: &str = r#"allowed_outbound_hosts = ["{{ redis_scheme }}://{{ redis_host }}"]"#;

const REDIS_AND_PROVIDER: &str =
    r#"allowed_outbound_hosts = ["{{ redis_scheme }}://{{ redis_host }}", "{{ stripe_api }}"]"#;

const SQLITE: &str = r#"sqlite_databases = ["default"]"#;

const SQLITE_AND_PROVIDER: &str = r#"sqlite_databases = ["default"]
allowed_outbound_hosts = ["{{ stripe_api }}"]"#;

const REDIS_VARIABLES: [&str; 2] = [
    r#"# Where the Redis is: host and port.
redis_host = { default = "127.0.0.1:6379" }
# `rediss` encrypts (TLS).
redis_scheme = { default = "redis" }
# `user:password@` or `:password@`, percent-encoded.
redis_login = { default = "", secret = true }
# The number of its database, which is the shop's alone.
redis_database = { default = "0" }
# How many replicas must have a write before it counts.
redis_replicas = { default = "0" }
"#,
    r#"redis_url = "{{ redis_scheme }}://{{ redis_login }}{{ redis_host }}/{{ redis_database }}"
redis_replicas = "{{ redis_replicas }}"
"#,
];

const PLATFORMS: [Platform; 3] = [
    Platform {
        file: "spin.akamai-functions.toml",
        purpose: "For Akamai Functions: WASI 0.3 and a Redis.",
        feature: "redis",
        store: [REDIS, REDIS_AND_PROVIDER],
        variables: REDIS_VARIABLES,
    },
    Platform {
        file: "spin.fermyon-cloud.toml",
        purpose: "For Fermyon Cloud: WASI 0.2 and a SQLite database.",
        feature: "fermyon-cloud",
        store: [SQLITE, SQLITE_AND_PROVIDER],
        variables: ["", ""],
    },
    Platform {
        file: "spin.spinkube.toml",
        purpose: "For SpinKube: WASI 0.3 and a Redis.",
        feature: "redis",
        store: [REDIS, REDIS_AND_PROVIDER],
        variables: REDIS_VARIABLES,
    },
];

/// The last variable of the application, and of a component: more are written after it.
const LAST_VARIABLES: [&str; 2] = ["log = { default = \"problems\" }\n", "log = \"{{ log }}\"\n"];

/// The manifest of each platform, by its file.
pub fn made_from(spin_toml: &str) -> Result<Vec<(&'static str, String)>> {
    PLATFORMS.iter().map(|platform| Ok((platform.file, platform.manifest(spin_toml)?))).collect()
}

impl Platform {
    fn manifest(&self, spin_toml: &str) -> Result<String> {
        let Self { purpose, feature, store, variables, .. } = self;
        let mut manifest = spin_toml.to_owned();
        let mut replace = |from: &str, to: &str| {
            ensure!(manifest.contains(from), "spin.toml does not have {from:?}");
            manifest = manifest.replace(from, to);
            Ok(())
        };
        replace("\"target/wasm32-wasip2/", &format!("\"target/{feature}/wasm32-wasip2/"))?;
        let [store, store_and_provider] = store;
        replace(KEY_VALUE_AND_PROVIDER, store_and_provider)?;
        replace("key_value_stores = [\"default\"]", store)?;
        replace(" --target wasm32-wasip2 -p ", &format!(" --target wasm32-wasip2 --target-dir target/{feature} -p "))?;
        for (last, more) in LAST_VARIABLES.into_iter().zip(variables) {
            replace(last, &format!("{last}{more}"))?;
        }
        let features = format!(" --no-default-features --features {feature}\"");
        let lines = manifest.lines().map(|line| match line.strip_suffix('"') {
            Some(command) if line.starts_with("command = ") => format!("{command}{features}\n"),
            _ => format!("{line}\n"),
        });
        let made: String = lines.collect();
        Ok(format!("# {purpose} Made from spin.toml by `cargo run -p contract`.\n{made}"))
    }
}
