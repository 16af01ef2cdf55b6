//! One frame, one transaction: the leader row is locked and looked at, the rows go in, the leader row moves, and only when the
//! server has confirmed all of that is the commit sent. So when a connection is cut, either the commit was never sent and
//! nothing happened, or the leader row, once it can be locked, says how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::leader::{self, Claim, went_back};
use super::link::{Link, Step};
use super::rows::signed;
use super::wire::ANSWER;
use crate::error::{Error, Kind};
use crate::store::{Batch, BatchEnd, Chunk, NewFact};

/// Bytes and rows of one statement; a larger record has a statement of its own.
const BYTES: usize = 4 << 20;
const ROWS: usize = 8192;
/// The slowest network that an append has to get through, in bytes for each second.
const SLOWEST: u64 = 1 << 20;

const FACTS: &str = "INSERT INTO fact (seq, header, leaf, body)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])";
const FRAME: &str = "INSERT INTO frame (number, bytes, hash) VALUES ($1, $2, $3)";
const TILES: &str = "INSERT INTO tile (level, number, hash)
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])";
const ERASE: &str = "UPDATE fact SET body = NULL, erased_by = $2 WHERE seq = $1";

/// A whole frame, kept until it is known to be in the database: it may have to be sent twice.
#[derive(Debug)]
pub(super) struct Whole {
    chunks: Vec<Chunk>,
    end: BatchEnd,
    /// Whether a commit was sent whose end is not known.
    sent: AtomicBool,
}

impl Whole {
    pub(super) fn collect(batch: &mut dyn Batch) -> Result<Self, Error> {
        let mut chunks = Vec::new();
        loop {
            let chunk = batch.chunk()?;
            if chunk.is_empty() {
                break;
            }
            chunks.push(chunk);
        }
        Ok(Self {
            chunks,
            end: batch.end()?,
            sent: AtomicBool::new(false),
        })
    }

    /// Where the journal ends with it.
    pub(super) fn last(&self) -> leader::End {
        (self.end.frame.number, self.end.frame.hash)
    }

    /// Returns how long sending it may take.
    pub(super) fn limit(&self) -> Duration {
        let bytes: usize = self.facts().map(|fact| size(&fact)).sum();
        ANSWER + Duration::from_secs(bytes as u64 / SLOWEST)
    }

    fn facts(&self) -> impl Iterator<Item = NewFact<'_>> {
        self.chunks.iter().flat_map(Chunk::iter)
    }
}

/// Appends a frame after the one that the claim knows of. Repeating it after a lost connection appends it once.
pub(super) async fn append(link: Arc<Link>, claim: Claim, whole: Arc<Whole>) -> Step<()> {
    let end = leader::begin(&link, claim.epoch).await?;
    if end != claim.end {
        if whole.sent.load(Ordering::Relaxed) && end == whole.last() {
            // The commit whose answer was lost had come about.
            return link.end(Ok(())).await;
        }
        let text = format!(
            "it ends with frame {}, and frame {} was appended to it",
            end.0, claim.end.0
        );
        return link.end(Err(went_back(&text).into())).await;
    }
    let written = write(&link, claim, &whole).await;
    if written.is_ok() {
        whole.sent.store(true, Ordering::Relaxed);
    }
    link.end(written).await
}

async fn write(link: &Link, claim: Claim, whole: &Whole) -> Step<()> {
    let mut rows = Rows::default();
    for fact in whole.facts() {
        if !rows.seqs.is_empty() && (rows.seqs.len() >= ROWS || rows.bytes + size(&fact) > BYTES) {
            insert(link, &rows).await?;
            rows = Rows::default();
        }
        rows.add(fact)?;
    }
    // Sent one after the other without waiting in between.
    let ((), (), (), ()) = tokio::try_join!(
        insert(link, &rows),
        insert_frame(link, &whole.end),
        insert_tiles(link, &whole.end),
        leader::advance(link, claim, whole.last()),
    )?;
    if let Some((target, by)) = whole.end.erase {
        let erased = link.execute(ERASE, &[&signed(target)?, &signed(by)?]).await?;
        if erased != 1 {
            return Err(Error::new(Kind::Missing, format!("there is no record {target}")).into());
        }
    }
    Ok(())
}

/// The columns of a statement's rows.
#[derive(Debug, Default)]
struct Rows<'a> {
    seqs: Vec<i64>,
    headers: Vec<&'a [u8]>,
    checks: Vec<Vec<u8>>,
    bodies: Vec<&'a [u8]>,
    bytes: usize,
}

impl<'a> Rows<'a> {
    fn add(&mut self, fact: NewFact<'a>) -> Result<(), Error> {
        self.bytes += size(&fact);
        self.seqs.push(signed(fact.seq)?);
        self.headers.push(fact.header);
        self.checks.push(fact.check.to_vec());
        self.bodies.push(fact.body);
        Ok(())
    }
}

fn size(fact: &NewFact<'_>) -> usize {
    fact.header.len() + fact.body.len()
}

async fn insert(link: &Link, rows: &Rows<'_>) -> Step<()> {
    link.execute(FACTS, &[&rows.seqs, &rows.headers, &rows.checks, &rows.bodies])
        .await?;
    Ok(())
}

async fn insert_frame(link: &Link, end: &BatchEnd) -> Step<()> {
    let frame = &end.frame;
    let hash = frame.hash.as_bytes().as_slice();
    link.execute(FRAME, &[&signed(frame.number)?, &frame.bytes, &hash])
        .await?;
    Ok(())
}

async fn insert_tiles(link: &Link, end: &BatchEnd) -> Step<()> {
    if end.tiles.is_empty() {
        return Ok(());
    }
    let levels: Vec<i16> = end.tiles.iter().map(|tile| i16::from(tile.level)).collect();
    let numbers = end
        .tiles
        .iter()
        .map(|tile| signed(tile.number))
        .collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<&[u8]> = end
        .tiles
        .iter()
        .map(|tile| tile.hash.as_bytes().as_slice())
        .collect();
    link.execute(TILES, &[&levels, &numbers, &hashes]).await?;
    Ok(())
}
