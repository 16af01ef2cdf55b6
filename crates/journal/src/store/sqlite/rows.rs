//! Rows in and out of the tables. A damaged row is handed on as it is; nothing here judges it.

use mainstay_base::Hash;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{failed, number, schema};
use crate::error::Error;
use crate::merkle::Tile;
use crate::store::{
    Batch, BatchEnd, NewFact, Rows, State, StoredBody, StoredCheckpoint, StoredFact, StoredFrame,
    StoredSnapshot, Want,
};

const INSERT_FACT: &str =
    "INSERT INTO fact (seq, header, leaf, erased_by, body) VALUES (?1, ?2, ?3, NULL, ?4)";
const FACTS: &str = "SELECT seq, header, leaf, erased_by, body
    FROM fact WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3";
const HEADERS: &str = "SELECT seq, header, leaf, erased_by, NULL
    FROM fact WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3";

/// Writes a batch, and says whether it erased a body.
pub(super) fn insert(t: &Transaction<'_>, batch: &mut dyn Batch) -> Result<bool, Error> {
    let mut statement = t.prepare_cached(INSERT_FACT).map_err(failed)?;
    loop {
        let chunk = batch.chunk()?;
        if chunk.is_empty() {
            break;
        }
        for NewFact {
            seq,
            header,
            check,
            body,
        } in chunk.iter()
        {
            statement
                .execute(params![number(seq)?, header, &check[..], body])
                .map_err(failed)?;
        }
    }
    let BatchEnd { frame, tiles, erase } = batch.end()?;
    insert_frame(t, &frame)?;
    for tile in tiles {
        insert_tile(t, &tile)?;
    }
    if let Some((target, by)) = erase {
        let sql = "UPDATE fact SET body = NULL, erased_by = ?2 WHERE seq = ?1";
        if t.execute(sql, params![number(target)?, number(by)?])
            .map_err(failed)?
            != 1
        {
            return Err(Error::missing(format!("there is no record {target}")));
        }
    }
    Ok(erase.is_some())
}

/// Writes rows as they are.
pub(super) fn load(t: &Transaction<'_>, rows: &Rows) -> Result<(), Error> {
    let mut statement = t
        .prepare_cached("INSERT INTO fact (seq, header, leaf, erased_by, body) VALUES (?1, ?2, ?3, ?4, ?5)")
        .map_err(failed)?;
    for fact in &rows.facts {
        let (by, body) = match &fact.body {
            StoredBody::Kept(body) => (None, Some(body.as_slice())),
            StoredBody::Erased(by) => (Some(number(*by)?), None),
            StoredBody::Absent => (None, None),
        };
        statement
            .execute(params![number(fact.seq)?, fact.header, &fact.check[..], by, body])
            .map_err(failed)?;
    }
    for frame in &rows.frames {
        insert_frame(t, frame)?;
    }
    for tile in &rows.tiles {
        insert_tile(t, tile)?;
    }
    for (target, by) in &rows.erased {
        let sql = "UPDATE fact SET body = NULL, erased_by = ?2 WHERE seq = ?1";
        t.execute(sql, params![number(*target)?, number(*by)?])
            .map_err(failed)?;
    }
    for row in &rows.checkpoints {
        let sql = "INSERT INTO checkpoint (number, note) VALUES (?1, ?2)";
        t.execute(sql, params![number(row.number)?, row.note])
            .map_err(failed)?;
    }
    Ok(())
}

