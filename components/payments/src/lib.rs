//! The payments component. Takes payment.

spin_shell::component!(api::payments::handle);
