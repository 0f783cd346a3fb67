//! The imports, generated from `wit/sqlite.wit`.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]

wit_bindgen::generate!({ world: "database", path: "wit", generate_all });
