//! A store and a clock in memory whose every call waits for its turn. The store is there on two levels: as the domain's
//! own, and as the calls of `wasi:keyvalue` that the shipped store is made of.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use domain::{Creation, Entry, Environment, Found, InstanceState, Key, Store, StoreError, Swap, Timestamp};
use keyvalue_store::Bucket;

use crate::database::{Database, Stored, private};

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// It is made and answered.
    Made,
    /// It is made, but its answer is lost.
    Unheard,
    /// It is not made, and fails.
    Failed,
    /// The payment provider refuses, for good.
    Refused,
}

/// When a case begins.
pub const START: u64 = 1_700_000_000_000;

/// What all requests share: the store during a step, and all that the step has to do with it.
#[derive(Default)]
pub struct Shared {
    database: RefCell<Database>,
    tape: RefCell<Tape>,
    /// One line a call, where they are to be read.
    pub log: RefCell<Option<Vec<String>>>,
}

/// What a step saw and did. It goes the same way wherever it sees the same.
#[derive(Clone, Default)]
pub struct Tape {
    seen: Vec<Seen>,
    effects: Vec<Effect>,
}

/// What a step saw that it had not written itself.
#[derive(Clone)]
enum Seen {
    Record(Rc<str>, Option<Rc<Stored>>),
    Now(u64),
    Failovers(u64),
    Replicated(bool),
}

/// What a step did.
#[derive(Clone)]
enum Effect {
    Set(Rc<str>, Rc<Stored>),
    Remove(Rc<[Rc<str>]>),
    Confirm,
}

impl Effect {
    fn on(&self, database: &mut Database) {
        match self {
            Self::Set(name, stored) => database.set(name.clone(), stored.clone()),
            Self::Remove(names) => database.remove(names),
            Self::Confirm => database.confirm(),
        }
    }
}

impl Tape {
    /// Whether the step would see here what it saw.
    fn fits(&self, database: &Database) -> bool {
        self.seen.iter().all(|seen| match seen {
            Seen::Record(name, there) => match (there, database.get(name)) {
                (None, None) => true,
                (Some(there), Some(stored)) => Rc::ptr_eq(there, stored) || there.bytes == stored.bytes,
                _ => false,
            },
            Seen::Now(now) => database.now == *now,
            Seen::Failovers(failovers) => database.failovers == *failovers,
            Seen::Replicated(is_replicated) => database.is_replicated() == *is_replicated,
        })
    }

    /// Does what the step did, where it would see what it saw.
    pub fn play(&self, database: &mut Database) -> bool {
        let fits = self.fits(database);
        if fits {
            self.effects.iter().for_each(|effect| effect.on(database));
        }
        fits
    }

    /// A database that has what the step saw, and nothing else.
    pub fn database(&self) -> Database {
        let mut database = Database::default();
        for seen in &self.seen {
            match seen {
                Seen::Record(name, Some(stored)) => database.set(name.clone(), stored.clone()),
                Seen::Now(now) => database.now = *now,
                Seen::Failovers(failovers) => database.failovers = *failovers,
                Seen::Replicated(true) => database.replicate(),
                Seen::Record(_, None) | Seen::Replicated(false) => {}
            }
        }
        database
    }
}

impl Shared {
    /// Lets a step run on this database. Answers with what it saw and did.
    pub fn during(&self, database: &mut Database, step: impl FnOnce()) -> Tape {
        self.database.swap(&RefCell::new(std::mem::take(database)));
        step();
        *database = self.database.take();
        self.tape.take()
    }

    fn see<T>(&self, look: impl FnOnce(&Database) -> T, seen: impl FnOnce(&T) -> Seen) -> T {
        let there = look(&self.database.borrow());
        self.tape.borrow_mut().seen.push(seen(&there));
        there
    }

    fn act(&self, effect: Effect) {
        effect.on(&mut self.database.borrow_mut());
        self.tape.borrow_mut().effects.push(effect);
    }

