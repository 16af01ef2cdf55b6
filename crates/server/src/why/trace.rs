//! Back from a run to the first causes, over runs, deliveries, amendments, applies and branches.
//!
//! The search goes in breadth, so that each cause is reached on its shortest path, and nothing is said twice.

use std::collections::{BTreeSet, VecDeque};

use mainstay_api::Cause;
use mainstay_base::text::count;
use mainstay_control::{Dataset, Line, VersionEntry};
use mainstay_model::amendment::Edit;
use mainstay_model::delivery::{Delivery, Outcome};
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::{BranchName, DatasetName, SliceKey};

use super::look::{By, Look, changing, of};
use super::steps::{Step, origins};
use crate::report;

/// How many files of one publish are named.
const FILES_SHOWN: usize = 8;

/// How many runs are followed.
const RUNS_FOLLOWED: usize = 64;

/// How many slices are named.
const SLICES_SHOWN: usize = 3;

/// A place in the tree of causes.
pub(super) type Place = Option<usize>;

/// A run whose causes are still to be found.
pub(super) struct Task {
    pub(super) run: RunId,
    /// The slices of its output that matter; all if none are named.
    pub(super) slices: Option<Vec<SliceKey>>,
    /// Under which cause they stand.
    pub(super) under: Place,
}

/// A tree of causes that grows.
pub(super) struct Trace<'a> {
    pub(super) look: &'a Look<'a>,
    nodes: Vec<(Place, Cause)>,
    queue: VecDeque<Task>,
    seen: BTreeSet<String>,
    followed: usize,
}

impl<'a> Trace<'a> {
    pub(super) fn new(look: &'a Look<'a>) -> Self {
        Self {
            look,
            nodes: Vec::new(),
            queue: VecDeque::new(),
            seen: BTreeSet::new(),
            followed: 0,
        }
    }

    pub(super) fn add(&mut self, under: Place, cause: Cause) -> Place {
        self.nodes.push((under, cause));
        Some(self.nodes.len() - 1)
    }

    /// Says whether something was not said yet, and notes that it is now.
    pub(super) fn once(&mut self, thing: impl ToString) -> bool {
        self.seen.insert(thing.to_string())
    }

    pub(super) fn follow(&mut self, task: Task) {
        self.queue.push_back(task);
    }

    /// Follows everything that is still to be followed, and returns the causes line by line.
    pub(super) fn finish(mut self) -> Vec<Cause> {
        while let Some(task) = self.queue.pop_front() {
            self.followed += 1;
            if self.followed > RUNS_FOLLOWED {
                let text = format!("and more upstream; mainstay why {} goes on from there", task.run);
                self.add(task.under, of(By::default().cause("unknown", text), task.run));
                break;
            }
            let Some(run) = self.look.run(&task.run) else {
                continue;
            };
            self.run(task.under, run, task.slices.as_deref(), false);
        }
        self.said()
    }

    /// Returns the causes that were said so far, line by line.
    pub(super) fn said(self) -> Vec<Cause> {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut left: Vec<(usize, u32)> = Vec::new();
        for (i, (under, _)) in self.nodes.iter().enumerate() {
            match under.and_then(|u| below.get_mut(u)) {
                Some(list) => list.push(i),
                None => left.push((i, 0)),
            }
        }
        left.reverse();
        let mut causes = Vec::with_capacity(self.nodes.len());
        while let Some((i, depth)) = left.pop() {
            if let Some((_, cause)) = self.nodes.get(i) {
                causes.push(Cause {
                    depth,
                    ..cause.clone()
                });
            }
            let children = below.get(i).map(Vec::as_slice).unwrap_or_default();
            left.extend(children.iter().rev().map(|c| (*c, depth + 1)));
        }
        causes
    }

