//! A payment provider beside a shop: a stand-in for Stripe, in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use stripe_stand_in::{Options, Retries, SECRET_KEY, StandIn, WEBHOOK_SECRET};

use crate::server::Settings;
use crate::{Error, Server, Store};

/// Where a shop takes webhooks.
pub const EVENTS: &str = "/payments/stripe/events";

/// Webhooks that are not taken come again while a test waits.
const SOON: Retries =
    Retries { first: Duration::from_millis(20), longest: Duration::from_millis(200), stop: Duration::from_secs(60) };

/// The variables of a shop that is paid at the stand-in at this address.
pub fn variables(api: &str) -> [(&'static str, String); 4] {
    [
        ("stripe_secret_key", SECRET_KEY.to_owned()),
        ("stripe_webhook_secret", WEBHOOK_SECRET.to_owned()),
        ("stripe_api", api.to_owned()),
        ("return_url", "http://127.0.0.1:3000/".to_owned()),
    ]
}

/// Starts a stand-in whose webhooks wait until a shop is there.
///
/// # Errors
/// If it does not start.
pub fn start() -> Result<StandIn, Error> {
    let options = Options { retries: SOON, ..Options::default() };
    StandIn::start(options).map_err(|error| Error::NotStarted(error.to_string()))
}

impl Server {
    /// As [`Server::start`], for a shop that is paid at this provider. Webhooks go to the server that was started last.
    ///
    /// # Errors
    /// If the server does not start.
    pub fn start_paid_at(provider: &StandIn, store: &Store, settings: Settings) -> Result<Self, Error> {
        let own = variables(&provider.url()).map(|(name, value)| (name.to_owned(), value));
        let mut variables = BTreeMap::from(own);
        variables.extend(settings.variables);
        let server = Self::start(store, Settings { variables, ..settings })?;
        let url = format!("{}{EVENTS}", server.client.url());
        provider.set_webhook_url(Some(&url)).map_err(|error| Error::NotStarted(error.to_string()))?;
        Ok(server)
    }
}
