//! What a server does in a second: `crates/sim/examples/service.rs`.
//!
//! After `--`: how many seconds each part takes, 20 if left out.

use super::figure::{self, Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::{Context as _, Outcome};
use crate::program::Program;
use crate::workspace::Workspace;

pub(super) const BENCH: Bench = Bench {
    name: "service",
    measure,
};

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let (binary, load) = (setting.binary()?, setting.built("mainstay-sim", "service")?);
    let folder = Workspace::read()?.target.join("bench/service");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).context(folder.display())?;
    let seconds = setting.extra.first().map_or("20", String::as_str);
    let text = Program::new(load)
        .args([&binary, &folder])
        .args([seconds])
        .output()?;
    let document = serde_json::from_str(&text).context("the load's answer")?;
    let figures = figure::list(&document)?;
    std::fs::remove_dir_all(&folder).context(folder.display())?;
    let wanted = |figure: Figure| match figure.name.as_str() {
        "its memory at rest" => figure.wanted(Wanted::AtMost(100.0)),
        name if name.ends_with("is ready") => figure.wanted(Wanted::AtMost(1.0)),
        _ => figure,
    };
    Ok(figures.into_iter().map(wanted).collect())
}
