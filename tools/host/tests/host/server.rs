use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use host::{Journal, Options, Server};

use crate::{manifest, workspace};

/// A component of the workspace, built once.
pub static COMPONENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let state = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = options(&workspace(), state.path());
    options.build = true;
    runtime.block_on(async { host::start(options).await.unwrap().shutdown().await });
    workspace().join("target/wasm32-wasip2/component/inventory.wasm")
});

fn options(manifest: &Path, state: &Path) -> Options {
    Options {
        manifest: manifest.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        state_dir: Some(state.to_owned()),
        quiet: true,
        build: false,
        ..Options::default()
    }
}

/// Serves the component at `/served/:name`.
async fn server() -> (tempfile::TempDir, Server) {
    let component = std::thread::spawn(|| COMPONENT.clone()).join().unwrap();
    let (directory, path) = manifest(&format!(
        "trigger = {{ http = [{{ route = '/served/:name', component = 'web' }}] }}\n\
         [component.web]\nsource = {component:?}\nkey_value_stores = ['default']\n"
    ));
    let server = host::start(options(&path, directory.path())).await.unwrap();
    (directory, server)
}

/// The whole answer to a GET, empty if there is none.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_path_without_a_route_is_an_empty_404() {
    let (_directory, server) = server().await;
    for path in ["/", "/served", "/served/a/b", "/.well-known/spin/other"] {
        let answer = get(server.address(), path);
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
    assert_eq!(server.stats().requests(), 0);
}

#[tokio::test]
async fn the_hosts_own_paths_are_answered_without_the_component() {
    let (_directory, server) = server().await;
    assert!(get(server.address(), "/.well-known/spin/health").ends_with("\r\n\r\nOK"));
    assert!(get(server.address(), "/.well-known/spin/info").ends_with("\r\n\r\n{\n  \"name\": \"test\"\n}"));
    assert_eq!(server.stats().requests(), 0);
}

#[tokio::test]
async fn requests_reach_the_component_and_are_counted() {
    let (_directory, server) = server().await;
    let before = server.stats();
    assert_eq!(before.components["web"].instances, 0);
    for path in ["/served/a", "/served/b/", &format!("/served/{}", "c".repeat(60_000))] {
        assert!(get(server.address(), path).starts_with("HTTP/1.1 "));
    }
    let done = server.stats().since(&before);
    let web = &done.components["web"];
    assert_eq!(web.requests, 3);
    assert!((1..=3).contains(&web.instances), "{web:?}");
    assert!(web.largest_memory > 0);
}

#[tokio::test]
async fn two_hundred_connections_at_once_are_all_answered() {
    let (_directory, server) = server().await;
    let address = server.address();
    let threads: Vec<_> = (0..200).map(|_| std::thread::spawn(move || get(address, "/served/a"))).collect();
    for thread in threads {
        assert!(thread.join().unwrap().starts_with("HTTP/1.1 "));
    }
    assert_eq!(server.stats().requests(), 200);
}

#[tokio::test]
async fn servers_in_one_process_are_apart_and_end_on_their_own() {
    let (_first_directory, first) = server().await;
    let (_second_directory, second) = server().await;
    assert!(get(first.address(), "/served/a").starts_with("HTTP/1.1 "));
    let address = first.address();
    first.shutdown().await;
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(second.stats().requests(), 0);
    assert!(get(second.address(), "/served/a").starts_with("HTTP/1.1 "));
    assert_eq!(second.stats().requests(), 1);
}

#[tokio::test]
async fn a_server_that_is_dropped_can_be_started_again_on_its_data_and_address() {
    let (directory, server) = server().await;
    let mut options = options(&directory.path().join("spin.toml"), directory.path());
    options.listen = server.address();
    drop(server);
    let server = loop {
        match host::start(options.clone()).await {
            Err(host::Error::Listen { .. }) => tokio::task::yield_now().await,
            started => break started.unwrap(),
        }
    };
    assert!(get(server.address(), "/served/a").starts_with("HTTP/1.1 "));
}

#[tokio::test]
async fn the_store_is_in_the_journal_mode_that_was_asked_for_and_in_wal_mode_by_default() {
    let (directory, path) = manifest("trigger = {}");
    assert_eq!(Options::default().journal, Journal::Wal);
    // SQLite keeps it in the header of its file.
    for (journal, version) in [(Journal::Wal, 2), (Journal::Delete, 1), (Journal::Wal, 2)] {
        let options = Options { journal, ..options(&path, directory.path()) };
        host::start(options).await.unwrap().shutdown().await;
        let file = std::fs::read(directory.path().join("sqlite_key_value.db")).unwrap();
        assert_eq!(file[18..20], [version; 2], "{journal:?}");
    }
}
