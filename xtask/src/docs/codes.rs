//! Each error code in the code has a page in `docs/errors`, and each page a code that is still in use.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Outcome, none_of};
use crate::{screen, workspace};

/// Looks through every crate and every page.
pub(super) fn check() -> Outcome {
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    let mut pages = BTreeSet::new();
    for file in workspace::files()? {
        if let Some(page) = file
            .strip_prefix("docs/errors/")
            .and_then(|f| f.strip_suffix(".md"))
        {
            pages.insert(page.to_owned());
        } else if file.starts_with("crates/")
            && file.contains("/src/")
            && file.ends_with(".rs")
            && !is_test(&file)
        {
            for code in in_code(&workspace::text(&file)?) {
                used.entry(code).or_insert_with(|| file.clone());
            }
        }
    }
    let findings = findings(&used, &pages);
    findings
        .iter()
        .for_each(|(place, what)| screen::finding(place, what));
    screen::say(format!(
        "error codes: {} in use, {} with a page",
        used.len(),
        used.keys().filter(|c| pages.contains(*c)).count()
    ));
    none_of(findings.len(), "error codes")
}

fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

fn findings(used: &BTreeMap<String, String>, pages: &BTreeSet<String>) -> Vec<(String, String)> {
    let no_page = used.iter().filter(|(code, _)| !pages.contains(*code));
    let no_code = pages.iter().filter(|p| is_code(p) && !used.contains_key(*p));
    let no_page = no_page.map(|(code, file)| {
        (
            file.clone(),
            format!("`{code}` has no page docs/errors/{code}.md"),
        )
    });
    let no_code = no_code.map(|code| {
        (
            format!("docs/errors/{code}.md"),
            "no code uses it any more".to_owned(),
        )
    });
    no_page.chain(no_code).collect()
}

/// `MS`, a nought, three digits.
fn is_code(text: &str) -> bool {
    text.len() == 6 && text.starts_with("MS0") && text[2..].chars().all(|c| c.is_ascii_digit())
}

/// The codes that stand as string literals before the file's own tests.
fn in_code(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines
        .flat_map(|l| l.split('"').skip(1).step_by(2))
        .filter(|l| is_code(l))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_outside_tests_count() {
        let text = "//! like \"MS0101\"\nlet code = \"MS0102\";\nlet x = \"see MS0103\";\n#[cfg(test)]\nmod tests { \"MS0104\" }";
        assert_eq!(in_code(text).into_iter().collect::<Vec<_>>(), ["MS0102"]);
    }

    #[test]
    fn a_missing_page_and_an_old_one_are_told() {
        let used = [("MS0102".to_owned(), "crates/a/src/lib.rs".to_owned())].into();
        let pages = ["MS0109", "README"].map(str::to_owned).into();
        let told: Vec<String> = findings(&used, &pages)
            .into_iter()
            .map(|(place, what)| format!("{place}: {what}"))
            .collect();
        assert_eq!(
            told,
            [
                "crates/a/src/lib.rs: `MS0102` has no page docs/errors/MS0102.md",
                "docs/errors/MS0109.md: no code uses it any more",
            ]
        );
    }
}
