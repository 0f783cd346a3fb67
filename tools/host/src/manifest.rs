//! The part of Spin's manifest (version 2) that this host understands. A part that it does not understand, and that
//! would change the behaviour of the application, is refused and never ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::variables::invalid_name;

/// The only store, and the only database, that Spin has without further configuration.
const DEFAULT_STORE: &str = "default";

/// A manifest that this host can serve.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// The file it was read from.
    pub(crate) path: PathBuf,
    /// Where relative paths start and builds run: the directory of the file.
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Application variables and their defaults; those without one are required.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) components: BTreeMap<String, Component>,
}

/// An HTTP trigger.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// `None` for a private endpoint.
    pub(crate) route: Option<String>,
    pub(crate) component: String,
}

/// A component.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) description: String,
    pub(crate) source: PathBuf,
    pub(crate) stores: Vec<String>,
    pub(crate) databases: Vec<String>,
    /// Templates of where it may connect to.
    pub(crate) hosts: Vec<String>,
    /// Templates by the name that the component asks for.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) build: Option<Build>,
}

/// How a component is built.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) commands: Vec<String>,
    pub(crate) workdir: PathBuf,
}

impl Manifest {
    /// Reads the manifest; `path` may also be the directory that holds a `spin.toml`.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let path = if path.is_dir() { path.join("spin.toml") } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|error| Error::manifest(&path, error))?;
        let root = std::path::absolute(&path).map_err(|error| Error::manifest(&path, error))?;
        let manifest = check(&text, root.parent().unwrap_or(&root)).map_err(|reason| Error::manifest(&path, reason))?;
        Ok(Self { path, ..manifest })
    }

    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        check(text, Path::new("/application")).map_err(|reason| Error::manifest(Path::new("spin.toml"), reason))
    }
}

fn check(text: &str, root: &Path) -> Result<Manifest, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        format!("line {line}: {}", error.message())
    })?;
    file.check(root)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: BTreeMap<String, toml::Value>,
    #[serde(default)]
    component: BTreeMap<String, ComponentTable>,
}

#[derive(Deserialize)]
#[serde(expecting = "a table")]
struct Application {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    trigger: BTreeMap<String, toml::Table>,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(rename = "secret")]
    _secret: Option<bool>,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "a table")]
struct TriggerTable {
    route: toml::Value,
    component: Option<toml::Value>,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Deserialize)]
