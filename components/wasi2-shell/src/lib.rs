//! Everything that knows WASI 0.2: requests, responses, variables, time and chance, for platforms that have no WASI 0.3.
//! There an instance serves one request and ends, and the store is a SQLite database.

mod http;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use api::{Call, Config, File, Log, Problem, Reply};
use domain::{Environment, Error, InstanceState, Shop, Timestamp};
use spin_executor::{CancelOnDropToken, push_waker_and_get_token};
use spin_sdk::variables;
use sqlite_store::Sqlite;
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::random::random::get_random_bytes;

#[doc(hidden)]
pub use spin_sdk::http::{IncomingRequest, ResponseOutparam};

/// The database that all components share.
const DATABASE: &str = "default";

/// How often a request looks whether another has done its work.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The shop as a component has it.
pub type SpinShop = Shop<Sqlite<Rc<sqlite_store::Wasi>, Wasi>, Wasi>;

/// Makes a component of a handler, one of [`api::orders::handle`], [`api::inventory::handle`], [`api::payments::handle`]
/// and [`api::reports::handle`]. The crate needs spin-sdk 5.2.
#[macro_export]
macro_rules! component {
    ($handle:path) => {
        #[spin_sdk::http_component]
        async fn serve(request: $crate::IncomingRequest, response: $crate::ResponseOutparam) {
            $crate::serve(request, response, $handle).await;
        }
    };
}

/// Makes a component of files. The crate needs spin-sdk 5.2.
#[macro_export]
macro_rules! files {
    ($files:path) => {
        #[spin_sdk::http_component]
        async fn serve(request: $crate::IncomingRequest, response: $crate::ResponseOutparam) {
            $crate::serve_files(request, response, $files).await;
        }
    };
}

/// Answers a request for a file; see [`files!`].
#[doc(hidden)]
pub async fn serve_files(request: IncomingRequest, response: ResponseOutparam, files: &[File]) {
    let request = http::receive(request).await;
    http::send(response, api::respond_with_files(&request, &Wasi, files)).await;
}

/// Answers a request; see [`component!`].
#[doc(hidden)]
pub async fn serve(
    request: IncomingRequest,
    response: ResponseOutparam,
    handle: impl AsyncFnOnce(&Call<'_>, &SpinShop) -> Result<Reply, Problem>,
) {
    let request = http::receive(request).await;
    let log = Log::of(variables::get("log").ok().as_deref());
    let answer = api::respond(request, &Wasi, log, async || open(), handle).await;
    if let Some(line) = answer.line {
        eprintln!("{line}");
    }
    http::send(response, answer.reply).await;
}

fn open() -> Result<(Config, SpinShop), Problem> {
    let variable = |name| variables::get(name).map_err(|error| Problem::misconfigured(&error));
    let config = Config::new(variable("operator_token")?, &variable("payment_window_seconds")?, variable("currency")?);
    let config = config.map_err(|error| Problem::misconfigured(&error))?;
    let database = sqlite_store::Wasi::open(DATABASE).map_err(|error| Problem::from(Error::from(error)))?;
    let store = Sqlite::new(Rc::new(database), Wasi);
    Ok((config.clone(), Shop::new(store, Wasi, config.settings, Rc::new(InstanceState::single_request()))))
}

/// Time and chance as the host gives them.
#[derive(Debug, Clone, Copy)]
pub struct Wasi;

impl Environment for Wasi {
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
        let end = monotonic_clock::now().saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        let mut waiting = None;
        poll_fn(|context| {
            if monotonic_clock::now() >= end {
                return Poll::Ready(());
            }
            let moment = monotonic_clock::subscribe_instant(end);
            waiting = Some(CancelOnDropToken::from(push_waker_and_get_token(moment, context.waker().clone())));
            Poll::Pending
        })
        .await;
        drop(waiting);
    }

    /// Looks now and then. There is no other request in this instance, so that nobody waits for one.
    async fn wait_until(&self, ready: impl Fn() -> bool) {
        while !ready() {
            self.sleep(LOOK_EVERY).await;
        }
    }

    /// Nobody comes.
    async fn linger(&self, _: Duration) {}
}
