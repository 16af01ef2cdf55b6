//! `amend`, `revert`, `approve`: corrections of data.
//!
//! An amendment is looked at first: which rows it changes, and which slices of which datasets that may reach. It is made in a
//! branch of its own: the dataset is published anew under it, everything that reads the dataset is computed from that, and
//! then the branch becomes the live side by one fact. If anything fails, nothing of it was ever visible.

mod conflict;
mod make;
mod overlay;
mod preview;
mod reach;
mod redelivered;
mod rule;
mod sample;

use std::path::PathBuf;

use mainstay_api::{AmendReport, Error, ErrorKind};
use mainstay_control::{AmendmentStatus, Command};
use mainstay_engine::CancelToken;
use mainstay_model::amendment::{Consequences, Edit, Target};
use mainstay_model::fact::Fact;
use mainstay_model::id::AmendmentId;
use mainstay_model::{DatasetName, Selection};

use crate::instance::{Instance, Watch};
use crate::ledger::Recorded;
use crate::report;

pub(crate) use overlay::{Ground, Laid, engine_error};

/// What is to be corrected, and how.
#[derive(Clone, Debug)]
pub struct AmendRequest {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its slices.
    pub slices: Selection,
    /// An SQL condition over its columns; all rows of the slices if left out.
    pub condition: Option<String>,
    /// What is done.
    pub change: AmendChange,
    /// Whether only to look.
    pub dry_run: bool,
}

/// What an amendment does.
#[derive(Clone, Debug)]
pub enum AmendChange {
    /// Gives columns another value: column and SQL expression.
    Set(Vec<(String, String)>),
    /// Takes rows away.
    Delete,
    /// Adds the rows of a file.
    Insert(PathBuf),
    /// Takes rows away and adds those of a file.
    Replace(PathBuf),
}

impl Instance {
    /// Corrects a dataset, or shows what that would do.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown dataset, `Invalid` for a condition or a value that makes no sense, or that meets no row. A
    /// correction that fails later is part of the answer.
    pub fn amend(
        &self,
        request: &AmendRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let next = self.with(|s| s.state.amendments.keys().next_back().map_or(1, |a| a.0 + 1));
        let next = AmendmentId(next);
        let edit = self.edit(request, next)?;
        let preview = self.preview(&request.dataset, &edit, cancel);
        let preview = match preview {
            Ok(preview) if !request.dry_run => preview,
            other => {
                self.discard_brought(&request.dataset, &edit);
                return other.map(|p| preview::report_of(&p, self, &request.dataset, &edit));
            }
        };
        self.proposed(&request.dataset, edit, preview, cancel, watch)
    }

    /// Takes back what an amendment does; later ones stay.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown amendment, `Invalid` for one that does not hold.
    pub fn revert_amendment(
        &self,
        id: AmendmentId,
        dry_run: bool,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let dataset = self.with(|s| s.state.amendments.get(&id).map(|a| a.dataset.clone()));
        let dataset = dataset.ok_or_else(|| unknown(id))?;
        let edit = Edit::Revert { amendment: id };
        let preview = self.preview(&dataset, &edit, cancel)?;
        if dry_run {
            return Ok(preview::report_of(&preview, self, &dataset, &edit));
        }
        self.proposed(&dataset, edit, preview, cancel, watch)
    }

    fn proposed(
        &self,
        dataset: &DatasetName,
        edit: Edit,
        preview: Consequences,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let recorded = self.submit(Command::ProposeAmendment {
            dataset: dataset.clone(),
            edit,
            approvals: self.approvals(dataset),
            preview,
        })?;
        let id = proposed_id(&recorded).ok_or_else(|| unknown(AmendmentId(0)))?;
        crate::step::at("amendment.proposed");
        self.make_if_ready(id, cancel, watch)
    }

    /// Approves an amendment; with the last approval that it needs, it is made.
    ///
    /// # Errors
    ///
    /// `Refused` for the one who proposed it, `Invalid` for one that does not wait.
    pub fn approve(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        self.submit(Command::ApproveAmendment {
            amendment: id,
            approver: self.context.actor.clone(),
        })?;
        self.make_if_ready(id, cancel, watch)
    }

