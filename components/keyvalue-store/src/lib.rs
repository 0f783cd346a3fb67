//! The domain's store on `wasi:keyvalue@0.2.0-draft2`, and everything that is known about how that really behaves.
//!
//! What was found in Spin 4.1 (its default store, a SQLite file):
//!
//! - A swap after `current` returned a value is atomic. After it returned none, the swap is a blind write and two
//!   creators both win. So an absent key is never swapped; records come into being through a claim cell (below).
//! - `increment` is atomic, and stores 8 bytes. On a value of another length the host panics with its store locked, and
//!   all key-value calls of all components fail until it is restarted. So the keys that it sees hold nothing else.
//! - `get-many` leaves out absent keys and keeps no order. `set-many` is one transaction.
//! - On Redis every swap reports failure, also those that were made, and `get-many` makes the host panic. So a store is
//!   tried before anything is created in it, and many keys are read in one call only where something was: see
//!   [`KeyValue::trust`].
//!
//! **The claim cell** of the key `k` is the key `k~`: 8 bytes, zero until claimed. To create `k`, its value is written
//! under a name that nobody else has, `k~` and a random token; then the cell is swapped from zero to that token. The
//! token in the cell names the record. Whoever loses removes its own. There is no moment at which a crash would leave
//! the key neither absent nor there.

mod bindings;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Creation, Entry, Key, Store, StoreError, Swap};

use bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue::batch;
use bindings::wasi::keyvalue::store::{self, Bucket, Error};

/// The attempts at claiming one cell. Each lost one means that somebody else's swap came first, which can happen once,
/// or that an answer was lost.
const CLAIM_ATTEMPTS: usize = 8;

/// Whether this instance has seen that its store is what it says. There is one store, and it does not change.
static TRUSTED: AtomicBool = AtomicBool::new(false);

/// A key-value store that the component was granted.
#[derive(Debug)]
pub struct KeyValue {
    bucket: Bucket,
    random: fn(&mut [u8]),
}

impl KeyValue {
    /// Opens the store with this label. `random` fills bytes with randomness: names that nobody else has are made of it.
    pub fn open(label: &str, random: fn(&mut [u8])) -> Result<Self, StoreError> {
        let bucket = store::open(label).map_err(unavailable)?;
        Ok(Self { bucket, random })
    }

    fn get_many(&self, keys: &[String]) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let found = match keys {
            [] => Vec::new(),
            [key] => vec![(key.clone(), self.get_one(key)?)],
            keys => {
                self.trust()?;
                batch::get_many(&self.bucket, keys).map_err(unavailable)?
            }
        };
        Ok(found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    fn get_one(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.bucket.get(key).map_err(unavailable)
    }

    fn set_many(&self, records: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        batch::set_many(&self.bucket, records).map_err(unavailable)
    }

    fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        batch::delete_many(&self.bucket, keys).map_err(unavailable)
    }

    /// A handle for a swap, and the value that it would replace.
    fn current(&self, key: &str) -> Result<(Cas, Option<Vec<u8>>), StoreError> {
        let cas = Cas::new(&self.bucket, key).map_err(unavailable)?;
        let value = cas.current().map_err(unavailable)?;
        Ok((cas, value))
    }

    fn token(&self) -> Token {
        let mut bytes = [0; 8];
        (self.random)(&mut bytes);
        // Zero is the one value that a token must not have: it says that a cell is not claimed.
        Token(u64::from_le_bytes(bytes).max(1))
    }

    /// The winner's token in a cell; none while it is not claimed.
    fn claim(&self, cell: &str) -> Result<Option<Token>, StoreError> {
        let token = self.get_one(cell)?.map_or(Ok(None), |value| Token::read(cell, &value))?;
        if token.is_some() {
            // Whoever claimed it had tried the store before.
            TRUSTED.store(true, Ordering::Relaxed);
        }
        Ok(token)
    }

