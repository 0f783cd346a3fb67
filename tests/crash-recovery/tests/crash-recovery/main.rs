//! The short form; and that it would notice.

mod after_sale;
mod books;

use std::path::{Path, PathBuf};
use std::{fs, io};

use crash_recovery::after_sale::Tally;
use crash_recovery::{Trial, Victim};
use harness::process::Program;
use harness::{Target, server};
use serde_json::{Value, json};

const KILLS: usize = 4;

/// Where a Redis keeps what it has acknowledged.
const AOF: &str = "appendonlydir";

fn program(target: Target) -> Program {
    server::build(target).expect("the components can be built");
    Program::Host(PathBuf::from(env!("CARGO_BIN_EXE_crash-recovery")))
}

fn trial(target: Target, servers: usize, seed: u64) -> Trial {
    Trial::new(program(target), target, servers, seed).expect("the shop is served")
}

/// A shop whose buyers pay at a provider.
fn till(target: Target, servers: usize, seed: u64) -> Trial {
    let provider = Path::new(env!("CARGO_BIN_EXE_crash-recovery"));
    Trial::with_provider(program(target), provider, target, servers, seed).expect("the shop is served")
}

/// Two servers on a Redis whose replica takes its place.
fn failover(needed: usize, seed: u64) -> Trial {
    let target = Target::AkamaiFunctions;
    Trial::with_replica(program(target), target, 2, needed, seed).expect("the shop is served")
}

#[test]
fn what_clients_were_told_is_there_after_every_kill() {
    kill_again_and_again(Victim::Server, trial(Target::Local, 1, 1));
}

#[test]
fn what_clients_were_told_is_there_after_every_kill_on_sqlite() {
    kill_again_and_again(Victim::Server, trial(Target::FermyonCloud, 1, 1));
}

#[test]
fn what_clients_were_told_is_there_after_one_of_two_servers_on_a_redis_is_killed() {
    kill_again_and_again(Victim::Server, trial(Target::AkamaiFunctions, 2, 1));
}

#[test]
fn what_clients_were_told_is_there_after_the_redis_of_two_servers_is_killed() {
    kill_again_and_again(Victim::Redis, trial(Target::AkamaiFunctions, 2, 1));
}

#[test]
fn what_clients_were_told_is_there_after_every_failover_of_the_redis() {
    kill_again_and_again(Victim::Primary, failover(1, 1));
}

#[test]
fn what_was_charged_is_what_is_paid_after_kills_of_server_and_provider() {
    kill_each(till(Target::Local, 1, 1));
}

#[test]
fn what_was_charged_is_what_is_paid_after_kills_of_server_and_provider_on_sqlite() {
    kill_each(till(Target::FermyonCloud, 1, 1));
}

#[test]
fn what_was_charged_is_what_is_paid_after_kills_of_one_of_two_servers_on_a_redis_and_of_the_provider() {
    kill_each(till(Target::AkamaiFunctions, 2, 1));
}

fn kill_each(mut trial: Trial) {
    for victim in Victim::WITH_PROVIDER {
        trial.kill(victim, |_| Ok(())).expect("what is killed can be started again");
        assert_eq!(trial.books.contradictions, [""; 0], "after the kill of {victim:?}");
    }
    trial.check_all().expect("the provider tells what it has done");
    assert_eq!(trial.books.contradictions, [""; 0]);
    let figures = trial.figures().expect("there is a provider");
    assert!(figures.charges > 0 && figures.refunds > 0, "hardly anything was done: {figures:?}");
}

fn kill_again_and_again(victim: Victim, mut trial: Trial) {
    for kill in 1..=KILLS {
        trial.kill(victim, |_| Ok(())).expect("the server can be killed and started again");
        assert_eq!(trial.books.contradictions, [""; 0], "after kill {kill}");
    }
    trial.check_all().expect("the servers are there");
    assert_eq!(trial.books.contradictions, [""; 0]);
    assert!(trial.books.orders.len() > KILLS, "hardly anything was told: {:?}", trial.books.orders);
    let Tally { refunds, returns, fulfilled, .. } = trial.books.tally();
    assert!(refunds > 0 && returns > 0 && fulfilled > 0, "operators did hardly anything: {:?}", trial.books.tally());
}

