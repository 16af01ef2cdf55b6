//! The real binary, killed: each command dies at a step that the case's seed chooses, and is then repeated, as a person would.

use std::fs::File;

use arrow::array::RecordBatch;
use mainstay_api::{Error, RunReport};
use mainstay_server::step::STEPS;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;

use crate::binary;
use crate::case::Wanted;
use crate::choices::Choices;
use crate::oracle::Rows;
use crate::subject::{Digests, Place, Subject, amend_at, revert_at, sorted};

/// A project with its home, and what decides where its commands die.
#[derive(Debug)]
pub(crate) struct Killed {
    place: Place,
    choices: Choices,
    last_apply: Option<u64>,
    /// How often a command was killed.
    pub(crate) times: u64,
}

impl Killed {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            place: Place::new(),
            choices: Choices::random(seed),
            last_apply: None,
            times: 0,
        }
    }

    /// Runs a command to its end; none if it was killed.
    fn once(&self, arguments: &[&str], kill: Option<&str>) -> Option<Result<Json, Error>> {
        binary::command(self.place.root(), arguments, kill)
    }

    /// Runs a command that dies twice at the most, and then to its end.
    fn ask(&mut self, arguments: &[&str]) -> Result<Json, Error> {
        let own = |step: &&str| match arguments.first() {
            Some(&"run") => !step.starts_with("apply."),
            Some(command) => step.split('.').next() == Some(command),
            None => false,
        };
        let steps: Vec<&str> = STEPS.iter().copied().filter(|s| own(s)).collect();
        for _ in 0..2 {
            let at = format!("{}:{}", self.choices.pick(&steps), 1 + self.choices.below(2));
            if let Some(answer) = self.once(arguments, Some(&at)) {
                return answer;
            }
            self.times += 1;
        }
        self.once(arguments, None).expect("nothing kills it")
    }
}

impl Subject for Killed {
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }

    fn apply(&mut self) -> Result<(), Error> {
        let report = self.ask(&["apply", "--yes", "--json"])?;
        self.last_apply = report["apply"].as_u64();
        Ok(())
    }

    fn revert_apply(&mut self) -> Result<bool, Error> {
        let Some(last) = self.last_apply.take() else {
            return Ok(false);
        };
        // Killed after its record it would be refused when it is repeated.
        let address = format!("apply/{last}");
        let done = self.once(&["revert", &address, "--yes", "--json"], None);
        done.expect("nothing kills it").map(|_| true)
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.ask(&["deliver", "--json"]).map(drop)
    }

    fn run(&mut self, wanted: &Wanted) -> Result<Vec<RunReport>, Error> {
        let addresses: Vec<String> = wanted
            .targets
            .iter()
            .map(|(name, slice)| {
                slice
                    .as_ref()
                    .map_or_else(|| name.clone(), |s| format!("{name}@{s}"))
            })
            .collect();
        let mut arguments = vec!["run", "--json"];
        arguments.extend(addresses.iter().map(String::as_str));
        if wanted.force {
            arguments.push("--force");
        }
        let report = self.ask(&arguments)?;
        Ok(serde_json::from_value(report["runs"].clone()).expect("runs"))
    }

    fn run_until(&mut self, n: usize) -> Result<(), Error> {
        let at = format!("{}:{}", self.choices.pick(STEPS), n);
        match self.once(&["run", "--json"], Some(&at)) {
            Some(answer) => answer.map(drop),
            None => Ok(()),
        }
    }

    fn amend(&mut self, arguments: &[String]) -> Result<Option<String>, Error> {
        amend_at(self.place.root(), arguments)
    }

    fn revert_amendment(&mut self, id: &str) -> Result<(), Error> {
        revert_at(self.place.root(), id)
    }

    fn end(&mut self, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn rows(&mut self, name: &str) -> Result<(Rows, Option<Digests>), Error> {
        let sql = format!("SELECT * FROM {name}");
        let answer = self.once(&["query", &sql, "--json", "-o", "rows.parquet"], None);
        answer.expect("nothing kills it")?;
        let file = File::open(self.place.path("rows.parquet")).expect("a file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|b| b.build())
            .expect("Parquet");
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("Parquet");
        Ok((sorted(&batches), None))
    }
}
