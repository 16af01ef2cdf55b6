//! Rules for the text of any file: nothing in it may depend on the machine it was written on.

use std::path::Path;

use super::{Finding, wrong};
use crate::workspace::root;

/// Where packages come from is each machine's own matter; split so that this file does not hold them.
const SOURCES: [&str; 5] = [
    concat!("--index", "-url"),
    concat!("--extra-index", "-url"),
    concat!("\"resolved\": \"", "http"),
    concat!("registry ", "= \"http"),
    concat!("replace", "-with"),
];

/// Folders that every machine has.
const EVERYWHERE: [&str; 9] = [
    "/", "/home", "/mnt", "/opt", "/srv", "/tmp", "/usr", "/var", "/Users",
];

/// Returns the folders of this machine that no file may name: where the checkout is, and the home of who wrote it.
pub(super) fn strangers() -> Vec<String> {
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let places = [root().parent().map(Path::to_owned), home];
    let places = places.into_iter().flatten().map(|p| p.display().to_string());
    places
        .filter(|p| p.starts_with('/') && !EVERYWHERE.contains(&p.as_str()))
        .map(|p| format!("{p}/"))
        .collect()
}

pub(super) fn check(file: &str, text: &str, strangers: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if let Some(place) = strangers.iter().find(|s| names_folder(line, s)) {
            findings.push(wrong(format!("line {at}: `{place}` is a folder of one machine")));
        }
        if file != "Cargo.lock" && SOURCES.iter().any(|s| line.contains(s)) {
            findings.push(wrong(format!(
                "line {at}: where packages come from is each machine's own matter"
            )));
        }
        if line.starts_with(concat!("<<<<", "<<< ")) || line.starts_with(concat!(">>>>", ">>> ")) {
            findings.push(wrong(format!("line {at}: a merge was not finished")));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') && file.ends_with(".rs") {
        findings.push(wrong("does not end with a new line"));
    }
    findings
}

/// Whether a path in the line begins with the folder: `/place/x` does for `/place/`, `/net/place/x` and `a/place/x` do not.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "/._-}~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(file: &str, text: &str) -> usize {
        check(file, text, &["/place/".to_owned()]).len()
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        assert_eq!(count("docs/a.md", "see /place/main\n"), 1);
        assert_eq!(
            count("docs/a.md", "see examples/place/main and s3://b/place/x\n"),
            0
        );
    }

    #[test]
    fn sources_of_packages_are_found() {
        assert_eq!(count(".ci/run", concat!("pip install --index", "-url x\n")), 1);
        assert_eq!(
            count(
                "package-lock.json",
                concat!("  \"resolved\": \"", "https://somewhere\",\n")
            ),
            1
        );
    }

    #[test]
    fn leftovers_of_merges_and_line_ends() {
        assert_eq!(count("a.toml", concat!("<<<<", "<<< HEAD\n")), 1);
        assert_eq!(count("a.rs", "//! x"), 1);
    }
}
