//! `runs`, once or as they go on.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_api::{Error, RunReport, RunsReport};
use mainstay_server::Access;

use super::run::outcome;
use super::{dataset, moment, slices, with};
use crate::args::Global;
use crate::output::Output;
use crate::table::table;
use crate::{Done, context};

/// Which runs.
pub(super) struct Listed<'a> {
    pub(super) job: Option<&'a str>,
    pub(super) limit: usize,
}

fn listed(global: &Global, which: &Listed<'_>, output: &Output) -> Result<RunsReport, Error> {
    with(global, Access::Read, output, |instance| {
        let mut report = instance.runs()?;
        if let Some(job) = which.job {
            let (name, _) = dataset(job)?;
            report.runs.retain(|r| r.job == name.to_string());
        }
        let skip = report.runs.len().saturating_sub(which.limit);
        report.runs.drain(..skip);
        Ok(report)
    })
}

pub(super) fn runs(global: &Global, which: &Listed<'_>, output: &Output) -> Result<Done, Error> {
    let report = listed(global, which, output)?;
    if output.is_json() {
        output.document(&report);
        return Ok(Done::Well);
    }
    let any_reused = report.runs.iter().any(|r| r.reused);
    let row = |r: &RunReport| {
        let mut cells = vec![
            r.id.clone(),
            r.job.clone(),
            outcome(r).to_owned(),
            slices(&r.slices),
            format!("{:.2}", r.seconds),
            format!("{:.2}", r.usage.cpu_seconds),
            moment(r.time),
            r.because.clone(),
        ];
        if any_reused {
            let saved = r.saved_seconds.map_or_else(String::new, |s| format!("{s:.2}"));
            cells.splice(5..5, [saved, r.reused_from.clone().unwrap_or_default()]);
        }
        cells
    };
    let mut headings = vec![
        "run", "job", "outcome", "slices", "seconds", "cpu s", "when", "because",
    ];
    if any_reused {
        headings.splice(5..5, ["saved", "from"]);
    }
    let rows: Vec<Vec<String>> = report.runs.iter().map(row).collect();
    if rows.is_empty() {
        output.note("no run yet");
    } else {
        output.raw(table(&headings, &rows).as_bytes());
    }
    Ok(Done::Well)
}

/// Shows the runs, and then each again whenever its outcome is another one, until it is stopped.
pub(super) fn follow(global: &Global, which: &Listed<'_>, output: &Output) -> Result<Done, Error> {
    let cancel = context::interruptible();
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    while !cancel.is_cancelled() {
        for run in listed(global, which, output)?.runs {
            if seen.get(&run.id) == Some(&run.outcome) {
                continue;
            }
            if output.is_json() {
                output.document_line(&run);
            } else {
                output.line(format!(
                    "{}  {:<8} {:<28} {:<10} {:>8.2} s  {}",
                    moment(run.time),
                    run.id,
                    run.job,
                    outcome(&run),
                    run.seconds,
                    run.because
                ));
            }
            seen.insert(run.id, run.outcome);
        }
        // Nothing is ever sent: a pause between two looks.
        let _ = never.recv_timeout(Duration::from_millis(200));
    }
    Ok(Done::Interrupted)
}
