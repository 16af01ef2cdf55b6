//! `amend`, `revert`, `approve`, `retry`, `drop`: corrections of data.

use std::path::PathBuf;

use mainstay_api::{AmendReport, Error, ErrorKind, Progress, RowChange};
use mainstay_base::text;
use mainstay_model::{Address, AmendmentId};
use mainstay_server::{Access, AmendChange, AmendRequest, CancelToken};

use super::{address, cell, data, dataset, moment, slices, with};
use crate::args::{AmendArgs, Global};
use crate::desk::Desk;
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::table::table;
use crate::{Done, context};

fn invalid(message: &str, help: &str) -> Error {
    Error::new(ErrorKind::Invalid, "MS0420", message).help(help)
}

pub(super) fn amend(global: &Global, args: &AmendArgs, output: &Output) -> Result<Done, Error> {
    let (name, selection) = dataset(&args.address)?;
    let change = change(args)?;
    if global.reason.as_ref().is_none_or(|r| r.trim().is_empty()) && !args.dry_run {
        return Err(invalid(
            "a correction needs a reason",
            "add --reason \"why\"; it is kept with the correction and shown by history and why",
        ));
    }
    let request = AmendRequest {
        dataset: name,
        slices: selection,
        condition: args.condition.clone(),
        change,
        dry_run: args.dry_run,
    };
    carry_out(global, output, |instance, cancel, watch| {
        instance.amend(&request, cancel, watch)
    })
}

fn change(args: &AmendArgs) -> Result<AmendChange, Error> {
    let given = usize::from(!args.set.is_empty())
        + usize::from(args.delete)
        + usize::from(args.insert.is_some())
        + usize::from(args.replace.is_some());
    if given != 1 {
        return Err(invalid(
            "say what is to be done, one thing at a time",
            "--set \"column = expression\" (more than once for several columns), --delete, --insert FILE or --replace FILE",
        ));
    }
    if let Some(file) = &args.insert {
        if args.condition.is_some() {
            return Err(invalid(
                "--insert adds rows and takes no --where",
                "--replace FILE takes rows away first",
            ));
        }
        return Ok(AmendChange::Insert(absolute(file)));
    }
    if let Some(file) = &args.replace {
        return Ok(AmendChange::Replace(absolute(file)));
    }
    if args.delete {
        if args.condition.is_none() && !args.address.contains('@') {
            return Err(invalid(
                "this would delete every row",
                "say which rows with --where, or which slices with @; --where true means all of them",
            ));
        }
        return Ok(AmendChange::Delete);
    }
    let assignment = |text: &String| {
        let (column, expression) = text.split_once('=').ok_or_else(|| {
            invalid(
                &format!("--set: `{text}` has no `=`"),
                "write --set \"column = expression\", for example --set \"dep_delay = NULL\"",
            )
        })?;
        Ok((
            column.trim().trim_matches('"').to_owned(),
            expression.trim().to_owned(),
        ))
    };
    args.set
        .iter()
        .map(assignment)
        .collect::<Result<_, Error>>()
        .map(AmendChange::Set)
}

