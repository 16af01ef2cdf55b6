//! The actions of a Delta commit, as far as they are written here (Delta protocol, "Actions").

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::DataFile;
use serde::{Deserialize, Serialize};

use super::Projection;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    CommitInfo(CommitInfo),
    Txn(Transaction),
    Protocol(Protocol),
    MetaData(MetaData),
    Add(AddFile),
    Remove(RemoveFile),
}

/// What only people and mainstay read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CommitInfo {
    pub timestamp: i64,
    pub operation: String,
    pub operation_parameters: BTreeMap<String, String>,
    pub engine_info: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_version: Option<u64>,
    pub is_blind_append: bool,
    /// The run, for people: other readers show this in their histories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mainstay: Option<Ours>,
}

/// What the next commit needs to know of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ours {
    pub dataset: String,
    pub version: u64,
    /// The hash of the columns, slice columns and properties that hold from this commit on.
    pub layout: String,
    /// When the table was made, in milliseconds.
    pub created: i64,
    /// Whether the protocol allows times without a zone.
    #[serde(default)]
    pub timestamp_ntz: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub app_id: String,
    pub version: u64,
    #[serde(default)]
    pub last_updated: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub min_reader_version: u8,
    pub min_writer_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    pub format: Format,
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    pub configuration: BTreeMap<String, String>,
    #[serde(default)]
    pub created_time: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Format {
    pub provider: String,
    pub options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddFile {
    pub path: String,
    pub partition_values: BTreeMap<String, Option<String>>,
    pub size: u64,
    pub modification_time: i64,
    pub data_change: bool,
    #[serde(default)]
    pub stats: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemoveFile {
    pub path: String,
    #[serde(default)]
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
    #[serde(default)]
    pub extended_file_metadata: Option<bool>,
    #[serde(default)]
    pub partition_values: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub size: Option<u64>,
}

impl CommitInfo {
    pub(super) fn new(millis: i64, read_version: Option<u64>, p: &Projection, ours: Ours) -> Self {
        let mode = if p.remove.is_empty() {
            "Append"
        } else {
            "Overwrite"
        };
        let partition_by = serde_json::Value::from(p.slice_columns.clone()).to_string();
        let parameters = [("mode", mode.to_owned()), ("partitionBy", partition_by)];
        Self {
            timestamp: millis,
            operation: "WRITE".to_owned(),
            operation_parameters: parameters.map(|(k, v)| (k.to_owned(), v)).into(),
            engine_info: concat!("mainstay/", env!("CARGO_PKG_VERSION")).to_owned(),
            read_version,
            is_blind_append: p.remove.is_empty(),
            user_metadata: p.run.map(|r| format!("run/{r}")),
            mainstay: Some(ours),
        }
    }
}

impl AddFile {
    pub(super) fn new(
        file: &DataFile,
        partition_values: BTreeMap<String, Option<String>>,
        millis: i64,
    ) -> Self {
        let stats = serde_json::json!({ "numRecords": file.rows.0 }).to_string();
        Self {
            path: encode_path(&file.path),
            partition_values,
            size: file.bytes.0,
            modification_time: millis,
            data_change: true,
            stats: Some(stats),
        }
    }
}

impl RemoveFile {
    pub(super) fn new(
        file: &DataFile,
        partition_values: BTreeMap<String, Option<String>>,
        millis: i64,
    ) -> Self {
        Self {
            path: encode_path(&file.path),
            deletion_timestamp: Some(millis),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values,
            size: Some(file.bytes.0),
        }
    }
}

/// Writes actions as a commit has them: one JSON object a line.
pub(super) fn encode(actions: &[Action]) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(actions.len() * 256);
    for action in actions {
        serde_json::to_writer(&mut out, action)?;
        out.push(b'\n');
    }
    Ok(out)
}

/// What was read of a commit; actions that are not known here are left out.
#[derive(Debug, Default)]
pub(super) struct Commit {
    pub(super) info: Option<CommitInfo>,
    pub(super) transactions: Vec<Transaction>,
    pub(super) adds: Vec<String>,
    pub(super) removes: Vec<String>,
}

impl Commit {
    pub(super) fn added(&self) -> BTreeSet<String> {
        self.adds.iter().map(|p| decode_path(p)).collect()
    }

    pub(super) fn removed(&self) -> BTreeSet<String> {
        self.removes.iter().map(|p| decode_path(p)).collect()
    }
}

/// One line of a commit, only as far as this program looks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<CommitInfo>,
    txn: Option<Transaction>,
    add: Option<PathOnly>,
    remove: Option<PathOnly>,
}

#[derive(Deserialize)]
struct PathOnly {
    path: String,
}

/// Only the provenance of a commit: whether it is ours, without a look at its files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    commit_info: Option<serde_json::Value>,
    txn: Option<Transaction>,
}

/// Reads a commit.
pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<Commit> {
    let mut commit = Commit::default();
    for line in lines(bytes) {
        let line: Line = serde_json::from_slice(line)?;
        commit.info = commit.info.or(line.commit_info);
        commit.transactions.extend(line.txn);
        commit.adds.extend(line.add.map(|a| a.path));
        commit.removes.extend(line.remove.map(|r| r.path));
    }
    Ok(commit)
}

/// Reads who made a commit. Ours are known by their first lines; of foreign ones every line is looked at. A foreign commit's
/// own information may have any shape.
pub(super) fn decode_head(bytes: &[u8]) -> serde_json::Result<Commit> {
    let mut commit = Commit::default();
    for line in lines(bytes) {
        let head: Head = serde_json::from_slice(line)?;
        let info = head.commit_info.and_then(|i| serde_json::from_value(i).ok());
        commit.info = commit.info.or(info);
        commit.transactions.extend(head.txn);
        if commit.info.as_ref().is_some_and(|i| i.mainstay.is_some()) && !commit.transactions.is_empty() {
            break;
        }
    }
    Ok(commit)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|b| *b == b'\n')
        .filter(|l| !l.iter().all(u8::is_ascii_whitespace))
}

/// Writes a path as Delta's logs do: percent-encoded where a URL needs it.
fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        if b.is_ascii_alphanumeric() || b"/-_.~=,".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn decode_path(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, tail) {
            (b'%', [a, b, after @ ..]) if hex(a).is_some() && hex(b).is_some() => {
                out.push(hex(a).unwrap_or(0) * 16 + hex(b).unwrap_or(0));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for path in ["r1-1/day=2013-02-03.parquet", "r1-1/a b%20ü.parquet", "%", "a%2"] {
            assert_eq!(decode_path(&encode_path(path)), path);
        }
        assert_eq!(
            encode_path("r1-1/day=2013-02-03.parquet"),
            "r1-1/day=2013-02-03.parquet"
        );
    }

    #[test]
    fn foreign_commits_of_any_shape_are_read() {
        let text = br#"{"commitInfo":{"timestamp":"yesterday","operationParameters":{"n":1}}}
{"domainMetadata":{"domain":"x"}}
{"add":{"path":"a%20b"}}
"#;
        let head = decode_head(text).expect("readable");
        assert!(head.info.is_none() && head.transactions.is_empty());
        assert!(decode_head(b"{\"commitInfo\":{\"timest").is_err());
    }
}