    pub fn write(&self, name: String, bytes: Vec<u8>) {
        let stored = Rc::new(Stored::new(&name, bytes));
        self.act(Effect::Set(name.into(), stored));
    }

    fn confirm(&self) {
        self.act(Effect::Confirm);
    }

    fn is_replicated(&self) -> bool {
        self.see(Database::is_replicated, |is_replicated| Seen::Replicated(*is_replicated))
    }

    fn failovers(&self) -> u64 {
        self.see(|database| database.failovers, |failovers| Seen::Failovers(*failovers))
    }

    fn now(&self) -> u64 {
        self.see(|database| database.now, |now| Seen::Now(*now))
    }

    fn remove(&self, names: &[String]) {
        self.act(Effect::Remove(names.iter().map(|name| name.as_str().into()).collect()));
    }

    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let stored = self.database.borrow().get(name).cloned();
        let mut tape = self.tape.borrow_mut();
        let is_own = tape.effects.iter().any(|effect| match effect {
            Effect::Set(written, _) => **written == *name,
            Effect::Remove(names) => names.iter().any(|removed| **removed == *name),
            Effect::Confirm => false,
        });
        if !is_own {
            tape.seen.push(Seen::Record(name.into(), stored.clone()));
        }
        stored.map(|stored| stored.bytes.clone())
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.push(line());
        }
    }
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// Its turn to do something that does not fail: to come, or to set to work for a batch.
    #[default]
    Step,
    /// Its turn to read.
    Read,
    /// Its turn to write: then a lost answer makes a difference.
    Write,
    /// Its turn to have the payment provider open a session, which that can refuse.
    Open,
    /// Another request of its instance, which does its work.
    Others,
}

/// One instance of a component.
pub struct Instance {
    /// Whether it serves more than one request.
    pub shared: bool,
    pub state: Rc<InstanceState>,
    /// The steps of its requests, in order: what one of them does depends on who has come before.
    pub history: RefCell<DefaultHasher>,
}

impl Instance {
    /// One that has these numbers for its orders, or has to take some.
    pub fn new(shared: bool, numbers: Option<Range<u64>>) -> Self {
        let state = Rc::new(numbers.map_or_else(InstanceState::default, InstanceState::with_sequence));
        Self { shared, state, history: RefCell::default() }
    }
}

/// The state of one request as seen from outside.
#[derive(Default)]
pub struct Progress {
    pub number: usize,
    /// Everything that the request was answered by the store and the clock: it is deterministic, so this is its state.
    pub history: RefCell<DefaultHasher>,
    /// How its next call goes, once it has its turn.
    pub turn: Cell<Option<Turn>>,
    /// What it is about to do.
    pub next: Cell<Next>,
    ids: Cell<u8>,
    tokens: Cell<u8>,
    /// Whether its clock is that of a server that is behind: for it nothing expires.
    pub behind: bool,
    /// Whether a write of its own was not confirmed: then nothing is believed before all there is has been confirmed.
    doubt: Cell<bool>,
    /// Where it has read since its last confirmed write: from the store, or from the replica that took its place.
    read_from: Cell<Option<u64>>,
    /// Whether it has gone on in another place than where it had read: then what it read may be lost.
    moved: Cell<bool>,
}

impl Progress {
    /// What tells this request from itself in another state.
    pub fn fingerprint(&self) -> impl Hash {
        let heard = self.history.borrow().finish();
        (heard, self.doubt.get(), self.read_from.get(), self.moved.get())
    }

    pub fn of(number: usize, behind: bool) -> Self {
        Self { number, behind, ..Self::default() }
    }
}

/// One request's access to the store and the clock.
#[derive(Clone)]
pub struct Caller {
    pub shared: Rc<Shared>,
    pub instance: Rc<Instance>,
    pub progress: Rc<Progress>,
}

