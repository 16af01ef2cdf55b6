//! Corrections beside SQLMesh: the same six models over the same flights in both, each command timed from start to end.
//!
//! A round is a fresh folder for each system and five steps; in each step the systems work one right after the other, and who
//! begins alternates, so that a slower minute of the machine hits both. The first round's tables are compared with a full
//! recomputation by DuckDB. Knows the two only by their commands (`system`) and their tables only through
//! `bench/amend/flights.py`.
//!
//! After `--`: `--scale 1,10` (how many times the flights; 10: ten years, more: also as many times the flights of each day),
//! `--rounds N`, `--binary FILE` (of mainstay; built if it is left out).

mod system;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::figure::{Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::screen;
use crate::tools::{self, Tools};
use crate::workspace::{Workspace, root};
use system::{Mainstay, SqlMesh, System};
use verdict::Verdict;

pub(super) const BENCH: Bench = Bench {
    name: "amend",
    measure,
};

/// Where the two projects and the program for the flights are.
const FOLDER: &str = "xtask/bench/amend";
const PACKAGES: &str = "xtask/tools/sqlmesh.txt";

/// What both do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// From files to six tables.
    First,
    /// Asked to plan and do what is to be done, with nothing to do.
    Plan,
    /// Asked to do what is due, with nothing due.
    Run,
    /// One flight of one day corrected, with everything that follows from it.
    Day,
    /// The query of one model changed, with everything that follows from it.
    Job,
}

const STEPS: [(Step, &str, Wanted); 5] = [
    (Step::First, "first run", Wanted::AtLeast(1.0)),
    (Step::Plan, "no change (`plan` there)", Wanted::AtLeast(10.0)),
    (Step::Run, "no change (`run` there)", Wanted::AtLeast(10.0)),
    (Step::Day, "one corrected day", Wanted::AtLeast(10.0)),
    (Step::Job, "one changed job", Wanted::AtLeast(1.0)),
];

/// What a step took in one round, in seconds.
type Pair = [f64; 2];

struct Asked {
    scales: Vec<usize>,
    rounds: usize,
    binary: PathBuf,
}

/// Where everything of one scale is.
struct Place<'a> {
    folder: PathBuf,
    data: PathBuf,
    years: usize,
    flights: &'a Flights,
}

/// The program that makes, loads, corrects and checks flights.
struct Flights {
    python: PathBuf,
}

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let asked = Asked::read(setting)?;
    let tools = tools::set_up()?.add(PACKAGES)?;
    let flights = Flights {
        python: tools.python(),
    };
    let mut figures = Vec::new();
    for scale in &asked.scales {
        figures.extend(one_scale(*scale, &asked, &tools, &flights)?);
    }
    Ok(figures)
}

fn one_scale(scale: usize, asked: &Asked, tools: &Tools, flights: &Flights) -> Outcome<Vec<Figure>> {
    let place = Place::make(scale, flights)?;
    let mut times = STEPS.map(|_| Vec::<Pair>::new());
    let mut verdicts = Vec::new();
    for round in 0..asked.rounds {
        let mut systems: [Box<dyn System + '_>; 2] = [
            Box::new(Mainstay::new(&place, &asked.binary)?),
            Box::new(SqlMesh::new(&place, tools, 0)?),
        ];
        for (at, (step, name, _)) in STEPS.iter().enumerate() {
            let pair = side_by_side(&mut systems, *step, round)?;
            screen::say(format!(
                "{scale}× flights, round {} of {}, {name}: mainstay {}, SQLMesh {}",
                round + 1,
                asked.rounds,
                screen::duration(Duration::from_secs_f64(pair[0])),
                screen::duration(Duration::from_secs_f64(pair[1])),
            ));
            times[at].push(pair);
            if round == 0 && matches!(step, Step::Day | Step::Job) {
                for system in &systems {
                    verdicts.push(Verdict::of(system.as_ref(), &place, *step)?);
                }
            }
        }
    }
    verdicts.push(with_look_back(&place, tools)?);
    std::fs::remove_dir_all(place.folder.join("round")).context(place.folder.display())?;
    let mut figures = timings(scale, &times)?;
    for verdict in &verdicts {
        screen::say(format!("{scale}× flights, {verdict}"));
        figures.push(verdict.figure(scale)?);
    }
    Ok(figures)
}

/// Both systems, one after the other; in every second round the other way round.
fn side_by_side(systems: &mut [Box<dyn System + '_>; 2], step: Step, round: usize) -> Outcome<Pair> {
    let mut pair = [0.0; 2];
    for turn in 0..2 {
        let at = (turn + round) % 2;
        pair[at] = systems[at].carry_out(step)?;
    }
    Ok(pair)
}

/// What SQLMesh makes of the correction if its model says that it looks back six days.
fn with_look_back(place: &Place<'_>, tools: &Tools) -> Outcome<Verdict> {
    let mut system = SqlMesh::new(place, tools, 6)?;
    system.carry_out(Step::First)?;
    system.carry_out(Step::Day)?;
    Verdict::of(&system, place, Step::Day)
}

/// For each step a row of mainstay's, with how many times as fast it was in the same round, and one of SQLMesh's.
fn timings(scale: usize, times: &[Vec<Pair>; 5]) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for ((_, name, wanted), rounds) in STEPS.iter().zip(times) {
        let seconds = |of: usize| rounds.iter().map(|pair| pair[of]).collect::<Vec<_>>();
        let ratios: Vec<f64> = rounds.iter().map(|pair| pair[1] / pair[0]).collect();
        let ratio = Figure::of("", "", &ratios)?;
        let (least, most) = (ratio.min, ratio.max);
        figures.push(
            Figure::of(
                &format!("{scale}× flights, {name}: mainstay, ratio from {least:.1} to {most:.1}"),
                "s",
                &seconds(0),
            )?
            .ratio(&json!(ratio.median))
            .wanted(*wanted),
        );
        figures.push(Figure::of(
            &format!("{scale}× flights, {name}: SQLMesh"),
            "s",
            &seconds(1),
        )?);
    }
    Ok(figures)
}

