use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the host could not start. Each displays as one line that says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest cannot be read, is no valid manifest, or asks for what this host does not do.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The manifest's file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },

    /// Variables that are `required` in the manifest and were given nowhere.
    #[error("no value for required variable(s) {names}: give each as --variable NAME=VALUE or SPIN_VARIABLE_NAME")]
    MissingVariables {
        /// Their names, separated by commas.
        names: String,
    },

    /// A component's build command did not succeed.
    #[error("the build command of component {component} {reason}")]
    Build {
        /// The component's id.
        component: String,
        /// How it ended.
        reason: String,
    },

    /// A compilation target that a build command needs is not installed, and could not be.
    #[error("target {target} is not installed for the Rust toolchain in use: run `rustup target add {target}`")]
    MissingTarget {
        /// The target triple.
        target: String,
    },

    /// A component's file is missing, is no component, or imports what this host does not have.
    #[error("component {component}: {}: {reason}", path.display())]
    Component {
        /// The component's id.
        component: String,
        /// The file that `source` names.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The key-value store's file cannot be used.
    #[error("key-value store {}: {reason}", path.display())]
    Store {
        /// The SQLite file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },

    /// The WebAssembly runtime cannot run here.
    #[error("cannot start the WebAssembly runtime: {reason}")]
    Runtime {
        /// Why not.
        reason: String,
    },
}

impl Error {
    pub(crate) fn manifest(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Manifest { path: path.to_owned(), reason: one_line(reason) }
    }

    pub(crate) fn component(component: &str, path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Component { component: component.to_owned(), path: path.to_owned(), reason: one_line(reason) }
    }

    pub(crate) fn store(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Store { path: path.to_owned(), reason: one_line(reason) }
    }

    pub(crate) fn runtime(reason: impl std::fmt::Display) -> Self {
        Self::Runtime { reason: one_line(reason) }
    }
}

/// The message with its causes on one line: what other crates report may have several.
fn one_line(reason: impl std::fmt::Display) -> String {
    format!("{reason:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
