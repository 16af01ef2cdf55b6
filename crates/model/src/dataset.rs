//! What a dataset holds: files, by slice.

use mainstay_base::{Bytes, MultisetHash, Rows};
use serde::{Deserialize, Serialize};

/// One Parquet file of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its path relative to the table's root; never written twice.
    pub path: String,
    /// Its rows.
    pub rows: Rows,
    /// Its size.
    pub bytes: Bytes,
    /// The digest of its rows, slice columns included.
    pub digest: MultisetHash,
    /// For a source: the delivered file that these rows came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// The content of a slice at one version: its files, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SliceVersion {
    /// The files, in the order in which they are read.
    pub files: Vec<DataFile>,
}

impl SliceVersion {
    /// Returns the digest of all rows.
    pub fn digest(&self) -> MultisetHash {
        self.files.iter().map(|f| f.digest).collect()
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> Rows {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Returns the size of all files.
    pub fn bytes(&self) -> Bytes {
        self.files.iter().map(|f| f.bytes).sum()
    }
}
