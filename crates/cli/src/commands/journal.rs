//! `journal` and what it proves.

use std::time::Duration;

use mainstay_api::{Error, ErrorKind, FactReport};
use mainstay_base::text;
use mainstay_server::{Access, Instance, JournalFilter};

use super::{moment, time, with};
use crate::args::{Global, JournalAction, JournalArgs};
use crate::desk::Remote;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::{Done, context};

pub(super) fn journal(
    global: &Global,
    action: Option<&JournalAction>,
    filter: &JournalArgs,
    output: &Output,
) -> Result<Done, Error> {
    match action {
        None => show(global, filter, output),
        Some(JournalAction::Verify { since }) => verify(global, *since, output),
        Some(JournalAction::Prove { seq }) => with(global, Access::Read, output, |instance| {
            output.document(&instance.prove(*seq)?);
            Ok(Done::Well)
        }),
        Some(JournalAction::Check { file, key }) => {
            let read = |path: &std::path::Path| {
                std::fs::read(path).map_err(|e| {
                    Error::new(
                        ErrorKind::NotFound,
                        "MS0702",
                        format!("cannot read {}", path.display()),
                    )
                    .because(&e)
                })
            };
            let (proof, key) = (read(file)?, read(key)?);
            let report = Instance::check_proof(&proof, &String::from_utf8_lossy(&key))?;
            if output.is_json() {
                output.document(&report);
            } else if let (true, Some(fact)) = (report.ok, &report.fact) {
                output.line(format!(
                    "{} fact {} is in the journal {} as it was when it had {}",
                    output.paint(Style::Good, "proven:"),
                    fact.seq,
                    report.origin.as_deref().unwrap_or_default(),
                    text::count(report.size.unwrap_or_default(), "fact")
                ));
                line(fact, output);
            } else {
                let message = report.message.as_deref().unwrap_or_default();
                output.line(format!("{} {message}", output.paint(Style::Bad, "not proven:")));
            }
            Ok(if report.ok { Done::Well } else { Done::Unverified })
        }
    }
}

fn line(fact: &FactReport, output: &Output) {
    let reason = fact
        .reason
        .as_deref()
        .map(|r| format!("  “{r}”"))
        .unwrap_or_default();
    output.line(format!(
        "{:>7}  {}  {:<12} {:<20} {}{reason}",
        fact.seq,
        moment(fact.time),
        fact.who,
        fact.kind,
        fact.subject
    ));
}

fn show(global: &Global, args: &JournalArgs, output: &Output) -> Result<Done, Error> {
    let mut filter = JournalFilter {
        on: args.on.clone(),
        who: args.who.clone(),
        kind: args.kind.clone(),
        since: args.since.as_deref().map(time).transpose()?,
        after: 0,
        oldest: false,
        request: None,
        limit: args.limit.or((!output.is_json() && !args.follow).then_some(60)),
    };
    let report = with(global, Access::Read, output, |instance| instance.journal(&filter))?;
    if output.is_json() && !args.follow {
        output.document(&report);
        return Ok(Done::Well);
    }
    let mut shown = report.facts;
    let cancel = context::interruptible();
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    filter.limit = None;
    loop {
        if shown.is_empty() && !args.follow {
            output.note("no such fact");
        }
        for fact in &shown {
            filter.after = fact.seq;
            if output.is_json() {
                output.document_line(fact)
            } else {
                line(fact, output)
            }
        }
        if !args.follow || cancel.is_cancelled() {
            return Ok(if args.follow {
                Done::Interrupted
            } else {
                Done::Well
            });
        }
        // Nothing is ever sent: a pause between two looks.
        let _ = never.recv_timeout(Duration::from_millis(200));
        shown = with(global, Access::Read, output, |instance| instance.journal(&filter))?.facts;
    }
}

fn verify(global: &Global, since: Option<u64>, output: &Output) -> Result<Done, Error> {
    let shown = Shown::new(output);
    // The journal of a home that is here is read as it lies there, beside whoever writes it.
    let remote = global.server.as_ref().map(|_| Remote::find(global)).transpose()?;
    let report = match remote.flatten() {
        Some(remote) => remote.verify(since)?,
        None => {
            let project = context::project(global)?;
            let home = context::home(global, project.as_deref())?;
            let journal = context::journal(global)?;
            Instance::verify(&home, journal.as_ref(), since, &|p| shown.show(p))?
        }
    };
    if output.is_json() {
        output.document(&report);
    } else if report.ok {
        output.line(format!(
            "{} {} in {}, {}; chain unbroken, every signature holds ({:.2} s)",
            output.paint(Style::Good, "OK:"),
            text::count(report.facts, "fact"),
            text::count(report.frames, "frame"),
            text::count(report.checkpoints, "signed checkpoint"),
            report.seconds
        ));
    } else {
        let place = report
            .first_bad
            .map(|s| format!(" at fact {s}"))
            .unwrap_or_default();
        let message = report.message.as_deref().unwrap_or_default();
        output.line(format!(
            "{}{place}: {message}",
            output.paint(Style::Bad, "DAMAGED")
        ));
        output.note("stop writing to this home, and restore it from a copy that verifies");
    }
    Ok(if report.ok { Done::Well } else { Done::Unverified })
}
