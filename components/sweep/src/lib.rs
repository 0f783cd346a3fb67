//! The sweep component. Clears away what came to nothing. Apart from `reports`, which has no need to connect anywhere.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component_with_provider!(api::sweep::handle);
