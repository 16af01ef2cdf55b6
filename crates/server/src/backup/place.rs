//! What lies at the place of a backup: which objects, and what is in the lists.
//!
//! Objects are named after their content or their number and never change; a backup is there when its list is, which is written
//! last. The layout is described in `docs/formats/backup.md`.

use std::collections::BTreeMap;

use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Bytes, Hash, Timestamp};
use mainstay_journal::Copied;
use mainstay_storage::{Found, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error;

/// The version of the layout that is written.
pub(super) const FORMAT: u32 = 1;
/// The folder of the lists of backups.
pub(super) const BACKUPS: &str = "backups";
/// The folder of stretches of the journal.
pub(super) const JOURNAL: &str = "journal";
/// The folder of the lists of data files.
pub(super) const FILES: &str = "files";
/// The folder of the data files.
pub(super) const DATA: &str = "data";
/// The key that signs the journal's checkpoints.
pub(super) const KEY: &str = "journal.key";

/// A backup: all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backup {
    /// The version of the layout.
    pub(super) format: u32,
    /// The version of mainstay that made it.
    pub(super) mainstay: String,
    /// When it was made.
    pub(super) time: Timestamp,
    /// The journal's name.
    pub(super) origin: String,
    /// The last fact in it.
    pub(super) seq: u64,
    /// The frame that ends with that fact.
    pub(super) frame: u64,
    /// That frame's hash, which stands for everything before it.
    pub(super) frame_hash: Hash,
    /// The journal, in order.
    pub(super) journal: Vec<Piece>,
    /// The lists of the data files.
    pub(super) lists: Vec<Listed>,
    /// How many data files belong to it.
    pub(super) files: u64,
    /// Their size.
    pub(super) bytes: Bytes,
}

/// A stretch of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) object: String,
    pub(super) content: Hash,
    pub(super) bytes: u64,
    pub(super) first_frame: u64,
    pub(super) last_frame: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) last_checkpoint: u64,
}

impl Piece {
    pub(super) fn new(has: Copied, content: Hash, bytes: u64) -> Self {
        Self {
            object: format!("{JOURNAL}/{:012}-{}", has.first_frame, content.short()),
            content,
            bytes,
            first_frame: has.first_frame,
            last_frame: has.last_frame,
            first_seq: has.first_seq,
            last_seq: has.last_seq,
            last_checkpoint: has.last_checkpoint,
        }
    }
}

/// A list of data files, as an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) object: String,
    pub(super) content: Hash,
}

/// What is in such a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileList {
    pub(super) files: Vec<CopiedFile>,
}

/// A data file that was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CopiedFile {
    /// Its path below `data/`.
    pub(super) path: String,
    /// Its size.
    pub(super) bytes: u64,
    /// The hash of its bytes.
    pub(super) content: Hash,
}

/// The data files that are known to be there, by path.
pub(super) type Known = BTreeMap<String, CopiedFile>;

/// A place for backups.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) store: Store,
}

impl Place {
    pub(super) async fn list(&self, pattern: &str) -> Result<Vec<Found>, Error> {
        self.store.list(pattern).await.map_err(|e| error::storage(&e))
    }

    /// Writes an object, so that it survives a power cut.
    pub(super) async fn put(&self, object: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let put = async {
            self.store.put(object, bytes.into()).await?;
            self.store.persist(&[object.to_owned()]).await
        };
        put.await.map_err(|e| error::storage(&e))
    }

    /// Returns the newest backup that is complete; none if there is none.
    pub(super) async fn newest(&self) -> Result<Option<Backup>, Error> {
        let found = self.list(&format!("{BACKUPS}/*.json")).await?;
        // Of two with the same end the later one is the whole one.
        let last = found
            .iter()
            .max_by_key(|f| (f.path.split('-').next(), f.modified));
        let Some(last) = last else {
            return Ok(None);
        };
        let bytes = self.read(&last.path).await?;
        if !last
            .path
            .ends_with(&format!("-{}.json", Hash::of(&bytes).short()))
        {
            return Err(damaged(&last.url, "its content is not what was written"));
        }
        let backup: Backup = parse(&bytes).map_err(|why| damaged(&last.url, &why))?;
        if backup.format > FORMAT {
            let message = format!(
                "{} has format {}; this version knows format {FORMAT}",
                last.url, backup.format
            );
            return Err(Error::new(ErrorKind::Unavailable, "MS0608", message)
                .help("use the newer mainstay that wrote it"));
        }
        Ok(Some(backup))
    }

    /// Writes a backup's list, in place of others with the same end: from then on it is there.
    pub(super) async fn complete(&self, backup: &Backup) -> Result<(), Error> {
        let bytes = json(backup)?;
        let name = format!("{BACKUPS}/{:012}", backup.seq);
        let object = format!("{name}-{}.json", Hash::of(&bytes).short());
        self.put(&object, bytes).await?;
        for other in self.list(&format!("{name}-*.json")).await? {
            if other.path != object {
                let removed = self.store.delete(&other.path).await;
                removed.map_err(|e| error::storage(&e))?;
            }
        }
        Ok(())
    }

    pub(super) async fn read(&self, object: &str) -> Result<Vec<u8>, Error> {
        let read = self.store.read(object).await.map_err(|e| match e.kind {
            mainstay_storage::Kind::NotFound => damaged(&self.store.place(object), "it is not there"),
            _ => error::storage(&e),
        })?;
        Ok(read.to_vec())
    }

    /// Reads an object that is named with the hash of its content.
    pub(super) async fn read_sound(&self, object: &str, content: Hash) -> Result<Vec<u8>, Error> {
        let bytes = self.read(object).await?;
        if Hash::of(&bytes) == content {
            return Ok(bytes);
        }
        Err(damaged(
            &self.store.place(object),
            "its content is not what was written",
        ))
    }

    pub(super) async fn read_list(&self, listed: &Listed) -> Result<FileList, Error> {
        let bytes = self.read_sound(&listed.object, listed.content).await?;
        parse(&bytes).map_err(|why| damaged(&self.store.place(&listed.object), &why))
    }
}

/// Says that something in a backup is not as it was written.
pub(super) fn damaged(object: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        "MS0642",
        format!("the backup is not whole: {object}: {why}"),
    )
    .help("restore from another copy; if the original is still there, another `mainstay backup` brings back what is missing")
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(value).map_err(|e| error::defect("write a list", &e))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}
