//! Runs the named parts of a command, each to its end whatever became of the one before it, and says how each went.

use std::time::Instant;

use crate::failure::{Failure, Outcome};
use crate::screen;

/// A name, and what it does.
pub(crate) type Part = (&'static str, fn() -> Outcome);

/// Runs the parts that were asked for, all if none was.
pub(crate) fn run(command: &str, parts: &[Part], wanted: &[String]) -> Outcome {
    let names = || parts.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = wanted.iter().find(|w| !parts.iter().any(|(name, _)| name == w)) {
        return Err(Failure::usage(format!("`{command}` has no part `{unknown}`"))
            .help(format!("its parts: {}", names())));
    }
    let mut failed = Vec::new();
    for (name, work) in parts
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name))
    {
        let started = Instant::now();
        let outcome = work();
        if let Err(failure) = &outcome {
            screen::failure(failure);
            failed.push(*name);
        }
        screen::closing(name, outcome.is_ok(), started.elapsed());
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{command} failed: {}", failed.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Part; 3] = [
        ("good", || Ok(())),
        ("bad", || Err(Failure::new("no"))),
        ("worse", || Err(Failure::new("no"))),
    ];

    fn told(wanted: &[&str]) -> Option<String> {
        run(
            "lint",
            &PARTS,
            &wanted.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(),
        )
        .err()
        .map(|f| f.message)
    }

    #[test]
    fn every_part_runs_and_each_failure_counts() {
        assert_eq!(told(&[]).as_deref(), Some("lint failed: bad, worse"));
        assert_eq!(told(&["good"]), None);
        assert_eq!(told(&["good", "worse"]).as_deref(), Some("lint failed: worse"));
        assert_eq!(told(&["ugly"]).as_deref(), Some("`lint` has no part `ugly`"));
    }
}
