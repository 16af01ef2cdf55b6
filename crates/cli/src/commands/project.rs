//! `check`, `plan`, `apply`, `revert`.

use mainstay_api::{ApplyReport, ChangeReport, Error, ErrorKind, PlanReport, StaleReport};
use mainstay_base::text;
use mainstay_model::Address;
use mainstay_model::change::Action;
use mainstay_server::Access;
use serde_json::Value;

use super::confirm::confirmed;
use super::{address, slices, with};
use crate::Done;
use crate::args::Global;
use crate::desk::Desk;
use crate::output::{Output, Style};

pub(super) fn check(global: &Global, output: &Output) -> Result<Done, Error> {
    with(global, Access::Read, output, |instance| {
        let report = instance.check()?;
        if output.is_json() {
            output.document(&report);
        } else if report.mistakes.is_empty() {
            output.line(format!(
                "no mistakes in {}",
                text::count(report.resources, "resource")
            ));
        } else {
            show_mistakes(instance, output)?;
        }
        Ok(if report.mistakes.is_empty() {
            Done::Well
        } else {
            Done::Wrong
        })
    })
}

fn show_mistakes(instance: &Desk, output: &Output) -> Result<(), Error> {
    output.mistakes(&instance.render(output.color())?);
    Ok(())
}

pub(super) fn plan(global: &Global, exit_code: bool, full: bool, output: &Output) -> Result<Done, Error> {
    // Only what would change something is kept for review; all else is answered beside whoever writes.
    let to_keep = with(global, Access::Read, output, |instance| {
        let report = instance.plan_unrecorded()?;
        if !report.changes.is_empty() {
            return Ok(None);
        }
        show(instance, &report, exit_code, full, output).map(Some)
    })?;
    match to_keep {
        Some(done) => Ok(done),
        None => with(global, Access::Write, output, |instance| {
            let report = instance.plan()?;
            show(instance, &report, exit_code, full, output)
        }),
    }
}

fn show(
    instance: &Desk,
    report: &PlanReport,
    exit_code: bool,
    full: bool,
    output: &Output,
) -> Result<Done, Error> {
    if output.is_json() {
        output.document(report);
    } else if report.mistakes.is_empty() {
        show_plan(report, full || output.verbose, output);
    } else {
        show_mistakes(instance, output)?;
    }
    Ok(match (report.mistakes.is_empty(), report.changes.is_empty()) {
        (false, _) => Done::Wrong,
        (true, false) if exit_code => Done::Changes,
        _ => Done::Well,
    })
}

fn show_plan(report: &PlanReport, full: bool, output: &Output) {
    for change in &report.changes {
        show_change(change, full, output);
    }
    if !report.stale.is_empty() {
        if !report.changes.is_empty() {
            output.line("");
        }
        output.line("to be computed");
        show_stale(&report.stale, output);
        output.line(estimate(report));
    }
    if report.changes.is_empty() && report.stale.is_empty() {
        output.line("nothing to do: everything is as the project says");
        return;
    }
    let count = |action| report.changes.iter().filter(|c| c.action == action).count();
    let (create, change, remove) = (
        count(Action::Create),
        count(Action::Change),
        count(Action::Remove),
    );
    let removed: Vec<&str> = report
        .changes
        .iter()
        .filter(|c| c.action == Action::Remove)
        .map(|c| c.resource.as_str())
        .collect();
    if report.changes.is_empty() {
        output.next("mainstay run");
        return;
    }
    let remove = if remove == 0 {
        "0 to remove".to_owned()
    } else {
        output.paint(
            Style::Bad,
            &format!("{remove} to REMOVE ({})", removed.join(", ")),
        )
    };
    output.line(format!(
        "\nPlan: {create} to create, {change} to change, {remove}"
    ));
    if let Some(plan) = &report.plan {
        output.next_with(
            &format!("mainstay apply plan/{plan}"),
            "(exactly this; refused if anything moved)",
        );
    }
}

fn show_change(change: &ChangeReport, full: bool, output: &Output) {
    let mark = match change.action {
        Action::Create => output.paint(Style::Good, "+"),
        Action::Change => output.paint(Style::Warn, "~"),
        Action::Remove => output.paint(Style::Bad, "-"),
    };
    output.line(format!("  {mark} {}", change.resource));
    for field in &change.fields {
        let name = field.field.strip_prefix("spec.").unwrap_or(&field.field);
        let (from, to) = (value(&field.from, full), value(&field.to, full));
        if from.contains('\n') || to.contains('\n') {
            output.line(format!("      {name}:"));
            show_difference(&from, &to, full, output);
        } else {
            output.line(format!("      {name}: {from} → {to}"));
        }
    }
}

