//! Gives a home a long past: `history HOME FACTS` appends runs to its journal until it holds so many facts.
//!
//! Each run is the last one of the home again, under a number of its own: recorded, started, ended, and nothing published,
//! as if a job had found every day that its results are as they were. Prints the facts and the runs as JSON.

#![expect(clippy::print_stdout, reason = "the document is what this program is for")]

use std::error::Error;
use std::path::PathBuf;

use mainstay_base::{Clock as _, SystemClock};
use mainstay_journal::{Draft, Filter, Journal, OpenOptions, Record, SqliteStore};
use mainstay_model::RunId;
use mainstay_model::fact::Fact;
use mainstay_model::upcast;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Facts that are appended in one frame, at most.
const GROUP: u64 = 6_000;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let (Some(home), Some(facts)) = (args.next(), args.next()) else {
        return Err("history HOME FACTS".into());
    };
    let (home, facts): (PathBuf, u64) = (home.into(), facts.parse()?);
    let mut journal = Journal::open(SqliteStore::new(&home), OpenOptions::write())?;
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
    println!("{}", json!({ "facts": head, "runs": run.0 - first.0 }));
    Ok(())
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