fn insert_frame(t: &Transaction<'_>, frame: &StoredFrame) -> Result<(), Error> {
    t.prepare_cached("INSERT INTO frame (number, bytes, hash) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![frame.number as i64, frame.bytes, frame.hash.as_bytes()]))
        .map_err(failed)?;
    Ok(())
}

fn insert_tile(t: &Transaction<'_>, tile: &Tile) -> Result<(), Error> {
    t.prepare_cached("INSERT INTO tile (level, number, hash) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![tile.level, tile.number as i64, tile.hash.as_bytes()]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn cut(t: &Transaction<'_>, last_seq: i64, last_frame: i64) -> Result<(), Error> {
    t.execute("DELETE FROM fact WHERE seq > ?1", [last_seq])
        .map_err(failed)?;
    t.execute("DELETE FROM frame WHERE number > ?1", [last_frame])
        .map_err(failed)?;
    t.execute(
        "DELETE FROM tile WHERE (number + 1) << (8 * level) > ?1",
        [last_seq],
    )
    .map_err(failed)?;
    t.execute("DELETE FROM snapshot WHERE seq > ?1", [last_seq])
        .map_err(failed)?;
    Ok(())
}

pub(super) fn state(t: &Transaction<'_>) -> Result<State, Error> {
    let origin = t
        .query_row("SELECT origin FROM journal WHERE id = 1", [], |row| row.get(0))
        .map_err(failed)?;
    let last_seq = t
        .query_row("SELECT max(seq) FROM fact", [], |row| {
            Ok(unsigned(row.get_ref(0)?))
        })
        .map_err(failed)?;
    let last_frame = t
        .query_row(
            "SELECT number, bytes, hash FROM frame ORDER BY number DESC LIMIT 1",
            [],
            frame,
        )
        .optional()
        .map_err(failed)?;
    let last_checkpoint = t
        .query_row(
            "SELECT number, note FROM checkpoint ORDER BY number DESC LIMIT 1",
            [],
            checkpoint,
        )
        .optional()
        .map_err(failed)?;
    Ok(State {
        origin,
        epoch: schema::epoch(t)?,
        last_seq,
        last_frame,
        last_checkpoint,
    })
}

pub(super) fn facts(database: &Connection, want: Want) -> Result<Vec<StoredFact>, Error> {
    let (from, to) = (number(want.from)?, i64::try_from(want.to).unwrap_or(i64::MAX));
    let sql = if want.bodies { FACTS } else { HEADERS };
    let mut statement = database.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement
        .query(params![from, to, limit(want.rows)])
        .map_err(failed)?;
    let mut out = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        let fact = fact(row).map_err(failed)?;
        bytes += fact.header.len()
            + if let StoredBody::Kept(body) = &fact.body {
                body.len()
            } else {
                0
            };
        out.push(fact);
        if bytes >= want.bytes {
            break;
        }
    }
    Ok(out)
}

pub(super) fn frames(database: &Connection, from: i64, rows: usize) -> Result<Vec<StoredFrame>, Error> {
    let sql = "SELECT number, bytes, hash FROM frame WHERE number >= ?1 ORDER BY number LIMIT ?2";
    let mut statement = database.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map(params![from, limit(rows)], frame)
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn tiles(database: &Connection, level: u8, from: i64, rows: usize) -> Result<Vec<Tile>, Error> {
    let sql = "SELECT number, hash FROM tile WHERE level = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
    let mut statement = database.prepare_cached(sql).map_err(failed)?;
    let tile = |row: &Row<'_>| {
        Ok(Tile {
            level,
            number: unsigned(row.get_ref(0)?),
            hash: hash(row.get_ref(1)?),
        })
    };
    let rows = statement
        .query_map(params![level, from, limit(rows)], tile)
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn checkpoints(
    database: &Connection,
    from: i64,
    rows: usize,
) -> Result<Vec<StoredCheckpoint>, Error> {
    let sql = "SELECT number, note FROM checkpoint WHERE number >= ?1 ORDER BY number LIMIT ?2";
    let mut statement = database.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map(params![from, limit(rows)], checkpoint)
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn add_snapshot(t: &Transaction<'_>, snapshot: &StoredSnapshot, keep: usize) -> Result<(), Error> {
    let StoredSnapshot {
        seq,
        fold_version,
        frame,
        frame_hash,
        hash,
        body,
    } = snapshot;
    let (seq, frame) = (number(*seq)?, number(*frame)?);
    t.execute(
        "INSERT OR REPLACE INTO snapshot (seq, fold_version, frame, frame_hash, hash, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            seq,
            fold_version,
            frame,
            frame_hash.as_bytes(),
            hash.as_bytes(),
            body
        ],
    )
    .map_err(failed)?;
    let rest = "DELETE FROM snapshot WHERE rowid NOT IN
        (SELECT rowid FROM snapshot ORDER BY seq DESC, fold_version DESC LIMIT ?1)";
    t.execute(rest, [limit(keep)]).map_err(failed)?;
    Ok(())
}

pub(super) fn snapshot(
    database: &Connection,
    fold_version: u32,
    below: u64,
) -> Result<Option<StoredSnapshot>, Error> {
    let below = i64::try_from(below).unwrap_or(i64::MAX);
    let sql = "SELECT seq, frame, frame_hash, hash, body FROM snapshot
        WHERE fold_version = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1";
    let row = database.query_row(sql, params![fold_version, below], |row| {
        Ok(StoredSnapshot {
            seq: unsigned(row.get_ref(0)?),
            fold_version,
            frame: unsigned(row.get_ref(1)?),
            frame_hash: hash(row.get_ref(2)?),
            hash: hash(row.get_ref(3)?),
            body: bytes(row.get_ref(4)?),
        })
    });
    row.optional().map_err(failed)
}

pub(super) fn strays(database: &Connection) -> Result<u64, Error> {
    let sql =
        "SELECT (SELECT count(*) FROM fact WHERE seq < 1) + (SELECT count(*) FROM frame WHERE number < 1)
        + (SELECT count(*) FROM checkpoint WHERE number < 1)
        + (SELECT count(*) FROM tile WHERE level < 1 OR (level = 1 AND number < 0))";
    database
        .query_row(sql, [], |row| Ok(unsigned(row.get_ref(0)?)))
        .map_err(failed)
}

fn fact(row: &Row<'_>) -> rusqlite::Result<StoredFact> {
    let body = match (row.get_ref(4)?, row.get_ref(3)?) {
        (ValueRef::Blob(body) | ValueRef::Text(body), ValueRef::Null) => StoredBody::Kept(body.to_vec()),
        (ValueRef::Null, by @ ValueRef::Integer(_)) => StoredBody::Erased(unsigned(by)),
        _ => StoredBody::Absent,
    };
    let check = row
        .get_ref(2)?
        .as_bytes()
        .ok()
        .and_then(|b| b.try_into().ok())
        .unwrap_or_default();
    Ok(StoredFact {
        seq: unsigned(row.get_ref(0)?),
        header: bytes(row.get_ref(1)?),
        check,
        body,
    })
}

fn frame(row: &Row<'_>) -> rusqlite::Result<StoredFrame> {
    Ok(StoredFrame {
        number: unsigned(row.get_ref(0)?),
        bytes: bytes(row.get_ref(1)?),
        hash: hash(row.get_ref(2)?),
    })
}

fn checkpoint(row: &Row<'_>) -> rusqlite::Result<StoredCheckpoint> {
    let note = String::from_utf8_lossy(&bytes(row.get_ref(1)?)).into_owned();
    Ok(StoredCheckpoint {
        number: unsigned(row.get_ref(0)?),
        note,
    })
}

/// Returns the bytes of a value; none for what is neither a blob nor a text, which no hash fits.
fn bytes(value: ValueRef<'_>) -> Vec<u8> {
    value.as_bytes().map(<[u8]>::to_vec).unwrap_or_default()
}

/// Returns a hash; all zero for what is none, which no input has.
fn hash(value: ValueRef<'_>) -> Hash {
    Hash::from_bytes(
        value
            .as_bytes()
            .ok()
            .and_then(|b| b.try_into().ok())
            .unwrap_or_default(),
    )
}

/// Returns a number; 0 for what is none.
fn unsigned(value: ValueRef<'_>) -> u64 {
    value
        .as_i64()
        .ok()
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or(0)
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
