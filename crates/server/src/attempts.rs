//! The names of attempts: below which prefix who stages what, and which of them a writer may judge.
//!
//! A writer that lost its turn without noticing (its machine slept) still has its state, in which nothing refers to what its
//! successor stages. So every prefix tells who writes below it: by the writer's epoch, or by the number of a run, which is recorded
//! before its first file is staged. Invariant: a writer removes nothing below a prefix of a later one.

use crate::instance::Instance;

/// Times are told from epochs by their size: no journal ever has so many writers.
const TIMES: u64 = 1_000_000_000_000;

/// What a writer knows of attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The writer's epoch.
    epoch: u64,
    /// The last run that it knows of.
    last_run: u64,
    /// When it became the writer, in microseconds.
    since: u64,
}

impl Known {
    /// Says whether an attempt is this writer's or an earlier one's, by its prefix. One that cannot be told is not.
    pub(crate) fn has(&self, attempt: &str) -> bool {
        let (kind, rest) = attempt.split_at(attempt.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(0));
        let mut numbers = rest.split('-').filter(|part| !part.is_empty());
        let first = numbers.next().and_then(|n| n.parse::<u64>().ok());
        // As it was named before epochs were in all names: by the time.
        let by_epoch = |part: Option<&str>| match part.and_then(|n| n.parse::<u64>().ok()) {
            Some(time) if time >= TIMES => time <= self.since,
            Some(epoch) => epoch <= self.epoch,
            None => false,
        };
        match kind {
            "r" => first.is_some_and(|run| run <= self.last_run),
            "d" | "a" | "replay" => first.is_some() && by_epoch(numbers.next()),
            // `proof-R-12-3-…-7`: what comes before has no fixed form, so the epoch is its last number.
            "proof" => by_epoch(numbers.rfind(|part| part.parse::<u64>().is_ok())),
            _ => false,
        }
    }
}

impl Instance {
    /// Returns this writer's epoch, which is in the names of what it stages.
    pub(crate) fn epoch(&self) -> u64 {
        self.ledger().journal().head().epoch
    }

    /// Returns what is known of attempts here and now.
    pub(crate) fn known_attempts(&self) -> Known {
        let epoch = self.epoch();
        Known {
            epoch,
            last_run: self.with(|sight| sight.state.last_run),
            since: self.since(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_knows_its_own_attempts_and_earlier_ones() {
        let known = Known {
            epoch: 7,
            last_run: 12,
            since: 1_764_592_000_000_000,
        };
        for mine in [
            "r12-1",
            "r1-2-a1",
            "r12-1-c0",
            "d3-7-0",
            "d3-6-0-n1",
            "d9-7-0-c1",
            "a4-7-1764592000000001",
            "a4-1764591999999999",
            "replay-81-7-1764592000000001",
            "replay-81-7-1764592000000001-a",
            "replay-81-1764591999999999",
            "proof-R-12-0-1764592000000001-0-7",
        ] {
            assert!(known.has(mine), "{mine}");
        }
        for later in [
            "r13-1",
            "d3-8-0",
            "a5-8-1764592000000001",
            "a5-1764592000000001",
            "replay-81-8-1764591999999999",
            "proof-R-13-0-1764592000000001-0-8",
            "_delta_log",
            "day=2013-01-01",
            "r",
            "",
        ] {
            assert!(!known.has(later), "{later}");
        }
    }
}
