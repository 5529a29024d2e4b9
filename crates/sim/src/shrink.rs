//! Makes a failing run small: fewer steps, no faults, whole kinds of commands left out, then command by command.

use crate::run::{carry_out, kinds};
use crate::target::Target;
use crate::{Failure, Plan};

/// Most runs that are spent on it.
const TRIES: usize = 250;

struct Shrinker<'t> {
    target: &'t Target,
    best: Box<Failure>,
    left: usize,
}

impl Shrinker<'_> {
    /// Keeps the plan if it fails as well.
    fn try_plan(&mut self, plan: Plan) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        match carry_out(&plan, self.target) {
            Ok(_) => false,
            Err(mut failure) => {
                failure.plan.steps = failure.step.min(plan.steps);
                self.best = failure;
                true
            }
        }
    }

    fn with(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.best.plan.clone();
        change(&mut plan);
        self.try_plan(plan)
    }
}

/// The smallest failing run that was found. A failure that depends on chance may stay as it was.
pub fn shrink(failure: Box<Failure>, target: &Target) -> Box<Failure> {
    let original = format!("{} (after {} steps)", failure.what, failure.step);
    let mut shrinker = Shrinker { target, best: failure, left: TRIES };
    let steps = shrinker.best.step.min(shrinker.best.plan.steps);
    shrinker.best.plan.steps = steps;
    // The fault may have happened well before it was noticed: look for the fewest steps that still fail.
    let (mut passes, mut fails) = (0, steps);
    while passes + 1 < fails {
        let middle = (passes + fails) / 2;
        if shrinker.with(|plan| plan.steps = middle) {
            fails = shrinker.best.plan.steps.min(middle);
        } else {
            passes = middle;
        }
    }
    shrinker.with(|plan| plan.faults = false);
    for kind in kinds() {
        shrinker.with(|plan| plan.without.extend([kind]));
    }
    let mut size = shrinker.best.sent.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        loop {
            let places: Vec<(usize, usize)> = shrinker.best.sent.iter().copied().skip(start).take(size).collect();
            if places.is_empty() {
                break;
            }
            if !shrinker.with(|plan| plan.left_out.extend(places)) {
                start += size;
            }
        }
        size /= 2;
    }
    // The whole story, now that it is short.
    shrinker.left = shrinker.left.max(1);
    shrinker.with(|plan| plan.whole_story = true);
    shrinker.best.original = Some(original);
    shrinker.best
}
