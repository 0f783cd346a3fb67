//! The host of the tests behaves as Spin does in all that an application can observe.
//!
//! Every expectation here is what Spin 4.1 does, its faults included. The probe application next to this file is served
//! by the host in this process, or by the server that `BASE_URL` names. After `spin up --build` in this folder, the
//! same tests tell whether Spin still behaves so.

mod client;
mod server;
mod upstream;

mod cut_off;
mod http;
mod instances;
mod keyvalue;
mod outgoing;
mod routing;
mod transport;
