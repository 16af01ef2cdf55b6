//! Rows in and out of the tables. A damaged row is handed on as it is; nothing here judges it.

use mainstay_base::Hash;
use tokio_postgres::Row;

use super::leader::{End, went_back};
use super::link::{Link, Step};
use crate::error::{Error, Kind};
use crate::merkle::Tile;
use crate::store::{State, StoredBody, StoredCheckpoint, StoredFact, StoredFrame, StoredSnapshot, Want};

const STATE: &str = "
    SELECT j.origin, j.epoch, (SELECT max(seq) FROM fact), f.number, f.bytes, f.hash, c.number, c.note
    FROM journal j
    LEFT JOIN LATERAL (SELECT * FROM frame ORDER BY number DESC LIMIT 1) f ON true
    LEFT JOIN LATERAL (SELECT * FROM checkpoint ORDER BY number DESC LIMIT 1) c ON true
    WHERE j.id = 1";
/// Sizes are added up where the rows are, so that no body crosses the network for nothing.
const FACTS: &str = "
    SELECT seq, header, leaf, erased_by, body FROM (
        SELECT *, row_number() OVER up_to AS nth, sum(bytes) OVER up_to - bytes AS before FROM (
            SELECT *, octet_length(header) + coalesce(octet_length(body), 0) AS bytes
            FROM fact WHERE seq BETWEEN $1 AND $2 ORDER BY seq LIMIT $3
        ) found WINDOW up_to AS (ORDER BY seq)
    ) sized WHERE nth = 1 OR before < $4 ORDER BY seq";
const HEADERS: &str = "
    SELECT seq, header, leaf, erased_by, NULL::bytea FROM (
        SELECT *, row_number() OVER up_to AS nth, sum(bytes) OVER up_to - bytes AS before FROM (
            SELECT seq, header, leaf, erased_by, octet_length(header) AS bytes
            FROM fact WHERE seq BETWEEN $1 AND $2 ORDER BY seq LIMIT $3
        ) found WINDOW up_to AS (ORDER BY seq)
    ) sized WHERE nth = 1 OR before < $4 ORDER BY seq";
const KEEP_SNAPSHOT: &str = "
    INSERT INTO snapshot (seq, fold_version, frame, frame_hash, hash, body) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (seq, fold_version) DO UPDATE SET
        frame = excluded.frame, frame_hash = excluded.frame_hash, hash = excluded.hash, body = excluded.body";
const DROP_SNAPSHOTS: &str = "
    DELETE FROM snapshot WHERE (seq, fold_version) NOT IN
        (SELECT seq, fold_version FROM snapshot ORDER BY seq DESC, fold_version DESC LIMIT $1)";
const SET_END: &str = "
    UPDATE journal SET
        last_frame = coalesce((SELECT number FROM frame ORDER BY number DESC LIMIT 1), 0),
        last_hash = coalesce((SELECT hash FROM frame ORDER BY number DESC LIMIT 1), decode(repeat('00', 32), 'hex'))
    WHERE id = 1 RETURNING last_frame, last_hash";
const STRAYS: &str = "
    SELECT (SELECT count(*) FROM fact WHERE seq < 1) + (SELECT count(*) FROM frame WHERE number < 1)
        + (SELECT count(*) FROM checkpoint WHERE number < 1)
        + (SELECT count(*) FROM tile WHERE level < 1 OR (level = 1 AND number < 0))";

pub(super) async fn state(link: &Link) -> Step<State> {
    let row = link.row(STATE, &[]).await?;
    let row = row.ok_or_else(|| Error::damaged("the journal's leader row is missing"))?;
    let there = |column: usize| matches!(row.try_get::<_, Option<i64>>(column), Ok(Some(_)));
    Ok(State {
        origin: row.try_get(0)?,
        epoch: unsigned(&row, 1),
        last_seq: unsigned(&row, 2),
        last_frame: there(3).then(|| frame(&row, 3)),
        last_checkpoint: there(6).then(|| checkpoint(&row, 6)),
    })
}

