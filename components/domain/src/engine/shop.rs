//! The shop: a store, an environment, settings, and what its instance shares.

use std::rc::Rc;
use std::time::Duration;

use crate::engine::instance::InstanceState;
use crate::engine::retry::Attempts;
use crate::engine::stats::{CountingStore, StoreStats};
use crate::environment::Environment;
use crate::error::Error;
use crate::model::amounts::{Currency, Quantity};
use crate::model::limits::Limits;
use crate::provider::{NoProvider, Provider};
use crate::store::Store;

/// What the owner of the shop decides, and the limits of its platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long an unpaid order holds its stock.
    pub payment_window: Duration,
    /// How long the records of closed orders are kept: of cancelled, expired and rejected ones. None keeps them for
    /// ever.
    pub closed_orders_kept: Option<Duration>,
    /// The currency of every price.
    pub currency: Currency,
    /// The most of an item in one order, for items that have no limit of their own. None: any quantity.
    pub max_per_order: Option<Quantity>,
    /// How large records and calls may become.
    pub limits: Limits,
}

/// Takes orders, holds stock and takes payment, on a store. The requests are its methods, in [`crate::flows`].
///
/// With a payment provider `P`, buyers pay there. Without one a payment is recorded at once, and no money moves.
#[derive(Debug)]
pub struct Shop<S, E, P = NoProvider> {
    pub(crate) store: CountingStore<S>,
    pub(crate) environment: E,
    pub(crate) provider: Option<P>,
    pub(crate) settings: Settings,
    pub(crate) instance: Rc<InstanceState>,
    /// When its request came, by the monotonic clock.
    pub(crate) arrived: Duration,
}

impl<S: Store, E: Environment> Shop<S, E> {
    /// A shop without a payment provider. It keeps nothing of its own: any number of them may share a store.
    pub fn new(store: S, environment: E, settings: Settings, instance: Rc<InstanceState>) -> Self {
        let arrived = environment.monotonic();
        Self { store: CountingStore::new(store), environment, provider: None, settings, instance, arrived }
    }

    /// Has buyers pay at this provider, where there is one.
    pub fn with_provider<P: Provider>(self, provider: impl Into<Option<P>>) -> Shop<S, E, P> {
        let Self { store, environment, provider: _, settings, instance, arrived } = self;
        Shop { store, environment, provider: provider.into(), settings, instance, arrived }
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// For one request, which came at this time of the monotonic clock: what it has waited for before now counts too.
    pub fn waiting_since(self, arrived: Duration) -> Self {
        Self { arrived, ..self }
    }

    /// What it has asked of the store so far.
    pub fn stats(&self) -> StoreStats {
        self.store.stats()
    }

    /// The currency of every price.
    pub fn currency(&self) -> &Currency {
        &self.settings.currency
    }

    /// Makes sure that what a client is about to be told is not undone when the store fails over, nor what it rests on.
    /// To be called before an answer is given that has to stay true.
    ///
    /// # Errors
    /// If that cannot be made sure.
    pub async fn confirm(&self) -> Result<(), Error> {
        // Rule: answers-are-confirmed.
        Ok(self.store.confirm().await?)
    }

    /// A number for one look at the holds of an item: where it begins, so that each look is at others.
    pub(crate) fn turn(&self) -> u64 {
        let mut random = [0; 8];
        self.environment.random(&mut random);
        u64::from_le_bytes(random)
    }

    /// Starts to count the attempts of a request.
    pub(crate) fn attempts(&self) -> Attempts<'_, E> {
        Attempts::new(&self.environment)
    }

    /// Starts to count the attempts of a batch.
    pub(crate) fn attempts_in_batch(&self) -> Attempts<'_, E> {
        Attempts::in_batch(&self.environment)
    }
}
