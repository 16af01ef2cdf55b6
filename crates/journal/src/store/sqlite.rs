//! The embedded store: one SQLite database in a folder of its own.
//!
//! Write-ahead log, synced in full at every commit, no memory mapping, one writing connection that also moves the log into
//! the database. A lock file keeps other writers out; the epoch in the database keeps out those who got past it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::{Batch, State, Store, StoredCheckpoint, StoredFact, StoredFrame, StoredSnapshot, Want};
use crate::error::{Error, Kind};
use crate::merkle::Tile;

mod rows;
mod schema;

use super::lock::Lock;

/// The database's file in the journal's folder.
pub const DATABASE: &str = "journal.db";
/// The lock's file in the journal's folder.
pub const LOCK: &str = "journal.lock";

/// Keeps a journal in a folder.
pub struct SqliteStore {
    folder: PathBuf,
    database: Option<Connection>,
    lock: Option<Lock>,
}

impl SqliteStore {
    /// Names the folder; nothing is touched yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            database: None,
            lock: None,
        }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn database(&self) -> Result<&Connection, Error> {
        self.database
            .as_ref()
            .ok_or_else(|| Error::invalid("the store has not been opened"))
    }

    /// Runs `write` in a transaction that only a writer of that epoch gets.
    fn write<T>(
        &mut self,
        epoch: u64,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let database = self
            .database
            .as_mut()
            .ok_or_else(|| Error::invalid("the store has not been opened"))?;
        let transaction = database
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let newest = schema::epoch(&transaction)?;
        if newest != epoch {
            return Err(super::fenced(epoch, newest));
        }
        let out = write(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(out)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn claim(&mut self, wait: Option<Duration>) -> Result<u64, Error> {
        std::fs::create_dir_all(&self.folder).map_err(|e| unreachable_folder(&self.folder, e))?;
        let lock = Lock::take(&self.folder.join(LOCK), wait.unwrap_or_default())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Connection::open_with_flags(self.folder.join(DATABASE), flags).map_err(failed)?;
        schema::set_up_writer(&database)?;
        let epoch = schema::create_and_raise_epoch(&mut database)?;
        self.database = Some(database);
        self.lock = Some(lock);
        Ok(epoch)
    }

    fn attach(&mut self) -> Result<(), Error> {
        let path = self.folder.join(DATABASE);
        if !path
            .try_exists()
            .map_err(|e| unreachable_folder(&self.folder, e))?
        {
            return Err(Error::missing(format!(
                "there is no journal in {}",
                self.folder.display()
            )));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags).map_err(failed)?;
        schema::set_up_reader(&database)?;
        self.database = Some(database);
        Ok(())
    }

    fn name(&mut self, epoch: u64, origin: &str) -> Result<(), Error> {
        self.write(epoch, |t| {
            let named = t
                .execute("UPDATE journal SET origin = ?1 WHERE origin IS NULL", [origin])
                .map_err(failed)?;
            if named == 1 {
                Ok(())
            } else {
                Err(Error::invalid("the journal has a name already"))
            }
        })
    }

    fn state(&self) -> Result<State, Error> {
        let t = self.database()?.unchecked_transaction().map_err(failed)?;
        rows::state(&t)
    }

    fn append(&mut self, epoch: u64, batch: &mut dyn Batch) -> Result<(), Error> {
        let erased = self.write(epoch, |t| rows::insert(t, batch))?;
        if erased {
            // The log still has the page with the erased body: move it into the database and empty the log.
            let log = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.database()?.query_row(log, [], |_| Ok(())).map_err(failed)?;
        }
        Ok(())
    }

    fn load(&mut self, epoch: u64, rows: &super::Rows) -> Result<(), Error> {
        self.write(epoch, |t| rows::load(t, rows))
    }

    fn raise(&mut self, epoch: u64, to: u64) -> Result<(), Error> {
        if to < epoch {
            return Err(Error::invalid("an epoch does not go back"));
        }
        self.write(epoch, |t| {
            t.execute("UPDATE journal SET epoch = ?1 WHERE id = 1", [number(to)?])
                .map_err(failed)?;
            Ok(())
        })
    }

    fn cut(&mut self, epoch: u64, last_seq: u64, last_frame: u64) -> Result<(), Error> {
        self.write(epoch, |t| rows::cut(t, number(last_seq)?, number(last_frame)?))
    }

    fn facts(&self, want: Want) -> Result<Vec<StoredFact>, Error> {
        rows::facts(self.database()?, want)
    }

    fn frames(&self, from: u64, limit: usize) -> Result<Vec<StoredFrame>, Error> {
        rows::frames(self.database()?, number(from)?, limit)
    }

    fn tiles(&self, level: u8, from: u64, limit: usize) -> Result<Vec<Tile>, Error> {
        rows::tiles(self.database()?, level, number(from)?, limit)
    }

    fn add_checkpoint(&mut self, epoch: u64, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        self.write(epoch, |t| {
            let sql = "INSERT INTO checkpoint (number, note) VALUES (?1, ?2)";
            t.execute(sql, params![number(checkpoint.number)?, checkpoint.note])
                .map_err(failed)?;
            Ok(())
        })
    }

    fn checkpoints(&self, from: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, Error> {
        rows::checkpoints(self.database()?, number(from)?, limit)
    }

    fn add_snapshot(&mut self, epoch: u64, snapshot: &StoredSnapshot, keep: usize) -> Result<(), Error> {
        self.write(epoch, |t| rows::add_snapshot(t, snapshot, keep))
    }

    fn snapshot(&self, fold_version: u32, below: u64) -> Result<Option<StoredSnapshot>, Error> {
        rows::snapshot(self.database()?, fold_version, below)
    }

    fn strays(&self) -> Result<u64, Error> {
        rows::strays(self.database()?)
    }
}

/// Turns a number into SQLite's signed kind.
fn number(n: u64) -> Result<i64, Error> {
    i64::try_from(n).map_err(|_| Error::invalid(format!("{n} is too large for a number in the journal")))
}

fn unreachable_folder(folder: &Path, source: std::io::Error) -> Error {
    let text = format!("the journal's folder {} cannot be used", folder.display());
    Error::new(Kind::Unavailable, text).with_source(source)
}

/// Says what an error of SQLite means for the caller.
fn failed(source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let (kind, text) = match source.sqlite_error_code() {
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
            (Kind::Damaged, "the journal's database is damaged")
        }
        Some(Code::DiskFull) => (Kind::Unavailable, "the disk is full"),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            (Kind::Unavailable, "the journal's database is busy")
        }
        _ => (Kind::Unavailable, "the journal's database failed"),
    };
    Error::new(kind, text).with_source(source)
}
