//! The files that `cargo run -p contract` makes are up to date, and each manifest routes each path to the component that
//! serves it.

use std::process::Command;

use api::Route;

use crate::platforms::{manifest, platforms};
use harness::root;

#[test]
fn the_files_that_are_made_from_others_are_up_to_date() {
    let check = ["run", "--quiet", "--package", "contract", "--", "--check"];
    let run = Command::new(env!("CARGO")).args(check).current_dir(root()).output().expect("cargo runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn each_manifest_routes_each_path_to_the_component_that_serves_it() {
    for target in platforms().into_keys() {
        let manifest = manifest(&target);
        // The router that Spin uses.
        let mut router = routefinder::Router::new();
        for trigger in manifest["trigger"]["http"].as_array().expect("there are routes") {
            let route = trigger["route"].as_str().expect("a route").replace("/...", "/*");
            router.add(route, trigger["component"].as_str().expect("a component")).expect("a valid route");
        }
        for route in Route::ALL {
            let path = route.path().replace(['{', '}'], "");
            let component = router.best_match(&path).expect("each path has a route");
            assert_eq!(*component.handler(), route.component(), "{target}: {path}");
        }
    }
}
