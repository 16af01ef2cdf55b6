//! `vacuum`: frees what no kept version, no branch and nobody who reads now needs.

use std::collections::BTreeSet;

use mainstay_api::{Error, VacuumReport, VacuumedDataset};
use mainstay_control::{Command, Run, RunStatus, Sight, vacuum};
use mainstay_model::fact::{Fact, Vacuumed};
use mainstay_model::run::{RunOutcome, Scope};
use mainstay_model::{DatasetName, SliceKey};

use crate::instance::Instance;
use crate::step;

impl Instance {
    /// Gives up contents as the datasets' `retain` says, or only says what would go.
    ///
    /// # Errors
    ///
    /// If the journal or the store cannot be written.
    pub fn vacuum(&self, dry_run: bool) -> Result<VacuumReport, Error> {
        let now = self.clock.now();
        let planned = if dry_run {
            self.with(|s| vacuum(s.state, now))
        } else {
            let recorded = self.submit(Command::Vacuum { now })?;
            step::at("vacuum.recorded");
            let facts = recorded.into_iter().filter_map(|(_, fact)| match fact {
                Fact::Vacuumed(v) => Some(*v),
                _ => None,
            });
            facts.inspect(|v| self.clean(&v.dataset)).collect()
        };
        // Which contents go is known from the plan, whether they are gone by now or not.
        let lost = self.with(|s| lost(s, &planned));
        let datasets: Vec<VacuumedDataset> = planned
            .iter()
            .map(|v| VacuumedDataset {
                dataset: v.dataset.to_string(),
                contents: v.shown.iter().chain(&v.base).map(|(_, v)| v.len() as u64).sum(),
                files: v.files,
                bytes: v.bytes.0,
            })
            .collect();
        Ok(VacuumReport {
            dry_run,
            files: datasets.iter().map(|d| d.files).sum(),
            bytes: datasets.iter().map(|d| d.bytes).sum(),
            datasets,
            replays_lost: lost,
        })
    }
}

/// The runs that could be replayed before and cannot afterwards.
fn lost(sight: &Sight<'_>, planned: &[Vacuumed]) -> Vec<String> {
    let names: BTreeSet<&DatasetName> = planned.iter().map(|v| &v.dataset).collect();
    let reads_gone = |run: &Run| {
        let read = crate::read::read_by(sight, run, crate::read::computed(&run.pinned.scope));
        run.pinned
            .inputs
            .iter()
            .filter(|i| names.contains(&i.dataset))
            .any(|input| {
                let gone = planned.iter().find(|v| v.dataset == input.dataset);
                let held = sight.state.main.dataset(&input.dataset);
                gone.into_iter().flat_map(|v| &v.shown).any(|(slice, versions)| {
                    let in_scope = read
                        .slices(&input.dataset)
                        .is_none_or(|list| list.contains(slice));
                    let content = held
                        .and_then(|d| d.slices.get(slice))
                        .and_then(|h| h.content_at(input.version));
                    in_scope && content.is_some_and(|c| versions.contains(&c.version))
                })
            })
    };
    let made_gone = |run: &Run| {
        let Some(gone) = planned.iter().find(|v| v.dataset == run.pinned.job) else {
            return false;
        };
        let (Some(version), Some(held)) = (run.published, sight.state.main.dataset(&run.pinned.job)) else {
            return false;
        };
        let list = if held.base.is_some() {
            &gone.base
        } else {
            &gone.shown
        };
        list.iter().any(|(slice, versions)| {
            let content = held.base().slices.get(slice).and_then(|h| h.content_at(version));
            made(run, slice) && content.is_some_and(|c| versions.contains(&c.version))
        })
    };
    let good = |run: &&Run| run.status == RunStatus::Ended(RunOutcome::Succeeded);
    let runs = sight.state.runs.iter().filter(|(_, r)| good(r));
    runs.filter(|(_, r)| reads_gone(r) || made_gone(r))
        .map(|(id, _)| id.to_string())
        .collect()
}

/// Says whether a slice of its output was a run's to compute.
fn made(run: &Run, slice: &SliceKey) -> bool {
    match &run.pinned.scope {
        Scope::Whole => true,
        Scope::Slices(list) => list.contains(slice),
    }
}
