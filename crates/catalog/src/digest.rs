//! The digest of rows: order-insensitive, independent of batches, of the order of columns and of physical types.
//!
//! Every row is encoded injectively, column by column in the order of their names: integers by value whatever their width;
//! decimals (and unsigned 64-bit integers, which tables hold as decimals) by value whatever their scale; floats as doubles with
//! one NaN and one zero; texts and binaries by their bytes; dates as days, times as microseconds, those with a zone in UTC; lists
//! and maps in their order; structs by field. NULL differs from every value. The two hashes of a row are XXH3-128 of its bytes
//! under two seeds, which come from the names and classes of the columns, so that digests of different columns never meet.

mod normal;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema as ArrowSchema};
use arrow::row::{RowConverter, Rows as EncodedRows, SortField};
use mainstay_base::hash::Hasher;
use mainstay_base::{MultisetHash, Rows};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::error::{Error, Result};

/// How many rows are encoded at once: few enough to stay in the processor's cache.
const CHUNK: usize = 2048;

/// Where a column of the digest comes from.
#[derive(Debug)]
enum Source {
    /// The column of the batches with this name.
    Batch(String),
    /// The same value for every row, repeated for as many rows as a chunk has.
    Constant(ArrayRef),
}

/// Takes in batches, and gives the digest of all their rows.
#[derive(Debug)]
pub struct Digester {
    columns: Vec<Source>,
    classes: Vec<String>,
    seeds: [u64; 2],
    /// The encoder for the physical types of the last batch, and its buffer.
    encoder: Option<(Vec<DataType>, RowConverter, EncodedRows)>,
    sum: MultisetHash,
    rows: u64,
}

impl Digester {
    /// Starts a digest of rows with these columns.
    ///
    /// # Errors
    ///
    /// [`Error::Columns`] for a type that no table can hold.
    pub fn new(schema: &ArrowSchema) -> Result<Self> {
        Self::with_constants(schema, &[])
    }

    /// Starts a digest of rows with these columns and, besides, columns that have one value throughout (arrays of one row):
    /// the slice columns of a file. The digest is that of the rows with these columns written out.
    ///
    /// # Errors
    ///
    /// [`Error::Columns`] for a type that no table can hold, and for two columns of one name.
    pub fn with_constants(schema: &ArrowSchema, constants: &[(String, ArrayRef)]) -> Result<Self> {
        let mut columns = Vec::new();
        for f in schema.fields() {
            columns.push((
                f.name().clone(),
                normal::class(f.name(), f.data_type())?,
                Source::Batch(f.name().clone()),
            ));
        }
        for (name, value) in constants {
            let class = normal::class(name, value.data_type())?;
            let value = normal::normalise(name, value)?;
            let repeated = take(&value, &UInt32Array::from(vec![0; CHUNK]), None)?;
            columns.push((name.clone(), class, Source::Constant(repeated)));
        }
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        let mut domain = Hasher::new("mainstay-rows-1");
        for (name, class, _) in &columns {
            domain.field(name.as_bytes()).field(class.as_bytes());
        }
        if let Some([(name, ..), _]) = columns.array_windows().find(|[a, b]| a.0 == b.0) {
            return Err(Error::Columns {
                column: name.clone(),
                why: "is there twice",
            });
        }
        let hash = *domain.finish().as_bytes();
        let seed = |at: usize| {
            let bytes = hash
                .get(at..at + 8)
                .and_then(|b| b.try_into().ok())
                .unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let (classes, columns) = columns
            .into_iter()
            .map(|(_, class, source)| (class, source))
            .unzip();
        let sum = MultisetHash::EMPTY;
        Ok(Self {
            columns,
            classes,
            seeds: [seed(0), seed(8)],
            encoder: None,
            sum,
            rows: 0,
        })
    }

    /// Takes in the rows of a batch. Its columns are found by name; those that the digest does not cover are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Columns`] if a column is missing or of another class than at the start.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut inputs = Vec::with_capacity(self.columns.len());
        for (source, class) in self.columns.iter().zip(&self.classes) {
            let Source::Batch(name) = source else {
                inputs.push(None);
                continue;
            };
            let wrong = |why| Error::Columns {
                column: name.clone(),
                why,
            };
            let array = batch.column_by_name(name).ok_or_else(|| wrong("is missing"))?;
            if normal::class(name, array.data_type())? != *class {
                return Err(wrong("has changed its type"));
            }
            inputs.push(Some((name, array)));
        }
        for start in (0..batch.num_rows()).step_by(CHUNK) {
            let length = CHUNK.min(batch.num_rows() - start);
            let mut chunk = Vec::with_capacity(inputs.len());
            for (source, input) in self.columns.iter().zip(&inputs) {
                chunk.push(match (source, input) {
                    (Source::Constant(value), _) => value.slice(0, length),
                    (_, Some((name, array))) => normal::normalise(name, &array.slice(start, length))?,
                    (Source::Batch(name), None) => {
                        return Err(Error::Columns {
                            column: name.clone(),
                            why: "is missing",
                        });
                    }
                });
            }
            insert(&mut self.encoder, &mut self.sum, self.seeds, &chunk, length)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the digest of the rows so far, and their number.
    pub fn finish(&self) -> (MultisetHash, Rows) {
        (self.sum, Rows(self.rows))
    }
}

fn insert(
    encoder: &mut Option<(Vec<DataType>, RowConverter, EncodedRows)>,
    sum: &mut MultisetHash,
    seeds: [u64; 2],
    columns: &[ArrayRef],
    length: usize,
) -> Result<()> {
    if columns.is_empty() {
        (0..length).for_each(|_| sum.insert(hash(&[], seeds)));
        return Ok(());
    }
    let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
    let (converter, buffer) = match encoder {
        Some((known, converter, buffer)) if *known == types => (converter, buffer),
        other => {
            let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect())?;
            let buffer = converter.empty_rows(CHUNK, 0);
            let (_, converter, buffer) = other.insert((types, converter, buffer));
            (converter, buffer)
        }
    };
    buffer.clear();
    converter.append(buffer, columns)?;
    for row in buffer.iter() {
        sum.insert(hash(row.as_ref(), seeds));
    }
    Ok(())
}

fn hash(row: &[u8], seeds: [u64; 2]) -> [u128; 2] {
    seeds.map(|seed| xxh3_128_with_seed(row, seed))
}

/// Returns the digest of whole batches; for callers that have them all.
///
/// # Errors
///
/// As for [`Digester::update`].
pub fn of_batches(schema: &Arc<ArrowSchema>, batches: &[RecordBatch]) -> Result<(MultisetHash, Rows)> {
    let mut digester = Digester::new(schema)?;
    batches.iter().try_for_each(|b| digester.update(b))?;
    Ok(digester.finish())
}

#[cfg(test)]
mod tests;
