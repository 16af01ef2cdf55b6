//! A dataset as it was last looked at: the contents of its slices by their places, and one hash for all their names.

use mainstay_base::hash::ContentHasher;
use mainstay_base::{Hash, MultisetHash};
use mainstay_model::SliceKey;

/// So many bytes of names are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 14;

/// What a dataset held.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The hash of its slices' names.
    pub(super) names: Hash,
    /// The contents, in the order of the names.
    pub(super) digests: Vec<MultisetHash>,
    /// The digest of everything.
    pub(super) total: MultisetHash,
}

impl Seen {
    /// Looks at slices.
    pub(super) fn of<'s>(slices: impl Iterator<Item = (&'s SliceKey, MultisetHash)>) -> Self {
        let mut names = Names::default();
        let digests: Vec<MultisetHash> = slices
            .map(|(slice, digest)| {
                names.add(slice);
                digest
            })
            .collect();
        Self {
            names: names.finish(),
            total: digests.iter().copied().collect(),
            digests,
        }
    }

    /// Says for each place whether its content is another one than before; none if slices came or went.
    pub(super) fn changed(&self, before: &Self) -> Option<Vec<bool>> {
        let places = self.digests.iter().zip(&before.digests);
        (self.names == before.names).then(|| places.map(|(a, b)| a != b).collect())
    }
}

/// Hashes names so that no two different lists can look alike.
#[derive(Default)]
pub(super) struct Names {
    hasher: ContentHasher,
    buffer: Vec<u8>,
    count: u64,
}

impl Names {
    /// Adds a name.
    pub(super) fn add(&mut self, slice: &SliceKey) {
        self.count += 1;
        self.buffer.extend((slice.0.len() as u64).to_le_bytes());
        for value in &slice.0 {
            match value {
                None => self.buffer.push(0),
                Some(text) => {
                    self.buffer.push(1);
                    self.buffer.extend((text.len() as u64).to_le_bytes());
                    self.buffer.extend(text.as_bytes());
                }
            }
        }
        if self.buffer.len() >= HASHED_AT_ONCE {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// Returns the hash of all names.
    pub(super) fn finish(&mut self) -> Hash {
        self.buffer.extend(self.count.to_le_bytes());
        self.hasher.update(&self.buffer);
        self.hasher.finish()
    }
}
