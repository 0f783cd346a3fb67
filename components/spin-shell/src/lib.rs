//! Everything that knows the Spin SDK: requests, responses, variables, time and chance under WASI 0.3.

mod http;
#[cfg(feature = "key-value")]
mod keyvalue;
#[cfg(feature = "redis")]
mod redis;

use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::{Call, Config, Problem, Reply};
use domain::{Company, Environment, Shop, Timestamp};
#[cfg(feature = "key-value")]
use keyvalue as store;
#[cfg(feature = "redis")]
use redis as store;
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use spin_sdk::wasip3::random::random::get_random_bytes;
use spin_sdk::wit_bindgen;

#[doc(hidden)]
pub use spin_sdk::wasip3;

/// How often a request looks whether another has done its work.
const LOOK_EVERY: Duration = Duration::from_micros(500);

thread_local! {
    static COMPANY: Rc<Company> = Rc::default();
}

/// The shop as a component has it.
pub type SpinShop = Shop<store::Store, Wasi>;

/// Makes a component of a handler, one of [`api::orders::handle`], [`api::inventory::handle`] and
/// [`api::payments::handle`]: what the SDK's `http_service` does, without its conversions.
#[macro_export]
macro_rules! component {
    ($handle:path) => {
        struct Component;

        $crate::wasip3::http::service::export!(Component);

        impl $crate::wasip3::exports::http::handler::Guest for Component {
            async fn handle(
                request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $crate::serve(request, $handle).await
            }
        }
    };
}

/// Answers a request; see [`component!`].
#[doc(hidden)]
pub async fn serve(
    request: Request,
    handle: impl AsyncFnOnce(&Call<'_>, &SpinShop) -> Result<Reply, Problem>,
) -> Result<Response, ErrorCode> {
    if COMPANY.with(|company| company.is_apart()) {
        take_no_more();
    }
    let request = http::receive(request).await?;
    let response = api::respond(request, &Wasi, open, handle).await;
    if let Some(line) = response.log {
        eprintln!("{line}");
    }
    http::send(response.reply).await
}

async fn open() -> Result<(Config, SpinShop), Problem> {
    let config = config().await?;
    let store = store::open().await?;
    Ok((config.clone(), Shop::new(store, Wasi, config.settings.clone(), COMPANY.with(Rc::clone))))
}

/// Tells the host, by the component model's backpressure, to give this instance no more requests. It ends with the last of
/// those that it has, and the host's other instances take its turn.
///
/// To be called before a request first waits. A host gives an instance its next request only while all of its requests
/// wait, so there is none then that the host has handed over and that has not begun: it would never begin.
fn take_no_more() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        wit_bindgen::backpressure_inc();
    }
}

/// The variables, read once an instance: it lives for at most 128 requests.
async fn config() -> Result<&'static Config, Problem> {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config);
    }
    let operator_token = variable("operator_token").await?;
    let payment_window_seconds = variable("payment_window_seconds").await?;
    let currency = variable("currency").await?;
    let config = Config::new(operator_token, &payment_window_seconds, currency);
    let config = config.map_err(|error| Problem::misconfigured(&error))?;
    Ok(CONFIG.get_or_init(|| config))
}

async fn variable(name: &str) -> Result<String, Problem> {
    variables::get(name).await.map_err(|error| Problem::misconfigured(&error))
}

/// Time and chance as the host gives them.
#[derive(Debug, Clone, Copy)]
pub struct Wasi;

impl Environment for Wasi {
    fn now(&self) -> Timestamp {
        let now = system_clock::now();
        let seconds = u64::try_from(now.seconds).unwrap_or(0);
        let millis = u64::from(now.nanoseconds).checked_div(1_000_000).unwrap_or(0);
        seconds.saturating_mul(1000).saturating_add(millis).into()
    }

    fn clock(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut rest = bytes;
        // The host may give fewer bytes than asked for.
        while !rest.is_empty() {
            let random = get_random_bytes(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let count = random.len().min(rest.len());
            let (filled, unfilled) = rest.split_at_mut(count);
            filled.copy_from_slice(random.get(..count).unwrap_or_default());
            rest = unfilled;
        }
    }

    async fn pause(&self, duration: Duration) {
        monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
    }

    /// Looks now and then. To be woken by another request takes a feature of the bindings that current runtimes trap on;
    /// and nobody misses much, since an instance stands still while it calls the store.
    async fn until(&self, ready: impl Fn() -> bool) {
        while !ready() {
            self.pause(LOOK_EVERY).await;
        }
    }

    async fn company(&self, patience: Duration) {
        if !patience.is_zero() {
            self.pause(patience).await;
        }
    }
}
