//! What a case is about: sources with their columns and slices, files with rows, jobs with queries, and the project's files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::choices::Choices;
use crate::value::{Column, Type, Value};

/// How a source's files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Ndjson,
}

/// How a source is sliced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slicing {
    /// One slice.
    None,
    /// By columns that are delivered.
    Columns(Vec<String>),
    /// By a further column, made by an expression.
    Made(Column, String),
}

/// A place where files are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) format: Format,
    /// The columns that are delivered.
    pub(crate) columns: Vec<Column>,
    pub(crate) slicing: Slicing,
}

pub(crate) type Row = Vec<Value>;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Rows(Vec<Row>),
    /// Rows of which the first has a value that is no number.
    Bad(Vec<Row>),
}

/// What queries may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
}

/// A condition that a dataset must meet: no row for which this holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) predicate: String,
}

/// A query whose result is a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) sql: String,
    /// What it reads.
    pub(crate) reads: Vec<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) slice: Vec<String>,
    pub(crate) check: Option<Check>,
    /// A setting that changes nothing in the data.
    pub(crate) remark: usize,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    pub(crate) sources: Vec<Source>,
    pub(crate) jobs: Vec<Job>,
    /// A setting of the sources that changes nothing in the data.
    pub(crate) remark: usize,
}

impl Source {
    /// Chooses a source.
    pub(crate) fn choose(c: &mut Choices, at: usize) -> Self {
        let mut columns = Vec::new();
        // A table must have a column beside those that slice it.
        columns.push(Column::new("q", Type::Int));
        let dated = !c.chance(1, if at == 0 { 20 } else { 5 });
        if dated {
            columns.push(Column::new("day", Type::Date));
        }
        columns.push(Column::new("k", Type::Int));
        let more = [
            ("tag", Type::Text),
            ("amount", Type::Decimal),
            ("x", Type::Double),
        ];
        for (name, t) in more {
            if c.chance(1, 2) {
                columns.push(Column::new(name, t));
            }
        }
        let made = |name: &str, t, sql: &str| Slicing::Made(Column::new(name, t), sql.to_owned());
        let by = |names: &[&str]| Slicing::Columns(names.iter().map(ToString::to_string).collect());
        let slicing = match (dated, c.weighted(&[6, 1, 1, 1, 1, 1])) {
            (true, 0) => by(&["day"]),
            (true, 1) => made("month", Type::Date, "CAST(date_trunc('month', day) AS DATE)"),
            (true, 2) => by(&["day", "k"]),
            (_, 3) => by(&["k"]),
            (_, 4) => made("part", Type::Int, "k % 2"),
            _ => Slicing::None,
        };
        Self {
            name: format!("lab.s{at}"),
            format: *c.pick(&[Format::Csv, Format::Csv, Format::Ndjson]),
            columns,
            slicing,
        }
    }

    /// Returns what queries see of it.
    pub(crate) fn relation(&self) -> Relation {
        let mut columns = self.columns.clone();
        if let Slicing::Made(column, _) = &self.slicing {
            columns.push(column.clone());
        }
        Relation {
            name: self.name.clone(),
            columns,
        }
    }

    /// Returns its slice columns.
    pub(crate) fn slice(&self) -> Vec<String> {
        match &self.slicing {
            Slicing::None => Vec::new(),
            Slicing::Columns(names) => names.clone(),
            Slicing::Made(column, _) => vec![column.name.clone()],
        }
    }

    /// Returns the folder of its files.
    pub(crate) fn folder(&self) -> String {
        format!("in/{}", self.name.trim_start_matches("lab."))
    }

    /// Returns the path of its file with this number.
    pub(crate) fn file(&self, number: usize) -> String {
        let ending = match self.format {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        };
        format!("{}/f{number}.{ending}", self.folder())
    }

    /// Chooses a row.
    pub(crate) fn row(&self, c: &mut Choices) -> Row {
        self.columns
            .iter()
            .map(|column| Value::choose(c, column))
            .collect()
    }

