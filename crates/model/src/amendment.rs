//! Amendments: corrections of data, with a reason.
//!
//! What a dataset shows is its base (what was delivered, or what its job computed) under the amendments that hold, in their
//! order. An amendment is kept as its rule, so that it holds for what comes later, too.

use std::collections::BTreeMap;

use mainstay_base::{Hash, Rows};
use serde::{Deserialize, Serialize};

use crate::dataset::DataFile;
use crate::id::AmendmentId;
use crate::name::DatasetName;
use crate::slice::SliceKey;

/// Which rows an amendment is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The slices, as addresses write them after `@`; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<String>,
    /// An SQL condition over the dataset's columns; all rows of the slices if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// Rows that an amendment brings: they came in a file and are staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The file that was named.
    pub file: String,
    /// The hash of its bytes.
    pub content: Hash,
    /// Its rows.
    pub rows: Rows,
    /// By slice, the staged file.
    pub files: Vec<(SliceKey, DataFile)>,
}

/// What an amendment does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// Gives columns of rows another value.
    Set {
        /// Which rows.
        target: Target,
        /// By column, an SQL expression over the row as it was.
        set: Vec<(String, String)>,
    },
    /// Takes rows away.
    Delete {
        /// Which rows.
        target: Target,
    },
    /// Adds rows.
    Insert {
        /// The rows.
        brought: Brought,
    },
    /// Takes rows away and adds others.
    Replace {
        /// Which rows go.
        target: Target,
        /// The rows that come.
        brought: Brought,
    },
    /// Takes back what another amendment does; later ones stay.
    Revert {
        /// Which.
        amendment: AmendmentId,
    },
}

impl Edit {
    /// Returns the rows that it brings, if it brings any.
    pub const fn brought(&self) -> Option<&Brought> {
        match self {
            Self::Insert { brought } | Self::Replace { brought, .. } => Some(brought),
            Self::Set { .. } | Self::Delete { .. } | Self::Revert { .. } => None,
        }
    }
}

/// How many rows an amendment changes in its dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows that have other values now.
    pub changed: u64,
    /// Rows that are gone.
    pub deleted: u64,
    /// Rows that came.
    pub inserted: u64,
}

/// A row that an amendment changes: values by column, in the order in which they tell people which row it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRow {
    /// As it is; none for a row that comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<(String, serde_json::Value)>>,
    /// As it will be; none for a row that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<(String, serde_json::Value)>>,
}

/// What it takes to bring an amendment everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Runs.
    pub runs: u64,
    /// Slices that are computed.
    pub slices: u64,
    /// Processor time, in microseconds.
    pub cpu_us: u64,
    /// Elapsed time, in microseconds.
    pub wall_us: u64,
}

/// What an amendment means for one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The dataset.
    pub dataset: DatasetName,
    /// The slices that may change, or did.
    pub slices: Vec<SliceKey>,
    /// How many of them came out as they were; none before they are computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    /// Why it goes no further from here, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<String>,
}

/// What an amendment would do, or did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consequences {
    /// Rows of the dataset itself.
    pub rows: RowCounts,
    /// Some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<ChangedRow>,
    /// The datasets, in the order of the data.
    pub datasets: Vec<Reach>,
    /// The work; none if nothing like it was ever measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
}

/// The amendments under which a dataset stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Those that hold, in their order.
    pub amendments: Vec<AmendmentId>,
    /// The slices of the base in which they change anything.
    pub touched: Vec<SliceKey>,
    /// By amendment, how many rows it meets.
    #[serde(default)]
    pub met: BTreeMap<AmendmentId, u64>,
}
