//! What is in deploy/spinkube can be applied as it is: each file says what Kubernetes, SpinKube and Spin let it say,
//! and the files fit each other, the manifest and the page that tells how to use them.
//!
//! What is Kubernetes' own is read by its own types. The schemas in this folder are ours. They hold what is known of
//! SpinKube and of Spin, each with its source.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use harness::store::Database;
use harness::{RedisServer, Request, Server, Store, root};
use jsonschema::Validator;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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
    the_one("spinapp.yaml", "SpinApp")
}

/// The document of this kind in a file.
fn the_one(file: &str, kind: &str) -> Value {
    let of_kind = documents(file).into_iter().filter(|document| document["kind"] == kind);
    let [one] = of_kind.collect::<Vec<_>>().try_into().unwrap_or_else(|all| panic!("{file}, {kind}: {all:?}"));
    one
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

/// What is wrong with a document of Kubernetes' own: what its type does not know is not there when it is written again.
fn mistakes_of_kubernetes(document: &Value) -> Vec<String> {
    fn again<T: DeserializeOwned + Serialize>(document: &Value) -> Result<Value, String> {
        let read: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
        serde_json::to_value(read).map_err(|error| error.to_string())
    }
    let kind = (document["apiVersion"].as_str().unwrap_or_default(), document["kind"].as_str().unwrap_or_default());
    let again = match kind {
        ("v1", "Service") => again::<Service>(document),
        ("v1", "ServiceAccount") => again::<ServiceAccount>(document),
        ("apps/v1", "StatefulSet") => again::<StatefulSet>(document),
        ("batch/v1", "CronJob") => again::<CronJob>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => again::<NetworkPolicy>(document),
        ("networking.k8s.io/v1", "Ingress") => again::<Ingress>(document),
        other => Err(format!("{other:?} is not known here")),
    };
    match again {
        Err(error) => vec![error],
        Ok(again) => lost("", document, &again).into_iter().chain(amounts("", document)).collect(),
    }
}

/// What of a document is not, or is not the same, in the other.
fn lost(place: &str, document: &Value, other: &Value) -> Vec<String> {
    match (document, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let each = fields.iter().map(|(name, field)| match others.get(name) {
                Some(other) => lost(&format!("{place}/{name}"), field, other),
                // What is said to be empty is left out.
                None if *field == json!([]) => Vec::new(),
                None => vec![format!("{place}/{name}: there is no such field")],
            });
            each.flatten().collect()
        }
        (Value::Array(elements), Value::Array(others)) if elements.len() == others.len() => {
            let each = elements.iter().zip(others).enumerate();
            each.flat_map(|(place_of, (element, other))| lost(&format!("{place}/{place_of}"), element, other)).collect()
        }
        (value, other) if value == other => Vec::new(),
        (value, other) => vec![format!("{place}: {value} is read as {other}")],
    }
}

