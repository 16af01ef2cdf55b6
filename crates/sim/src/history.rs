//! A long past for a home.

use std::error::Error;
use std::path::Path;

use mainstay_base::{Clock as _, SystemClock};
use mainstay_journal::{Draft, Filter, Journal, OpenOptions, Record, SqliteStore};
use mainstay_model::RunId;
use mainstay_model::fact::Fact;
use mainstay_model::upcast;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Facts that are appended in one frame, at most.
const GROUP: u64 = 6_000;

/// Appends runs to a home's journal until it holds so many facts; returns how many runs.
///
/// Each run is the home's last one again, under a number of its own: recorded, started, ended, and nothing published, as if a
/// job had found every day that its results are as they were.
///
/// # Errors
///
/// If the journal cannot be written, or the last run did not end at its first attempt.
pub fn lengthen(home: &Path, facts: u64) -> Outcome<u64> {
    let mut journal = Journal::open(SqliteStore::new(home), OpenOptions::write())?;
    let (template, mut run) = last_run(&journal)?;
    let first = run;
    let mut head = journal.head().last_seq;
    while head < facts {
        let now = SystemClock.now();
        let mut drafts = Vec::new();
        for _ in 0..(GROUP.min(facts - head) / template.len() as u64).max(1) {
            run = RunId(run.0 + 1);
            for (record, fact) in &template {
                let fact = renamed(fact.clone(), run);
                drafts.push(Draft {
                    time: now,
                    account: record.account.clone(),
                    actor: record.actor.clone(),
                    request: record.request.clone(),
                    kind: record.kind.clone(),
                    kind_version: record.kind_version,
                    ignorable: record.ignorable,
                    subject: fact.subject(),
                    reason: record.reason.clone(),
                    cause: None,
                    body: fact.encode()?,
                });
            }
        }
        head += drafts.len() as u64;
        journal.append(drafts, None)?;
    }
    Ok(run.0 - first.0)
}

/// What the journal says of its last run's record, start and end, and that run.
fn last_run(journal: &Journal) -> Outcome<(Vec<(Record, Fact)>, RunId)> {
    let mut found: Vec<(Record, Fact)> = Vec::new();
    let mut last = None;
    for record in journal.records(1, Filter::default()) {
        let record = record?;
        let Some(body) = &record.body else { continue };
        let fact = upcast::decode(&record.kind, record.kind_version, body)?;
        match &fact {
            Fact::RunRecorded(r) => {
                last = Some(r.run);
                found.clear();
            }
            Fact::AttemptStarted(a) if Some(a.run) == last => {}
            Fact::RunFinished(f) if Some(f.run) == last => {}
            _ => continue,
        }
        found.push((record, fact));
    }
    match last {
        Some(run) if found.len() == 3 => Ok((found, run)),
        _ => Err("the home's last run did not end at its first attempt".into()),
    }
}

fn renamed(mut fact: Fact, run: RunId) -> Fact {
    match &mut fact {
        Fact::RunRecorded(r) => r.run = run,
        Fact::AttemptStarted(a) => a.run = run,
        Fact::RunFinished(f) => f.run = run,
        _ => {}
    }
    fact
}
