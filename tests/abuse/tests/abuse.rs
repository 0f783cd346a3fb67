//! The short form, on the host.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use abuse::{Burst, HEAD, Place, Sizes};
use harness::process::Program;

/// One burst at a time: each has the whole machine.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn honest_clients_are_answered_while_files_are_asked_for_and_not_taken() {
    survives(Burst::Readers);
}

#[test]
fn honest_clients_are_answered_while_orders_are_taken_back_before_they_are_done() {
    survives(Burst::Resets);
}

#[test]
fn no_order_is_lost_when_cancelled_orders_have_filled_the_store() {
    survives(Burst::Flood);
}

#[test]
fn honest_clients_are_answered_while_others_say_nothing_or_half_of_it() {
    survives(Burst::Idle);
}

/// How long honest clients wait, and what memory is taken, depends on the machine: only the long form judges it.
fn survives(burst: Burst) {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::Own(Program::Host(PathBuf::from(env!("CARGO_BIN_EXE_abuse"))));
    let report = abuse::run(burst, &Sizes::short(), &place).expect("the shop is served");
    println!("{HEAD}\n{report}");
    assert_eq!(report.broken, [""; 0]);
}
