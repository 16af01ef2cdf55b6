//! Pages that would drift if people wrote them: made from the built binary and from other pages, compared with `--check`.

mod commands;
mod schema;

use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::workspace::{self, Workspace, root};
use crate::{screen, test};

/// A generated file and what makes it.
struct Page {
    file: &'static str,
    make: fn(&Path) -> Outcome<String>,
}

const PAGES: [Page; 7] = [
    Page {
        file: "docs/reference/commands.md",
        make: commands::page,
    },
    Page {
        file: "docs/reference/project-files.md",
        make: |binary| schema::page("Project files", &schema_of(binary, &[])?),
    },
    Page {
        file: "docs/reference/project.schema.json",
        make: |binary| schema_of(binary, &[]),
    },
    Page {
        file: "docs/reference/job-settings.md",
        make: |binary| schema::page("Settings of a job", &schema_of(binary, &["--job"])?),
    },
    Page {
        file: "docs/reference/job.schema.json",
        make: |binary| schema_of(binary, &["--job"]),
    },
    Page {
        file: "docs/reference/openapi.json",
        make: |binary| {
            let text = Program::new(binary).args(["gen", "openapi"]).output()?;
            Ok(format!("{}\n", text.trim_end()))
        },
    },
    Page {
        file: "docs/reference/errors.md",
        make: errors,
    },
];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let only_check = options.flag("--check");
    let binary = options.value("--with")?.map(PathBuf::from);
    options.none()?;
    let binary = match binary {
        Some(binary) => std::path::absolute(&binary).context(binary.display())?,
        None => {
            test::build()?;
            Workspace::read()?.binary()
        }
    };
    if only_check {
        return check(&binary);
    }
    for page in &PAGES {
        let text = (page.make)(&binary)?;
        let changed = !workspace::text(page.file).is_ok_and(|there| there == text);
        workspace::write(page.file, &text)?;
        screen::say(format!(
            "{} {}",
            page.file,
            if changed { "written" } else { "unchanged" }
        ));
    }
    Ok(())
}

/// Fails if a generated page is not what would be generated now.
pub(crate) fn check(binary: &Path) -> Outcome {
    let mut stale = Vec::new();
    for page in &PAGES {
        let text = (page.make)(binary)?;
        if !workspace::text(page.file).is_ok_and(|there| there == text) {
            screen::finding(page.file, "is not what the binary says now");
            stale.push(page.file);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} generated pages are stale", stale.len()))
        .help("`cargo xtask gen` writes them"))
}

fn schema_of(binary: &Path, which: &[&str]) -> Outcome<String> {
    let text = Program::new(binary).args(["schema"]).args(which).output()?;
    Ok(format!("{}\n", text.trim_end()))
}

/// The list of error pages with their titles.
fn errors(_: &Path) -> Outcome<String> {
    let mut text = String::from(
        "<!-- Written by `cargo xtask gen`. -->\n\n# Error codes\n\nEvery error has a code, and every code a page.\n\n| code | what it says |\n|---|---|\n",
    );
    for file in workspace::files()? {
        let Some(name) = file.strip_prefix("docs/errors/").filter(|n| n.starts_with("MS0")) else {
            continue;
        };
        let page = std::fs::read_to_string(root().join(&file)).context(&file)?;
        let title = page
            .lines()
            .find_map(|l| l.strip_prefix("# "))
            .unwrap_or_default();
        let code = name.trim_end_matches(".md");
        let title = title
            .trim_start_matches(code)
            .trim_start_matches([':', ' ', '·', '–', '-']);
        text.push_str(&format!("| [{code}](../errors/{name}) | {title} |\n"));
    }
    Ok(text)
}

/// How the program runs for a page: without colours, at a fixed width, away from any project.
fn quiet(binary: &Path, arguments: &[String]) -> Program {
    Program::new(binary)
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .dir(&std::env::temp_dir())
}
