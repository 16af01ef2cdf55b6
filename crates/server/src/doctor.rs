//! `doctor`: looks at everything that a home rests on, changes nothing in it, and says what is wrong, why, and what to do.
//!
//! Every check looks by itself: one that cannot be made is a finding, and the others go on. The home is read beside whoever writes
//! to it; one that cannot be opened is examined as far as that goes.

mod inside;
mod outside;

use mainstay_api::{Condition, DoctorReport, Error, Finding};

use crate::instance::{Access, Instance, Options};

/// At most so many things are named in one finding.
const NAMED: usize = 10;

pub(super) fn good(check: &str, message: impl Into<String>) -> Finding {
    Finding {
        check: check.to_owned(),
        condition: Condition::Ok,
        message: message.into(),
        causes: Vec::new(),
        help: None,
    }
}

pub(super) fn warning(check: &str, message: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding {
        condition: Condition::Warning,
        help: Some(help.into()),
        ..good(check, message)
    }
}

pub(super) fn problem(check: &str, message: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding {
        condition: Condition::Problem,
        help: Some(help.into()),
        ..good(check, message)
    }
}

/// A check that failed is a problem, in the words of its error.
pub(super) fn failed(check: &str, error: Error) -> Finding {
    Finding {
        check: check.to_owned(),
        condition: Condition::Problem,
        message: format!("{} ({})", error.message, error.code),
        causes: error.causes,
        help: error
            .help
            .or_else(|| Some(format!("docs/errors/{}.md says what to do", error.code))),
    }
}

/// Examines a home, opened or not.
pub fn doctor(options: &Options) -> DoctorReport {
    let mut findings = outside::all(&options.home);
    let reading = Options {
        access: Access::Read,
        branch: None,
        ..options.clone()
    };
    match Instance::open(reading) {
        Ok(instance) => findings.extend(instance.findings()),
        Err(e) => findings.push(failed("journal", e)),
    }
    report(options, findings)
}

impl Instance {
    /// Examines the home that is open here.
    pub fn doctor(&self) -> DoctorReport {
        let mut findings = outside::all(&self.options.home);
        findings.extend(self.findings());
        report(&self.options, findings)
    }
}

fn report(options: &Options, findings: Vec<Finding>) -> DoctorReport {
    DoctorReport {
        home: options.home.display().to_string(),
        ok: findings.iter().all(|f| f.condition < Condition::Problem),
        findings,
    }
}

/// The first few of many, and how many more there are.
pub(super) fn few(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}
