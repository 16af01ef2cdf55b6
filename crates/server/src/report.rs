//! From the state to what people see.

mod amend;

use mainstay_api::{CrossCheckReport, DeliveryReport, Mistake, ReappliedReport, RunReport, UsageReport};
use mainstay_base::Timestamp;
use mainstay_base::text::count;
use mainstay_control::{Run, RunStatus, Sight, SourceFile};
use mainstay_model::delivery::{Delivery, FileError, Outcome, Reapplied};
use mainstay_model::id::RunId;
use mainstay_model::run::{Against, RunOutcome, Scope, Usage};
use mainstay_model::{DatasetName, SliceKey};

pub(crate) use amend::{amendment, branch, consumers, edit, effort, reach, row_change};

pub(crate) fn mistakes(found: &[mainstay_project::Mistake]) -> Vec<Mistake> {
    let each = |m: &mainstay_project::Mistake| Mistake {
        file: m.file.clone(),
        line: m.line,
        column: m.column,
        code: m.code.to_owned(),
        message: m.message.clone(),
        help: m.help.clone(),
    };
    found.iter().map(each).collect()
}

/// Writes slices as people see them.
pub(crate) fn slice_texts(state: &Sight<'_>, dataset: &DatasetName, slices: &[SliceKey]) -> Vec<String> {
    let columns = state
        .datasets
        .get(dataset)
        .map(|d| d.slice_columns.clone())
        .unwrap_or_default();
    slices.iter().map(|s| s.text(&columns)).collect()
}

pub(crate) fn delivery(state: &Sight<'_>, d: &Delivery, time: Timestamp) -> DeliveryReport {
    let mut report = DeliveryReport {
        id: d.id.to_string(),
        source: d.source.to_string(),
        file: d.file.clone(),
        outcome: String::new(),
        rows: 0,
        earlier_rows: 0,
        slices: Vec::new(),
        other: None,
        error: None,
        reapplied: d.reapplied.iter().map(reapplied).collect(),
        time,
    };
    let outcome = match &d.outcome {
        Outcome::Taken {
            rows,
            slices,
            replaced,
        } => {
            report.rows = rows.0;
            report.slices = slice_texts(state, &d.source, slices);
            report.other = replaced.map(|r| r.to_string());
            "taken"
        }
        Outcome::Duplicate { of } => {
            report.other = Some(of.to_string());
            "duplicate"
        }
        Outcome::SetAside { error } => {
            report.error = Some(error.clone());
            "set_aside"
        }
        Outcome::Held { slices, .. } => {
            report.slices = slice_texts(state, &d.source, slices);
            report.error = Some(held(d));
            "held"
        }
    };
    report.outcome = outcome.to_owned();
    report
}

fn reapplied(r: &Reapplied) -> ReappliedReport {
    ReappliedReport {
        amendment: r.amendment.to_string(),
        gone: r.gone,
        new: r.new,
    }
}

/// Says in words how many other rows an amendment changes, or would change.
pub fn other_rows(new: u64, gone: u64, would: bool) -> String {
    let verb = if would { "would change" } else { "changes" };
    match (new, gone) {
        (new, 0) => format!("{verb} {} that it did not before", count(new, "row")),
        (0, gone) => format!("{verb} {} less than it did", count(gone, "row")),
        (new, gone) => format!(
            "{verb} {} that it did not before, and {gone} no more that it did",
            count(new, "row")
        ),
    }
}

/// Why a file is held back.
pub(crate) fn held(d: &Delivery) -> FileError {
    let each = |r: &Reapplied| format!("{} {}", r.amendment, other_rows(r.new, r.gone, true));
    let each: Vec<String> = d.reapplied.iter().map(each).collect();
    FileError {
        code: "MS0273".to_owned(),
        message: format!(
            "with this file amendments would change other rows than before: {}",
            each.join("; ")
        ),
        row: None,
        column: None,
        help: Some(format!(
            "mainstay approve delivery/{id} takes it in, mainstay drop delivery/{id} gives it up",
            id = d.id
        )),
    }
}

