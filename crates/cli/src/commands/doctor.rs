//! `doctor`: what is wrong with a home, why, and what to do.

use mainstay_api::{Condition, DoctorReport, Error, ErrorKind};
use mainstay_base::text;
use mainstay_server::{Access, Instance, Options};

use crate::args::Global;
use crate::desk::Remote;
use crate::output::{Output, Style};
use crate::{Done, context};

pub(super) fn doctor(global: &Global, output: &Output) -> Result<Done, Error> {
    // A home that is here is examined as it lies there, also one that cannot be opened.
    let remote = global.server.as_ref().map(|_| Remote::find(global)).transpose()?;
    let report = match remote.flatten() {
        Some(remote) => remote.doctor()?,
        None => here(global)?,
    };
    if output.is_json() {
        output.document(&report);
    } else {
        show(&report, output);
    }
    Ok(if report.ok { Done::Well } else { Done::Failed })
}

fn here(global: &Global) -> Result<DoctorReport, Error> {
    let project = context::project(global)?;
    let home = context::home(global, project.as_deref())?;
    if !Instance::exists(&home) {
        let message = format!("there is no home in {}", home.display());
        return Err(Error::new(ErrorKind::NotFound, "MS0603", message)
            .help("a home begins with the first command that writes, for example mainstay apply"));
    }
    Ok(mainstay_server::doctor(&Options {
        home,
        journal: context::journal(global)?,
        project,
        access: Access::Read,
        branch: None,
        wait: None,
        context: context::person(global),
    }))
}

fn show(report: &DoctorReport, output: &Output) {
    for finding in &report.findings {
        let (mark, style) = match finding.condition {
            Condition::Ok => ("✔", Style::Good),
            Condition::Warning => ("!", Style::Warn),
            Condition::Problem => ("✘", Style::Bad),
        };
        output.line(format!(
            "{} {:<9} {}",
            output.paint(style, mark),
            finding.check,
            finding.message
        ));
        for cause in &finding.causes {
            output.line(format!("            {cause}"));
        }
        if let Some(help) = &finding.help {
            output.line(format!(
                "            {} {help}",
                output.paint(Style::Dim, "help:")
            ));
        }
    }
    let of = |condition| {
        let all = report.findings.iter().filter(|f| f.condition == condition);
        all.count() as u64
    };
    let (problems, warnings) = (of(Condition::Problem), of(Condition::Warning));
    output.line(match (problems, warnings) {
        (0, 0) => "everything is as it should be".to_owned(),
        (0, warnings) => format!("no problem, {}", text::count(warnings, "warning")),
        (problems, warnings) => format!(
            "{}, {}",
            text::count(problems, "problem"),
            text::count(warnings, "warning")
        ),
    });
}
