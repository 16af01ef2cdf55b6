//! Proofs: one record with everything that shows a stranger that it stands in the journal.

use data_encoding::BASE64;
use mainstay_base::Hash;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Kind};
use crate::key::VerifierKey;
use crate::merkle;
use crate::record::{Record, decode, with_body};
use crate::store::StoredBody;

/// The shape of a proof.
const FORMAT: &str = "mainstay-proof-v1";

/// A record, its path to the tree's root, and the signed checkpoint with that root. Bytes are base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Says which shape this is.
    pub format: String,
    /// The record's number.
    pub seq: u64,
    /// The header as stored.
    pub header: String,
    /// Salt and body as stored; left out after the body was erased.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<String>,
    /// The audit path of RFC 6962, the leaf's sibling first.
    pub path: Vec<String>,
    /// The signed note.
    pub checkpoint: String,
}

impl Proof {
    pub(crate) fn new(
        seq: u64,
        header: &[u8],
        body: &StoredBody,
        path: &[Hash],
        checkpoint: &Checkpoint,
    ) -> Self {
        let body = if let StoredBody::Kept(body) = body {
            Some(BASE64.encode(body))
        } else {
            None
        };
        let path = path.iter().map(|hash| BASE64.encode(hash.as_bytes())).collect();
        let (format, header, checkpoint) = (
            FORMAT.to_owned(),
            BASE64.encode(header),
            checkpoint.note().to_owned(),
        );
        Self {
            format,
            seq,
            header,
            body,
            path,
            checkpoint,
        }
    }
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The record; without a body if that was erased before the proof was made.
    pub record: Record,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

/// Checks a proof with nothing but the verifier key of the journal that it says it is from.
///
/// # Errors
/// `Forged` if anything in it does not fit, `Invalid` if the key is none, `Newer` if the proof's format is not known.
pub fn check_proof(proof: &Proof, verifier_key: &str) -> Result<Proven, Error> {
    if proof.format != FORMAT {
        let text = format!(
            "the proof has the format `{}`; this version knows `{FORMAT}`",
            proof.format
        );
        return Err(Error::new(Kind::Newer, text));
    }
    let key: VerifierKey = verifier_key.parse()?;
    let checkpoint = Checkpoint::parse(&proof.checkpoint)?;
    checkpoint.check(&key)?;
    let header = bytes(&proof.header)?;
    let record = decode(&header).map_err(|e| {
        if e.kind() == Kind::Newer {
            e
        } else {
            Error::forged(e.to_string())
        }
    })?;
    if record.seq != proof.seq {
        return Err(Error::forged(format!(
            "the proof is of record {}, not of {}",
            record.seq, proof.seq
        )));
    }
    let mut path = Vec::with_capacity(proof.path.len());
    for hash in &proof.path {
        let hash = bytes(hash)?
            .try_into()
            .map_err(|_| Error::forged("the proof's path has something that is no hash"))?;
        path.push(Hash::from_bytes(hash));
    }
    let index = record
        .seq
        .checked_sub(1)
        .ok_or_else(|| Error::forged("there is no record 0"))?;
    if merkle::climb(merkle::leaf(&header), index, checkpoint.size, &path) != Some(checkpoint.root) {
        return Err(Error::forged(
            "the record is not in the tree that the checkpoint signs",
        ));
    }
    let record = match &proof.body {
        Some(body) => with_body(record, &bytes(body)?).map_err(|e| Error::forged(e.to_string()))?,
        None => record,
    };
    Ok(Proven { record, checkpoint })
}

fn bytes(text: &str) -> Result<Vec<u8>, Error> {
    BASE64
        .decode(text.as_bytes())
        .map_err(|_| Error::forged("the proof has something that is not base64"))
}