#[serde(expecting = "a table")]
struct ComponentTable {
    source: toml::Value,
    #[serde(default)]
    description: String,
    #[serde(default)]
    key_value_stores: Vec<String>,
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    build: Option<BuildTable>,
    #[serde(flatten)]
    rest: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct BuildTable {
    command: Commands,
    workdir: Option<PathBuf>,
    #[serde(rename = "watch")]
    _watch: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Commands {
    One(String),
    Many(Vec<String>),
}

impl File {
    fn check(self, root: &Path) -> Result<Manifest, String> {
        if self.spin_manifest_version != 2 {
            return Err(format!("spin_manifest_version is {}: this host reads version 2", self.spin_manifest_version));
        }
        refuse("[application]", &self.application.rest, &["description", "authors", "targets", "tool"])?;
        if let Some(http) = self.application.trigger.get("http") {
            refuse("[application.trigger.http]", http, &["base"])?;
            if http.get("base").is_some_and(|base| base.as_str() != Some("/")) {
                return Err("[application.trigger.http]: base must be \"/\": write it into each route".to_owned());
            }
        }
        for (name, variable) in &self.variables {
            if let Some(reason) = invalid_name(name) {
                return Err(format!("variable {reason}"));
            }
            if variable.required == variable.default.is_some() {
                return Err(format!("variable {name} must be `required` or have a `default`, and not both"));
            }
        }
        let mut components = BTreeMap::new();
        for (id, table) in self.component {
            let component = table.check(root).map_err(|reason| format!("component {id}: {reason}"))?;
            components.insert(id, component);
        }
        let mut triggers = Vec::new();
        for (kind, value) in self.trigger {
            if kind != "http" {
                return Err(format!("[[trigger.{kind}]]: this host has only HTTP triggers"));
            }
            let tables: Vec<TriggerTable> =
                value.try_into().map_err(|error: toml::de::Error| format!("[[trigger.http]]: {}", error.message()))?;
            for table in tables {
                triggers.push(table.check(&components)?);
            }
        }
        Ok(Manifest {
            path: PathBuf::new(),
            root: root.to_owned(),
            name: self.application.name,
            version: self.application.version,
            variables: self.variables.into_iter().map(|(name, variable)| (name, variable.default)).collect(),
            triggers,
            components,
        })
    }
}

impl TriggerTable {
    fn check(self, components: &BTreeMap<String, Component>) -> Result<Trigger, String> {
        let route = match &self.route {
            toml::Value::String(route) => Some(route.clone()),
            toml::Value::Table(table) if table.len() == 1 && table.get("private") == Some(&true.into()) => None,
            other => return Err(format!("route must be a string or {{ private = true }}, and is {other}")),
        };
        let at = format!("[[trigger.http]] {}", self.route);
        let http = |executor: &toml::Value| {
            executor.as_table().is_some_and(|table| {
                table.len() == 1 && matches!(table.get("type").and_then(toml::Value::as_str), Some("http" | "spin"))
            })
        };
        let mut rest = self.rest;
        if rest.get("executor").is_some_and(http) {
            rest.remove("executor");
        }
        refuse(&at, &rest, &["id"])?;
        let component = match self.component {
            Some(toml::Value::String(component)) => component,
            Some(_) => return Err(format!("{at}: component must be the id of a [component]: write it out there")),
            None => return Err(format!("{at}: component is missing")),
        };
        if !components.contains_key(&component) {
            return Err(format!("{at}: there is no component {component}"));
        }
        Ok(Trigger { route, component })
    }
}

impl ComponentTable {
    fn check(self, root: &Path) -> Result<Component, String> {
        refuse("[component]", &self.rest, &["targets", "tool", "profile"])?;
        let toml::Value::String(source) = self.source else {
            return Err("source must be the path of a local file".to_owned());
        };
        for (field, labels) in
            [("key_value_stores", &self.key_value_stores), ("sqlite_databases", &self.sqlite_databases)]
        {
            if let Some(label) = labels.iter().find(|label| *label != DEFAULT_STORE) {
                return Err(format!("unknown {field} label {label:?}: this host has only {DEFAULT_STORE:?}"));
            }
        }
        if let Some(reason) = self.variables.keys().find_map(|name| invalid_name(name)) {
            return Err(format!("variable {reason}"));
        }
        let build = self.build.map(|build| {
            let workdir = build.workdir.unwrap_or_default();
            if workdir.has_root() {
                return Err(format!("build.workdir {} must be relative", workdir.display()));
            }
            let commands = match build.command {
                Commands::One(command) => vec![command],
                Commands::Many(commands) => commands,
            };
            Ok(Build { commands, workdir: root.join(workdir) })
        });
        Ok(Component {
            description: self.description,
            source: root.join(source),
            stores: self.key_value_stores,
            databases: self.sqlite_databases,
            hosts: self.allowed_outbound_hosts,
            variables: self.variables,
            environment: self.environment,
            build: build.transpose()?,
        })
    }
}

/// Refuses every key that is not known to be without effect. An empty list or table has none either.
fn refuse(at: &str, table: &toml::Table, harmless: &[&str]) -> Result<(), String> {
    let empty = |value: &toml::Value| match value {
        toml::Value::Array(array) => array.is_empty(),
        toml::Value::Table(table) => table.is_empty(),
        _ => false,
    };
    match table.iter().find(|(key, value)| !harmless.contains(&key.as_str()) && !empty(value)) {
        Some((key, _)) => Err(format!("{at}: this host does not support `{key}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "test"
        version = "1.2.3"
        authors = ["someone"]
        [application.trigger.http]
        base = "/"
        [[trigger.http]]
        route = "/a"
        component = "a"
        executor = { type = "http" }
        [[trigger.http]]
        id = "inner"
        route = { private = true }
        component = "b"
        [variables]
        token = { default = "", secret = true, description = "for the operator" }
        [component.a]
        source = "target/a.wasm"
        description = "the first"
        key_value_stores = ["default"]
        allowed_outbound_hosts = ["https://{{ token }}.example"]
        files = []
        variables = { token = "{{ token }}" }
        environment = { LANG = "C" }
        [component.a.build]
        command = ["one", "two"]
        workdir = "a"
        watch = ["**/*.rs"]
        [component.b]
        source = "b.wasm"
        [component.b.build]
        command = "three"
    "#;

    fn reason(text: &str) -> String {
        match Manifest::parse(text) {
            Err(Error::Manifest { reason, .. }) => reason,
            other => panic!("expected a manifest error and got {other:?}"),
        }
    }

    #[test]
    fn everything_that_the_host_understands_is_read() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("test", "1.2.3"));
        assert_eq!(manifest.variables["token"].as_deref(), Some(""));
        assert_eq!(manifest.triggers[0].route.as_deref(), Some("/a"));
        assert_eq!(manifest.triggers[1].route, None);
        let a = &manifest.components["a"];
        assert_eq!(a.source, Path::new("/application/target/a.wasm"));
        assert_eq!(a.stores, ["default"]);
        assert_eq!(a.variables["token"], "{{ token }}");
        assert_eq!(a.hosts, ["https://{{ token }}.example"]);
        assert_eq!(a.environment["LANG"], "C");
        let build = a.build.as_ref().unwrap();
        assert_eq!(build.commands, ["one", "two"]);
        assert_eq!(build.workdir, Path::new("/application/a"));
        let b = &manifest.components["b"];
        assert!(b.stores.is_empty());
        assert_eq!(b.build.as_ref().unwrap().commands, ["three"]);
    }

    #[test]
    fn the_manifest_of_this_workspace_is_read_by_file_and_by_directory() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for path in [root.join("spin.toml"), root] {
            let manifest = Manifest::read(&path).unwrap();
            assert!(manifest.components.values().all(|component| component.source.is_absolute()));
        }
    }

    #[test]
    fn what_would_change_the_application_is_refused_by_name() {
        for (from, to, expected) in [
            ("spin_manifest_version = 2", "spin_manifest_version = 1", "spin_manifest_version is 1"),
            (r#"base = "/""#, r#"base = "/api""#, "base must be"),
            (r#"version = "1.2.3""#, "future = 1", "does not support `future`"),
            ("files = []", r#"files = ["*"]"#, "component a: [component]: this host does not support `files`"),
            ("files = []", r#"sqlite_databases = ["other"]"#, r#"unknown sqlite_databases label "other""#),
            (r#""b.wasm""#, r#"{ url = "https://example.com", digest = "d" }"#, "component b: source must be"),
            (r#"["default"]"#, r#"["other"]"#, r#"unknown key_value_stores label "other""#),
            (r#"type = "http""#, r#"type = "wagi""#, "does not support `executor`"),
            (r#"component = "b""#, r#"component = "c""#, "there is no component c"),
            (r#"component = "b""#, r#"component = { source = "c.wasm" }"#, "must be the id of a [component]"),
            (r#"component = "b""#, "static_response = {}", "component is missing"),
            ("private = true", "private = false", "route must be a string or { private = true }"),
            (r#"workdir = "a""#, r#"workdir = "/a""#, "workdir /a must be relative"),
            (r#"default = "","#, "", "variable token must be `required` or have a `default`"),
            (r#"default = "","#, r#"default = "", required = true,"#, "must be `required` or have a `default`"),
            ("token = { default", "Token = { default", r#"variable "Token": invalid character 'T'"#),
            (r#"{ token = "{{ token }}" }"#, r#"{ to-ken = "" }"#, r#"component a: variable "to-ken": invalid"#),
        ] {
            assert!(MANIFEST.contains(from), "{from}");
            let reason = reason(&MANIFEST.replacen(from, to, 1));
            assert!(reason.contains(expected), "{reason}");
        }
        let redis = format!("{MANIFEST}\n[[trigger.redis]]\nchannel = 'c'\ncomponent = 'a'");
        assert!(reason(&redis).contains("[[trigger.redis]]: this host has only HTTP triggers"));
    }

    #[test]
    fn broken_toml_is_one_line_with_its_number() {
        assert_eq!(reason("spin_manifest_version = 2\n[application"), "line 2: unclosed table, expected `]`");
        assert!(reason("spin_manifest_version = 2\nextra = 1").contains("line 2: unknown field `extra`"));
        assert!(reason("spin_manifest_version = 2\napplication = 3").contains("line 2: invalid type"));
    }
}
