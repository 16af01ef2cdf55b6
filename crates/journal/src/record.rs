//! Records: what a caller hands in, what it gets back, and the header bytes between the two.
//!
//! The header is the record without its body; the tree's leaf is the hash of the header's bytes as stored, so nothing is
//! ever encoded again to check it. What a kind, a subject or a body means is not known here. The body stands behind a
//! random salt of 16 bytes, is covered by its hash in the header, and can be erased without breaking anything; with the
//! salt gone, a short body cannot be guessed from its hash.

use mainstay_base::{Hash, Timestamp};

use crate::error::{Error, Kind};
use crate::merkle::sha256;
use crate::wire::{Reader, put_text};

/// The version of the header's encoding that is written; the first byte of every header.
const FORMAT: u8 = 1;
/// Bytes of salt before a stored body.
pub(crate) const SALT: usize = 16;
/// The largest body that is taken.
pub const MAX_BODY_BYTES: usize = 256 << 20;

const IGNORABLE: u8 = 1;
const HAS_REQUEST: u8 = 2;
const HAS_REASON: u8 = 4;
const HAS_CAUSE: u8 = 8;
const ERASES: u8 = 16;

/// A record that is still to be appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// When it was decided.
    pub time: Timestamp,
    /// The tenant that it belongs to.
    pub account: String,
    /// Who did it.
    pub actor: String,
    /// The idempotency key of the request that it answers.
    pub request: Option<String>,
    /// What sort of record it is; not interpreted here.
    pub kind: String,
    /// The version of the body's shape.
    pub kind_version: u16,
    /// Whether a reader that does not know the kind may pass over it.
    pub ignorable: bool,
    /// What it is about.
    pub subject: String,
    /// Why, in someone's words.
    pub reason: Option<String>,
    /// The number of the record that led to this one.
    pub cause: Option<u64>,
    /// What it says; at most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
}

/// A record as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number; the first is 1, and there are no gaps.
    pub seq: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// The tenant that it belongs to.
    pub account: String,
    /// Who did it.
    pub actor: String,
    /// The idempotency key of the request that it answers.
    pub request: Option<String>,
    /// What sort of record it is.
    pub kind: String,
    /// The version of the body's shape.
    pub kind_version: u16,
    /// Whether a reader that does not know the kind may pass over it.
    pub ignorable: bool,
    /// What it is about.
    pub subject: String,
    /// Why, in someone's words.
    pub reason: Option<String>,
    /// The number of the record that led to this one.
    pub cause: Option<u64>,
    /// The number of the record whose body this one erased.
    pub erases: Option<u64>,
    /// What it says; `None` after it was erased, or where it was not asked for.
    pub body: Option<Vec<u8>>,
    /// SHA-256 of the salt and the body; it stays when the body goes.
    pub body_hash: Hash,
}

/// Checks that everything in a draft fits where it goes.
pub(crate) fn check_size(draft: &Draft) -> Result<(), Error> {
    let texts = [&draft.account, &draft.actor, &draft.kind, &draft.subject];
    let texts = texts.into_iter().chain(&draft.request).chain(&draft.reason);
    if let Some(text) = texts.into_iter().find(|text| text.len() > usize::from(u16::MAX)) {
        let start: String = text.chars().take(20).collect();
        let size = text.len();
        return Err(Error::invalid(format!(
            "a text of a record (`{start}…`) has {size} bytes; 65,535 fit"
        )));
    }
    if draft.body.len() > MAX_BODY_BYTES {
        let size = draft.body.len();
        return Err(Error::invalid(format!(
            "the body of a record has {size} bytes; {MAX_BODY_BYTES} fit"
        )));
    }
    Ok(())
}

/// Appends the encoded header of a draft.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seq: u64,
    draft: &Draft,
    erases: Option<u64>,
    body_hash: &Hash,
) -> Result<(), Error> {
    let mut flags = 0;
    for (flag, on) in [
        (IGNORABLE, draft.ignorable),
        (HAS_REQUEST, draft.request.is_some()),
        (HAS_REASON, draft.reason.is_some()),
        (HAS_CAUSE, draft.cause.is_some()),
        (ERASES, erases.is_some()),
    ] {
        flags |= if on { flag } else { 0 };
    }
    out.extend_from_slice(&[FORMAT, flags]);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&draft.time.as_micros().to_le_bytes());
    out.extend_from_slice(&draft.kind_version.to_le_bytes());
    for number in [draft.cause, erases].into_iter().flatten() {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_text(out, "account", &draft.account)?;
    put_text(out, "actor", &draft.actor)?;
    put_text(out, "kind", &draft.kind)?;
    put_text(out, "subject", &draft.subject)?;
    if let Some(request) = &draft.request {
        put_text(out, "request", request)?;
    }
    if let Some(reason) = &draft.reason {
        put_text(out, "reason", reason)?;
    }
    out.extend_from_slice(body_hash.as_bytes());
    Ok(())
}

/// Decodes a header into a record without its body.
pub(crate) fn decode(header: &[u8]) -> Result<Record, Error> {
    let mut r = Reader::new(header, "record header");
    let format = r.u8()?;
    if format != FORMAT {
        let text = format!("a record header has format {format}; this version reads format {FORMAT}");
        return Err(Error::new(Kind::Newer, text));
    }
    let flags = r.u8()?;
    if flags >= ERASES << 1 {
        return Err(Error::damaged(format!(
            "a record header has unknown flags {flags:#04x}"
        )));
    }
    let has = |flag: u8| flags & flag != 0;
    let seq = r.u64()?;
    let time = Timestamp::from_micros(r.i64()?);
    let kind_version = r.u16()?;
    let cause = has(HAS_CAUSE).then(|| r.u64()).transpose()?;
    let erases = has(ERASES).then(|| r.u64()).transpose()?;
    let (account, actor, kind, subject) = (r.text()?, r.text()?, r.text()?, r.text()?);
    let request = has(HAS_REQUEST).then(|| r.text()).transpose()?;
    let reason = has(HAS_REASON).then(|| r.text()).transpose()?;
    let body_hash = r.hash()?;
    r.end()?;
    let ignorable = has(IGNORABLE);
    let body = None;
    Ok(Record {
        seq,
        time,
        account,
        actor,
        request,
        kind,
        kind_version,
        ignorable,
        subject,
        reason,
        cause,
        erases,
        body,
        body_hash,
    })
}

/// Gives a record the body from its stored bytes, checking them against the hash in the header.
pub(crate) fn with_body(mut record: Record, stored: &[u8]) -> Result<Record, Error> {
    if sha256(&[stored]) != record.body_hash {
        return Err(Error::damaged(format!(
            "the body of record {} is not the one that was appended",
            record.seq
        )));
    }
    let Some(body) = stored.get(SALT..) else {
        return Err(Error::damaged(format!(
            "the body of record {} is cut short",
            record.seq
        )));
    };
    record.body = Some(body.to_vec());
    Ok(record)
}

#[cfg(test)]
mod tests;
