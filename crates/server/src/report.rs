//! From the state to what people see.

mod amend;

use mainstay_api::{CrossCheckReport, DeliveryReport, Mistake, RunReport, UsageReport};
use mainstay_base::Timestamp;
use mainstay_control::{Run, RunStatus, Sight, SourceFile};
use mainstay_model::delivery::{Delivery, Outcome};
use mainstay_model::id::RunId;
use mainstay_model::run::{Against, RunOutcome, Scope, Usage};
use mainstay_model::{DatasetName, SliceKey};

pub(crate) use amend::{amendment, branch, edit, effort, reach};

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
    };
    report.outcome = outcome.to_owned();
    report
}

pub(crate) fn source_file(state: &Sight<'_>, file: &SourceFile) -> DeliveryReport {
    let mut report = delivery(state, &file.last, file.time);
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
