//! Results that are known: what has the same fingerprint was computed before, here, on another side, or by another job that is the
//! same query, and is taken as it is.
//!
//! A table has only files of its own: what another dataset holds is copied below the attempt's prefix, which in a local folder is
//! one more name of the same bytes. So either of them can be vacuumed, removed and read by others without the other one.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::Hash;
use mainstay_control::{Content, Dataset, Generation, Line, Sight};
use mainstay_model::resource::{Kind, Spec};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, RunId, SliceKey, SliceVersion};

/// A known result.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its files; none for a slice without rows.
    pub(super) content: SliceVersion,
    /// The run that computed it.
    pub(super) run: Option<RunId>,
    /// The dataset whose files these are, if it is another one.
    pub(super) elsewhere: Option<DatasetName>,
}

impl Known {
    pub(super) fn of(content: &Content) -> Self {
        Self {
            content: content.files.as_deref().cloned().unwrap_or_default(),
            run: content.run,
            elsewhere: None,
        }
    }

    fn of_other(mut self, name: &DatasetName) -> Self {
        self.elsewhere = Some(name.clone());
        self
    }
}

/// A job as others may have it, too: the same query with the same columns, sliced the same way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin<'a> {
    pub(super) name: &'a DatasetName,
    pub(super) spec: &'a JobSpec,
}

impl Twin<'_> {
    /// The datasets of other jobs that are, or were, the same query.
    fn others(self, sight: &Sight<'_>) -> BTreeSet<DatasetName> {
        let (code, columns) = (self.spec.compiled.code, &self.spec.compiled.columns);
        let same = |g: &Generation| match g.resource.as_ref().map(|r| &r.spec) {
            Some(Spec::Job(other)) => {
                other.compiled.code == code
                    && other.compiled.columns == *columns
                    && other.slice == self.spec.slice
            }
            _ => false,
        };
        let held = sides(sight).flat_map(|line| &line.resources);
        let jobs = held.filter(|(key, held)| key.kind == Kind::Job && held.generations.iter().any(same));
        let names = jobs.filter_map(|(key, _)| key.name.parse().ok());
        names.filter(|name| name != self.name).collect()
    }

    /// Returns those of some slices whose result another job has, by what they would be computed from.
    pub(super) fn slices(
        self,
        sight: &Sight<'_>,
        wanted: &BTreeMap<SliceKey, Hash>,
    ) -> BTreeMap<SliceKey, Known> {
        let mut found = BTreeMap::new();
        for name in self.others(sight) {
            let known = slices(sight, &name, wanted).into_iter();
            let known = known.map(|(slice, known)| (slice, known.of_other(&name)));
            for (slice, known) in known {
                found.entry(slice).or_insert(known);
            }
        }
        found
    }

    /// Returns a whole dataset's result if another job has it.
    pub(super) fn whole(self, sight: &Sight<'_>, wanted: Hash) -> Option<BTreeMap<SliceKey, Known>> {
        self.others(sight).into_iter().find_map(|name| {
            let known = whole(sight, &name, wanted)?.into_iter();
            Some(known.map(|(slice, k)| (slice, k.of_other(&name))).collect())
        })
    }
}

/// All sides on which a dataset may have been computed, this one first.
fn sides<'a>(sight: &'a Sight<'a>) -> impl Iterator<Item = &'a Line> {
    let branches = sight.state.branches.values().flat_map(|b| [&b.line, &b.former]);
    [sight.line, &sight.state.main].into_iter().chain(branches)
}

fn held<'a>(sight: &'a Sight<'a>, name: &DatasetName) -> impl Iterator<Item = &'a Dataset> {
    sides(sight)
        .filter_map(move |line| line.dataset(name))
        .map(Dataset::base)
}

/// Returns those of some slices whose result is known, by what they would be computed from.
pub(super) fn slices(
    sight: &Sight<'_>,
    name: &DatasetName,
    wanted: &BTreeMap<SliceKey, Hash>,
) -> BTreeMap<SliceKey, Known> {
    let known = |(slice, fingerprint): (&SliceKey, &Hash)| {
        let contents = held(sight, name)
            .filter_map(|d| d.slices.get(slice))
            .flat_map(|h| h.contents.iter().rev());
        let found = contents
            .into_iter()
            .find(|c| c.fingerprints.contains(fingerprint))?;
        Some((slice.clone(), Known::of(found)))
    };
    wanted.iter().filter_map(known).collect()
}

/// Returns a whole dataset's result if it is known, by what it would be computed from.
pub(super) fn whole(
    sight: &Sight<'_>,
    name: &DatasetName,
    wanted: Hash,
) -> Option<BTreeMap<SliceKey, Known>> {
    held(sight, name).find_map(|d| {
        let entry = d.versions.iter().rev().find(|v| v.whole.contains(&wanted))?;
        let at = |(k, h): (&SliceKey, &mainstay_control::SliceHistory)| {
            let content = h.content_at(entry.version)?;
            content.files.as_ref()?;
            Some((k.clone(), Known::of(content)))
        };
        Some(d.slices.iter().filter_map(at).collect())
    })
}