    /// Passes if the store is known to be what it says, or else is tried and found to be. Costs one read in the life of
    /// an instance, and a trial where nothing was ever created.
    fn trust(&self) -> Result<(), StoreError> {
        if !TRUSTED.load(Ordering::Relaxed) && self.claim(&cell(&Key::Catalog))?.is_none() {
            self.try_all()?;
            TRUSTED.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tries on scratch keys what the protocol rests on.
    fn try_all(&self) -> Result<(), StoreError> {
        let name = format!("probe:{}", self.token());
        let cell = format!("{name}~");
        let outcome = self.try_swaps(&name).and_then(|()| self.try_increment(&cell));
        let removed = self.delete_many(&[name, cell]);
        outcome.and(removed)
    }

    /// Whether this store really compares before it swaps, tried where nobody else can come in between.
    fn try_swaps(&self, key: &str) -> Result<(), StoreError> {
        let unsuitable = |what: &str| Err(StoreError::Unsuitable(what.to_owned()));
        let holds = |value: &[u8]| Ok::<_, StoreError>(self.get_one(key)?.as_deref() == Some(value));

        self.set_many(&[(key.to_owned(), b"first".to_vec())])?;
        if !holds(b"first")? {
            return unsuitable("it does not return what was written");
        }
        let (cas, _) = self.current(key)?;
        let (stale, _) = self.current(key)?;
        match atomics::swap(cas, b"second") {
            Ok(()) if holds(b"second")? => {}
            Ok(()) => return unsuitable("its swap reports success and does not swap"),
            Err(CasError::CasFailed(_)) if holds(b"second")? => {
                return unsuitable("its swap reports failure although it swaps");
            }
            Err(CasError::CasFailed(_)) => return unsuitable("its swap fails without a reason"),
            Err(CasError::StoreError(error)) => return Err(unavailable(error)),
        }
        match atomics::swap(stale, b"third") {
            Err(CasError::CasFailed(_)) if holds(b"second")? => Ok(()),
            Err(CasError::StoreError(error)) => Err(unavailable(error)),
            Ok(()) | Err(CasError::CasFailed(_)) => unsuitable("its swap replaces what it has not seen"),
        }
    }

    /// Whether `increment` makes the cells that claims need.
    fn try_increment(&self, key: &str) -> Result<(), StoreError> {
        let mut zero = true;
        for _ in 0..2 {
            zero &= atomics::increment(&self.bucket, key, 0).map_err(unavailable)? == 0;
        }
        if zero && self.get_one(key)?.as_deref() == Some(Token::NONE.as_slice()) {
            Ok(())
        } else {
            Err(StoreError::Unsuitable("its increment does not make cells of 8 bytes".to_owned()))
        }
    }
}

impl Store for KeyValue {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        let names: Vec<_> = keys.iter().map(|key| if key.is_created() { cell(key) } else { key.to_string() }).collect();
        let mut found = self.get_many(&names)?;

        let mut locations = names;
        let mut claimed = Vec::new();
        for (key, location) in keys.iter().zip(&mut locations).filter(|(key, _)| key.is_created()) {
            let Some(value) = found.remove(location) else { continue };
            if let Some(token) = Token::read(location, &value)? {
                TRUSTED.store(true, Ordering::Relaxed);
                *location = token.location(key);
                claimed.push(location.clone());
            }
        }
        found.append(&mut self.get_many(&claimed)?);
        if let Some(lost) = claimed.iter().find(|location| !found.contains_key(*location)) {
            return Err(StoreError::Unsuitable(format!("it has lost {lost}")));
        }
        let entry = |location: String| found.remove(&location).map(|value| Entry { location, value });
        Ok(locations.into_iter().map(entry).collect())
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        let records: Vec<_> = records.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        self.set_many(&records)?;
        Ok(records.into_iter().map(|(location, value)| Entry { location, value }).collect())
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        let names: Vec<_> = keys.iter().map(Key::to_string).collect();
        self.delete_many(&names)
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<(), StoreError> {
        self.insert(records).await.map(drop)
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let cell = cell(key);
        if self.claim(&cell)?.is_some() {
            return Ok(Creation::Exists);
        }
        self.trust()?;
        let token = self.token();
        let location = token.location(key);
        self.set_many(&[(location.clone(), value)])?;
        for _ in 0..CLAIM_ATTEMPTS {
            // Makes a cell of zero where there is none, and leaves alone one that is there.
            atomics::increment(&self.bucket, &cell, 0).map_err(unavailable)?;
            let entry = Entry { location: cell.clone(), value: Token::NONE.to_vec() };
            let swap = self.swap(&entry, token.0.to_le_bytes().to_vec()).await;
            if let Err(error @ StoreError::Unsuitable(_)) = swap {
                return Err(error);
            }
            // Another failure may be a lost answer: the cell says who has it.
            match self.claim(&cell)? {
                Some(winner) if winner == token => return Ok(Creation::Created),
                Some(_) => {
                    self.delete_many(&[location])?;
                    return Ok(Creation::Exists);
                }
                None => {
                    let _ = swap?;
                }
            }
        }
        Err(StoreError::Unavailable(format!("{cell} could not be claimed")))
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let (cas, current) = self.current(&read.location)?;
        if current.as_ref() != Some(&read.value) {
            return Ok(Swap::Conflict);
        }
        match atomics::swap(cas, &value) {
            Ok(()) => Ok(Swap::Swapped),
            Err(CasError::CasFailed(fresh)) => {
                // Lost to another, and yet the record is what was to be written? Either the other wrote just the same
                // (two executors of one order do), or this store swaps and denies it. A trial tells.
                if fresh.current().map_err(unavailable)? == Some(value) {
                    self.try_all()?;
                }
                Ok(Swap::Conflict)
            }
            Err(CasError::StoreError(error)) => Err(unavailable(error)),
        }
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.try_all()
    }
}

/// The name under which the cell of a key is kept. No item has a `~` in its name.
fn cell(key: &Key) -> String {
    format!("{key}~")
}

/// What a claim is made with. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token(u64);

impl Token {
    /// What a cell holds that is not claimed.
    const NONE: [u8; 8] = [0; 8];

    fn read(cell: &str, value: &[u8]) -> Result<Option<Self>, StoreError> {
        match <[u8; 8]>::try_from(value) {
            Ok(Self::NONE) => Ok(None),
            Ok(bytes) => Ok(Some(Self(u64::from_le_bytes(bytes)))),
            Err(_) => Err(StoreError::Unsuitable(format!("{cell} is not a cell of 8 bytes"))),
        }
    }

    /// The name under which the claimant keeps the record.
    fn location(self, key: &Key) -> String {
        format!("{key}~{self}")
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(match error {
        Error::NoSuchStore => "there is no such store".to_owned(),
        Error::AccessDenied => "the component was not granted this store".to_owned(),
        Error::Other(message) => message,
    })
}