    /// Says what made a publish, and notes what is to be followed.
    pub(super) fn step(&mut self, under: Place, line: &'a Line, name: &DatasetName, step: &Step<'a>) {
        let entry = step.entry;
        let at = self.slices(line, name, &step.slices);
        if let Some(id) = entry.amendment {
            self.amendment_step(under, name, id, &at, entry);
        } else if let Some(id) = entry.run {
            self.run_step(under, name, id, step, &at);
        } else if let Some(branch) = &entry.promotes {
            self.branch(under, branch, entry, &format!("{at}, version {}", entry.version));
        } else if let Some(dataset) = line.dataset(name) {
            self.deliveries(under, dataset, name, step);
        }
    }

    /// Writes slices as an address with what else there is: `air.flights@2013-01-09 and 2 more slices`.
    pub(super) fn slices(&self, line: &Line, name: &DatasetName, slices: &[SliceKey]) -> String {
        let columns = line
            .dataset(name)
            .map(|d| d.slice_columns.as_slice())
            .unwrap_or_default();
        let shown: Vec<String> = slices
            .iter()
            .take(SLICES_SHOWN)
            .map(|s| s.text(columns))
            .collect();
        let first = shown.join(", ");
        match slices {
            [] => name.to_string(),
            [one] if one.0.is_empty() => name.to_string(),
            many if many.len() > SLICES_SHOWN => format!(
                "{name}@{first} and {} more",
                count((many.len() - SLICES_SHOWN) as u64, "slice")
            ),
            _ => format!("{name}@{first}"),
        }
    }

    fn run_step(&mut self, under: Place, name: &DatasetName, id: RunId, step: &Step<'_>, at: &str) {
        let version = step.entry.version;
        let Some(run) = self.look.run(&id) else {
            if self.once(id) {
                let by = self.look.by(step.entry.seq, step.entry.time);
                let text = format!(
                    "{id} published {at}, version {version}; it is too old for its record to be at hand"
                );
                self.add(under, of(by.cause("run", text), format!("run/{id}")));
            }
            return;
        };
        let text = format!("{at} got version {version} by {id}");
        if !self.once(format!("{id} {name}")) {
            return;
        }
        let cause = changing(By::from(run).cause("run", text), run.because.clone());
        let place = self.add(under, of(cause, format!("run/{id}")));
        self.follow(Task {
            run: id,
            slices: Some(step.slices.clone()),
            under: place,
        });
    }

    fn amendment_step(
        &mut self,
        under: Place,
        name: &DatasetName,
        id: AmendmentId,
        at: &str,
        entry: &VersionEntry,
    ) {
        let Some(a) = self.look.sight.state.amendments.get(&id) else {
            return;
        };
        if !self.once(format!("amendment/{id}")) {
            return;
        }
        let through = if a.dataset == *name {
            String::new()
        } else {
            format!(" through {}", a.dataset)
        };
        let text = format!("{at} was corrected{through} by {id}, version {}", entry.version);
        let cause = By {
            reason: a.reason.clone(),
            ..By::from(&a.proposed)
        }
        .cause("amendment", text);
        let cause = changing(cause, report::edit(&a.dataset, &a.edit));
        let place = self.add(under, of(cause, format!("amendment/{id}")));
        self.taken_back(place, &a.edit);
    }

    /// Says what a correction takes back, if it takes one back.
    pub(super) fn taken_back(&mut self, under: Place, edit: &Edit) {
        let (mut under, mut edit) = (under, edit);
        while let Edit::Revert { amendment } = edit {
            let Some(a) = self.look.sight.state.amendments.get(amendment) else {
                return;
            };
            if !self.once(format!("amendment/{amendment}")) {
                return;
            }
            let by = By {
                reason: a.reason.clone(),
                ..By::from(&a.proposed)
            };
            let text = format!("it takes back {amendment}");
            let cause = changing(by.cause("amendment", text), report::edit(&a.dataset, &a.edit));
            under = self.add(under, of(cause, format!("amendment/{amendment}")));
            edit = &a.edit;
        }
    }

