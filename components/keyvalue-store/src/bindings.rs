//! The imports, generated from `wit/keyvalue.wit`.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]

wit_bindgen::generate!({ world: "keyvalue", path: "wit", generate_all });
