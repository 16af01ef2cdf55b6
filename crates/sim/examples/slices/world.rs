//! A state that is folded from the facts that a project's deliveries and runs would have left.

use std::path::Path;

use mainstay_base::{Bytes, CpuTime, Hash, MultisetHash, Rows, Timestamp};
use mainstay_control::{At, Sight, State, job_of};
use mainstay_model::change::{Action, Change};
use mainstay_model::dataset::{DataFile, SliceVersion};
use mainstay_model::fact::{
    Applied, AttemptStarted, Fact, Layer, Published, PublishedDataset, PublishedSlice, RunFinished,
    RunRecorded,
};
use mainstay_model::id::ApplyId;
use mainstay_model::queue::Class;
use mainstay_model::resource::Spec;
use mainstay_model::run::{Amount, Input, Pinned, RunOutcome, Scope, Usage};
use mainstay_model::{DatasetName, RunId, Schema, SliceKey};
use mainstay_planner::{Job, StaleSlices, fingerprints};
use mainstay_server::{Planning, SliceColumns};

use crate::Outcome;
use crate::project::Project;

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) jobs: Vec<Job>,
    now: i64,
}

fn digest(seed: u128) -> MultisetHash {
    let mut sum = MultisetHash::EMPTY;
    sum.insert([
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
        !seed,
    ]);
    sum
}

/// A content that nothing else has.
fn content(prefix: &str, seed: u64) -> SliceVersion {
    SliceVersion {
        files: vec![DataFile {
            path: format!("{prefix}/part-{seed:08}.parquet"),
            rows: Rows(100 + seed % 1000),
            bytes: Bytes(10_000 + seed % 100_000),
            digest: digest(u128::from(seed)),
            origin: None,
        }],
    }
}

impl World {
    /// A world with a project applied and its sources delivered.
    pub(crate) fn new(project: Project) -> Self {
        let change = |resource: &mainstay_model::Resource| Change {
            resource: resource.key(),
            action: Action::Create,
            generation: 1,
            fields: Vec::new(),
            after: Some(resource.clone()),
        };
        let mut world = Self {
            state: State::default(),
            jobs: project.resources.iter().filter_map(job_of).collect(),
            now: 1_700_000_000_000_000,
        };
        world.fold(Applied {
            apply: ApplyId(1),
            plan: None,
            reverts: None,
            branch: None,
            promotes: None,
            changes: project.resources.iter().map(change).collect(),
        });
        for (name, slices) in project.slices {
            world.publish(&name, None, slices.into_iter().map(|s| (s, None)).collect(), None);
        }
        world
    }

    /// A world from a snapshot.
    pub(crate) fn of(state: State) -> Self {
        let resources: Vec<_> = state.main.declared().map(|(_, _, r)| r.clone()).collect();
        let jobs: std::collections::BTreeMap<DatasetName, Job> = resources
            .iter()
            .filter_map(job_of)
            .map(|j| (j.dataset.clone(), j))
            .collect();
        let reads = jobs
            .iter()
            .map(|(n, j)| (n.clone(), j.reads.keys().cloned().collect()))
            .collect();
        let order = mainstay_planner::order(&reads).unwrap_or_default();
        Self {
            jobs: order.iter().filter_map(|n| jobs.get(n).cloned()).collect(),
            state,
            now: 1_800_000_000_000_000,
        }
    }

    pub(crate) fn fold(&mut self, fact: impl Into<Fact>) {
        self.now += 1_000_000;
        let seq = self.state.seq + 1;
        self.state.apply(
            seq,
            Timestamp::from_micros(self.now),
            "service/bench",
            None,
            fact.into(),
        );
    }

    pub(crate) fn slices(&self) -> usize {
        self.state.main.datasets.values().map(|d| d.slices.len()).sum()
    }

    pub(crate) fn save(&self, path: &Path) -> Outcome<()> {
        Ok(std::fs::write(path, self.state.encode()?)?)
    }

    /// Publishes new contents of slices; with what they were computed from, for a job.
    pub(crate) fn publish(
        &mut self,
        name: &DatasetName,
        run: Option<RunId>,
        slices: Vec<(SliceKey, Option<Hash>)>,
        whole: Option<Hash>,
    ) {
        let (schema, slice_columns) = self.shape(name);
        let version = self
            .state
            .main
            .dataset(name)
            .map_or(0, mainstay_control::Dataset::version)
            + 1;
        let prefix = run.map_or_else(|| "d1-1-0".to_owned(), |r| format!("r{}-1", r.0));
        let seed = self.state.seq << 24;
        let slice = |(n, (slice, fingerprint)): (u64, (SliceKey, Option<Hash>))| PublishedSlice {
            slice,
            fingerprint,
            content: Some(content(&prefix, seed + n)),
            run: None,
        };
        let dataset = PublishedDataset {
            dataset: name.clone(),
            version,
            schema,
            slice_columns,
            slices: (0..).zip(slices).map(slice).collect(),
            removed: Vec::new(),
            whole,
            layer: Layer::Shown,
            overlay: None,
        };
        self.fold(Published {
            run,
            deliveries: Vec::new(),
            datasets: vec![dataset],
            branch: None,
            amendment: None,
            promotes: None,
        });
    }

