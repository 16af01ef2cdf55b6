//! An order-insensitive hash of a multiset: the sum of its elements' hashes.
//!
//! Two lanes of 128 bits, each added modulo 2^128 (an additive multiset hash; Clarke et al., "Incremental Multiset Hash
//! Functions and Their Application to Memory Integrity Checking", 2003). Sums can be added and subtracted, so that slices add
//! up to a table. It tells accidents apart, not forgeries: whoever can choose rows freely could build a collision.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The digest of a multiset of rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MultisetHash([u128; 2]);

impl MultisetHash {
    /// The digest of no rows.
    pub const EMPTY: Self = Self([0; 2]);

    /// Adds one element, given two independent 128-bit hashes of it.
    pub const fn insert(&mut self, hashes: [u128; 2]) {
        self.0[0] = self.0[0].wrapping_add(hashes[0]);
        self.0[1] = self.0[1].wrapping_add(hashes[1]);
    }

    /// Returns the digest of both multisets together.
    #[must_use]
    pub const fn union(mut self, other: Self) -> Self {
        self.insert(other.0);
        self
    }

    /// Returns the digest of this multiset without another one that is in it.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self([
            self.0[0].wrapping_sub(other.0[0]),
            self.0[1].wrapping_sub(other.0[1]),
        ])
    }

    /// Returns the 32 bytes, little-endian by lane.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (chunk, lane) in out.chunks_exact_mut(16).zip(self.0) {
            chunk.copy_from_slice(&lane.to_le_bytes());
        }
        out
    }
}

impl FromIterator<Self> for MultisetHash {
    fn from_iter<I: IntoIterator<Item = Self>>(iter: I) -> Self {
        iter.into_iter().fold(Self::EMPTY, Self::union)
    }
}

impl fmt::Display for MultisetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}{:032x}", self.0[0], self.0[1])
    }
}

impl fmt::Debug for MultisetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MultisetHash({:08x}…)", self.0[0] >> 96)
    }
}

/// What is wrong with a text that should be a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a digest of 64 hexadecimal digits")]
pub struct BadDigest(String);

impl FromStr for MultisetHash {
    type Err = BadDigest;

    fn from_str(s: &str) -> Result<Self, BadDigest> {
        let lane = |part: Option<&str>| {
            part.filter(|p| p.len() == 32)
                .and_then(|p| u128::from_str_radix(p, 16).ok())
        };
        match (lane(s.get(..32)), lane(s.get(32..))) {
            (Some(a), Some(b)) => Ok(Self([a, b])),
            _ => Err(BadDigest(s.to_owned())),
        }
    }
}

impl Serialize for MultisetHash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MultisetHash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_multiplicity_does() {
        let of = |xs: &[u128]| {
            let mut d = MultisetHash::EMPTY;
            xs.iter().for_each(|x| d.insert([*x, !*x]));
            d
        };
        assert_eq!(of(&[1, 2, 3]), of(&[3, 1, 2]));
        assert_ne!(of(&[1, 1]), of(&[]));
        assert_eq!(of(&[1]).union(of(&[2])), of(&[2, 1]));
        assert_eq!(of(&[1, 2, 2]).without(of(&[2])), of(&[2, 1]));
        assert_eq!(
            of(&[7, 9]).to_string().parse::<MultisetHash>().expect("a digest"),
            of(&[9, 7])
        );
    }
}
