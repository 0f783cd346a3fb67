//! The complete search, with a line a case.

use std::time::Instant;

use crate::cases;
use crate::search::search;

/// Visits every state of the cases with this in their name, with this number of faults of each kind more than in the
/// tests. Prints what it finds, and answers whether every promise was kept.
pub fn exhaustive(name: &str, more_faults: usize) -> bool {
    let mut kept = true;
    for mut named in cases::all().into_iter().filter(|named| named.name.contains(name)) {
        let faults = &mut named.case.faults;
        for budget in [&mut faults.crashes, &mut faults.errors, &mut faults.expiries] {
            *budget += more_faults;
        }
        let start = Instant::now();
        let outcome = search(&named.case);
        println!("{}: {} states in {:.1} s", named.name, outcome.states, start.elapsed().as_secs_f32());
        if let Some((violation, story)) = outcome.violation {
            println!("{violation}\n{}", story.join("\n"));
            kept = false;
        }
    }
    kept
}
