//! `deliver`, `slices`, `deps`.

use mainstay_api::{DeliverReport, DependenciesReport, Error};
use mainstay_base::{Bytes, text};
use mainstay_model::{DatasetName, DeliveryId};
use mainstay_server::Access;
use serde_json::Value;

use super::{dataset, with};
use crate::args::Global;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::ranges::compact;
use crate::table::table;
use crate::{Done, context};

pub(super) fn deliver(global: &Global, sources: &[String], output: &Output) -> Result<Done, Error> {
    let names: Vec<DatasetName> = sources
        .iter()
        .map(|s| dataset(s).map(|(n, _)| n))
        .collect::<Result<_, _>>()?;
    with(global, Access::Write, output, |instance| {
        let (shown, cancel) = (Shown::new(output), context::interruptible());
        let report = instance.deliver(&names, &cancel, &|p| shown.show(p))?;
        if output.is_json() {
            output.document(&report);
        } else {
            show_deliveries(&report, output);
            output.next("mainstay run");
        }
        Ok(ended(&report))
    })
}

/// Says how a delivery ended: what could not be taken in is a failure, what only waits for a yes is not confirmed.
pub(super) fn ended(report: &DeliverReport) -> Done {
    let has = |outcome: &str| report.deliveries.iter().any(|d| d.outcome == outcome);
    if !report.refused.is_empty() || has("set_aside") {
        Done::Failed
    } else if has("held") {
        Done::Unconfirmed
    } else {
        Done::Well
    }
}

/// Takes in a file that was held back, or gives it up.
pub(super) fn answer(
    global: &Global,
    id: DeliveryId,
    accepted: bool,
    output: &Output,
) -> Result<Done, Error> {
    with(global, Access::Write, output, |instance| {
        let (shown, cancel) = (Shown::new(output), context::interruptible());
        let report = instance.answer_delivery(id, accepted, &cancel, &|p| shown.show(p))?;
        drop(shown);
        if output.is_json() {
            output.document(&report);
        } else if accepted {
            show_deliveries(&report, output);
            output.next("mainstay run");
        } else {
            for d in &report.deliveries {
                output.line(format!("{} of {} is given up", d.file, d.source));
            }
            output.note(
                "what was published before is still served; the file is looked at again when it changes",
            );
        }
        Ok(ended(&report))
    })
}

/// Shows what came in: what was set aside or held back in full, the rest counted.
pub(super) fn show_deliveries(report: &DeliverReport, output: &Output) {
    for d in report.deliveries.iter().filter(|d| d.error.is_some()) {
        let Some(e) = &d.error else { continue };
        // The message has the row and the column where they are known.
        output.line(format!(
            "{} {}: {}",
            match d.outcome.as_str() {
                "held" => output.paint(Style::Warn, "held back"),
                _ => output.paint(Style::Bad, "set aside"),
            },
            e.code,
            d.file
        ));
        output.line(format!("    {}", e.message));
        if let Some(help) = &e.help {
            output.line(format!("    help: {help}"));
        }
    }
    for d in report.deliveries.iter().filter(|d| d.error.is_none()) {
        for r in &d.reapplied {
            output.line(format!(
                "{} amendment/{} after {}: it {}",
                output.paint(Style::Warn, "note"),
                r.amendment,
                d.file,
                mainstay_server::other_rows(r.new, r.gone, false)
            ));
        }
    }
    for refused in &report.refused {
        let e = &refused.error;
        output.line(format!(
            "{} {}: {}",
            output.paint(Style::Bad, "refused"),
            e.code,
            e.message
        ));
        for cause in &e.causes {
            output.line(format!("    {cause}"));
        }
        if let Some(help) = &e.help {
            output.line(format!("    help: {help}"));
        }
    }
    for warning in &report.warnings {
        let check = &warning.outcome;
        output.line(format!(
            "{} {}: {}",
            output.paint(Style::Warn, "warning"),
            check.check,
            check.message
        ));
        super::run::show_sample(check, output);
    }
    let count = |outcome: &str| report.deliveries.iter().filter(|d| d.outcome == outcome).count() as u64;
    let rows: u64 = report.deliveries.iter().map(|d| d.rows).sum();
    let held = match count("held") {
        0 => String::new(),
        n => format!("{n} held back, "),
    };
    output.line(format!(
        "{} taken in ({}), {} there already, {} set aside, {held}{} as they were",
        text::count(count("taken"), "file"),
        text::count(rows, "row"),
        count("duplicate"),
        count("set_aside"),
        report.unchanged
    ));
    for file in &report.waiting {
        output.line(format!("still being written, next time: {file}"));
    }
}

pub(super) fn slices(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    let (name, selection) = dataset(thing)?;
    with(global, Access::Read, output, |instance| {
        let report = instance.slices(&name, &selection)?;
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        let row = |s: &mainstay_api::SliceReport| {
            vec![
                s.slice.clone(),
                s.state.clone(),
                text::thousands(s.rows),
                Bytes(s.bytes).to_string(),
                s.version.to_string(),
                s.run.clone().unwrap_or_default(),
                s.digest
                    .as_deref()
                    .map(|d| d.chars().take(12).collect())
                    .unwrap_or_default(),
            ]
        };
        let rows: Vec<Vec<String>> = report.slices.iter().map(row).collect();
        output.raw(
            table(
                &["slice", "state", "rows", "size", "version", "run", "digest"],
                &rows,
            )
            .as_bytes(),
        );
        Ok(Done::Well)
    })
}

pub(super) fn deps(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    let (name, selection) = dataset(thing)?;
    with(global, Access::Read, output, |instance| {
        let report = instance.dependencies(&name, &selection)?;
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        show_dependencies(&report, output);
        Ok(Done::Well)
    })
}

/// Shows the rules first: with many slices, those that read the same slice need no line each.
fn show_dependencies(report: &DependenciesReport, output: &Output) {
    for (input, rule) in &report.rules {
        output.line(format!("reads of {input}: {rule}"));
    }
    for f in &report.fallbacks {
        output.line(format!("{}: everything, because {}", f.input, f.message));
    }
    let many = report.slices.len() > 1;
    let mut rows = Vec::new();
    for (slice, inputs) in &report.slices {
        for (input, read) in inputs {
            let read = match read {
                Value::Array(list) if list.is_empty() => "none".to_owned(),
                Value::Array(list) => {
                    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    compact(&texts)
                }
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            if !(many && read == *slice) {
                rows.push(vec![slice.clone(), input.clone(), read]);
            }
        }
    }
    if !rows.is_empty() {
        output.raw(table(&["slice", "reads", "slices"], &rows).as_bytes());
    }
}
