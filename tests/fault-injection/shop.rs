//! Servers of the application on a store that tests can copy, read and falsify.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use harness::server::Settings;
use harness::store::Database;
use harness::{Request, Server};
use host::{FaultyStore, StoreFault, StoreHook};
use serde_json::Value;

use crate::TARGET;
use crate::requests::Answer;

/// Long enough for every order to expire.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is stored, by key: JSON; of a claim cell the token as text, and null of one that is not claimed.
pub type Records = BTreeMap<String, Value>;

/// A store, on which any number of servers may run.
pub struct Store(pub harness::Store);

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self(harness::Store::new(TARGET).unwrap_or_else(|error| panic!("{error}")))
    }

    /// The one in this database.
    #[allow(dead_code, reason = "the tests of one target use it")]
    pub fn in_redis(database: Database) -> Self {
        Self(harness::Store::in_redis(database).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Another one with the same content.
    pub fn copy(&self) -> Self {
        Self(self.0.copy().unwrap_or_else(|error| panic!("{error}")))
    }

    pub fn open(&self) -> Shop {
        self.open_with(None)
    }

    /// A server on this store whose calls of the store are interfered with.
    pub fn open_with(&self, hook: Option<Arc<dyn StoreHook>>) -> Shop {
        let settings = Settings { hook, ..Settings::default() };
        Shop(Server::start(&self.0, settings).unwrap_or_else(|error| panic!("{error}")))
    }

    /// A server on this store that finds it otherwise than it says.
    pub fn open_faulty(&self, fault: StoreFault) -> Shop {
        self.open_with(Some(Arc::new(FaultyStore::new(fault))))
    }

    pub fn records(&self) -> Records {
        let read = |(key, value): (String, Vec<u8>)| {
            let record = records::read(&key, &value).unwrap_or_else(|error| panic!("{key}: {error}"));
            (key, record)
        };
        self.0.all().into_iter().map(read).collect()
    }

    /// The same, as an account of all items and orders.
    pub fn books(&self) -> records::Books {
        records::Books::of_store(self.0.all()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Changes the first record whose key begins like this, as no request would.
    pub fn falsify(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let records = self.records();
        let (key, record) =
            records.range(key.to_owned()..).find(|(_, record)| record.is_object()).expect("it is there");
        let mut record = record.clone();
        change(&mut record);
        self.0.replace(key, &records::write(key, &record).expect("it is still a record"));
    }
}

/// A running server.
pub struct Shop(pub Server);

impl Shop {
    /// Puts this server's clock ahead of this machine's. Within a day every order has expired.
    pub fn days_later(&self, days: u32) {
        self.0.host.set_clock_ahead(A_DAY * days);
    }

    pub fn send(&self, request: &Request) -> Answer {
        match self.0.client.send(&request.clone().operator()) {
            Ok(answer) => Answer { status: answer.status, body: answer.value() },
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                panic!("{request:?} hangs: {error}")
            }
            // No answer, or half of one: the instance has ended just then, through another request.
            Err(_) => Answer::NONE,
        }
    }

    /// Sends a request that has to be answered like this.
    pub fn must(&self, request: &Request, status: u16) -> Answer {
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        answer
    }
}
