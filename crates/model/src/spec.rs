//! What resources of each kind say.

use std::collections::BTreeMap;

use mainstay_base::Hash;
use mainstay_base::hash::Hasher;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::DatasetName;
pub use crate::relation::Reads;
use crate::relation::{Origin, Widened};
use crate::schema::Schema;

/// What holds for a whole project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the tables are: a folder or `s3://bucket/prefix`; the home's `data` folder if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// How many runs may go on at once; the number of cores if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// Memory that all runs together may use, in bytes; 60 % of the machine's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Disk that all runs together may use for spilling, in bytes; 100 GB if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spill: Option<u64>,
    /// What computing slices a second time, to check their dependencies, may cost, in percent of what computing costs; 5 if
    /// left out, 0 is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<u32>,
    /// By account, what its runs get beside those of others, in proportion; 1 where nothing is said. Only what the home's own
    /// account says counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, u32>,
    /// Whether everything is computed again when the engine has another version.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recompute_on_engine: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How a source's files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line (RFC 4180), perhaps compressed.
    Csv,
    /// One JSON object a line, perhaps compressed.
    Ndjson,
}

/// What a source does when a file's columns are not the dataset's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSchemaChange {
    /// Set the file aside.
    #[default]
    Refuse,
    /// Take new columns in; missing ones are NULL. A changed type is still refused.
    Add,
    /// Keep the dataset's columns: new ones are left out, missing ones are NULL, types are cast.
    Cast,
}

/// One slice column: a column that is there, or an expression that makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceColumn {
    /// The column's name in the dataset.
    pub name: String,
    /// The SQL expression over the delivered columns that yields it; the column itself if left out. A delivered column of
    /// the same name is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

/// A place where files are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A path relative to the project, or a URL, with `*`, `?`, `**`, `{a,b}` as in globs.
    pub files: String,
    /// How the files are written.
    pub format: Format,
    /// What a CSV file writes for NULL, besides nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null: Vec<String>,
    /// What stands between a CSV file's fields; a comma if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// By the name of a column in the files, what it is called in the dataset; the same if left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// The columns as declared; inferred from the first delivery and then fixed if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Schema>,
    /// The slice columns, in order; none: the dataset is one slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice: Vec<SliceColumn>,
    /// What happens when a file's columns differ.
    #[serde(default)]
    pub on_schema_change: OnSchemaChange,
    /// How many others have to approve an amendment of its data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub approve: u32,
    /// Which versions are kept; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Retain>,
    /// What happens to a delivery after which an amendment would change other rows than it did.
    #[serde(default, skip_serializing_if = "OnRedelivery::is_apply")]
    pub on_redelivery: OnRedelivery,
}

/// What a source does when its amendments meet other rows after a delivery than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRedelivery {
    /// The amendments are applied, and it is said.
    #[default]
    Apply,
    /// The files are held back until somebody says yes.
    Ask,
}

impl OnRedelivery {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    const fn is_apply(&self) -> bool {
        matches!(self, Self::Apply)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Which versions of a dataset are kept: those that any of these keeps. What everybody reads now is always kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retain {
    /// So many of the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<u64>,
    /// Those that everybody read within so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Those that runs read or made within so many milliseconds, so that these can be replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_ms: Option<u64>,
}

impl SourceSpec {
    /// Returns the hash of what it says about how a file becomes rows in slices. Files that were read under another one are
    /// read again; where they are, and what happens to those that differ, is not part of it.
    pub fn reading(&self) -> Hash {
        let mut hasher = Hasher::new("mainstay source reading 1");
        let mut say = |text: serde_json::Result<Vec<u8>>| {
            hasher.field(&text.unwrap_or_default());
        };
        say(serde_json::to_vec(&self.format));
        say(serde_json::to_vec(&self.null));
        say(serde_json::to_vec(&self.delimiter.unwrap_or(',')));
        say(serde_json::to_vec(&self.columns));
        say(serde_json::to_vec(&self.slice));
        if !self.rename.is_empty() {
            say(serde_json::to_vec(&self.rename));
        }
        hasher.finish()
    }

    /// Returns what a column of the files is called in the dataset.
    pub fn column_of<'a>(&'a self, delivered: &'a str) -> &'a str {
        self.rename.get(delivered).map_or(delivered, String::as_str)
    }

    /// Returns what a column of the dataset is called in the files.
    pub fn delivered_as<'a>(&'a self, column: &'a str) -> &'a str {
        let renamed = self.rename.iter().find(|(_, to)| *to == column);
        renamed.map_or(column, |(from, _)| from)
    }
}

/// How often and how patiently a job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How many times after the first attempt.
    pub count: u32,
    /// The pause before the first retry, in milliseconds; it doubles each time, at most an hour.
    pub pause_ms: u64,
}

impl Default for Retries {
    /// Twice more, after 1 and 2 seconds: enough for a store that hiccups.
    fn default() -> Self {
        Self {
            count: 2,
            pause_ms: 1000,
        }
    }
}

/// When a job that fails again and again is left alone (the circuit breaker of Nygard, Release It!, 2007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitBreaker {
    /// After so many runs in a row that failed.
    pub failures: u32,
    /// For so long, in milliseconds; then one run tries.
    pub pause_ms: u64,
}

/// A query that computes a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// What it computes, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The query, as written.
    pub sql: String,
    /// The slice columns, in order; each is a column of the query. None: the dataset is one slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice: Vec<String>,
    /// How it is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How long one attempt may take, in milliseconds; an hour if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
    /// Which versions are kept; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Retain>,
    /// When it is left alone for a time, because it fails again and again; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// By limit, how much of it a run takes while it goes on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uses: BTreeMap<String, u32>,
    /// What was found out about the query when it was planned.
    pub compiled: Compiled,
}

/// What planning a query against the catalog says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The hash of the query's normal form: the same for every layout, comment and alias of the same query.
    pub code: Hash,
    /// The datasets that it reads, and how.
    pub reads: BTreeMap<DatasetName, Reads>,
    /// The columns that it yields.
    pub columns: Schema,
    /// Which slices the output has; none if only computing it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<Origin>>,
    /// Where more is read than might be necessary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub widened: Vec<Widened>,
}

/// What a failed check means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is published.
    #[default]
    Error,
    /// It is published, and said.
    Warn,
}

/// A condition that a dataset must meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The dataset that is checked.
    pub dataset: DatasetName,
    /// The condition.
    pub rule: Rule,
    /// What a failure means.
    #[serde(default)]
    pub severity: Severity,
}

/// The lower and upper end of a range, both included; numbers or texts as SQL literals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

/// The conditions there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// No NULL in these columns.
    NotNull {
        /// The columns.
        columns: Vec<String>,
    },
    /// No two rows with the same values in each of these sets of columns; a set with a NULL is not compared.
    Unique {
        /// The sets of columns.
        keys: Vec<Vec<String>>,
    },
    /// Only these values (SQL literals), or NULL.
    Accepted {
        /// By column, the values.
        values: BTreeMap<String, Vec<String>>,
    },
    /// Values within bounds, or NULL.
    Range {
        /// By column, the bounds.
        bounds: BTreeMap<String, Bounds>,
    },
    /// A number of rows, in each slice.
    RowCount {
        /// The least.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
    },
    /// Each value is one of another dataset's column, or NULL.
    Reference {
        /// By column, the dataset and its column.
        to: BTreeMap<String, (DatasetName, String)>,
    },
    /// A query that must yield no row; it sees the dataset as it would be published.
    Sql {
        /// The query.
        sql: String,
    },
}
