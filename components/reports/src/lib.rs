//! The reports component. Histories of orders and items, and the books. Apart from the others, which need to be small.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component!(api::reports::handle);
