//! What is built for Fermyon Cloud, cut off at every call of its store, and on a database that is in trouble.

#![allow(dead_code, reason = "the tests of the other target use more of the tools")]

const TARGET: Target = Target::FermyonCloud;

mod books;
mod crashes;
mod given;
mod kept;
mod race;
mod requests;
mod shop;
mod sqlite;
mod stops;
mod target;

use target::Target;
