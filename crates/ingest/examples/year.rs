//! Measures taking in a year of flights, a file a day: `cargo run -p mainstay-ingest --example year -- FLIGHTS.parquet [THREADS]`.
//! It splits the file by day, writes 365 Parquet files, and takes them in with `make_date(year, month, day)` as the slice.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_base::{ManualClock, Timestamp};
use mainstay_ingest::{Arrival, Error, Intake, Stage, Taking, Watch};
use mainstay_model::spec::{Format, OnSchemaChange, SliceColumn, SourceSpec};
use mainstay_model::{DataFile, Schema, SliceKey};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

type Any = Box<dyn std::error::Error + Send + Sync>;

struct Staging {
    runtime: tokio::runtime::Runtime,
    store: mainstay_storage::Store,
    schema: Schema,
    count: AtomicUsize,
    spent: Mutex<Duration>,
}

impl Stage for Staging {
    fn stage(&self, slice: &SliceKey, rows: &RecordBatch) -> Result<DataFile, Error> {
        let start = Instant::now();
        let attempt = format!("a-{}", self.count.fetch_add(1, Ordering::Relaxed));
        let stage = mainstay_catalog::Stage::new(
            &self.store,
            "flights",
            &attempt,
            &self.schema,
            &["day".to_owned()],
        );
        let stage = stage.map_err(Error::failed)?;
        let files = self.runtime.block_on(async {
            let mut writer = stage.slice(slice).map_err(Error::failed)?;
            writer.write(rows).await.map_err(Error::failed)?;
            writer.finish().await.map_err(Error::failed)
        })?;
        if let Ok(mut spent) = self.spent.lock() {
            *spent += start.elapsed();
        }
        files.into_iter().next().ok_or_else(|| Error::failed("no file"))
    }
}

fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let flights = arguments.next().ok_or("which flights.parquet?")?;
    let threads: usize = arguments.next().map_or(Ok(2), |t| t.parse())?;
    let folder = tempfile::tempdir()?;
    split_by_day(Path::new(&flights), &folder.path().join("in"))?;
    let expression = Some("make_date(year, month, day)".to_owned());
    let spec = SourceSpec {
        description: None,
        files: "in/*.parquet".to_owned(),
        format: Format::Parquet,
        null: Vec::new(),
        rename: std::collections::BTreeMap::new(),
        delimiter: None,
        columns: None,
        slice: vec![SliceColumn {
            name: "day".to_owned(),
            expression,
        }],
        on_schema_change: OnSchemaChange::Refuse,
        approve: 0,
        retain: None,
        on_redelivery: mainstay_model::spec::OnRedelivery::Apply,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let later = ManualClock::new(Timestamp::from_micros(i64::MAX / 2));

    let start = Instant::now();
    let place = Watch::open(&spec, folder.path())?;
    let found = runtime.block_on(place.observe(&later))?;
    let observed = start.elapsed();
    let first = found.first().ok_or("no files")?;
    let Arrival::Complete(content) = runtime.block_on(place.fetch(first, folder.path()))? else {
        return Err("unstable".into());
    };
    let delivered = mainstay_ingest::infer(&spec, &first.file, &content)?;
    let known = mainstay_ingest::check_slice(&spec, &delivered)?;
    let intake = Intake::new(spec);
    let store = mainstay_storage::open("lake", folder.path())?;
    let staging = Staging {
        runtime,
        store,
        schema: known.clone(),
        count: AtomicUsize::new(0),
        spent: Mutex::default(),
    };
    let (next, rows, files) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(found) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let take = || -> Result<(), Any> {
                        let arrival = staging.runtime.block_on(place.fetch(found, folder.path()))?;
                        let Arrival::Complete(content) = arrival else {
                            return Err("unstable".into());
                        };
                        let taking = Taking {
                            known: Some(&known),
                            file: &found.file,
                            content: &content,
                            stage: &staging,
                        };
                        let taken = intake.take(taking)?;
                        rows.fetch_add(usize::try_from(taken.rows.0)?, Ordering::Relaxed);
                        files.fetch_add(taken.files.len(), Ordering::Relaxed);
                        Ok(())
                    };
                    if let (Err(e), Ok(mut failures)) = (take(), failures.lock()) {
                        failures.push(format!("{}: {e}", found.file));
                    }
                }
            });
        }
    });
    let total = start.elapsed();
    report(&format!(
        "{} files, {} rows, {} staged, {threads} threads: {:.2} s in all; {:.3} s to observe; {:.2} s of staging over all threads; {:?}",
        found.len(),
        rows.load(Ordering::Relaxed),
        files.load(Ordering::Relaxed),
        total.as_secs_f64(),
        observed.as_secs_f64(),
        staging.spent.lock().map_or(0.0, |s| s.as_secs_f64()),
        failures.lock().map(|f| f.first().cloned()).unwrap_or_default(),
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a measurement is for whoever runs it")]
fn report(line: &str) {
    println!("{line}");
}

fn split_by_day(flights: &Path, into: &Path) -> Result<(), Any> {
    fs::create_dir_all(into)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(flights)?)?.build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let schema = batches.first().ok_or("no rows")?.schema();
    let all = concat_batches(&schema, &batches)?;
    let mut days: std::collections::BTreeMap<String, Vec<u32>> = std::collections::BTreeMap::new();
    let options = FormatOptions::new();
    let columns = ["year", "month", "day"].map(|c| all.column_by_name(c).cloned());
    let [Some(year), Some(month), Some(day)] = columns else {
        return Err("no year, month, day".into());
    };
    let formatters = [&year, &month, &day].map(|c| ArrayFormatter::try_new(c.as_ref(), &options));
    for row in 0..all.num_rows() {
        let mut name = String::new();
        for f in &formatters {
            let f = f.as_ref().map_err(ToString::to_string)?;
            name += &format!("-{:0>2}", f.value(row).to_string());
        }
        days.entry(name).or_default().push(u32::try_from(row)?);
    }
    for (name, rows) in days {
        let part = take_record_batch(&all, &UInt32Array::from(rows))?;
        let file = File::create(into.join(format!("flights{name}.parquet")))?;
        let mut writer = ArrowWriter::try_new(file, schema.clone(), None)?;
        writer.write(&part)?;
        writer.close()?;
    }
    Ok(())
}