impl Caller {
    /// In an instance that others share, waits for its turn: what happens there before is up to them.
    pub async fn step(&self, what: &str) {
        if self.instance.shared {
            let _ = self.its_turn(Next::Step).await;
            self.note(|| what.to_owned());
        }
    }

    pub async fn its_turn(&self, next: Next) -> Turn {
        self.progress.next.set(next);
        std::future::poll_fn(|_| self.progress.turn.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    async fn read_turn(&self) -> Result<(), StoreError> {
        self.turn(Next::Read).await?;
        if self.progress.doubt.take() {
            self.shared.confirm();
        }
        self.goes_on()?;
        self.progress.read_from.set(Some(self.shared.failovers()));
        Ok(())
    }

    /// Refuses to go on where another store has taken the place of the one that was read from: the store on Redis
    /// notices that its connection is gone.
    fn goes_on(&self) -> Result<(), StoreError> {
        let place = self.shared.failovers();
        let lost = self.progress.read_from.get().is_some_and(|before| before != place);
        if !lost && !self.progress.moved.get() {
            return Ok(());
        }
        self.progress.moved.set(true);
        self.hear("lost");
        self.note(|| "what was read may be lost: the call is not made".to_owned());
        Err(StoreError::Unavailable("another store has taken its place".to_owned()))
    }

    async fn write_turn(&self) -> Result<Heard, StoreError> {
        let heard = self.turn(Next::Write).await;
        self.goes_on()?;
        self.progress.doubt.set(!matches!(heard, Ok(Heard(true))));
        heard
    }

    /// Waits for its turn. Answers whether the answer will be heard; fails where the call is not to be made.
    async fn turn(&self, next: Next) -> Result<Heard, StoreError> {
        match self.its_turn(next).await {
            Turn::Made => Ok(Heard(true)),
            Turn::Unheard => Ok(Heard(false)),
            Turn::Failed | Turn::Refused => {
                self.hear("failed");
                self.note(|| "the call fails".to_owned());
                Err(StoreError::Unavailable("it was told to fail".to_owned()))
            }
        }
    }

    pub fn hear(&self, what: impl Hash) {
        what.hash(&mut *self.progress.history.borrow_mut());
    }

    pub fn note(&self, line: impl FnOnce() -> String) {
        self.shared.note(|| format!("#{}    {}", self.progress.number, line()));
    }
}

/// Whether a request hears the answer to its call.
struct Heard(bool);

impl Heard {
    /// The answer as the request gets it.
    fn answer<T: Hash>(self, caller: &Caller, answer: T) -> Result<T, StoreError> {
        caller.hear((&answer, self.0));
        if self.0 {
            caller.shared.confirm();
            caller.progress.read_from.take();
            return Ok(answer);
        }
        caller.note(|| "its answer is lost".to_owned());
        Err(StoreError::Unavailable("the answer was lost".to_owned()))
    }
}

/// What is stored under a name, as the log shows it.
fn text(name: &str, bytes: &[u8]) -> String {
    match <[u8; 8]>::try_from(bytes) {
        Ok(cell) => format!("cell {:x}", u64::from_le_bytes(cell)),
        Err(_) => records::line(name, bytes).unwrap_or_else(|_| format!("{bytes:02x?}")),
    }
}

impl Store for Caller {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        let once = |number: usize, key| !keys[..number].contains(key);
        assert!(keys.iter().enumerate().all(|(number, key)| once(number, key)), "a key is asked for once: {keys:?}");
        self.read_turn().await?;
        let found = keys.iter().map(|key| {
            let physical_key = key.to_string();
            self.shared.read(&physical_key).map(|value| Entry::new(physical_key, value))
        });
        let found: Vec<_> = found.collect();
        for (key, entry) in keys.iter().zip(&found) {
            self.hear(entry.as_ref().map(|entry| (&entry.physical_key, &entry.value)));
            let found = |entry: &Entry| text(&entry.physical_key, &entry.value);
            // Of an index only what is there.
            if entry.is_some() || !matches!(key, Key::OrderIndex(_)) {
                self.note(|| format!("get {key}: {}", entry.as_ref().map_or("nothing".to_owned(), found)));
            }
        }
        Ok(found.into_iter().map(Ok).collect())
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        let heard = self.write_turn().await?;
        let entry = |(key, value): (Key, _)| Entry::new(key.to_string(), value);
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        for Entry { physical_key, value, .. } in entries.clone() {
            self.note(|| format!("insert {physical_key}: {}", text(&physical_key, &value)));
            assert!(self.shared.read(&physical_key).is_none(), "it is inserted under a fresh name");
            self.shared.write(physical_key, value);
        }
        heard.answer(self, ())?;
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        let heard = self.write_turn().await?;
        let names: Vec<_> = keys.iter().map(Key::to_string).collect();
        self.note(|| format!("remove {}", names.join(", ")));
        self.shared.remove(&names);
        heard.answer(self, ())
    }

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        let heard = self.write_turn().await?;
        let at = &read.physical_key;
        let same = self.shared.read(at).as_ref() == Some(&read.value);
        self.note(|| format!("remove {at} if unchanged: {}", if same { "removed" } else { "conflict" }));
        if same {
            self.shared.remove(std::slice::from_ref(at));
        }
        let same = heard.answer(self, same)?;
        Ok(if same { Swap::Swapped } else { Swap::Conflict })
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        let all_private = records.iter().all(|(key, _)| private(&key.to_string()));
        let heard = if all_private { Heard(true) } else { self.write_turn().await? };
        let mut were_there = Vec::new();
        for (key, value) in records {
            let there = self.shared.read(&key.to_string()).is_some();
            let is = if there { "is there".to_owned() } else { text(&key.to_string(), &value) };
            self.note(|| format!("put {key}: {is}"));
            if there {
                were_there.push(key);
            } else {
                self.shared.write(key.to_string(), value);
            }
        }
        heard.answer(self, were_there.iter().map(Key::to_string).collect::<Vec<_>>())?;
        Ok(were_there)
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let heard = self.write_turn().await?;
        let at = key.to_string();
        let exists = self.shared.read(&at).is_some();
        self.note(|| format!("create {at}: {}", if exists { "exists".to_owned() } else { text(&at, &value) }));
        if !exists {
            self.shared.write(at, value);
        }
        let exists = heard.answer(self, exists)?;
        Ok(if exists { Creation::Exists } else { Creation::Created })
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let heard = self.write_turn().await?;
        let at = &read.physical_key;
        let same = self.shared.read(at).as_ref() == Some(&read.value);
        self.note(|| format!("swap {at}: {}", if same { text(at, &value) } else { "conflict".to_owned() }));
        if same {
            self.shared.write(at.clone(), value);
        }
        let same = heard.answer(self, same)?;
        Ok(if same { Swap::Swapped } else { Swap::Conflict })
    }

