//! Compares the crates' dependencies on each other with the table of what each may use.

mod table;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::failure::{Outcome, none_of};
use crate::options::Options;
use crate::screen;
use crate::workspace::{Package, Workspace};
use table::{ABOVE_ALL, FOR_ALL, LONGEST_CHAIN, Row, TABLE};

/// Internal edges by crate: what it uses, and whether only in tests.
type Edges = BTreeMap<String, Vec<(String, bool)>>;

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    check()
}

/// Checks the workspace; findings are printed.
pub(crate) fn check() -> Outcome {
    let started = Instant::now();
    let workspace = Workspace::read()?;
    let edges = edges(&workspace.packages);
    let findings = findings(&edges, TABLE);
    findings.iter().for_each(|f| screen::finding("layers", f));
    none_of(findings.len(), "layers")?;
    let chain = longest_chain(&edges);
    let uses: usize = edges.values().map(Vec::len).sum();
    screen::say(format!(
        "layers: {} crates, {uses} uses, the longest chain is {} ({}), {}",
        edges.len(),
        chain.len(),
        chain.join(" → "),
        screen::duration(started.elapsed())
    ));
    Ok(())
}

fn short(name: &str) -> &str {
    name.strip_prefix("mainstay-").unwrap_or(name)
}

fn edges(packages: &[Package]) -> Edges {
    let uses = |p: &Package| {
        let internal = p.dependencies.iter().filter(|d| d.internal);
        internal.map(|d| (short(&d.name).to_owned(), d.dev)).collect()
    };
    packages
        .iter()
        .map(|p| (short(&p.name).to_owned(), uses(p)))
        .collect()
}

fn findings(edges: &Edges, table: &[Row]) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, uses) in edges {
        let row = table.iter().find(|r| r.name == name);
        if row.is_none() && !ABOVE_ALL.contains(&name.as_str()) {
            findings.push(format!(
                "`{name}` is not in the table: give it a floor and say what it may use"
            ));
        }
        for (used, dev) in uses {
            let kind = if *dev { " in its tests" } else { "" };
            if ABOVE_ALL.contains(&used.as_str()) {
                findings.push(format!("`{name}` uses `{used}`{kind}, which nothing may"));
            } else if row.is_some_and(|r| !r.may_use.contains(&used.as_str())) && used != FOR_ALL {
                findings.push(format!(
                    "`{name}` uses `{used}`{kind}, which the table does not allow"
                ));
            }
        }
    }
    for row in table {
        for used in row.may_use {
            let below = table
                .iter()
                .find(|r| r.name == *used)
                .is_some_and(|r| r.floor < row.floor);
            if !below {
                findings.push(format!(
                    "the table lets `{}` use `{used}`, which is not on a floor below",
                    row.name
                ));
            }
        }
    }
    if let Some(cycle) = cycle(edges) {
        findings.push(format!("a loop: {}", cycle.join(" → ")));
    } else {
        let chain = longest_chain(edges);
        if chain.len() > LONGEST_CHAIN {
            findings.push(format!(
                "a chain of {}, the limit is {LONGEST_CHAIN}: {}",
                chain.len(),
                chain.join(" → ")
            ));
        }
    }
    findings
}

/// Finds a loop, tests included.
fn cycle(edges: &Edges) -> Option<Vec<String>> {
    fn visit(
        name: &str,
        edges: &Edges,
        path: &mut Vec<String>,
        done: &mut Vec<String>,
    ) -> Option<Vec<String>> {
        if let Some(at) = path.iter().position(|p| p == name) {
            return Some(path[at..].iter().cloned().chain([name.to_owned()]).collect());
        }
        if done.iter().any(|d| d == name) {
            return None;
        }
        path.push(name.to_owned());
        let found = edges
            .get(name)
            .into_iter()
            .flatten()
            .find_map(|(used, _)| visit(used, edges, path, done));
        path.pop();
        done.push(name.to_owned());
        found
    }
    let mut done = Vec::new();
    edges
        .keys()
        .find_map(|name| visit(name, edges, &mut Vec::new(), &mut done))
}