    /// Says that a branch was promoted, by whom, and what it changed.
    pub(super) fn branch(&mut self, under: Place, name: &BranchName, entry: &VersionEntry, what: &str) {
        if !self.once(format!("branch/{name}")) {
            return;
        }
        let by = self.look.by(entry.seq, entry.time);
        let reason = self
            .look
            .sight
            .state
            .branches
            .get(name)
            .and_then(|b| b.about.reason.clone());
        let by = By {
            reason: by.reason.or(reason),
            ..by
        };
        let text = format!("branch {name} was promoted: {what}");
        let place = self.add(under, of(by.cause("branch", text), format!("branch/{name}")));
        let applies = self.look.sight.state.applies.iter();
        let promoted: Vec<_> = applies
            .filter(|(_, a)| a.promotes.as_ref() == Some(name))
            .map(|(id, a)| (*id, a.clone()))
            .collect();
        for (id, a) in promoted {
            if self.once(format!("apply/{id}")) {
                let changed: Vec<String> = a.changed.iter().map(|(k, _)| k.to_string()).collect();
                let text = format!("apply/{id} changed {}", changed.join(", "));
                self.add(
                    place,
                    of(By::from(&a).cause("apply", text), format!("apply/{id}")),
                );
            }
        }
    }

    /// Says which delivered files made a publish.
    pub(super) fn deliveries(
        &mut self,
        under: Place,
        dataset: &Dataset,
        name: &DatasetName,
        step: &Step<'_>,
    ) {
        let entry = step.entry;
        let files = origins(dataset, entry.seq, &step.slices);
        let mut missing = files.clone();
        let found = self.look.delivered_with(entry.seq, name, |d| {
            missing.remove(&d.file);
            files.is_empty() || !missing.is_empty()
        });
        let meant: Vec<_> = found
            .into_iter()
            .filter(|(_, d)| files.is_empty() || files.contains(&d.file))
            .filter(|(_, d)| !matches!(d.outcome, Outcome::SetAside { .. } | Outcome::Held { .. }))
            .collect();
        if meant.is_empty() {
            let by = self.look.by(entry.seq, entry.time);
            let text = format!("{name} got version {} by a delivery", entry.version);
            if self.once(format!("{name} {}", entry.version)) {
                self.add(under, by.cause("delivery", text));
            }
            return;
        }
        let (mut shown, mut more) = (0, 0u64);
        let mut last = By::default();
        for (record, d) in &meant {
            if shown < FILES_SHOWN {
                if self.once(format!("delivery/{}", d.id)) {
                    let text = format!("{} delivered {} to {name}", d.id, d.file);
                    let cause = changing(By::from(record).cause("delivery", text), outcome(d));
                    self.add(under, of(cause, format!("delivery/{}", d.id)));
                    shown += 1;
                }
            } else {
                more += 1;
                last = By::from(record);
            }
        }
        if more > 0 {
            let text = format!("and {} of {name} in the same delivery", count(more, "more file"));
            self.add(under, last.cause("delivery", text));
        }
    }
}

/// Says in words what became of a delivered file.
pub(super) fn outcome(d: &Delivery) -> String {
    let other_rows = |text: String| {
        let would = matches!(d.outcome, Outcome::Held { .. });
        let each = d.reapplied.iter().map(|r| {
            let rows = crate::report::other_rows(r.new, r.gone, would);
            format!("{} {rows}", r.amendment)
        });
        std::iter::once(text).chain(each).collect::<Vec<_>>().join("; ")
    };
    other_rows(match &d.outcome {
        Outcome::Taken {
            rows,
            slices,
            replaced: Some(id),
        } => format!(
            "{rows} in {}, instead of those of {id}",
            count(slices.len() as u64, "slice")
        ),
        Outcome::Taken { rows, slices, .. } => {
            format!("{rows} in {}", count(slices.len() as u64, "slice"))
        }
        Outcome::Duplicate { of } => {
            format!("its content was there already, from {of}; its former rows went")
        }
        Outcome::SetAside { error } => format!("set aside: {}", error.message),
        Outcome::Held { rows, .. } => format!("{rows} held back until somebody says yes"),
    })
}
