//! `replay` and `diff`: the same again, and what differs.

use std::path::Path;

use mainstay_api::{DiffReport, Error, ErrorKind, ReplayReport, Row, RowDifference};
use mainstay_base::text;
use mainstay_model::RunId;
use mainstay_server::{Access, DiffRequest, ReplayRequest};

use super::{cell, dataset, with};
use crate::args::{DiffArgs, Global};
use crate::output::{Output, Style};
use crate::progress::Shown;
use crate::table::table;
use crate::{Done, context};

pub(super) fn replay(
    global: &Global,
    runs: &[String],
    all: bool,
    threads: Option<usize>,
    output: &Output,
) -> Result<Done, Error> {
    if runs.is_empty() && !all {
        return Err(
            Error::new(ErrorKind::Invalid, "MS0426", "say which runs to replay")
                .help("mainstay replay R-12, or mainstay replay --all; mainstay runs shows them"),
        );
    }
    let runs = runs
        .iter()
        .map(|r| super::run::run_id(r))
        .collect::<Result<Vec<RunId>, Error>>()?;
    let request = ReplayRequest { runs, threads };
    let cancel = context::interruptible();
    with(global, Access::Write, output, |instance| {
        let shown = Shown::new(output);
        let report = instance.replay(&request, &cancel, &|p| shown.show(p))?;
        drop(shown);
        if output.is_json() {
            output.document(&report);
        } else {
            let rows: Vec<Vec<String>> = report.replays.iter().map(|r| row(r, output)).collect();
            let headings = [
                "run", "job", "verdict", "slices", "cpu then", "cpu now", "because",
            ];
            output.raw(table(&headings, &rows).as_bytes());
            for replay in &report.replays {
                if let Some(difference) = &replay.difference {
                    output.line(format!("{} {}:", replay.run, replay.job));
                    show_diff(difference, output);
                }
            }
        }
        let identical = report.replays.iter().all(|r| r.verdict == "identical");
        Ok(if identical { Done::Well } else { Done::Unverified })
    })
}

fn row(r: &ReplayReport, output: &Output) -> Vec<String> {
    let style = if r.verdict == "identical" {
        Style::Good
    } else {
        Style::Bad
    };
    let same = r.slices.iter().filter(|s| s.identical).count();
    vec![
        r.run.clone(),
        r.job.clone(),
        output.paint(style, &r.verdict),
        format!("{same} of {}", r.slices.len()),
        format!("{:.2}", r.cpu_seconds_then),
        format!("{:.2}", r.cpu_seconds_now),
        r.because.join("; "),
    ]
}

pub(super) fn diff(global: &Global, args: &DiffArgs, output: &Output) -> Result<Done, Error> {
    let (name, _) = dataset(&args.dataset)?;
    let key = args
        .key
        .iter()
        .flat_map(|k| k.split(','))
        .map(|k| k.trim().to_owned())
        .filter(|k| !k.is_empty())
        .collect();
    let request = DiffRequest {
        dataset: name,
        from: args.from,
        to: args.to,
        key,
        limit: if args.output.is_some() {
            usize::MAX
        } else {
            args.limit
        },
    };
    let cancel = context::interruptible();
    with(global, Access::Read, output, |instance| {
        let report = instance.diff(&request, &cancel)?;
        if let Some(file) = &args.output {
            write(&report, file)?;
            output.note(&format!(
                "{} written to {}",
                text::count(report.rows.len() as u64, "difference"),
                file.display()
            ));
        }
        if output.is_json() {
            output.document(&report);
        } else {
            output.line(format!(
                "{} from version {} to version {}",
                report.dataset, report.from, report.to
            ));
            if args.output.is_none() {
                show_diff(&report, output);
            }
        }
        Ok(Done::Well)
    })
}

