//! What readers would see of an attempt's output: under the amendments of its dataset, judged by the checks that its record pins.

use std::collections::BTreeSet;

use mainstay_api::Error;
use mainstay_control::{Finish, Sight, base_after_run, shown_under};
use mainstay_engine::CancelToken;
use mainstay_model::RunId;
use mainstay_model::run::{CheckOutcome, Judged};

use super::attempt::Work;
use super::checks::{check_inputs, judged};
use crate::amend::{Ground, Laid};
use crate::examine::Examined;
use crate::instance::Instance;

/// Returns those of some staged files that will be referred to: slices that came out as they were are not written again.
pub(super) fn to_keep(
    instance: &Instance,
    work: &Work,
    number: u32,
    finish: &Finish,
    files: &[String],
) -> Vec<String> {
    let Finish::Computed(staged) = finish else {
        return Vec::new();
    };
    let name = &work.job.dataset;
    let after = instance.with(|sight| base_after_run(sight.dataset(name), name, staged));
    let kept: BTreeSet<&str> = after
        .values()
        .flat_map(|v| v.files.iter().map(|f| f.path.as_str()))
        .collect();
    // What amendments made of it stands below prefixes of their own.
    let of_amendments = format!("r{}-{number}-a", work.run.0);
    let files = files.iter();
    files
        .filter(|f| f.starts_with(&of_amendments) || kept.contains(f.as_str()))
        .cloned()
        .collect()
}

/// What readers would see of an attempt's output.
pub(super) struct Shown {
    /// What amendments make of it; none if there are none.
    pub(super) laid: Option<Laid>,
    pub(super) checks: Vec<CheckOutcome>,
}

/// Lays the amendments of the job's dataset over what was computed, and asks the checks of what readers would see; none if it
/// has none, and nothing that others computed is in it.
pub(super) fn shown(
    instance: &Instance,
    work: &Work,
    (attempt, times): (u32, u32),
    finish: &Finish,
    foreign: bool,
    cancel: &CancelToken,
) -> Result<Option<Shown>, Error> {
    let Finish::Computed(staged) = finish else {
        return Ok(None);
    };
    let name = &work.job.dataset;
    let (base, ground) = instance.with(|sight| {
        let held = sight.dataset(name);
        let base = base_after_run(held, name, staged);
        let amended = held.filter(|d| !d.overlay.amendments.is_empty());
        let about = (&staged.schema, staged.slice_columns.as_slice());
        let ground = amended.map(|d| Ground::new(sight, name, about, base.clone(), &d.overlay.amendments));
        (base, ground)
    });
    let (contents, laid) = match ground {
        Some(ground) => {
            let mut prefix = format!("r{}-{attempt}-a", work.run.0);
            if times > 0 {
                prefix.push_str(&times.to_string());
            }
            let laid = instance.lay(&ground, &prefix, cancel)?;
            (shown_under(base, &laid.overlaid), Some(laid))
        }
        // The other slices may be others by now, and the checks are about all of them.
        None if foreign || times > 0 => (base, None),
        None => return Ok(None),
    };
    let store = instance.store()?;
    let (judged, inputs) = instance.with(|sight| {
        let judged = pinned_checks(sight, work);
        let inputs = check_inputs(instance, sight, &store, &judged.beside);
        (judged, inputs)
    });
    let examined = Examined {
        name,
        schema: &staged.schema,
        slice_columns: &staged.slice_columns,
        checks: &judged.checks,
        inputs: Some(&inputs),
    };
    match instance.examine_shown(examined, contents, cancel) {
        Ok(checks) => Ok(Some(Shown { laid, checks })),
        Err(e) => {
            if let Some(laid) = laid {
                instance.discard(name, &laid.files());
            }
            Err(e)
        }
    }
}

/// What a run's output is judged by, as its record says.
pub(super) fn pinned_checks(sight: &Sight<'_>, work: &Work) -> Judged {
    let run = sight.state.runs.get(&work.run);
    let pinned = run.and_then(|r| r.pinned.judged.clone());
    pinned.unwrap_or_else(|| judged(sight, &work.job.dataset))
}

/// Says whether some of the runs whose results a run takes were not judged by the checks that it is judged by.
pub(super) fn is_judged_otherwise<'a>(
    instance: &Instance,
    work: &Work,
    mut reused: impl Iterator<Item = &'a RunId>,
) -> bool {
    instance.with(|sight| {
        let own = pinned_checks(sight, work).checks;
        reused.any(|run| {
            let known = sight.state.runs.get(run);
            let judged = known.and_then(|r| r.pinned.judged.as_ref());
            judged.map_or(&[][..], |j| &j.checks) != own
        })
    })
}
