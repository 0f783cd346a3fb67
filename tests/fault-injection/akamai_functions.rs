//! What is built for Akamai Functions and SpinKube, cut off at every call of its store, and on a Redis that is in
//! trouble.

#![allow(dead_code, reason = "the tests of another target use more of the tools")]

const TARGET: harness::Target = harness::Target::AkamaiFunctions;

mod books;
mod crashes;
mod exports;
mod fixture;
mod provider;
mod race;
mod redis_in_trouble;
mod requests;
mod shop;
mod stops;