    /// Tries an amendment again that failed.
    ///
    /// # Errors
    ///
    /// `Invalid` for one that did not fail.
    pub fn retry_amendment(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let status = self.with(|s| s.state.amendments.get(&id).map(|a| a.status));
        match status {
            None => Err(unknown(id)),
            Some(AmendmentStatus::Failed | AmendmentStatus::Ready) => {
                self.make(id, cancel, watch)?;
                self.amendment(id)
            }
            Some(_) => Err(Error::new(
                ErrorKind::Invalid,
                "MS0409",
                format!("amendment {id} did not fail"),
            )),
        }
    }

    /// Gives an amendment up that does not hold.
    ///
    /// # Errors
    ///
    /// `Invalid` for one that holds.
    pub fn drop_amendment(&self, id: AmendmentId) -> Result<AmendReport, Error> {
        self.submit(Command::DropAmendment { amendment: id })?;
        self.amendment(id)
    }

    fn make_if_ready(
        &self,
        id: AmendmentId,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<AmendReport, Error> {
        let ready = self.with(|s| {
            let status = s.state.amendments.get(&id).map(|a| a.status);
            status == Some(AmendmentStatus::Ready)
        });
        if ready {
            self.make(id, cancel, watch)?;
        }
        self.amendment(id)
    }

    pub(crate) fn amendment(&self, id: AmendmentId) -> Result<AmendReport, Error> {
        let found = self.with(|s| {
            Some(report::amendment(
                self.account(),
                s,
                id,
                s.state.amendments.get(&id)?,
            ))
        });
        found.ok_or_else(|| unknown(id))
    }

    /// How many others have to approve a correction of a dataset.
    fn approvals(&self, dataset: &DatasetName) -> u32 {
        use mainstay_model::resource::{Kind, ResourceKey, Spec};
        self.with(|s| {
            match s
                .resource(&ResourceKey::new(Kind::Source, dataset))
                .map(|r| &r.spec)
            {
                Some(Spec::Source(source)) => source.approve,
                _ => 0,
            }
        })
    }

    /// Makes an edit of a request; the rows that it brings are staged.
    fn edit(&self, request: &AmendRequest, id: AmendmentId) -> Result<Edit, Error> {
        let slices = match &request.slices {
            Selection::All => None,
            other => Some(other.to_string().trim_start_matches('@').to_owned()),
        };
        let target = Target {
            slices,
            condition: request.condition.clone(),
        };
        Ok(match &request.change {
            AmendChange::Set(set) => Edit::Set {
                target,
                set: set.clone(),
            },
            AmendChange::Delete => Edit::Delete { target },
            AmendChange::Insert(file) => Edit::Insert {
                brought: self.bring(&request.dataset, file, id)?,
            },
            AmendChange::Replace(file) => Edit::Replace {
                target,
                brought: self.bring(&request.dataset, file, id)?,
            },
        })
    }

    fn discard_brought(&self, dataset: &DatasetName, edit: &Edit) {
        if let Some(brought) = edit.brought() {
            let files: Vec<String> = brought.files.iter().map(|(_, f)| f.path.clone()).collect();
            self.discard(dataset, &files);
        }
    }

    /// Ends amendments that were being made when the process died.
    pub(crate) fn end_lost_amendments(&self) -> Result<(), Error> {
        let lost: Vec<AmendmentId> = self.with(|s| {
            let all = s.state.amendments.iter();
            all.filter(|(_, a)| a.status == AmendmentStatus::Ready)
                .map(|(id, _)| *id)
                .collect()
        });
        for id in lost {
            let error = mainstay_model::run::RunError {
                code: "MS0508".to_owned(),
                message: "the process ended while this amendment was being made; nothing of it was published"
                    .to_owned(),
                help: Some(format!(
                    "mainstay retry amendment/{id} makes it, mainstay drop amendment/{id} gives it up"
                )),
                transient: false,
            };
            self.submit(Command::FailAmendment {
                amendment: id,
                error,
                runs: Vec::new(),
            })?;
        }
        Ok(())
    }
}

fn unknown(id: AmendmentId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "MS0401",
        format!("there is no amendment {id}"),
    )
    .help("mainstay list amendment shows those there are")
}

fn proposed_id(recorded: &Recorded) -> Option<AmendmentId> {
    recorded.iter().find_map(|(_, fact)| match fact {
        Fact::AmendmentProposed(p) => Some(p.amendment),
        _ => None,
    })
}