    /// As the store on Redis does it: by a write that the replica has, over the connection over which was read.
    async fn confirm(&self) -> Result<(), StoreError> {
        let read_from = self.progress.read_from.get();
        if !self.shared.is_replicated() || read_from.is_none() && !self.progress.moved.get() {
            return Ok(());
        }
        self.turn(Next::Read).await?;
        self.goes_on()?;
        self.hear("confirmed");
        self.note(|| "confirm: a replica has it".to_owned());
        self.shared.confirm();
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A handle of `wasi:keyvalue` for one swap.
pub struct Cas {
    key: String,
    read: RefCell<Option<Vec<u8>>>,
}

// As Spin's own store behaves, in what the shipped store rests on and in what it must not rest on.
impl Bucket for Caller {
    type Cas = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if !private(key) {
            self.read_turn().await?;
        }
        let value = self.shared.read(key);
        self.hear(&value);
        self.note(|| format!("get {key}: {}", value.as_deref().map_or("nothing".to_owned(), |value| text(key, value))));
        Ok(value)
    }

    /// Leaves out absent keys.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        self.read_turn().await?;
        let found = keys.iter().filter_map(|key| Some((key.clone(), Some(self.shared.read(key)?))));
        let found: Vec<_> = found.collect();
        self.hear(&found);
        self.note(|| format!("get-many {}: {} are there", keys.join(", "), found.len()));
        Ok(found)
    }

