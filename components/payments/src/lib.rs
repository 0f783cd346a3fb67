//! The payments component. Takes payment.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component!(api::payments::handle);
