//! The project depends only on what `deny.toml` allows: licences, crates that few may use, and sources. `cargo deny`
//! says the same and knows the advisories too, but takes minutes to build.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use harness::root;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What this test reads of `deny.toml`.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    package: String,
    wrappers: Vec<String>,
}

/// What `cargo metadata` says.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

fn rules() -> Rules {
    let file = fs::read_to_string(root().join("deny.toml")).expect("deny.toml can be read");
    toml::from_str(&file).expect("deny.toml has what this test reads")
}

/// All packages that any member of the workspace is built from, for any target.
fn metadata(rules: &Rules) -> Metadata {
    let targets = rules.graph.targets.iter().flat_map(|target| ["--filter-platform", target]);
    let arguments = ["metadata", "--format-version", "1", "--locked", "--all-features"].into_iter().chain(targets);
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata answers with JSON")
}

/// The packages whose licence is not one of those that are allowed.
fn refused_licenses(metadata: &Metadata, rules: &Licenses) -> Vec<String> {
    let licensees = |names: &[String]| -> Vec<Licensee> {
        names.iter().map(|name| Licensee::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
    };
    let allowed = licensees(&rules.allow);
    let is_allowed = |package: &Package| {
        let Some(license) = &package.license else { return false };
        let expression = Expression::parse_mode(license, ParseMode::LAX);
        let expression = expression.unwrap_or_else(|error| panic!("{}: {error}", package.name));
        let exceptions = rules.exceptions.iter().filter(|exception| exception.package == package.name);
        let exceptions: Vec<_> = exceptions.flat_map(|exception| licensees(&exception.allow)).collect();
        expression.evaluate(|wanted| allowed.iter().chain(&exceptions).any(|licensee| licensee.satisfies(wanted)))
    };
    let refused = metadata.packages.iter().filter(|package| !is_allowed(package));
    refused.map(|package| format!("{} ({})", package.name, package.license.as_deref().unwrap_or("none"))).collect()
}

/// The packages that use a crate which only others may use.
fn refused_dependencies(metadata: &Metadata, rules: &Bans) -> Vec<String> {
    let names: BTreeMap<_, _> = metadata.packages.iter().map(|package| (&package.id, &package.name)).collect();
    let uses = metadata.resolve.nodes.iter().flat_map(|node| {
        let dependencies = node.dependencies.iter().map(|dependency| names[dependency]);
        dependencies.map(|dependency| (names[&node.id], dependency))
    });
    let is_refused = |(user, used): &(&String, &String)| {
        rules.deny.iter().any(|ban| ban.package == **used && !ban.wrappers.contains(user))
    };
    uses.filter(is_refused).map(|(user, used)| format!("{user} uses {used}")).collect()
}

/// The packages that are neither the project's own nor from crates.io.
fn refused_sources(metadata: &Metadata) -> Vec<&str> {
    let is_refused = |package: &&Package| package.source.as_deref().is_some_and(|source| source != CRATES_IO);
    metadata.packages.iter().filter(is_refused).map(|package| package.name.as_str()).collect()
}

#[test]
fn the_project_depends_only_on_what_deny_toml_allows() {
    let rules = rules();
    let metadata = metadata(&rules);
    assert!(metadata.packages.len() > 100, "all packages are there: {}", metadata.packages.len());
    assert_eq!(refused_licenses(&metadata, &rules.licenses), [""; 0], "see [licenses] in deny.toml");
    assert_eq!(refused_dependencies(&metadata, &rules.bans), [""; 0], "see [bans] in deny.toml");
    assert_eq!(refused_sources(&metadata), [""; 0], "see [sources] in deny.toml");
}

#[test]
fn a_dependency_that_is_not_allowed_is_named() {
    let mut rules = rules();
    let mut metadata = metadata(&rules);

    rules.licenses.allow.retain(|license| license != "Zlib");
    rules.licenses.exceptions.clear();
    let refused = refused_licenses(&metadata, &rules.licenses);
    assert!(refused.contains(&"foldhash (Zlib)".to_owned()), "{refused:?}");
    assert!(refused.contains(&"smartstring (MPL-2.0+)".to_owned()), "{refused:?}");
    assert!(
        !refused.iter().any(|package| package.contains("Apache-2.0") && !package.contains(" AND ")),
        "one of several licences will do: {refused:?}"
    );

    for ban in &mut rules.bans.deny {
        ban.wrappers.retain(|wrapper| wrapper != "redis-store");
    }
    assert_eq!(refused_dependencies(&metadata, &rules.bans), ["redis-store uses spin-sdk"]);

    let serde = metadata.packages.iter_mut().find(|package| package.name == "serde").expect("serde is used");
    serde.source = Some("git+https://example.com/serde".to_owned());
    assert_eq!(refused_sources(&metadata), ["serde"]);
}

#[test]
fn each_exception_and_each_wrapper_of_deny_toml_is_needed() {
    let rules = rules();
    let metadata = metadata(&rules);
    let without = Licenses { allow: rules.licenses.allow.clone(), exceptions: Vec::new() };
    let refused = refused_licenses(&metadata, &without);
    assert_eq!(refused.len(), rules.licenses.exceptions.len(), "{refused:?}");
    let bans = rules.bans.deny.iter().map(|ban| Ban { package: ban.package.clone(), wrappers: Vec::new() }).collect();
    let uses = refused_dependencies(&metadata, &Bans { deny: bans });
    let wrappers: usize = rules.bans.deny.iter().map(|ban| ban.wrappers.len()).sum();
    assert_eq!(uses.len(), wrappers, "{uses:?}");
}
