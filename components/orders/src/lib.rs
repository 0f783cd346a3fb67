//! The orders component. Places, shows and cancels orders.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component_with_provider!(api::orders::handle);
