//! A query's result, compared between systems: the same rows in any order, numbers by value within what rounding may do.

use std::cmp::Ordering;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Outcome;

/// One value: systems give averages and sums as different types of number.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Number(f64),
}

/// The rows of a result, in an order of their own.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    rows: Vec<Vec<Cell>>,
}

impl Answer {
    /// Takes in all rows of batches.
    pub(crate) fn of(batches: &[RecordBatch]) -> Outcome<Self> {
        let mut rows = Vec::new();
        for batch in batches {
            let columns = batch.columns().iter().map(cells).collect::<Outcome<Vec<_>>>()?;
            rows.extend((0..batch.num_rows()).map(|i| {
                columns
                    .iter()
                    .filter_map(|c| c.get(i).cloned())
                    .collect::<Vec<_>>()
            }));
        }
        rows.sort_by(|a, b| order(a, b));
        Ok(Self { rows })
    }

    /// Reads the Parquet files in a folder, or one file.
    pub(crate) fn in_files(place: &Path) -> Outcome<Self> {
        let files = if place.is_dir() {
            std::fs::read_dir(place)?
                .map(|e| e.map(|e| e.path()))
                .collect::<Result<_, _>>()?
        } else {
            vec![place.to_owned()]
        };
        let mut batches = Vec::new();
        for file in files {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.build()?;
            for batch in reader {
                batches.push(batch?);
            }
        }
        Self::of(&batches)
    }

    /// Says how another answer differs.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), String> {
        if self.rows.len() != other.rows.len() {
            return Err(format!("{} and {} rows", self.rows.len(), other.rows.len()));
        }
        let differs = |(a, b): &(&Vec<Cell>, &Vec<Cell>)| {
            a.len() != b.len() || !a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        };
        match self.rows.iter().zip(&other.rows).find(differs) {
            Some((a, b)) => Err(format!("{a:?} and {b:?}")),
            None => Ok(()),
        }
    }
}

/// An average that is a decimal has six places; sums of doubles differ in their last bits.
fn same(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Number(a), Cell::Number(b)) => (a - b).abs() <= 1e-6 + 1e-9 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

/// By texts first, which are the same everywhere, then by numbers.
fn order(a: &[Cell], b: &[Cell]) -> Ordering {
    let texts = |row: &[Cell]| {
        row.iter()
            .map(|c| {
                if let Cell::Text(t) = c {
                    t.clone()
                } else {
                    String::new()
                }
            })
            .collect::<Vec<_>>()
    };
    let numbers = |row: &[Cell]| {
        row.iter()
            .map(|c| {
                if let Cell::Number(n) = c {
                    *n
                } else {
                    f64::NEG_INFINITY
                }
            })
            .collect::<Vec<_>>()
    };
    texts(a).cmp(&texts(b)).then_with(|| {
        let pairs = numbers(a).into_iter().zip(numbers(b));
        pairs
            .map(|(a, b)| a.total_cmp(&b))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

fn cells(column: &ArrayRef) -> Outcome<Vec<Cell>> {
    let rows = 0..column.len();
    if column.data_type().is_numeric() {
        let numbers = cast(column, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let cell = |i| {
            if numbers.is_null(i) {
                Cell::Null
            } else {
                Cell::Number(numbers.value(i))
            }
        };
        return Ok(rows.map(cell).collect());
    }
    let texts = cast(column, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let cell = |i| {
        if texts.is_null(i) {
            Cell::Null
        } else {
            Cell::Text(texts.value(i).to_owned())
        }
    };
    Ok(rows.map(cell).collect())
}
