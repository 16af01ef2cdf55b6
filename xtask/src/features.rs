//! What the demo's build and the tests' build do not share.
//!
//! Cargo resolves features for the crates it is asked to build. If the tests of the whole workspace switch on one feature more
//! in a heavy dependency than the binary alone does, that dependency and all above it are built twice: the second command of
//! the README would then take as long as the first.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::screen;

/// These and everything above them are most of a build.
const HEAVY: [&str; 8] = [
    "arrow-",
    "datafusion",
    "deltalake",
    "parquet",
    "object_store",
    "tokio",
    "libsqlite3-sys",
    "sqlparser",
];

/// Features by package and version.
type Resolved = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    check()
}

/// Fails if a heavy dependency is built twice; light ones are counted.
pub(crate) fn check() -> Outcome {
    let binary = resolve(&["--package", "mainstay-cli", "--edges", "normal,build"])?;
    let all = resolve(&["--workspace", "--edges", "normal,build,dev"])?;
    let differing = differences(&binary, &all);
    for (package, only) in &differing {
        screen::finding(package, &format!("only the tests' build has {}", only.join(", ")));
    }
    let heavy = differing
        .keys()
        .filter(|p| HEAVY.iter().any(|h| p.starts_with(h)))
        .count();
    screen::say(format!(
        "features: {} packages in the binary, {} of them built again for the tests",
        binary.len(),
        differing.len()
    ));
    if heavy == 0 {
        return Ok(());
    }
    Err(
        Failure::new(format!("features: {heavy} heavy packages are built twice"))
            .help("let `crates/cli` (or a crate below it) ask for the same features as the tests do"),
    )
}

fn resolve(selection: &[&str]) -> Outcome<Resolved> {
    let text = Program::cargo()
        .args(["tree", "--prefix=none", "--format={p}|{f}"])
        .args(selection)
        .output()?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Resolved {
    let mut resolved = Resolved::new();
    for line in text.lines() {
        let Some((package, features)) = line.split_once('|') else {
            continue;
        };
        let package = package.split(" (").next().unwrap_or(package);
        let features = features
            .trim_end_matches(" (*)")
            .split(',')
            .filter(|f| !f.is_empty())
            .map(str::to_owned);
        resolved.entry(package.to_owned()).or_default().extend(features);
    }
    resolved
}

fn differences(binary: &Resolved, all: &Resolved) -> BTreeMap<String, Vec<String>> {
    let more = |package: &String, has: &BTreeSet<String>| {
        let only: Vec<String> = all.get(package)?.difference(has).cloned().collect();
        (!only.is_empty()).then(|| (package.clone(), only))
    };
    binary
        .iter()
        .filter_map(|(package, has)| more(package, has))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_the_tests_have_is_named() {
        let binary = parse(
            "mainstay-cli v0.1.0 (/w/crates/cli)|\ntokio v1.54.0|rt,sync\nserde v1.0.0|\ntokio v1.54.0|rt,sync (*)\n",
        );
        let all = parse("tokio v1.54.0|rt,sync,test-util\nserde v1.0.0|\ninsta v1.0.0|default\n");
        assert_eq!(binary.len(), 3);
        let told: Vec<_> = differences(&binary, &all).into_iter().collect();
        assert_eq!(told, [("tokio v1.54.0".to_owned(), vec!["test-util".to_owned()])]);
    }
}