    fn shape(&self, name: &DatasetName) -> (Schema, Vec<String>) {
        let found = self
            .state
            .main
            .declared()
            .find(|(k, ..)| k.name == name.to_string());
        match found.map(|(_, _, r)| &r.spec) {
            Some(Spec::Job(job)) => (job.compiled.columns.clone(), job.slice.clone()),
            Some(Spec::Source(source)) => (
                source.columns.clone().unwrap_or_default(),
                source.slice.iter().map(|s| s.name.clone()).collect(),
            ),
            _ => Default::default(),
        }
    }

    /// Records a run that computes slices of a job's dataset.
    pub(crate) fn run(&mut self, job: &Job, slices: &StaleSlices) {
        let run = RunId(self.state.last_run + 1);
        let (whole, each) = {
            let sight = Sight::live(&self.state);
            fingerprints(job, &At::now(&sight), &SliceColumns::now(&sight), slices)
        };
        let input = |(name, reads): (&DatasetName, &mainstay_model::relation::Reads)| Input {
            dataset: name.clone(),
            version: self
                .state
                .main
                .dataset(name)
                .map_or(0, mainstay_control::Dataset::version),
            reads: reads.clone(),
        };
        let pinned = Pinned {
            job: job.dataset.clone(),
            branch: None,
            generation: 1,
            code: job.code,
            scope: match slices {
                StaleSlices::Whole => Scope::Whole,
                StaleSlices::Some(list) => Scope::Slices(list.clone()),
            },
            inputs: job.reads.iter().map(input).collect(),
            as_of: Timestamp::from_micros(self.now),
            engine: mainstay_server::ENGINE.to_owned(),
            settings: std::collections::BTreeMap::new(),
            judged: None,
        };
        self.fold(RunRecorded {
            run,
            pinned,
            because: "its inputs changed".to_owned(),
            class: Class::Interactive,
        });
        self.fold(AttemptStarted { run, attempt: 1 });
        let slices = match whole {
            Some(_) => vec![(SliceKey::whole(), None)],
            None => each.into_iter().map(|(s, f)| (s, Some(f))).collect(),
        };
        self.publish(&job.dataset, Some(run), slices, whole);
        let amount = Amount {
            rows: Rows(100_000),
            bytes: Bytes(1_000_000),
        };
        self.fold(RunFinished {
            run,
            attempts: 1,
            outcome: RunOutcome::Succeeded,
            error: None,
            usage: Usage {
                cpu: CpuTime::default(),
                wall_us: 20_000,
                peak_memory: Bytes(1 << 20),
                spilled: Bytes(0),
                read: job.reads.keys().map(|n| (n.clone(), amount)).collect(),
                written: [(job.dataset.clone(), amount)].into(),
            },
            checks: Vec::new(),
            reused_from: None,
            cross_check: None,
            unread: Vec::new(),
        });
    }

    /// Says which slices of a job have to be computed.
    pub(crate) fn stale(&self, planning: &mut Planning, job: &Job) -> Option<StaleSlices> {
        planning.stale(&Sight::live(&self.state), job).map(|s| s.slices)
    }

    /// Runs what is stale, until nothing is.
    fn settle(&mut self) {
        let mut planning = Planning::default();
        for job in self.jobs.clone() {
            if let Some(slices) = self.stale(&mut planning, &job) {
                self.run(&job, &slices);
            }
        }
    }
}

/// All computed; and once more for some slices, so that there is a past.
pub(crate) fn sliced(project: Project) -> World {
    let late: Vec<(DatasetName, Vec<SliceKey>)> = project
        .slices
        .iter()
        .map(|(n, all)| (n.clone(), all.iter().step_by(100).cloned().collect()))
        .collect();
    let mut world = World::new(project);
    world.settle();
    for (name, slices) in late {
        world.publish(&name, None, slices.into_iter().map(|s| (s, None)).collect(), None);
    }
    world.settle();
    world
}

/// All computed, again and again, one slice each time.
pub(crate) fn used(project: Project, runs: u64) -> World {
    let slices: Vec<(DatasetName, Vec<SliceKey>)> = project.slices.clone().into_iter().collect();
    let mut world = World::new(project);
    world.settle();
    let job = world.jobs.first().cloned();
    let one = slices.first().and_then(|(name, all)| Some((name, all.first()?)));
    if let (Some(job), Some((name, slice))) = (job, one) {
        while world.state.last_run < runs {
            // The source changes now and then; each run makes a version.
            if world.state.last_run.is_multiple_of(100) {
                world.publish(name, None, vec![(slice.clone(), None)], None);
            }
            world.run(&job, &StaleSlices::Some(vec![slice.clone()]));
        }
    }
    world
}

/// All computed.
pub(crate) fn wide(project: Project) -> World {
    let mut world = World::new(project);
    world.settle();
    world
}
