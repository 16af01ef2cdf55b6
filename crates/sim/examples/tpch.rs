//! Measures TPC-H and prints one JSON document: each of the 22 queries as a job of a project, beside the engine alone and
//! beside DuckDB, writing included on all sides.
//!
//! `tpch [--scale N] [--rounds N] [--queries 1,6,…] [--dir DIR]` takes the systems in turns, query by query, in another order
//! each round, so that a slower minute of the machine hits all of them; a first round warms up, is not counted, and its
//! answers are compared. `tpch --vary engine|layout` measures the engine alone under other settings, or over files that are
//! laid out otherwise, instead. The data are made once, below `target/bench`.

#![expect(clippy::print_stdout, reason = "the document is what this program is for")]
#![expect(
    clippy::print_stderr,
    reason = "it takes minutes: who waits sees how far it is"
)]

#[path = "tpch/answer.rs"]
mod answer;
#[path = "tpch/data.rs"]
mod data;
#[path = "tpch/duckdb.rs"]
mod duckdb;
#[path = "tpch/engine.rs"]
mod engine;
#[path = "tpch/job.rs"]
mod job;
#[path = "tpch/measure.rs"]
mod measure;
#[path = "tpch/vary.rs"]
mod vary;

use std::error::Error;
use std::path::{Path, PathBuf};

use measure::{Measured, Query, System};
use serde_json::{Value, json};

/// As the binary has it; it serves the engine alone, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Options {
    scale: f64,
    rounds: usize,
    queries: Vec<usize>,
    dir: Option<PathBuf>,
    vary: Option<String>,
}

fn main() -> Outcome<()> {
    let options = options()?;
    let folder = options
        .dir
        .clone()
        .unwrap_or_else(|| target().join(format!("bench/tpch-{}", options.scale)));
    std::fs::create_dir_all(&folder)?;
    data::make(&folder.join("data"), options.scale)?;
    let queries = queries(&options.queries)?;
    let document = match &options.vary {
        Some(what) => vary::measure(what, &folder, &queries, options.rounds)?,
        None => side_by_side(&folder, &queries, options.rounds)?,
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

fn options() -> Outcome<Options> {
    let mut options = Options {
        scale: 1.0,
        rounds: 5,
        queries: (1..=22).collect(),
        dir: None,
        vary: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--scale" => options.scale = value()?.parse()?,
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
            "--queries" => options.queries = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--dir" => options.dir = Some(value()?.into()),
            "--vary" => options.vary = Some(value()?),
            other => return Err(format!("there is no option {other}").into()),
        }
    }
    Ok(options)
}

/// The folder `target` that this program was built into.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(3)
        .map_or_else(|| PathBuf::from("target"), Path::to_owned)
}

fn queries(numbers: &[usize]) -> Outcome<Vec<Query>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tpch/queries");
    let read = |number: &usize| {
        let name = format!("q{number}");
        let path = folder.join(format!("{name}.sql"));
        let sql = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Query { name, sql })
    };
    numbers.iter().map(read).collect()
}

/// The job, the engine alone over the files as delivered and over the files that jobs read, DuckDB.
fn side_by_side(folder: &Path, queries: &[Query], rounds: usize) -> Outcome<Value> {
    let threads = std::thread::available_parallelism()?.get();
    let data = folder.join("data");
    let job = job::Project::set_up(folder, queries)?;
    let staged = job.staged()?;
    let delivered = job.delivered.clone();
    let delivered_files = data::TABLES
        .iter()
        .map(|t| (*t, data.join(format!("{t}.parquet"))))
        .collect();
    let bare = engine::Engine::new(
        "engine alone",
        threads,
        &[],
        delivered_files,
        &folder.join("engine"),
    )?;
    let staged = engine::Engine::new(
        "engine alone, over mainstay's files",
        threads,
        &[],
        staged,
        &folder.join("staged"),
    )?;
    let duckdb = duckdb::DuckDb::start(threads, &data, &folder.join("duckdb"))?;
    let mut systems: Vec<Box<dyn System>> =
        vec![Box::new(job), Box::new(bare), Box::new(staged), Box::new(duckdb)];
    let measured = Measured::of(&mut systems, queries, rounds, true)?;
    measured.show();
    let [job, bare, staged, duckdb] = [0, 1, 2, 3];
    let mut figures = vec![
        measured.sum(
            "22 queries as jobs, beside the engine alone",
            job,
            Some(bare),
            Some(1.10),
        ),
        measured.sum("22 queries as jobs, beside DuckDB", job, Some(duckdb), Some(1.5)),
        measured.sum(
            "22 queries, engine alone, beside DuckDB",
            bare,
            Some(duckdb),
            None,
        ),
        measured.sum(
            "22 queries, engine alone over mainstay's files, beside the files as delivered",
            staged,
            Some(bare),
            None,
        ),
        measured.sum("22 queries, DuckDB", duckdb, None, None),
        measured.cpu(
            "22 queries as jobs, processor time, beside the engine alone",
            job,
            bare,
        ),
        measured.cpu("22 queries as jobs, processor time, beside DuckDB", job, duckdb),
    ];
    for (i, query) in queries.iter().enumerate() {
        figures.push(measured.query(&format!("{}, beside the engine alone", query.name), i, job, bare));
    }
    Ok(json!({ "figures": figures, "threads": threads, "rounds": rounds, "delivered": delivered }))
}
