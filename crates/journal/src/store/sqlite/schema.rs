//! The database's tables and settings.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::failed;
use crate::error::{Error, Kind};

/// The version of the tables below, kept in the `journal` table.
const FORMAT: i64 = 1;
/// The oldest SQLite without known faults in the write-ahead log.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Pages in the log at which the writer moves it into the database.
const LOG_PAGES: i64 = 4000;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, origin TEXT, epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fact (
    seq INTEGER PRIMARY KEY, header BLOB NOT NULL, leaf BLOB NOT NULL, erased_by INTEGER, body BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS frame (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tile (
    level INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (number INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS snapshot (
    seq INTEGER NOT NULL, fold_version INTEGER NOT NULL, frame INTEGER NOT NULL, frame_hash BLOB NOT NULL,
    hash BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (seq, fold_version)
) STRICT;
";

/// Sets up the one connection that writes, and checks that the settings that durability rests on have taken.
pub(super) fn set_up_writer(database: &Connection) -> Result<(), Error> {
    check_library()?;
    set(database, "busy_timeout", 5000)?;
    let mode: String = database
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed)?;
    for (name, value) in [
        ("synchronous", 2),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("mmap_size", 0),
        ("cache_size", -32_768),
        ("wal_autocheckpoint", LOG_PAGES),
        ("secure_delete", 1),
        ("trusted_schema", 0),
    ] {
        set(database, name, value)?;
    }
    let synchronous: i64 = database
        .query_row("PRAGMA synchronous", [], |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" || synchronous != 2 {
        let text = format!(
            "SQLite refuses a write-ahead log with full syncs here (it has {mode} and {synchronous})"
        );
        return Err(Error::new(Kind::Unavailable, text));
    }
    Ok(())
}

/// Sets up a connection that only reads.
pub(super) fn set_up_reader(database: &Connection) -> Result<(), Error> {
    check_library()?;
    for (name, value) in [
        ("busy_timeout", 5000),
        ("query_only", 1),
        ("mmap_size", 0),
        ("cache_size", -16_384),
        ("trusted_schema", 0),
    ] {
        set(database, name, value)?;
    }
    let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'journal'";
    let tables: i64 = database.query_row(there, [], |row| row.get(0)).map_err(failed)?;
    let begun = tables == 1 && check_format(database)?;
    if begun {
        Ok(())
    } else {
        Err(Error::missing("the journal has not been begun"))
    }
}

/// Creates what is missing and raises the epoch, in one transaction that no other writer can be in.
pub(super) fn create_and_raise_epoch(database: &mut Connection) -> Result<u64, Error> {
    let t = database
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    t.execute_batch(TABLES).map_err(failed)?;
    if !check_format(&t)? {
        t.execute(
            "INSERT INTO journal (id, format, epoch) VALUES (1, ?1, 0)",
            params![FORMAT],
        )
        .map_err(failed)?;
    }
    let before = epoch(&t)?;
    let now = before + 1;
    let raised = "UPDATE journal SET epoch = ?1 WHERE id = 1 AND epoch = ?2";
    if t.execute(raised, params![super::number(now)?, super::number(before)?])
        .map_err(failed)?
        != 1
    {
        return Err(crate::store::fenced(now, before));
    }
    t.commit().map_err(failed)?;
    Ok(now)
}

/// Reads the epoch of the newest writer.
pub(super) fn epoch(database: &Connection) -> Result<u64, Error> {
    let mut statement = database
        .prepare_cached("SELECT epoch FROM journal WHERE id = 1")
        .map_err(failed)?;
    let epoch: i64 = statement.query_row([], |row| row.get(0)).map_err(failed)?;
    u64::try_from(epoch).map_err(|_| Error::damaged("the journal's epoch is negative"))
}

/// Says whether the journal has been begun, and refuses one in a format that this version does not know.
fn check_format(database: &Connection) -> Result<bool, Error> {
    let sql = "SELECT format FROM journal WHERE id = 1";
    let format: Option<i64> = database
        .query_row(sql, [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    match format {
        None => Ok(false),
        Some(FORMAT) => Ok(true),
        Some(other) => {
            let text = format!("the journal has format {other}; this version knows format {FORMAT}");
            Err(Error::new(Kind::Newer, text))
        }
    }
}

fn check_library() -> Result<(), Error> {
    if rusqlite::version_number() >= OLDEST_SQLITE {
        return Ok(());
    }
    let text = format!(
        "SQLite {} is too old; 3.51.3 or newer is needed",
        rusqlite::version()
    );
    Err(Error::new(Kind::Unavailable, text))
}

/// Sets a pragma, whether or not it answers with a row.
fn set(database: &Connection, name: &str, value: i64) -> Result<(), Error> {
    database
        .execute_batch(&format!("PRAGMA {name} = {value}"))
        .map_err(failed)
}
