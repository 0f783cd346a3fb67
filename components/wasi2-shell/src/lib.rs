//! All that depends on WASI 0.2: requests, responses, variables, time and randomness, for platforms without WASI 0.3.
//! There an instance serves one request and ends, and the store is a SQLite database.

mod bindings;
mod http;
#[cfg(feature = "provider")]
mod transport;

use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use api::{Config, File, Problem, Reply, RequestContext, Variables};
use domain::{Environment, Error, InstanceState, NoProvider, Provider, Shop, Timestamp};
use sqlite_store::{SpinSqlite, SqliteStore};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::http::types::{IncomingRequest, ResponseOutparam};
use wasi::random::random::get_random_bytes;

use bindings::fermyon::spin::variables;

#[cfg(feature = "provider")]
pub use transport::{Wasi2Transport, stripe};
#[doc(hidden)]
pub use wasi;

/// The database that all components share.
const DATABASE: &str = "default";

/// How often a request checks a condition that it waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The shop of a component, which asks the payment provider `P` or none.
pub type SpinShop<P> = Shop<SqliteStore<Rc<SpinSqlite>, Wasi2Environment>, Wasi2Environment, P>;

/// Makes a component of a handler that never asks a payment provider: [`api::inventory::handle`] and [`api::reports::handle`].
#[macro_export]
macro_rules! component {
    ($handle:path) => {
        $crate::answer!((request, response) => $crate::serve(request, response, $crate::no_provider, $handle));
    };
}

/// Makes a component of a handler that asks the payment provider, if the shop has one: [`api::orders::handle`],
/// [`api::payments::handle`], [`api::after_sale::handle`] and [`api::sweep::handle`].
#[cfg(feature = "provider")]
#[macro_export]
macro_rules! component_with_provider {
    ($handle:path) => {
        $crate::answer!((request, response) => $crate::serve(request, response, $crate::stripe, $handle));
    };
}

/// Makes a component of files.
#[macro_export]
macro_rules! files {
    ($files:path) => {
        $crate::answer!((request, response) => $crate::serve_files(request, response, $files));
    };
}

/// Exports the handler of `wasi:http` 0.2.
#[doc(hidden)]
#[macro_export]
macro_rules! answer {
    (($request:ident, $response:ident) => $answer:expr) => {
        struct Component;

        $crate::wasi::http::proxy::export!(Component with_types_in $crate::wasi);

        impl $crate::wasi::exports::http::incoming_handler::Guest for Component {
            fn handle(
                $request: $crate::wasi::http::types::IncomingRequest,
                $response: $crate::wasi::http::types::ResponseOutparam,
            ) {
                $answer
            }
        }
    };
}

/// Answers a request for a file; see [`files!`].
#[doc(hidden)]
pub fn serve_files(request: IncomingRequest, response: ResponseOutparam, files: &[File]) {
    let request = http::receive(request);
    let answer = api::respond_with_files(request, &Wasi2Environment, files);
    http::send(response, answer.reply, answer.rest, api::SEND_TIMEOUT);
}

/// For a component that never asks a payment provider; see [`component!`].
#[doc(hidden)]
pub fn no_provider(_: &Config, _: bool) -> Option<NoProvider> {
    None
}

/// Answers a request; see [`component!`].
#[doc(hidden)]
pub fn serve<P: Provider>(
    request: IncomingRequest,
    response: ResponseOutparam,
    provider: impl FnOnce(&Config, bool) -> Option<P>,
    handle: impl AsyncFnOnce(&RequestContext<'_>, &Rc<SpinShop<P>>) -> Result<Reply, Problem>,
) {
    let request = http::receive(request);
    let places = request.places_order();
    let variables = run(Variables::read(async |name| variables::get(name)));
    let open = async |config: &Config| Ok(open(config)?.with_provider(provider(config, places)));
    let answer = run(api::respond(request, &Wasi2Environment, &variables, open, handle));
    if let Some(line) = answer.line {
        eprintln!("{line}");
    }
    http::send(response, answer.reply, answer.rest, api::SEND_TIMEOUT);
}

/// Runs a future to its end. An instance has one request, so each of its waits blocks the instance and the first poll
/// is the last.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn open(config: &Config) -> Result<SpinShop<NoProvider>, Problem> {
    let database = SpinSqlite::open(DATABASE).map_err(|error| Problem::from(Error::from(error)))?;
    let store = SqliteStore::new(Rc::new(database), Wasi2Environment);
    let instance = Rc::new(InstanceState::single_request());
    Ok(Shop::new(store, Wasi2Environment, config.settings.clone(), instance))
}

/// Time and randomness from the host.
#[derive(Debug, Clone, Copy)]
pub struct Wasi2Environment;

impl Environment for Wasi2Environment {
    fn now(&self) -> Timestamp {
        let now = wall_clock::now();
        let millis = u64::from(now.nanoseconds).checked_div(1_000_000).unwrap_or(0);
        now.seconds.saturating_mul(1000).saturating_add(millis).into()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&self, bytes: &mut [u8]) {
        let random = get_random_bytes(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        bytes.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
    }

    async fn sleep(&self, duration: Duration) {
        monotonic_clock::subscribe_duration(nanoseconds(duration)).block();
    }

    /// Polls. An instance has no other request to wait for, so the condition holds at once.
    async fn wait_until(&self, ready: impl Fn() -> bool) {
        while !ready() {
            self.sleep(POLL_INTERVAL).await;
        }
    }

    /// Does not wait, since no other request comes to this instance.
    async fn linger(&self, _: Duration) {}
}

/// A duration as WASI takes it.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
