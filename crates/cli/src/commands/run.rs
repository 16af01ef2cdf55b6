//! `run`, `logs`, `cancel`.

use std::time::{Duration, Instant};

use mainstay_api::{DeliverReport, Error, ErrorKind, RunReport, RunsReport};
use mainstay_base::text;
use mainstay_model::queue::Class;
use mainstay_model::{Address, RunId};
use mainstay_server::{Access, Instance, JournalFilter, RunRequest};
use serde_json::{Value, json};

use super::{address, data, dataset, moment, with};
use crate::args::Global;
use crate::desk::Desk;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::{Done, context};

pub(super) fn run(
    global: &Global,
    addresses: &[String],
    force: bool,
    class: Class,
    output: &Output,
) -> Result<Done, Error> {
    let targets = addresses.iter().map(|a| dataset(a)).collect::<Result<_, _>>()?;
    let cancel = context::interruptible();
    with(global, Access::Write, output, |instance| {
        let shown = Shown::new(output);
        let request = RunRequest {
            targets,
            force,
            without_deliveries: false,
            class,
        };
        let (delivered, runs) = instance.run(&request, &cancel, &|p| shown.show(p))?;
        if output.is_json() {
            output.document(&json!({
                "runs": runs.runs, "deliveries": delivered.deliveries, "unchanged": delivered.unchanged,
                "waiting": delivered.waiting, "refused": delivered.refused, "warnings": delivered.warnings,
            }));
        } else {
            if !delivered.deliveries.is_empty()
                || !delivered.waiting.is_empty()
                || !delivered.refused.is_empty()
                || !delivered.warnings.is_empty()
            {
                data::show_deliveries(&delivered, output);
            }
            show_outcome(&runs, output);
            say_what_is_unapplied(instance, output);
        }
        Ok(done(&delivered, &runs, cancel.is_cancelled()))
    })
}

/// Says that files of the project are not what ran.
fn say_what_is_unapplied(instance: &Desk, output: &Output) {
    // A project that cannot be read now was not needed for the run, either.
    let Ok(unapplied) = instance.unapplied() else {
        return;
    };
    if unapplied.mistakes > 0 {
        output.note("this ran what is applied; the project's files have mistakes: mainstay check");
    } else if unapplied.changes > 0 {
        output.note(&format!(
            "this ran what is applied; the project's files differ in {}: mainstay plan",
            text::count(unapplied.changes, "resource")
        ));
    }
}

fn done(delivered: &DeliverReport, runs: &RunsReport, interrupted: bool) -> Done {
    if interrupted {
        Done::Interrupted
    } else if runs.runs.iter().all(|r| r.outcome == "succeeded") {
        data::ended(delivered)
    } else {
        Done::Failed
    }
}

/// How a run ended, in a word.
pub(super) fn outcome(run: &RunReport) -> &str {
    if run.reused { "reused" } else { &run.outcome }
}

/// Shows how runs ended: those that failed in full.
fn show_outcome(runs: &RunsReport, output: &Output) {
    if runs.runs.is_empty() {
        output.line("nothing to run: every dataset is as it should be");
        return;
    }
    for run in &runs.runs {
        let style = if run.outcome == "succeeded" {
            Style::Good
        } else {
            Style::Bad
        };
        let count = text::count(run.slices.len() as u64, "slice");
        let saved = match (&run.reused_from, run.saved_seconds) {
            (Some(from), Some(saved)) => format!(" (as {from} computed it: {saved:.2} s saved)"),
            (Some(from), None) => format!(" (as {from} computed it)"),
            (None, _) => String::new(),
        };
        output.line(format!(
            "{:<10} {:<28} {:<10} {:>12}  {:>8.2} s  {:>7.2} CPU s  {}{saved}",
            run.id,
            run.job,
            output.paint(style, outcome(run)),
            count,
            run.seconds,
            run.usage.cpu_seconds,
            run.because
        ));
        show_failure(run, output);
    }
    let bad = runs.runs.iter().find(|r| r.outcome == "failed");
    match bad {
        Some(run) => output.next(&format!("mainstay show run/{}", run.id)),
        None => output.next("mainstay list dataset"),
    }
}

fn show_failure(run: &RunReport, output: &Output) {
    if let Some(e) = &run.error {
        output.line(format!("    {}: {}", e.code, e.message));
        if let Some(help) = &e.help {
            output.line(format!("    help: {help}"));
        }
    }
    if let Some(checked) = run.cross_check.as_ref().filter(|c| !c.differing.is_empty()) {
        output.line(output.paint(
            Style::Warn,
            &format!(
                "    warning[MS0506]: {} came out otherwise when computed from more than it is said to read",
                text::count(checked.differing.len() as u64, "slice")
            ),
        ));
        output.line(format!(
            "    help: what is published is right; {} reads everything until its query changes: mainstay deps {}",
            run.job, run.job
        ));
    }
    for check in run.checks.iter().filter(|c| c.violations > 0) {
        let severity = if check.severity == mainstay_model::spec::Severity::Warn {
            "warning"
        } else {
            "check"
        };
        output.line(format!("    {severity} {}: {}", check.check, check.message));
        show_sample(check, output);
    }
}

