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
    let mut search = Search { case, seen: HashSet::new(), path: Vec::new() };
    let violation = search.visit(World::new(case)).err();
    Outcome { states: search.seen.len(), violation: violation.map(|violation| (violation, search.story())) }
}

struct Search<'a> {
    case: &'a Case,
    seen: HashSet<u128>,
    path: Vec<Step>,
}

impl Search<'_> {
    /// Visits a state and all behind it. On a violation `path` stays as it led there.
    fn visit(&mut self, mut world: World) -> Result<(), Violation> {
        if !self.seen.insert(world.fingerprint()) {
            return Ok(());
        }
        check(self.case, &world)?;
        let steps = world.steps();
        let Some((last, others)) = steps.split_last() else { return close(self.case, &mut world) };
        for step in others {
            // A future cannot be copied: all but the last step begin again from the start.
            self.go(self.replay(World::new(self.case)), *step)?;
        }
        self.go(world, *last)
    }

    fn go(&mut self, mut world: World, step: Step) -> Result<(), Violation> {
        world.take(step);
        self.path.push(step);
        self.visit(world)?;
        self.path.pop();
        Ok(())
    }

    fn replay(&self, mut world: World) -> World {
        self.path.iter().for_each(|step| world.take(*step));
        world
    }

    fn story(&self) -> Vec<String> {
        let mut world = self.replay(World::logged(self.case));
        if world.running().next().is_none() {
            let _ = close(self.case, &mut world);
        }
        world.log()
    }
}
