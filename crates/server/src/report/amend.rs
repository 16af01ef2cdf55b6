//! Amendments and branches as people see them.

use std::sync::Arc;

use mainstay_api::{
    AmendReport, BranchDataset, BranchReport, ConsumerReport, EffortReport, ReachReport, RedeliveredReport,
    Row, RowChange,
};
use mainstay_control::{Amendment, AmendmentStatus, Branch, BranchStatus, Sight};
use mainstay_model::amendment::{ChangedRow, Edit, Effort, Reach, Target};
use mainstay_model::delivery::Outcome;
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::{BranchName, DatasetName};

use super::slice_texts;

/// Says in words what an edit does.
pub(crate) fn edit(dataset: &DatasetName, edit: &Edit) -> String {
    let rows = |target: &Target| {
        let slices = target
            .slices
            .as_ref()
            .map(|s| format!("@{s}"))
            .unwrap_or_default();
        let condition = target
            .condition
            .as_ref()
            .map(|c| format!(" where {c}"))
            .unwrap_or_default();
        format!("{dataset}{slices}{condition}")
    };
    match edit {
        Edit::Set { target, set } => {
            let set: Vec<String> = set.iter().map(|(c, e)| format!("{c} = {e}")).collect();
            format!("set {} in {}", set.join(", "), rows(target))
        }
        Edit::Delete { target } => format!("delete from {}", rows(target)),
        Edit::Insert { brought } => format!("insert {} into {dataset} from {}", brought.rows, brought.file),
        Edit::Replace { target, brought } => {
            format!(
                "replace {} by {} from {}",
                rows(target),
                brought.rows,
                brought.file
            )
        }
        Edit::Revert { amendment } => format!("take back {amendment}"),
    }
}

pub(crate) fn reach(sight: &Sight<'_>, r: &Reach) -> ReachReport {
    ReachReport {
        name: r.dataset.to_string(),
        slices: slice_texts(sight, &r.dataset, &r.slices),
        unchanged: r.unchanged,
        stops: r.stops.clone(),
    }
}

pub(crate) fn effort(effort: Option<Effort>) -> EffortReport {
    let e = effort.unwrap_or_default();
    let seconds = |us: u64| effort.map(|_| us as f64 / 1e6);
    EffortReport {
        runs: e.runs,
        slices: e.slices,
        cpu_seconds: seconds(e.cpu_us),
        cost: None,
        seconds: seconds(e.wall_us),
    }
}

const fn status(status: AmendmentStatus) -> &'static str {
    match status {
        AmendmentStatus::Waiting => "waiting",
        AmendmentStatus::Ready => "ready",
        AmendmentStatus::Applied => "applied",
        AmendmentStatus::Failed => "failed",
        AmendmentStatus::Reverted => "reverted",
        AmendmentStatus::Dropped => "dropped",
    }
}

pub(crate) fn row_change(row: &ChangedRow) -> RowChange {
    let side = |values: &Option<Vec<(String, serde_json::Value)>>| values.clone().map(Row);
    RowChange {
        before: side(&row.before),
        after: side(&row.after),
    }
}

/// Whose datasets an amendment reaches, besides the one that it corrects. A dataset is read by its own account's jobs.
pub(crate) fn consumers(account: &str, datasets: &[ReachReport]) -> Vec<ConsumerReport> {
    let names: Vec<String> = datasets.iter().skip(1).map(|d| d.name.clone()).collect();
    let own = ConsumerReport {
        account: account.to_owned(),
        datasets: names,
    };
    Some(own).into_iter().filter(|c| !c.datasets.is_empty()).collect()
}

pub(crate) fn amendment(account: &str, sight: &Sight<'_>, id: AmendmentId, a: &Amendment) -> AmendReport {
    let shown = a.result.as_ref().unwrap_or(&a.preview);
    let datasets: Vec<ReachReport> = shown.datasets.iter().map(|r| reach(sight, r)).collect();
    AmendReport {
        amendment: Some(id.to_string()),
        dataset: a.dataset.to_string(),
        edit: edit(&a.dataset, &a.edit),
        status: status(a.status).to_owned(),
        rows: shown.rows,
        sample: a.preview.sample.iter().map(row_change).collect(),
        consumers: consumers(account, &datasets),
        datasets,
        estimate: effort(a.preview.effort),
        took: a.result.as_ref().map(|r| effort(r.effort)),
        who: a.proposed.actor.clone(),
        time: a.proposed.time,
        reason: a.reason.clone(),
        seq: Some(a.proposed.seq),
        approvals: (a.approvals, a.approved.iter().map(|s| s.actor.clone()).collect()),
        runs: a.runs.iter().map(RunId::to_string).collect(),
        error: a.error.clone(),
        redelivered: redelivered(sight, id, a),
    }
}

/// The deliveries after which an amendment changes other rows than before; those that wait because of that come last.
fn redelivered(sight: &Sight<'_>, id: AmendmentId, a: &Amendment) -> Vec<RedeliveredReport> {
    let taken = a.redelivered.iter().map(|r| RedeliveredReport {
        delivery: r.delivery.to_string(),
        file: r.file.clone(),
        time: r.time,
        held: false,
        gone: r.gone,
        new: r.new,
    });
    let files = sight.state.sources.get(&a.dataset);
    let waiting = files
        .into_iter()
        .flat_map(|files| files.values())
        .filter(|f| matches!(f.last.outcome, Outcome::Held { .. }) && f.answer != Some(false));
    let held = waiting.filter_map(|f| {
        let r = f.last.reapplied.iter().find(|r| r.amendment == id)?;
        Some(RedeliveredReport {
            delivery: f.last.id.to_string(),
            file: f.last.file.clone(),
            time: f.time,
            held: true,
            gone: r.gone,
            new: r.new,
        })
    });
    taken.chain(held).collect()
}

pub(crate) fn branch(name: &BranchName, b: &Branch) -> BranchReport {
    let differs = |(key, held): (&mainstay_model::ResourceKey, &Arc<mainstay_control::Held>)| {
        (b.fork.resources.get(key) != Some(held)).then(|| key.to_string())
    };
    let open = b.about.status == BranchStatus::Open;
    let datasets = b.line.datasets.iter().filter_map(|(name, held)| {
        let fork = b.fork.dataset(name);
        let slices: Vec<String> = held
            .slices
            .iter()
            .filter(|(k, h)| fork.and_then(|f| f.slices.get(*k)).and_then(|h| h.newest()) != h.newest())
            .map(|(k, _)| k.text(&held.slice_columns))
            .collect();
        let rows = |d: &mainstay_control::Dataset| d.newest().map(|(_, v)| v.rows().0).sum::<u64>();
        (!slices.is_empty()).then(|| BranchDataset {
            name: name.to_string(),
            slices,
            rows_live: fork.map_or(0, rows),
            rows_branch: rows(held),
        })
    });
    BranchReport {
        branch: name.to_string(),
        status: match b.about.status {
            BranchStatus::Open => "open",
            BranchStatus::Promoted => "promoted",
            BranchStatus::Dropped => "dropped",
        }
        .to_owned(),
        who: b.about.actor.clone(),
        time: b.about.time,
        reason: b.about.reason.clone(),
        forked: b.about.forked,
        resources: if open {
            b.line.resources.iter().filter_map(differs).collect()
        } else {
            Vec::new()
        },
        datasets: if open { datasets.collect() } else { Vec::new() },
    }
}
