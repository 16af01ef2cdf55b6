//! Rules for one Rust file.

use super::{Finding, wrong};

/// At this length one looks for the seam.
const LONG: usize = 400;
/// At this length a file is split.
const TOO_LONG: usize = 600;
/// Tests are lists of cases; they may be longer.
const TOO_LONG_TESTS: usize = 800;

/// Crates in which nothing waits: what they need is handed to them.
const PURE: [&str; 8] = [
    "api", "base", "control", "metering", "model", "planner", "policy", "project",
];

/// Left over from writing, split so that this file does not hold them.
const LEFTOVERS: [&str; 5] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(wrong(
            "does not begin with `//!`: what it owns, what it refuses to know, its invariants",
        ));
    }
    findings.extend(length(file, text.lines().count()));
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if let Some(left) = LEFTOVERS.iter().find(|l| has_word(line, l)) {
            findings.push(wrong(format!("line {at}: `{left}` is left over")));
        }
        if has_word(line, concat!("#[ig", "nore")) {
            findings.push(wrong(format!("line {at}: a test that does not run is no test")));
        }
        if file.starts_with("crates/metering/") && (has_word(line, "f32") || has_word(line, "f64")) {
            findings.push(wrong(format!("line {at}: money is integers")));
        }
        if in_pure_crate(file) && has_word(line, "async fn") {
            findings.push(wrong(format!("line {at}: nothing waits in this crate")));
        }
    }
    findings
}

fn length(file: &str, lines: usize) -> Option<Finding> {
    let tests = file.ends_with("/tests.rs") || file.contains("/tests/");
    let limit = if tests { TOO_LONG_TESTS } else { TOO_LONG };
    if lines > limit {
        return Some(wrong(format!(
            "{lines} lines, {limit} are the limit: find the seam"
        )));
    }
    (lines > LONG && !tests).then(|| Finding::Doubtful(format!("{lines} lines: is there a seam?")))
}

fn in_pure_crate(file: &str) -> bool {
    file.strip_prefix("crates/")
        .and_then(|f| f.split_once("/src/"))
        .is_some_and(|(name, _)| PURE.contains(&name))
}

/// Whether the line holds the text and not as a part of a longer word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let open_end = !word.ends_with(part_of_word);
    line.match_indices(word).any(|(at, _)| {
        let before =
            line[..at].chars().next_back().is_some_and(part_of_word) && word.starts_with(part_of_word);
        let after = !open_end && line[at + word.len()..].chars().next().is_some_and(part_of_word);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_docs_come_first() {
        assert_eq!(check("crates/base/src/id.rs", "//! Ids.\n"), []);
        assert_eq!(
            check("crates/base/src/id.rs", "use std::fmt;\n//! Ids.\n").len(),
            1
        );
    }

    #[test]
    fn long_files_are_told() {
        let of = |file: &str, lines: usize| check(file, &format!("//! x\n{}", "\n".repeat(lines - 1)));
        assert_eq!(of("a/src/b.rs", 400), []);
        assert_eq!(
            of("a/src/b.rs", 401),
            [Finding::Doubtful("401 lines: is there a seam?".to_owned())]
        );
        assert!(matches!(of("a/src/b.rs", 601)[..], [Finding::Wrong(_)]));
        assert_eq!(of("a/src/b/tests.rs", 800), []);
        assert!(matches!(of("a/tests/it/main.rs", 801)[..], [Finding::Wrong(_)]));
    }

    #[test]
    fn leftovers_are_found_as_words() {
        let of = |line: &str| check("a/src/b.rs", &format!("//! x\n{line}\n")).len();
        assert_eq!(of(concat!("// FIX", "ME: later")), 1);
        assert_eq!(of(concat!("    to", "do!()")), 1);
        assert_eq!(of(concat!("#[ig", "nore = \"slow\"]")), 1);
        assert_eq!(of("let mastodon = TODOS;"), 0);
    }

    #[test]
    fn money_has_no_floats_and_pure_crates_do_not_wait() {
        let of = |file: &str, line: &str| check(file, &format!("//! x\n{line}\n")).len();
        assert_eq!(of("crates/metering/src/price.rs", "let price: f64 = 0;"), 1);
        assert_eq!(of("crates/metering/src/price.rs", "let buf640 = 0;"), 0);
        assert_eq!(of("crates/engine/src/price.rs", "let price: f64 = 0;"), 0);
        assert_eq!(of("crates/model/src/fact.rs", "pub async fn read() {}"), 1);
        assert_eq!(of("crates/engine/src/fact.rs", "pub async fn read() {}"), 0);
    }
}
