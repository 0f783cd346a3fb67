//! The domain's store on `wasi:keyvalue@0.2.0-draft2`, and all that is known about the real behaviour of its hosts.
//!
//! Spin 4.1 behaves as follows with its default store, a SQLite file:
//!
//! - A swap after `current` returned a value is atomic. A swap after `current` returned none is a blind write, so two
//!   creators would both win. The store therefore never swaps an absent key. It creates records through a claim cell.
//! - `increment` is atomic, and stores 8 bytes. On a value of another length the host panics while its store is locked,
//!   and all key-value calls of all components fail until a restart. So a key that is incremented holds nothing else.
//! - `get-many` leaves out absent keys and keeps no order. `set-many` is one transaction.
//! - On Redis every swap reports failure, even one that was made, and `get-many` makes the host panic. So the store
//!   tests a bucket before it creates the first record in it, and reads many keys in one call only after that: see
//!   `KeyValueStore::trust`.
//!
//! **The claim cell** of the key `k` is the key `k~`: 8 bytes, zero until claimed. To create `k`, the store writes
//! the value under a unique name, `k~` and a random token. Then it swaps the cell from zero to that token. The token in
//! the cell names the record. A creator that loses removes the record that it wrote. At each moment the key is either
//! absent or there, so a crash leaves nothing in between.

#[cfg(feature = "wasi")]
mod bindings;
mod bucket;
#[cfg(feature = "wasi")]
mod wasi;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{CasHandle, Creation, Damaged, Entry, Environment, Found, Key, Store, StoreError, Swap};

pub use bucket::Bucket;
#[cfg(feature = "wasi")]
pub use wasi::WasiKeyValue;

/// The attempts at claiming one cell. An attempt fails because another swap came first, which can happen once, or
/// because an answer was lost.
const CLAIM_ATTEMPTS: usize = 8;

/// The most claims in the cache, so that an instance stays small: 10,000 items take about a megabyte.
const MAX_CLAIMS: usize = 10_000;

/// The value of a record that was removed while another request might write it again. `wasi:keyvalue` deletes whatever
/// is there; a swap for this value replaces only what was read. It is JSON, and no record of any kind.
const REMOVED: &[u8] = b"null";

/// What a claim cell says, or what is wrong with it.
type Claim = Result<Option<Token>, Damaged>;

/// What an instance knows of a store that cannot change: that it passed the self-test, and which token each cell holds.
/// This saves a read for each item. A call also keeps what it has read itself, so it does not depend on the cache
/// having room for that.
#[derive(Debug)]
pub struct InstanceCache {
    trusted: AtomicBool,
    /// Sorted by cell.
    claims: Mutex<Vec<(String, Token)>>,
    most_claims: usize,
}

impl Default for InstanceCache {
    fn default() -> Self {
        Self::new()
    }
}

impl InstanceCache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self::of(MAX_CLAIMS)
    }

    /// A cache with room for `most_claims` claims.
    pub const fn of(most_claims: usize) -> Self {
        Self { trusted: AtomicBool::new(false), claims: Mutex::new(Vec::new()), most_claims }
    }

    fn trusts(&self) -> bool {
        self.trusted.load(Ordering::Relaxed)
    }

    fn trust(&self) {
        self.trusted.store(true, Ordering::Relaxed);
    }

    fn claim(&self, cell: &str) -> Option<Token> {
        let claims = self.claims();
        let index = claims.binary_search_by(|(known, _)| known.as_str().cmp(cell)).ok()?;
        claims.get(index).map(|(_, token)| *token)
    }

    fn remember(&self, cell: &str, claim: Token) {
        // The creator of this claim had tested the store.
        self.trust();
        let mut claims = self.claims();
        // A claim never changes, so a known one is left as it is.
        let find = |claims: &[(String, Token)]| claims.binary_search_by(|(known, _)| known.as_str().cmp(cell));
        if find(&claims).is_err() {
            if claims.len() >= self.most_claims {
                claims.clear();
            }
            if let Err(index) = find(&claims) {
                claims.insert(index, (cell.to_owned(), claim));
            }
        }
    }

    fn forget(&self, cell: &str) {
        self.claims().retain(|(known, _)| known != cell);
    }

    fn claims(&self) -> MutexGuard<'_, Vec<(String, Token)>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key-value store that the component was granted.
