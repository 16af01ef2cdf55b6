//! The demo's project and its data, a file a day.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use bytes::Bytes;
use mainstay_api::{Error, ErrorKind};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::commands::init::write;

macro_rules! example {
    ($path:literal) => {
        (
            $path,
            include_bytes!(concat!("../../../../../examples/flights/", $path)) as &[u8],
        )
    };
}

/// The project's files as they are in `examples/flights`.
const PROJECT: [(&str, &[u8]); 12] = [
    example!("mainstay.toml"),
    example!("jobs/air/departures.sql"),
    example!("jobs/air/daily_delays.sql"),
    example!("jobs/air/daily_weather.sql"),
    example!("jobs/air/weather_delays.sql"),
    example!("jobs/air/routes.sql"),
    example!("jobs/air/carrier_months.sql"),
    example!("jobs/air/fleet.sql"),
    example!("jobs/air/worst_days.sql"),
    example!("data/planes.parquet"),
    example!("data/airports.parquet"),
    example!("data/airlines.parquet"),
];

/// What is delivered as a file a day.
const YEARS: [(&str, &[u8]); 2] = [
    example!("data/flights/2013.parquet"),
    example!("data/weather/2013.parquet"),
];

/// Writes the project; files that are there already stay as they are. Returns how many were written.
pub(super) fn write_project(dir: &Path) -> Result<usize, Error> {
    let ours = dir.join("data/flights/2013-01-01.parquet");
    let strange = dir.exists() && dir.read_dir().is_ok_and(|mut d| d.next().is_some()) && !ours.exists();
    if strange {
        let message = format!("{} is not empty, and not of an earlier demo", dir.display());
        return Err(
            Error::new(ErrorKind::Refused, "MS0009", message).help("name an empty folder: mainstay demo DIR")
        );
    }
    let mut written = 0;
    for (path, bytes) in PROJECT {
        written += usize::from(write_new(&dir.join(path), bytes)?);
    }
    written += usize::from(write_new(&dir.join(".gitignore"), b".mainstay/\n")?);
    super::schemas(dir)?;
    for (path, bytes) in YEARS {
        let folder = dir.join(path).with_file_name("");
        for (day, rows) in days(bytes)? {
            let path = folder.join(format!("{day}.parquet"));
            if !path.exists() {
                write(&path, &parquet(&rows)?)?;
                written += 1;
            }
        }
    }
    Ok(written)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if path.exists() {
        return Ok(false);
    }
    write(path, bytes).map(|()| true)
}

fn broken(e: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Failed, "MS0901", "the demo's own data cannot be read")
        .because(e)
        .help("this is a defect; please report it")
}

/// Splits a year's rows by day.
fn days(bytes: &'static [u8]) -> Result<BTreeMap<String, RecordBatch>, Error> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(bytes))
        .and_then(|b| b.build())
        .map_err(|e| broken(&e))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| broken(&e))?;
    let Some(schema) = batches.first().map(RecordBatch::schema) else {
        return Ok(BTreeMap::new());
    };
    let all = concat_batches(&schema, &batches).map_err(|e| broken(&e))?;
    let (year, month, day) = (
        numbers(&all, "year"),
        numbers(&all, "month"),
        numbers(&all, "day"),
    );
    let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (i, ((y, m), d)) in (0..).zip(year.iter().zip(&month).zip(&day)) {
        rows.entry(format!("{y:04}-{m:02}-{d:02}")).or_default().push(i);
    }
    let pick = |(day, at): (String, Vec<u32>)| {
        take_record_batch(&all, &UInt32Array::from(at))
            .map(|b| (day, b))
            .map_err(|e| broken(&e))
    };
    rows.into_iter().map(pick).collect()
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<i64> {
    let Some(column) = batch.column_by_name(name) else {
        return Vec::new();
    };
    match column.data_type() {
        DataType::Int32 => column
            .as_primitive::<Int32Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::Float64 => column
            .as_primitive::<Float64Type>()
            .values()
            .iter()
            .map(|v| *v as i64)
            .collect(),
        DataType::Int64 => column.as_primitive::<Int64Type>().values().to_vec(),
        _ => Vec::new(),
    }
}

fn parquet(rows: &RecordBatch) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut write = || -> Result<(), parquet::errors::ParquetError> {
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None)?;
        writer.write(rows)?;
        writer.close().map(|_| ())
    };
    write().map_err(|e| broken(&e))?;
    Ok(bytes)
}
