//! `init`: a small project that works.

use std::path::Path;

use mainstay_api::{Error, ErrorKind};
use serde_json::json;

use crate::Done;
use crate::output::Output;

/// The files of the project, with their contents.
const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", include_str!("init/mainstay.toml")),
    ("jobs/shop/daily_sales.sql", include_str!("init/daily_sales.sql")),
    ("data/orders/2026-01-01.csv", include_str!("init/2026-01-01.csv")),
    ("data/orders/2026-01-02.csv", include_str!("init/2026-01-02.csv")),
];

/// What version control passes over, and the line that says so of the home.
const IGNORED: (&str, &str) = (".gitignore", ".mainstay/");

pub(super) fn init(dir: &Path, output: &Output) -> Result<Done, Error> {
    if dir.join(mainstay_server::PROJECT_FILE).exists() {
        let message = format!("{} is a project already", dir.display());
        return Err(Error::new(ErrorKind::Refused, "MS0009", message)
            .help("nothing was changed; choose another folder"));
    }
    let taken: Vec<&str> = FILES
        .iter()
        .map(|(path, _)| *path)
        .filter(|p| dir.join(p).exists())
        .collect();
    if !taken.is_empty() {
        let message = format!(
            "{} has files of the same names already: {}",
            dir.display(),
            taken.join(", ")
        );
        return Err(Error::new(ErrorKind::Refused, "MS0009", message)
            .help("nothing was changed; choose another folder"));
    }
    for (path, text) in FILES {
        write(&dir.join(path), text.as_bytes())?;
    }
    schemas(dir)?;
    let mut files: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
    files.extend(ignore_home(dir)?.then_some(IGNORED.0));
    if output.is_json() {
        output.document(&json!({ "files": files }));
    } else {
        files
            .iter()
            .for_each(|f| output.line(format!("  + {}", dir.join(f).display())));
        if dir == Path::new(".") {
            output.next("mainstay plan");
        } else {
            output.next(&format!("cd {} && mainstay plan", dir.display()));
        }
    }
    Ok(Done::Well)
}

/// Keeps the home out of version control: the folder may have a `.gitignore` already. Says whether one was written.
pub(super) fn ignore_home(dir: &Path) -> Result<bool, Error> {
    let (name, line) = IGNORED;
    let path = dir.join(name);
    let mut text = match std::fs::read(&path) {
        Ok(there) => there,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            let message = format!("cannot read {}", path.display());
            return Err(Error::new(ErrorKind::Unavailable, "MS0702", message).because(&e));
        }
    };
    let known = |l: &str| l.trim().trim_matches('/') == line.trim_end_matches('/');
    if String::from_utf8_lossy(&text).lines().any(known) {
        return Ok(false);
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(format!("{line}\n").as_bytes());
    write(&path, &text).map(|()| true)
}

/// Writes the JSON Schema that the project's files name for editors.
pub(super) fn schemas(dir: &Path) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(&mainstay_server::project_schema()).unwrap_or_default();
    write(
        &dir.join(mainstay_server::HOME_FOLDER).join("schema.json"),
        text.as_bytes(),
    )
}

/// Writes a file, with the folders that it is in.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |e: std::io::Error| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0702",
            format!("cannot write {}", path.display()),
        )
        .because(&e)
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    std::fs::write(path, bytes).map_err(fail)
}
