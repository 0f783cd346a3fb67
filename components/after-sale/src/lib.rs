//! The after-sale component. The operator sends goods, takes them back, and gives back what did not pay an order. Apart
//! from `payments`, which buyers wait for.

#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

shell::component_with_provider!(api::after_sale::handle);
