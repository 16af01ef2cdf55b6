//! The other engine: DuckDB in a Python process, which computes everything anew from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::ledger::Ledger;
use crate::world::{Project, Slicing, Source};

/// More rows than this in one dataset only take time.
const MOST: usize = 1500;

/// The rows of a table in their order, as texts.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// What a full recomputation gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) tables: BTreeMap<String, Rows>,
    /// The jobs whose check finds rows.
    pub(crate) violated: BTreeSet<String>,
}

/// What came of asking.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Is(Expected),
    /// A dataset has too many rows to go on with.
    TooLarge,
    /// A query means nothing to it.
    Refused(String),
}

/// A process that answers one question after the other.
#[derive(Debug)]
pub(crate) struct Oracle {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    fresh: bool,
    /// What each table was made from, and its rows: what is made from the same again is the same.
    held: BTreeMap<String, (String, Rows)>,
}

impl Oracle {
    /// Starts the process.
    pub(crate) fn start(python: &Path) -> Self {
        let mut process = Command::new(python)
            .args(["-c", include_str!("oracle.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let questions = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self {
            process,
            questions,
            answers,
            fresh: true,
            held: BTreeMap::new(),
        }
    }

    /// Forgets everything: another case begins.
    pub(crate) fn forget(&mut self) {
        self.fresh = true;
        self.held.clear();
    }

    fn ask(&mut self, question: &Json) -> Json {
        writeln!(self.questions, "{question}").expect("the oracle listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the oracle answers");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Computes all datasets of a project from what was delivered.
    pub(crate) fn compute(&mut self, project: &Project, ledger: &Ledger) -> Answer {
        let mut from: BTreeMap<&str, String> = BTreeMap::new();
        let (mut statements, mut read, mut make) = (Vec::new(), Vec::new(), Vec::new());
        let held = |name: &str, from: &String| self.held.get(name).is_some_and(|(f, _)| f == from);
        let corrections = |name: &str| -> Vec<String> {
            let slice = project.slice_of(name);
            ledger
                .amendments(name)
                .flat_map(|a| a.statements(&slice))
                .collect()
        };
        for source in &project.sources {
            let mut wanted = statements_for(source, ledger);
            wanted.extend(corrections(&source.name));
            let text = wanted.join("; ");
            if !held(&source.name, &text) {
                statements.extend(wanted);
                read.push(&source.name);
            }
            from.insert(&source.name, text);
        }
        for job in &project.jobs {
            let after = corrections(&job.name);
            let mut text = format!("{}; {}", job.sql, after.join("; "));
            for input in &job.reads {
                text.push_str("; ");
                text.push_str(from.get(input.as_str()).map_or("", |f| f));
            }
            let text = mainstay_base::Hash::of(text.as_bytes()).to_string();
            if !held(&job.name, &text) {
                make.push((&job.name, &job.sql, after));
            }
            from.insert(&job.name, text);
        }
        let checked: Vec<(&str, String)> = project
            .jobs
            .iter()
            .filter_map(|j| Some((j.name.as_str(), j.check_sql(j.check.as_ref()?))))
            .collect();
        let answer = self.ask(&json!({
            "fresh": self.fresh,
            "do": statements,
            "make": make,
            "read": read,
            "count": checked.iter().map(|(_, sql)| sql).collect::<Vec<_>>(),
            "most": MOST,
        }));
        self.fresh = false;
        if let Some(error) = answer["error"].as_str() {
            return Answer::Refused(error.to_owned());
        }
        if !answer["too_large"].is_null() {
            return Answer::TooLarge;
        }
        let made: BTreeMap<String, Rows> = serde_json::from_value(answer["tables"].clone()).expect("tables");
        for (name, rows) in made {
            let text = from.get(name.as_str()).cloned().unwrap_or_default();
            self.held.insert(name, (text, rows));
        }
        let of = |name: String| Some((name.clone(), self.held.get(&name)?.1.clone()));
        let tables = project.names().into_iter().filter_map(of).collect();
        let found = answer["counts"].as_array().into_iter().flatten();
        let violated = checked.iter().zip(found).filter(|(_, n)| n.as_u64() != Some(0));
        Answer::Is(Expected {
            tables,
            violated: violated.map(|((name, _), _)| (*name).to_owned()).collect(),
        })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes the statements that fill a source's table with what was delivered.
fn statements_for(source: &Source, ledger: &Ledger) -> Vec<String> {
    let base = source.name.replace("lab.", "base.");
    let columns: Vec<String> = source
        .columns
        .iter()
        .map(|c| format!("{} {}", c.name, c.t.sql()))
        .collect();
    let mut statements = vec![format!("CREATE OR REPLACE TABLE {base} ({})", columns.join(", "))];
    let rows: Vec<String> = ledger
        .rows(&source.name)
        .iter()
        .map(|row| {
            let values: Vec<String> = row.iter().map(crate::value::Value::sql).collect();
            format!("({})", values.join(", "))
        })
        .collect();
    if !rows.is_empty() {
        statements.push(format!("INSERT INTO {base} VALUES {}", rows.join(", ")));
    }
    let made = match &source.slicing {
        Slicing::Made(column, sql) => format!(", {sql} AS {}", column.name),
        _ => String::new(),
    };
    statements.push(format!(
        "CREATE OR REPLACE TABLE {} AS SELECT *{made} FROM {base}",
        source.name
    ));
    statements
}
