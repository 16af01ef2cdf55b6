//! A project's files on disk.

use std::path::Path;

use mainstay_api::Error;
use mainstay_project::SourceFile;

use crate::error;

/// Reads all files of a project that may declare something, in the order of their names.
pub(crate) fn read(dir: &Path) -> Result<Vec<SourceFile>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
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
