//! The columns of a file and their types, as they are delivered.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema as ArrowSchema};
use mainstay_model::spec::{Format, SourceSpec};
use mainstay_model::{Column, Schema};
use mainstay_sql::arrow_types;

use crate::content::Content;
use crate::error::Error;
use crate::fault;
use crate::guess::Guess;
use crate::read::csv::CsvReader;
use crate::read::parquet::ParquetReader;
use crate::read::{Read, Stop, ndjson};

/// Finds a file's columns and their types, in the order of the file. Parquet says them; for CSV and NDJSON every value of the
/// file is looked at. Columns that the source declares have their declared type, and CSV's null texts are NULL. A column
/// without any value is `string`.
///
/// # Errors
///
/// [`Error::File`] if the file cannot be read to its end, has no columns, two with one name, or values of kinds that have no
/// type in common.
pub fn infer(spec: &SourceSpec, file: &str, content: &Content) -> Result<Schema, Error> {
    let mut schema = match spec.format {
        Format::Parquet => {
            let reader = ParquetReader::open(content).map_err(stopped)?;
            arrow_types::columns(&typed(reader.schema()))
                .map_err(|(column, e)| fault::no_such_type(&column, &odd(&e)))?
        }
        Format::Csv => csv(spec, file, content, None).map_err(stopped)?,
        Format::Ndjson => ndjson::infer(content, file).map_err(stopped)?,
    };
    if spec.format != Format::Csv {
        for column in &mut schema.0 {
            column.name = spec.column_of(&column.name).to_owned();
        }
    }
    check_names(schema.names())?;
    for column in &mut schema.0 {
        if let Some(declared) = spec.columns.as_ref().and_then(|d| d.column(&column.name)) {
            column.column_type = declared.column_type.clone();
        }
    }
    Ok(schema)
}

/// Returns a file's columns; one that was written without a type, because it has no value, is a text.
fn typed(columns: &ArrowSchema) -> ArrowSchema {
    let field = |f: &FieldRef| match f.data_type() {
        DataType::Null => Field::new(f.name(), DataType::Utf8, true),
        _ => f.as_ref().clone(),
    };
    ArrowSchema::new(columns.fields().iter().map(field).collect::<Vec<_>>())
}

/// Looks at every value of a CSV file, or at those of some columns only.
pub(crate) fn csv(
    spec: &SourceSpec,
    file: &str,
    content: &Content,
    only: Option<&[String]>,
) -> Result<Schema, Stop> {
    let mut reader = CsvReader::open(content, file, spec)?;
    let names = reader.header().to_vec();
    let wanted: Vec<bool> = names.iter().map(|n| only.is_none_or(|o| o.contains(n))).collect();
    let mut guesses = vec![Guess::Nothing; names.len()];
    while let Some(batch) = reader.next()? {
        for ((guess, column), wanted) in guesses.iter_mut().zip(&batch.columns).zip(&wanted) {
            if !wanted || *guess == Guess::String {
                continue;
            }
            let Some(texts) = column.as_string_opt::<i32>() else {
                continue;
            };
            for i in 0..texts.len() {
                if texts.is_valid(i) {
                    *guess = guess.see(texts.value(i).as_bytes());
                }
            }
        }
    }
    let columns = names.into_iter().zip(guesses);
    Ok(Schema(
        columns
            .map(|(name, guess)| Column {
                name,
                column_type: guess.column_type(),
            })
            .collect(),
    ))
}

/// Refuses names that a table cannot have: none, those with spaces and brackets, and two that differ in case only.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let names: Vec<&str> = names.collect();
    let odd: Vec<&str> = names
        .iter()
        .copied()
        .filter(|n| n.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']))
        .filter(|n| !n.trim().is_empty())
        .collect();
    if !odd.is_empty() {
        return Err(fault::odd_names(&odd).into());
    }
    let mut seen = BTreeSet::new();
    for (i, name) in names.into_iter().enumerate() {
        if name.trim().is_empty() {
            return Err(fault::bad_header(format!("column {} has no name", i + 1)).into());
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(
                fault::bad_header(format!("two columns are called `{}`", fault::shorten(name))).into(),
            );
        }
    }
    if seen.is_empty() {
        return Err(fault::no_columns("the file has no columns").into());
    }
    Ok(())
}

pub(crate) fn stopped(stop: Stop) -> Error {
    match stop {
        Stop::Bad(e) => Error::File(e),
        Stop::UnknownColumn => Error::failed("a column that was not there before"),
        Stop::Io(e) => Error::failed(e),
    }
}

/// Says why a type cannot be a column's.
pub(crate) fn odd(e: &arrow_types::NoColumnType) -> String {
    if e.help.is_empty() {
        format!("it is {}", e.name)
    } else {
        format!("it is {} ({})", e.name, e.help)
    }
}
