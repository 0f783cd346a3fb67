//! All that depends on WASI 0.3 and the Spin SDK: requests, responses, variables, time and randomness.

mod http;
#[cfg(feature = "key-value")]
mod keyvalue;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "key-value", feature = "redis"))]
mod shop;
#[cfg(feature = "provider")]
mod transport;

use std::time::Duration;

use api::File;
use domain::{Environment, Timestamp};
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use spin_sdk::wasip3::random::random::get_random_bytes;

#[cfg(any(feature = "key-value", feature = "redis"))]
pub use shop::{SpinShop, no_provider, serve};
#[doc(hidden)]
pub use spin_sdk::wasip3;
#[cfg(feature = "provider")]
pub use transport::{SpinTransport, stripe};

/// How often a request checks whether another one has done its part.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Makes a component of a handler that never asks a payment provider: [`api::inventory::handle`] and [`api::reports::handle`].
#[macro_export]
macro_rules! component {
    ($handle:path) => {
        $crate::answer!(request => $crate::serve(request, $crate::no_provider, $handle));
    };
}

/// Makes a component of a handler that asks the payment provider, if the shop has one: [`api::orders::handle`],
/// [`api::payments::handle`], [`api::after_sale::handle`] and [`api::sweep::handle`].
#[cfg(feature = "provider")]
#[macro_export]
macro_rules! component_with_provider {
    ($handle:path) => {
        $crate::answer!(request => $crate::serve(request, $crate::stripe, $handle));
    };
}

/// Makes a component of files.
#[macro_export]
macro_rules! files {
    ($files:path) => {
        $crate::answer!(request => $crate::serve_files(request, $files));
    };
}

/// Exports the handler as the SDK's `http_service` does, but without its conversions.
#[doc(hidden)]
#[macro_export]
macro_rules! answer {
    ($request:ident => $answer:expr) => {
        struct Component;

        $crate::wasip3::http::service::export!(Component);

        impl $crate::wasip3::exports::http::handler::Guest for Component {
            async fn handle(
                $request: $crate::wasip3::http::types::Request,
            ) -> Result<$crate::wasip3::http::types::Response, $crate::wasip3::http::types::ErrorCode> {
                $answer.await
            }
        }
    };
}

/// Answers a request for a file; see [`files!`].
#[doc(hidden)]
pub async fn serve_files(request: Request, files: &[File]) -> Result<Response, ErrorCode> {
    let request = http::receive(request).await?;
    let response = api::respond_with_files(request, &SpinEnvironment, files);
    http::send(response.reply, response.rest, api::SEND_TIMEOUT).await
}

/// Time and randomness from the host.
#[derive(Debug, Clone, Copy)]
pub struct SpinEnvironment;

impl Environment for SpinEnvironment {
    fn now(&self) -> Timestamp {
        let now = system_clock::now();
        let seconds = u64::try_from(now.seconds).unwrap_or(0);
        let millis = u64::from(now.nanoseconds).checked_div(1_000_000).unwrap_or(0);
        seconds.saturating_mul(1000).saturating_add(millis).into()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut rest = bytes;
        // The host may return fewer bytes than requested.
        while !rest.is_empty() {
            let random = get_random_bytes(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            let count = random.len().min(rest.len());
            let (filled, unfilled) = rest.split_at_mut(count);
            filled.copy_from_slice(random.get(..count).unwrap_or_default());
            rest = unfilled;
        }
    }

    async fn sleep(&self, duration: Duration) {
        monotonic_clock::wait_for(nanoseconds(duration)).await;
    }

    /// Polls. A request could wake another one only with a feature of the bindings that current runtimes trap on.
    /// Polling costs little time, since an instance cannot run other requests while it calls the store.
    async fn wait_until(&self, ready: impl Fn() -> bool) {
        while !ready() {
            self.sleep(POLL_INTERVAL).await;
        }
    }

    async fn linger(&self, patience: Duration) {
        if !patience.is_zero() {
            self.sleep(patience).await;
        }
    }
}

/// A duration as WASI takes it.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