pub(super) async fn facts(link: &Link, want: Want) -> Step<Vec<StoredFact>> {
    let sql = if want.bodies { FACTS } else { HEADERS };
    let (from, to) = (signed(want.from)?, i64::try_from(want.to).unwrap_or(i64::MAX));
    let rows = link
        .rows(sql, &[&from, &to, &limit(want.rows), &limit(want.bytes)])
        .await?;
    Ok(rows.iter().map(fact).collect())
}

pub(super) async fn frames(link: &Link, from: u64, rows: usize) -> Step<Vec<StoredFrame>> {
    let sql = "SELECT number, bytes, hash FROM frame WHERE number >= $1 ORDER BY number LIMIT $2";
    let rows = link.rows(sql, &[&signed(from)?, &limit(rows)]).await?;
    Ok(rows.iter().map(|row| frame(row, 0)).collect())
}

pub(super) async fn tiles(link: &Link, level: u8, from: u64, rows: usize) -> Step<Vec<Tile>> {
    let sql = "SELECT number, hash FROM tile WHERE level = $1 AND number >= $2 ORDER BY number LIMIT $3";
    let rows = link
        .rows(sql, &[&i16::from(level), &signed(from)?, &limit(rows)])
        .await?;
    let tile = |row: &Row| Tile {
        level,
        number: unsigned(row, 0),
        hash: hash(row, 1),
    };
    Ok(rows.iter().map(tile).collect())
}

pub(super) async fn checkpoints(link: &Link, from: u64, rows: usize) -> Step<Vec<StoredCheckpoint>> {
    let sql = "SELECT number, note FROM checkpoint WHERE number >= $1 ORDER BY number LIMIT $2";
    let rows = link.rows(sql, &[&signed(from)?, &limit(rows)]).await?;
    Ok(rows.iter().map(|row| checkpoint(row, 0)).collect())
}

/// Adds a checkpoint. One that is there already, from a try whose answer was lost, is as good.
pub(super) async fn add_checkpoint(link: &Link, row: &StoredCheckpoint) -> Step<()> {
    let sql = "INSERT INTO checkpoint (number, note) VALUES ($1, $2)
        ON CONFLICT (number) DO UPDATE SET note = excluded.note WHERE checkpoint.note = excluded.note";
    match link.execute(sql, &[&signed(row.number)?, &row.note]).await? {
        1 => Ok(()),
        _ => Err(Error::new(
            Kind::Unavailable,
            format!("there is a checkpoint {} already", row.number),
        )
        .into()),
    }
}

pub(super) async fn add_snapshot(link: &Link, snapshot: &StoredSnapshot, keep: usize) -> Step<()> {
    let StoredSnapshot {
        seq,
        fold_version,
        frame,
        frame_hash,
        hash,
        body,
    } = snapshot;
    let (seq, version, frame) = (signed(*seq)?, i64::from(*fold_version), signed(*frame)?);
    let (frame_hash, hash) = (frame_hash.as_bytes().as_slice(), hash.as_bytes().as_slice());
    link.execute(KEEP_SNAPSHOT, &[&seq, &version, &frame, &frame_hash, &hash, body])
        .await?;
    link.execute(DROP_SNAPSHOTS, &[&limit(keep)]).await?;
    Ok(())
}

pub(super) async fn snapshot(link: &Link, fold_version: u32, below: u64) -> Step<Option<StoredSnapshot>> {
    let sql = "SELECT seq, frame, frame_hash, hash, body FROM snapshot
        WHERE fold_version = $1 AND seq < $2 ORDER BY seq DESC LIMIT 1";
    let below = i64::try_from(below).unwrap_or(i64::MAX);
    let row = link.row(sql, &[&i64::from(fold_version), &below]).await?;
    Ok(row.map(|row| StoredSnapshot {
        seq: unsigned(&row, 0),
        fold_version,
        frame: unsigned(&row, 1),
        frame_hash: hash(&row, 2),
        hash: hash(&row, 3),
        body: bytes(&row, 4),
    }))
}

