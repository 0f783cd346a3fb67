//! What is stored, and what time it is. A copy costs next to nothing, since a search makes one a step.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::rc::Rc;

use uuid::Uuid;

use crate::record::Record;

/// What the key-value store writes in place of a mapping that was removed.
const REMOVED: &[u8] = b"null";

/// Twice as long as the hash of the standard library: among millions of states no two may have the same by chance.
pub fn hash(what: impl Hash) -> u128 {
    let half = |salt: u64| {
        let mut hash = DefaultHasher::new();
        salt.hash(&mut hash);
        what.hash(&mut hash);
        u128::from(hash.finish())
    };
    half(1) << 64 | half(2)
}

/// The bytes of a record, and the record once it was looked at.
pub struct Stored {
    pub bytes: Vec<u8>,
    /// The hash of its name and its bytes. Zero where it makes no difference.
    hash: u128,
    record: OnceCell<Record>,
}

impl Stored {
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        let hash = if private(name) { 0 } else { hash((name, &bytes)) };
        Self { bytes, hash, record: OnceCell::new() }
    }

    /// The record under this name.
    pub fn record(&self, name: &str) -> &Record {
        self.record.get_or_init(|| Record::read(name, &self.bytes))
    }
}

/// Whether one request alone knows this key: then it makes no difference when it is used.
pub fn private(key: &str) -> bool {
    // The name of an adjustment without a key of its own is made of the number of its request, and ends in zeros.
    key.starts_with("probe:") || key.strip_prefix("adjustment:").is_some_and(|name| name.ends_with("000000000000"))
}

/// Whether the payment provider has this, and not the store.
fn is_provider(name: &str) -> bool {
    name.starts_with("provider:")
}

/// Records by their names, and the sum of their hashes.
#[derive(Clone, Default)]
struct Records {
    by_name: Rc<BTreeMap<Rc<str>, Rc<Stored>>>,
    hash: u128,
}

impl Records {
    fn set(&mut self, name: Rc<str>, stored: Option<Rc<Stored>>) -> Option<Rc<Stored>> {
        let by_name = Rc::make_mut(&mut self.by_name);
        self.hash = self.hash.wrapping_add(stored.as_ref().map_or(0, |stored| stored.hash));
        let before = match stored {
            Some(stored) => by_name.insert(name, stored),
            None => by_name.remove(&name),
        };
        self.hash = self.hash.wrapping_sub(before.as_ref().map_or(0, |before| before.hash));
        before
    }
}

#[derive(Clone, Default)]
pub struct Database {
    records: Records,
    /// What the payment provider has: a world of its own, under names that begin with `provider:`.
    provider: Records,
    /// What a replica has, where the store has one: all writes up to the last one that was confirmed.
    replica: Option<Records>,
    pub now: u64,
    /// Grows with every write.
    pub writes: u64,
    /// How often the replica has taken the place of the store.
    pub failovers: u64,
    /// Whether a mapping, which never changes, was replaced by another.
    pub mapping_changed: bool,
    /// The payments of orders that were removed once they were told of, as they were at that moment.
    pub removed: Rc<BTreeMap<Uuid, Rc<Stored>>>,
    /// The orders of which a line was held while its item had another price than the line.
    pub held_at_another_price: Rc<BTreeSet<Uuid>>,
}

impl Database {
    /// An empty one, at this moment.
    pub fn at(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    pub fn get(&self, name: &str) -> Option<&Rc<Stored>> {
        let records = if is_provider(name) { &self.provider } else { &self.records };
        records.by_name.get(name)
    }

    /// The records with names that begin like this, to the colon.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Stored)> {
        let (first, end) = (format!("{kind}:"), format!("{kind};"));
        let range = (Bound::Included(first.as_str()), Bound::Excluded(end.as_str()));
        let records = if is_provider(&first) { &self.provider } else { &self.records };
        records.by_name.range::<str, _>(range).map(|(name, stored)| (&**name, &**stored))
    }

    pub fn set(&mut self, name: Rc<str>, stored: Rc<Stored>) {
        self.writes += 1;
        if is_provider(&name) {
            self.provider.set(name, Some(stored));
            return;
        }
        self.look_at_prices(&name, &stored);
        let is_mapping = name.starts_with("idempotency:");
        let before = self.records.set(name, Some(stored.clone()));
        let is_gone = |stored: &Stored| stored.bytes == REMOVED;
        self.mapping_changed |= is_mapping
            && !is_gone(&stored)
            && before.is_some_and(|before| before.bytes != stored.bytes && !is_gone(&before));
    }

    /// Whether what is about to be written holds a line at another price than its order has.
    fn look_at_prices(&mut self, name: &Rc<str>, stored: &Stored) {
        if !name.starts_with("inventory:") {
            return;
        }
        let Record::Item(item) = stored.record(name) else { return };
        let before = self.get(name).map(|before| before.record(name));
        let is_new = |order: &&Uuid| !matches!(before, Some(Record::Item(before)) if before.holds.contains_key(order));
        let wrong = item.holds.keys().filter(is_new).filter(|order| {
            let key = format!("order:{order}");
            let Some(Record::Order(order)) = self.get(&key).map(|stored| stored.record(&key)) else { return false };
            let of_item = |item_id: &str| name.split([':', '~']).nth(1) == Some(item_id);
            order.lines.iter().any(|line| of_item(&line.item_id) && line.unit_price != item.unit_price)
        });
        let wrong: Vec<_> = wrong.copied().collect();
        if !wrong.is_empty() {
            Rc::make_mut(&mut self.held_at_another_price).extend(wrong);
        }
    }

    pub fn remove(&mut self, names: &[Rc<str>]) {
        self.writes += 1;
        for name in names {
            if is_provider(name) {
                self.provider.set(name.clone(), None);
                continue;
            }
            let before = self.records.set(name.clone(), None);
            let order = name.strip_prefix("payment:").and_then(|order| order.parse().ok());
            if let (Some(order), Some(payment)) = (order, before)
                && !matches!(payment.record(name), Record::Payment(payment) if payment.is("rejected"))
            {
                Rc::make_mut(&mut self.removed).insert(order, payment);
            }
        }
    }

    /// From now on there is a replica, which has all there is.
    pub fn replicate(&mut self) {
        self.replica = Some(self.records.clone());
    }

    /// The replica has all there is, where there is one.
    pub fn confirm(&mut self) {
        if let Some(replica) = &mut self.replica {
            *replica = self.records.clone();
        }
    }

    pub fn is_replicated(&self) -> bool {
        self.replica.is_some()
    }

    /// The store is lost, and the replica takes its place.
    pub fn fail_over(&mut self) {
        if let Some(replica) = &self.replica {
            self.records = replica.clone();
        }
        self.failovers += 1;
        self.writes += 1;
    }

    /// What tells it from every other, as far as it makes a difference.
    pub fn fingerprint(&self) -> impl Hash {
        let removed: Vec<_> = self.removed.iter().map(|(order, payment)| (*order, payment.hash)).collect();
        (
            removed,
            self.records.hash,
            self.provider.hash,
            self.replica.as_ref().map(|replica| replica.hash),
            self.now,
            self.failovers,
        )
    }
}
