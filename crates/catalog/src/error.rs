//! What can go wrong with a table, by what the caller does next.

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// What the caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The store failed; its own kind says more. Perhaps try again.
    Storage(mainstay_storage::Kind),
    /// The data or the schema cannot be stored so. Change the query or the declaration.
    Input,
    /// Another program wrote into the log. Someone has to look.
    Foreign,
    /// What is there is not what was written. Stop.
    Damaged,
    /// The caller broke the rules of this crate. A bug.
    Bug,
}

/// An operation on a table that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] mainstay_storage::Error),
    /// A column has a type that no Delta table can hold.
    #[error("column `{column}` has the type {found}, which a table cannot hold")]
    NoSuchType {
        /// The column, with the names of its parents.
        column: String,
        /// The type.
        found: String,
        /// What to cast it to.
        help: String,
    },
    /// A column has a name that no Delta table can hold, or that another one has.
    #[error("column name `{column}`: {why}")]
    ColumnName {
        /// The name.
        column: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The columns are not those of the table.
    #[error("column `{column}` {why}")]
    Columns {
        /// The column.
        column: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value does not fit the type of its column.
    #[error("column `{column}`: a value of type {from} does not fit {to}")]
    Value {
        /// The column.
        column: String,
        /// The type that it has.
        from: String,
        /// The type that it should have.
        to: String,
        /// The conversion's own words.
        source: ArrowError,
    },
    /// A value cannot name a slice.
    #[error("column `{column}` cannot slice a dataset: {why}")]
    Slice {
        /// The slice column.
        column: String,
        /// What is wrong.
        why: String,
    },
    /// Rows of another slice came out.
    #[error("a row of another slice than {slice} came out, by column `{column}`")]
    WrongSlice {
        /// The slice that was asked for.
        slice: String,
        /// The slice column that differs.
        column: String,
    },
    /// Another program wrote into the table's log.
    #[error("version {version} of the Delta table {table} was written by another program")]
    ForeignCommit {
        /// The table.
        table: String,
        /// The first version that is not mainstay's.
        version: u64,
    },
    /// A publish is in the log, with other files than it has.
    #[error(
        "version {version} of the Delta table {table} shows record {seq} with other files than the journal"
    )]
    Diverged {
        /// The table.
        table: String,
        /// The Delta version.
        version: u64,
        /// The journal's record.
        seq: u64,
    },
    /// A later publish is in the log already, this one never was.
    #[error("the Delta table {table} shows record {newest} of the journal, but never showed record {seq}")]
    OutOfOrder {
        /// The table.
        table: String,
        /// The journal's record that came late.
        seq: u64,
        /// The newest one in the log.
        newest: u64,
    },
    /// The log cannot be read.
    #[error("version {version} of the Delta table {table} cannot be read: {why}")]
    Damaged {
        /// The table.
        table: String,
        /// The Delta version.
        version: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The store cannot keep two writers apart.
    #[error("the store of the Delta table {table} has no safe conditional puts")]
    NoConditionalPut {
        /// The table.
        table: String,
    },
    /// The caller broke a rule.
    #[error("{0}")]
    Misuse(String),
    /// Arrow failed.
    #[error("the rows cannot be processed: {0}")]
    Arrow(#[from] ArrowError),
    /// Parquet failed.
    #[error("the rows cannot be written: {0}")]
    Parquet(#[from] ParquetError),
    /// The checkpoint of a log failed; its commits stand.
    #[error("version {version} of the Delta table {table} has no checkpoint: {why}")]
    Checkpoint {
        /// The table.
        table: String,
        /// The Delta version.
        version: u64,
        /// The library's own words.
        why: String,
    },
}

/// The result of an operation on a table.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns what the caller should do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Storage(e) => Kind::Storage(e.kind),
            Self::NoSuchType { .. }
            | Self::ColumnName { .. }
            | Self::Columns { .. }
            | Self::Value { .. }
            | Self::Slice { .. }
            | Self::WrongSlice { .. } => Kind::Input,
            Self::ForeignCommit { .. } => Kind::Foreign,
            Self::Diverged { .. } | Self::Damaged { .. } => Kind::Damaged,
            Self::NoConditionalPut { .. } => Kind::Storage(mainstay_storage::Kind::Unsupported),
            Self::Checkpoint { .. } => Kind::Storage(mainstay_storage::Kind::Other),
            Self::OutOfOrder { .. } | Self::Misuse(_) | Self::Arrow(_) | Self::Parquet(_) => Kind::Bug,
        }
    }

    /// Returns the stable code, which has a page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Storage(e) => e.kind.code(),
            Self::NoSuchType { .. } => "MS0621",
            Self::ColumnName { .. } => "MS0622",
            Self::Columns { .. } => "MS0623",
            Self::Value { .. } => "MS0624",
            Self::Slice { .. } => "MS0625",
            Self::WrongSlice { .. } => "MS0626",
            Self::ForeignCommit { .. } => "MS0627",
            Self::Diverged { .. } => "MS0628",
            Self::OutOfOrder { .. } => "MS0629",
            Self::Damaged { .. } => "MS0630",
            Self::NoConditionalPut { .. } => "MS0631",
            Self::Checkpoint { .. } => "MS0632",
            Self::Misuse(_) | Self::Arrow(_) | Self::Parquet(_) => "MS0633",
        }
    }

    /// Returns what to do about it, in words.
    pub fn help(&self) -> String {
        match self {
            Self::Storage(e) => e.kind.help().to_owned(),
            Self::NoSuchType { help, .. } => help.clone(),
            Self::ColumnName { .. } => "give it another name with AS".to_owned(),
            Self::Columns { .. } => "the columns of a dataset are those of its first publish or its declaration".to_owned(),
            Self::Value { to, .. } => format!("cast or round it to {to} in the query"),
            Self::Slice { .. } => "slice by a date, a timestamp, a boolean, an integer, a decimal or a string".to_owned(),
            Self::WrongSlice { .. } => "the slice column must be what the rows are filtered by".to_owned(),
            Self::ForeignCommit { .. } => {
                "tables of mainstay are read by everyone and written by mainstay; take the change back, or deliver it".to_owned()
            }
            Self::NoConditionalPut { .. } => mainstay_storage::Kind::Unsupported.help().to_owned(),
            Self::Diverged { .. } | Self::Damaged { .. } | Self::OutOfOrder { .. } => {
                "move the folder _delta_log away; it is written again from the journal".to_owned()
            }
            Self::Checkpoint { .. } => "nothing is lost; the next one is tried later".to_owned(),
            Self::Misuse(_) | Self::Arrow(_) | Self::Parquet(_) => "this is a bug of mainstay".to_owned(),
        }
    }
}
