//! Compares the stored subtree hashes with those that the records give.

use std::collections::VecDeque;

use super::{Stop, bad};
use crate::merkle::{STEP, Tile};
use crate::store::Store;

/// Tiles read at a time.
const ROWS: usize = 1024;
/// The highest level of tiles: 2^56 records.
const LEVELS: u8 = 7;

/// The stored tiles of each level, in order.
#[derive(Debug)]
pub(super) struct Tiles<'a> {
    store: &'a dyn Store,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    next: u64,
    ready: VecDeque<Tile>,
}

impl<'a> Tiles<'a> {
    /// Begins after the tiles of the first `size` records.
    pub(super) fn new(store: &'a dyn Store, size: u64) -> Self {
        let levels = (1..=u32::from(LEVELS)).map(|level| Level {
            next: size >> (STEP * level),
            ready: VecDeque::new(),
        });
        Self {
            store,
            levels: levels.collect(),
        }
    }

    /// Compares the next tile of its level.
    pub(super) fn compare(&mut self, tile: Tile) -> Result<(), Stop> {
        let first = tile.end() - (1 << (STEP * u32::from(tile.level))) + 1;
        let Some(level) = self.levels.get_mut(usize::from(tile.level) - 1) else {
            return Ok(());
        };
        if level.ready.is_empty() {
            level.ready = self.store.tiles(tile.level, tile.number, ROWS)?.into();
        }
        level.next = tile.number + 1;
        let stored = level.ready.pop_front();
        if stored == Some(tile) {
            return Ok(());
        }
        bad(
            first,
            format!(
                "the stored hash over records {first} to {} is not theirs",
                tile.end()
            ),
        )
    }

    /// Checks that there are no tiles left.
    pub(super) fn end(&self) -> Result<(), Stop> {
        for (number, level) in (1..).zip(&self.levels) {
            if let Some(tile) = self.store.tiles(number, level.next, 1)?.first() {
                let first = tile.number.saturating_mul(1 << (STEP * u32::from(tile.level)));
                return bad(
                    first.saturating_add(1),
                    "there is a stored hash over records that are not there",
                );
            }
        }
        Ok(())
    }
}
