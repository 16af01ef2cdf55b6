//! What cargo says about this workspace: its root, its crates, where it builds.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::program::Program;

/// A crate of the workspace and what it declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder of its manifest.
    pub(crate) folder: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as declared, whether internal or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only for tests, examples and benchmarks.
    pub(crate) dev: bool,
    /// A crate of this workspace.
    pub(crate) internal: bool,
}

/// The workspace as `cargo metadata` tells it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// In order of name.
    pub(crate) packages: Vec<Package>,
    pub(crate) target: PathBuf,
}

/// The folder with the workspace's `Cargo.toml`: of the clone in which this is run, which need not be the one in which it was built.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = std::env::var_os("CARGO_MANIFEST_DIR");
        let own = own.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        own.parent().unwrap_or(&own).to_path_buf()
    });
    &ROOT
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Outcome<Self> {
        let text = Program::cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .output()?;
        Self::parse(&serde_json::from_str(&text).context("cargo metadata")?)
    }

    fn parse(metadata: &Value) -> Outcome<Self> {
        let strange = || Failure::new("cargo metadata has an unknown shape");
        let list = metadata["packages"].as_array().ok_or_else(strange)?;
        let mut packages = list
            .iter()
            .map(package)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(strange)?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let target = metadata["target_directory"].as_str().ok_or_else(strange)?.into();
        Ok(Self { packages, target })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|p| p.name == name)
    }

    /// The built binary of the development profile.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target
            .join("debug")
            .join(format!("mainstay{}", std::env::consts::EXE_SUFFIX))
    }
}

fn package(value: &Value) -> Option<Package> {
    let manifest = Path::new(value["manifest_path"].as_str()?);
    let dependencies = value["dependencies"].as_array()?.iter().map(|d| {
        Some(Dependency {
            name: d["name"].as_str()?.to_owned(),
            dev: d["kind"].as_str() == Some("dev"),
            internal: d["path"].is_string(),
        })
    });
    Some(Package {
        name: value["name"].as_str()?.to_owned(),
        folder: manifest.parent()?.to_owned(),
        dependencies: dependencies.collect::<Option<_>>()?,
    })
}

/// Every file that is under version control or could be, relative to the root, in order; ignored ones left out.
pub(crate) fn files() -> Outcome<Vec<String>> {
    let text = Program::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()?;
    let mut files: Vec<String> = text
        .split('\0')
        .filter(|f| !f.is_empty() && root().join(f).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Reads a file given relative to the root.
pub(crate) fn text(file: &str) -> Outcome<String> {
    std::fs::read_to_string(root().join(file)).context(file)
}

/// Writes a file given relative to the root, with its folder.
pub(crate) fn write(file: &str, text: &str) -> Outcome {
    let path = root().join(file);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(folder.display())?;
    }
    std::fs::write(&path, text).context(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read() {
        let metadata = serde_json::json!({
            "target_directory": "/t",
            "packages": [{
                "name": "b", "manifest_path": "/w/crates/b/Cargo.toml",
                "dependencies": [
                    {"name": "a", "kind": null, "path": "/w/crates/a"},
                    {"name": "insta", "kind": "dev"},
                ],
            }],
        });
        let read = Workspace::parse(&metadata).unwrap();
        assert_eq!(read.packages[0].folder, Path::new("/w/crates/b"));
        let flags: Vec<_> = read.packages[0]
            .dependencies
            .iter()
            .map(|d| (d.name.as_str(), d.dev, d.internal))
            .collect();
        assert_eq!(flags, [("a", false, true), ("insta", true, false)]);
        assert!(Workspace::parse(&serde_json::json!({})).is_err());
    }
}
