//! What is in deploy/spinkube can be applied as it is: each file says what Kubernetes, SpinKube and Spin let it say,
//! and the files fit each other, the manifest and the page that tells how to use them.
//!
//! The schemas in this folder are ours. They hold what is known of the platform, each with its source.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use harness::root;
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Value, json};

fn deploy(file: &str) -> PathBuf {
    root().join("deploy/spinkube").join(file)
}

fn read(file: PathBuf) -> String {
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn schema(name: &str) -> Validator {
    let schema = serde_json::from_str(&read(root().join("tests/checks").join(name))).expect("a schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documents of a YAML file.
fn documents(file: &str) -> Vec<Value> {
    let text = read(deploy(file));
    let documents = yaml_serde::Deserializer::from_str(&text).map(Value::deserialize);
    documents.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn spinapp() -> Value {
    let [spinapp] = documents("spinapp.yaml").try_into().expect("spinapp.yaml is one document");
    spinapp
}

fn runtime_config() -> Value {
    toml::from_str(&read(deploy("runtime-config.toml"))).expect("runtime-config.toml is TOML")
}

/// What is wrong with a document, each with the place where.
fn mistakes(schema: &Validator, document: &Value) -> Vec<String> {
    schema.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The names under which a document refers to secrets, and the keys in them.
fn secrets(document: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("names and keys are text").to_owned();
    match document {
        Value::Object(fields) => {
            let own = fields.get("secretKeyRef").map(|key| (text(&key["name"]), text(&key["key"])));
            let file = fields.get("loadFromSecret").map(|secret| (text(secret), "runtime-config.toml".to_owned()));
            own.into_iter().chain(file).chain(fields.values().flat_map(secrets)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(secrets).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn each_file_says_what_its_platform_lets_it_say() {
    for (file, schema_of_it) in [("spinapp.yaml", "spinapp.schema.json"), ("redis.yaml", "redis.schema.json")] {
        let schema = schema(schema_of_it);
        let documents = documents(file);
        assert!(!documents.is_empty(), "{file} is empty");
        for document in documents {
            assert_eq!(mistakes(&schema, &document), [""; 0], "{file}");
        }
    }
    assert_eq!(mistakes(&schema("runtime-config.schema.json"), &runtime_config()), [""; 0]);
}

/// One change to a document, and the place where it is noticed.
type Break = (&'static str, fn(&mut Value), &'static str);

#[test]
fn a_field_that_is_misspelt_or_missing_or_of_another_type_is_noticed() {
    let breaks: [Break; 10] = [
        ("misspelt", |app| app["spec"]["replica"] = app["spec"]["replicas"].take(), "/spec"),
        (
            "misspelt deep down",
            |app| app["spec"]["checks"]["readiness"]["timeout"] = json!(1),
            "/spec/checks/readiness",
        ),
        ("not of this level", |app| app["spec"]["secretKeyRef"] = json!({ "name": "a", "key": "b" }), "/spec"),
        ("text for a number", |app| app["spec"]["replicas"] = json!("2"), "/spec/replicas"),
        ("a number for text", |app| app["spec"]["variables"][1]["value"] = json!(900), "/spec/variables/1/value"),
        (
            "no such unit",
            |app| app["spec"]["resources"]["limits"]["memory"] = json!("512MB"),
            "/spec/resources/limits/memory",
        ),
        ("missing", |app| drop(app["spec"].as_object_mut().expect("a table").remove("image")), "/spec"),
        (
            "missing deep down",
            |app| app["spec"]["variables"][0]["valueFrom"] = json!({}),
            "/spec/variables/0/valueFrom",
        ),
        ("two values", |app| app["spec"]["variables"][0]["value"] = json!("please-let-me-in"), "/spec/variables/0"),
        ("another version", |app| app["apiVersion"] = json!("core.spinoperator.dev/v1alpha1"), "/apiVersion"),
    ];
    let schema = schema("spinapp.schema.json");
    for (what, damage, place) in breaks {
        let mut app = spinapp();
        damage(&mut app);
        let mistakes = mistakes(&schema, &app);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(&format!("{place}: "))), "{what}: {mistakes:?}");
    }
}

#[test]
fn a_misspelt_key_of_the_runtime_configuration_is_noticed() {
    let schema = schema("runtime-config.schema.json");
    for wrong in [
        "[outbound_redis]\nmax_connection = 8",
        "[redis]\nmax_connections = 8",
        "[outbound_redis]\nmax_connections = \"8\"",
    ] {
        let wrong: Value = toml::from_str(wrong).expect("it is TOML");
        assert!(!mistakes(&schema, &wrong).is_empty(), "{wrong}");
    }
}

#[test]
fn each_variable_is_one_of_the_manifest_and_a_secret_is_not_written_down() {
    let manifest: Value = toml::from_str(&read(root().join("spin.spinkube.toml"))).expect("the manifest is TOML");
    let declared = manifest["variables"].as_object().expect("the manifest has variables");
    let app = spinapp();
    let variables = app["spec"]["variables"].as_array().expect("there are variables");
    let names: BTreeSet<_> = variables.iter().map(|variable| variable["name"].as_str().expect("a name")).collect();
    assert_eq!(names.len(), variables.len(), "no variable is there twice: {variables:?}");
    assert_eq!(names, declared.keys().map(String::as_str).collect(), "all there are, and no others");
    for variable in variables {
        let name = variable["name"].as_str().expect("a name");
        let secret = declared[name]["secret"] == json!(true);
        assert_eq!(variable["valueFrom"]["secretKeyRef"].is_object(), secret, "{name}");
    }
}

#[test]
fn the_checks_ask_for_paths_that_the_manifest_routes() {
    let manifest: Value = toml::from_str(&read(root().join("spin.spinkube.toml"))).expect("the manifest is TOML");
    let routes = manifest["trigger"]["http"].as_array().expect("the manifest has routes");
    for check in ["readiness", "liveness"] {
        let path = &spinapp()["spec"]["checks"][check]["httpGet"]["path"];
        assert!(path.is_string() && routes.iter().any(|route| route["route"] == *path), "{check}: {path}");
    }
}

#[test]
fn the_shop_is_told_where_the_redis_is() {
    let documents = documents("redis.yaml");
    let service = documents.iter().find(|document| document["kind"] == "Service").expect("there is a service");
    let (name, port) = (service["metadata"]["name"].as_str(), &service["spec"]["ports"][0]["port"]);
    let address = json!(format!("{}.default.svc.cluster.local:{port}", name.expect("it has a name")));
    let app = spinapp();
    let mut variables = app["spec"]["variables"].as_array().expect("there are variables").iter();
    assert!(variables.any(|variable| variable["name"] == "redis_host" && variable["value"] == address), "{address}");
}

/// What the page tells to make is what the files ask for, and no more.
#[test]
fn the_page_makes_each_secret_with_its_keys() {
    let page = read(root().join("docs/spinkube.md")).replace("\\\n", " ");
    let mut made = BTreeSet::new();
    for command in page.lines().filter_map(|line| line.trim().strip_prefix("kubectl create secret generic ")) {
        let words: Vec<_> = command.split_whitespace().collect();
        let options = words.iter().filter_map(|word| {
            word.strip_prefix("--from-literal=").or_else(|| word.strip_prefix("--from-file="))?.split_once('=')
        });
        made.extend(options.map(|(key, _)| (words[0].to_owned(), key.to_owned())));
    }
    let asked: BTreeSet<_> = documents("redis.yaml").iter().chain([&spinapp()]).flat_map(secrets).collect();
    assert!(asked.len() >= 4, "{asked:?}");
    assert_eq!(made, asked);
}
