//! Lineage to elsewhere: every run that begins or ends, from what and of what, for channels that are told so.
//!
//! A channel is a cursor in the journal: what it was told is read off the facts after it, and how far it came is a fact again. So
//! nothing is kept for a receiver that is down, and nothing is lost to it. A process that dies between telling and recording tells
//! again, under the same run id, which receivers take as the same.

mod event;
mod facets;

use mainstay_api::Error;
use mainstay_base::Timestamp;
use mainstay_control::{Command, Sight, Telling, TellingFailure, ToldLineage, lineage_channels};
use mainstay_journal::Filter;
use mainstay_model::fact::Fact;
use mainstay_model::message::ChannelSpec;
use mainstay_model::run::Pinned;
use mainstay_model::upcast;
use mainstay_model::{BranchName, Resource};
use serde_json::{Value, json};

use crate::error;
use crate::instance::Instance;
use crate::step;

/// How many events one channel is told at a time.
const AT_ONCE: usize = 32;

/// How many facts are looked at for them.
const LOOKED: usize = 2_000;

/// An event, ready to be told.
#[derive(Clone, Debug)]
pub struct LineageEvent {
    /// The fact that it tells of.
    pub fact: u64,
    /// The body.
    pub body: String,
}

/// What one channel is told at a time.
#[derive(Clone, Debug)]
pub struct LineageBatch {
    /// The account whose runs they are.
    pub account: String,
    /// The channel.
    pub channel: String,
    /// Where to.
    pub url: String,
    /// Whether it may be a place that only this machine or its network reaches.
    pub anywhere: bool,
    /// The headers of each.
    pub headers: Vec<(String, String)>,
    /// The events, in the order of the journal.
    pub events: Vec<LineageEvent>,
    /// The last fact that they tell of, or that there is nothing to tell of.
    pub through: u64,
}

/// A fact that there may be something to tell of.
struct Told {
    seq: u64,
    time: Timestamp,
    fact: Fact,
}

/// Says whether runs of a side are told of: those of the live side, and those by which an amendment gets there. What is tried out
/// in a branch is nobody's business.
fn is_told(pinned: &Pinned) -> bool {
    pinned.branch.as_ref().is_none_or(BranchName::is_of_amendment)
}

impl Instance {
    /// Returns what channels are to be told now; for those for which it cannot be made ready, that is recorded.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read or written.
    pub fn lineage(&self) -> Result<Vec<LineageBatch>, Error> {
        let now = self.clock.now();
        let due: Vec<(String, String, ChannelSpec, u64)> = {
            let ledger = self.ledger();
            let all = ledger.states().flat_map(|(account, state)| {
                let due = lineage_channels(state, now).into_iter().filter(|c| c.is_due);
                due.map(|c| (account.to_owned(), c.name.to_owned(), c.spec.clone(), c.through))
            });
            all.collect()
        };
        let mut batches = Vec::new();
        for (account, channel, spec, through) in due {
            let own = self.as_part_of(&account, "mainstay", None)?;
            match own.batch(&channel, spec, through) {
                Ok(batch) => batches.push(batch),
                Err(e) => {
                    let failure = TellingFailure {
                        fact: through,
                        error: e.message,
                        again: true,
                    };
                    let telling = Telling {
                        through,
                        events: 0,
                        failure: Some(failure),
                    };
                    own.lineage_told(&account, &channel, telling)?;
                }
            }
        }
        Ok(batches)
    }

    fn batch(&self, channel: &str, spec: ChannelSpec, after: u64) -> Result<LineageBatch, Error> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(place) = &spec.secret {
            let key = self.secret_text(place)?;
            headers.push(("authorization".to_owned(), format!("Bearer {}", key.trim())));
        }
        let (facts, through) = self.told_of(after)?;
        let namer = facets::Namer::of(self)?;
        let mut events = Vec::new();
        for told in facts {
            let fact = told.seq;
            if let Some(body) = self.lineage_event(&namer, &told)? {
                let body = body.to_string();
                events.push(LineageEvent { fact, body });
            }
        }
        Ok(LineageBatch {
            account: self.account().to_owned(),
            channel: channel.to_owned(),
            url: spec.url,
            anywhere: !self.is_guest(),
            headers,
            events,
            through,
        })
    }

    /// Reads the facts after a number that there may be something to tell of, and says up to which these are all.
    fn told_of(&self, after: u64) -> Result<(Vec<Told>, u64), Error> {
        let ledger = self.ledger();
        let own = Filter {
            account: Some(self.account().to_owned()),
            ..Filter::default()
        };
        let (mut facts, mut through) = (Vec::new(), after);
        for record in ledger.journal().records(after + 1, own).take(LOOKED) {
            let record = record.map_err(|e| error::journal(&e))?;
            through = record.seq;
            if !matches!(record.kind.as_str(), "run.recorded" | "run.finished") {
                continue;
            }
            let fact = record
                .body
                .as_ref()
                .map(|body| upcast::decode(&record.kind, record.kind_version, body));
            // A fact that cannot be read is met when the journal is folded.
            if let Some(Ok(fact)) = fact {
                facts.push(Told {
                    seq: record.seq,
                    time: record.time,
                    fact,
                });
            }
            if facts.len() == AT_ONCE {
                break;
            }
        }
        Ok((facts, through))
    }

    /// Records what came of telling a channel.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    pub fn lineage_told(&self, account: &str, channel: &str, telling: Telling) -> Result<(), Error> {
        step::at("lineage.told");
        let own = self.as_part_of(account, "mainstay", None)?;
        let channel = channel.to_owned();
        match own.submit(Command::LineageAttempted { channel, telling }) {
            // It was taken away meanwhile: there is nobody to be told.
            Err(e) if e.kind == mainstay_api::ErrorKind::NotFound => Ok(()),
            done => done.map(|_| ()),
        }
    }
}

/// How far a channel was told of runs; none if it is told messages.
pub(crate) fn status(sight: &Sight<'_>, resource: &Resource, now: Timestamp) -> Option<Value> {
    let channels = lineage_channels(sight.state, now);
    let channel = channels.iter().find(|c| c.name == resource.name)?;
    let none = ToldLineage::default();
    let told = sight.state.lineage.channels.get(&resource.name).unwrap_or(&none);
    let behind = channel.through < sight.state.lineage.newest;
    let state = match (&told.error, behind) {
        _ if sight.state.rests() => "resting",
        (Some(_), true) if told.next.is_some() => "retrying",
        (_, true) => "behind",
        (_, false) => "told",
    };
    Some(
        json!({ "state": state, "behind": behind, "through": channel.through, "events": told.events, "last": told.told,
        "refused": told.refused, "attempts": told.attempts, "next": told.next, "error": told.error }),
    )
}
