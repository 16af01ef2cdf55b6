//! Which slices a dataset may have: those that were computed, and the images of the slices that it is computed from.

use std::borrow::Cow;

use mainstay_model::{DatasetName, SliceKey};

use crate::datasets::Datasets;
use crate::expression::Expressions;
use crate::stale::Job;

/// One slice that the dataset may have.
struct Candidate<'a> {
    slice: Cow<'a, SliceKey>,
    /// Whether it was computed before.
    held: bool,
    /// Of which origins it is an image, one bit each; all from the 64th on share the last.
    origins: u64,
}

/// The slices that a job's dataset may have, in order.
pub(crate) struct Candidates<'a> {
    all: Vec<Candidate<'a>>,
    /// The dataset of each origin; none for constants.
    sources: Vec<Option<&'a DatasetName>>,
    /// Whether there are slices that are named another way: what was computed when the dataset was sliced otherwise.
    strangers: bool,
}

impl<'a> Candidates<'a> {
    /// Collects them; none if the values of an origin are not known.
    pub(crate) fn of(
        job: &'a Job,
        datasets: &'a dyn Datasets,
        expressions: &dyn Expressions,
    ) -> Option<Self> {
        let origins = job.origins.as_ref()?;
        let fits = |slice: &SliceKey| slice.0.len() == job.slice_columns.len();
        let mut all: Vec<Candidate<'a>> = datasets
            .computed(&job.dataset)
            .filter(|(slice, _)| fits(slice))
            .map(|(slice, _)| Candidate {
                slice: Cow::Borrowed(slice),
                held: true,
                origins: 0,
            })
            .collect();
        let unknown = unknown(job, datasets);
        let own: Vec<&'a SliceKey> = unknown.iter().copied().filter(|s| fits(s)).collect();
        let mut strangers = own.len() < unknown.len();
        if !own.is_empty() {
            if expressions.over(Some(&job.dataset), &own).is_some() {
                all.extend(own.into_iter().map(|slice| Candidate {
                    slice: Cow::Borrowed(slice),
                    held: true,
                    origins: 0,
                }));
            } else {
                strangers = true;
            }
        }
        for (i, origin) in origins.iter().enumerate() {
            let bit = 1 << i.min(63);
            let candidate = |slice: Cow<'a, SliceKey>| Candidate {
                slice,
                held: false,
                origins: bit,
            };
            let Some(dataset) = &origin.dataset else {
                let row = SliceKey::whole();
                let made = expressions
                    .over(None, &[&row])?
                    .keys(&origin.values, &job.dataset)?;
                all.extend(made.into_iter().map(|s| candidate(Cow::Owned(s))));
                continue;
            };
            let slices: Vec<&'a SliceKey> = datasets.slices(dataset).map(|(slice, _)| slice).collect();
            if slices.is_empty() {
                continue;
            }
            let values = expressions.over(Some(dataset), &slices)?;
            if values.same_keys(&origin.values, &job.dataset) {
                all.extend(slices.into_iter().map(|s| candidate(Cow::Borrowed(s))));
            } else {
                let made = values.keys(&origin.values, &job.dataset)?;
                all.extend(made.into_iter().map(|s| candidate(Cow::Owned(s))));
            }
        }
        // Most stand twice, as what was computed and as an image: to be equal is quicker found out than to be less.
        all.sort_by(|a, b| {
            if a.slice == b.slice {
                std::cmp::Ordering::Equal
            } else {
                a.slice.cmp(&b.slice)
            }
        });
        all.dedup_by(|next, first| {
            let same = next.slice == first.slice;
            if same {
                first.held |= next.held;
                first.origins |= next.origins;
            }
            same
        });
        let sources = origins.iter().map(|o| o.dataset.as_ref()).collect();
        Some(Self {
            all,
            sources,
            strangers,
        })
    }

    /// Says whether there are slices that can only be left from before the dataset was sliced as it is now.
    pub(crate) const fn strangers(&self) -> bool {
        self.strangers
    }

    /// The slices, in order.
    pub(crate) fn slices(&self) -> Vec<&SliceKey> {
        self.all.iter().map(|c| c.slice.as_ref()).collect()
    }

    /// Says whether a slice was computed before, or is there.
    pub(crate) fn is_held(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|c| c.held)
    }

    /// Says whether one of the datasets that a slice comes from is read for it at all: what it does not read cannot have made it.
    pub(crate) fn has_source(&self, at: usize, reads_any: impl Fn(&DatasetName) -> bool) -> bool {
        let bits = self.all.get(at).map_or(0, |c| c.origins);
        let mut of = self
            .sources
            .iter()
            .enumerate()
            .filter(|(i, _)| bits & (1 << (*i).min(63)) != 0);
        of.any(|(_, dataset)| dataset.is_none_or(&reads_any))
    }
}

/// The slices that a job's dataset has, but that were not computed one by one: it was computed whole, or sliced otherwise.
fn unknown<'a>(job: &Job, datasets: &'a dyn Datasets) -> Vec<&'a SliceKey> {
    let mut computed = datasets.computed(&job.dataset).map(|(slice, _)| slice).peekable();
    let mut out = Vec::new();
    for (slice, _) in datasets.slices(&job.dataset) {
        while computed.next_if(|c| *c < slice).is_some() {}
        if computed.next_if(|c| *c == slice).is_none() {
            out.push(slice);
        }
    }
    out
}
