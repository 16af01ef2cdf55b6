//! What an output is judged by: the checks of its dataset, and what they read besides it.
//!
//! A run pins them in its record, so that its end, and a replay of it, depend on nothing else.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_control::{Dataset, Sight};
use mainstay_engine::Mounted;
use mainstay_model::DatasetName;
use mainstay_model::resource::{Kind, Spec};
use mainstay_model::run::Judged;
use mainstay_model::spec::{CheckSpec, Rule};
use mainstay_storage::Store;

use crate::instance::Instance;
use crate::mount::Part;

/// What a run's output is judged by, as it is now.
pub(crate) fn judged(sight: &Sight<'_>, name: &DatasetName) -> Judged {
    let checks = checks_of(sight, name);
    let version = |n: &DatasetName| sight.dataset(n).map_or(0, Dataset::version);
    let beside = read_by_checks(&checks, name);
    let held = sight.dataset(name);
    Judged {
        beside: beside.into_iter().map(|n| (n.clone(), version(&n))).collect(),
        stays: held.map_or(0, |d| d.base().version()),
        amendments: held.map(|d| d.overlay.amendments.clone()).unwrap_or_default(),
        checks,
    }
}

/// Returns the checks of a dataset, with their names.
pub(crate) fn checks_of(state: &Sight<'_>, dataset: &DatasetName) -> Vec<(String, CheckSpec)> {
    let declared = state.declared().filter(|(k, ..)| k.kind == Kind::Check);
    declared
        .filter_map(|(key, _, r)| match &r.spec {
            Spec::Check(spec) if spec.dataset == *dataset => Some((key.name.clone(), spec.clone())),
            _ => None,
        })
        .collect()
}

/// Returns the datasets that checks read besides their own.
pub(crate) fn read_by_checks(checks: &[(String, CheckSpec)], own: &DatasetName) -> BTreeSet<DatasetName> {
    check_names(checks.iter().map(|(_, check)| check), own)
}

/// Returns the datasets that checks read besides the dataset itself.
pub(crate) fn check_names<'a>(
    checks: impl IntoIterator<Item = &'a CheckSpec>,
    own: &DatasetName,
) -> BTreeSet<DatasetName> {
    let mut names: BTreeSet<DatasetName> = BTreeSet::new();
    for check in checks {
        match &check.rule {
            Rule::Reference { to } => names.extend(to.values().map(|(name, _)| name.clone())),
            Rule::Sql { sql } => {
                let read = mainstay_sql::references(sql).unwrap_or_default();
                names.extend(read.into_iter().map(|r| r.name));
            }
            _ => {}
        }
    }
    names.remove(own);
    names
}

/// Mounts what checks read besides the dataset itself, at these versions.
pub(crate) fn check_inputs(
    instance: &Instance,
    sight: &Sight<'_>,
    store: &Store,
    beside: &BTreeMap<DatasetName, u64>,
) -> Vec<Mounted> {
    let mount =
        |(name, version): (&DatasetName, &u64)| instance.mount(sight, store, name, *version, Part::All);
    beside.iter().filter_map(mount).collect()
}
