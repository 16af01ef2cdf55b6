//! `branch`: sides beside the live one.

use mainstay_api::{BranchReport, Error, ErrorKind};
use mainstay_base::text;
use mainstay_model::BranchName;
use mainstay_server::Access;

use super::{slices, with};
use crate::Done;
use crate::args::{BranchAction, Global};
use crate::output::Output;
use crate::table::table;

pub(super) fn branch(global: &Global, action: &BranchAction, output: &Output) -> Result<Done, Error> {
    // What is done to a branch is done from the live side.
    let global = &Global {
        branch: None,
        ..global.clone()
    };
    let named = |name: &String| {
        name.parse::<BranchName>()
            .map_err(|e| Error::new(ErrorKind::Invalid, "MS0411", e.to_string()))
    };
    let access = match action {
        BranchAction::Diff { .. } => Access::Read,
        _ => Access::Write,
    };
    with(global, access, output, |instance| {
        let report = match action {
            BranchAction::Create { name } => instance.create_branch(&named(name)?)?,
            BranchAction::Rebase { name } => instance.rebase_branch(&named(name)?)?,
            BranchAction::Diff { name } => instance.branch_report(&named(name)?)?,
            BranchAction::Promote { name } => instance.promote_branch(&named(name)?)?,
            BranchAction::Drop { name } => instance.drop_branch(&named(name)?)?,
        };
        if output.is_json() {
            output.document(&report);
            return Ok(Done::Well);
        }
        show(&report, output);
        let name = &report.branch;
        match action {
            BranchAction::Create { .. } => output.next(&format!("mainstay plan --branch {name}")),
            BranchAction::Rebase { .. } => output.next(&format!("mainstay run --branch {name}")),
            BranchAction::Diff { .. } if report.status == "open" => {
                output.next(&format!("mainstay branch promote {name}"));
            }
            _ => {}
        }
        Ok(Done::Well)
    })
}

pub(super) fn show(report: &BranchReport, output: &Output) {
    output.line(format!(
        "branch {} · {} · begun at fact {} of the journal by {}",
        report.branch, report.status, report.forked, report.who
    ));
    if report.resources.is_empty() && report.datasets.is_empty() {
        output.line("  it does not differ from the live side");
        return;
    }
    if !report.resources.is_empty() {
        output.line(format!("  declares otherwise: {}", report.resources.join(", ")));
    }
    let rows: Vec<Vec<String>> = report
        .datasets
        .iter()
        .map(|d| {
            vec![
                d.name.clone(),
                slices(&d.slices),
                text::count(d.rows_live, "row"),
                text::count(d.rows_branch, "row"),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output.raw(table(&["dataset", "differs in", "live", "branch"], &rows).as_bytes());
    }
}