/// Writes the differing rows, one JSON object a line, with what became of each.
fn write(report: &DiffReport, file: &Path) -> Result<(), Error> {
    let mut lines = String::new();
    for row in &report.rows {
        lines.push_str(&serde_json::to_string(row).unwrap_or_default());
        lines.push('\n');
    }
    std::fs::write(file, lines).map_err(|e| {
        Error::new(
            ErrorKind::Unavailable,
            "MS0702",
            format!("cannot write {}", file.display()),
        )
        .because(&e)
    })
}

pub(super) fn show_diff(report: &DiffReport, output: &Output) {
    let counts = [
        (report.added, "added"),
        (report.removed, "removed"),
        (report.changed, "changed"),
    ];
    let texts: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", text::count(*n, "row")))
        .collect();
    if texts.is_empty() {
        output.line("  no row differs");
        return;
    }
    let columns = match report.columns.as_slice() {
        [] => String::new(),
        columns => format!(" (in {})", columns.join(", ")),
    };
    output.line(format!("  {}{columns}", texts.join(", ")));
    for row in &report.rows {
        output.line(format!("  {}", line(row, output)));
    }
    let shown = report.rows.len() as u64;
    let all = report.added + report.removed + report.changed;
    if shown < all {
        output.note(&format!(
            "and {} more; --limit or -o FILE shows them",
            all - shown
        ));
    }
}

fn line(row: &RowDifference, output: &Output) -> String {
    let cells = |row: &Row| {
        let cells: Vec<String> = row.0.iter().map(|(c, v)| format!("{c} {}", cell(v))).collect();
        cells.join(" · ")
    };
    match (&row.before, &row.after) {
        (Some(before), Some(after)) => {
            let cells: Vec<String> = before
                .0
                .iter()
                .zip(&after.0)
                .map(|((c, b), (_, a))| match b == a {
                    true => format!("{c} {}", cell(b)),
                    false => output.paint(Style::Bold, &format!("{c} {} → {}", cell(b), cell(a))),
                })
                .collect();
            format!("~ {}", cells.join(" · "))
        }
        (None, Some(after)) => output.paint(Style::Good, &format!("+ {}", cells(after))),
        (Some(before), None) => output.paint(Style::Bad, &format!("- {}", cells(before))),
        (None, None) => String::new(),
    }
}

pub(super) fn vacuum(global: &Global, dry_run: bool, output: &Output) -> Result<Done, Error> {
    let access = if dry_run { Access::Read } else { Access::Write };
    with(global, access, output, |instance| {
        let mut report = instance.vacuum(dry_run || !global.yes)?;
        if !dry_run && !global.yes {
            if report.files > 0 {
                return Err(Error::new(
                    ErrorKind::Refused,
                    "MS0431",
                    format!(
                        "this would delete {} ({}) for good",
                        text::count(report.files, "file"),
                        mainstay_base::Bytes(report.bytes)
                    ),
                )
                .help("mainstay vacuum --dry-run shows what goes; mainstay vacuum --yes does it"));
            }
            report = instance.vacuum(false)?;
        }
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        if report.datasets.is_empty() {
            output.line("nothing to free: every version that is there is kept");
            output
                .note("`retain = { versions = 10, age = \"30 days\" }` in a source or a job says which are");
            return Ok(Done::Well);
        }
        let rows: Vec<Vec<String>> = report
            .datasets
            .iter()
            .map(|d| {
                vec![
                    d.dataset.clone(),
                    d.contents.to_string(),
                    d.files.to_string(),
                    mainstay_base::Bytes(d.bytes).to_string(),
                ]
            })
            .collect();
        output.raw(table(&["dataset", "contents", "files", "frees"], &rows).as_bytes());
        let verb = if report.dry_run { "would lose" } else { "lost" };
        output.line(format!(
            "{} · {} · replay {verb} {}",
            text::count(report.files, "file"),
            mainstay_base::Bytes(report.bytes),
            text::count(report.replays_lost.len() as u64, "run")
        ));
        Ok(Done::Well)
    })
}
