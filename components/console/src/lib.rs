//! The component `console`: serves the console, the API's documentation and its OpenAPI document, all of them part of
//! the program. It has no store and no variables.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

// What is in `assets`, as build.rs writes it.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

shell::files!(FILES);
