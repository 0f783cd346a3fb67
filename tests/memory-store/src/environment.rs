//! Time and chance that are the same in every run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use domain::{Environment, Timestamp};

/// When every test begins.
const START: u64 = 1_700_000_000_000;

/// Where chance comes from.
enum Chance {
    Seed(fastrand::Rng),
    Count(u64),
}

/// A clock that stands still until it is set, and chance without surprises. Both are shared by clones.
#[derive(Clone)]
pub struct FakeEnvironment {
    now: Rc<Cell<u64>>,
    chance: Rc<RefCell<Chance>>,
    waits_for_batch: Rc<Cell<bool>>,
    monotonic: Rc<Cell<Duration>>,
}

impl FakeEnvironment {
    /// Chance is the same for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self::with(Chance::Seed(fastrand::Rng::with_seed(seed)))
    }

    /// Ids count up, so that they are in the order in which they were made.
    pub fn counting() -> Self {
        Self::with(Chance::Count(0))
    }

    fn with(chance: Chance) -> Self {
        let chance = Rc::new(RefCell::new(chance));
        Self { now: Rc::new(Cell::new(START)), chance, waits_for_batch: Rc::default(), monotonic: Rc::default() }
    }

    /// The same time and chance for another instance of a component.
    pub fn of_another_instance(&self) -> Self {
        Self { waits_for_batch: Rc::default(), ..self.clone() }
    }

    /// The time, in milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        self.now.get()
    }

    /// Sets the clock, forward or back.
    pub fn set_millis(&self, now: u64) {
        self.now.set(now);
    }

    /// Lets this number of seconds pass.
    pub fn wait(&self, seconds: u64) {
        self.wait_millis(seconds * 1000);
    }

    /// Lets this number of milliseconds pass.
    pub fn wait_millis(&self, millis: u64) {
        self.now.set(self.now.get() + millis);
        self.pass(Duration::from_millis(millis));
    }

    /// Lets this time pass on the monotonic clock, on which nothing passes by itself.
    pub fn pass(&self, time: Duration) {
        self.monotonic.set(self.monotonic.get() + time);
    }

    /// Whether the request that leads a batch lets others join before it begins. At first it does not.
    pub fn set_waits_for_batch(&self, waits: bool) {
        self.waits_for_batch.set(waits);
    }
}

impl Environment for FakeEnvironment {
    fn now(&self) -> Timestamp {
        self.now.get().into()
    }

    fn monotonic(&self) -> Duration {
        self.monotonic.get()
    }

    fn random(&self, bytes: &mut [u8]) {
        match &mut *self.chance.borrow_mut() {
            Chance::Seed(random) => random.fill(bytes),
            Chance::Count(count) => {
                *count += 1;
                // A number picks something, and has to pick evenly. An id is longer.
                if bytes.len() == 8 {
                    return fastrand::Rng::with_seed(*count).fill(bytes);
                }
                let counted = count.to_be_bytes().into_iter().rev().chain(std::iter::repeat(7));
                bytes.iter_mut().rev().zip(counted).for_each(|(byte, value)| *byte = value);
            }
        }
    }

    /// Takes no time. Lets other requests of the instance run once, if there are any.
    async fn sleep(&self, duration: Duration) {
        self.linger(duration).await;
    }

    async fn wait_until(&self, ready: impl Fn() -> bool) {
        std::future::poll_fn(|_| if ready() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Lets other requests of the instance run once.
    async fn linger(&self, _: Duration) {
        let waited = Cell::new(!self.waits_for_batch.get());
        std::future::poll_fn(|_| if waited.replace(true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