#[derive(Debug)]
pub struct KeyValueStore<'a, B, E> {
    bucket: B,
    environment: E,
    cache: &'a InstanceCache,
}

impl<'a, B: Bucket, E: Environment> KeyValueStore<'a, B, E> {
    /// The store in this bucket. Unique names come from the environment's randomness.
    pub fn new(bucket: B, environment: E, cache: &'a InstanceCache) -> Self {
        Self { bucket, environment, cache }
    }

    /// The pairs that are there, in no particular order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        match keys {
            [] => Ok(Vec::new()),
            [key] => Ok(vec![(key.clone(), self.bucket.get(key).await?)]),
            keys => {
                self.trust().await?;
                self.bucket.get_many(keys).await
            }
        }
    }

    /// A handle for a swap, and the value that it would replace.
    async fn current(&self, key: &str) -> Result<(B::Cas, Option<Vec<u8>>), StoreError> {
        let cas = self.bucket.cas(key).await?;
        let value = self.bucket.current(&cas).await?;
        Ok((cas, value))
    }

    /// The names under which these records are kept; none for a record that was never created.
    async fn locate(&self, keys: &[Key]) -> Result<Vec<Result<Option<String>, Damaged>>, StoreError> {
        let cells = keys.iter().filter(|key| key.is_created()).map(cell);
        // Read from the cache once: it may drop a claim while the other cells are read.
        let known: Vec<_> = cells.map(|cell| (self.cache.claim(&cell), cell)).collect();
        let unknown = known.iter().filter(|(claim, _)| claim.is_none()).map(|(_, cell)| cell.clone());
        let mut read = self.get_many(&unknown.collect::<Vec<_>>()).await?;
        let mut claims = known.into_iter().map(|(claim, cell)| match claim {
            Some(token) => Ok(Some(token)),
            None => match take(&mut read, &cell) {
                Some(value) => self.read_claim(&cell, &value),
                None => Ok(None),
            },
        });
        // Rule: claims-are-asked-once.
        let physical_key = |key: &Key| match key.is_created() {
            false => Ok(Some(key.to_string())),
            true => Ok(claims.next().unwrap_or(Ok(None))?.map(|token| token.physical_key(key))),
        };
        Ok(keys.iter().map(physical_key).collect())
    }

    /// The entry for a record, from the value under its physical key.
    fn found(&self, key: &Key, physical_key: String, value: Option<Vec<u8>>) -> Found {
        match value {
            Some(value) if value == REMOVED => Ok(None),
            Some(value) => Ok(Some(Entry::new(physical_key, value))),
            None if key.is_created() => {
                // The cached claim may be wrong, so the next request reads the cell.
                self.cache.forget(&cell(key));
                Err(Damaged { physical_key, reason: "the store has lost it".to_owned() })
            }
            None => Ok(None),
        }
    }

    fn token(&self) -> Token {
        let mut bytes = [0; 8];
        self.environment.random(&mut bytes);
        // A cell of zero is unclaimed, so no token is zero.
        Token(u64::from_le_bytes(bytes).max(1))
    }

    /// The winner's token in a cell; none while it is not claimed.
    async fn claim(&self, cell: &str) -> Result<Option<Token>, StoreError> {
        if let Some(token) = self.cache.claim(cell) {
            return Ok(Some(token));
        }
        let Some(value) = self.bucket.get(cell).await? else { return Ok(None) };
        self.read_claim(cell, &value).map_err(|damaged| StoreError::ContractViolation(damaged.to_string()))
    }

    fn read_claim(&self, cell: &str, value: &[u8]) -> Claim {
        let token = Token::read(cell, value)?;
        if let Some(token) = token {
            self.cache.remember(cell, token);
        }
        Ok(token)
    }

    /// Makes sure that the store has passed the self-test. This costs one read in the life of an instance, and the
    /// self-test where nothing was ever created.
    async fn trust(&self) -> Result<(), StoreError> {
        if !self.cache.trusts() && self.claim(&cell(&Key::Catalog)).await?.is_none() {
            self.self_test().await?;
            self.cache.trust();
        }
        Ok(())
    }

    /// Tests on scratch keys the operations that the protocol relies on.
    async fn self_test(&self) -> Result<(), StoreError> {
        let name = format!("probe:{}", self.token());
        let cell = format!("{name}~");
        let outcome = match self.test_swaps(&name).await {
            Ok(()) => self.test_increment(&cell).await,
            refused => refused,
        };
        let removed = self.bucket.delete_many(&[name, cell]).await;
        outcome.and(removed)
    }

    /// Tests that the store compares before it swaps, on a key that no other request knows.
    async fn test_swaps(&self, key: &str) -> Result<(), StoreError> {
        let unsuitable = |what: &str| Err(StoreError::ContractViolation(what.to_owned()));
        let holds = async |value: &[u8]| Ok::<_, StoreError>(self.bucket.get(key).await?.as_deref() == Some(value));

        self.bucket.set_many(&[(key.to_owned(), b"first".to_vec())]).await?;
        if !holds(b"first").await? {
            return unsuitable("it does not return what was written");
        }
        let (cas, _) = self.current(key).await?;
        let (stale, _) = self.current(key).await?;
        match (self.bucket.swap(cas, b"second").await?, holds(b"second").await?) {
            (Ok(()), true) => {}
            (Ok(()), false) => return unsuitable("its swap reports success and does not swap"),
            (Err(_), true) => return unsuitable("its swap reports failure although it swaps"),
            (Err(_), false) => return unsuitable("its swap fails without a reason"),
        }
        match self.bucket.swap(stale, b"third").await? {
            Err(_) if holds(b"second").await? => Ok(()),
            Ok(()) | Err(_) => unsuitable("its swap replaces what it has not seen"),
        }
    }

    /// Tests that `increment` makes the cells that claims need.
    async fn test_increment(&self, key: &str) -> Result<(), StoreError> {
        let mut counts = true;
        // An increment by zero has to make a cell of zero, and must not change a claimed cell, which is not zero.
        for (delta, sum) in [(0, 0), (1, 1), (0, 1), (-1, 0)] {
            counts &= self.bucket.increment(key, delta).await? == sum;
        }
        if counts && self.bucket.get(key).await?.as_deref() == Some(Token::NONE.as_slice()) {
            Ok(())
        } else {
            Err(StoreError::ContractViolation("its increment does not make cells of 8 bytes that stay".to_owned()))
        }
    }
}