/// Shows rows that broke a check.
pub(super) fn show_sample(check: &mainstay_model::run::CheckOutcome, output: &Output) {
    for row in &check.sample {
        let row: Vec<String> = row.iter().map(|(k, v)| format!("{k}={}", plain(v))).collect();
        output.line(output.paint(Style::Dim, &format!("        {}", row.join("  "))));
    }
}

fn plain(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}

pub(super) fn run_id(text: &str) -> Result<RunId, Error> {
    match address(text)? {
        Address::Run(id) => Ok(id),
        other => Err(
            Error::new(ErrorKind::Invalid, "MS0007", format!("`{other}` is not a run")).help("mainstay runs"),
        ),
    }
}

pub(super) fn logs(global: &Global, run: &str, output: &Output) -> Result<Done, Error> {
    let id = run_id(run)?;
    with(global, Access::Read, output, |instance| {
        instance.show(&Address::Run(id))?;
        let filter = JournalFilter {
            on: Some(format!("run/{id}")),
            ..JournalFilter::default()
        };
        let facts = instance.journal(&filter)?;
        if output.is_json() {
            output.document(&facts);
            return Ok(Done::Well);
        }
        for fact in &facts.facts {
            output.line(format!(
                "{}  {:<20} {}",
                moment(fact.time),
                fact.kind,
                step(&fact.body)
            ));
        }
        Ok(Done::Well)
    })
}

/// What a fact about a run says, in words.
fn step(body: &Value) -> String {
    let said = |pointer: &str| {
        body.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if let Some(because) = body.get("because").and_then(Value::as_str) {
        return format!("{}: {because}", said("/pinned/job"));
    }
    if let Some(message) = body.pointer("/error/message").and_then(Value::as_str) {
        return format!("{} {message}", said("/outcome")).trim().to_owned();
    }
    if let Some(list) = body.get("datasets").and_then(Value::as_array) {
        let each = list.iter().map(|d| {
            let slices = d.get("slices").and_then(Value::as_array).map_or(0, Vec::len);
            let name = d.get("dataset").and_then(Value::as_str).unwrap_or_default();
            let version = d.get("version").and_then(Value::as_u64).unwrap_or_default();
            format!(
                "{name} version {version}, {}",
                text::count(slices as u64, "slice")
            )
        });
        return each.collect::<Vec<_>>().join("; ");
    }
    match body.get("outcome").and_then(Value::as_str) {
        Some(outcome) => {
            let cpu = body
                .pointer("/usage/cpu")
                .and_then(Value::as_u64)
                .unwrap_or_default() as f64
                / 1e6;
            format!("{outcome}, {cpu:.2} CPU seconds")
        }
        None => body
            .get("attempt")
            .map(|a| format!("attempt {a}"))
            .unwrap_or_default(),
    }
}

fn say_cancelled(run: &RunReport, output: &Output) {
    if output.is_json() {
        output.document(run);
    } else {
        output.line(format!("run {} is {}", run.id, run.outcome));
    }
}

pub(super) fn cancel(global: &Global, run: &str, output: &Output) -> Result<Done, Error> {
    let id = run_id(run)?;
    let status = |desk: &Desk| {
        let runs = desk.runs()?.runs.into_iter();
        Ok(runs.into_iter().find(|r| r.id == id.to_string()))
    };
    let (there, before) = with(global, Access::Read, output, |desk| {
        match desk.cancel_there(id)? {
            Some(run) => Ok((Some(run), None)),
            None => Ok((None, status(desk)?)),
        }
    })?;
    if let Some(run) = there {
        say_cancelled(&run, output);
        return Ok(Done::Well);
    }
    let project = context::project(global)?;
    let home = context::home(global, project.as_deref())?;
    match before.map(|r| r.outcome) {
        None => {
            return Err(
                Error::new(ErrorKind::NotFound, "MS0401", format!("there is no run {id}"))
                    .help("mainstay runs"),
            );
        }
        Some(outcome) if outcome == "lost" => {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0402",
                format!("run {id} is lost: the process that carried it out is gone"),
            )
            .help("the next command that writes ends it, for example mainstay run"));
        }
        Some(outcome) if outcome != "running" && outcome != "waiting" => {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0402",
                format!("run {id} has ended already: {outcome}"),
            ));
        }
        Some(_) => {}
    }
    Instance::request_cancel(&home, &context::person(global).account, id)?;
    let began = Instant::now();
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    while began.elapsed() < Duration::from_secs(10) {
        let after = with(global, Access::Read, output, status)?;
        if let Some(run) = after.filter(|r| r.outcome != "running" && r.outcome != "waiting") {
            say_cancelled(&run, output);
            return Ok(Done::Well);
        }
        // Nothing is ever sent: this is a pause between two looks, with the loop's deadline above.
        let _ = never.recv_timeout(Duration::from_millis(100));
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "MS0505",
        format!("run {id} did not end within 10 seconds"),
    )
    .help("the process that carries it out may be gone; the next command that writes ends the run"))
}
