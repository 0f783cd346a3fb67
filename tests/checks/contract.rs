//! The files that `cargo run -p contract` makes are up to date, and each manifest routes each path to the component
//! that serves it.

use std::fs;
use std::process::Command;

use api::Route;
use domain::fulfilment::{Carrier, TrackingNumber};
use domain::{CustomerId, ImageUrl, ItemId, ItemName, PaymentMethod};
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

fn document() -> Value {
    let document = fs::read_to_string(root().join("components/console/assets/openapi.json")).expect("the document");
    serde_json::from_str(&document).expect("it is JSON")
}

/// A schema's name, a character that its texts may have, and whether the domain takes a text.
type Parser = (&'static str, &'static str, fn(String) -> bool);

/// What a schema allows is what the domain's parser accepts: the limits of texts are written in both.
#[test]
fn the_limits_of_texts_in_the_openapi_document_are_those_of_the_domain() {
    fn is_valid<T: TryFrom<String>>(text: String) -> bool {
        T::try_from(text).is_ok()
    }
    let parsers: [Parser; 6] = [
        ("ItemName", "\u{1f980}", is_valid::<ItemName>),
        ("ItemId", "i", is_valid::<ItemId>),
        ("CustomerId", "\u{1f980}", is_valid::<CustomerId>),
        ("PaymentMethod", "m", is_valid::<PaymentMethod>),
        ("ShipmentText", "\u{1f980}", is_valid::<Carrier>),
        ("ShipmentText", "\u{1f980}", is_valid::<TrackingNumber>),
    ];
    let document = document();
    for (name, character, is_valid) in parsers {
        let schema = &document["components"]["schemas"][name];
        let limit = |member: &str| usize::try_from(schema[member].as_u64().expect("a limit")).expect("a length");
        let (least, most) = (limit("minLength"), limit("maxLength"));
        for (length, expected) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(is_valid(character.repeat(length)), expected, "{name} of {length} characters");
        }
    }
}

#[test]
fn the_openapi_document_allows_a_character_as_the_name_of_an_item_if_the_domain_does() {
    let schema = &document()["components"]["schemas"]["ItemName"];
    let schema = jsonschema::validator_for(schema).expect("it is a schema");
    let characters = ('\0'..='\u{ffff}').chain(['\u{1f980}', '\u{e0100}', '\u{10ffff}']);
    let mut allowed = 0;
    for character in characters {
        let is_name = ItemName::try_from(character.to_string()).is_ok();
        allowed += usize::from(is_name);
        for text in [character.to_string(), format!("{character} ")] {
            assert_eq!(schema.is_valid(&text.clone().into()), is_name, "{text:?}");
        }
        let beside = format!("a{character}");
        assert_eq!(schema.is_valid(&beside.clone().into()), ItemName::try_from(beside.clone()).is_ok(), "{beside:?}");
    }
    assert!((50_000..65_000).contains(&allowed), "{allowed}");
}

/// More than the domain, since no schema can say what a host is; but no character, scheme or length that it does not.
#[test]
fn the_openapi_document_allows_every_image_that_the_domain_does() {
    let schema = &document()["components"]["schemas"]["ImageUrl"];
    let schema = jsonschema::validator_for(schema).expect("it is a schema");
    for character in '\0'..='\u{ff}' {
        let image = format!("https://shop.example/{character}");
        let is_image = ImageUrl::try_from(image.clone()).is_ok();
        assert_eq!(schema.is_valid(&image.clone().into()), is_image, "{image:?}");
    }
    for length in [9, 255, 256] {
        let image: String = format!("https://a{}", "/".repeat(300)).chars().take(length).collect();
        assert_eq!(schema.is_valid(&image.clone().into()), ImageUrl::try_from(image.clone()).is_ok(), "{image}");
    }
    for image in ["http://localhost/a", "http://127.0.0.1:3000", "https://[::1]:3000/"] {
        assert!(ImageUrl::try_from(image.to_owned()).is_ok() && schema.is_valid(&image.into()), "{image}");
    }
    for image in ["javascript:alert(1)", "data:image/png;base64,AA", "//shop.example", "HTTPS://shop.example", ""] {
        assert!(ImageUrl::try_from(image.to_owned()).is_err() && !schema.is_valid(&image.into()), "{image}");
    }
}