/// Names the journal. One that has the name already, from a try whose answer was lost, is named.
pub(super) async fn name(link: &Link, origin: &str) -> Step<()> {
    let sql = "UPDATE journal SET origin = $1 WHERE id = 1 AND (origin IS NULL OR origin = $1)";
    match link.execute(sql, &[&origin]).await? {
        1 => Ok(()),
        _ => Err(Error::invalid("the journal has a name already").into()),
    }
}

/// Removes what is beyond a record and a frame, and returns where the journal ends then.
pub(super) async fn cut(link: &Link, last_seq: u64, last_frame: u64) -> Step<End> {
    let (last_seq, last_frame) = (signed(last_seq)?, signed(last_frame)?);
    link.execute("DELETE FROM fact WHERE seq > $1", &[&last_seq])
        .await?;
    link.execute("DELETE FROM frame WHERE number > $1", &[&last_frame])
        .await?;
    let tiles = "DELETE FROM tile WHERE (number + 1) << (8 * level::integer) > $1";
    link.execute(tiles, &[&last_seq]).await?;
    link.execute("DELETE FROM snapshot WHERE seq > $1", &[&last_seq])
        .await?;
    end(link).await
}

/// Moves the leader row to the last frame that is there, and returns which that is.
pub(super) async fn end(link: &Link) -> Step<End> {
    match link.row(SET_END, &[]).await? {
        Some(row) => Ok((unsigned(&row, 0), hash(&row, 1))),
        None => Err(went_back("its leader row is gone").into()),
    }
}

pub(super) async fn strays(link: &Link) -> Step<u64> {
    let row = link.row(STRAYS, &[]).await?;
    Ok(row.map_or(0, |row| unsigned(&row, 0)))
}

fn fact(row: &Row) -> StoredFact {
    let body = row.try_get::<_, Option<&[u8]>>(4).unwrap_or_default();
    let erased = row.try_get::<_, Option<i64>>(3).unwrap_or_default();
    StoredFact {
        seq: unsigned(row, 0),
        header: bytes(row, 1),
        check: bytes(row, 2).try_into().unwrap_or_default(),
        body: match (body, erased) {
            (Some(body), None) => StoredBody::Kept(body.to_vec()),
            (None, Some(by)) => StoredBody::Erased(u64::try_from(by).unwrap_or(0)),
            _ => StoredBody::Absent,
        },
    }
}

fn frame(row: &Row, from: usize) -> StoredFrame {
    StoredFrame {
        number: unsigned(row, from),
        bytes: bytes(row, from + 1),
        hash: hash(row, from + 2),
    }
}

fn checkpoint(row: &Row, from: usize) -> StoredCheckpoint {
    StoredCheckpoint {
        number: unsigned(row, from),
        note: row.try_get(from + 1).unwrap_or_default(),
    }
}

/// Turns a number into PostgreSQL's signed kind.
pub(super) fn signed(n: u64) -> Result<i64, Error> {
    i64::try_from(n).map_err(|_| Error::invalid(format!("{n} is too large for a number in the journal")))
}

/// Returns a number; 0 for what is none.
pub(super) fn unsigned(row: &Row, column: usize) -> u64 {
    let number = row.try_get::<_, Option<i64>>(column).unwrap_or_default();
    number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// Returns a hash; all zero for what is none, which no input has.
pub(super) fn hash(row: &Row, column: usize) -> Hash {
    Hash::from_bytes(bytes(row, column).try_into().unwrap_or_default())
}

fn bytes(row: &Row, column: usize) -> Vec<u8> {
    row.try_get::<_, Option<Vec<u8>>>(column)
        .unwrap_or_default()
        .unwrap_or_default()
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