pub(crate) fn source_file(state: &Sight<'_>, file: &SourceFile) -> DeliveryReport {
    let mut report = delivery(state, &file.last, file.time);
    if let (Outcome::Held { .. }, Some(accepted)) = (&file.last.outcome, file.answer) {
        let help = match accepted {
            true => "somebody said yes: mainstay deliver takes it in",
            false => "it was given up; the file is looked at again when it changes",
        };
        if !accepted {
            "dropped".clone_into(&mut report.outcome);
        }
        if let Some(error) = &mut report.error {
            error.help = Some(help.to_owned());
        }
    }
    if report.error.is_some() && file.active.is_some() {
        let held = state
            .dataset(&file.last.source)
            .into_iter()
            .flat_map(|d| d.base().newest());
        let files = held.flat_map(|(_, content)| &content.files);
        let own = files.filter(|f| f.origin.as_deref() == Some(&file.last.file));
        report.earlier_rows = own.map(|f| f.rows.0).sum();
    }
    report
}

pub(crate) const fn outcome(o: RunOutcome) -> &'static str {
    match o {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Cancelled => "cancelled",
        RunOutcome::Skipped => "skipped",
    }
}

pub(crate) fn usage(u: &Usage) -> UsageReport {
    let amounts = |map: &std::collections::BTreeMap<DatasetName, mainstay_model::run::Amount>| {
        map.iter()
            .map(|(n, a)| (n.to_string(), (a.rows.0, a.bytes.0)))
            .collect()
    };
    UsageReport {
        cpu_seconds: u.cpu.seconds(),
        peak_memory_bytes: u.peak_memory.0,
        spilled_bytes: u.spilled.0,
        read: amounts(&u.read),
        written: amounts(&u.written),
    }
}

/// The seconds that a run saved by taking another one's result: those of that run, by its share of slices.
fn saved(state: &Sight<'_>, run: &Run) -> Option<f64> {
    let from = state.state.runs.get(&run.reused_from?)?;
    let seconds = from.ended?.micros_since(from.recorded).max(0) as f64 / 1e6;
    let share = run.slices.len().max(1) as f64 / from.slices.len().max(1) as f64;
    Some(seconds * share.min(1.0))
}

/// Says of a run that goes on by the journal that its process is gone.
pub(crate) fn lose(run: &mut RunReport) {
    if matches!(run.outcome.as_str(), "running" | "waiting") {
        "lost".clone_into(&mut run.outcome);
    }
}

pub(crate) fn run(state: &Sight<'_>, id: RunId, run: &Run, now: Timestamp) -> RunReport {
    let used = run.usage();
    let slices = if run.slices.is_empty() {
        match &run.pinned.scope {
            Scope::Whole => vec!["all".to_owned()],
            Scope::Slices(list) => slice_texts(state, &run.pinned.job, list),
        }
    } else {
        slice_texts(state, &run.pinned.job, &run.slices)
    };
    let dataset = state.datasets.get(&run.pinned.job);
    let changed = run.published.map_or(0, |version| {
        let histories = run
            .slices
            .iter()
            .filter_map(|s| dataset.and_then(|d| d.slices.get(s)));
        histories
            .filter(|h| h.contents.iter().any(|c| c.version == version))
            .count()
    });
    RunReport {
        id: id.to_string(),
        job: run.pinned.job.to_string(),
        unchanged: if run.published.is_some() {
            (run.slices.len() - changed.min(run.slices.len())) as u64
        } else {
            0
        },
        slices,
        outcome: match run.status {
            RunStatus::Waiting { .. } => "waiting",
            RunStatus::Running => "running",
            RunStatus::Ended(o) => outcome(o),
        }
        .to_owned(),
        reused: run.reused_from.is_some(),
        reused_from: run.reused_from.map(|r| r.to_string()),
        saved_seconds: saved(state, run),
        seconds: run.ended.unwrap_or(now).micros_since(run.recorded).max(0) as f64 / 1e6,
        error: run.error.clone(),
        because: run.because.clone(),
        time: run.recorded,
        who: run.actor.clone(),
        attempts: run.attempts.len() as u32,
        version: run.published,
        rows: used.written.values().map(|a| a.rows.0).sum(),
        checks: run.checks.clone(),
        usage: usage(&used),
        cross_check: run.cross_check.as_ref().map(|c| CrossCheckReport {
            slices: slice_texts(state, &run.pinned.job, &c.slices),
            against: match c.against {
                Against::Everything => "everything",
                Against::Alone => "alone",
            }
            .to_owned(),
            differing: slice_texts(state, &run.pinned.job, &c.differing),
            failed: c.failed.clone(),
            cpu_seconds: c.cpu.seconds(),
        }),
        unread: run.unread.len() as u64,
    }
}
