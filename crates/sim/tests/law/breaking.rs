//! Rules of dependencies, broken on purpose: the law finds them within the cases of the suite.
//!
//! `MAINSTAY_LAW_BREAK` names the rule (`cargo xtask law --break RULE`). Rules can only be broken in a build for development.

#[cfg(debug_assertions)]
use std::time::{Duration, Instant};

#[cfg(debug_assertions)]
use mainstay_sql::broken::{self, RULES};

/// Breaks the rule that was named, for what this thread does.
pub(crate) fn set() {
    let Ok(name) = std::env::var("MAINSTAY_LAW_BREAK") else {
        return;
    };
    #[cfg(debug_assertions)]
    {
        let found = RULES.iter().find(|(n, _)| *n == name);
        let names: Vec<&str> = RULES.iter().map(|(n, _)| *n).collect();
        let (_, rule) =
            found.unwrap_or_else(|| panic!("`{name}` is none of the rules: {}", names.join(", ")));
        broken::set(Some(*rule));
    }
    #[cfg(not(debug_assertions))]
    panic!("the rule `{name}` can only be broken in a build for development");
}

/// Says whether a rule is broken on this thread.
pub(crate) fn is_on() -> bool {
    #[cfg(debug_assertions)]
    return broken::get().is_some();
    #[cfg(not(debug_assertions))]
    false
}

/// Rules that the random projects of the suite show to be broken, and where each was found first. `mainstay-sql` tries out all of
/// them, query by query. Some cannot be seen here at all: where an aggregate is the slice column it is not known which slices
/// there are, so that everything is computed whatever is said of a slice.
#[cfg(debug_assertions)]
const FOUND: [(&str, u64); 3] = [("join", 322), ("union", 291), ("window", 387)];

/// So long a broken rule may stay unseen.
#[cfg(debug_assertions)]
const PATIENCE: Duration = Duration::from_secs(110);

#[cfg(debug_assertions)]
#[test]
fn a_broken_rule_is_caught() {
    use crate::here::Here;
    use crate::hold::hold;
    use crate::oracle::Oracle;

    let Some(python) = mainstay_sim::python() else {
        eprintln!("SKIPPED: the tests' Python packages are not installed (cargo xtask tools)");
        return;
    };
    let mut oracle = Oracle::start(&python);
    let mut missed = Vec::new();
    for (name, first) in FOUND {
        let rule = RULES.iter().find(|(n, _)| *n == name).expect("a rule").1;
        let began = Instant::now();
        // From where it was found on, and then from the beginning of the suite's cases.
        let mut seeds = (first..first + 3).chain(crate::SEED..crate::SEED + crate::CASES);
        let caught = seeds.find_map(|seed| {
            if began.elapsed() > PATIENCE {
                return None;
            }
            broken::set(Some(rule));
            let (_, broken) = hold(&crate::made(seed), &mut Here::new(), &mut oracle);
            broken::set(None);
            broken.filter(|b| b.way == "rows").map(|b| (seed, b))
        });
        match caught {
            Some((seed, b)) => eprintln!(
                "{name}: seed {seed}, {:.1} s: {}",
                began.elapsed().as_secs_f64(),
                b.what
            ),
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "broken, and not caught: {missed:?}");
}