/// Amounts of resources that have no such unit: to Kubernetes' types they are text.
fn amounts(place: &str, document: &Value) -> Vec<String> {
    let units = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let is_amount = |text: &str| units.contains(&text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    match document {
        Value::Object(fields) => {
            let own =
                ["limits", "requests"].into_iter().filter_map(|name| Some((name, fields.get(name)?.as_object()?)));
            let wrong = own.flat_map(|(name, amounts)| amounts.iter().map(move |(what, amount)| (name, what, amount)));
            let wrong = wrong.filter(|(.., amount)| !amount.as_str().is_none_or(is_amount));
            let wrong = wrong.map(|(name, what, amount)| format!("{place}/{name}/{what}: {amount} is no amount"));
            let below = fields.iter().flat_map(|(name, field)| amounts(&format!("{place}/{name}"), field));
            wrong.chain(below).collect()
        }
        Value::Array(elements) => {
            let each = elements.iter().enumerate();
            each.flat_map(|(number, element)| amounts(&format!("{place}/{number}"), element)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn each_file_says_what_its_platform_lets_it_say() {
    let schema_of_spinapp = schema("spinapp.schema.json");
    for file in ["spinapp.yaml", "redis.yaml", "ingress.yaml", "sweep.yaml"] {
        let documents = documents(file);
        assert!(!documents.is_empty(), "{file} is empty");
        for document in documents {
            let mistakes = match document["kind"].as_str() {
                Some("SpinApp") => mistakes(&schema_of_spinapp, &document),
                _ => mistakes_of_kubernetes(&document),
            };
            assert_eq!(mistakes, [""; 0], "{file}");
        }
    }
    assert_eq!(mistakes(&schema("runtime-config.schema.json"), &runtime_config()), [""; 0]);
}

#[test]
fn a_field_of_kubernetes_that_is_misspelt_or_of_another_type_is_noticed() {
    let pod = "/spec/template/spec";
    let container = "/spec/template/spec/containers/0";
    type Damage = fn(&mut Value);
    let breaks: [(&str, Damage, String); 5] = [
        ("misspelt", |set| set["spec"]["replica"] = json!(1), "/spec/replica".to_owned()),
        (
            "misspelt deep down",
            |set| set["spec"]["template"]["spec"]["securityContext"]["runAsRoot"] = json!(false),
            format!("{pod}/securityContext/runAsRoot"),
        ),
        (
            "not of this level",
            |set| set["spec"]["template"]["spec"]["containers"][0]["automountServiceAccountToken"] = json!(false),
            format!("{container}/automountServiceAccountToken"),
        ),
        ("text for a number", |set| set["spec"]["replicas"] = json!("1"), "invalid type".to_owned()),
        (
            "no such unit",
            |set| set["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = json!("8MB"),
            format!("{container}/resources/limits/memory"),
        ),
    ];
    for (what, damage, place) in breaks {
        let mut set = the_one("redis.yaml", "StatefulSet");
        damage(&mut set);
        let mistakes = mistakes_of_kubernetes(&set);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(&place)), "{what}: {mistakes:?}");
    }
}

/// Neither may do more than it has to.
#[test]
fn no_pod_has_rights_that_it_does_not_need() {
    let set = the_one("redis.yaml", "StatefulSet");
    let sweep = the_one("sweep.yaml", "CronJob");
    for pod in [&set["spec"]["template"]["spec"], &sweep["spec"]["jobTemplate"]["spec"]["template"]["spec"]] {
        assert_eq!(pod["automountServiceAccountToken"], json!(false));
        let container = &pod["containers"][0];
        let both = [&pod["securityContext"], &container["securityContext"]];
        assert_eq!(both[0]["runAsNonRoot"], json!(true));
        assert!(both[0]["runAsUser"].as_u64().is_some_and(|user| user > 0), "{pod}");
        assert_eq!(both[0]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(both[1]["allowPrivilegeEscalation"], json!(false));
        assert_eq!(both[1]["readOnlyRootFilesystem"], json!(true));
        assert_eq!(both[1]["capabilities"], json!({ "drop": ["ALL"] }));
        let resources = &container["resources"];
        assert!(resources["limits"]["memory"].is_string() && resources["requests"].is_object());
    }
    let account = the_one("spinapp.yaml", "ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], json!(false));
    assert_eq!(spinapp()["spec"]["serviceAccountName"], account["metadata"]["name"]);
}

#[test]
fn the_sweep_sends_the_operators_request_to_the_shop() {
    let sweep = the_one("sweep.yaml", "CronJob");
    let container = &sweep["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<_> = container["args"].as_array().expect("it has arguments").iter().map(Value::as_str).collect();
    let name = spinapp()["metadata"]["name"].as_str().expect("the app has a name").to_owned();
    assert_eq!(arguments.last(), Some(&Some(format!("http://{name}{}", api::Route::Sweep.path()).as_str())));
    assert!(arguments.windows(2).any(|two| two == [Some("--request"), Some("POST")]), "{arguments:?}");
    assert!(arguments.contains(&Some("authorization: Bearer $(OPERATOR_TOKEN)")), "{arguments:?}");
    assert_eq!(container["env"][0]["name"], "OPERATOR_TOKEN");
    // The secret that the shop has its token from.
    let token = &container["env"][0]["valueFrom"]["secretKeyRef"];
    let variables = spinapp()["spec"]["variables"].clone();
    let of_shop =
        variables.as_array().expect("it has variables").iter().find(|variable| variable["name"] == "operator_token");
    assert_eq!(Some(token), of_shop.map(|variable| &variable["valueFrom"]["secretKeyRef"]));
}

/// The tags of the images in a pod, each of which is named with its digest: what a tag stands for can be changed.
fn tags(pod: &Value) -> Vec<&str> {
    let containers = pod["containers"].as_array().expect("it has containers").iter();
    let images = containers.map(|container| container["image"].as_str().expect("it has an image"));
    let parts = images.map(|image| image.split_once("@sha256:").unwrap_or_else(|| panic!("{image} has no digest")));
    let tag = |(tag, digest): (_, &str)| {
        assert!(digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digest}");
        tag
    };
    parts.map(tag).collect()
}

#[test]
fn an_image_is_named_with_its_digest_and_has_no_holes_that_are_known() {
    let sweep = the_one("sweep.yaml", "CronJob");
    let curl = tags(&sweep["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
    assert!(matches!(curl[..], [tag] if tag.starts_with("curlimages/curl:")), "{curl:?}");
    let set = the_one("redis.yaml", "StatefulSet");
    let redis = tags(&set["spec"]["template"]["spec"]);
    let [tag] = redis[..] else { panic!("{redis:?}") };
    let version = tag.strip_prefix("redis:").expect("it is the official one");
    let version: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    let [major, minor, patch] = version.try_into().expect("the version is whole");
    // The first of each line that mends CVE-2026-81934, the last that is known here.
    let mended = [((7, 2), 16), ((7, 4), 11), ((8, 2), 9), ((8, 4), 6), ((8, 6), 6), ((8, 8), 2), ((8, 10), 1)];
    let first = mended.iter().find(|(line, _)| *line == (major, minor)).map_or(0, |(_, first)| *first);
    assert!((first > 0 && patch >= first) || (major, minor) > (8, 10), "{tag} has holes that are known");
}

#[test]
fn only_the_pods_of_the_shop_reach_the_redis() {
    let policy = the_one("redis.yaml", "NetworkPolicy");
    let set = the_one("redis.yaml", "StatefulSet");
    assert_eq!(policy["spec"]["podSelector"]["matchLabels"], set["spec"]["template"]["metadata"]["labels"]);
    let app = spinapp();
    // The label that the operator gives to the pods of an app.
    let shop = json!({ "podSelector": { "matchLabels": { "core.spinkube.dev/app-name": app["metadata"]["name"] } } });
    let port = &the_one("redis.yaml", "Service")["spec"]["ports"][0]["port"];
    assert_eq!(policy["spec"]["ingress"], json!([{ "from": [shop], "ports": [{ "protocol": "TCP", "port": port }] }]));
    assert_eq!(policy["spec"]["egress"], json!([]));
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
    let service = the_one("redis.yaml", "Service");
    let (name, port) = (service["metadata"]["name"].as_str(), &service["spec"]["ports"][0]["port"]);
    let address = json!(format!("{}.default.svc.cluster.local:{port}", name.expect("it has a name")));
    let app = spinapp();
    let mut variables = app["spec"]["variables"].as_array().expect("there are variables").iter();
    assert!(variables.any(|variable| variable["name"] == "redis_host" && variable["value"] == address), "{address}");
}

/// A Redis whose users are those of the file, each with its name for a password.
fn redis_with_its_users() -> RedisServer {
    let set = the_one("redis.yaml", "StatefulSet");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().expect("it has arguments").iter();
    let arguments = arguments.map(|argument| argument.as_str().expect("they are text"));
    let users = arguments.filter(|argument| argument.starts_with("--user "));
    // As Kubernetes puts in what is in the environment.
    let users = users.map(|user| user.replace("$(REDIS_PASSWORD)", "shop").replace("$(REDISCLI_AUTH)", "backup"));
    let users: Vec<_> = users.collect();
    assert_eq!(users.len(), 3, "{users:?}");
    RedisServer::start_with(&users.iter().map(String::as_str).collect::<Vec<_>>()).expect("Redis takes its users")
}

/// What a user is answered to a command: nothing, or the code of the refusal.
fn told(server: &RedisServer, user: &str, command: &[&str]) -> Result<(), String> {
    let login = if user.is_empty() { String::new() } else { format!("{user}:{user}@") };
    let client = redis::Client::open(format!("redis://{login}{}/0", server.address())).expect("it is an address");
    let connected = client.get_connection();
    let told = connected.and_then(|mut connection| redis::cmd(command[0]).arg(&command[1..]).exec(&mut connection));
    told.map_err(|error| error.code().unwrap_or("?").to_owned())
}

#[test]
fn the_redis_of_the_file_serves_the_shop_and_refuses_it_everything_else() {
    let redis = redis_with_its_users();
    let store = Store::in_redis(Database::of(&redis).with_login("shop:shop@")).expect("there is a store");
    let shop = Server::start(&store, Default::default()).expect("the shop is served");
    let ask = |request: Request, status: u16| {
        let answer = shop.client.send(&request).expect("the shop answers");
        assert_eq!(answer.status, status, "{request:?}: {}", answer.value());
        answer.value()
    };
    ask(Request::get("/ready"), 200);
    ask(Request::create("new", 1000, 10), 201);
    ask(Request::adjust("new", 5), 200);
    for (last, status) in [(Request::pay as fn(&str) -> Request, "paid"), (Request::cancel, "cancelled")] {
        let order = ask(Request::place(&[("new", 1), ("item1", 2)]).key(harness::fresh("key")), 201);
        let id = order["order_id"].as_str().expect("it has an id");
        assert_eq!(ask(last(id), 200)["status"], status);
        assert_eq!(ask(Request::show_order(id), 200)["status"], status);
        ask(Request::get(format!("/orders/{id}/history")), 200);
    }
    for path in ["/inventory", "/inventory/new/history", "/orders", "/books", "/metrics"] {
        ask(Request::get(path).operator(), 200);
    }

    let forget = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
    let always = format!("#!lua flags=allow-oom\n{forget}");
    for allowed in [
        ["EVAL", forget, "1", "order:none", "x"].as_slice(),
        &["EVAL", &always, "1", "payment:none", "x"],
        &["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "ledger"],
        &["SET", "probe:x", "1", "NX"],
        &["DEL", "probe:x"],
        &["WAIT", "0", "1"],
    ] {
        assert_eq!(told(&redis, "shop", allowed), Ok(()), "{allowed:?}");
    }
    let refused = Err("NOPERM".to_owned());
    for command in [
        ["FLUSHALL"].as_slice(),
        &["FLUSHDB"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["CONFIG", "GET", "dir"],
        &["ACL", "WHOAMI"],
        &["SHUTDOWN"],
        &["REPLICAOF", "NO", "ONE"],
        &["MODULE", "LIST"],
        &["SCRIPT", "FLUSH"],
        &["FUNCTION", "LIST"],
        &["PUBLISH", "channel", "x"],
        &["GET", "another:key"],
        &["SET", "another:key", "x"],
    ] {
        assert_eq!(told(&redis, "shop", command), refused, "{command:?}");
    }
    // A script has no rights that its user has not.
    for script in ["return redis.call('FLUSHALL')", "return redis.call('GET', 'another:key')"] {
        assert!(told(&redis, "shop", &["EVAL", script, "0"]).is_err(), "{script}");
    }

    assert_eq!(told(&redis, "backup", &["INFO", "memory"]), Ok(()));
    for command in [["GET", "catalog"].as_slice(), &["SET", "catalog", "x"], &["EVAL", "return 1", "0"], &["FLUSHALL"]]
    {
        assert_eq!(told(&redis, "backup", command), refused, "{command:?}");
    }
    assert_eq!(told(&redis, "", &["GET", "catalog"]), Err("NOAUTH".to_owned()), "no client is let in without a name");
}

/// The shop's line in the file is that of the page.
#[test]
fn the_page_about_the_redis_has_the_same_user() {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split([' ', '\n', '\\', '\'']).filter(|word| word.starts_with(['~', '+']));
        words.map(str::to_owned).collect()
    };
    let page = read(root().join("docs/redis.md"));
    let (_, command) = page.split_once("redis-cli ACL SETUSER shop").expect("there is the command");
    let (command, _) = command.split_once("\n```").expect("it ends");
    let set = the_one("redis.yaml", "StatefulSet");
    let arguments = set["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    let mut arguments = arguments.as_array().expect("it has arguments").iter().filter_map(Value::as_str);
    let shop = arguments.find(|argument| argument.starts_with("--user shop")).expect("there is the user");
    assert_eq!(words(command), words(shop));
}

/// Whether a value is one of its kind.
type Kind = fn(&str) -> bool;

/// The annotations of an Ingress that F5's NGINX Ingress Controller 5 knows, of those that could be meant here, and
/// which of them are yes or no, a time, a size or a number: it refuses an Ingress whose annotations it cannot read.
///
/// From the page "Advanced configuration with annotations" of https://docs.nginx.com/nginx-ingress-controller/,
/// read on 2026-11-28.
const ANNOTATIONS: [(&str, Kind); 19] = [
    ("client-body-buffer-size", is_size),
    ("client-max-body-size", is_size),
    ("hsts", is_yes_or_no),
    ("limit-req-burst", is_number),
    ("limit-req-no-delay", is_yes_or_no),
    ("limit-req-rate", is_rate),
    ("limit-req-reject-code", is_number),
    ("limit-req-scale", is_yes_or_no),
    ("limit-req-zone-size", is_size),
    ("location-snippets", is_snippet),
    ("max-conns", is_number),
    ("proxy-buffering", is_yes_or_no),
    ("proxy-buffers", is_buffers),
    ("proxy-connect-timeout", is_time),
    ("proxy-max-temp-file-size", is_size),
    ("proxy-next-upstream", |value| value == "off"),
    ("proxy-read-timeout", is_time),
    ("proxy-send-timeout", is_time),
    ("server-snippets", is_snippet),
];

fn is_yes_or_no(value: &str) -> bool {
    ["true", "false"].contains(&value)
}

fn is_number(value: &str) -> bool {
    value.parse::<u32>().is_ok()
}

fn is_size(value: &str) -> bool {
    value.strip_suffix(['k', 'm']).is_some_and(is_number)
}

fn is_time(value: &str) -> bool {
    value.strip_suffix('s').is_some_and(is_number)
}

fn is_rate(value: &str) -> bool {
    value.strip_suffix("r/s").is_some_and(is_number)
}

fn is_buffers(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(count, size)| is_number(count) && is_size(size))
}

/// Lines of nginx, each a directive or a part of a block.
fn is_snippet(value: &str) -> bool {
    value.lines().all(|line| line.trim_end().ends_with([';', '{', '}']))
}

#[test]
fn the_ingress_says_what_its_controller_knows_and_names_only_paths_that_are_public() {
    let ingress = the_one("ingress.yaml", "Ingress");
    let annotations = ingress["metadata"]["annotations"].as_object().expect("it has annotations");
    for (name, value) in annotations {
        let value = value.as_str().unwrap_or_else(|| panic!("{name} is no text"));
        let known =
            name.strip_prefix("nginx.org/").and_then(|name| ANNOTATIONS.iter().find(|(known, _)| *known == name));
        let (_, is_right) = known.unwrap_or_else(|| panic!("{name} is not known"));
        assert!(is_right(value), "{name}: {value}");
    }
    let size = |text: &str| text.trim_end_matches('k').parse::<usize>().expect("a size in kilobytes") << 10;
    let body = annotations["nginx.org/client-max-body-size"].as_str().expect("it is text");
    assert_eq!(size(body), api::MAX_BODY_BYTES, "the gateway takes what the shop takes");

    let [rule] = ingress["spec"]["rules"].as_array().expect("it has rules").as_slice() else { panic!("one host") };
    let paths = rule["http"]["paths"].as_array().expect("it has paths");
    let is_let_through = |path: &str| {
        paths.iter().any(|rule| {
            let of_rule = rule["path"].as_str().expect("a path").trim_end_matches('/');
            let below = path.strip_prefix(of_rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if rule["pathType"] == "Prefix" { below } else { rule["path"] == path }
        })
    };
    for path in [
        "/",
        "/console/console.js",
        "/docs",
        "/docs/x",
        "/openapi.json",
        "/orders",
        "/orders/1/pay",
        "/payments",
        "/payments/stripe/events",
        "/inventory",
    ] {
        assert!(is_let_through(path), "{path}");
    }
    for path in ["/ready", "/health", "/metrics", "/books", "/sweep", "//ready", "/.well-known/spin/info", "/other"] {
        assert!(!is_let_through(path), "{path}");
    }
    for rule in paths {
        // The service that the operator makes of an app has its name, and port 80.
        let service = json!({ "service": { "name": spinapp()["metadata"]["name"], "port": { "number": 80 } } });
        assert_eq!(rule["backend"], service);
    }
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
