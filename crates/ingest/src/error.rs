//! What can go wrong while a file is taken in, by what the caller does next.

use mainstay_model::delivery::FileError;

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is bad: set it aside and go on with the others.
    #[error("{}: {}", .0.code, .0.message)]
    File(FileError),
    /// Its rows could not be staged, or the local copy not be read: nothing is known about the file; try again.
    #[error("the file could not be taken in")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps a failure that is not the file's fault.
    pub fn failed(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(e.into())
    }
}

impl From<FileError> for Error {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        Self::failed(e)
    }
}
