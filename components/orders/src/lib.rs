//! The orders component. Places, shows and cancels orders.

spin_shell::component!(api::orders::handle);