    /// Writes a file.
    pub(crate) fn written(&self, content: &Content) -> String {
        let (rows, bad) = match content {
            Content::Rows(rows) => (rows, false),
            Content::Bad(rows) => (rows, true),
        };
        let mut text = String::new();
        if self.format == Format::Csv {
            let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
            let _ = writeln!(text, "{}", names.join(","));
        }
        for (i, row) in rows.iter().enumerate() {
            let spoilt = |column: &Column| bad && i == 0 && column.name == "k";
            let each = self.columns.iter().zip(row);
            let fields: Vec<String> = match self.format {
                Format::Csv => each
                    .map(|(c, v)| if spoilt(c) { "three".to_owned() } else { v.csv() })
                    .collect(),
                Format::Ndjson => each
                    .map(|(c, v)| {
                        let value = if spoilt(c) {
                            "\"three\"".to_owned()
                        } else {
                            v.json()
                        };
                        format!("\"{}\": {value}", c.name)
                    })
                    .collect(),
            };
            let _ = match self.format {
                Format::Csv => writeln!(text, "{}", fields.join(",")),
                Format::Ndjson => writeln!(text, "{{{}}}", fields.join(", ")),
            };
        }
        text
    }

    fn declaration(&self, remark: usize) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|c| format!("{} = \"{}\"", c.name, c.t.declared()))
            .collect();
        let ending = match self.format {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        };
        let mut text = format!(
            "\n[source.\"{}\"]\nfiles = \"{}/*.{ending}\"\ncolumns = {{ {} }}\n",
            self.name,
            self.folder(),
            columns.join(", ")
        );
        let quoted = |names: &[String]| {
            names
                .iter()
                .map(|n| format!("\"{n}\""))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match &self.slicing {
            Slicing::None => {}
            Slicing::Columns(names) => {
                let _ = writeln!(text, "slice = [{}]", quoted(names));
            }
            Slicing::Made(column, sql) => {
                let _ = writeln!(text, "slice = {{ {} = \"{sql}\" }}", column.name);
            }
        }
        if remark > 0 {
            let _ = writeln!(text, "description = \"remark {remark}\"");
        }
        text
    }
}

impl Job {
    /// Returns the path and the text of its file.
    pub(crate) fn file(&self) -> (String, String) {
        let mut settings = vec!["retries = 0".to_owned()];
        if !self.slice.is_empty() {
            let names: Vec<String> = self.slice.iter().map(|s| format!("\"{s}\"")).collect();
            settings.push(format!("slice = [{}]", names.join(", ")));
        }
        if let Some(check) = &self.check {
            settings.push(format!(
                "checks.no_such_row = {{ sql = \"{}\" }}",
                self.check_sql(check)
            ));
        }
        if self.remark > 0 {
            settings.push(format!("description = \"remark {}\"", self.remark));
        }
        let settings: String = settings.iter().fold(String::new(), |mut text, s| {
            let _ = writeln!(text, "-- {s}");
            text
        });
        let path = format!("jobs/{}.sql", self.name.replace('.', "/"));
        (path, format!("-- /// mainstay\n{settings}-- ///\n{}\n", self.sql))
    }

    /// Returns the query that must yield no row.
    pub(crate) fn check_sql(&self, check: &Check) -> String {
        format!("SELECT * FROM {} WHERE {}", self.name, check.predicate)
    }
}

impl Project {
    /// Returns its files.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut main = "[project]\nname = \"lab\"\n".to_owned();
        if crate::breaking::is_on() {
            // It would find the broken rule before the oracle does, and put right what comes of it.
            main.push_str("cross_check = 0\n");
        }
        for source in &self.sources {
            main.push_str(&source.declaration(self.remark));
        }
        let mut files = BTreeMap::from([("mainstay.toml".to_owned(), main)]);
        files.extend(self.jobs.iter().map(Job::file));
        files
    }

    /// Returns the source of a name.
    pub(crate) fn source(&self, name: &str) -> &Source {
        let found = self.sources.iter().find(|s| s.name == name);
        found.unwrap_or(&self.sources[0])
    }

    /// Returns these datasets and everything that they are computed from.
    pub(crate) fn closure(&self, names: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut left = names.to_vec();
        while let Some(name) = left.pop() {
            if found.contains(&name) {
                continue;
            }
            if let Some(job) = self.jobs.iter().find(|j| j.name == name) {
                left.extend(job.reads.iter().cloned());
            }
            found.push(name);
        }
        found
    }

    /// Returns the slice columns of a dataset.
    pub(crate) fn slice_of(&self, name: &str) -> Vec<String> {
        match self.jobs.iter().find(|j| j.name == name) {
            Some(job) => job.slice.clone(),
            None => self.source(name).slice(),
        }
    }

    /// Returns the names of all datasets: sources, then jobs in an order in which each stands after what it reads.
    pub(crate) fn names(&self) -> Vec<String> {
        let sources = self.sources.iter().map(|s| s.name.clone());
        sources.chain(self.jobs.iter().map(|j| j.name.clone())).collect()
    }
}
