//! The projection of the journal into Delta logs: what was published becomes one commit that every Delta reader understands.
//!
//! A commit carries the journal's record number as the version of its application transaction. The newest commit of a log tells
//! all that the next one needs (its number, the newest record, the hash of the table's layout), because every commit was made
//! upon one that was checked in the same way. So a projection reads one commit and writes one: no snapshot is loaded. Two
//! projectors are kept apart by the store's conditional put; who loses reads again before trying again.
//!
//! Commits are written here, not by `deltalake-core`: its commit does not compare application transactions of a fresh handle,
//! and loads a snapshot before and after. Checkpoints are its work.

mod action;
mod checkpoint;
mod layout;
mod log;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mainstay_base::Timestamp;
use mainstay_model::{DataFile, DatasetName, RunId, Schema, SliceKey};
use mainstay_storage::{ConditionalPut, Store};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use action::{Action, AddFile, CommitInfo, Ours, RemoveFile, Transaction};
use layout::Layout;
use log::Tip;

/// How often a lost race is run again before it is an error.
const TRIES: usize = 100;

/// A publish of one dataset, to be shown to Delta readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The account that the dataset belongs to.
    pub account: String,
    /// The dataset.
    pub dataset: DatasetName,
    /// The dataset's version.
    pub version: u64,
    /// The journal's record of the publish; grows from publish to publish.
    pub seq: u64,
    /// The columns, slice columns included.
    pub schema: Schema,
    /// The slice columns. When they change, all files of before are to be removed.
    pub slice_columns: Vec<String>,
    /// The files that are new.
    pub add: Vec<(SliceKey, DataFile)>,
    /// The files that are gone from the table; they stay in the store.
    pub remove: Vec<(SliceKey, DataFile)>,
    /// When it was published.
    pub timestamp: Timestamp,
    /// The run whose output it is; none for deliveries.
    pub run: Option<RunId>,
}

/// What became of a projection.
#[derive(Debug)]
pub struct DeltaVersion {
    /// The version of the Delta table that shows the publish.
    pub version: u64,
    /// Whether it was there already.
    pub repeated: bool,
    /// Why the log has no checkpoint at this version, if one was due and failed; the commit stands.
    pub checkpoint_error: Option<Error>,
}

/// The newest commit of one table, held while the next one is made.
type SharedTip = Arc<Mutex<Option<Tip>>>;

/// Projects into the tables of one store, one commit at a time for each table. It remembers the newest commits that it has
/// seen; a commit of somebody else is noticed all the same.
#[derive(Debug, Clone)]
pub struct Projector {
    store: Store,
    tips: Arc<Mutex<HashMap<String, SharedTip>>>,
    checkpoint_every: u64,
}

impl Projector {
    /// Makes a projector for the tables of a store.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            tips: Arc::default(),
            checkpoint_every: checkpoint::EVERY,
        }
    }

    /// Sets how many commits a checkpoint is apart from the next, at least 1.
    #[must_use]
    pub fn with_checkpoint_every(mut self, commits: u64) -> Self {
        self.checkpoint_every = commits.max(1);
        self
    }

    /// Shows a publish in the Delta log of the table at the path `table`: makes the table the first time, changes its columns
    /// if they have changed, and commits the files. Doing it again, at the same time or after a crash, does nothing more.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] if another program wrote into the log, [`Error::Diverged`] if the publish is there with other
    /// files, [`Error::OutOfOrder`] if it was passed over, [`Error::Damaged`] if the log cannot be read,
    /// [`Error::NoConditionalPut`] if the store is known not to keep two writers apart, otherwise as the store says: then the
    /// commit may or may not be there, and the same call finds out.
    pub async fn project(&self, table: &str, projection: &Projection) -> Result<DeltaVersion> {
        let table = table.trim_matches('/');
        if let Some(ConditionalPut::Unsafe | ConditionalPut::Missing) = self.store.conditional_put_outcome() {
            return Err(Error::NoConditionalPut {
                table: table.to_owned(),
            });
        }
        let tip = self
            .tips
            .lock()
            .await
            .entry(table.to_owned())
            .or_default()
            .clone();
        let mut tip = tip.lock().await;
        if let Some(known) = tip.as_ref() {
            // What is remembered counts only while the commit is still there.
            if !log::exists(&self.store, table, known.version).await? {
                *tip = None;
            }
        }
        let layout = Layout::of(projection)?;
        let app_id = app_id(projection);
        for _ in 0..TRIES {
            if tip.is_none() {
                *tip = log::newest(&self.store, table, &app_id).await?;
            }
            let before = tip.as_ref();
            if let Some(newest) = before.filter(|t| t.seq >= projection.seq) {
                return self.there_already(table, &app_id, newest, projection).await;
            }
            let (actions, after) = commit(projection, &layout, &app_id, before);
            let text = action::encode(&actions).map_err(|e| Error::Misuse(e.to_string()))?;
            if log::append(&self.store, table, after.version, text).await? {
                let version = after.version;
                *tip = Some(after);
                drop(tip);
                let due = version > 0 && version.is_multiple_of(self.checkpoint_every);
                let checkpoint_error = if due {
                    checkpoint::write(&self.store, table, version).await.err()
                } else {
                    None
                };
                return Ok(DeltaVersion {
                    version,
                    repeated: false,
                    checkpoint_error,
                });
            }
            *tip = None;
        }
        Err(Error::Misuse(format!(
            "{TRIES} races for the log of {table} were lost; is it projected by many processes?"
        )))
    }

    /// Finds the commit of a publish that is not newer than the newest in the log, and compares it.
    async fn there_already(
        &self,
        table: &str,
        app_id: &str,
        newest: &Tip,
        projection: &Projection,
    ) -> Result<DeltaVersion> {
        let seq = projection.seq;
        let Some(version) = log::find(&self.store, table, app_id, newest, seq).await? else {
            return Err(Error::OutOfOrder {
                table: table.to_owned(),
                seq,
                newest: newest.seq,
            });
        };
        let there = log::read(&self.store, table, version).await?;
        let paths = |files: &[(SliceKey, DataFile)]| {
            files.iter().map(|(_, f)| f.path.clone()).collect::<BTreeSet<_>>()
        };
        let (mut add, mut remove) = (paths(&projection.add), paths(&projection.remove));
        drop_common(&mut add, &mut remove);
        if there.added() != add || there.removed() != remove {
            return Err(Error::Diverged {
                table: table.to_owned(),
                version,
                seq,
            });
        }
        log::persist(&self.store, table, version).await?;
        Ok(DeltaVersion {
            version,
            repeated: true,
            checkpoint_error: None,
        })
    }
}

