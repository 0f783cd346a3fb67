//! Each target's components import what its platform has, and no more; and the targets are one application.

use std::collections::BTreeMap;
use std::fs;

use host::manifest_of;
use serde::Deserialize;
use wasmparser::{Parser, Payload};

use crate::root;
use crate::shop::Shop;

/// What `platforms.toml` says of a target's platform.
#[derive(Deserialize)]
struct Platform {
    source: String,
    date: String,
    handler: String,
    imports: Vec<String>,
    #[serde(default = "unlimited")]
    most_bytes: usize,
}

fn unlimited() -> usize {
    usize::MAX
}

fn platforms() -> BTreeMap<String, Platform> {
    let file = fs::read_to_string(root().join("tests/checks/platforms.toml")).expect("platforms.toml can be read");
    toml::from_str(&file).expect("platforms.toml is as it should be")
}

/// The manifest of a target as it is written.
fn manifest(target: &str) -> toml::Table {
    let file = manifest_of(&root().join("spin.toml"), target);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Builds a target as its manifest says, and reads what it has built: components by id.
pub fn components(target: &str) -> BTreeMap<String, Vec<u8>> {
    Shop::build(target);
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
        assert_eq!(components.len(), 3);
        let bytes: usize = components.values().map(Vec::len).sum();
        assert!(bytes <= platform.most_bytes, "{target} has {bytes} bytes");
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
fn what_a_platform_lacks_is_named() {
    let platforms = platforms();
    let imports = ["wasi:io/poll@0.2.6", "wasi:keyvalue/atomics@0.2.0-draft2"].map(str::to_owned);
    assert_eq!(lacking(&platforms["fermyon-cloud"], &imports), ["wasi:keyvalue/atomics@0.2.0-draft2"]);
    assert!(lacking(&platforms["local"], &imports).is_empty());
    for (pattern, interface) in [("a:b/c@0.2", "a:b/c@0.20.0"), ("a:b/*@0.2", "a:bc/d@0.2.0"), ("a:b/c@0.2", "a:b/c")] {
        assert!(!stands_for(pattern, interface), "{pattern} {interface}");
    }
}

/// Makes the manifest of a target the one of another, but for what is allowed to differ.
#[test]
fn all_targets_have_the_same_routes_variables_and_components() {
    let plain = |target: &str| {
        let mut manifest = manifest(target);
        let components = manifest["component"].as_table_mut().expect("there are components");
        for (_, component) in components.iter_mut() {
            let component = component.as_table_mut().expect("a component is a table");
            for own in ["source", "key_value_stores", "sqlite_databases"] {
                component.remove(own);
            }
            component["build"].as_table_mut().expect("it is built").remove("command");
        }
        manifest
    };
    for target in platforms().into_keys() {
        assert_eq!(plain(&target), plain("local"), "{target}");
    }
}
