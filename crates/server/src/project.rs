//! A project's files on disk.

use std::collections::BTreeSet;
use std::path::Path;

use mainstay_api::Error;
use mainstay_project::SourceFile;

use crate::error;

/// Reads all files of a project that may declare something, in the order of their names.
pub(crate) fn read(dir: &Path) -> Result<Vec<SourceFile>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    // A link to a folder above would be walked for ever.
    let mut walked = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let real = folder
            .canonicalize()
            .map_err(|e| error::file("read", &folder, &e))?;
        if !walked.insert(real) {
            continue;
        }
        let entries = std::fs::read_dir(&folder).map_err(|e| error::file("read", &folder, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| error::file("read", &folder, &e))?.path();
            let Some(relative) = relative(dir, &path) else {
                continue;
            };
            if path.is_dir() {
                // A folder counts if a file in it could.
                if mainstay_project::is_project_file(&format!("{relative}/x.toml")) {
                    folders.push(path);
                }
            } else if mainstay_project::is_project_file(&relative) {
                let bytes = std::fs::read(&path).map_err(|e| error::file("read", &path, &e))?;
                files.push(SourceFile {
                    path: relative,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn relative(dir: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(dir).ok()?.iter().map(|p| p.to_str()).collect();
    parts.map(|p| p.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_between_folders_are_not_walked_for_ever() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("jobs/shop")).expect("a folder");
        std::fs::write(at("mainstay.toml"), "[project]\n").expect("written");
        std::fs::write(at("jobs/shop/x.sql"), "SELECT 1 AS x\n").expect("written");
        for link in ["loop", "jobs/loop", "jobs/shop/loop"] {
            std::os::unix::fs::symlink(dir.path(), at(link)).expect("a link");
        }
        let files = read(dir.path()).expect("read");
        let paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["jobs/shop/x.sql", "mainstay.toml"]);
    }
}
