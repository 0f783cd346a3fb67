//! The files that `cargo run -p contract` makes are up to date, and each manifest routes each path to the component
//! that serves it.

use std::fs;
use std::process::Command;

use api::Route;
use domain::fulfilment::{Carrier, TrackingNumber};
use domain::{CustomerId, ItemId, PaymentMethod};
use serde_json::Value;

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

/// A schema's name, a character that its texts may have, and whether the domain takes a text.
type Parser = (&'static str, &'static str, fn(String) -> bool);

/// What a schema allows is what the domain's parser accepts: the limits of texts are written in both.
#[test]
fn the_limits_of_texts_in_the_openapi_document_are_those_of_the_domain() {
    fn is_valid<T: TryFrom<String>>(text: String) -> bool {
        T::try_from(text).is_ok()
    }
    let parsers: [Parser; 5] = [
        ("ItemId", "i", is_valid::<ItemId>),
        ("CustomerId", "\u{1f980}", is_valid::<CustomerId>),
        ("PaymentMethod", "m", is_valid::<PaymentMethod>),
        ("ShipmentText", "\u{1f980}", is_valid::<Carrier>),
        ("ShipmentText", "\u{1f980}", is_valid::<TrackingNumber>),
    ];
    let document = fs::read_to_string(root().join("components/console/assets/openapi.json")).expect("the document");
    let document: Value = serde_json::from_str(&document).expect("it is JSON");
    for (name, character, is_valid) in parsers {
        let schema = &document["components"]["schemas"][name];
        let limit = |member: &str| usize::try_from(schema[member].as_u64().expect("a limit")).expect("a length");
        let (least, most) = (limit("minLength"), limit("maxLength"));
        for (length, expected) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(is_valid(character.repeat(length)), expected, "{name} of {length} characters");
        }
    }
}
