//! What is in a store is read and written as it should be, by the library and by the program.

mod format;
mod moving;
mod program;
mod reading;
mod reconcile;
mod served;
