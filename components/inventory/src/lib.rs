//! The inventory component. Shows and adjusts stock; health, readiness, and the 404 for unknown paths.

spin_shell::component!(api::inventory::handle);
