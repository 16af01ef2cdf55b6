//! Rows of another journal, as they are: for copies. All of one call go in by one transaction; rows of numbers that are there
//! already are refused.

use super::leader::{End, went_back};
use super::link::{Link, Step};
use super::rows::{self, signed};
use crate::store::{Rows, StoredBody};

/// Rows of one statement.
const ROWS: usize = 4096;

const FACTS: &str = "INSERT INTO fact (seq, header, leaf, erased_by, body)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[])";
const FRAMES: &str = "INSERT INTO frame (number, bytes, hash)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
const TILES: &str = "INSERT INTO tile (level, number, hash)
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])";
const ERASE: &str = "UPDATE fact SET body = NULL, erased_by = $2 WHERE seq = $1";
const RAISE: &str = "UPDATE journal SET epoch = $2 WHERE id = 1 AND epoch = $1";

/// Adds rows and returns where the journal ends with them.
pub(super) async fn load(link: &Link, all: &Rows) -> Step<End> {
    for facts in all.facts.chunks(ROWS) {
        let seqs = facts
            .iter()
            .map(|f| signed(f.seq))
            .collect::<Result<Vec<_>, _>>()?;
        let headers: Vec<&[u8]> = facts.iter().map(|f| f.header.as_slice()).collect();
        let checks: Vec<&[u8]> = facts.iter().map(|f| f.check.as_slice()).collect();
        let mut erased: Vec<Option<i64>> = Vec::with_capacity(facts.len());
        let mut bodies: Vec<Option<&[u8]>> = Vec::with_capacity(facts.len());
        for fact in facts {
            let (by, body) = match &fact.body {
                StoredBody::Kept(body) => (None, Some(body.as_slice())),
                StoredBody::Erased(by) => (Some(signed(*by)?), None),
                StoredBody::Absent => (None, None),
            };
            erased.push(by);
            bodies.push(body);
        }
        link.execute(FACTS, &[&seqs, &headers, &checks, &erased, &bodies])
            .await?;
    }
    for frames in all.frames.chunks(ROWS) {
        let numbers = frames
            .iter()
            .map(|f| signed(f.number))
            .collect::<Result<Vec<_>, _>>()?;
        let bytes: Vec<&[u8]> = frames.iter().map(|f| f.bytes.as_slice()).collect();
        let hashes: Vec<&[u8]> = frames.iter().map(|f| f.hash.as_bytes().as_slice()).collect();
        link.execute(FRAMES, &[&numbers, &bytes, &hashes]).await?;
    }
    for tiles in all.tiles.chunks(ROWS) {
        let levels: Vec<i16> = tiles.iter().map(|t| i16::from(t.level)).collect();
        let numbers = tiles
            .iter()
            .map(|t| signed(t.number))
            .collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<&[u8]> = tiles.iter().map(|t| t.hash.as_bytes().as_slice()).collect();
        link.execute(TILES, &[&levels, &numbers, &hashes]).await?;
    }
    for (target, by) in &all.erased {
        link.execute(ERASE, &[&signed(*target)?, &signed(*by)?]).await?;
    }
    for checkpoint in &all.checkpoints {
        rows::add_checkpoint(link, checkpoint).await?;
    }
    rows::end(link).await
}

/// Raises the epoch to a later one.
pub(super) async fn raise(link: &Link, epoch: u64, to: u64) -> Step<()> {
    match link.execute(RAISE, &[&signed(epoch)?, &signed(to)?]).await? {
        1 => Ok(()),
        _ => Err(went_back("its leader row is gone").into()),
    }
}
