//! How long a build takes: all of the binary into an empty folder, and again after one crate was touched.

use std::path::Path;
use std::time::Instant;

use super::figure::{Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::{Context as _, Outcome};
use crate::program::Program;
use crate::workspace::{Workspace, root};

pub(super) const BENCH: Bench = Bench {
    name: "build",
    measure,
};

/// Crates that are changed most, from the bottom to the top.
const TOUCHED: [&str; 4] = ["base", "sql", "engine", "cli"];

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let folder = Workspace::read()?.target.join("bench-build");
    let _ = std::fs::remove_dir_all(&folder);
    let first = build(setting, &folder)?;
    let mut figures = vec![
        Figure::of(
            "the binary from a clean checkout, packages downloaded",
            "min",
            &[first / 60.0],
        )?
        .wanted(Wanted::AtMost(15.0)),
    ];
    for name in TOUCHED {
        let source = root().join("crates").join(name).join("src");
        let main = ["lib.rs", "main.rs"]
            .map(|f| source.join(f))
            .into_iter()
            .find(|f| f.is_file());
        let Some(main) = main else { continue };
        let mut seconds = Vec::new();
        for _ in 0..3 {
            Program::new("touch").args([&main]).output()?;
            seconds.push(build(setting, &folder)?);
        }
        let figure = Figure::of(
            &format!("the binary again after touching `{name}`"),
            "s",
            &seconds,
        )?;
        figures.push(figure.wanted(Wanted::AtMost(30.0)));
    }
    std::fs::remove_dir_all(&folder).context(folder.display())?;
    Ok(figures)
}

fn build(setting: &Setting, folder: &Path) -> Outcome<f64> {
    let profile: &[&str] = if setting.release { &["--release"] } else { &[] };
    let started = Instant::now();
    Program::cargo()
        .args(["build"])
        .args(profile)
        .env("CARGO_TARGET_DIR", folder)
        .run()?;
    Ok(started.elapsed().as_secs_f64())
}
