//! Deliveries: files that were taken in, set aside, or held back.

use mainstay_base::{Bytes, Hash, Rows, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{AmendmentId, DeliveryId};
use crate::name::DatasetName;
use crate::slice::SliceKey;

/// What a place says of a file without reading it; the same observation means the same content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Its size.
    pub bytes: Bytes,
    /// When it was last changed.
    pub modified: Timestamp,
    /// The store's tag of its content, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// What became of a delivered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its rows are in the dataset.
    Taken {
        /// Its rows.
        rows: Rows,
        /// The slices that they are in.
        slices: Vec<SliceKey>,
        /// The delivery of the same file whose rows these replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaced: Option<DeliveryId>,
    },
    /// Its content was there already.
    Duplicate {
        /// The delivery that brought it.
        of: DeliveryId,
    },
    /// It could not be taken in; the others went on.
    SetAside {
        /// Why, and where in the file.
        error: FileError,
    },
    /// It waits for a yes, because amendments would change other rows after it than before; the others went on.
    Held {
        /// Its rows.
        rows: Rows,
        /// The slices that they are in.
        slices: Vec<SliceKey>,
        /// The hash of what that rests on besides the file: how it is read, checks, amendments. Where it is another one now, the
        /// file is tried again.
        grounds: Hash,
    },
}

/// An amendment that changes other rows after a delivery than it did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reapplied {
    /// Which.
    pub amendment: AmendmentId,
    /// Rows that it changed before, and that are not there any more, or are right without it now.
    pub gone: u64,
    /// Rows that it changes now, and that it did not before.
    pub new: u64,
}

/// Why a file was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileError {
    /// The stable code of the error, with a page in the docs.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The row, counted from 1 without the header; for CSV and NDJSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// One file that was delivered to a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The source's dataset.
    pub source: DatasetName,
    /// The file, relative to the project or as a URL.
    pub file: String,
    /// What the place said of it.
    pub observed: Observed,
    /// The hash of its bytes.
    pub content: Hash,
    /// What became of it.
    pub outcome: Outcome,
    /// How it was read: the hash of what its source says about reading, for a file that was set aside of all that this rests
    /// on. Where it is another one now, the file is read again. Facts of before it was recorded have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Hash>,
    /// The amendments that change other rows after it than before; of a file that is held, those that would.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reapplied: Vec<Reapplied>,
}
