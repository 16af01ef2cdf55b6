//! Tests that the threat model names are there.

use std::collections::BTreeSet;

use crate::failure::{Outcome, none_of};
use crate::{screen, workspace};

const PAGE: &str = "docs/threats.md";

/// Looks for each test that the page names.
pub(super) fn check() -> Outcome {
    let mut tests = BTreeSet::new();
    for file in workspace::files()?.iter().filter(|f| f.ends_with(".rs")) {
        tests.extend(declared(&workspace::text(file)?));
    }
    let page = workspace::text(PAGE)?;
    let named = named(&page);
    let missing: Vec<&str> = named.iter().copied().filter(|n| !tests.contains(*n)).collect();
    for name in &missing {
        screen::finding(PAGE, &format!("there is no test `{name}`"));
    }
    screen::say(format!("tests named by {PAGE}: {}", named.len()));
    none_of(missing.len(), "missing tests")
}

/// The names of functions after `#[test]`.
fn declared(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines = || text.lines().map(str::trim);
    let after = lines()
        .zip(lines().skip(1))
        .filter(|(before, _)| *before == "#[test]");
    after.filter_map(|(_, line)| {
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        Some(name.to_owned())
    })
}

/// What stands in code marks in the last cells of tables.
fn named(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter(|l| l.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let marked = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    marked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_on_both_sides() {
        let page = "| what | stops | test |\n|---|---|---|\n| a `b` | c | `one`, `two_more` |\n";
        assert_eq!(named(page), BTreeSet::from(["one", "two_more"]));
        let code = "    #[test]\n    fn one() {\n#[test]\nfn two_more() -> R {\nfn three() {}\n";
        assert_eq!(declared(code).collect::<Vec<_>>(), ["one", "two_more"]);
    }
}