/// The longest chain of uses outside tests, the crate that is above all apart; the edges have no loop.
fn longest_chain(edges: &Edges) -> Vec<String> {
    fn below(name: &str, edges: &Edges, known: &mut BTreeMap<String, Vec<String>>) -> Vec<String> {
        if let Some(chain) = known.get(name) {
            return chain.clone();
        }
        let uses = edges.get(name).into_iter().flatten().filter(|(_, dev)| !dev);
        let longest = uses
            .map(|(used, _)| below(used, edges, known))
            .max_by_key(Vec::len)
            .unwrap_or_default();
        let chain: Vec<String> = longest.into_iter().chain([name.to_owned()]).collect();
        known.insert(name.to_owned(), chain.clone());
        chain
    }
    let mut known = BTreeMap::new();
    let names = edges.keys().filter(|n| !ABOVE_ALL.contains(&n.as_str()));
    names
        .map(|n| below(n, edges, &mut known))
        .max_by_key(Vec::len)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &[Row] = &[
        Row {
            name: "base",
            floor: 0,
            may_use: &[],
        },
        Row {
            name: "model",
            floor: 1,
            may_use: &["base"],
        },
        Row {
            name: "sql",
            floor: 2,
            may_use: &["base", "model"],
        },
    ];

    fn house(uses: &[(&str, &[(&str, bool)])]) -> Edges {
        let list = |used: &[(&str, bool)]| used.iter().map(|(n, d)| ((*n).to_owned(), *d)).collect();
        uses.iter()
            .map(|(name, used)| ((*name).to_owned(), list(used)))
            .collect()
    }

    #[test]
    fn the_table_itself_is_in_order() {
        assert_eq!(findings(&Edges::new(), TABLE), Vec::<String>::new());
    }

    #[test]
    fn what_the_table_allows_passes() {
        let edges = house(&[
            ("base", &[]),
            ("model", &[("base", false)]),
            ("sql", &[("model", false), ("base", true)]),
            ("sim", &[("sql", false)]),
        ]);
        assert_eq!(findings(&edges, SMALL), Vec::<String>::new());
        assert_eq!(longest_chain(&edges), ["base", "model", "sql"]);
    }

    #[test]
    fn what_it_does_not_is_named() {
        let edges = house(&[
            ("base", &[("sql", true)]),
            ("model", &[("sim", false)]),
            ("attic", &[]),
        ]);
        assert_eq!(
            findings(&edges, SMALL),
            [
                "`attic` is not in the table: give it a floor and say what it may use",
                "`base` uses `sql` in its tests, which the table does not allow",
                "`model` uses `sim`, which nothing may",
            ]
        );
    }

    #[test]
    fn a_loop_through_tests_is_a_loop() {
        let edges = house(&[("base", &[("model", true)]), ("model", &[("base", false)])]);
        assert_eq!(
            cycle(&edges),
            Some(["base", "model", "base"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn a_table_that_points_up_is_wrong() {
        let upside_down = [
            Row {
                name: "base",
                floor: 0,
                may_use: &["model"],
            },
            SMALL[1],
        ];
        assert_eq!(findings(&Edges::new(), &upside_down).len(), 1);
    }

    #[test]
    fn a_chain_above_the_limit_is_told() {
        let names: Vec<String> = (0..=LONGEST_CHAIN).map(|i| format!("c{i}")).collect();
        let edges: Edges = names
            .iter()
            .enumerate()
            .map(|(i, n)| {
                (
                    n.clone(),
                    i.checked_sub(1)
                        .map(|j| (names[j].clone(), false))
                        .into_iter()
                        .collect(),
                )
            })
            .collect();
        let told = findings(&edges, &[]);
        assert!(
            told.iter()
                .any(|f| f.starts_with("a chain of 8, the limit is 7: c0 → c1")),
            "{told:?}"
        );
    }
}
