//! The cross-check of dependencies: some of a run's slices are computed a second time, and must come out the same.
//!
//! A run that saw less than its inputs hold has some slices computed again from everything; one that saw everything has some
//! computed again from what each is said to read. Which runs and which slices is a function of the run's number and its job's
//! code. With code that was never checked it is always done; later so often that it costs, by the rows that are read, no more
//! than the project's share. Owns no rule of what is read, and publishes nothing.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::hash::Hasher;
use mainstay_base::{CpuTime, Hash};
use mainstay_control::Sight;
use mainstay_engine::{Assignment, CancelToken, Engine, Kind, Mounted, Output};
use mainstay_model::relation::Reads;
use mainstay_model::run::{Against, CrossCheck, Pinned, Scope};
use mainstay_model::spec::JobSpec;
use mainstay_model::{SliceKey, SliceVersion};
use mainstay_storage::Store;

use crate::instance::Instance;
use crate::read::ReadBy;

/// The share of the cost if the project does not say, in percent.
const SHARE: u32 = 5;
/// So many slices are computed from everything, in one go.
const FROM_EVERYTHING: usize = 3;
/// So many slices are computed each alone.
const ALONE: usize = 2;

/// What is to be computed a second time.
#[derive(Debug)]
pub(super) struct Chosen {
    slices: Vec<SliceKey>,
    against: Against,
    /// Where the run itself stages.
    output: Output,
    /// One for all from everything, or one for each alone.
    assignments: Vec<Assignment>,
    /// The whole run from everything, for when it has to be.
    widened: Option<Box<Assignment>>,
}

/// What there is to choose from: a run with what it is about to see.
pub(super) struct Run<'a> {
    pub(super) instance: &'a Instance,
    pub(super) sight: &'a Sight<'a>,
    pub(super) store: &'a Store,
    pub(super) number: u64,
    pub(super) spec: &'a JobSpec,
    pub(super) pinned: &'a Pinned,
    pub(super) assignment: &'a Assignment,
}

impl Chosen {
    /// Chooses what of a run is computed a second time; none if nothing is.
    pub(super) fn of(run: &Run<'_>, share: Option<u32>) -> Option<Self> {
        let share = share.unwrap_or(SHARE);
        let Scope::Slices(scope) = &run.assignment.scope else {
            return None;
        };
        let pinned = run.pinned;
        if share == 0 || scope.is_empty() || pinned.inputs.iter().all(|i| i.reads == Reads::All) {
            return None;
        }
        let trust = run.sight.state.trust(&pinned.job, pinned.code);
        let is_new = trust.is_none_or(|t| t.checked == 0);
        if trust.is_some_and(|t| t.broken.is_some()) {
            return None;
        }
        let draw = fraction(mark(run, "which run", 0));
        let percent = f64::from(share) / 100.0;
        // What is computed again from everything costs no less than the run itself, so that most runs need no look at it.
        if !is_new && share <= 100 && draw >= percent {
            return None;
        }
        let own = &run.assignment.inputs;
        let (seen, there) = (rows(own), run.there());
        let chosen = if own.iter().map(|m| m.slices.len()).sum::<usize>() < there {
            run.against_everything(scope)
        } else {
            run.alone(scope)
        }?;
        let cost: u64 = chosen.assignments.iter().map(|a| rows(&a.inputs)).sum();
        let likely = percent * seen.max(1) as f64 / cost.max(1) as f64;
        (is_new || draw < likely).then_some(chosen)
    }

    /// Computes the slices again and compares; with what differs, the run as it is when computed from everything, if it was not.
    /// Nothing that is staged here stays.
    ///
    /// # Errors
    ///
    /// Only if it was stopped; what fails otherwise is part of the answer.
    pub(super) fn carry_out(
        &self,
        instance: &Instance,
        engine: &Engine,
        computed: &[(SliceKey, SliceVersion)],
        cancel: &CancelToken,
    ) -> Result<CrossCheck, mainstay_engine::Error> {
        let computed: BTreeMap<&SliceKey, &SliceVersion> = computed.iter().map(|(k, v)| (k, v)).collect();
        let mut found = CrossCheck {
            slices: self.slices.clone(),
            against: self.against,
            differing: Vec::new(),
            failed: None,
            cpu: CpuTime::default(),
            wall_us: 0,
        };
        for assignment in &self.assignments {
            let Scope::Slices(scope) = &assignment.scope else {
                continue;
            };
            let again = engine.run(assignment.clone(), cancel, &|_| {});
            let usage = match &again {
                Ok(done) => &done.usage,
                Err(e) => e.usage.as_ref(),
            };
            found.cpu += usage.cpu;
            found.wall_us = found.wall_us.saturating_add(usage.wall_us);
            match again {
                Ok(done) => {
                    let again: BTreeMap<SliceKey, SliceVersion> = done.slices.into_iter().collect();
                    let differs = |k: &&SliceKey| !same(computed.get(*k).copied(), again.get(*k));
                    found.differing.extend(scope.iter().filter(differs).cloned());
                    let output = &assignment.output;
                    instance.forget_staged(&output.dataset, &output.attempt_prefix);
                }
                Err(e) if e.kind == Kind::Cancelled => return Err(e),
                // An error may belong to a slice that nobody asked for.
                Err(e) => found.failed = Some(format!("{}: {}", e.code, e.message)),
            }
        }
        Ok(found)
    }