fn absolute(file: &std::path::Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn carry_out(
    global: &Global,
    output: &Output,
    work: impl FnOnce(&Desk, &CancelToken, &(dyn Fn(Progress) + Sync)) -> Result<AmendReport, Error>,
) -> Result<Done, Error> {
    let cancel = context::interruptible();
    with(global, Access::Write, output, |instance| {
        let shown = Shown::new(output);
        let report = work(instance, &cancel, &|p| shown.show(p))?;
        drop(shown);
        if output.is_json() {
            output.document(&report);
        } else {
            show(&report, output);
        }
        Ok(match report.status.as_str() {
            "failed" if cancel.is_cancelled() => Done::Interrupted,
            "failed" => Done::Failed,
            _ => Done::Well,
        })
    })
}

/// Shows an amendment: what it does, and how far that reaches.
pub(super) fn show(report: &AmendReport, output: &Output) {
    let what = report
        .amendment
        .as_deref()
        .map_or_else(|| "would".to_owned(), |id| format!("amendment/{id}"));
    let style = match report.status.as_str() {
        "failed" => Style::Bad,
        "applied" => Style::Good,
        _ => Style::Dim,
    };
    output.line(format!(
        "{what} {} · {}",
        report.edit,
        output.paint(style, &report.status)
    ));
    if report.amendment.is_some() {
        let reason = report.reason.as_deref().unwrap_or("no reason said");
        output.line(format!("  {} {}: {reason}", moment(report.time), report.who));
    }
    let (needed, given) = &report.approvals;
    if !given.is_empty() {
        output.line(format!(
            "  approved by {} ({} of {needed})",
            given.join(", "),
            given.len()
        ));
    }
    output.line(format!("  {}", rows(report)));
    show_sample(&report.sample, output);
    let heading = if report.took.is_some() {
        "reached"
    } else {
        "may reach"
    };
    let lines: Vec<Vec<String>> = report
        .datasets
        .iter()
        .map(|d| {
            let unchanged = d.unchanged.map_or_else(String::new, |n| match n {
                0 => String::new(),
                1 => "1 as it was".to_owned(),
                n => format!("{n} as they were"),
            });
            let stops = d.stops.clone().unwrap_or_default();
            vec![d.name.clone(), slices(&d.slices), unchanged, stops]
        })
        .collect();
    output.raw(table(&[heading, "slices", "unchanged", "stops"], &lines).as_bytes());
    let consumers = report.consumers.iter();
    let consumers: Vec<String> = consumers
        .map(|c| {
            format!(
                "account {} ({})",
                c.account,
                text::count(c.datasets.len() as u64, "dataset")
            )
        })
        .collect();
    if !consumers.is_empty() {
        output.line(format!("consumers: {}", consumers.join(", ")));
    }
    let estimate = &report.estimate;
    let seconds = |s: Option<f64>| s.map_or_else(|| "not measured yet".to_owned(), |s| format!("{s:.2} s"));
    output.line(format!(
        "expected: {}, {} of processor, {} elapsed",
        text::count(estimate.runs, "run"),
        seconds(estimate.cpu_seconds),
        seconds(estimate.seconds)
    ));
    if let Some(took) = &report.took {
        output.line(format!(
            "took:     {}, {} of processor, {} elapsed",
            text::count(took.runs, "run"),
            seconds(took.cpu_seconds),
            seconds(took.seconds)
        ));
    }
    for r in &report.redelivered {
        let held = if r.held { " (held back)" } else { "" };
        output.line(format!(
            "after {} ({}){held}: it {}",
            r.delivery,
            r.file,
            mainstay_server::other_rows(r.new, r.gone, r.held)
        ));
    }
    let id = report.amendment.as_deref().unwrap_or_default();
    match report.status.as_str() {
        "preview" => output.note("nothing was changed; without --dry-run, and with --reason, it is done"),
        "waiting" => {
            let (needed, given) = &report.approvals;
            output.note(&format!(
                "it waits for approval ({} of {needed}); somebody else says: mainstay approve amendment/{id}",
                given.len()
            ));
        }
        "applied" => output.next(&format!("mainstay why amendment/{id}")),
        _ => {}
    }
    if let Some(error) = &report.error {
        output.line(format!(
            "{} {}",
            output.paint(Style::Bad, &error.code),
            error.message
        ));
        if let Some(help) = &error.help {
            output.note(help);
        }
        if report.status == "failed" {
            output.note(&format!(
                "mainstay retry amendment/{id} tries it again, mainstay drop amendment/{id} gives it up"
            ));
        }
    }
}

fn rows(report: &AmendReport) -> String {
    let r = &report.rows;
    let each = [
        (r.changed, "changed"),
        (r.deleted, "deleted"),
        (r.inserted, "inserted"),
    ];
    let texts: Vec<String> = each
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", text::count(*n, "row")))
        .collect();
    if texts.is_empty() {
        "no row changed".to_owned()
    } else {
        texts.join(", ")
    }
}

/// Shows rows before and after, side by side; only the columns that differ, and the first few that tell rows apart.
fn show_sample(sample: &[RowChange], output: &Output) {
    for change in sample {
        let (before, after) = match (&change.before, change.after.as_ref()) {
            (Some(before), after) => (before, after),
            (None, Some(row)) => (row, None),
            (None, None) => continue,
        };
        let cells: Vec<String> = before
            .0
            .iter()
            .enumerate()
            .filter_map(
                |(i, (column, value))| match after.and_then(|a| a.0.get(i)).map(|(_, v)| v) {
                    Some(new) if new != value => {
                        Some(output.paint(Style::Bold, &format!("{column} {} → {}", cell(value), cell(new))))
                    }
                    _ if i < 6 => Some(format!("{column} {}", cell(value))),
                    _ => None,
                },
            )
            .collect();
        let sign = match (&change.before, &change.after) {
            (None, _) => "+ ",
            (_, None) => "- ",
            _ => "  ",
        };
        output.line(format!("  {sign}{}", cells.join(" · ")));
    }
}

fn amendment(thing: &str) -> Result<AmendmentId, Error> {
    match address(thing)? {
        Address::Amendment(id) => Ok(id),
        other => Err(Error::new(
            ErrorKind::Invalid,
            "MS0007",
            format!("`{other}` is not an amendment"),
        )
        .help("amendments look like amendment/A-7; mainstay list amendment shows them")),
    }
}

pub(super) fn revert(
    global: &Global,
    id: AmendmentId,
    dry_run: bool,
    output: &Output,
) -> Result<Done, Error> {
    if global.reason.as_ref().is_none_or(|r| r.trim().is_empty()) && !dry_run {
        return Err(invalid(
            "taking a correction back needs a reason",
            "add --reason \"why\"",
        ));
    }
    carry_out(global, output, |instance, cancel, watch| {
        instance.revert_amendment(id, dry_run, cancel, watch)
    })
}

pub(super) fn approve(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    if let Address::Delivery(id) = address(thing)? {
        return data::answer(global, id, true, output);
    }
    let id = amendment(thing)?;
    carry_out(global, output, |instance, cancel, watch| {
        instance.approve(id, cancel, watch)
    })
}

pub(super) fn retry(global: &Global, id: AmendmentId, output: &Output) -> Result<Done, Error> {
    carry_out(global, output, |instance, cancel, watch| {
        instance.retry_amendment(id, cancel, watch)
    })
}

pub(super) fn drop_(global: &Global, thing: &str, output: &Output) -> Result<Done, Error> {
    if let Address::Delivery(id) = address(thing)? {
        return data::answer(global, id, false, output);
    }
    let id = amendment(thing)?;
    carry_out(global, output, |instance, _, _| instance.drop_amendment(id))
}
