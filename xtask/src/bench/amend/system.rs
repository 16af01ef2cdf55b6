//! The two systems: a project in a fresh folder, and the commands that a user would type for each step.
//!
//! Knows nothing of what comes out; what is measured is whole commands, from the start of the process to its end.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Place, Step};
use crate::failure::{Context as _, Failure, Outcome};
use crate::program::Program;
use crate::tools::Tools;

/// In both projects' `daily_delays`: what the query says, and what it says after the change.
const CHANGE: [&str; 2] = ["sum(dep_delay)", "sum(greatest(dep_delay, 0))"];

/// In SQLMesh's models: what a look-back is declared beside.
const TIME: &str = "time_column day";

/// Something that keeps six tables as its project says.
pub(super) trait System {
    /// As it stands in the figures.
    fn name(&self) -> String;

    /// How `flights.py check` calls it.
    fn kind(&self) -> &'static str;

    /// Where its tables are.
    fn tables(&self) -> PathBuf;

    /// Carries out a step and returns the seconds that it took.
    fn carry_out(&mut self, step: Step) -> Outcome<f64>;
}

/// mainstay, with a home of its own in the project's folder.
pub(super) struct Mainstay {
    binary: PathBuf,
    folder: PathBuf,
}

/// SQLMesh with DuckDB, its state in the same database.
pub(super) struct SqlMesh<'a> {
    place: &'a Place<'a>,
    program: PathBuf,
    folder: PathBuf,
    look_back: usize,
}

impl Mainstay {
    pub(super) fn new(place: &Place<'_>, binary: &Path) -> Outcome<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            folder: place.project("mainstay")?,
        })
    }

    fn tell(&self, words: &[&str]) -> Outcome {
        Program::new(&self.binary)
            .dir(&self.folder)
            .args(words)
            .args(["--home", "home", "--quiet", "--yes"])
            .output()
            .map(drop)
    }
}

impl System for Mainstay {
    fn name(&self) -> String {
        "mainstay".to_owned()
    }

    fn kind(&self) -> &'static str {
        "mainstay"
    }

    fn tables(&self) -> PathBuf {
        self.folder.join("home/data/main/air")
    }

    fn carry_out(&mut self, step: Step) -> Outcome<f64> {
        if step == Step::Job {
            change(&self.folder.join("jobs/air/daily_delays.sql"))?;
        }
        timed(|| match step {
            Step::First | Step::Job => {
                self.tell(&["apply"])?;
                self.tell(&["run"])
            }
            Step::Plan | Step::Run => self.tell(&["run"]),
            Step::Day => self.tell(&[
                "amend",
                "air.flights@2013-01-09",
                "--where",
                "dep_delay > 1300",
                "--set",
                "dep_delay = NULL",
                "--set",
                "arr_delay = NULL",
                "--reason",
                "the clock was wrong",
            ]),
        })
    }
}

impl<'a> SqlMesh<'a> {
    /// Prepares the project; with a look-back, the model of the last seven days declares it.
    pub(super) fn new(place: &'a Place<'a>, tools: &Tools, look_back: usize) -> Outcome<Self> {
        let folder = place.project("sqlmesh")?;
        let start = format!("start: {}", place.start());
        replace(&folder.join("config.yaml"), "start: 2013-01-01", &start)?;
        if look_back > 0 {
            let declared = format!("{TIME}, lookback {look_back}");
            replace(&folder.join("models/week_delays.sql"), TIME, &declared)?;
        }
        Ok(Self {
            place,
            program: tools.program("sqlmesh"),
            folder,
            look_back,
        })
    }

    fn tell(&self, words: &[&str]) -> Outcome {
        Program::new(&self.program)
            .dir(&self.folder)
            .args(words)
            .output()
            .map(drop)
    }

    fn plan(&self, more: &[&str]) -> Outcome {
        self.tell(&[&["plan", "--auto-apply", "--no-prompts"], more].concat())
    }

    fn load(&self) -> Outcome {
        let (data, database) = (self.folder.join("data"), self.tables());
        let words = [data.as_os_str(), database.as_os_str()];
        self.place.flights.tell("load", &words).map(drop)
    }
}

impl System for SqlMesh<'_> {
    fn name(&self) -> String {
        match self.look_back {
            0 => "SQLMesh".to_owned(),
            days => format!("SQLMesh with `lookback {days}`"),
        }
    }

    fn kind(&self) -> &'static str {
        "sqlmesh"
    }

    fn tables(&self) -> PathBuf {
        self.folder.join("flights.db")
    }

    fn carry_out(&mut self, step: Step) -> Outcome<f64> {
        match step {
            Step::Day => {
                let database = self.tables();
                self.place.flights.tell("correct", &[database.as_os_str()])?;
            }
            Step::Job => change(&self.folder.join("models/daily_delays.sql"))?,
            Step::First | Step::Plan | Step::Run => {}
        }
        timed(|| match step {
            Step::First => {
                self.load()?;
                self.plan(&[])
            }
            Step::Plan | Step::Job => self.plan(&[]),
            Step::Run => self.tell(&["run"]),
            Step::Day => self.plan(&[
                "--restate-model",
                "air.departures",
                "--start",
                "2013-01-09",
                "--end",
                "2013-01-09",
            ]),
        })
    }
}

fn timed(work: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

fn change(file: &Path) -> Outcome {
    replace(file, CHANGE[0], CHANGE[1])
}

fn replace(file: &Path, from: &str, to: &str) -> Outcome {
    let text = std::fs::read_to_string(file).context(file.display())?;
    if text.matches(from).count() != 1 {
        return Err(Failure::new(format!(
            "{} does not say `{from}` once",
            file.display()
        )));
    }
    std::fs::write(file, text.replace(from, to)).context(file.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn what_is_replaced_stands_in_the_projects_once() {
        for (file, text) in [
            ("mainstay/jobs/air/daily_delays.sql", CHANGE[0]),
            ("sqlmesh/models/daily_delays.sql", CHANGE[0]),
            ("sqlmesh/models/week_delays.sql", TIME),
            ("sqlmesh/config.yaml", "start: 2013-01-01"),
        ] {
            let read = workspace::text(&format!("{}/{file}", super::super::FOLDER)).unwrap();
            assert_eq!(read.matches(text).count(), 1, "{file}");
        }
    }
}