impl Asked {
    fn read(setting: &Setting) -> Outcome<Self> {
        let mut options = Options::new(&setting.extra);
        let number = |text: &str| {
            let wrong = || Failure::usage(format!("`{text}` is no number above 0"));
            text.parse::<usize>().ok().filter(|n| *n > 0).ok_or_else(wrong)
        };
        let scales = options.value("--scale")?.unwrap_or_else(|| "1,10".to_owned());
        let rounds = options.value("--rounds")?.unwrap_or_else(|| "5".to_owned());
        let binary = options.value("--binary")?;
        options.none()?;
        let scales = scales.split(',').map(number).collect::<Outcome<Vec<_>>>()?;
        if let Some(odd) = scales.iter().find(|s| **s > 10 && **s % 10 != 0) {
            return Err(
                Failure::usage(format!("{odd} times the flights are not whole years"))
                    .help("above 10, the scale is ten years times something"),
            );
        }
        Ok(Self {
            scales,
            rounds: number(&rounds)?,
            binary: match binary {
                Some(file) => std::path::absolute(&file).context(file)?,
                None => setting.binary()?,
            },
        })
    }
}

impl<'a> Place<'a> {
    /// Makes the flights, unless they are there already.
    fn make(scale: usize, flights: &'a Flights) -> Outcome<Self> {
        let folder = Workspace::read()?.target.join(format!("bench/amend-{scale}"));
        let data = folder.join("data");
        let (years, times) = (scale.min(10), scale.div_ceil(10));
        if !data.is_dir() {
            let half = folder.join("half");
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).context(folder.display())?;
            screen::say(format!("making {scale}× the flights in {}", data.display()));
            let source = root().join("examples/flights/data");
            let words = [years, times].map(|n| n.to_string());
            flights.tell(
                "make",
                &[
                    source.as_os_str(),
                    half.as_os_str(),
                    words[0].as_ref(),
                    words[1].as_ref(),
                ],
            )?;
            std::fs::rename(&half, &data).context(data.display())?;
        }
        Ok(Self {
            folder,
            data,
            years,
            flights,
        })
    }

    /// The first day that has flights.
    fn start(&self) -> String {
        format!("{}-01-01", 2014 - self.years)
    }

    /// A fresh copy of a project, with the flights in its folder `data`.
    fn project(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.folder.join("round").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        copy(&root().join(FOLDER).join(name), &folder, &|from, to| {
            std::fs::copy(from, to).map(drop)
        })?;
        copy(&self.data, &folder.join("data"), &|from, to| {
            std::fs::hard_link(from, to)
        })?;
        Ok(folder)
    }
}

fn copy(from: &Path, to: &Path, file: &dyn Fn(&Path, &Path) -> std::io::Result<()>) -> Outcome {
    std::fs::create_dir_all(to).context(to.display())?;
    for entry in std::fs::read_dir(from).context(from.display())? {
        let entry = entry.context(from.display())?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to, file)?;
        } else {
            file(&from, &to).context(to.display())?;
        }
    }
    Ok(())
}

impl Flights {
    fn tell(&self, command: &str, words: &[&std::ffi::OsStr]) -> Outcome<String> {
        Program::new(&self.python)
            .args([root().join(FOLDER).join("flights.py")])
            .args([command])
            .args(words)
            .output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(extra: &[&str]) -> Outcome<Asked> {
        Asked::read(&Setting {
            release: false,
            extra: extra.iter().map(|s| (*s).to_owned()).collect(),
        })
    }

    #[test]
    fn scales_and_rounds_are_read() {
        let read = asked(&["--scale", "1,100", "--rounds=2", "--binary", "/m"]).unwrap();
        assert_eq!((read.scales, read.rounds), (vec![1, 100], 2));
        for wrong in [
            ["--scale", "0"],
            ["--scale", "15"],
            ["--rounds", "x"],
            ["--round", "1"],
        ] {
            let told = asked(&[wrong[0], wrong[1], "--binary", "/m"]);
            assert_eq!(told.err().map(|f| f.status), Some(2), "{wrong:?}");
        }
    }

    #[test]
    fn the_ratio_is_that_of_each_round() {
        let times = STEPS.map(|_| vec![[0.1, 1.0], [0.2, 8.0], [0.4, 4.0]]);
        let figures = timings(10, &times).unwrap();
        assert_eq!(figures.len(), 10);
        assert_eq!(figures[0].median, 0.2);
        assert_eq!(figures[0].ratio, Some(10.0));
        assert!(
            figures[0].name.contains("from 10.0 to 40.0"),
            "{}",
            figures[0].name
        );
        assert_eq!(figures[1].median, 4.0);
    }
}
