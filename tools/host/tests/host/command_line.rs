use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::manifest;
use crate::server::COMPONENT;

const NOTHING: &str = "trigger = {}";
const ONE_COMPONENT: &str = "trigger = { http = [{ route = '/...', component = 'web' }] }\n\
                             [component.web]\nsource = 'web.wasm'\n";

fn host(manifest: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.args(["--listen", "127.0.0.1:0", "--from"]).arg(manifest);
    command
}

/// Runs the host, which must fail with one line, and returns that line without its `error: `.
fn error(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn a_manifest_that_is_not_there_is_one_line() {
    let line = error(&mut host(Path::new("no/such/spin.toml")));
    assert!(line.starts_with("no/such/spin.toml: No such file"), "{line}");
}

#[test]
fn a_broken_manifest_is_one_line() {
    let (_directory, path) = manifest("[component.web\n");
    let line = error(&mut host(&path));
    assert!(line.contains("spin.toml: line 3: unclosed table"), "{line}");
}

#[test]
fn a_missing_required_variable_is_one_line() {
    let (_directory, path) = manifest("trigger = {}\n[variables]\ntoken = { required = true }\n");
    let line = error(&mut host(&path));
    assert!(line.starts_with("no value for required variable(s) token"), "{line}");
}

#[test]
fn a_component_that_was_not_built_is_one_line() {
    let (directory, path) = manifest(ONE_COMPONENT);
    let line = error(&mut host(&path));
    let file = directory.path().join("web.wasm");
    assert!(line.starts_with(&format!("component web: {}: cannot be read", file.display())), "{line}");
}

#[test]
fn a_file_that_is_no_component_is_one_line() {
    for (bytes, reason) in [
        (b"text".as_slice(), "this file is no WebAssembly component"),
        (b"\0asm\x01\0\0\0", "this file is no WebAssembly component"),
        (b"\0asm\x0d\0\x01\0", "this host serves HTTP components of WASI 0.3 and 0.2, and not this one"),
    ] {
        let (directory, path) = manifest(ONE_COMPONENT);
        std::fs::write(directory.path().join("web.wasm"), bytes).unwrap();
        let line = error(&mut host(&path));
        assert!(line.contains(reason), "{line}");
    }
}

#[test]
fn a_port_in_use_is_one_line() {
    let (_directory, path) = manifest(NOTHING);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let line = error(Command::new(env!("CARGO_BIN_EXE_host")).args(["--listen", &address, "--from"]).arg(&path));
    assert!(line.starts_with(&format!("cannot listen on {address}: Address already in use")), "{line}");
}

#[test]
fn a_store_that_is_no_database_is_one_line() {
    let (directory, path) = manifest(NOTHING);
    let store = directory.path().join("sqlite_key_value.db");
    std::fs::write(&store, "This is text, and so it has never been a database. ".repeat(20)).unwrap();
    let line = error(host(&path).arg("--state-dir").arg(directory.path()));
    assert_eq!(line, format!("key-value store {}: this file is no SQLite database", store.display()));
}

#[test]
fn a_store_that_is_a_directory_is_one_line() {
    let (directory, path) = manifest(NOTHING);
    std::fs::create_dir(directory.path().join("sqlite_key_value.db")).unwrap();
    let line = error(host(&path).arg("--state-dir").arg(directory.path()));
    assert!(line.contains("unable to open database file"), "{line}");
}

#[test]
fn a_state_directory_that_is_a_file_is_one_line() {
    let (_directory, path) = manifest(NOTHING);
    let line = error(host(&path).arg("--state-dir").arg(&path));
    assert!(line.starts_with("key-value store "), "{line}");
}

#[test]
fn a_failing_build_ends_in_a_line_and_no_build_leaves_it_out() {
    let (_directory, path) = manifest("trigger = {}\n[component.web]\nsource = 'web.wasm'\nbuild.command = 'exit 7'\n");
    let output = host(&path).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let last = stderr.lines().last().unwrap();
    assert_eq!(last, "error: the build command of component web failed with exit status: 7");
    let line = error(host(&path).arg("--no-build"));
    assert!(line.contains("cannot be read"), "{line}");
}

#[test]
fn a_target_that_cannot_be_installed_ends_in_a_line_that_says_what_to_run() {
    let build = "build.command = 'cargo build --target wasm32-there-is-no-such'";
    let (_directory, path) = manifest(&format!("trigger = {{}}\n[component.web]\nsource = 'web.wasm'\n{build}\n"));
    let output = host(&path).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with("error: target wasm32-there-is-no-such is not installed"), "{stderr}");
    assert!(last.ends_with("run `rustup target add wasm32-there-is-no-such`"), "{stderr}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_host_with_success() {
    for signal in ["INT", "TERM"] {
        let (directory, path) = manifest(NOTHING);
        let mut child = host(&path).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines: Vec<_> = lines.map(Result::unwrap).take_while(|line| line != "Available Routes:").collect();
        let store = directory.path().canonicalize().unwrap().join(".spin/sqlite_key_value.db");
        assert_eq!(lines[0], format!("Storing default key-value data to {store:?}."));
        assert!(lines[2].starts_with("Serving http://127.0.0.1:"), "{lines:?}");
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert!(child.wait().unwrap().success(), "{signal}");
    }
}

/// The tables of an application that is paid at Stripe.
fn paid() -> String {
    let names = ["stripe_secret_key", "stripe_webhook_secret", "stripe_api", "return_url"];
    let variables = names.map(|name| format!("{name} = {{ default = '' }}\n")).concat();
    let given = names.map(|name| format!("{name} = '{{{{ {name} }}}}'\n")).concat();
    let component = &*COMPONENT;
    format!(
        "trigger = {{}}\n[variables]\n{variables}[component.web]\nsource = {component:?}\n\
         key_value_stores = ['default']\n[component.web.variables]\n{given}"
    )
}

fn with_provider(manifest: &Path) -> Command {
    let mut command = host(manifest);
    command.args(["--with-provider", "--provider-listen", "127.0.0.1:0"]);
    command
}

#[test]
fn the_provider_beside_the_shop_is_said_to_be_a_stand_in_and_answers() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let (directory, path) = manifest(&paid());
    let mut child = with_provider(&path).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.find(|line| line.contains("stand-in")).unwrap();
    let address = said.strip_prefix("Payments go to a stand-in for Stripe at http://").unwrap();
    let address = address.strip_suffix(": no money moves.").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let key = stripe_stand_in::SECRET_KEY;
    let head =
        format!("GET /v1/charges HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
    // So that a session that is on the shop's record is known after a restart.
    assert!(directory.path().join(".spin/stripe_stand_in.json").exists());
}

#[test]
fn variables_of_another_provider_beside_the_stand_in_are_one_line() {
    for name in ["stripe_secret_key", "stripe_webhook_secret", "stripe_api", "return_url"] {
        let (_directory, path) = manifest(&paid());
        let line = error(with_provider(&path).args(["--variable", &format!("{name}=sk_live_hidden")]));
        let expected = format!(
            "--with-provider sets the variable {name} itself, for a stand-in for Stripe: leave out --variable {name}, or --with-provider"
        );
        assert_eq!(line, expected);
        let variable = format!("SPIN_VARIABLE_{}", name.to_uppercase());
        let line = error(with_provider(&path).env(&variable, "sk_live_hidden"));
        assert!(
            line.contains(&format!("leave out {variable} in the environment")) && !line.contains("hidden"),
            "{line}"
        );
    }
}

#[test]
fn a_stand_in_beside_an_application_that_would_not_ask_it_is_one_line_and_leaves_nothing_behind() {
    let without = paid().replace("stripe_api = '{{ stripe_api }}'\n", "");
    for (tables, missing) in
        [(NOTHING, "stripe_secret_key"), (ONE_COMPONENT, "stripe_secret_key"), (without.as_str(), "stripe_api")]
    {
        let (directory, path) = manifest(tables);
        let line = error(&mut with_provider(&path));
        let file = path.display();
        let expected = format!("{file} gives its components no variable {missing}");
        assert_eq!(line, format!("--with-provider is for an application that is paid at Stripe: {expected}"));
        assert!(!directory.path().join(".spin").exists());
    }
}

#[test]
fn a_stand_in_beside_no_application_is_one_line_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let line = error(&mut with_provider(&directory.path().join("no/spin.toml")));
    assert!(line.contains("no/spin.toml: No such file"), "{line}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_stand_in_whose_address_is_no_use_is_one_line() {
    let (_directory, path) = manifest(&paid());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let line = error(host(&path).args(["--with-provider", "--provider-listen", &address]));
    assert!(line.starts_with("the stand-in for Stripe: ") && line.contains(&address), "{line}");
    let mut elsewhere = Command::new(env!("CARGO_BIN_EXE_host"));
    let line = error(elsewhere.args(["--with-provider", "--listen", "192.0.2.1:3000", "--from"]).arg(&path));
    assert!(line.starts_with("--with-provider needs --listen on this machine's own address"), "{line}");
    let output = host(&path).args(["--provider-listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "it is of no use without --with-provider");
}

/// Kinder than Spin, which ends: see docs/security.md.
#[test]
#[cfg(unix)]
fn a_server_that_is_out_of_file_handles_goes_on_when_there_are_some_again() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let (_directory, path) = manifest(NOTHING);
    let few =
        format!("ulimit -n 64; exec {} --listen 127.0.0.1:0 --from {}", env!("CARGO_BIN_EXE_host"), path.display());
    let mut command = Command::new("sh");
    command.args(["-c", &few]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| line.strip_prefix("Serving http://").map(str::to_owned)).unwrap();

    let connections: Vec<_> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = said.next().unwrap();
    assert!(first.starts_with("warning: cannot accept a connection: Too many open files"), "{first}");
    drop(connections);
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /.well-known/spin/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    child.kill().unwrap();
    child.wait().unwrap();
}
