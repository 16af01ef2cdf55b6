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
    (".gitignore", ".mainstay/\n"),
];

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
    let files: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
    if output.is_json() {
        output.document(&json!({ "files": files }));
    } else {
        files
            .iter()
            .for_each(|f| output.line(format!("  + {}", dir.join(f).display())));
        output.next(&format!("cd {} && mainstay plan", dir.display()));
    }
    Ok(Done::Well)
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