    /// Removes what the run itself staged: it is not good.
    pub(super) fn discard(&self, instance: &Instance) {
        instance.forget_staged(&self.output.dataset, &self.output.attempt_prefix);
    }

    /// The run as it is when computed from everything; none if it was computed from that.
    pub(super) fn widened(&self) -> Option<&Assignment> {
        self.widened.as_deref()
    }
}

impl Run<'_> {
    fn against_everything(&self, scope: &[SliceKey]) -> Option<Chosen> {
        let slices = self.some(scope, FROM_EVERYTHING);
        let inputs = self.mounted(&ReadBy::default())?;
        let widened = Assignment {
            inputs: inputs.clone(),
            output: self.output("e"),
            ..self.assignment.clone()
        };
        Some(Chosen {
            assignments: vec![self.again(slices.clone(), inputs, 0)],
            slices,
            against: Against::Everything,
            output: self.assignment.output.clone(),
            widened: Some(Box::new(widened)),
        })
    }

    fn alone(&self, scope: &[SliceKey]) -> Option<Chosen> {
        let mut chosen = Chosen {
            slices: Vec::new(),
            against: Against::Alone,
            output: self.assignment.output.clone(),
            assignments: Vec::new(),
            widened: None,
        };
        let all: usize = self.assignment.inputs.iter().map(|m| m.slices.len()).sum();
        for slice in self.some(scope, ALONE) {
            let read = ReadBy::of(
                self.sight,
                self.spec,
                self.pinned,
                Some(std::slice::from_ref(&slice)),
            );
            let inputs = self.mounted(&read)?;
            // What reads everything by itself cannot come out otherwise.
            if inputs.iter().map(|m| m.slices.len()).sum::<usize>() < all {
                let at = chosen.assignments.len();
                chosen
                    .assignments
                    .push(self.again(vec![slice.clone()], inputs, at));
                chosen.slices.push(slice);
            }
        }
        (!chosen.slices.is_empty()).then_some(chosen)
    }

    fn again(&self, slices: Vec<SliceKey>, inputs: Vec<Mounted>, at: usize) -> Assignment {
        let base = self.assignment;
        Assignment {
            query: base.query.clone(),
            label: base.label.clone(),
            inputs,
            output: self.output(&format!("x{at}")),
            scope: Scope::Slices(slices),
            as_of: base.as_of,
            checks: Vec::new(),
            check_inputs: Vec::new(),
            previous: Vec::new(),
            time_limit: base.time_limit,
        }
    }

    fn output(&self, name: &str) -> Output {
        let own = &self.assignment.output;
        Output {
            attempt_prefix: format!("{}-{name}", own.attempt_prefix),
            ..own.clone()
        }
    }

    fn mounted(&self, read: &ReadBy) -> Option<Vec<Mounted>> {
        let mount = |i: &mainstay_model::run::Input| {
            let part = read.part(&i.dataset);
            self.instance
                .mount(self.sight, self.store, &i.dataset, i.version, part)
        };
        self.pinned.inputs.iter().map(mount).collect()
    }

    /// Some slices of a list, the same ones whenever this run is looked at.
    fn some(&self, scope: &[SliceKey], most: usize) -> Vec<SliceKey> {
        let count = scope.len() as u64;
        let place = |n: usize| {
            let bytes = mark(self, "which slice", n as u64);
            let number = bytes
                .as_bytes()
                .iter()
                .take(8)
                .fold(0u64, |n, b| n << 8 | u64::from(*b));
            usize::try_from(number % count.max(1)).unwrap_or(0)
        };
        let places: BTreeSet<usize> = (0..most).map(place).collect();
        places.into_iter().filter_map(|p| scope.get(p).cloned()).collect()
    }

    /// How many slices there are of all inputs at the pinned versions.
    fn there(&self) -> usize {
        let each = |i: &mainstay_model::run::Input| {
            let dataset = self.sight.dataset(&i.dataset)?;
            Some(
                dataset
                    .slices
                    .values()
                    .filter(|h| h.at(i.version).is_some())
                    .count(),
            )
        };
        self.pinned.inputs.iter().filter_map(each).sum()
    }
}

fn rows(inputs: &[Mounted]) -> u64 {
    let slices = inputs.iter().flat_map(|m| &m.slices);
    slices.map(|(_, content)| content.rows().0).sum()
}

fn same(a: Option<&SliceVersion>, b: Option<&SliceVersion>) -> bool {
    let none = SliceVersion::default();
    let (a, b) = (a.unwrap_or(&none), b.unwrap_or(&none));
    a.rows() == b.rows() && a.digest() == b.digest()
}

fn mark(run: &Run<'_>, what: &str, n: u64) -> Hash {
    let mut hasher = Hasher::new("mainstay cross-check 1");
    hasher.field(what.as_bytes()).field(&run.number.to_le_bytes());
    hasher.field(run.pinned.job.to_string().as_bytes());
    hasher.field(run.pinned.code.as_bytes()).field(&n.to_le_bytes());
    hasher.finish()
}

/// A number from 0 to 1.
fn fraction(hash: Hash) -> f64 {
    let number = hash
        .as_bytes()
        .iter()
        .take(4)
        .fold(0u32, |n, b| n << 8 | u32::from(*b));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
