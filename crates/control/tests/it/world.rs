//! A state with a clock and a journal in memory.

use std::collections::BTreeMap;

use mainstay_base::{Bytes, Hash, MultisetHash, Rows, Timestamp};
use mainstay_control::{
    Command, DeliveredFile, Overlaid, Refusal, Sight, State, Taken, base_after_delivery, decide,
};
use mainstay_model::Overlay;
use mainstay_model::delivery::{FileError, Observed};
use mainstay_model::fact::Fact;
use mainstay_model::resource::{Resource, Spec};
use mainstay_model::run::{Input, Pinned, Scope};
use mainstay_model::spec::{Compiled, Format, JobSpec, OnSchemaChange, Reads, Retries, SourceSpec};
use mainstay_model::{BranchName, Column, DataFile, DatasetName, Schema, SliceKey};

/// A file: its name, its content, and what reading it gave (slice and digest seed), or nothing if it is broken.
pub(crate) type File<'a> = (&'a str, &'a str, Option<&'a [(&'a str, u128)]>);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) log: Vec<(Timestamp, Fact)>,
    /// What is said about how files were read.
    pub(crate) reading: u8,
    now: i64,
}

impl World {
    pub(crate) fn submit(&mut self, command: Command) -> Result<Vec<Fact>, Refusal> {
        self.submit_on(None, command)
    }

    pub(crate) fn submit_on(
        &mut self,
        side: Option<&BranchName>,
        command: Command,
    ) -> Result<Vec<Fact>, Refusal> {
        self.now += 1_000_000;
        let now = Timestamp::from_micros(self.now);
        let facts = decide(&self.state, side, command, now)?;
        for fact in &facts {
            self.log.push((now, fact.clone()));
            self.state
                .apply(self.log.len() as u64, now, "ana", Some("because"), fact.clone());
        }
        Ok(facts)
    }

    /// Folds the whole log anew.
    pub(crate) fn refold(&self) -> State {
        let mut state = State::default();
        for (seq, (time, fact)) in (1..).zip(&self.log) {
            state.apply(seq, *time, "ana", Some("because"), fact.clone());
        }
        state
    }

    /// Delivers files to `air.flights`: name, content, and what reading gave (slice and digest seed), or an error.
    pub(crate) fn deliver(&mut self, files: &[File<'_>]) -> Vec<Fact> {
        let file = |(name, content, rows): &File<'_>| DeliveredFile {
            file: (*name).to_owned(),
            observed: Observed {
                bytes: Bytes(1),
                modified: Timestamp::from_micros(self.now),
                etag: None,
            },
            content: Hash::of(content.as_bytes()),
            reading: Hash::of(&[self.reading]),
            reapplied: Vec::new(),
            grounds: Hash::of(b"grounds"),
            result: Some(match rows {
                Some(rows) => Ok(Taken {
                    rows: Rows(rows.len() as u64),
                    files: rows
                        .iter()
                        .map(|(s, seed)| (SliceKey::of(*s), data_file(name, content, *seed)))
                        .collect(),
                }),
                None => Err(FileError {
                    code: "MS0000".into(),
                    message: "broken".into(),
                    row: Some(3),
                    column: None,
                    help: None,
                }),
            }),
        };
        let files: Vec<DeliveredFile> = files.iter().map(file).collect();
        let overlaid = self.overlaid(&files);
        let command = Command::Deliver {
            source: name("air.flights"),
            schema: schema(),
            slice_columns: vec!["day".into()],
            files,
            overlaid,
        };
        self.submit(command).expect("deliveries are never refused")
    }

    /// What the amendments of `air.flights` make of it with some files: these here delete every row.
    fn overlaid(&self, files: &[DeliveredFile]) -> Option<Overlaid> {
        let flights = name("air.flights");
        let held = self.state.main.dataset(&flights)?;
        if held.overlay.amendments.is_empty() {
            return None;
        }
        let sight = Sight::live(&self.state);
        let base = base_after_delivery(&sight, &flights, &schema(), &["day".into()], files);
        let overlay = Overlay {
            touched: base.into_keys().collect(),
            ..held.overlay.clone()
        };
        Some(Overlaid {
            overlay,
            ..Overlaid::default()
        })
    }

    /// Returns the slices of a dataset with their digests.
    pub(crate) fn slices(&self, dataset: &str) -> BTreeMap<String, MultisetHash> {
        let held = self
            .state
            .main
            .datasets
            .get(&name(dataset))
            .into_iter()
            .flat_map(|d| &d.slices);
        held.filter_map(|(k, h)| Some((k.to_string(), h.newest()?.digest())))
            .collect()
    }
}

pub(crate) fn name(text: &str) -> DatasetName {
    text.parse().expect("a name")
}

pub(crate) fn schema() -> Schema {
    let column = |n: &str, t: &str| Column {
        name: n.into(),
        column_type: t.parse().expect("a type"),
    };
    Schema(vec![column("day", "date"), column("n", "long")])
}

pub(crate) fn digest(seed: u128) -> MultisetHash {
    let mut d = MultisetHash::EMPTY;
    d.insert([seed, seed]);
    d
}

pub(crate) fn data_file(origin: &str, content: &str, seed: u128) -> DataFile {
    DataFile {
        path: format!("{content}/{seed}.parquet"),
        rows: Rows(1),
        bytes: Bytes(10),
        digest: digest(seed),
        origin: Some(origin.to_owned()),
    }
}

pub(crate) fn source() -> Resource {
    let spec = SourceSpec {
        description: None,
        files: "data/*.csv".into(),
        format: Format::Csv,
        null: vec![],
        rename: BTreeMap::new(),
        delimiter: None,
        columns: None,
        slice: vec![],
        on_schema_change: OnSchemaChange::Refuse,
        approve: 0,
        retain: None,
        on_redelivery: mainstay_model::spec::OnRedelivery::Apply,
    };
    Resource {
        name: "air.flights".into(),
        tags: BTreeMap::new(),
        spec: Spec::Source(spec),
    }
}

pub(crate) fn job(sql: &str, code: &str) -> Resource {
    let compiled = Compiled {
        code: Hash::of(code.as_bytes()),
        reads: BTreeMap::from([(name("air.flights"), Reads::Same)]),
        origins: Some(vec![mainstay_model::relation::Origin {
            dataset: Some(name("air.flights")),
            values: vec!["day".into()],
        }]),
        widened: vec![],
        columns: schema(),
    };
    let spec = JobSpec {
        description: None,
        sql: sql.into(),
        slice: vec!["day".into()],
        retries: Retries {
            count: 1,
            pause_ms: 1000,
        },
        time_limit_ms: None,
        retain: None,
        circuit_breaker: None,
        uses: BTreeMap::new(),
        compiled,
    };
    Resource {
        name: "air.daily".into(),
        tags: BTreeMap::new(),
        spec: Spec::Job(Box::new(spec)),
    }
}

pub(crate) fn pinned(slices: &[&str]) -> Pinned {
    Pinned {
        job: name("air.daily"),
        branch: None,
        generation: 1,
        code: Hash::of(b"code"),
        scope: Scope::Slices(slices.iter().map(|s| SliceKey::of(*s)).collect()),
        inputs: vec![Input {
            dataset: name("air.flights"),
            version: 1,
            reads: Reads::Same,
        }],
        as_of: Timestamp::from_micros(0),
        engine: "test".into(),
        settings: BTreeMap::new(),
        judged: None,
    }
}
