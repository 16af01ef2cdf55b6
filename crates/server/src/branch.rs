//! `branch`: sides beside the live one.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{BranchReport, Error, ErrorKind};
use mainstay_control::{Amendment, AmendmentStatus, Command, Rebased};
use mainstay_engine::CancelToken;
use mainstay_model::fact::Fact;
use mainstay_model::id::AmendmentId;
use mainstay_model::{BranchName, DatasetName};

use crate::amend::Ground;
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

    /// Begins a branch anew as the live side is now; what it declares stays, and so do the amendments that were made in it.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such branch, `Invalid` if it ended.
    pub fn rebase_branch(&self, name: &BranchName) -> Result<BranchReport, Error> {
        let amended = self.amended_in(name)?;
        self.submit(Command::RebaseBranch {
            branch: name.clone(),
            amended,
        })?;
        self.branch_report(name)
    }

    /// Lays the amendments that were made in a branch over what the live side holds now, with the live side's own, in the order
    /// of their numbers.
    fn amended_in(&self, name: &BranchName) -> Result<Vec<Rebased>, Error> {
        let live = self.on(None);
        let mut own: BTreeMap<DatasetName, Vec<AmendmentId>> = BTreeMap::new();
        live.with(|s| {
            let made =
                |a: &Amendment| matches!(a.status, AmendmentStatus::Applied | AmendmentStatus::Reverted);
            for (id, a) in &s.state.amendments {
                if a.branch.as_ref() == Some(name) && made(a) {
                    own.entry(a.dataset.clone()).or_default().push(*id);
                }
            }
        });
        let mut out = Vec::new();
        for (dataset, ids) in own {
            let ground = live.with(|s| {
                let held = s.dataset(&dataset)?;
                let mut list = held.overlay.amendments.clone();
                for id in &ids {
                    list = s.state.amended(&list, *id, true);
                }
                let base = held.base();
                let about = (base.schema()?, base.slice_columns.as_slice());
                let contents = base.newest().map(|(k, v)| (k.clone(), v.clone())).collect();
                let over = (held.version(), base.version());
                Some((over, Ground::new(s, &dataset, about, contents, &list)))
            });
            let (Some((over, ground)), Some(amendment)) = (ground, ids.last()) else {
                continue;
            };
            let prefix = format!("a{}-{}", amendment.0, self.clock.now().as_micros());
            let laid = live.lay(&ground, &prefix, &CancelToken::new())?;
            live.persist(&dataset, &laid.files())?;
            out.push(Rebased {
                dataset,
                over,
                amendment: *amendment,
                overlaid: laid.overlaid,
            });
        }
        Ok(out)
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
        let live = recorded.iter().filter_map(|(_, fact)| match fact {
            Fact::Published(p) if p.branch.is_none() => Some(&p.datasets),
            _ => None,
        });
        let names: BTreeSet<DatasetName> = live.flatten().map(|d| d.dataset.clone()).collect();
        if !names.is_empty() {
            self.project_all(&names)?;
        }
        Ok(())
    }
}
