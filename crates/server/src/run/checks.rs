//! The checks of a dataset, and what they read besides it.

use std::collections::BTreeSet;

use mainstay_api::Error;
use mainstay_control::Sight;
use mainstay_engine::Mounted;
use mainstay_model::DatasetName;
use mainstay_model::resource::{Kind, Spec};
use mainstay_model::spec::{CheckSpec, Rule};
use mainstay_storage::Store;

use crate::instance::Instance;
use crate::mount::Part;

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

impl Instance {
    /// Mounts what the checks of a dataset read besides it, as it is now.
    pub(crate) fn check_inputs(&self, dataset: &DatasetName) -> Result<Vec<Mounted>, Error> {
        let store = self.store()?;
        Ok(self.with(|sight| {
            let checks = checks_of(sight, dataset);
            check_inputs(self, sight, &store, &checks, dataset)
        }))
    }
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

/// Mounts what checks read besides the dataset itself, as it is now.
pub(crate) fn check_inputs(
    instance: &Instance,
    state: &Sight<'_>,
    store: &Store,
    checks: &[(String, CheckSpec)],
    own: &DatasetName,
) -> Vec<Mounted> {
    read_by_checks(checks, own)
        .iter()
        .filter_map(|n| instance.mount(state, store, n, u64::MAX, Part::All))
        .collect()
}
