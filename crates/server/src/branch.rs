//! `branch`: sides beside the live one.

use mainstay_api::{BranchReport, Error, ErrorKind};
use mainstay_control::Command;
use mainstay_model::BranchName;
use mainstay_model::fact::Fact;

use crate::instance::Instance;
use crate::ledger::Recorded;
use crate::report;

impl Instance {
    /// Makes a branch that begins as the live side is now.
    ///
    /// # Errors
    ///
    /// `Refused` if there is one of that name.
    pub fn create_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.submit(Command::CreateBranch { branch: name.clone() })?;
        self.branch_report(name)
    }

    /// Begins a branch anew as the live side is now; what it declares stays.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such branch, `Invalid` if it ended.
    pub fn rebase_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        self.submit(Command::RebaseBranch { branch: name.clone() })?;
        self.branch_report(name)
    }

    /// Makes a branch the live side, in one step.
    ///
    /// # Errors
    ///
    /// `OutOfDate` if the live side moved under what the branch read.
    pub fn promote_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        let before = self.branch_report(name)?;
        let recorded = self.submit(Command::PromoteBranch {
            branch: name.clone(),
            amendment: None,
        })?;
        self.project_published(&recorded)?;
        Ok(BranchReport {
            status: "promoted".to_owned(),
            ..before
        })
    }

    /// Gives a branch up.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such branch, `Invalid` if it ended.
    pub fn drop_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        let before = self.branch_report(name)?;
        self.submit(Command::DropBranch { branch: name.clone() })?;
        for dataset in &before.datasets {
            if let Ok(name) = dataset.name.parse() {
                self.clean(&name);
            }
        }
        Ok(BranchReport {
            status: "dropped".to_owned(),
            ..before
        })
    }

    /// Says in what a branch differs from the live side as it took it over.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such branch.
    pub fn branch_report(&self, name: &BranchName) -> Result<BranchReport, Error> {
        let found = self.with(|s| s.state.branches.get(name).map(|b| report::branch(name, b)));
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "MS0401",
                format!("there is no branch `{name}`"),
            )
            .help("mainstay list branch shows those there are")
        })
    }

    /// Brings the Delta logs of all datasets of a publish up to the journal.
    pub(crate) fn project_published(&self, recorded: &Recorded) -> Result<(), Error> {
        for (_, fact) in recorded {
            if let Fact::Published(p) = fact
                && p.branch.is_none()
            {
                for d in &p.datasets {
                    self.project(&d.dataset)?;
                }
            }
        }
        Ok(())
    }
}
