//! The shop of a component: its store, its variables, and the state that the requests of an instance share.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Config, Problem, Reply, RequestContext, Variables};
use domain::{Environment, InstanceState, NoProvider, Provider, Shop};
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

/// The shop of a component, which asks the payment provider `P` or none.
pub type SpinShop<P> = Shop<store::Store, SpinEnvironment, P>;

/// For a component that never asks a payment provider; see [`component!`].
#[doc(hidden)]
pub fn no_provider(_: &Config) -> Option<NoProvider> {
    None
}

/// Answers a request; see [`component!`].
#[doc(hidden)]
pub async fn serve<P: Provider>(
    request: Request,
    provider: impl FnOnce(&Config) -> Option<P>,
    handle: impl AsyncFnOnce(&RequestContext<'_>, &Rc<SpinShop<P>>) -> Result<Reply, Problem>,
) -> Result<Response, ErrorCode> {
    if INSTANCE.with(|instance| instance.should_shed_load()) {
        refuse_new_requests();
    }
    let since = SpinEnvironment.monotonic();
    let request = http::receive(request).await?;
    let variables = variables().await;
    let open = async |config: &Config| Ok(open(config).await?.with_provider(provider(config)).waiting_since(since));
    let response = api::respond(request, &SpinEnvironment, &variables, open, handle).await;
    http::log(response.line);
    http::send(response.reply, response.rest, api::SEND_TIMEOUT).await
}

async fn open(config: &Config) -> Result<SpinShop<NoProvider>, Problem> {
    let store = store::open().await?;
    Ok(Shop::new(store, SpinEnvironment, config.settings.clone(), INSTANCE.with(Rc::clone)))
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

/// The variables, read once for each instance, which serves at most 128 requests; again while one makes no sense.
async fn variables() -> Rc<Variables> {
    thread_local! {
        static VARIABLES: OnceCell<Rc<Variables>> = const { OnceCell::new() };
    }
    if let Some(variables) = VARIABLES.with(|variables| variables.get().cloned()) {
        return variables;
    }
    let read = Rc::new(Variables::read(async |name| variables::get(name).await).await);
    if read.are_sound() { VARIABLES.with(|variables| variables.get_or_init(|| read).clone()) } else { read }
}

/// A variable of the store.
#[cfg(feature = "redis")]
pub(crate) async fn variable(name: &str) -> Result<String, Problem> {
    let value = variables::get(name).await.map_err(|error| Problem::misconfigured(&error))?;
    Ok(api::trimmed(&value).to_owned())
}
