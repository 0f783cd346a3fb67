//! The inventory component. Shows and adjusts stock; health, readiness, and the 404 for unknown paths.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component!(api::inventory::handle);
