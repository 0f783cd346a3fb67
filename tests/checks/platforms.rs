//! Each target's components import what its platform has, and no more, and keep within its limits.

use std::collections::BTreeMap;
use std::fs;

use domain::{ItemId, Key, KeyDigest, OrderId};
use harness::{Target, root, server};
use serde::Deserialize;
use wasmparser::{MemoryType, Parser, Payload};

/// What `platforms.toml` says of a target's platform.
#[derive(Deserialize)]
pub struct Platform {
    source: String,
    date: String,
    handler: String,
    imports: Vec<String>,
    limits: BTreeMap<Measure, u64>,
}

/// What a platform can set a limit to; `platforms.toml` says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Measure {
    ApplicationBytes,
    MemoryBytes,
    KeyBytes,
    ValueBytes,
    BodyBytes,
    Seconds,
}

pub fn platforms() -> BTreeMap<String, Platform> {
    let file = fs::read_to_string(root().join("tests/checks/platforms.toml")).expect("platforms.toml can be read");
    toml::from_str(&file).expect("platforms.toml is as it should be")
}

/// What sends requests to other servers, on WASI 0.3 and 0.2.
const CLIENTS: [&str; 2] = ["wasi:http/client@0.3", "wasi:http/outgoing-handler@0.2"];

fn named(target: &str) -> Target {
    target.parse().unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// The manifest of a target as it is written.
pub fn manifest(target: &str) -> toml::Table {
    let file = named(target).manifest();
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Builds a target as its manifest says, and reads what it has built: components by id.
pub fn components(target: &str) -> BTreeMap<String, Vec<u8>> {
    server::build(named(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
    let manifest = manifest(target);
    let components = manifest["component"].as_table().expect("there are components").iter();
    let component = |(id, component): (&String, &toml::Value)| {
        let source = root().join(component["source"].as_str().expect("a component has a file"));
        (id.clone(), fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display())))
    };
    components.map(component).collect()
}

/// The interfaces that a component imports and exports.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("it is a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.expect("an import").name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.expect("an export").name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

/// The linear memory that a component has from the start, that of all modules in it.
fn initial_memory(component: &[u8]) -> u64 {
    let memories =
        Parser::new(0).parse_all(component).filter_map(|payload| match payload.expect("it is a component") {
            Payload::MemorySection(section) => Some(section),
            _ => None,
        });
    let bytes = |memory: MemoryType| memory.initial << memory.page_size_log2.unwrap_or(16);
    memories.flatten().map(|memory| bytes(memory.expect("a memory"))).sum()
}

/// The longest name under which a store keeps a record.
fn longest_key() -> usize {
    let item: ItemId = "i".repeat(64).parse().expect("an item's id has up to 64 characters");
    assert!("i".repeat(65).parse::<ItemId>().is_err(), "this is the longest");
    let (order, digest) = (OrderId::from_random([0; 16]), KeyDigest::from_random([0; 16]));
    let keys = [Key::Catalog, Key::Item(item), Key::Order(order), Key::OrderState(order), Key::Idempotency(digest)];
    // What a store adds: a tilde and a token, or of what it tries itself on, a word.
    let added = "~0123456789abcdef".len();
    keys.iter().map(|key| key.to_string().len() + added).max().unwrap_or_default()
}

/// How much a shop of these components takes of each thing that can be limited.
fn measures(components: &BTreeMap<String, Vec<u8>>) -> BTreeMap<Measure, u64> {
    let bytes = components.values().map(|component| component.len() as u64).sum();
    let memory = components.values().map(|component| initial_memory(component)).max().unwrap_or_default();
    assert!(memory > 0, "a component has a memory");
    BTreeMap::from([
        (Measure::ApplicationBytes, bytes),
        (Measure::MemoryBytes, memory),
        (Measure::KeyBytes, longest_key() as u64),
        (Measure::ValueBytes, api::LIMITS.record_bytes as u64),
        (Measure::BodyBytes, api::MAX_BODY_BYTES as u64),
        (Measure::Seconds, api::BODY_TIMEOUT.as_secs()),
    ])
}

/// What passes a limit.
fn too_much(limits: &BTreeMap<Measure, u64>, measures: &BTreeMap<Measure, u64>) -> Vec<String> {
    let passes = |(measure, most): (&Measure, &u64)| {
        let is = measures[measure];
        (is > *most).then(|| format!("{measure:?} {is} where {most} is the most"))
    };
    limits.iter().filter_map(passes).collect()
}

/// Whether `name@version` is one of what `pattern` stands for.
fn stands_for(pattern: &str, interface: &str) -> bool {
    let (Some((pattern, version)), Some((name, actual))) = (pattern.split_once('@'), interface.split_once('@')) else {
        return false;
    };
    let named = match pattern.strip_suffix('*') {
        Some(package) => name.starts_with(package),
        None => name == pattern,
    };
    named && actual.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a component imports that the platform does not have.
fn lacking<'a>(platform: &Platform, imports: &'a [String]) -> Vec<&'a str> {
    let has = |import: &&str| platform.imports.iter().any(|pattern| stands_for(pattern, import));
    imports.iter().map(String::as_str).filter(|import| !has(import)).collect()
}

#[test]
fn each_component_imports_what_its_platform_has() {
    for (target, platform) in platforms() {
        let components = components(&target);
        assert_eq!(components.len(), 7);
        for (id, component) in components {
            let (imports, exports) = interfaces(&component);
            let lacking = lacking(&platform, &imports);
            let known = format!("{} ({})", platform.source, platform.date);
            assert!(lacking.is_empty(), "{target}: {id} imports {lacking:?}, which is not in {known}");
            assert!(exports.iter().any(|export| stands_for(&platform.handler, export)), "{target}: {id}: {exports:?}");
            println!("{target}: {id}: {} bytes, {imports:?}", component.len());
        }
    }
}

#[test]
fn a_component_imports_what_sends_requests_exactly_where_its_manifest_lets_it_send_them() {
    for target in platforms().keys() {
        let manifest = manifest(target);
        for (id, component) in components(target) {
            let (imports, _) = interfaces(&component);
            let sends = imports.iter().any(|import| CLIENTS.iter().any(|client| stands_for(client, import)));
            let hosts = manifest["component"][&id].get("allowed_outbound_hosts").and_then(toml::Value::as_array);
            let hosts: Vec<_> = hosts.into_iter().flatten().filter_map(toml::Value::as_str).collect();
            let may = hosts.iter().any(|host| !host.contains("redis"));
            assert_eq!(sends, may, "{target}: {id} imports {imports:?} and may connect to {hosts:?}");
        }
    }
}

#[test]
fn what_a_platform_lacks_is_named() {
    let platforms = platforms();
    let imports = ["wasi:io/poll@0.2.6", "wasi:keyvalue/atomics@0.2.0-draft2"].map(str::to_owned);
    assert_eq!(lacking(&platforms["fermyon-cloud"], &imports), ["wasi:keyvalue/atomics@0.2.0-draft2"]);
    assert!(lacking(&platforms["local"], &imports).is_empty());
    for (pattern, interface) in [("a:b/c@0.2", "a:b/c@0.20.0"), ("a:b/*@0.2", "a:bc/d@0.2.0"), ("a:b/c@0.2", "a:b/c")] {
        assert!(!stands_for(pattern, interface), "{pattern} {interface}");
    }
}

#[test]
fn each_target_keeps_within_the_limits_of_its_platform() {
    for (target, platform) in platforms() {
        let measures = measures(&components(&target));
        println!("{target}: {measures:?}");
        let known = format!("{} ({})", platform.source, platform.date);
        assert_eq!(too_much(&platform.limits, &measures), [""; 0], "{target}, see {known}");
    }
}

#[test]
fn what_passes_a_limit_is_named() {
    let limits = &platforms()["akamai-functions"].limits;
    assert_eq!(limits.len(), 6, "all that can be limited is: {limits:?}");
    assert!(too_much(limits, limits).is_empty(), "as much as may be is not too much");
    for (measure, most) in limits {
        let mut measures = limits.clone();
        measures.insert(*measure, most + 1);
        assert_eq!(too_much(limits, &measures), [format!("{measure:?} {} where {most} is the most", most + 1)]);
    }
}

/// A module with two pages, in a component.
#[test]
fn the_memory_of_the_modules_in_a_component_is_found() {
    let module = b"\0asm\x01\0\0\0\x05\x03\x01\0\x02";
    let component = [b"\0asm\x0d\0\x01\0\x01", &[module.len() as u8][..], module].concat();
    assert_eq!(initial_memory(&component), 2 * 65_536);
}
