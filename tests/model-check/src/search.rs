//! Visits every state that a case can reach, once.

use std::collections::HashSet;

use crate::invariants::{Violation, check, close};
use crate::world::{Case, Step, World};

/// What a search has found.
#[derive(Debug)]
pub struct Outcome {
    /// States visited.
    pub states: usize,
    /// The first broken promise, with all that happened up to it, a line an event.
    pub violation: Option<(Violation, Vec<String>)>,
}

/// Visits all states of a case, or up to the first violation.
pub fn search(case: &Case) -> Outcome {
    let mut search =
        Search { case, seen: HashSet::new(), kept: HashSet::new(), closed: HashSet::new(), path: Vec::new() };
    let violation = search.visit(World::new(case)).err();
    Outcome { states: search.seen.len(), violation: violation.map(|violation| (violation, search.story())) }
}

struct Search<'a> {
    case: &'a Case,
    seen: HashSet<u128>,
    /// The outcomes in which every promise was found to be kept.
    kept: HashSet<u128>,
    /// Those that were also found to end well.
    closed: HashSet<u128>,
    path: Vec<Step>,
}

impl Search<'_> {
    /// Visits a state and all behind it. On a violation `path` stays as it led there.
    fn visit(&mut self, world: World) -> Result<(), Violation> {
        if !self.seen.insert(world.fingerprint()) {
            return Ok(());
        }
        let outcome = world.outcome();
        if self.kept.insert(outcome) {
            check(self.case, &world)?;
        }
        let steps = world.steps();
        if world.is_quiet() && self.closed.insert(outcome) {
            close(self.case, &mut world.clone())?;
        }
        for step in steps {
            let mut next = world.clone();
            next.take(step);
            self.path.push(step);
            self.visit(next)?;
            self.path.pop();
        }
        Ok(())
    }

    fn story(&self) -> Vec<String> {
        let mut world = World::logged(self.case);
        self.path.iter().for_each(|step| world.take(*step));
        if world.is_quiet() {
            let _ = close(self.case, &mut world);
        }
        world.log()
    }
}
