//! The short form, on each store; and that it would notice.

mod notices;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harness::process::Program;
use harness::{Target, server};
use soak::{Journal, Options, SPEED, TARGETS};

/// One soak at a time: each has the whole machine.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_piles_up_and_nothing_contradicts_anything_on_the_key_value_store() {
    soak(TARGETS[0]);
}

#[test]
fn nothing_piles_up_and_nothing_contradicts_anything_on_sqlite() {
    soak(TARGETS[1]);
}

#[test]
fn nothing_piles_up_and_nothing_contradicts_anything_on_redis() {
    soak(TARGETS[2]);
}

fn soak(target: Target) {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    server::build(target).expect("the components can be built");
    let options = Options {
        program: Program::Host(PathBuf::from(env!("CARGO_BIN_EXE_soak"))),
        target,
        journal: Journal::Wal,
        length: Duration::from_secs(15),
        connections: 128,
        hot: 3,
        cold: 1000,
        window: 2,
        seed: 1,
    };
    let verdicts = soak::run(options, |line| println!("{line}")).expect("the shop is served");
    for verdict in &verdicts {
        println!("{verdict:?}");
    }
    // How fast it is depends on what else the machine does: only the long form says something about that.
    let broken = verdicts.into_iter().filter(|verdict| verdict.rule != SPEED);
    let broken: Vec<_> = broken.filter_map(|verdict| Some(format!("{}: {}", verdict.rule, verdict.broken?))).collect();
    assert_eq!(broken, [""; 0]);
}
