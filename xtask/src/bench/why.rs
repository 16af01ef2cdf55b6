//! Asking why in a home with ten million facts: the demo's home, given a long past by `crates/sim/examples/history.rs`.
//!
//! After `--`: `--facts N`, `--rounds N`.

use std::path::Path;
use std::time::Instant;

use super::figure::{Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::screen;
use crate::workspace::Workspace;

pub(super) const BENCH: Bench = Bench { name: "why", measure };

/// What is asked, and how it stands in the figures.
const QUESTIONS: [(&str, &str); 5] = [
    ("air.daily_delays", "a dataset"),
    ("air.departures@2013-02-09", "a slice"),
    ("amendment/A-1", "an amendment"),
    ("run/R-1", "the first run"),
    ("air.worst_days", "a dataset at the end of the chain"),
];

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let mut options = Options::new(&setting.extra);
    let facts = options.value("--facts")?.unwrap_or_else(|| "10000000".to_owned());
    let rounds = options.value("--rounds")?.unwrap_or_else(|| "7".to_owned());
    options.none()?;
    let rounds: usize = rounds
        .parse()
        .map_err(|_| Failure::usage(format!("`{rounds}` is no number")))?;
    let binary = setting.binary()?;
    let filler = setting.built("mainstay-sim", "history")?;
    let folder = Workspace::read()?.target.join("bench/why");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).context(folder.display())?;
    let project = folder.join("demo");
    let tell = |words: &[&str], dir: &Path| Program::new(&binary).dir(dir).args(words).output();
    tell(&["demo", "demo", "--quiet"], &folder)?;
    tell(
        &["run", "air.routes", "--force", "--quiet", "--reason", "once more"],
        &project,
    )?;
    screen::say(format!("filling the journal to {facts} facts"));
    Program::new(filler)
        .args([project.join(".mainstay")])
        .args([&facts])
        .output()?;
    // Opening for writing folds what is new once, and leaves a snapshot.
    screen::say("folding them once");
    let since = Instant::now();
    tell(&["deliver", "--quiet"], &project)?;
    let folded = since.elapsed().as_secs_f64();
    let mut figures = vec![Figure::of(
        &format!("{facts} facts, folded once from the snapshot of the demo"),
        "s",
        &[folded],
    )?];
    for (thing, name) in QUESTIONS {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let since = Instant::now();
            tell(&["why", thing], &project)?;
            times.push(since.elapsed().as_secs_f64() * 1000.0);
        }
        let name = format!("{facts} facts, `why {thing}`: {name}");
        figures.push(Figure::of(&name, "ms", &times)?.wanted(Wanted::AtMost(300.0)));
    }
    std::fs::remove_dir_all(&folder).context(folder.display())?;
    Ok(figures)
}
