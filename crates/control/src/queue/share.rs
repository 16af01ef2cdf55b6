//! How much each of several has had.

use std::collections::BTreeMap;

/// What a unit of work counts at weight 1, so that weights divide without loss that matters.
const SCALE: u64 = 64;

/// What one has had, and what it is about to have.
#[derive(Debug)]
pub(super) struct Share {
    /// What it has had, in microseconds by weight, with what is expected of those that go on: its virtual time.
    had: u64,
    /// What is expected of those that go on.
    expected: u64,
    weight: u32,
    waiting: usize,
    going: usize,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            had: 0,
            expected: 0,
            weight: 1,
            waiting: 0,
            going: 0,
        }
    }
}

impl Share {
    pub(super) fn set_weight(&mut self, weight: u32) {
        self.weight = weight.max(1);
    }

    /// One that waited is not wanted any more.
    pub(super) fn forget(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    fn start(&mut self, expected: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        self.going += 1;
        let expected = self.counted(expected);
        self.expected = self.expected.saturating_add(expected);
        self.had = self.had.saturating_add(expected);
    }

    /// One ended that was expected to take so long, and took so long.
    pub(super) fn end(&mut self, expected: u64, took: u64) {
        self.going = self.going.saturating_sub(1);
        let (expected, took) = (self.counted(expected), self.counted(took));
        self.expected = self.expected.saturating_sub(expected);
        self.had = self.had.saturating_sub(expected).saturating_add(took);
    }

    /// What it has had for certain.
    const fn done(&self) -> u64 {
        self.had.saturating_sub(self.expected)
    }

    fn counted(&self, micros: u64) -> u64 {
        micros.saturating_mul(SCALE) / u64::from(self.weight)
    }
}

/// What several have had.
#[derive(Debug)]
pub(super) struct Shares<K> {
    each: BTreeMap<K, Share>,
    /// Where the one stood that started last: where one begins that comes when nobody else is there.
    clock: u64,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self {
            each: BTreeMap::new(),
            clock: 0,
        }
    }
}

impl<K: Ord + Clone> Shares<K> {
    pub(super) fn of(&mut self, key: &K) -> &mut Share {
        self.each.entry(key.clone()).or_default()
    }

    /// One more waits. Who comes after a rest begins where the one stands that has had least, without what is only expected: if that
    /// was too much, it would wait for what never was.
    pub(super) fn wake(&mut self, key: &K) {
        let busy = |share: &Share| share.waiting + share.going > 0;
        let least = self.each.values().filter(|s| busy(s)).map(|s| s.done()).min();
        let begin = least.unwrap_or(self.clock);
        let share = self.of(key);
        if !busy(share) {
            share.had = share.had.max(begin);
        }
        share.waiting += 1;
    }

    /// One that waited starts, and is expected to take so long.
    pub(super) fn start(&mut self, key: &K, expected: u64) {
        let clock = self.clock;
        let share = self.of(key);
        let stood = share.done();
        share.start(expected);
        self.clock = clock.max(stood);
    }

    /// Those of whom any waits, who has had least first; of those who have had the same, who has less going on.
    pub(super) fn in_order(&self) -> Vec<&K> {
        let mut waiting: Vec<(&K, &Share)> = self.each.iter().filter(|(_, s)| s.waiting > 0).collect();
        waiting.sort_by_key(|(_, share)| (share.had, share.going));
        waiting.into_iter().map(|(key, _)| key).collect()
    }
}
