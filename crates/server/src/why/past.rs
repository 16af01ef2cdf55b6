//! Runs that the state has let go of: it keeps the last ones, the journal keeps all.
//!
//! The numbers of an account's runs go up with the journal's, so that the record of one is found by halving, and what became
//! of it is read on from there. What was found stays for the rest of the look.

use std::cell::OnceCell;

use mainstay_control::{Run, RunStatus, State};
use mainstay_journal::Journal;
use mainstay_model::fact::Fact;
use mainstay_model::id::RunId;
use mainstay_model::upcast;

/// How many records are read on from one to the next record of a run, at most: others' facts may stand between.
const TO_NEXT: u64 = 20_000;
/// How many records are read on from the record of a run to its end.
const TO_END: u64 = 20_000;

/// The kinds of facts that matter before they are read.
const RECORDED: &str = "run.recorded";
const PUBLISHED: &str = "dataset.published";

/// What was read so far: a list that only grows, so that what is in it can be looked at meanwhile.
#[derive(Debug, Default)]
pub(super) struct Past {
    first: OnceCell<Box<Read>>,
}

#[derive(Debug)]
struct Read {
    id: RunId,
    run: Option<Run>,
    next: OnceCell<Box<Read>>,
}

impl Past {
    /// Returns a run of an account as the journal has it; none if it has none of that number.
    pub(super) fn run(&self, journal: &Journal, account: &str, id: RunId) -> Option<&Run> {
        let mut place = &self.first;
        while let Some(read) = place.get() {
            if read.id == id {
                return read.run.as_ref();
            }
            place = &read.next;
        }
        let read = place.get_or_init(|| {
            Box::new(Read {
                id,
                run: in_journal(journal, account, id),
                next: OnceCell::new(),
            })
        });
        read.run.as_ref()
    }
}

/// The first record of a run from a number on, before another: its number and the run's.
fn next_run(journal: &Journal, account: &str, from: u64, before: u64) -> Option<(u64, RunId)> {
    let end = before.min(from.saturating_add(TO_NEXT));
    (from..end).find_map(|seq| {
        let record = journal.record(seq).ok()?;
        if record.account != account || record.kind != RECORDED {
            return None;
        }
        match upcast::decode(&record.kind, record.kind_version, record.body.as_deref()?).ok()? {
            Fact::RunRecorded(recorded) => Some((seq, recorded.run)),
            _ => None,
        }
    })
}

fn in_journal(journal: &Journal, account: &str, id: RunId) -> Option<Run> {
    let last = journal.head().last_seq;
    let (mut low, mut high) = (1, last + 1);
    // The record is in `low..high`.
    let seq = loop {
        if low >= high {
            return None;
        }
        let middle = low + (high - low) / 2;
        match next_run(journal, account, middle, high) {
            Some((seq, run)) if run == id => break seq,
            Some((seq, run)) if run < id => low = seq + 1,
            _ => high = middle,
        }
    };
    let (mut state, its) = (State::default(), format!("run/{id}"));
    for seq in seq..=last.min(seq.saturating_add(TO_END)) {
        let Ok(record) = journal.record(seq) else { break };
        if record.account != account || (record.subject != its && record.kind != PUBLISHED) {
            continue;
        }
        let body = record.body.as_deref();
        let fact = body.and_then(|b| upcast::decode(&record.kind, record.kind_version, b).ok());
        let Some(fact) = fact.filter(|f| !matches!(f, Fact::Published(p) if p.run != Some(id))) else {
            continue;
        };
        state.apply(seq, record.time, &record.actor, record.reason.as_deref(), fact);
        if let Some(RunStatus::Ended(_)) = state.runs.get(&id).map(|r| r.status) {
            break;
        }
    }
    state.runs.remove(id)
}
