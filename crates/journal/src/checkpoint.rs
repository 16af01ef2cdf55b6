//! Checkpoints: a signed statement of how many records there are and what the tree's root is.
//!
//! The text is C2SP's tlog-checkpoint with one extension line that binds the chain of frames as well.

use data_encoding::BASE64;
use mainstay_base::Hash;

use crate::error::Error;
use crate::key::{SigningKey, VerifierKey, split};

/// A checkpoint, as it was signed. That it is parsed does not mean that its signature holds: see [`Checkpoint::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The journal's name.
    pub origin: String,
    /// How many records it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The frame that ends with the last of them; 0 if there are none.
    pub frame: u64,
    /// That frame's hash; all zero if there is none.
    pub frame_hash: Hash,
    note: String,
}

impl Checkpoint {
    /// Signs a checkpoint.
    pub(crate) fn sign(key: &SigningKey, size: u64, root: Hash, frame: u64, frame_hash: Hash) -> Self {
        let (origin, b64) = (key.name().to_owned(), |hash: &Hash| {
            BASE64.encode(hash.as_bytes())
        });
        let text = format!(
            "{origin}\n{size}\n{}\nframe {frame} {}\n",
            b64(&root),
            b64(&frame_hash)
        );
        let note = key.sign(&text);
        Self {
            origin,
            size,
            root,
            frame,
            frame_hash,
            note,
        }
    }

    /// Reads a checkpoint from its note, without checking the signature.
    ///
    /// # Errors
    /// `Forged` if the note is not a journal's checkpoint.
    pub fn parse(note: &str) -> Result<Self, Error> {
        let (text, _) = split(note)?;
        read(text, note).ok_or_else(|| Error::forged("this note is not a checkpoint of a journal"))
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// `Forged` if it does not hold, or if the key is of another journal.
    pub fn check(&self, key: &VerifierKey) -> Result<(), Error> {
        key.check(&self.note)?;
        if key.name() == self.origin {
            return Ok(());
        }
        Err(Error::forged(format!(
            "the checkpoint is of {}, its signature of {}",
            self.origin,
            key.name()
        )))
    }

    /// Returns the signed note.
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn read(text: &str, note: &str) -> Option<Checkpoint> {
    let mut lines = text.lines();
    let origin = lines.next()?.to_owned();
    let size = number(lines.next()?)?;
    let root = hash(lines.next()?)?;
    let (frame, frame_hash) = lines.next()?.strip_prefix("frame ")?.split_once(' ')?;
    let checkpoint = Checkpoint {
        origin,
        size,
        root,
        frame: number(frame)?,
        frame_hash: hash(frame_hash)?,
        note: note.to_owned(),
    };
    lines.next().is_none().then_some(checkpoint)
}

/// Reads a number that has one way to be written.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n: &u64| n.to_string() == text)
}

fn hash(text: &str) -> Option<Hash> {
    BASE64
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
        .map(Hash::from_bytes)
}
