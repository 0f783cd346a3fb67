use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// A call of a store: key-value, whichever of the two interfaces (`wasi:keyvalue`, `spin:key-value`) it came through,
/// SQLite, or Redis. Or a request to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// `open` of a store, a database or a connection: touches no data.
    Open,
    /// `get`: a read.
    Get,
    /// `set`: a commit.
    Set,
    /// `delete`: a commit if the key was there.
    Delete,
    /// `exists`: a read.
    Exists,
    /// `list-keys` or `get-keys`: a read of every key.
    ListKeys,
    /// `batch.get-many`: one read, whatever the number of keys; none for no keys.
    GetMany,
    /// `batch.set-many`: one commit, whatever the number of keys; none for no keys.
    SetMany,
    /// `batch.delete-many`: one commit if one of the keys was there.
    DeleteMany,
    /// `atomics.increment`: a commit, which reads inside its transaction.
    Increment,
    /// `atomics.cas.new`: touches no data.
    CasNew,
    /// `atomics.cas.current`: a read.
    CasCurrent,
    /// `atomics.swap`: a commit if it succeeds. If it fails it is a read, that of the fresh handle that it hands back.
    Swap,
    /// `execute` of a SQLite database with a `SELECT`, or of a Redis with a command that changes nothing: a read.
    Select,
    /// `execute` of a SQLite database with another statement, or of a Redis with another command: a commit if it
    /// changed anything.
    Change,
    /// `send` or `handle` of `wasi:http`, whose key is the method and the URL: touches no data of the store.
    Send,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 16] = [
        Self::Open,
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::Exists,
        Self::ListKeys,
        Self::GetMany,
        Self::SetMany,
        Self::DeleteMany,
        Self::Increment,
        Self::CasNew,
        Self::CasCurrent,
        Self::Swap,
        Self::Select,
        Self::Change,
        Self::Send,
    ];

    /// Whether it may change what is stored.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Set | Self::Delete | Self::SetMany | Self::DeleteMany | Self::Increment | Self::Swap | Self::Change
        )
    }
}

/// What a call did to the store. A call that failed did nothing.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    Nothing,
    Read,
    Commit,
}

/// What a server has done since it started. It can be serialized, so that a server in another process can report it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// By component id; every component of the manifest is here.
    pub components: BTreeMap<String, ComponentStats>,
}

/// What one component has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentStats {
    /// Requests handed to the component.
    pub requests: u64,
    /// Instances created to serve them.
    pub instances: u64,
    /// The most linear memory, in bytes, that one instance has reached. It never shrinks.
    pub largest_memory: u64,
    /// Its key-value calls; an operation that it never called is absent.
    pub calls: BTreeMap<Operation, Calls>,
}

/// How often an operation was called, and with which effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// All calls, with those that failed or touched no data.
    pub total: u64,
    /// Calls that read the store and wrote nothing.
    pub reads: u64,
    /// Calls that were a write transaction which changed at least one row (if only to the same bytes).
    pub commits: u64,
}

impl Stats {
    /// Requests handed to all components.
    pub fn requests(&self) -> u64 {
        self.components.values().map(|component| component.requests).sum()
    }

    /// Key-value calls of all components that read.
    pub fn reads(&self) -> u64 {
        self.calls().map(|(_, calls)| calls.reads).sum()
    }

    /// Key-value calls of all components that committed.
    pub fn commits(&self) -> u64 {
        self.calls().map(|(_, calls)| calls.commits).sum()
    }

    /// How often all components called `operation`.
    pub fn total(&self, operation: Operation) -> u64 {
        self.calls().filter(|(called, _)| *called == operation).map(|(_, calls)| calls.total).sum()
    }

    /// What has been done since `earlier`, which must be of the same server. Memory stays as it is in `self`.
    pub fn since(&self, earlier: &Self) -> Self {
        let components = self.components.iter().map(|(id, now)| {
            let before = earlier.components.get(id).cloned().unwrap_or_default();
            (id.clone(), now.since(&before))
        });
        Self { components: components.collect() }
    }

    fn calls(&self) -> impl Iterator<Item = (Operation, Calls)> {
        self.components
            .values()
            .flat_map(|component| component.calls.iter().map(|(operation, calls)| (*operation, *calls)))
    }
}

impl ComponentStats {
    fn since(&self, earlier: &Self) -> Self {
        let calls = self.calls.iter().filter_map(|(operation, now)| {
            let before = earlier.calls.get(operation).copied().unwrap_or_default();
            let calls = Calls {
                total: now.total - before.total,
                reads: now.reads - before.reads,
                commits: now.commits - before.commits,
            };
            (calls.total > 0).then_some((*operation, calls))
        });
        Self {
            requests: self.requests - earlier.requests,
            instances: self.instances - earlier.instances,
            largest_memory: self.largest_memory,
            calls: calls.collect(),
        }
    }
}

/// The running count of one component.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) instances: AtomicU64,
    largest_memory: AtomicU64,
    calls: [CallCounters; Operation::ALL.len()],
}

#[derive(Default)]
struct CallCounters {
    total: AtomicU64,
    reads: AtomicU64,
    commits: AtomicU64,
}

impl Counters {
    pub(crate) fn memory(&self, bytes: u64) {
        self.largest_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn call(&self, operation: Operation, effect: Effect) {
        let counters = &self.calls[operation as usize];
        counters.total.fetch_add(1, Ordering::Relaxed);
        match effect {
            Effect::Nothing => {}
            Effect::Read => _ = counters.reads.fetch_add(1, Ordering::Relaxed),
            Effect::Commit => _ = counters.commits.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn snapshot(&self) -> ComponentStats {
        let calls = Operation::ALL.into_iter().filter_map(|operation| {
            let counters = &self.calls[operation as usize];
            let calls = Calls {
                total: counters.total.load(Ordering::Relaxed),
                reads: counters.reads.load(Ordering::Relaxed),
                commits: counters.commits.load(Ordering::Relaxed),
            };
            (calls.total > 0).then_some((operation, calls))
        });
        ComponentStats {
            requests: self.requests.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
            largest_memory: self.largest_memory.load(Ordering::Relaxed),
            calls: calls.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(counters: &Counters) -> Stats {
        Stats { components: BTreeMap::from([("orders".to_owned(), counters.snapshot())]) }
    }

    #[test]
    fn the_difference_of_two_snapshots_is_what_happened_in_between() {
        let counters = Counters::default();
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.call(Operation::Set, Effect::Commit);
        counters.call(Operation::Get, Effect::Read);
        let before = stats(&counters);
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.call(Operation::Open, Effect::Nothing);
        counters.call(Operation::Swap, Effect::Commit);
        counters.call(Operation::Swap, Effect::Read);
        counters.call(Operation::Get, Effect::Read);
        let between = stats(&counters).since(&before);
        assert_eq!((between.requests(), between.reads(), between.commits()), (1, 2, 1));
        assert_eq!(between.total(Operation::Swap), 2);
        assert_eq!(between.total(Operation::Set), 0);
        let calls = &between.components["orders"].calls;
        assert_eq!(calls[&Operation::Swap], Calls { total: 2, reads: 1, commits: 1 });
        assert_eq!(calls[&Operation::Open], Calls { total: 1, reads: 0, commits: 0 });
        assert!(!calls.contains_key(&Operation::Set));
    }

    #[test]
    fn the_largest_memory_is_kept() {
        let counters = Counters::default();
        counters.memory(2);
        counters.memory(1);
        assert_eq!(counters.snapshot().largest_memory, 2);
    }

    #[test]
    fn every_operation_has_its_own_counter() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
        }
    }
}
