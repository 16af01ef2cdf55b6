//! The leader row: who writes, under which epoch, until when, and after which frame.
//!
//! The epoch decides who may write; every transaction that writes locks this row first and looks. The lease decides only who
//! may try: it keeps a second writer from taking over from one that is alive.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use mainstay_base::Hash;
use tokio::task::JoinHandle;

use super::address::Address;
use super::link::{Link, Step};
use super::rows::{hash, signed, unsigned};
use super::wire::Wire;
use crate::error::{Error, Kind};
use crate::store::{Leader, Lease, fenced};

/// How long a writer of whom nothing is heard is still the writer, in seconds.
const LEASE: f64 = 3.0;
/// How often it makes itself heard.
const BEAT: Duration = Duration::from_millis(500);
/// How long it tries to.
const HEARD: Duration = Duration::from_secs(2);

const CLAIM: &str = "
    UPDATE journal SET epoch = epoch + 1, holder = $1, holder_pid = $2, holder_host = $3,
        holder_backend = pg_backend_pid(), lease_until = clock_timestamp() + make_interval(secs => $4)
    WHERE id = 1 AND (holder IS NULL OR holder = $1 OR lease_until <= clock_timestamp())
    RETURNING epoch, last_frame, last_hash,
        coalesce((SELECT number FROM frame ORDER BY number DESC LIMIT 1), 0),
        (SELECT hash FROM frame ORDER BY number DESC LIMIT 1)";
const HOLDER: &str = "
    SELECT holder_pid, holder_host, EXISTS (SELECT FROM pg_stat_activity WHERE pid = holder_backend)
    FROM journal WHERE id = 1";
const LOOK: &str = "
    SELECT epoch, holder_pid, holder_host, holder IS NULL,
        holder IS NULL OR lease_until IS NULL OR lease_until <= clock_timestamp(), last_frame, last_hash
    FROM journal WHERE id = 1";
const RENEW: &str = "
    UPDATE journal SET holder_backend = pg_backend_pid(),
        lease_until = clock_timestamp() + make_interval(secs => $3)
    WHERE id = 1 AND epoch = $1 AND holder = $2";
const RELEASE: &str = "UPDATE journal SET holder = NULL WHERE id = 1 AND epoch = $1 AND holder = $2";
/// The row is locked until the transaction ends. Whoever comes after a connection that was cut while it committed waits here
/// for how that ended.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT epoch, last_frame, encode(last_hash, 'hex') FROM journal WHERE id = 1 FOR UPDATE";
const ADVANCE: &str = "
    UPDATE journal SET last_frame = $3, last_hash = $4,
        lease_until = CASE WHEN holder = $2 THEN clock_timestamp() + make_interval(secs => $5) ELSE lease_until END
    WHERE id = 1 AND epoch = $1 AND last_frame = $6 AND last_hash = $7";

/// After which frame the journal stands: its number and hash; zero before the first.
pub(super) type End = (u64, Hash);

/// A claim on the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) epoch: u64,
    /// Tells this handle from every other.
    pub(super) token: i64,
    /// The last frame that this handle knows of.
    pub(super) end: End,
}

/// Who else has it.
#[derive(Debug)]
pub(super) struct Holder {
    pid: Option<u32>,
    host: String,
    /// Whether its connection is gone: it will not make itself heard any more, unless it connects again.
    pub(super) gone: bool,
}

impl Holder {
    pub(super) fn refusal(&self, address: &Address) -> Error {
        let (mut who, mut pid) = ("another process".to_owned(), self.pid);
        if let Some(pid) = self.pid {
            who = format!("process {pid}");
        }
        if self.host != host() {
            who = format!("{who} on {}", self.host);
            pid = None;
        }
        Error::locked(format!("{who} writes to the journal {address}"), pid)
    }
}

/// Tries to become the writer.
pub(super) async fn claim(link: &Link, token: i64) -> Step<Result<Claim, Holder>> {
    let pid = i64::from(std::process::id());
    if let Some(row) = link.row(CLAIM, &[&token, &pid, &host(), &LEASE]).await? {
        let end = (unsigned(&row, 1), hash(&row, 2));
        let there = (unsigned(&row, 3), hash(&row, 4));
        if end != there {
            let text = format!(
                "the journal's last frame is {}, and the leader row says {}: a part of the database was put back",
                there.0, end.0
            );
            return Err(Error::damaged(text).into());
        }
        let epoch = unsigned(&row, 0);
        return Ok(Ok(Claim { epoch, token, end }));
    }
    let row = link.row(HOLDER, &[]).await?;
    let row = row.ok_or_else(|| Error::damaged("the journal's leader row is missing"))?;
    Ok(Err(Holder {
        pid: row
            .try_get::<_, Option<i64>>(0)?
            .and_then(|pid| u32::try_from(pid).ok()),
        host: row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
        gone: !row.try_get::<_, bool>(2)?,
    }))
}

