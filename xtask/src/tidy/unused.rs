//! Dependencies that a crate declares and does not name in its code: they cost everybody's build.

use std::collections::BTreeMap;
use std::path::Path;

use super::code::has_word;
use super::{Finding, wrong};
use crate::workspace::Package;

/// Holds no code, only the features of heavy dependencies that every build shares.
const FOR_FEATURES: &str = "mainstay-unify";

pub(super) fn check(
    packages: &[Package],
    root: &Path,
    texts: &BTreeMap<String, String>,
) -> Vec<(String, Finding)> {
    let mut findings = Vec::new();
    for package in packages {
        let folder = package
            .folder
            .strip_prefix(root)
            .unwrap_or(&package.folder)
            .display()
            .to_string();
        let manifest = format!("{folder}/Cargo.toml");
        if !texts
            .get(&manifest)
            .is_some_and(|t| t.contains("[lints]\nworkspace = true"))
        {
            findings.push((manifest.clone(), wrong("does not take the workspace's lints")));
        }
        let code: Vec<&String> = texts
            .iter()
            .filter(|(f, _)| f.starts_with(&format!("{folder}/")) && f.ends_with(".rs"))
            .map(|(_, t)| t)
            .collect();
        for dependency in &package.dependencies {
            let name = dependency.name.replace('-', "_");
            let named = code.iter().any(|t| t.lines().any(|line| has_word(line, &name)));
            if !named && package.name != FOR_FEATURES && dependency.name != FOR_FEATURES {
                findings.push((
                    manifest.clone(),
                    wrong(format!("`{}` is not used", dependency.name)),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    #[test]
    fn a_dependency_that_no_line_names_is_unused() {
        let dependency = |name: &str| Dependency {
            name: name.to_owned(),
            dev: false,
            internal: false,
        };
        let package = Package {
            name: "mainstay-a".to_owned(),
            folder: "/w/crates/a".into(),
            dependencies: vec![dependency("serde-json"), dependency("tokio")],
        };
        let texts = [
            ("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("crates/a/src/lib.rs", "use serde_json::Value;\n"),
            ("crates/ab/src/lib.rs", "use tokio::task;\n"),
        ]
        .map(|(f, t)| (f.to_owned(), t.to_owned()))
        .into();
        let found = check(&[package], Path::new("/w"), &texts);
        assert_eq!(
            found,
            [("crates/a/Cargo.toml".to_owned(), wrong("`tokio` is not used"))]
        );
    }
}
