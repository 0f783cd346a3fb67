//! The imports, generated from `wit/variables.wit`.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]

wit_bindgen::generate!({ world: "application", path: "wit", generate_all });
