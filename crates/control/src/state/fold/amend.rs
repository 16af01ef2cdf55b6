//! Folding branches and amendments.

use mainstay_model::BranchName;
use mainstay_model::amendment::Edit;
use mainstay_model::delivery::{Delivery, Outcome};
use mainstay_model::fact::{AmendmentApplied, AmendmentFailed, AmendmentProposed};
use mainstay_model::id::AmendmentId;

use super::Header;
use crate::state::{
    About, Amendment, AmendmentStatus, Branch, BranchStatus, Line, Redelivered, Signed, State,
};

impl Header<'_> {
    fn signed(&self) -> Signed {
        Signed {
            seq: self.seq,
            time: self.time,
            actor: self.actor.to_owned(),
        }
    }
}

impl State {
    pub(super) fn branch_created(&mut self, header: &Header<'_>, name: BranchName) {
        let about = About {
            status: BranchStatus::Open,
            seq: header.seq,
            time: header.time,
            actor: header.actor.to_owned(),
            reason: header.reason.map(str::to_owned),
            forked: header.seq,
        };
        let branch = Branch {
            about,
            fork: self.main.clone(),
            line: self.main.clone(),
            former: Line::default(),
        };
        self.branches.insert(name, branch);
    }

    pub(super) fn branch_rebased(&mut self, header: &Header<'_>, name: &BranchName) {
        let Some(branch) = self.branches.get_mut(name) else {
            return;
        };
        let mut line = self.main.clone();
        // What the branch declares otherwise than the live side did, it goes on to declare.
        for (key, held) in &branch.line.resources {
            if branch.fork.resources.get(key) != Some(held) {
                line.resources.insert(key.clone(), held.clone());
            }
        }
        line.last_apply = branch.line.last_apply;
        branch.about.forked = header.seq;
        branch.former = std::mem::replace(&mut branch.line, line);
        branch.fork = self.main.clone();
    }

    pub(super) fn branch_ended(&mut self, name: &BranchName, status: BranchStatus) {
        if status == BranchStatus::Promoted {
            // The runs that succeeded there are the last ones that did, from now on.
            if let Some(branch) = self.branches.get(name) {
                let before = &branch.fork.last_good;
                let new = branch.line.last_good.iter();
                let new = new.filter(|(job, run)| before.get(*job) != Some(*run));
                let new: Vec<_> = new.map(|(job, run)| (job.clone(), *run)).collect();
                self.main.last_good.extend(new);
            }
            // What was corrected there is corrected on the live side now, and can be taken back there.
            for amendment in self.amendments.values_mut() {
                if amendment.branch.as_ref() == Some(name) {
                    amendment.branch = None;
                }
            }
        }
        if let Some(branch) = self.branches.get_mut(name) {
            branch.about.status = status;
            branch.fork = Line::default();
            if status == BranchStatus::Dropped || name.is_of_amendment() {
                branch.line = Line::default();
                branch.former = Line::default();
            }
        }
    }

    pub(super) fn amendment_proposed(&mut self, header: &Header<'_>, f: AmendmentProposed) {
        let status = if f.approvals > 0 {
            AmendmentStatus::Waiting
        } else {
            AmendmentStatus::Ready
        };
        let amendment = Amendment {
            dataset: f.dataset,
            branch: f.branch,
            edit: f.edit,
            status,
            proposed: header.signed(),
            reason: header.reason.map(str::to_owned),
            approvals: f.approvals,
            approved: Vec::new(),
            preview: f.preview,
            result: None,
            ended: None,
            error: None,
            runs: Vec::new(),
            redelivered: Vec::new(),
        };
        self.amendments.insert(f.amendment, amendment);
    }

    pub(super) fn amendment_approved(&mut self, header: &Header<'_>, id: AmendmentId) {
        if let Some(a) = self.amendments.get_mut(&id) {
            a.approved.push(header.signed());
            if a.approved.len() as u64 >= u64::from(a.approvals) && a.status == AmendmentStatus::Waiting {
                a.status = AmendmentStatus::Ready;
            }
        }
    }

    pub(super) fn amendment_applied(&mut self, header: &Header<'_>, f: AmendmentApplied) {
        if let Some(a) = self.amendments.get_mut(&f.amendment) {
            a.status = AmendmentStatus::Applied;
            a.result = Some(f.result);
            a.error = None;
            a.ended = Some(header.signed());
            a.runs.extend(f.runs);
        }
        self.mark_reverted(f.amendment);
    }

    /// Taking back an amendment changes where that one stands, and so on down the chain.
    fn mark_reverted(&mut self, id: AmendmentId) {
        let (mut id, mut on) = (id, true);
        while let Some(Edit::Revert { amendment }) = self.amendments.get(&id).map(|a| &a.edit) {
            (id, on) = (*amendment, !on);
            if let Some(a) = self.amendments.get_mut(&id) {
                a.status = if on {
                    AmendmentStatus::Applied
                } else {
                    AmendmentStatus::Reverted
                };
            }
        }
    }

    pub(super) fn amendment_failed(&mut self, header: &Header<'_>, f: AmendmentFailed) {
        if let Some(a) = self.amendments.get_mut(&f.amendment) {
            a.status = AmendmentStatus::Failed;
            a.error = Some(f.error);
            a.ended = Some(header.signed());
            a.runs.extend(f.runs);
        }
    }

    /// Keeps with the amendments what a delivery that was taken in meant for them.
    pub(super) fn amendments_reapplied(&mut self, header: &Header<'_>, d: &Delivery) {
        if matches!(d.outcome, Outcome::Held { .. } | Outcome::SetAside { .. }) {
            return;
        }
        for reapplied in &d.reapplied {
            let Some(a) = self.amendments.get_mut(&reapplied.amendment) else {
                continue;
            };
            a.redelivered.push(Redelivered {
                delivery: d.id,
                file: d.file.clone(),
                time: header.time,
                gone: reapplied.gone,
                new: reapplied.new,
            });
            let surplus = a.redelivered.len().saturating_sub(Amendment::REDELIVERED_KEPT);
            a.redelivered.drain(..surplus);
        }
    }

    pub(super) fn amendment_dropped(&mut self, header: &Header<'_>, id: AmendmentId) {
        if let Some(a) = self.amendments.get_mut(&id) {
            a.status = AmendmentStatus::Dropped;
            a.ended = Some(header.signed());
        }
    }
}