/// Shows one publish; for callers that keep no [`Projector`].
///
/// # Errors
///
/// As for [`Projector::project`].
pub async fn project(store: &Store, table: &str, projection: &Projection) -> Result<DeltaVersion> {
    Projector::new(store).project(table, projection).await
}

fn app_id(projection: &Projection) -> String {
    format!("mainstay/{}/{}", projection.account, projection.dataset)
}

/// A file that goes and comes in one commit stays.
fn drop_common(add: &mut BTreeSet<String>, remove: &mut BTreeSet<String>) {
    let common: BTreeSet<String> = add.intersection(remove).cloned().collect();
    add.retain(|p| !common.contains(p));
    remove.retain(|p| !common.contains(p));
}

/// Makes the commit that follows `before`, and what the log's newest commit will then be.
fn commit(p: &Projection, layout: &Layout, app_id: &str, before: Option<&Tip>) -> (Vec<Action>, Tip) {
    let version = before.map_or(0, |t| t.version + 1);
    let millis = p.timestamp.as_micros().div_euclid(1000);
    let created = before.and_then(|t| t.created).unwrap_or(millis);
    // A table that once needed the newer protocol keeps it.
    let needs_ntz = layout.has_timestamp_ntz;
    let ntz = needs_ntz || before.is_some_and(|t| t.timestamp_ntz);
    let ours = Ours {
        dataset: p.dataset.to_string(),
        version: p.version,
        layout: layout.hash.clone(),
        created,
        timestamp_ntz: ntz,
        run: p.run.map(|r| r.to_string()),
    };
    let changed = before.is_none_or(|t| t.layout.as_deref() != Some(layout.hash.as_str()));
    let mut actions = vec![
        Action::CommitInfo(CommitInfo::new(millis, before.map(|t| t.version), p, ours)),
        Action::Txn(Transaction {
            app_id: app_id.to_owned(),
            version: p.seq,
            last_updated: millis,
        }),
    ];
    if before.is_none_or(|t| ntz && !t.timestamp_ntz) {
        actions.push(Action::Protocol(layout::protocol(ntz)));
    }
    if changed {
        actions.push(Action::MetaData(layout.metadata(app_id, created)));
    }
    let (added, removed): (BTreeSet<&str>, BTreeSet<&str>) = (
        p.add.iter().map(|(_, f)| f.path.as_str()).collect(),
        p.remove.iter().map(|(_, f)| f.path.as_str()).collect(),
    );
    let values = |slice: &SliceKey| -> BTreeMap<String, Option<String>> {
        p.slice_columns
            .iter()
            .cloned()
            .zip(slice.0.iter().cloned())
            .collect()
    };
    for (slice, file) in p.remove.iter().filter(|(_, f)| !added.contains(f.path.as_str())) {
        actions.push(Action::Remove(RemoveFile::new(file, values(slice), millis)));
    }
    for (slice, file) in p.add.iter().filter(|(_, f)| !removed.contains(f.path.as_str())) {
        actions.push(Action::Add(AddFile::new(file, values(slice), millis)));
    }
    let tip = Tip {
        version,
        seq: p.seq,
        layout: Some(layout.hash.clone()),
        created: Some(created),
        timestamp_ntz: ntz,
    };
    (actions, tip)
}

#[cfg(test)]
mod tests;
