//! Applying projects and plans, and undoing an apply.

use mainstay_model::BranchName;
use mainstay_model::change::Change;
use mainstay_model::fact::{Applied, Fact};
use mainstay_model::id::{ApplyId, PlanId};
use mainstay_model::resource::Resource;

use super::not_found;
use crate::command::{Refusal, RefusalKind};
use crate::diff::{change_of, diff};
use crate::view::Sight;

fn applied(
    sight: &Sight<'_>,
    plan: Option<PlanId>,
    reverts: Option<ApplyId>,
    changes: Vec<Change>,
) -> Vec<Fact> {
    if changes.is_empty() {
        return Vec::new();
    }
    let apply = ApplyId(sight.state.last_apply().map_or(0, |a| a.0) + 1);
    vec![
        Applied {
            apply,
            plan,
            reverts,
            branch: sight.branch.cloned(),
            promotes: None,
            changes,
        }
        .into(),
    ]
}

pub(super) fn apply(sight: &Sight<'_>, desired: &[Resource]) -> Vec<Fact> {
    applied(sight, None, None, diff(sight, desired))
}

pub(super) fn plan(sight: &Sight<'_>, plan: PlanId) -> Result<Vec<Fact>, Refusal> {
    let entry = sight
        .state
        .plans
        .get(&plan)
        .ok_or_else(|| not_found(format!("there is no plan {plan}")))?;
    if entry.branch.as_ref() != sight.branch {
        let side = |branch: Option<&BranchName>| {
            branch.map_or_else(|| "the live side".to_owned(), |b| format!("branch `{b}`"))
        };
        return Err(Refusal {
            kind: RefusalKind::Invalid,
            code: "MS0413",
            message: format!(
                "plan {plan} was made for {}, and this is {}",
                side(entry.branch.as_ref()),
                side(sight.branch)
            ),
            help: Some(match &entry.branch {
                Some(branch) => format!("mainstay apply plan/{plan} --branch {branch}"),
                None => format!("mainstay apply plan/{plan}, without --branch"),
            }),
        });
    }
    if entry.base != sight.last_apply {
        let seen = entry.base.map_or_else(
            || "before anything was applied".to_owned(),
            |b| format!("after apply/{b}"),
        );
        let now = sight.last_apply.map_or_else(
            || "nothing is applied".to_owned(),
            |a| format!("apply/{a} came since"),
        );
        return Err(Refusal {
            kind: RefusalKind::OutOfDate,
            code: "MS0403",
            message: format!("plan {plan} is out of date: it was made {seen}, and {now}"),
            help: Some("make a new plan: mainstay plan".to_owned()),
        });
    }
    Ok(applied(sight, Some(plan), None, entry.changes.clone()))
}

pub(super) fn revert(sight: &Sight<'_>, apply: ApplyId) -> Result<Vec<Fact>, Refusal> {
    let entry = sight
        .state
        .applies
        .get(&apply)
        .filter(|e| e.branch.as_ref() == sight.branch)
        .ok_or_else(|| not_found(format!("there is no apply/{apply} on this side")))?;
    let mut changes = Vec::new();
    let mut later = Vec::new();
    for (key, _) in &entry.changed {
        let Some(held) = sight.resources.get(key) else {
            continue;
        };
        let at = held.generations.iter().position(|g| g.apply == apply);
        let before = at
            .and_then(|i| i.checked_sub(1))
            .and_then(|i| held.generations.get(i));
        if let Some(newest) = held.newest().filter(|g| g.apply != apply) {
            later.push(format!("{key} (changed again by apply/{})", newest.apply));
            continue;
        }
        changes.extend(change_of(sight, key, before.and_then(|g| g.resource.as_ref())));
    }
    if !later.is_empty() {
        return Err(Refusal {
            kind: RefusalKind::Conflict,
            code: "MS0404",
            message: format!("apply/{apply} cannot be reverted alone: {}", later.join(", ")),
            help: Some(
                "revert the later applies first, or change the project's files and apply them".to_owned(),
            ),
        });
    }
    Ok(applied(sight, None, Some(apply), changes))
}
