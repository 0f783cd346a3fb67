//! The shop of a component: its store, its variables, and the state that the requests of an instance share.

use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Config, Log, Problem, Reply, RequestContext};
use domain::{InstanceState, Shop};
use spin_sdk::variables;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
use spin_sdk::wit_bindgen;

#[cfg(feature = "key-value")]
use crate::keyvalue as store;
#[cfg(feature = "redis")]
use crate::redis as store;
use crate::{SpinEnvironment, http};

thread_local! {
    static INSTANCE: Rc<InstanceState> = Rc::default();
}

/// The shop of a component.
pub type SpinShop = Shop<store::Store, SpinEnvironment>;

/// Answers a request; see [`component!`].
#[doc(hidden)]
pub async fn serve(
    request: Request,
    handle: impl AsyncFnOnce(&RequestContext<'_>, &SpinShop) -> Result<Reply, Problem>,
) -> Result<Response, ErrorCode> {
    if INSTANCE.with(|instance| instance.should_shed_load()) {
        refuse_new_requests();
    }
    let request = http::receive(request).await?;
    let response = api::respond(request, &SpinEnvironment, log().await, open, handle).await;
    if let Some(line) = response.line {
        eprintln!("{line}");
    }
    http::send(response.reply).await
}

async fn open() -> Result<(Config, SpinShop), Problem> {
    let config = config().await?;
    let store = store::open().await?;
    Ok((config.clone(), Shop::new(store, SpinEnvironment, config.settings.clone(), INSTANCE.with(Rc::clone))))
}

/// Tells the host, by the component model's backpressure, to give this instance no more requests. The instance ends
/// with the last of its current requests, and other instances take the next ones.
///
/// To be called before a request first waits. The host hands over the next request only while all requests of the
/// instance wait, so at that point no request is handed over that has not begun. Such a request would never begin.
fn refuse_new_requests() {
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if !REFUSED.swap(true, Ordering::Relaxed) {
        wit_bindgen::backpressure_inc();
    }
}

/// What is logged, read once for each instance.
async fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    match LOG.get() {
        Some(log) => *log,
        None => {
            let variable = variables::get("log").await.ok();
            *LOG.get_or_init(|| Log::of(variable.as_deref()))
        }
    }
}

/// The variables, read once for each instance, which serves at most 128 requests.
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

pub(crate) async fn variable(name: &str) -> Result<String, Problem> {
    variables::get(name).await.map_err(|error| Problem::misconfigured(&error))
}