/// Shows two texts as a difference by line, with a line around each change, or whole.
fn show_difference(from: &str, to: &str, full: bool, output: &Output) {
    let diff = similar::TextDiff::from_lines(from, to);
    let context = if full { usize::MAX } else { 1 };
    for group in diff.grouped_ops(context.min(from.lines().count() + to.lines().count())) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end();
            let text = match change.tag() {
                similar::ChangeTag::Delete => output.paint(Style::Bad, &format!("        - {line}")),
                similar::ChangeTag::Insert => output.paint(Style::Good, &format!("        + {line}")),
                similar::ChangeTag::Equal => format!("          {line}"),
            };
            output.line(text);
        }
    }
}

fn value(v: &Value, full: bool) -> String {
    let text = match v {
        Value::Null => "nothing".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    if full || text.chars().count() <= 400 {
        text
    } else {
        format!("{}…", text.chars().take(400).collect::<String>())
    }
}

fn show_stale(stale: &[StaleReport], output: &Output) {
    for s in stale {
        let sure = if s.certain { "" } else { "perhaps " };
        output.line(format!(
            "    {:<28} {sure}{:<44} {}",
            s.dataset,
            slices(&s.slices),
            s.because
        ));
    }
}

fn estimate(report: &PlanReport) -> String {
    let e = &report.estimate;
    let size = format!(
        "{} in {}",
        text::count(e.slices, "slice"),
        text::count(e.runs, "run")
    );
    match (e.cpu_seconds, e.seconds) {
        (Some(cpu), Some(seconds)) => {
            let of = match e.measured_datasets {
                all if all == e.runs => String::new(),
                some => format!(" of {some} of {} jobs; the others never ran", e.runs),
            };
            format!("{size} · about {seconds:.1} s, {cpu:.1} CPU seconds, by the last runs{of}")
        }
        _ => format!("{size} · no earlier run to estimate the cost from"),
    }
}

pub(super) fn apply(global: &Global, plan: Option<&str>, output: &Output) -> Result<Done, Error> {
    let plan = match plan.map(address).transpose()? {
        None => None,
        Some(Address::Plan(id)) => Some(id),
        Some(other) => {
            return Err(
                Error::new(ErrorKind::Invalid, "MS0007", format!("`{other}` is not a plan"))
                    .help("mainstay list plan"),
            );
        }
    };
    with(global, Access::Write, output, |instance| {
        let report = match confirmed(global, output, |yes| instance.apply(plan, yes)) {
            Err(error) if !error.mistakes.is_empty() && !output.is_json() => {
                show_mistakes(instance, output)?;
                return Ok(Done::Wrong);
            }
            other => other?,
        };
        show_apply(&report, output);
        Ok(Done::Well)
    })
}

fn show_apply(report: &ApplyReport, output: &Output) {
    if output.is_json() {
        output.document(report);
        return;
    }
    let Some(apply) = report.apply else {
        output.line("nothing to do: everything is as it should be");
        return;
    };
    for change in &report.changes {
        show_change(change, output.verbose, output);
    }
    let changes = text::count(report.changes.len() as u64, "change");
    output.line(format!(
        "apply/{apply}: {changes}, fact {} of the journal",
        report.seq.unwrap_or_default()
    ));
    if !report.stale.is_empty() {
        output.next("mainstay run");
    }
}

pub(super) fn revert(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    let Address::Apply(apply) = address(thing)? else {
        return Err(Error::new(
            ErrorKind::Invalid,
            "MS0007",
            format!("`{thing}` cannot be reverted"),
        )
        .help("an amendment can (mainstay revert amendment/A-7), and an apply (mainstay revert apply/41)"));
    };
    with(global, Access::Write, output, |instance| {
        let report = confirmed(global, output, |yes| instance.revert_apply(apply, yes))?;
        show_apply(&report, output);
        if report.apply.is_some() {
            output.note("the project's files still say what they said: the next apply would do it again");
        }
        Ok(Done::Well)
    })
}
