//! The rules for files that no compiler checks: module docs, size, names, leftovers, where floats and async may be.
//!
//! Reads every file under version control once. Knows nothing about what a file means, only how it looks.

mod code;
mod content;
mod place;
mod unused;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::failure::{Outcome, none_of};
use crate::options::Options;
use crate::workspace::{self, Workspace};
use crate::{screen, workspace::root};

/// What a rule says about a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Has to be changed.
    Wrong(String),
    /// Should be looked at.
    Doubtful(String),
}

/// Builds a finding that fails the check.
fn wrong(what: impl Into<String>) -> Finding {
    Finding::Wrong(what.into())
}

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    check()
}

/// Checks every file; findings are printed.
pub(crate) fn check() -> Outcome {
    let started = Instant::now();
    let mut texts = BTreeMap::new();
    let mut findings = Vec::new();
    for file in workspace::files()? {
        let size = std::fs::metadata(root().join(&file)).map_or(0, |m| m.len());
        findings.extend(place::check(&file, size).into_iter().map(|f| (file.clone(), f)));
        if let Ok(text) = std::fs::read_to_string(root().join(&file)) {
            texts.insert(file, text);
        }
    }
    let strangers = content::strangers();
    for (file, text) in &texts {
        let mut found = content::check(file, text, &strangers);
        if file.ends_with(".rs") {
            found.extend(code::check(file, text));
            found.extend(place::reachable(file, &texts));
        }
        findings.extend(found.into_iter().map(|f| (file.clone(), f)));
    }
    let packages = Workspace::read()?.packages;
    findings.extend(unused::check(&packages, root(), &texts));
    report(&findings)?;
    let code = texts.iter().filter(|(f, _)| f.ends_with(".rs"));
    let (files, lines) = code.fold((0, 0), |(files, lines), (_, t)| {
        (files + 1, lines + t.lines().count())
    });
    screen::say(format!(
        "tidy: {files} Rust files, {lines} lines, {}",
        screen::duration(started.elapsed())
    ));
    Ok(())
}

fn report(findings: &[(String, Finding)]) -> Outcome {
    let mut failures = 0;
    for (file, finding) in findings {
        match finding {
            Finding::Wrong(what) => {
                failures += 1;
                screen::finding(file, what);
            }
            Finding::Doubtful(what) => screen::finding(file, &format!("(warning) {what}")),
        }
    }
    none_of(failures, "tidy")
}
