//! What differs between the targets of the application, as seen from below.

use host::Operation;

/// A target, by the store that its components have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "a program of tests is about one of them")]
pub enum Target {
    /// Key-value.
    Local,
    /// A SQLite database.
    FermyonCloud,
    /// A Redis.
    AkamaiFunctions,
}

impl Target {
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::FermyonCloud => "fermyon-cloud",
            Self::AkamaiFunctions => "akamai-functions",
        }
    }

    /// The call that holds the first line of a new order.
    pub fn first_hold(self) -> (Operation, usize) {
        match self {
            // After the one that takes numbers out of the ledger.
            Self::Local => (Operation::Swap, 2),
            // And after the one that writes the order.
            Self::FermyonCloud | Self::AkamaiFunctions => (Operation::Change, 3),
        }
    }
}
