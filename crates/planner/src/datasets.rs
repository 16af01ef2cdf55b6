//! What the planner knows of the datasets, and how it sees that nothing of one changed.

use std::any::Any;
use std::sync::{Arc, Weak};

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::{DatasetName, SliceKey};

/// What the planner knows of the datasets.
pub trait Datasets {
    /// Returns the slices of a dataset that have a content, in order, with its digest; none if nothing was published yet.
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_>;

    /// Returns the digest of one slice, if it is there.
    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash>;

    /// Returns the slices of a dataset that were computed, in order, with what their content is known to come from; also those
    /// that came out empty.
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_>;

    /// Returns what a dataset is known to come from, if it was computed whole.
    fn whole(&self, name: &DatasetName) -> &[Hash];

    /// Returns what stands for all that is said of a dataset here; for [`Memory`](crate::Memory), which looks again where it is not
    /// the same.
    fn mark(&self, _name: &DatasetName) -> Mark {
        Mark::unknown()
    }
}

/// Stands for what a dataset holds. It keeps nothing of it alive; and while there is a mark, nobody can change what it was made of in
/// its place: [`Arc::make_mut`] moves it first.
#[derive(Clone, Debug)]
pub struct Mark(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Unknown,
    Nothing,
    Content(Weak<dyn Any + Send + Sync>, u64),
}

impl Mark {
    /// Is the same as no other: everything may have changed.
    pub const fn unknown() -> Self {
        Self(Kind::Unknown)
    }

    /// There is no such dataset.
    pub const fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    /// This content, seen at a version.
    pub fn of<T: Any + Send + Sync>(content: &Arc<T>, version: u64) -> Self {
        let content: Weak<T> = Arc::downgrade(content);
        Self(Kind::Content(content, version))
    }

    /// Says whether nothing can have changed between the two.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Nothing, Kind::Nothing) => true,
            (Kind::Content(a, at), Kind::Content(b, then)) => at == then && a.ptr_eq(b),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_in_place_is_another_mark() {
        let mut content = Arc::new(vec![1]);
        let before = Mark::of(&content, 1);
        assert!(before.is(&Mark::of(&content, 1)));
        assert!(!before.is(&Mark::of(&content, 2)));
        Arc::make_mut(&mut content).push(2);
        assert!(!before.is(&Mark::of(&content, 1)));
        assert!(!before.is(&Mark::nothing()) && Mark::nothing().is(&Mark::nothing()));
        assert!(!Mark::unknown().is(&Mark::unknown()));
    }
}
