//! An order of an input's slices, with the sums of their digests up to each place.

use mainstay_base::MultisetHash;

/// Slices in an order.
#[derive(Debug)]
pub(super) struct Space {
    /// The place of each slice in the order of keys; none if it is that order.
    order: Option<Vec<u32>>,
    /// The digest of all slices before each place, and of all.
    sums: Vec<MultisetHash>,
}

fn sums(digests: impl Iterator<Item = MultisetHash>) -> Vec<MultisetHash> {
    let mut sum = MultisetHash::EMPTY;
    let mut out = vec![sum];
    for digest in digests {
        sum = sum.union(digest);
        out.push(sum);
    }
    out
}

impl Space {
    /// The order of the keys.
    pub(super) fn of_keys(digests: &[MultisetHash]) -> Self {
        Self {
            order: None,
            sums: sums(digests.iter().copied()),
        }
    }

    /// Some slices in an order of their own.
    pub(super) fn permuted(order: &[u32], digests: &[MultisetHash]) -> Self {
        let digest = |at: &u32| digests.get(*at as usize).copied().unwrap_or_default();
        Self {
            order: Some(order.to_vec()),
            sums: sums(order.iter().map(digest)),
        }
    }

    /// Takes other contents of the same slices.
    pub(super) fn take(&mut self, digests: &[MultisetHash]) {
        *self = match self.order.take() {
            None => Self::of_keys(digests),
            Some(order) => Self::permuted(&order, digests),
        };
    }

    /// The digest of a range.
    pub(super) fn digest(&self, from: u32, to: u32) -> MultisetHash {
        let sum = |at: u32| self.sums.get(at as usize).copied().unwrap_or_default();
        sum(to).without(sum(from))
    }

    /// The places, in the order of keys, of a range.
    pub(super) fn places(&self, from: u32, to: u32) -> impl Iterator<Item = u32> + '_ {
        (from..to).filter_map(|at| match &self.order {
            None => Some(at),
            Some(order) => order.get(at as usize).copied(),
        })
    }

    /// How many of some slices stand before each place, and in all.
    pub(super) fn counts(&self, is_one: &dyn Fn(u32) -> bool) -> Vec<u32> {
        let len = u32::try_from(self.sums.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let mut count = 0;
        let mut out = vec![0];
        for place in self.places(0, len) {
            count += u32::from(is_one(place));
            out.push(count);
        }
        out
    }
}
