//! Larger cases, at random.

use model_check::random;

const SCHEDULES: u64 = 200_000;

#[test]
fn two_hundred_thousand_random_schedules_keep_every_promise() {
    if let Some(seed) = random::first_violation(0..SCHEDULES, |_| ()) {
        let run = random::replay(seed);
        let violation = run.violation.expect("a replay ends like the first run");
        panic!("{}\nseed {seed}: {violation}\nAgain: {}", run.log.join("\n"), random::command(seed));
    }
}

#[test]
fn a_replay_is_the_same_run() {
    for seed in 0..200 {
        let (first, again, once_more) = (random::run(seed), random::replay(seed), random::replay(seed));
        assert_eq!((first.steps, first.end), (again.steps, again.end), "seed {seed}");
        assert_eq!(again.log, once_more.log, "seed {seed}");
        assert!(first.log.is_empty() && !again.log.is_empty());
    }
}

#[test]
fn different_seeds_are_different_runs() {
    let ends: std::collections::HashSet<_> = (0..1000).map(|seed| random::run(seed).end).collect();
    assert!(ends.len() > 900, "{} ends", ends.len());
}
