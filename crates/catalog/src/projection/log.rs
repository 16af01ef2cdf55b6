//! A table's log as files: finding its newest commit, reading commits, appending one.

use futures::TryStreamExt;
use mainstay_storage::object_store::ObjectStore as _;
use mainstay_storage::object_store::path::Path;
use mainstay_storage::{Error as StorageError, Kind as StorageKind, Store};

use super::action::{self, Commit};
use crate::error::{Error, Result};

/// How far back the first foreign commit is looked for.
const LOOK_BACK: u64 = 1000;

/// The newest commit of a log, which is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// Its version.
    pub(super) version: u64,
    /// The journal's record that it shows.
    pub(super) seq: u64,
    /// The layout that holds since; none if an older program wrote it.
    pub(super) layout: Option<String>,
    /// When the table was made.
    pub(super) created: Option<i64>,
    /// Whether the protocol allows times without a zone.
    pub(super) timestamp_ntz: bool,
}

fn commit_path(table: &str, version: u64) -> String {
    format!("{table}/_delta_log/{version:020}.json")
}

/// Says whether a version is in the log.
pub(super) async fn exists(store: &Store, table: &str, version: u64) -> Result<bool> {
    match store.head(&commit_path(table, version)).await {
        Ok(_) => Ok(true),
        Err(e) if e.kind == StorageKind::NotFound => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Appends a commit, durably; false if somebody else has written this version.
pub(super) async fn append(store: &Store, table: &str, version: u64, text: Vec<u8>) -> Result<bool> {
    let won = store
        .put_if_absent(&commit_path(table, version), text.into())
        .await?;
    if won {
        persist(store, table, version).await?;
    }
    Ok(won)
}

/// Makes sure that a commit survives a power cut.
pub(super) async fn persist(store: &Store, table: &str, version: u64) -> Result<()> {
    Ok(store.persist(&[commit_path(table, version)]).await?)
}

/// Reads one version.
pub(super) async fn read(store: &Store, table: &str, version: u64) -> Result<Commit> {
    let bytes = store.read(&commit_path(table, version)).await?;
    action::decode(&bytes).map_err(|e| damaged(table, version, &e))
}

async fn read_head(store: &Store, table: &str, version: u64) -> Result<Commit> {
    let bytes = store.read(&commit_path(table, version)).await?;
    action::decode_head(&bytes).map_err(|e| damaged(table, version, &e))
}

fn damaged(table: &str, version: u64, e: &serde_json::Error) -> Error {
    Error::Damaged {
        table: table.to_owned(),
        version,
        why: e.to_string(),
    }
}

fn seq_of(commit: &Commit, app_id: &str) -> Option<u64> {
    commit
        .transactions
        .iter()
        .find(|t| t.app_id == app_id)
        .map(|t| t.version)
}

/// Finds the newest commit; none if there is no log.
///
/// # Errors
///
/// [`Error::ForeignCommit`] if it is not ours.
pub(super) async fn newest(store: &Store, table: &str, app_id: &str) -> Result<Option<Tip>> {
    let Some(version) = newest_version(store, table).await? else {
        return Ok(None);
    };
    let commit = read_head(store, table, version).await?;
    let Some(seq) = seq_of(&commit, app_id) else {
        return Err(Error::ForeignCommit {
            table: table.to_owned(),
            version: first_foreign(store, table, app_id, version).await?,
        });
    };
    let ours = commit.info.and_then(|i| i.mainstay);
    Ok(Some(Tip {
        version,
        seq,
        created: ours.as_ref().map(|o| o.created),
        timestamp_ntz: ours.as_ref().is_some_and(|o| o.timestamp_ntz),
        layout: ours.map(|o| o.layout),
    }))
}

/// Finds the newest version in the log, from the newest checkpoint on if there is one.
async fn newest_version(store: &Store, table: &str) -> Result<Option<u64>> {
    let folder = format!("{table}/_delta_log");
    let hint = match store.read(&format!("{folder}/_last_checkpoint")).await {
        Ok(bytes) => serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|v| v.get("version")?.as_u64()),
        Err(e) if e.kind == StorageKind::NotFound => None,
        Err(e) => return Err(e.into()),
    };
    let fail = |e| Error::from(StorageError::new("list", store.place(&folder), e));
    let prefix = Path::from(folder.as_str());
    // Everything after the checkpoint's version sorts behind its bare number.
    let offset = Path::from(format!("{folder}/{:020}", hint.unwrap_or(0)));
    let objects = store.object_store();
    let mut entries = objects.list_with_offset(Some(&prefix), &offset);
    let mut newest = None;
    while let Some(entry) = entries.try_next().await.map_err(fail)? {
        let version = entry
            .location
            .filename()
            .and_then(|n| n.strip_suffix(".json"))
            .filter(|n| n.len() == 20);
        newest = newest.max(version.and_then(|v| v.parse().ok()));
    }
    Ok(newest)
}

/// Goes back from a foreign commit to the first one after the last of ours.
async fn first_foreign(store: &Store, table: &str, app_id: &str, from: u64) -> Result<u64> {
    let mut first = from;
    while first > from.saturating_sub(LOOK_BACK) {
        match read_head(store, table, first - 1).await {
            Ok(commit) if seq_of(&commit, app_id).is_none() => first -= 1,
            Ok(_) => break,
            Err(Error::Storage(e)) if e.kind == StorageKind::NotFound => break,
            Err(e) => return Err(e),
        }
    }
    Ok(first)
}

/// Finds the commit that shows a record, by bisection: records grow with versions. None if there is none.
pub(super) async fn find(
    store: &Store,
    table: &str,
    app_id: &str,
    newest: &Tip,
    seq: u64,
) -> Result<Option<u64>> {
    if newest.seq == seq {
        return Ok(Some(newest.version));
    }
    let (mut low, mut high) = (0, newest.version);
    while low < high {
        let middle = low + (high - low) / 2;
        match read_head(store, table, middle).await {
            Ok(commit) => match seq_of(&commit, app_id) {
                Some(s) if s == seq => return Ok(Some(middle)),
                Some(s) if s > seq => high = middle,
                _ => low = middle + 1,
            },
            // Old commits may have been cleaned up by another program.
            Err(Error::Storage(e)) if e.kind == StorageKind::NotFound => low = middle + 1,
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}
