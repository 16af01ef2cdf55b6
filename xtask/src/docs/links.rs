//! Links in Markdown files lead to files and headings that exist. Links out of the repository are not followed.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::failure::{Outcome, none_of};
use crate::workspace::{self, root};
use crate::{markdown, screen};

/// Checks every Markdown file under version control.
pub(super) fn check() -> Outcome {
    let files = workspace::files()?;
    let pages: BTreeMap<String, String> = files
        .into_iter()
        .filter(|f| f.ends_with(".md"))
        .filter_map(|f| workspace::text(&f).ok().map(|text| (f, text)))
        .collect();
    let mut findings = 0;
    for (page, text) in &pages {
        for (line, target) in markdown::links(text) {
            if let Some(what) = wrong(page, &target, &pages, &|path| root().join(path).exists()) {
                screen::finding(&format!("{page}:{line}"), &what);
                findings += 1;
            }
        }
    }
    none_of(findings, "links")
}

fn wrong(
    page: &str,
    target: &str,
    pages: &BTreeMap<String, String>,
    exists: &dyn Fn(&Path) -> bool,
) -> Option<String> {
    let outside = ["https://", "http://", "mailto:"]
        .iter()
        .any(|s| target.starts_with(s));
    if outside {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let path = if path.is_empty() {
        PathBuf::from(page)
    } else {
        resolved(&folder.join(path))?
    };
    if !exists(&path) {
        return Some(format!("`{target}` leads nowhere"));
    }
    let headings = pages.get(path.to_str()?).filter(|_| !anchor.is_empty())?;
    let there = markdown::anchors(headings).iter().any(|a| a == anchor);
    (!there).then(|| format!("`{target}`: {} has no such heading", path.display()))
}

/// Takes `.` and `..` out of a path within the repository.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if !resolved.pop() => return None,
            _ => {}
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_headings_are_looked_up() {
        let pages: BTreeMap<String, String> = [("docs/a.md", "# One\n"), ("README.md", "# Two words\n")]
            .map(|(f, t)| (f.to_owned(), t.to_owned()))
            .into();
        let exists = |path: &Path| pages.contains_key(path.to_str().unwrap()) || path == Path::new("docs");
        let cases = [
            ("../README.md", true),
            ("../README.md#two-words", true),
            ("#one", true),
            ("https://example.org/x#y", true),
            ("../docs", true),
            ("b.md", false),
            ("../README.md#three", false),
            ("#two", false),
        ];
        for (target, right) in cases {
            assert_eq!(
                wrong("docs/a.md", target, &pages, &exists).is_none(),
                right,
                "{target}"
            );
        }
    }
}
