//! The readers, one for each format: batches of rows as they were delivered, or the place where reading stopped.

pub(crate) mod csv;
pub(crate) mod ndjson;
pub(crate) mod parquet;

use arrow::array::ArrayRef;
use mainstay_model::delivery::FileError;

/// How many rows are read at a time, at most.
pub(crate) const BATCH_ROWS: usize = 65_536;
/// How many bytes of text are read at a time, about.
pub(crate) const BATCH_BYTES: usize = 16 << 20;

/// Some rows, one array for each delivered column: texts (CSV), shapes with texts (NDJSON) or typed (Parquet).
#[derive(Debug)]
pub(crate) struct Batch {
    /// The first row's number in the file, from 1.
    pub(crate) first_row: u64,
    /// The number of rows.
    pub(crate) rows: usize,
    /// The columns.
    pub(crate) columns: Vec<ArrayRef>,
}

/// Why a reader stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The file is bad.
    Bad(FileError),
    /// There is a column that the reader was not told of.
    UnknownColumn,
    /// The bytes cannot be read at all.
    Io(std::io::Error),
}

impl From<FileError> for Stop {
    fn from(e: FileError) -> Self {
        Self::Bad(e)
    }
}

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}

/// Reads rows, batch by batch. What comes before an error comes out first, so that an error in an earlier row wins.
pub(crate) trait Read {
    /// Returns the next rows, or none at the end.
    fn next(&mut self) -> Result<Option<Batch>, Stop>;
}
