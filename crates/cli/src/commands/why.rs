//! `why`: causes as a short tree, the nearest first; the rows behind rows; and what was proved.

use mainstay_api::{Cause, OriginReport, ProofReport, Row, RowsReport, WhyReport};
use mainstay_base::text;
use mainstay_model::Address;
use mainstay_server::{Access, WhyRequest};

use super::{address, cell, moment, with};
use crate::args::{Global, WhyArgs};
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::{Done, context};

/// How many causes are shown without --verbose.
const CAUSES_SHOWN: usize = 40;

/// How many trials are shown without --verbose.
const TRIALS_SHOWN: usize = 12;

pub(super) fn why(global: &Global, args: &WhyArgs, output: &Output) -> Result<Done, mainstay_api::Error> {
    let thing: Address = address(&args.thing)?;
    let request = WhyRequest {
        thing,
        condition: args.condition.clone(),
        prove: args.prove,
    };
    // A proof replays, and what it stages is removed again; only the one writer may do that.
    let access = if args.prove { Access::Write } else { Access::Read };
    let cancel = context::interruptible();
    with(global, access, output, |instance| {
        let shown = Shown::new(output);
        let report = instance.why(&request, &cancel, &|p| shown.show(p))?;
        drop(shown);
        if output.is_json() {
            output.document(&report);
        } else {
            show(&report, output);
        }
        Ok(Done::Well)
    })
}

fn show(report: &WhyReport, output: &Output) {
    let style = match report.state.as_str() {
        "failed" | "set_aside" => Style::Bad,
        "stale" | "waiting" => Style::Warn,
        _ => Style::Good,
    };
    let state = output.paint(style, &report.state.replace('_', " "));
    output.line(format!("{} is {state}", output.paint(Style::Bold, &report.thing)));
    output.line(format!("  {}", report.summary));
    let proven = report.proof.as_ref().is_some_and(|p| !p.steps.is_empty());
    // What was proved says it better than everything that differs.
    let most = match (output.verbose, proven) {
        (true, _) => usize::MAX,
        (false, true) => 0,
        (false, false) => CAUSES_SHOWN,
    };
    tree(
        report
            .causes
            .get(..most.min(report.causes.len()))
            .unwrap_or_default(),
        output,
    );
    if report.causes.len() > most {
        let more = (report.causes.len() - most) as u64;
        let what = if proven { "other difference" } else { "more cause" };
        output.note(&format!("and {}; --verbose shows them", text::count(more, what)));
    }
    if let Some(rows) = &report.rows {
        show_rows(rows, output);
    }
    if let Some(proof) = &report.proof {
        show_proof(proof, output);
    }
    for command in &report.next {
        output.next(command);
    }
}

/// Shows causes as a tree.
fn tree(causes: &[Cause], output: &Output) {
    for (i, cause) in causes.iter().enumerate() {
        let rest = causes.get(i + 1..).unwrap_or_default();
        let last = |depth: u32| {
            let next = rest.iter().find(|c| c.depth <= depth);
            next.is_none_or(|c| c.depth < depth)
        };
        let before: String = (0..cause.depth)
            .map(|d| if last(d) { "   " } else { "│  " })
            .collect();
        let here = if last(cause.depth) { "└─ " } else { "├─ " };
        output.line(format!("{before}{here}{}", cause.what));
        let below = if last(cause.depth) { "   " } else { "│  " };
        let by = signed(cause);
        if !by.is_empty() {
            output.line(format!("{before}{below}  {}", output.paint(Style::Dim, &by)));
        }
        for line in cause.change.iter().flat_map(|c| c.lines()) {
            let style = match line.chars().next() {
                Some('+') => Some(Style::Good),
                Some('-') => Some(Style::Bad),
                _ => None,
            };
            let line = style.map_or_else(|| line.to_owned(), |s| output.paint(s, line));
            output.line(format!("{before}{below}  {line}"));
        }
    }
}

/// Writes who, when, why, and the journal's number.
fn signed(cause: &Cause) -> String {
    let mut parts = Vec::new();
    parts.extend(cause.who.clone());
    parts.extend(cause.when.map(moment));
    parts.extend(cause.seq.map(|s| format!("journal {s}")));
    parts.extend(cause.reason.as_ref().map(|r| format!("“{r}”")));
    parts.join(" · ")
}

fn cells(row: &Row) -> String {
    let cells: Vec<String> = row.0.iter().map(|(c, v)| format!("{c} {}", cell(v))).collect();
    cells.join(" · ")
}

fn show_rows(rows: &RowsReport, output: &Output) {
    let by = rows
        .run
        .as_ref()
        .map(|r| format!(", computed by {r}"))
        .unwrap_or_default();
    output.line(format!(
        "{} where {}{by}:",
        text::count(rows.count, "row"),
        rows.condition
    ));
    rows.rows
        .iter()
        .for_each(|r| output.line(format!("  {}", cells(r))));
    for origin in &rows.inputs {
        show_origin(origin, output);
    }
    rows.unknown
        .iter()
        .for_each(|u| output.line(format!("  it cannot be told further: {u}")));
}

fn show_origin(origin: &OriginReport, output: &Output) {
    let name = output.paint(Style::Bold, &origin.dataset);
    match &origin.condition {
        Some(condition) => {
            let rows = text::count(origin.count, "row");
            output.line(format!(
                "from {name} version {}: {rows} where {condition}",
                origin.version
            ));
        }
        None => output.line(format!(
            "from {name} version {}: it cannot be told which rows",
            origin.version
        )),
    }
    origin
        .rows
        .iter()
        .for_each(|r| output.line(format!("  {}", cells(r))));
    if origin.count > origin.rows.len() as u64 && !origin.rows.is_empty() {
        output.line(format!("  and {} more", origin.count - origin.rows.len() as u64));
    }
    for unknown in &origin.unknown {
        output.line(format!("  {}", output.paint(Style::Dim, unknown)));
    }
}

fn show_proof(proof: &ProofReport, output: &Output) {
    let style = if proof.verdict == "proven" {
        Style::Good
    } else {
        Style::Warn
    };
    output.line(format!(
        "{}: {} after {}",
        output.paint(style, &proof.verdict),
        proof.symptom,
        text::count(proof.trials.len() as u64, "replay")
    ));
    for step in &proof.steps {
        let versus = step
            .versus
            .as_ref()
            .map(|v| format!(", compared with {v}"))
            .unwrap_or_default();
        output.line(format!("in {}{versus}:", step.run));
        tree(&step.causes, output);
    }
    for text in &proof.not_undone {
        output.line(format!("not undone: {text}"));
    }
    let most = if output.verbose { usize::MAX } else { TRIALS_SHOWN };
    for trial in proof.trials.iter().take(most) {
        let mark = if trial.shows {
            output.paint(Style::Bad, "✘")
        } else {
            output.paint(Style::Good, "✔")
        };
        let all = trial.undone.len() + trial.kept.len();
        let undone = match trial.undone.as_slice() {
            [] => "nothing undone".to_owned(),
            [one] => format!("{one} undone"),
            many if trial.kept.is_empty() => format!("all {} undone", many.len()),
            many if trial.kept.len() == 1 => {
                format!("{} of {all} undone, not {}", many.len(), trial.kept.join(", "))
            }
            many => format!("{} of {all} undone", many.len()),
        };
        output.line(format!("  {mark} {} {undone}: {}", trial.run, trial.outcome));
    }
    if proof.trials.len() > most {
        let more = (proof.trials.len() - most) as u64;
        output.note(&format!(
            "and {}; --verbose shows them",
            text::count(more, "more replay")
        ));
    }
}
