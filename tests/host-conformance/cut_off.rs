//! What a test can do to the requests that components send to other servers. This is the host's own: Spin has nothing
//! like it.

use std::path::Path;
use std::sync::Arc;

use harness::server::Settings;
use harness::{Request, Server, Store, Target};
use host::{Call, CallOutcome, Operation, StoreHook};
use serde_json::json;

use crate::upstream::Upstream;

/// Chooses this outcome for each request to another server.
#[derive(Debug)]
struct CutOff {
    request: String,
    outcome: CallOutcome,
}

impl StoreHook for CutOff {
    fn outcome(&self, call: &Call<'_>) -> CallOutcome {
        assert_eq!((call.operation, call.keys), (Operation::Send, std::slice::from_ref(&self.request)));
        self.outcome
    }
}

#[test]
fn a_request_is_cut_off_before_it_is_sent_or_after_it_was_carried_out() {
    let store = Store::new(Target::Local).and_then(Store::to_the_end).expect("there is a store");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("spin.toml");
    for (outcome, arrives, answer) in [
        (CallOutcome::Done, 1, (200, "ok")),
        (CallOutcome::Failed { done: false }, 0, (200, "ConnectionRefused")),
        (CallOutcome::Failed { done: true }, 1, (200, "ConnectionTerminated")),
        (CallOutcome::Killed { done: false }, 0, (500, "")),
        (CallOutcome::Killed { done: true }, 1, (500, "")),
    ] {
        for caller in ["caller", "caller2"] {
            let upstream = Upstream::start();
            let hook = CutOff { request: format!("GET {}", upstream.url("/")), outcome };
            let settings = Settings { hook: Some(Arc::new(hook)), ..Settings::default() };
            let server = Server::start_at(&manifest, store.folder(), settings).expect("the probe is served");
            let request = Request::post(format!("/{caller}/send")).json(json!({ "url": upstream.url("/") }));
            let told = server.client.send(&request).expect("there is an answer");
            let text = String::from_utf8_lossy(&told.body);
            assert_eq!((told.status, text.contains(answer.1)), (answer.0, true), "{caller}: {outcome:?}: {text}");
            assert_eq!(upstream.seen().len(), arrives, "{caller}: {outcome:?}");
            assert_eq!(
                server.host.stats().total(Operation::Send),
                1,
                "{caller}: {outcome:?}: calls that fail count, too"
            );
        }
    }
}
