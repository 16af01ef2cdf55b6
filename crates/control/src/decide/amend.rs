//! Amendments: proposed, approved, made in a branch of their own, or given up.

use mainstay_model::amendment::{Consequences, Edit};
use mainstay_model::fact::{
    AmendmentApplied, AmendmentApproved, AmendmentDropped, AmendmentFailed, AmendmentProposed, BranchDropped,
    Fact, Published,
};
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::run::RunError;
use mainstay_model::{BranchName, DatasetName};

use super::{not_found, publish};
use crate::command::{Made, Overlaid, Refusal, RefusalKind};
use crate::state::{Amendment, AmendmentStatus, BranchStatus, State};
use crate::view::Sight;

fn invalid(message: String, help: Option<String>) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        code: "MS0409",
        message,
        help,
    }
}

fn known(state: &State, id: AmendmentId) -> Result<&Amendment, Refusal> {
    state
        .amendments
        .get(&id)
        .ok_or_else(|| not_found(format!("there is no amendment {id}")))
}

/// How an amendment stands, in words.
const fn stands(status: AmendmentStatus) -> &'static str {
    match status {
        AmendmentStatus::Waiting => "waits for approval",
        AmendmentStatus::Ready => "was not made yet",
        AmendmentStatus::Applied => "holds",
        AmendmentStatus::Failed => "failed",
        AmendmentStatus::Reverted => "is reverted",
        AmendmentStatus::Dropped => "was dropped",
    }
}

pub(super) fn propose(
    sight: &Sight<'_>,
    dataset: DatasetName,
    edit: Edit,
    approvals: u32,
    preview: Consequences,
) -> Result<Vec<Fact>, Refusal> {
    if let Edit::Revert { amendment } = &edit {
        let target = known(sight.state, *amendment)?;
        if target.status != AmendmentStatus::Applied {
            let by = taken_back_by(sight.state, *amendment);
            return Err(invalid(
                format!(
                    "amendment {amendment} {}{}: there is nothing to take back",
                    stands(target.status),
                    by.unwrap_or_default()
                ),
                Some("mainstay list amendment shows those that hold".to_owned()),
            ));
        }
        if target.branch.as_ref() != sight.branch {
            return Err(invalid(
                format!("amendment {amendment} was not made on this side"),
                None,
            ));
        }
    }
    let last = sight.state.amendments.keys().next_back().map_or(0, |a| a.0);
    let proposed = AmendmentProposed {
        amendment: AmendmentId(last + 1),
        dataset,
        branch: sight.branch.cloned(),
        edit,
        approvals,
        preview,
    };
    Ok(vec![proposed.into()])
}

/// Says which amendment took another one back, and whose it is.
fn taken_back_by(state: &State, id: AmendmentId) -> Option<String> {
    let mut all = state.amendments.iter().rev();
    let (by, a) = all.find(|(_, a)| {
        let back = matches!(&a.edit, Edit::Revert { amendment } if *amendment == id);
        back && a.status == AmendmentStatus::Applied
    })?;
    Some(format!(" by {by} of {}", a.proposed.actor))
}

pub(super) fn approve(state: &State, id: AmendmentId, approver: &str) -> Result<Vec<Fact>, Refusal> {
    let amendment = known(state, id)?;
    if amendment.status != AmendmentStatus::Waiting {
        return Err(invalid(
            format!("amendment {id} {}", stands(amendment.status)),
            None,
        ));
    }
    let refused = |message: String| Refusal {
        kind: RefusalKind::Refused,
        code: "MS0410",
        message,
        help: Some("somebody else has to approve it".to_owned()),
    };
    if amendment.proposed.actor == approver {
        return Err(refused(format!(
            "{approver} proposed amendment {id} and cannot approve it"
        )));
    }
    if amendment.approved.iter().any(|s| s.actor == approver) {
        return Err(refused(format!("{approver} approved amendment {id} already")));
    }
    Ok(vec![AmendmentApproved { amendment: id }.into()])
}

pub(super) fn overlay(
    sight: &Sight<'_>,
    dataset: DatasetName,
    amendment: AmendmentId,
    overlaid: Overlaid,
) -> Result<Vec<Fact>, Refusal> {
    known(sight.state, amendment)?;
    let held = sight
        .datasets
        .get(&dataset)
        .ok_or_else(|| not_found(format!("nothing of {dataset} was ever published")))?;
    let base = held
        .base()
        .newest()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let published = Published {
        run: None,
        deliveries: Vec::new(),
        datasets: vec![publish::shown(held, &dataset, overlaid, base)],
        branch: sight.branch.cloned(),
        amendment: Some(amendment),
        promotes: None,
    };
    Ok(vec![published.into()])
}

pub(super) fn finish(state: &State, made: Made) -> Result<Vec<Fact>, Refusal> {
    known(state, made.amendment)?;
    let applied = AmendmentApplied {
        amendment: made.amendment,
        result: made.result,
        runs: made.runs,
    };
    Ok(vec![applied.into()])
}

pub(super) fn fail(
    state: &State,
    id: AmendmentId,
    error: RunError,
    runs: Vec<RunId>,
) -> Result<Vec<Fact>, Refusal> {
    let amendment = known(state, id)?;
    if matches!(
        amendment.status,
        AmendmentStatus::Applied | AmendmentStatus::Reverted
    ) {
        return Err(invalid(
            format!("amendment {id} {}", stands(amendment.status)),
            None,
        ));
    }
    let mut facts = vec![
        AmendmentFailed {
            amendment: id,
            error,
            runs,
        }
        .into(),
    ];
    facts.extend(branch_given_up(state, id));
    Ok(facts)
}

pub(super) fn drop(state: &State, id: AmendmentId) -> Result<Vec<Fact>, Refusal> {
    let amendment = known(state, id)?;
    match amendment.status {
        AmendmentStatus::Waiting | AmendmentStatus::Ready | AmendmentStatus::Failed => {
            let mut facts = vec![AmendmentDropped { amendment: id }.into()];
            facts.extend(branch_given_up(state, id));
            Ok(facts)
        }
        status => Err(invalid(
            format!("amendment {id} {}", stands(status)),
            (status == AmendmentStatus::Applied)
                .then(|| format!("mainstay revert amendment/{id} takes it back")),
        )),
    }
}

/// An amendment that is not made leaves no branch.
fn branch_given_up(state: &State, id: AmendmentId) -> Option<Fact> {
    let branch = BranchName::of_amendment(id);
    let open = state
        .branches
        .get(&branch)
        .is_some_and(|b| b.about.status == BranchStatus::Open);
    open.then(|| BranchDropped { branch }.into())
}
