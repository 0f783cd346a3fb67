//! Probing the store: whether it is there, and really is atomic.
//!
//! A probe writes several times, and every client may ask for one. So the requests of a second share one: those of an
//! instance wait for it together, and those of other instances find in a record when it was and whether it passed. That
//! costs one read, which shows that the store still answers.

use std::time::Duration;

use plain_json::Json;
use serde::Serialize;

use crate::engine::batch::Batch;
use crate::engine::codec::{decode, encode};
use crate::engine::instance::ProbeRequest;
use crate::engine::retry::Retry;
use crate::engine::shop::Shop;
use crate::environment::Environment;
use crate::error::Error;
use crate::model::fields::{Fields, FromJson, flag, number};
use crate::model::time::Timestamp;
use crate::provider::Provider;
use crate::store::{Entry, Key, Store, StoreError, Swap};

/// For how long others are told the result of a probe.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The last probe of the store by any instance.
#[derive(Debug, Serialize)]
struct LastProbe {
    /// When it passed, or else when it began.
    at: Timestamp,
    /// Whether it passed. If not, it runs, or failed, or was cut off.
    passed: bool,
    /// Whether it passed as far as that goes in a store that has no room for a scratch record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
}

impl FromJson for LastProbe {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let last = Self {
            at: fields.required("at", number)?,
            passed: fields.required("passed", flag)?,
            full: fields.usual("full", flag)?,
        };
        fields.end(last)
    }
}

impl LastProbe {
    /// How long ago that was, if it counts. The clocks of servers differ: what seems to lie ahead by more than a probe
    /// counts is no more believed than what is too old. So where they differ, a result counts for two seconds at most.
    fn age(&self, now: Timestamp) -> Option<Duration> {
        let (now, at) = (u64::from(now), u64::from(self.at));
        (Duration::from_millis(now.abs_diff(at)) < SHARED_FOR).then(|| Duration::from_millis(now.saturating_sub(at)))
    }
}

impl<S: Store, E: Environment, P: Provider> Shop<S, E, P> {
    /// Tries on scratch records whether the store is there and really is atomic, or tells what another request has
    /// found within the last second.
    ///
    /// # Errors
    /// [`StoreError::Full`] if only what is there can be changed; another if it is not.
    pub async fn probe(&self) -> Result<(), Error> {
        let (probing, limits) = (&self.instance.probing, self.settings.limits);
        let work = async |all: Vec<ProbeRequest>, _: Batch| {
            let outcome = self.probe_in_instance().await;
            all.iter().map(|_| outcome.clone()).collect()
        };
        loop {
            match probing.submit(&self.environment, limits, (ProbeRequest, self.arrived), work).await {
                // The request that probed for this one was stopped.
                Err(Error::Abandoned) => {}
                outcome => return outcome?,
            }
        }
    }

    /// What this instance has found within the last second, or else what is so now.
    async fn probe_in_instance(&self) -> Result<(), Error> {
        let last = self.instance.probed.borrow().clone();
        let is_recent = |(at, _): &(Duration, _)| self.environment.monotonic().saturating_sub(*at) < SHARED_FOR;
        if let Some((_, outcome)) = last.filter(is_recent) {
            return outcome;
        }
        let found = self.probe_unless_another_has().await;
        let age = *found.as_ref().unwrap_or(&Duration::ZERO);
        let (at, outcome) = (self.environment.monotonic().saturating_sub(age), found.map(drop));
        self.instance.probed.replace(Some((at, outcome.clone())));
        outcome
    }

    /// Probes the store, unless another instance has within the last second. Answers how long ago that was.
    async fn probe_unless_another_has(&self) -> Result<Duration, Error> {
        let mut attempts = self.attempts();
        let claimed = loop {
            let read = match self.read_one(Key::LastProbe).await {
                Ok(read) => read.and_then(|entry| decode::<LastProbe>(entry).ok()),
                // It does not answer.
                Err(error @ Error::Store(_)) => return Err(error),
                Err(_) => None,
            };
            // None was made yet, or it is not known what this is: then it stays as it is.
            let Some(last) = read else { break None };
            let now = self.environment.now();
            match last.record.age(now) {
                Some(_) if last.record.full => return Err(no_room()),
                Some(age) if last.record.passed => return Ok(age),
                // Another instance is at it.
                Some(_) => {}
                None => {
                    let value = encode(&LastProbe { at: now, passed: false, full: false })?;
                    match self.store.swap(&last.entry, value.clone()).await {
                        Ok(Swap::Swapped) => break Some(Entry::new(last.entry.physical_key, value)),
                        Ok(Swap::Conflict) => {}
                        // What is wrong with the store, the probe tells.
                        Err(_) => break None,
                    }
                }
            }
            // The other one takes long, or was cut off.
            if attempts.again(Retry::Stale).await.is_err() {
                break None;
            }
        };
        let full = match self.store.probe().await {
            Ok(()) => false,
            Err(StoreError::Full(_)) => true,
            Err(error) => return Err(error.into()),
        };
        let value = encode(&LastProbe { at: self.environment.now(), passed: !full, full })?;
        // Without it the next request probes.
        let _ = match claimed {
            Some(entry) => self.store.swap(&entry, value).await.map(drop),
            None => self.store.put(vec![(Key::LastProbe, value)]).await.map(drop),
        };
        if full { Err(no_room()) } else { Ok(Duration::ZERO) }
    }
}

/// The outcome of a probe that found no room.
fn no_room() -> Error {
    StoreError::Full("there is no room for a scratch record".to_owned()).into()
}
