//! DuckDB: one Python process that answers queries, each into one Parquet file, and tells what they took.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::Outcome;
use crate::answer::Answer;
use crate::data::TABLES;
use crate::measure::{Query, Spent, System};

/// Reads a JSON document a line and answers each with one.
const PROGRAM: &str = r#"
import json, sys, time
import duckdb
con = duckdb.connect()
for line in sys.stdin:
    asked = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        con.execute(asked["sql"])
        answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "version": duckdb.__version__}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"#;

/// A DuckDB with the tables as views over files.
pub(crate) struct DuckDb {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    out: PathBuf,
    version: String,
}

impl DuckDb {
    pub(crate) fn start(threads: usize, data: &Path, out: &Path) -> Outcome<Self> {
        let python = mainstay_sim::python().ok_or("DuckDB is not there: cargo xtask tools installs it")?;
        let mut process = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("Python takes no questions")?;
        let answers = BufReader::new(process.stdout.take().ok_or("Python gives no answers")?);
        std::fs::create_dir_all(out)?;
        let mut duckdb = Self {
            process,
            questions,
            answers,
            out: out.to_owned(),
            version: String::new(),
        };
        duckdb.ask(&format!("SET threads = {threads}"))?;
        duckdb.ask("CREATE SCHEMA tpch")?;
        for table in TABLES {
            let file = data.join(format!("{table}.parquet"));
            let view = format!(
                "CREATE VIEW tpch.{table} AS SELECT * FROM read_parquet('{}')",
                file.display()
            );
            let answer = duckdb.ask(&view)?;
            duckdb.version = answer["version"].as_str().unwrap_or_default().to_owned();
        }
        Ok(duckdb)
    }

    fn ask(&mut self, sql: &str) -> Outcome<Value> {
        writeln!(self.questions, "{}", json!({ "sql": sql }))?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => Err(error.into()),
            None => Ok(answer),
        }
    }

    fn file(&self, query: &Query) -> PathBuf {
        self.out.join(format!("{}.parquet", query.name))
    }
}

impl System for DuckDb {
    fn name(&self) -> String {
        format!("DuckDB {}", self.version)
    }

    fn carry_out(&mut self, query: &Query) -> Outcome<Spent> {
        let file = self.file(query);
        let answer = self.ask(&format!(
            "COPY (\n{}\n) TO '{}' (FORMAT parquet)",
            query.sql,
            file.display()
        ))?;
        let seconds = |key: &str| answer[key].as_f64().ok_or("DuckDB told no time");
        Ok(Spent {
            wall: seconds("wall")?,
            cpu: seconds("cpu")?,
        })
    }

    fn answer(&mut self, query: &Query) -> Outcome<Answer> {
        Answer::in_files(&self.file(query))
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It ends with its input; one that does not is of no use to anybody.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
