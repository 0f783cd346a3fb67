use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What the shop is built for: one application, on one of three stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Spin's key-value store.
    Local,
    /// Spin's SQLite database.
    FermyonCloud,
    /// A Redis.
    AkamaiFunctions,
    /// A Redis.
    SpinKube,
}

impl Target {
    const ALL: [Self; 4] = [Self::Local, Self::FermyonCloud, Self::AkamaiFunctions, Self::SpinKube];

    /// One for each kind of store.
    pub const STORES: [Self; 3] = [Self::Local, Self::FermyonCloud, Self::AkamaiFunctions];

    /// As in the name of its manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::FermyonCloud => "fermyon-cloud",
            Self::AkamaiFunctions => "akamai-functions",
            Self::SpinKube => "spinkube",
        }
    }

    /// Its manifest.
    pub fn manifest(self) -> PathBuf {
        let local = crate::root().join("spin.toml");
        if self == Self::Local { local } else { local.with_extension(format!("{self}.toml")) }
    }

    /// Whether its records are in a Redis, which several servers can share.
    pub fn has_redis(self) -> bool {
        matches!(self, Self::AkamaiFunctions | Self::SpinKube)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|target| target.name() == name);
        found.ok_or_else(|| format!("there is no such target; there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}
