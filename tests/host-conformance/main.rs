//! The host that the other tests run on is Spin's twin: what an application may see of either is the same.
//!
//! Every expectation here is what Spin 4.1 does, its faults included. The probe application beside this file is served by
//! the host in this process, or by whatever `BASE_URL` names: `spin up --build` in this folder, and the same tests say
//! whether Spin still does it.

mod client;
mod server;

mod http;
mod instances;
mod keyvalue;
mod routing;