impl<B: Bucket, E: Environment> Store for KeyValueStore<'_, B, E> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        let physical_keys = self.locate(keys).await?;
        // One call reads all records at one moment, so none is older than another.
        let there = physical_keys.iter().flatten().flatten().cloned();
        let mut read = self.get_many(&there.collect::<Vec<_>>()).await?;
        let found = |(key, physical_key): (&Key, Result<Option<String>, Damaged>)| match physical_key? {
            Some(physical_key) => {
                let value = take(&mut read, &physical_key);
                self.found(key, physical_key, value)
            }
            None => Ok(None),
        };
        Ok(keys.iter().zip(physical_keys).map(found).collect())
    }

    async fn get_for_update(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        // A handle reads one key. Several items are read in one call and once more when they are swapped, since most
        // refused requests are refused before that.
        let (item, others) = match keys {
            [item, others @ ..] if item.is_created() && !others.iter().any(Key::is_created) => (item, others),
            _ => return self.get(keys).await,
        };
        let found = match self.locate(std::slice::from_ref(item)).await?.into_iter().next().unwrap_or(Ok(None)) {
            Ok(Some(physical_key)) => {
                let (cas, value) = self.current(&physical_key).await?;
                let found = self.found(item, physical_key, value);
                found.map(|entry| entry.map(|entry| Entry { cas: CasHandle::new(cas), ..entry }))
            }
            Ok(None) => Ok(None),
            Err(damaged) => Err(damaged),
        };
        let mut all = vec![found];
        all.extend(self.get(others).await?);
        Ok(all)
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        let records: Vec<_> = records.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        self.bucket.set_many(&records).await?;
        Ok(records.into_iter().map(|(physical_key, value)| Entry::new(physical_key, value)).collect())
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        let names: Vec<_> = keys.iter().map(Key::to_string).collect();
        self.bucket.delete_many(&names).await
    }

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        // Rule: mappings-are-removed-unchanged.
        self.swap(read, REMOVED.to_vec()).await
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        let names: Vec<_> = records.iter().map(|(key, _)| key.to_string()).collect();
        let mut found = self.get_many(&names).await?;
        let (mut absent, mut there) = (Vec::new(), Vec::new());
        for ((key, value), name) in records.into_iter().zip(names) {
            let found = take(&mut found, &name);
            // Rule: mappings-stay.
            let stays = match found {
                None => {
                    absent.push((key.clone(), value));
                    false
                }
                Some(found) if found == REMOVED => self.swap(&Entry::new(name, found), value).await? == Swap::Conflict,
                Some(_) => true,
            };
            if stays {
                there.push(key);
            }
        }
        if !absent.is_empty() {
            self.insert(absent).await?;
        }
        Ok(there)
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let cell = cell(key);
        if self.claim(&cell).await?.is_some() {
            return Ok(Creation::Exists);
        }
        self.trust().await?;
        let token = self.token();
        let physical_key = token.physical_key(key);
        self.bucket.set_many(&[(physical_key.clone(), value)]).await?;
        for _ in 0..CLAIM_ATTEMPTS {
            // Makes a cell of zero if there is none, and does not change an existing one.
            self.bucket.increment(&cell, 0).await?;
            let entry = Entry::new(cell.clone(), Token::NONE.to_vec());
            // Rule: claims-are-swapped.
            let swap = self.swap(&entry, token.0.to_le_bytes().to_vec()).await;
            if let Err(error @ StoreError::ContractViolation(_)) = swap {
                return Err(error);
            }
            // Any other failure may be a lost answer, so the cell decides.
            // Rule: claims-are-looked-up.
            match self.claim(&cell).await? {
                Some(winner) if winner == token => return Ok(Creation::Created),
                Some(_) => {
                    self.bucket.delete_many(&[physical_key]).await?;
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
        let cas = match read.cas.take() {
            // The handle that read the entry swaps exactly what it read.
            Some(cas) => cas,
            None => {
                let (cas, current) = self.current(&read.physical_key).await?;
                if !current.is_some_and(|current| same(&current, &read.value)) {
                    return Ok(Swap::Conflict);
                }
                cas
            }
        };
        match self.bucket.swap(cas, &value).await? {
            Ok(()) => Ok(Swap::Swapped),
            Err(fresh) => {
                // The swap failed, but the record has the new value. Either another request wrote the same value, as
                // two requests for one order do, or the store swaps and reports failure. The self-test decides which.
                if self.bucket.current(&fresh).await? == Some(value) {
                    self.self_test().await?;
                }
                Ok(Swap::Conflict)
            }
        }
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.self_test().await
    }
}

/// Takes the value that was read under a key. A second call finds none.
fn take(read: &mut [(String, Option<Vec<u8>>)], key: &str) -> Option<Vec<u8>> {
    read.iter_mut().find(|(found, _)| found == key).and_then(|(_, value)| value.take())
}

/// Whether these are the same bytes. It compares eight at a time, since WebAssembly compares slices byte by byte and a
/// record has up to a megabyte.
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((ones, rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let words = |(one, other): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other);
    one.len() == other.len() && rest == other_rest && ones.iter().zip(others).all(words)
}

/// The name of a key's cell. No item has a `~` in its name.
fn cell(key: &Key) -> String {
    format!("{key}~")
}

/// The value that claims a cell. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token(u64);

impl Token {
    /// The value of an unclaimed cell.
    const NONE: [u8; 8] = [0; 8];

    fn read(cell: &str, value: &[u8]) -> Claim {
        match <[u8; 8]>::try_from(value) {
            Ok(Self::NONE) => Ok(None),
            Ok(bytes) => Ok(Some(Self(u64::from_le_bytes(bytes)))),
            Err(_) => Err(Damaged { physical_key: cell.to_owned(), reason: "it is not a cell of 8 bytes".to_owned() }),
        }
    }

    /// The name under which the creator keeps the record.
    fn physical_key(self, key: &Key) -> String {
        format!("{key}~{self}")
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
