//! `query`.

use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_api::{Error, ErrorKind};
use mainstay_base::text;
use mainstay_server::{Access, QueryOptions, QueryResult, When};

use super::{time, with};
use crate::args::{Format, Global};
use crate::output::Output;
use crate::table::{MOST_ROWS, as_named};
use crate::{Done, context};

/// What stands for NULL: no text of a column is likely to be that.
const NULL: &str = "∅";

pub(super) struct Ask<'a> {
    pub(super) sql: &'a str,
    pub(super) as_of: Option<&'a str>,
    pub(super) version: Option<u64>,
    pub(super) format: Option<Format>,
    pub(super) file: Option<&'a Path>,
}

pub(super) fn query(global: &Global, ask: &Ask<'_>, output: &Output) -> Result<Done, Error> {
    let when = match (ask.as_of, ask.version) {
        (Some(t), _) => When::Time(time(t)?),
        (None, Some(version)) => When::Version(version),
        (None, None) => When::Now,
    };
    let cancel = context::interruptible();
    with(global, Access::Read, output, |instance| {
        let options = QueryOptions {
            when,
            color: output.color(),
        };
        let result = instance.query(ask.sql, options, &cancel)?;
        write(&result, ask, output)?;
        Ok(Done::Well)
    })
}

fn write(result: &QueryResult, ask: &Ask<'_>, output: &Output) -> Result<(), Error> {
    let by_name = ask.file.and_then(Path::extension).and_then(|e| match e.to_str() {
        Some("csv") => Some(Format::Csv),
        Some("json") => Some(Format::Json),
        Some("parquet") => Some(Format::Parquet),
        _ => None,
    });
    let usual = if output.is_json() {
        Format::Json
    } else {
        Format::Table
    };
    let format = ask.format.or(by_name).unwrap_or(usual);
    let mut bytes = Vec::new();
    match format {
        Format::Parquet => {
            let Some(file) = ask.file else {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "MS0005",
                    "Parquet needs a file to be written to",
                )
                .help("--format parquet -o rows.parquet"));
            };
            result.parquet(file)?;
            output.note(&format!(
                "{} in {}",
                text::count(result.rows() as u64, "row"),
                file.display()
            ));
            return Ok(());
        }
        Format::Csv => result.csv(&mut bytes)?,
        Format::Json => {
            result.write_json(&mut bytes)?;
        }
        Format::Table => bytes = people(result)?.into_bytes(),
    }
    match ask.file {
        None => output.raw(&bytes),
        Some(file) => {
            std::fs::write(file, &bytes).map_err(|e| {
                Error::new(
                    ErrorKind::Unavailable,
                    "MS0702",
                    format!("cannot write {}", file.display()),
                )
                .because(&e)
            })?;
            output.note(&format!(
                "{} in {}",
                text::count(result.rows() as u64, "row"),
                file.display()
            ));
        }
    }
    Ok(())
}

/// Lays an answer out for people.
pub(super) fn people(result: &QueryResult) -> Result<String, Error> {
    let wrong = |e: arrow::error::ArrowError| {
        Error::new(ErrorKind::Failed, "MS0005", "a value cannot be shown").because(&e)
    };
    let options = FormatOptions::default().with_null(NULL);
    let mut rows = Vec::new();
    for batch in &result.batches {
        let shown = batch.num_rows().min(MOST_ROWS - rows.len());
        let columns = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        for i in 0..shown {
            rows.push(columns.iter().map(|c| c.value(i).to_string()).collect());
        }
    }
    let headings: Vec<&str> = result.schema.fields().iter().map(|f| f.name().as_str()).collect();
    Ok(format!(
        "{}{}\n",
        as_named(&headings, &rows, result.rows()),
        text::count(result.rows() as u64, "row")
    ))
}
