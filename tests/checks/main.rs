//! Holds the project to what its documents promise, as far as a test can: what a request costs, how large a component
//! is, that components import what their platforms have and keep within their limits, that what is made from other
//! files is up to date, that what is in deploy/ can be applied, that the tours print what the pages say, that
//! requests.http and payments.http run, that people can use the pages, that it depends on nothing it should not, and
//! that the unit tests pass on WebAssembly too.

mod browser;
mod components;
mod contract;
mod dependencies;
mod gateway;
mod npm;
mod platforms;
mod readme;
mod requests_http;
mod shop;
mod spinkube;
mod spreadsheet;
mod store_calls;
mod unit_tests_on_wasm;
