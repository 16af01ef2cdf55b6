//! Rules for where a file is, what it is called, and how big it may be.

use std::collections::BTreeMap;

use super::{Finding, wrong};

/// A name that says nothing about what is in the file.
const EMPTY_NAMES: [&str; 7] = [
    "common.rs",
    "helper.rs",
    "helpers.rs",
    "manager.rs",
    "misc.rs",
    "util.rs",
    "utils.rs",
];

/// Above this, a file belongs under `examples/*/data`, or nowhere.
const BIG: u64 = 512 * 1024;

pub(super) fn check(file: &str, size: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = file.rsplit('/').next().unwrap_or(file);
    if name == "mod.rs" {
        findings.push(wrong("`foo.rs` beside `foo/`, never `foo/mod.rs`"));
    }
    if EMPTY_NAMES.contains(&name) {
        findings.push(wrong("a module is named by the noun it owns"));
    }
    let data = file.starts_with("examples/") && file.contains("/data/");
    if size > BIG && !data && name != "Cargo.lock" {
        findings.push(wrong(format!(
            "{} KiB, {} are the limit",
            size / 1024,
            BIG / 1024
        )));
    }
    findings
}

/// A file of a crate that no `mod` line names is never compiled.
pub(super) fn reachable(file: &str, texts: &BTreeMap<String, String>) -> Option<Finding> {
    let (folder, name) = file.rsplit_once('/')?;
    let module = name.strip_suffix(".rs")?;
    let roots = ["lib.rs", "main.rs"];
    let in_tests_root =
        folder.ends_with("/tests") || folder.ends_with("/examples") || folder.ends_with("/benches");
    let in_sources = folder.contains("/src") || folder.contains("/tests") || folder.contains("/examples");
    if roots.contains(&name)
        || name == "build.rs"
        || in_tests_root
        || folder.ends_with("/src/bin")
        || !in_sources
    {
        return None;
    }
    let siblings = roots.iter().map(|r| format!("{folder}/{r}"));
    let declaring: Vec<&String> = siblings
        .chain([format!("{folder}.rs")])
        .filter_map(|p| texts.get(&p))
        .collect();
    let declared = |text: &&&String| {
        text.lines().any(|line| {
            line.trim_end()
                .strip_suffix(';')
                .is_some_and(|l| l.ends_with(&format!("mod {module}")))
        })
    };
    if declaring.iter().any(|text| declared(&text)) {
        return None;
    }
    Some(wrong(format!(
        "is never compiled: no `mod {module};` leads to it"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes() {
        assert_eq!(check("crates/base/src/id.rs", 100), []);
        assert_eq!(check("crates/base/src/id/mod.rs", 100).len(), 1);
        assert_eq!(check("crates/base/src/utils.rs", 100).len(), 1);
        assert_eq!(check("docs/film.gif", 3_000_000).len(), 1);
        assert_eq!(check("examples/flights/data/flights.parquet", 3_000_000), []);
    }

    #[test]
    fn a_file_without_a_mod_line_is_dead() {
        let texts: BTreeMap<String, String> = [
            ("crates/a/src/lib.rs", "//! x\npub mod slice;\n"),
            ("crates/a/src/slice.rs", "//! x\n#[cfg(test)]\nmod tests;\n"),
            ("crates/a/src/slice/tests.rs", ""),
            ("crates/a/src/slice/dead.rs", ""),
            ("crates/a/tests/it/main.rs", "mod cases;"),
            ("crates/a/tests/it/cases.rs", ""),
            ("crates/a/examples/bench.rs", ""),
        ]
        .map(|(f, t)| (f.to_owned(), t.to_owned()))
        .into();
        let dead: Vec<&String> = texts.keys().filter(|f| reachable(f, &texts).is_some()).collect();
        assert_eq!(dead, ["crates/a/src/slice/dead.rs"]);
    }
}
