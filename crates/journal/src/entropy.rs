//! Where salts and names come from: the operating system, or a seed where a run must be repeatable.

use crate::error::{Error, Kind};
use crate::merkle::sha256;
use crate::record::SALT;

/// The source of random bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entropy {
    /// The operating system.
    #[default]
    System,
    /// A seed: the same bytes every time, for simulation. Salts made of it protect nothing.
    Seeded([u8; 32]),
}

impl Entropy {
    /// Returns `count` salts, one after the other, for the records from `first_seq`.
    pub(crate) fn salts(&self, first_seq: u64, count: usize) -> Result<Vec<u8>, Error> {
        let mut salts = vec![0; count * SALT];
        match self {
            Self::System => fill(&mut salts)?,
            Self::Seeded(seed) => {
                for (seq, salt) in (first_seq..).zip(salts.chunks_exact_mut(SALT)) {
                    let hash = sha256(&[b"salt", seed, &seq.to_le_bytes()]);
                    salt.iter_mut()
                        .zip(hash.as_bytes())
                        .for_each(|(to, from)| *to = *from);
                }
            }
        }
        Ok(salts)
    }

    /// Returns 10 bytes for the name of a new journal.
    pub(crate) fn name(&self) -> Result<[u8; 10], Error> {
        let mut name = [0; 10];
        match self {
            Self::System => fill(&mut name)?,
            Self::Seeded(seed) => {
                let hash = sha256(&[b"name", seed]);
                name.iter_mut()
                    .zip(hash.as_bytes())
                    .for_each(|(to, from)| *to = *from);
            }
        }
        Ok(name)
    }
}

/// Fills `bytes` from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|e| {
        Error::new(Kind::Unavailable, "the operating system has no random numbers").with_source(e)
    })
}
