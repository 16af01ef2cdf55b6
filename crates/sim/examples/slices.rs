//! Measures planning over many slices and prints one JSON document.
//!
//! `slices [--slices N] [--rounds N] [--dir DIR]` folds the facts of a project of 50 datasets with N slices in all (no data is
//! computed) and leaves a snapshot of it; then it plans in processes of their own, which begin with that snapshot. It also
//! makes branches of a project with 1,000 datasets, and opens a snapshot with 10,000 runs.

#![expect(clippy::print_stdout, reason = "the document is what this program is for")]

#[path = "slices/measure.rs"]
mod measure;
#[path = "slices/project.rs"]
mod project;
#[path = "slices/world.rs"]
mod world;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How many runs a state keeps, and a snapshot holds in a project that is in use.
const RUNS: u64 = 10_000;
/// How many datasets a branch is made of.
const BRANCHED: usize = 1_000;

struct Options {
    slices: usize,
    rounds: usize,
    dir: PathBuf,
    child: Option<String>,
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        slices: 1_000_000,
        rounds: 5,
        dir: std::env::temp_dir().join(format!("slices-bench-{}", std::process::id())),
        child: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--slices" => options.slices = value()?.parse()?,
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--dir" => options.dir = value()?.into(),
            "--child" => options.child = Some(value()?),
            other => return Err(format!("there is no option {other}").into()),
        }
    }
    Ok(options)
}

fn main() -> Outcome<()> {
    let options = options()?;
    let (slices, runs) = (options.dir.join("slices"), options.dir.join("runs"));
    let document = match options.child.as_deref() {
        Some("plan") => measure::plan(&slices)?,
        Some("open") => measure::open(&runs)?,
        Some(other) => return Err(format!("there is no part {other}").into()),
        None => {
            std::fs::create_dir_all(&options.dir)?;
            let figures = figures(&options, &slices, &runs)?;
            std::fs::remove_dir_all(&options.dir)?;
            json!({ "figures": figures })
        }
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

fn figures(options: &Options, slices: &Path, runs: &Path) -> Outcome<Vec<Value>> {
    let world = world::sliced(project::sliced(options.slices)?);
    let (datasets, count) = (world.state.main.datasets.len(), world.slices());
    world.save(slices)?;
    drop(world);
    world::used(project::small()?, RUNS).save(runs)?;

    let (plan, open) = (rounds(options, "plan")?, rounds(options, "open")?);
    let branch = measure::branch(&world::wide(project::wide(BRANCHED)?), options.rounds)?;
    let what = format!("{count} slices in {datasets} datasets");
    let mut figures = Vec::new();
    let mut say = |name: String, unit: &str, values: Vec<f64>, at_most: Option<f64>| {
        figures.push(figure(&name, unit, values, at_most));
    };
    say(
        format!("{what}: plan, nothing changed"),
        "s",
        told(&plan, "plan_s")?,
        Some(2.0),
    );
    say(
        format!("{what}: plan once more, nothing changed"),
        "ms",
        told(&plan, "again_ms")?,
        None,
    );
    say(
        format!("{what}: one slice of a source changed"),
        "ms",
        told(&plan, "change_ms")?,
        Some(100.0),
    );
    say(
        "the same slice: all that follows from it, planned job by job".to_owned(),
        "ms",
        told(&plan, "follow_ms")?,
        None,
    );
    say(
        format!("{what}: most memory, with the state"),
        "MB",
        told(&plan, "peak_mb")?,
        Some(1000.0),
    );
    say(
        format!("{what}: read the snapshot"),
        "s",
        told(&plan, "open_s")?,
        None,
    );
    say(
        format!("{what}: the snapshot's size"),
        "MB",
        told(&plan, "size_mb")?,
        None,
    );
    say(
        format!("{RUNS} runs: read the snapshot"),
        "ms",
        told(&open, "open_ms")?,
        None,
    );
    say(
        format!("{RUNS} runs: the snapshot's size"),
        "MB",
        told(&open, "size_mb")?,
        None,
    );
    say(
        format!("branch of {BRANCHED} datasets"),
        "ms",
        branch,
        Some(100.0),
    );
    Ok(figures)
}

/// Runs a part in processes of its own.
fn rounds(options: &Options, part: &str) -> Outcome<Vec<Value>> {
    let one = |_| {
        let out = std::process::Command::new(std::env::current_exe()?)
            .args(["--child", part, "--dir"])
            .arg(&options.dir)
            .stderr(std::process::Stdio::inherit())
            .output()?;
        Ok(serde_json::from_slice(&out.stdout)?)
    };
    (0..options.rounds).map(one).collect()
}

fn told(rounds: &[Value], name: &str) -> Outcome<Vec<f64>> {
    let of = |round: &Value| {
        round[name]
            .as_f64()
            .ok_or_else(|| format!("a part told no {name}").into())
    };
    rounds.iter().map(of).collect()
}

/// The least, the middle and the most of some values.
fn figure(name: &str, unit: &str, mut values: Vec<f64>, at_most: Option<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    json!({
        "name": name,
        "unit": unit,
        "min": values.first(),
        "median": values.get(values.len() / 2),
        "max": values.last(),
        "at_most": at_most,
    })
}