/// Says who writes, and whether it still does.
pub(super) async fn look(link: &Link) -> Step<Leader> {
    let row = link.row(LOOK, &[]).await?;
    let row = row.ok_or_else(|| Error::damaged("the journal's leader row is missing"))?;
    let pid = row.try_get::<_, Option<i64>>(1)?;
    Ok(Leader {
        epoch: unsigned(&row, 0),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        host: row.try_get::<_, Option<String>>(2)?.unwrap_or_default(),
        released: row.try_get(3)?,
        free: row.try_get(4)?,
        frame: unsigned(&row, 5),
        frame_hash: hash(&row, 6),
    })
}

/// Gives the journal back.
pub(super) async fn release(link: &Link, claim: Claim) -> Step<()> {
    link.execute(RELEASE, &[&signed(claim.epoch)?, &claim.token])
        .await?;
    Ok(())
}

/// Makes the writer heard for as long as it is one, over a connection of its own: the other may be busy with a long append.
pub(super) fn keep(
    wire: &Wire,
    address: &Arc<Address>,
    claim: Claim,
    lease: Arc<Lease>,
) -> Option<JoinHandle<()>> {
    let address = Arc::clone(address);
    wire.spawn(async move {
        let Ok(epoch) = signed(claim.epoch) else {
            return;
        };
        let mut link = None;
        loop {
            tokio::time::sleep(BEAT).await;
            if link.is_none() {
                link = connect(&address).await.ok();
            }
            let Some(open) = &link else { continue };
            let renew = async { open.execute(RENEW, &[&epoch, &claim.token, &LEASE]).await };
            match tokio::time::timeout(HEARD, renew).await {
                Ok(Ok(1)) => lease.heard(),
                // Somebody else is the writer now; the next append would find that out, too.
                Ok(Ok(_)) => return lease.end(),
                // The row is locked for as long as an append takes, which renews the lease itself.
                Ok(Err(_)) | Err(_) => link = None,
            }
        }
    })
}

async fn connect(address: &Address) -> Step<Link> {
    let link = Link::open(address, true).await?;
    // A lease need not survive the server's end, and nothing waits long for the row.
    link.batch("SET synchronous_commit = off; SET lock_timeout = '1s'")
        .await?;
    Ok(link)
}

/// Begins a transaction of a writer: locks the leader row, and leaves it again unless the epoch is the newest. Returns after
/// which frame the journal stands.
pub(super) async fn begin(link: &Link, epoch: u64) -> Step<End> {
    let row = link.text(BEGIN).await?;
    let field = |n: usize| row.as_ref().and_then(|row| row.get(n));
    let number = |n: usize| field(n).and_then(|text| text.parse::<u64>().ok());
    let hash = field(2)
        .and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .map(Hash::from_bytes);
    let refused = match (number(0), number(1), hash) {
        (Some(newest), Some(frame), Some(hash)) if newest == epoch => return Ok((frame, hash)),
        (Some(newest), ..) if newest > epoch => fenced(epoch, newest),
        (Some(newest), ..) => went_back(&format!(
            "its writer has epoch {epoch}, and it knows {newest} of them"
        )),
        _ => Error::damaged("the journal's leader row is damaged"),
    };
    link.end(Err(refused.into())).await
}

/// Moves the leader row to the next frame, inside a transaction.
pub(super) async fn advance(link: &Link, claim: Claim, to: End) -> Step<()> {
    let (epoch, from, number) = (signed(claim.epoch)?, signed(claim.end.0)?, signed(to.0)?);
    let (before, after) = (claim.end.1, to.1);
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
        &epoch,
        &claim.token,
        &number,
        &after.as_bytes().as_slice(),
        &LEASE,
        &from,
        &before.as_bytes().as_slice(),
    ];
    match link.execute(ADVANCE, &values).await? {
        1 => Ok(()),
        _ => Err(Error::new(Kind::Fenced, "the leader row was changed under its lock").into()),
    }
}

/// The error of a store that has forgotten what it had acknowledged.
pub(super) fn went_back(what: &str) -> Error {
    Error::damaged(format!(
        "the journal's database has gone back in time: {what}. It was restored from an older copy, or a follower took over that \
         did not have everything"
    ))
}

/// Returns the machine's name, where it can be told.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
