//! What of a run's result is known already: found before anything is computed, and brought into the own table.

use std::collections::BTreeMap;

use mainstay_api::Error;
use mainstay_control::Sight;
use mainstay_model::run::Scope;
use mainstay_model::{RunId, SliceKey};

use super::attempt::{Fingerprint, Prepared, Work};
use super::reuse::{self, Known, Twin};
use super::unread::Unread;
use crate::error;
use crate::instance::Instance;

/// Returns what of a run's result is known already, and what is left to compute.
pub(super) fn known(
    sight: &Sight<'_>,
    work: &Work,
    (fingerprint, unread): (&Fingerprint, &Unread),
    scope: &Scope,
    twin: Option<Twin<'_>>,
) -> (BTreeMap<SliceKey, Known>, Scope) {
    let name = &work.job.dataset;
    match (scope, fingerprint.0) {
        _ if work.anew => (BTreeMap::new(), scope.clone()),
        (Scope::Whole, Some(wanted)) => {
            let own = reuse::whole(sight, name, wanted);
            match own.or_else(|| twin?.whole(sight, wanted)) {
                Some(known) => (known, Scope::Slices(Vec::new())),
                None if unread.whole => (unread.slices.clone(), Scope::Slices(Vec::new())),
                None => (BTreeMap::new(), Scope::Whole),
            }
        }
        (Scope::Slices(list), _) => {
            let mut known = unread.slices.clone();
            known.extend(reuse::slices(sight, name, &fingerprint.1));
            if let Some(twin) = twin.filter(|_| known.len() < list.len()) {
                let left = fingerprint.1.iter().filter(|(s, _)| !known.contains_key(*s));
                let left = left.map(|(s, f)| (s.clone(), *f)).collect();
                known.extend(twin.slices(sight, &left));
            }
            let left = list.iter().filter(|s| !known.contains_key(*s)).cloned();
            let left = Scope::Slices(left.collect());
            (known, left)
        }
        (Scope::Whole, None) => (BTreeMap::new(), Scope::Whole),
    }
}

/// The folder of what an attempt took from other datasets.
pub(super) fn brought(run: RunId, attempt: u32) -> String {
    format!("r{}-{attempt}-x", run.0)
}

/// Copies what is known from other datasets into this one's table; says whether all of it was there.
pub(super) fn bring(instance: &Instance, work: &Work, prepared: &mut Prepared) -> Result<bool, Error> {
    let (own, folder) = (
        instance.table(&work.job.dataset),
        brought(work.run, prepared.number),
    );
    let store = instance.store()?;
    let mut copies = Vec::new();
    let foreign = prepared.known.values_mut();
    for (known, other) in foreign
        .filter_map(|k| Some((k.elsewhere.clone()?, k)))
        .map(|(o, k)| (k, o))
    {
        let table = instance.table(&other);
        for file in &mut known.content.files {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let path = format!("{folder}/{}-{name}", copies.len());
            copies.push((format!("{table}/{}", file.path), format!("{own}/{path}")));
            file.path = path;
        }
    }
    let copied = instance.runtime.block_on(async {
        for (from, to) in &copies {
            store.copy(from, to).await?;
        }
        Ok::<(), mainstay_storage::Error>(())
    });
    match copied {
        Ok(()) => Ok(true),
        Err(e) => {
            instance.forget_staged(&work.job.dataset, &folder);
            match e.kind {
                mainstay_storage::Kind::NotFound => Ok(false),
                _ => Err(error::storage(&e)),
            }
        }
    }
}
