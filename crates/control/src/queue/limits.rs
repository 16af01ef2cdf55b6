//! What limits a job's runs, as it is declared.

use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::queue::LimitSpec;
use mainstay_model::resource::{Kind, Resource, ResourceKey, Spec};
use mainstay_model::trigger::is_among;

use super::Take;
use crate::state::Failing;
use crate::view::Sight;

/// Returns what a run of a job takes while it goes on: one of so many that its account may have at once, its dataset, and of each
/// limit that holds for it. A branch counts as its account does, and its datasets are its own.
pub fn takes(sight: &Sight<'_>, job: &DatasetName, parallel: u32) -> Vec<Take> {
    let one = |limit: String, at_most: u32| Take {
        limit,
        units: 1,
        at_most,
    };
    let own = match sight.branch {
        None => format!("job/{job}"),
        Some(branch) => format!("job/{job} in branch/{branch}"),
    };
    let mut takes = vec![one("account".to_owned(), parallel), one(own, 1)];
    let resource = sight.resource(&ResourceKey::new(Kind::Job, job));
    // Who may use what is said once, on the live side.
    for (name, _, limit) in sight.state.main.of_kind(Kind::Limit) {
        let Spec::Limit(spec) = &limit.spec else { continue };
        let units = resource.map_or(0, |job| units(name, spec, job));
        if units > 0 {
            takes.push(Take {
                limit: format!("limit/{name}"),
                units,
                at_most: spec.at_most,
            });
        }
    }
    takes
}

/// How much of a limit a job's run takes.
fn units(name: &str, limit: &LimitSpec, job: &Resource) -> u32 {
    let said = match &job.spec {
        Spec::Job(spec) => spec.uses.get(name).copied(),
        _ => None,
    };
    let has_tags = || {
        let has = |(tag, value): (&String, &String)| job.tags.get(tag) == Some(value);
        !limit.tagged.is_empty() && limit.tagged.iter().all(has)
    };
    said.unwrap_or_else(|| u32::from(is_among(&limit.jobs, &job.name) || has_tags()))
}

/// Returns how a job fails and until when it is left alone, if it is: the circuit is open.
pub fn is_left_alone<'a>(
    sight: &Sight<'a>,
    job: &DatasetName,
    now: Timestamp,
) -> Option<(&'a Failing, Timestamp)> {
    let resource = sight.line.resource(&ResourceKey::new(Kind::Job, job))?;
    let Spec::Job(spec) = &resource.spec else {
        return None;
    };
    let breaker = spec.circuit_breaker.filter(|_| sight.branch.is_none())?;
    let failing = sight
        .state
        .failing
        .get(job)
        .filter(|f| f.code == spec.compiled.code)?;
    let pause = i64::try_from(breaker.pause_ms).unwrap_or(i64::MAX / 1000);
    let until = failing.last.plus_millis(pause);
    (failing.in_row >= breaker.failures && now < until).then_some((failing, until))
}
