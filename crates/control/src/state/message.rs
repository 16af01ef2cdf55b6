//! Messages as they are known: which are to be sent, and what became of the newest others.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::Timestamp;
use mainstay_model::fact::{MessageFailed, MessageOwed, MessageSent};
use mainstay_model::id::MessageId;
use serde::{Deserialize, Serialize};

use super::pairs;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What it says, and to whom.
    pub owed: MessageOwed,
    /// When it was recorded.
    pub time: Timestamp,
    /// The journal's number.
    pub seq: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it may be tried next; none: it was sent, or is given up.
    pub next: Option<Timestamp>,
    /// When it was taken.
    pub sent: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// What is known of all messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Those that are to be sent, and the newest of the others.
    #[serde(with = "pairs")]
    pub all: BTreeMap<MessageId, Message>,
    /// What goes on and was told: by trigger, the incidents.
    pub incidents: BTreeMap<String, BTreeSet<String>>,
    /// The highest number given out.
    pub last: u64,
}

impl Messages {
    /// How many messages that ended are kept in the state; older ones are in the journal.
    pub const KEPT: usize = 1_000;

    pub(super) fn owed(&mut self, seq: u64, time: Timestamp, owed: MessageOwed) {
        self.last = self.last.max(owed.message.0);
        if let Some(incident) = &owed.incident {
            let told = self.incidents.entry(owed.trigger.clone()).or_default();
            told.insert(incident.clone());
        }
        let message = Message {
            time,
            seq,
            attempts: 0,
            next: Some(time),
            sent: None,
            error: None,
            owed,
        };
        self.all.insert(message.owed.message, message);
    }

    pub(super) fn sent(&mut self, time: Timestamp, f: &MessageSent) {
        if let Some(message) = self.all.get_mut(&f.message) {
            message.attempts = f.attempt;
            message.next = None;
            message.sent = Some(time);
            message.error = None;
        }
        self.forget();
    }

    pub(super) fn failed(&mut self, f: MessageFailed) {
        if let Some(message) = self.all.get_mut(&f.message) {
            message.attempts = f.attempt;
            message.next = f.retry_at;
            message.error = Some(f.error);
        }
        self.forget();
    }

    /// Ends an incident: the next one of its name is told anew.
    pub(super) fn over(&mut self, incident: &str) {
        self.incidents.values_mut().for_each(|told| {
            told.remove(incident);
        });
        self.incidents.retain(|_, told| !told.is_empty());
    }

    fn forget(&mut self) {
        let ended = || {
            self.all
                .iter()
                .filter(|(_, m)| m.next.is_none())
                .map(|(id, _)| *id)
        };
        let surplus = ended().count().saturating_sub(Self::KEPT);
        let oldest: Vec<MessageId> = ended().take(surplus).collect();
        for id in oldest {
            self.all.remove(&id);
        }
    }
}