    async fn set_many(&self, records: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        let heard = match records {
            [(key, _)] if private(key) => Heard(true),
            _ => self.write_turn().await?,
        };
        for (key, value) in records {
            self.note(|| format!("set {key}: {}", text(key, value)));
            self.shared.write(key.clone(), value.clone());
        }
        heard.answer(self, ())
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        let heard = if keys.iter().all(|key| private(key)) { Heard(true) } else { self.write_turn().await? };
        self.note(|| format!("delete {}", keys.join(", ")));
        self.shared.remove(keys);
        heard.answer(self, ())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let heard = if private(key) { Heard(true) } else { self.write_turn().await? };
        let number = self.shared.read(key).map_or(0, |value| {
            // Spin's host panics here, and its store is dead from then on.
            i64::from_le_bytes(value.try_into().expect("what is incremented has 8 bytes"))
        });
        let sum = number.wrapping_add(delta);
        self.note(|| format!("increment {key} by {delta}: {sum:x}"));
        self.shared.write(key.to_owned(), sum.to_le_bytes().to_vec());
        heard.answer(self, sum)
    }

    async fn cas(&self, key: &str) -> Result<Cas, StoreError> {
        Ok(Cas { key: key.to_owned(), read: RefCell::default() })
    }

    async fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>, StoreError> {
        let value = Bucket::get(self, &cas.key).await?;
        cas.read.replace(value.clone());
        Ok(value)
    }

    /// A swap from nothing overwrites.
    async fn swap(&self, cas: Cas, value: &[u8]) -> Result<Result<(), Cas>, StoreError> {
        let heard = if private(&cas.key) { Heard(true) } else { self.write_turn().await? };
        let key = &cas.key;
        let current = self.shared.read(key);
        let read = cas.read.take();
        let same = read.is_none() || read == current;
        self.note(|| format!("swap {key}: {}", if same { text(key, value) } else { "conflict".to_owned() }));
        if same {
            self.shared.write(key.clone(), value.to_vec());
        }
        let same = heard.answer(self, same)?;
        Ok(if same { Ok(()) } else { Err(Cas { key: cas.key, read: RefCell::new(current) }) })
    }
}

impl Environment for Caller {
    fn now(&self) -> Timestamp {
        let now = if self.progress.behind { START } else { self.shared.now() };
        self.hear(now);
        now.into()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self, bytes: &mut [u8]) {
        let count = self.progress.tokens.get();
        self.progress.tokens.set(count.wrapping_add(1));
        bytes.fill(0);
        for (byte, value) in bytes.iter_mut().zip([count, small(self.progress.number) + 1]) {
            *byte = value;
        }
    }

    fn random_id(&self) -> [u8; 16] {
        let count = self.progress.ids.get();
        self.progress.ids.set(count + 1);
        id_bytes(self.progress.number, count)
    }

    /// A pause takes no time. A limit is never reached: a call that takes too long is one that fails or whose answer is
    /// lost.
    async fn sleep(&self, duration: Duration) {
        if duration >= Duration::from_secs(1) {
            std::future::pending::<()>().await;
        }
    }

    async fn wait_until(&self, ready: impl Fn() -> bool) {
        self.progress.next.set(Next::Others);
        std::future::poll_fn(|_| if ready() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    async fn linger(&self, _: Duration) {
        self.step("sets to work for its batch").await;
    }
}

/// The id that a request gives to the `count`th thing that it makes: who made what can be read off it.
pub fn id_bytes(request: usize, count: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = small(request);
    bytes[1] = count;
    bytes
}

fn small(request: usize) -> u8 {
    u8::try_from(request).expect("there are few requests")
}
