//! A small project with its home, for tests of runs in this process.

use mainstay_api::RunReport;
use mainstay_model::relation::Reads;
use mainstay_model::resource::Spec;
use mainstay_model::run::CrossCheck;
use mainstay_model::{DatasetName, RunId, Selection};
use serde_json::Value;
use tempfile::TempDir;

use super::RunRequest;
use crate::instance::{Access, Instance, Options};
use crate::{CancelToken, Context, QueryOptions, ReplayRequest};

pub(super) struct Shop {
    pub(super) folder: TempDir,
    pub(super) instance: Instance,
}

impl Shop {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(Options {
            home: folder.path().join(".mainstay"),
            journal: None,
            project: Some(folder.path().to_owned()),
            access: Access::Write,
            wait: None,
            branch: None,
            context: Context {
                account: "main".to_owned(),
                actor: "ana".to_owned(),
                reason: None,
                request: None,
            },
        });
        Self {
            instance: instance.unwrap(),
            folder,
        }
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn job(&self, name: &str, slice: &str, query: &str) {
        let slice = if slice.is_empty() {
            String::new()
        } else {
            format!("-- /// mainstay\n-- slice = \"{slice}\"\n-- ///\n")
        };
        self.write(&format!("jobs/shop/{name}.sql"), &format!("{slice}{query}\n"));
    }

    /// Writes the project's file, with these lines of settings.
    pub(super) fn settings(&self, lines: &str) {
        let text = format!(
            "[project]\nname = \"shop\"\n{lines}\n[source.\"shop.sales\"]\nfiles = \"data/*.csv\"\nslice = \"day\"\n"
        );
        self.write("mainstay.toml", &text);
    }

    /// Applies the project; with a relation that is not the one that was found, if one is given.
    pub(super) fn apply(&self, reads: Option<&Reads>) {
        let mut resources = self.instance.compiled().unwrap();
        for resource in &mut resources {
            if let (Spec::Job(job), Some(reads)) = (&mut resource.spec, reads) {
                job.compiled.reads.values_mut().for_each(|r| *r = reads.clone());
            }
        }
        let command = mainstay_control::Command::Apply { desired: resources };
        self.instance.submit(command).unwrap();
    }

    pub(super) fn run(&self) -> Vec<RunReport> {
        self.asked(&RunRequest::default())
    }

    pub(super) fn force(&self) -> Vec<RunReport> {
        self.asked(&RunRequest {
            force: true,
            ..RunRequest::default()
        })
    }

    /// Computes one slice of a dataset.
    pub(super) fn run_slice(&self, name: &str, slice: &str) -> Vec<RunReport> {
        self.asked(&RunRequest {
            targets: vec![(
                name.parse::<DatasetName>().unwrap(),
                Selection::Value(slice.to_owned()),
            )],
            ..RunRequest::default()
        })
    }

    fn asked(&self, request: &RunRequest) -> Vec<RunReport> {
        let ran = self.instance.run(request, &CancelToken::new(), &|_| {});
        ran.unwrap().1.runs
    }

    pub(super) fn checked(&self, run: u64) -> Option<CrossCheck> {
        self.instance
            .with(|s| s.state.runs.get(&RunId(run)).and_then(|r| r.cross_check.clone()))
    }

    /// The first column of a query's rows, as whole numbers.
    pub(super) fn numbers(&self, sql: &str) -> Vec<i64> {
        use arrow::array::AsArray;
        let found = self
            .instance
            .query(sql, QueryOptions::default(), &CancelToken::new())
            .unwrap();
        let column = |b: &arrow::array::RecordBatch| {
            let numbers = arrow::compute::cast(b.column(0), &arrow::datatypes::DataType::Int64).unwrap();
            numbers
                .as_primitive::<arrow::datatypes::Int64Type>()
                .values()
                .to_vec()
        };
        found.batches.iter().flat_map(column).collect()
    }

    pub(super) fn shown(&self, address: &str) -> Value {
        self.instance.show(&address.parse().unwrap()).unwrap()
    }

    /// Replays runs; all must be identical.
    pub(super) fn replays(&self, runs: &[RunId]) {
        let request = ReplayRequest {
            runs: runs.to_vec(),
            threads: None,
        };
        let replayed = self
            .instance
            .replay(&request, &CancelToken::new(), &|_| {})
            .unwrap();
        assert!(
            replayed.replays.iter().all(|r| r.verdict == "identical"),
            "{replayed:?}"
        );
    }
}
