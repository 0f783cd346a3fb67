//! What is built for Fermyon Cloud, cut off at every call of its store.

#![allow(dead_code, reason = "the tests of the other target use more of the tools")]

const TARGET: Target = Target::FermyonCloud;

mod books;
mod crashes;
mod given;
mod requests;
mod shop;
mod stops;
mod target;

use target::Target;
