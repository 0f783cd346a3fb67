//! A store that does what the trait promises, until a test tells it otherwise.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::task::Poll;

use domain::{Creation, Damaged, Entry, Found, Key, Store, StoreError, Swap};

/// What is stored under which name.
pub type Records = BTreeMap<String, Vec<u8>>;

/// What happens at a swap instead of the swap alone.
pub enum AtSwap {
    /// Another request is served first.
    Meanwhile(Box<dyn FnOnce()>),
    /// The swap is made, and its answer is lost.
    LoseAnswer,
    /// Nothing else.
    Nothing,
}

/// A store in memory, shared by its clones.
#[derive(Clone, Default)]
pub struct MemoryStore(Rc<Memory>);

#[derive(Default)]
struct Memory {
    records: RefCell<Records>,
    writes: Cell<usize>,
    probes: Cell<usize>,
    probes_wait: Cell<bool>,
    at_swaps: RefCell<VecDeque<AtSwap>>,
    at_read: RefCell<Option<Box<dyn FnOnce()>>>,
    writes_left: Cell<Option<usize>>,
    always_conflict: Cell<bool>,
    is_down: Cell<bool>,
    is_full: Cell<bool>,
    damaged: RefCell<BTreeSet<String>>,
    /// Whether the records came from outside. Then they may call a name fresh that is not, and name an order twice.
    is_given: bool,
}

impl MemoryStore {
    /// A store with these records, which may contradict each other.
    pub fn with(records: Records) -> Self {
        Self(Rc::new(Memory { records: RefCell::new(records), is_given: true, ..Memory::default() }))
    }

    /// All records.
    pub fn records(&self) -> Ref<'_, Records> {
        self.0.records.borrow()
    }

    /// All records, to be changed behind the back of the rules.
    pub fn records_mut(&self) -> RefMut<'_, Records> {
        self.0.records.borrow_mut()
    }

    /// The number of writes so far. One call is one write, however many records it writes.
    pub fn writes(&self) -> usize {
        self.0.writes.get()
    }

    /// From now on other requests run while the store is probed.
    pub fn let_probes_wait(&self) {
        self.0.probes_wait.set(true);
    }

    /// The number of probes so far. Each is one write.
    pub fn probes(&self) -> usize {
        self.0.probes.get()
    }

    /// Counts the writes from here on.
    pub fn forget_writes(&self) {
        self.0.writes.set(0);
    }

    /// Plans how the next swap goes, after those that are planned already.
    pub fn at_next_swap(&self, at_swap: AtSwap) {
        self.0.at_swaps.borrow_mut().push_back(at_swap);
    }

    /// Does this during the next read.
    pub fn at_next_read(&self, meanwhile: impl FnOnce() + 'static) {
        self.0.at_read.replace(Some(Box::new(meanwhile)));
    }

    /// Lets this number of writes through and fails all later ones, as for a request that is cut off. None fails none.
    pub fn fail_after_writes(&self, writes: Option<usize>) {
        self.0.writes_left.set(writes);
    }

    /// From now on every swap conflicts.
    pub fn always_conflict(&self) {
        self.0.always_conflict.set(true);
    }

    /// From now on every read fails.
    pub fn go_down(&self) {
        self.0.is_down.set(true);
    }

    /// From now on, or no longer, there is no room for new records. Those that are there can be changed.
    pub fn fill(&self, is_full: bool) {
        self.0.is_full.set(is_full);
    }

    fn has_room(&self) -> Result<(), StoreError> {
        if self.0.is_full.get() { Err(StoreError::Full("no room".to_owned())) } else { Ok(()) }
    }

    /// From now on the record with this name cannot be read.
    pub fn damage(&self, name: &str) {
        self.0.damaged.borrow_mut().insert(name.to_owned());
    }

    fn write(&self) -> Result<(), StoreError> {
        match self.0.writes_left.get() {
            Some(0) => return Err(StoreError::Unavailable("gone".to_owned())),
            Some(left) => self.0.writes_left.set(Some(left - 1)),
            None => {}
        }
        self.0.writes.set(self.0.writes.get() + 1);
        Ok(())
    }
}

impl Store for MemoryStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        if let Some(meanwhile) = self.0.at_read.take() {
            meanwhile();
        }
        if self.0.is_down.get() {
            return Err(StoreError::Unavailable("down".to_owned()));
        }
        let once = |number: usize, key| !keys[..number].contains(key);
        let all_once = keys.iter().enumerate().all(|(number, key)| once(number, key));
        assert!(all_once || self.0.is_given, "a key is asked for once: {keys:?}");
        let records = self.records();
        let entry = |key: &Key| {
            let physical_key = key.to_string();
            if self.0.damaged.borrow().contains(&physical_key) {
                return Err(Damaged { physical_key, reason: "it is lost".to_owned() });
            }
            Ok(records.get(&physical_key).map(|value| Entry::new(physical_key, value.clone())))
        };
        Ok(keys.iter().map(entry).collect())
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        self.has_room()?;
        self.write()?;
        let entries: Vec<_> = records.into_iter().map(|(key, value)| Entry::new(key.to_string(), value)).collect();
        for entry in &entries {
            let before = self.records_mut().insert(entry.physical_key.clone(), entry.value.clone());
            assert!(before.is_none() || self.0.is_given, "{} was not fresh", entry.physical_key);
        }
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.write()?;
        let mut records = self.records_mut();
        keys.iter().for_each(|key| drop(records.remove(&key.to_string())));
        Ok(())
    }

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        if self.records().get(&read.physical_key) != Some(&read.value) {
            return Ok(Swap::Conflict);
        }
        self.write()?;
        self.records_mut().remove(&read.physical_key);
        Ok(Swap::Swapped)
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        self.write()?;
        let mut there = Vec::new();
        for (key, value) in records {
            match self.records_mut().entry(key.to_string()) {
                Occupied(_) => there.push(key),
                Vacant(vacant) => drop(vacant.insert(value)),
            }
        }
        Ok(there)
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let name = key.to_string();
        if self.records().contains_key(&name) {
            return Ok(Creation::Exists);
        }
        self.has_room()?;
        self.write()?;
        self.records_mut().insert(name, value);
        Ok(Creation::Created)
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let at_swap = self.0.at_swaps.borrow_mut().pop_front().unwrap_or(AtSwap::Nothing);
        let answer_is_lost = matches!(at_swap, AtSwap::LoseAnswer);
        if let AtSwap::Meanwhile(other) = at_swap {
            other();
        }
        if self.0.always_conflict.get() || self.records().get(&read.physical_key) != Some(&read.value) {
            return Ok(Swap::Conflict);
        }
        self.write()?;
        self.records_mut().insert(read.physical_key.clone(), value);
        if answer_is_lost {
            return Err(StoreError::Unavailable("the answer was lost".to_owned()));
        }
        Ok(Swap::Swapped)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.0.probes.set(self.0.probes.get() + 1);
        let waited = Cell::new(!self.0.probes_wait.get());
        std::future::poll_fn(|_| if waited.replace(true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.has_room()?;
        self.write()
    }
}
