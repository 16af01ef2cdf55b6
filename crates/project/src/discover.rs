//! Which files are a project's.

/// Folders that hold no project files, at any depth: what tools and mainstay itself put there. Below `jobs/` a folder is the
/// schema of its jobs, whatever its name.
const FOREIGN_FOLDERS: [&str; 3] = ["target", "node_modules", "data"];
/// TOML files of other tools whose tables look like ours.
const FOREIGN_FILES: [&str; 2] = ["pyproject.toml", "Cargo.toml"];

/// Says whether a file is to be read as a part of a project: `*.toml` in any folder, and `jobs/**/*.sql`. Hidden files and
/// folders (`.mainstay` among them) are passed over, and outside `jobs/` the folders `target`, `node_modules` and `data`.
///
/// The path is relative to the project, with `/` between its parts. TOML files of other tools need not be told apart here:
/// [`load`](crate::load) passes over those that have none of our tables.
pub fn is_project_file(relative_path: &str) -> bool {
    let parts: Vec<&str> = relative_path.split('/').collect();
    let Some((name, folders)) = parts.split_last() else {
        return false;
    };
    if parts.iter().any(|part| part.is_empty() || part.starts_with('.')) {
        return false;
    }
    let jobs = folders.first() == Some(&"jobs");
    if !jobs && folders.iter().any(|folder| FOREIGN_FOLDERS.contains(folder)) {
        return false;
    }
    if name.ends_with(".sql") {
        return jobs;
    }
    name.ends_with(".toml") && !FOREIGN_FILES.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_and_others() {
        for ours in [
            "mainstay.toml",
            "air/sources.toml",
            "jobs/air/x.sql",
            "jobs/x.sql",
            "jobs/a/checks.toml",
            "jobs/data/orders.sql",
            "jobs/target/a.toml",
        ] {
            assert!(is_project_file(ours), "{ours}");
        }
        for other in [
            "",
            "README.md",
            "x.sql",
            "air/jobs/x.sql",
            ".mainstay/x.toml",
            "jobs/.git/x.sql",
            "a/target/x.toml",
            "node_modules/a/x.toml",
            "data/jobs.toml",
            "pyproject.toml",
            ".hidden.toml",
            "/mainstay.toml",
            "../mainstay.toml",
            "jobs/a/x.SQL",
        ] {
            assert!(!is_project_file(other), "{other}");
        }
    }
}
