//! A home that is a copy: where it came from, and whether it acts.

use std::sync::Arc;

use mainstay_base::Timestamp;
use mainstay_model::fact::HomeRestored;
use serde::{Deserialize, Serialize};

use super::State;

/// That a home was restored from a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Where the backup was.
    pub backup: String,
    /// The last fact that is the original's.
    pub seq: u64,
    /// When it was restored.
    pub time: Timestamp,
    /// Where the account's tables were, as its project said; none is the home itself.
    pub original: Option<String>,
    /// Where they are since, as long as its project says that.
    pub tables: Option<String>,
    /// When it was told to act again; none: it rests.
    pub resumed: Option<Timestamp>,
}

impl State {
    /// Says whether this is a copy that was not told to act yet.
    pub fn rests(&self) -> bool {
        self.restored.as_ref().is_some_and(|r| r.resumed.is_none())
    }

    /// Returns where tables are that the project says are at `declared`.
    pub fn tables_at<'a>(&'a self, declared: Option<&'a str>) -> Option<&'a str> {
        match &self.restored {
            Some(r) if r.original.as_deref() == declared => r.tables.as_deref(),
            _ => declared,
        }
    }

    pub(super) fn home_restored(&mut self, time: Timestamp, f: HomeRestored) {
        self.restored = Some(Restored {
            backup: f.backup,
            seq: f.seq,
            time,
            original: f.original,
            tables: f.tables,
            resumed: None,
        });
        // The files have another place, where no log shows them.
        for held in self.main.datasets.values_mut() {
            Arc::make_mut(held).projected = None;
        }
    }

    pub(super) fn home_resumed(&mut self, time: Timestamp) {
        if let Some(restored) = &mut self.restored {
            restored.resumed.get_or_insert(time);
        }
    }
}
