//! Visits every state that a case can reach, once.

use std::collections::HashSet;

use crate::invariants::{Case, stuck, violation};
use crate::world::{Choice, Faults, World};

/// What a search has found.
#[derive(Debug)]
pub struct Outcome {
    /// States visited.
    pub states: usize,
    /// The first violation, and the way there.
    pub violation: Option<(String, Vec<Choice>)>,
}

/// Visits all states of a case, as far as `faults` allow, or up to the first violation.
pub fn search(case: &Case, faults: Faults) -> Outcome {
    let mut search = Search { case, faults, seen: HashSet::new(), path: Vec::new() };
    let violation = search.visit(case.begin(faults));
    Outcome { states: search.seen.len(), violation: violation.map(|what| (what, search.path)) }
}

struct Search<'a> {
    case: &'a Case,
    faults: Faults,
    seen: HashSet<u128>,
    path: Vec<Choice>,
}

impl Search<'_> {
    /// Visits a state and all behind it. On a violation `path` stays as it led there.
    fn visit(&mut self, world: World) -> Option<String> {
        if !self.seen.insert(world.fingerprint()) {
            return None;
        }
        if let Some(what) = violation(self.case, &world) {
            return Some(what);
        }
        let choices = world.choices();
        let mut world = Some(world);
        if choices.is_empty() {
            return world.and_then(|mut world| stuck(self.case, &mut world));
        }
        for (index, choice) in choices.iter().enumerate() {
            // A future cannot be copied: all but the last choice begin again from the start.
            let last = index + 1 == choices.len();
            let mut next = if last { world.take() } else { None }.unwrap_or_else(|| self.replay());
            next.choose(*choice);
            self.path.push(*choice);
            if let Some(what) = self.visit(next) {
                return Some(what);
            }
            self.path.pop();
        }
        None
    }

    fn replay(&self) -> World {
        let mut world = self.case.begin(self.faults);
        self.path.iter().for_each(|choice| world.choose(*choice));
        world
    }
}
