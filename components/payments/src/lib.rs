//! The payments component. Takes payment, and the payment provider's events.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component_with_provider!(api::payments::handle);
