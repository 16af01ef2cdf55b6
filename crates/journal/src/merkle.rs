//! The Merkle tree of RFC 6962 over the records' headers: its hashes, its right edge, its proofs.
//!
//! Pure: it reads stored subtree hashes through [`Tree`] and never a database. Every eighth level is stored (the height
//! of C2SP's tlog-tiles), so a proof in a tree of any size reads at most 255 hashes for each eight levels.

use mainstay_base::Hash;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Levels between two that are stored.
pub(crate) const STEP: u32 = 8;

/// Hashes the concatenation of `parts` with SHA-256.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash::from_bytes(hasher.finalize().into())
}

/// Returns the leaf hash of a header: SHA-256 of a zero byte and the header.
pub(crate) fn leaf(header: &[u8]) -> Hash {
    sha256(&[&[0], header])
}

/// Returns the hash above two subtrees: SHA-256 of a one byte, the left hash and the right hash.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, both) = bytes.split_at_mut(1);
    let (l, r) = both.split_at_mut(32);
    l.copy_from_slice(left.as_bytes());
    r.copy_from_slice(right.as_bytes());
    sha256(&[&bytes])
}

/// A subtree with 256, 256², … leaves whose hash is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// 1 for 256 leaves, 2 for 256², and so on.
    pub level: u8,
    /// Its number among those of its level; the first is 0.
    pub number: u64,
    /// The hash above its leaves.
    pub hash: Hash,
}

impl Tile {
    /// Returns the number of leaves up to and with this subtree's last.
    pub fn end(&self) -> u64 {
        let shift = STEP * u32::from(self.level);
        self.number
            .saturating_add(1)
            .checked_shl(shift)
            .unwrap_or(u64::MAX)
    }
}

/// The right edge of a tree: the roots of the full subtrees that make it up, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// Reads the edge of the first `size` leaves.
    pub(crate) fn read(tree: &dyn Tree, size: u64) -> Result<Self, Error> {
        let mut peaks = Vec::new();
        let mut start = 0;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(full(tree, level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }

    /// Returns the number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and tells `tiles` of the subtrees to be stored that it completes.
    pub(crate) fn push(&mut self, leaf: Hash, tiles: &mut Vec<Tile>) {
        let mut hash = leaf;
        let mut level = 0u32;
        while self.size >> level & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node(&left, &hash);
            level += 1;
            if level.is_multiple_of(STEP) {
                tiles.push(Tile {
                    level: (level / STEP) as u8,
                    number: self.size >> level,
                    hash,
                });
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Returns the root of the tree; of no leaves, the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return sha256(&[]);
        };
        peaks.fold(*last, |right, left| node(left, &right))
    }
}

/// Where stored hashes are read.
pub(crate) trait Tree {
    /// Returns `count` hashes of `level` (a multiple of eight; 0 are the leaves) from number `from`, or fails.
    fn row(&self, level: u32, from: u64, count: u64) -> Result<Vec<Hash>, Error>;
}

/// Returns the hash of the full subtree `number` of `level`.
fn full(tree: &dyn Tree, level: u32, number: u64) -> Result<Hash, Error> {
    let up = level % STEP;
    let mut row = tree.row(level - up, number << up, 1 << up)?;
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| Some(node(pair.first()?, pair.get(1)?)))
            .collect();
    }
    row.pop()
        .ok_or_else(|| Error::damaged(format!("the hashes of level {level} of the tree are missing")))
}

/// Returns the hash of the tree over `count` leaves from `start`, as RFC 6962 splits it.
fn range(tree: &dyn Tree, start: u64, count: u64) -> Result<Hash, Error> {
    if count.is_power_of_two() && start.is_multiple_of(count) {
        return full(tree, count.trailing_zeros(), start / count);
    }
    let left = split(count);
    Ok(node(
        &range(tree, start, left)?,
        &range(tree, start + left, count - left)?,
    ))
}

/// Returns the largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Returns the audit path of leaf `index` in the tree of the first `size` leaves, leaf's sibling first.
pub(crate) fn path(tree: &dyn Tree, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    let (mut start, mut count, mut path) = (0, size, Vec::new());
    while count > 1 {
        let left = split(count);
        if index - start < left {
            path.push(range(tree, start + left, count - left)?);
            count = left;
        } else {
            path.push(range(tree, start, left)?);
            (start, count) = (start + left, count - left);
        }
    }
    path.reverse();
    Ok(path)
}

/// Returns the root that an audit path leads to, or nothing if its length does not fit.
pub(crate) fn climb(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut at, mut last, mut hash) = (index, size.checked_sub(1)?, leaf);
    if at > last {
        return None;
    }
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// Returns the proof that the tree of `old` leaves is the beginning of the tree of `new` leaves.
pub(crate) fn growth(tree: &dyn Tree, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut start, mut count, mut whole) = (0, new, true);
    while start + count != old {
        let left = split(count);
        if old - start <= left {
            proof.push(range(tree, start + left, count - left)?);
            count = left;
        } else {
            proof.push(range(tree, start, left)?);
            (start, count, whole) = (start + left, count - left, false);
        }
    }
    if !whole {
        proof.push(range(tree, start, count)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Says whether `proof` shows that the tree (`old`, `old_root`) is the beginning of (`new`, `new_root`).
pub(crate) fn grew(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old >= new || old == 0 {
        let empty = old == 0 && *old_root == sha256(&[]);
        return proof.is_empty() && ((old == new && old_root == new_root) || (empty && old < new));
    }
    let mut proof = proof.iter();
    let Some(first) = (if old.is_power_of_two() {
        Some(old_root)
    } else {
        proof.next()
    }) else {
        return false;
    };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node(hash, &old_hash);
            new_hash = node(hash, &new_hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new_hash = node(&new_hash, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
