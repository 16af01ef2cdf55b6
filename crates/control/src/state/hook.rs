//! Hooks as they are known: which messages came through them.

use std::collections::{BTreeSet, VecDeque};

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

/// What came through a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The ids of the newest messages.
    pub ids: BTreeSet<String>,
    order: VecDeque<String>,
    /// How many messages came, each id once.
    pub count: u64,
    /// When the last one came, and the journal's number of it.
    pub last: Option<(Timestamp, u64)>,
}

impl Received {
    /// How many ids of each hook are kept; a message with an older one is a new message.
    pub const KEPT: usize = 10_000;

    pub(super) fn received(&mut self, seq: u64, time: Timestamp, id: String) {
        self.count += 1;
        self.last = Some((time, seq));
        if self.ids.insert(id.clone()) {
            self.order.push_back(id);
        }
        while self.order.len() > Self::KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
    }
}
