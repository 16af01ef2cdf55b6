//! mainstay: a project whose eight sources were delivered once, and a job for each query. What is measured is one run, from
//! its record to its published table, its Delta log included.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mainstay_model::address::Selection;
use mainstay_server::{Access, CancelToken, Context, Instance, Options, QueryOptions, RunRequest};
use serde_json::{Value, json};

use crate::Outcome;
use crate::answer::Answer;
use crate::data::TABLES;
use crate::engine::Files;
use crate::measure::{Query, Spent, System, timed};

/// An open project.
pub(crate) struct Project {
    instance: Instance,
    home: PathBuf,
    /// What delivering took.
    pub(crate) delivered: Value,
}

impl Project {
    /// Makes the project around the folder with the data, applies it in a new home, and delivers.
    pub(crate) fn set_up(folder: &Path, queries: &[Query]) -> Outcome<Self> {
        let home = folder.join(".mainstay");
        for old in [&home, &folder.join("jobs")] {
            if old.exists() {
                std::fs::remove_dir_all(old)?;
            }
        }
        let mut project = "[project]\nname = \"tpch\"\n".to_owned();
        for table in TABLES {
            write!(
                project,
                "\n[source.\"tpch.{table}\"]\nfiles = \"data/{table}.parquet\"\n"
            )?;
        }
        std::fs::write(folder.join("mainstay.toml"), project)?;
        let jobs = folder.join("jobs/tpch");
        std::fs::create_dir_all(&jobs)?;
        for query in queries {
            std::fs::write(jobs.join(format!("{}.sql", query.name)), &query.sql)?;
        }
        let options = Options {
            home: home.clone(),
            journal: None,
            project: Some(folder.to_owned()),
            access: Access::Write,
            branch: None,
            wait: None,
            context: Context {
                account: "main".to_owned(),
                actor: "bench".to_owned(),
                reason: None,
                request: None,
            },
        };
        let instance = Instance::open(options)?;
        instance.apply(None, true)?;
        let (report, spent) = timed(|| Ok(instance.deliver(&[], &CancelToken::new(), &|_| {})?))?;
        if let Some(bad) = report.deliveries.iter().find(|d| d.error.is_some()) {
            return Err(format!("{bad:?}").into());
        }
        let rows: u64 = report.deliveries.iter().map(|d| d.rows).sum();
        eprintln!(
            "tpch: delivered {rows} rows in {:.1} s, {:.1} CPU seconds",
            spent.wall, spent.cpu
        );
        let delivered = json!({ "rows": rows, "seconds": spent.wall, "cpu_seconds": spent.cpu });
        Ok(Self {
            instance,
            home,
            delivered,
        })
    }

    /// The folders in which the delivered tables' files are.
    pub(crate) fn staged(&self) -> Outcome<Files> {
        let mut files = Files::new();
        for table in TABLES {
            let folder = self.home.join("data/main/tpch").join(table);
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with('d') {
                    files.push((table, entry.path().join("")));
                }
            }
        }
        if files.len() == TABLES.len() {
            Ok(files)
        } else {
            Err("the delivered files are not where they are expected".into())
        }
    }
}

impl System for Project {
    fn name(&self) -> String {
        "mainstay".to_owned()
    }

    fn carry_out(&mut self, query: &Query) -> Outcome<Spent> {
        let request = RunRequest {
            targets: vec![(format!("tpch.{}", query.name).parse()?, Selection::All)],
            force: true,
            without_deliveries: true,
            class: mainstay_model::queue::Class::Interactive,
        };
        let ((_, report), spent) =
            timed(|| Ok(self.instance.run(&request, &CancelToken::new(), &|_| {})?))?;
        match report.runs.as_slice() {
            [run] if run.outcome == "succeeded" => Ok(spent),
            runs => Err(format!("{runs:?}").into()),
        }
    }

    fn answer(&mut self, query: &Query) -> Outcome<Answer> {
        let sql = format!("SELECT * FROM tpch.{}", query.name);
        let result = self
            .instance
            .query(&sql, QueryOptions::default(), &CancelToken::new())?;
        Answer::of(&result.batches)
    }
}