#[test]
fn a_store_that_has_lost_what_was_acknowledged_is_noticed() {
    let old = tempfile::tempdir().expect("a folder can be made");
    let mut trial = trial(Target::Local, 1, 2);
    trial
        .kill(Victim::Server, |state| Ok(copy(state, old.path())?))
        .expect("the server can be killed and started again");
    assert_eq!(trial.books.contradictions, [""; 0]);
    trial
        .kill(Victim::Server, |state| Ok(copy(old.path(), state)?))
        .expect("the server can be killed and started again");
    assert!(!trial.books.contradictions.is_empty());
}

/// Makes the files in `to` those in `from`.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for file in fs::read_dir(to)? {
        fs::remove_file(file?.path())?;
    }
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

#[test]
fn a_refund_that_is_struck_from_the_records_is_noticed() {
    for mut trial in [trial(Target::Local, 1, 3), till(Target::Local, 1, 3)] {
        let order = loop {
            trial.kill(Victim::Server, |_| Ok(())).expect("the server can be killed and started again");
            assert_eq!(trial.books.contradictions, [""; 0]);
            let orders = trial.books.orders.iter();
            let refunded =
                orders.filter(|order| order.after_sale.tally().refunds > 0).find_map(|order| order.id.clone());
            if let Some(order) = refunded {
                break order;
            }
        };
        let key = format!("payment:{order}");
        let state = trial.store().value(&key).expect("it is there");
        let mut state: Value = serde_json::from_slice(&state).expect("it is JSON");
        state["refunds"] = json!([]);
        trial.store().replace(&key, state.to_string().as_bytes());
        trial.check_all().expect("the shop is there");
        let told = trial.books.contradictions.join("\n");
        assert!(told.contains("refunds were told, and 0 are on record"), "{told}");
        let is_at_provider = told.contains("paid, and the money has gone back");
        assert_eq!(is_at_provider, trial.figures().is_some(), "{told}");
    }
}

#[test]
fn a_provider_that_has_lost_what_it_has_told_is_noticed() {
    let old = tempfile::tempdir().expect("a folder can be made");
    let mut trial = till(Target::Local, 1, 2);
    trial
        .kill(Victim::Provider, |state| Ok(copy(state, old.path())?))
        .expect("the provider can be killed and started again");
    assert_eq!(trial.books.contradictions, [""; 0]);
    trial
        .kill(Victim::Provider, |state| Ok(copy(old.path(), state)?))
        .expect("the provider can be killed and started again");
    assert!(!trial.books.contradictions.is_empty());
}

/// As one does that puts on the disk what it has acknowledged only when it comes to it.
#[test]
fn a_redis_that_has_lost_what_was_acknowledged_is_noticed() {
    let old = tempfile::tempdir().expect("a folder can be made");
    let mut trial = trial(Target::AkamaiFunctions, 2, 2);
    trial
        .kill(Victim::Redis, |data| Ok(copy(&data.join(AOF), old.path())?))
        .expect("it can be killed and started again");
    assert_eq!(trial.books.contradictions, [""; 0]);
    trial
        .kill(Victim::Redis, |data| Ok(copy(old.path(), &data.join(AOF))?))
        .expect("it can be killed and started again");
    assert!(!trial.books.contradictions.is_empty());
}

/// As one has that waits for no replica.
#[test]
fn a_replica_that_has_not_got_what_was_acknowledged_is_noticed() {
    let mut trial = failover(0, 2);
    for _ in 0..KILLS {
        trial.kill(Victim::Primary, |_| Ok(())).expect("the replica can be promoted");
    }
    assert!(!trial.books.contradictions.is_empty());
}
