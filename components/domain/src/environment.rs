//! Time and chance, passed in: the domain asks for both and has neither.

use std::time::Duration;

use crate::model::time::Timestamp;

/// What the domain needs from the world besides its store.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Environment {
    /// The time of day. It may jump and differ between machines: it decides when an unpaid order is due to expire,
    /// never what is in stock.
    fn now(&self) -> Timestamp;

    /// The monotonic clock: the time since a fixed moment of this instance.
    fn monotonic(&self) -> Duration;

    /// Fills `bytes` with randomness that cannot be guessed.
    fn random(&self, bytes: &mut [u8]);

    /// Waits; other requests run meanwhile.
    async fn sleep(&self, duration: Duration);

    /// Waits until another request of this instance has made `ready` come true.
    async fn wait_until(&self, ready: impl Fn() -> bool);

    /// Waits for this long, so that other requests of this instance can join a batch.
    async fn linger(&self, duration: Duration);

    /// Sixteen random bytes: what an id is made of.
    fn random_id(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random(&mut bytes);
        bytes
    }

    /// A unique name: [`Self::random_id`] in hexadecimal.
    fn random_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.random_id()))
    }
}
