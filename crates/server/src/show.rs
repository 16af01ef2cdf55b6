//! `list`, `show`, `slices`, `runs`.

mod history;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{DatasetReport, Error, ErrorKind, ListReport, RunsReport, SliceReport, SlicesReport};
use mainstay_base::Timestamp;
use mainstay_control::{Dataset, Sight, used};
use mainstay_model::address::Selection;
use mainstay_model::resource::{Kind, Resource, ResourceKey, Spec};
use mainstay_model::{Address, DatasetName, RunId, SliceKey};
use mainstay_planner::StaleSlices;
use serde_json::{Value, json};

use crate::alarm;
use crate::deliver::read_otherwise;
use crate::hook;
use crate::instance::Instance;
use crate::lineage;
use crate::means::parallel;
use crate::outbox;
use crate::planning::Planning;
use crate::promise::{self, Unseen};
use crate::report;
use crate::trigger;

/// What can be listed.
const LISTED: [&str; 19] = [
    "alarm",
    "amendment",
    "apply",
    "branch",
    "channel",
    "check",
    "dataset",
    "dead-letter",
    "delivery",
    "hook",
    "job",
    "limit",
    "message",
    "plan",
    "project",
    "promise",
    "run",
    "source",
    "trigger",
];

pub(crate) fn not_found(what: &str, known: &BTreeSet<String>) -> Error {
    let error = Error::new(ErrorKind::NotFound, "MS0401", format!("there is no `{what}`"));
    match mainstay_base::text::nearest(what, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("mainstay list dataset shows what there is"),
    }
}

/// Nothing of that kind can be listed.
fn no_such_kind(kind: &str) -> Error {
    let error = Error::new(
        ErrorKind::NotFound,
        "MS0401",
        format!("`{kind}` is not a kind of thing that can be listed"),
    );
    let kinds = format!("the kinds are {}", LISTED.join(", "));
    match mainstay_base::text::nearest(kind, LISTED) {
        Some(near) => error.help(format!("did you mean `{near}`? {kinds}")),
        None => error.help(kinds),
    }
}

/// No job computes a dataset.
pub(crate) fn not_computed(sight: &Sight<'_>, name: &DatasetName) -> Error {
    let is_source = sight.resource(&ResourceKey::new(Kind::Source, name)).is_some();
    if !is_source && sight.dataset(name).is_none() {
        return not_found(&name.to_string(), &things(sight));
    }
    let (message, help) = if is_source {
        (
            format!("{name} is a source: it reads files, and no dataset"),
            "mainstay list delivery has the files; jobs have dependencies",
        )
    } else {
        (
            format!("no job computes {name} any more, so it reads nothing"),
            "mainstay history DATASET says what became of it",
        )
    };
    Error::new(ErrorKind::Invalid, "MS0401", message).help(help)
}

fn to_value<T: serde::Serialize>(item: &T) -> Value {
    serde_json::to_value(item).unwrap_or_default()
}

/// The jobs whose last run failed for good, with that run: what is left to be mended.
fn dead_letters(sight: &Sight<'_>) -> Vec<Value> {
    let failing = sight.state.failing.iter();
    let jobs = failing.filter(|(job, _)| sight.resource(&ResourceKey::new(Kind::Job, job)).is_some());
    let letters = jobs.map(|(job, failing)| {
        let run = sight.state.runs.get(&failing.run);
        json!({ "run": failing.run.to_string(), "job": job.to_string(), "failed": failing.in_row, "time": failing.last,
            "who": run.map(|r| &r.actor), "error": run.and_then(|r| r.error.as_ref()).map(to_value) })
    });
    letters.collect()
}

/// How much of a limit is taken, and by whom.
fn limit_status(sight: &Sight<'_>, key: &ResourceKey) -> Value {
    let most = u32::try_from(parallel(sight)).unwrap_or(u32::MAX);
    let used = used(sight.state, &key.to_string(), most);
    let texts = |runs: &[RunId]| runs.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "taken": used.taken, "held_by": texts(&used.held_by), "waiting": used.waiting.len() })
}

fn resource_value(
    sight: &Sight<'_>,
    planning: &mut Planning,
    key: &ResourceKey,
    generation: u64,
    r: &Resource,
    (unseen, now): (&Unseen, Timestamp),
) -> Value {
    let mut value = json!({ "kind": key.kind.to_string(), "name": r.name, "tags": r.tags, "generation": generation,
        "spec": to_value(&r.spec) });
    let status = match &r.spec {
        Spec::Promise(spec) => {
            promise::status(sight, planning, &spec.dataset, unseen, now).map(|status| to_value(&status))
        }
        Spec::Hook(_) => hook::status(sight, r),
        Spec::Limit(_) => Some(limit_status(sight, key)),
        Spec::Alarm(spec) => Some(alarm::status(sight, r, spec, now)),
        Spec::Channel(_) => lineage::status(sight, r, now),
        _ => trigger::status(sight, r),
    };
    if let (Some(status), Some(fields)) = (status, value.as_object_mut()) {
        fields.insert("status".to_owned(), status);
    }
    value
}

impl Instance {
    /// Lists the things of a kind: `dataset`, `source`, `job`, `check`, `project`, `delivery`, `run`, `plan`, `apply`,
    /// `amendment`, `branch`, `trigger`, `promise`, `hook`, `channel`, `limit`, `alarm`, `message`,
    /// `dead-letter`.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown kind.
    pub fn list(&self, kind: &str) -> Result<ListReport, Error> {
        let given = kind;
        let singular = match (kind.strip_suffix("ies"), kind) {
            (Some(stem), _) => format!("{stem}y"),
            (None, "branches") => "branch".to_owned(),
            (None, kind) => kind.strip_suffix('s').unwrap_or(kind).to_owned(),
        };
        let kind = singular.as_str();
        let items: Vec<Value> = match kind {
            "dataset" => {
                let names = self.with(datasets);
                names.iter().filter_map(|n| self.dataset(n).ok()).map(|d| to_value(&d)).collect()
            }
            "delivery" => self.with(|state| {
                let mut files: Vec<_> = state.state.sources.values().flat_map(BTreeMap::values).collect();
                files.sort_by_key(|f| f.last.id);
                files.iter().map(|f| to_value(&report::source_file(state, f))).collect()
            }),
            "run" => self.runs().runs.iter().map(to_value).collect(),
            "plan" => self.with(|state| {
                let each = |(id, p): (&mainstay_model::PlanId, &mainstay_control::PlanEntry)| {
                    json!({ "plan": id.to_string(), "time": p.time, "changes": p.changes.len(),
                        "branch": p.branch, "current": p.branch.as_ref() == state.branch && p.base == state.last_apply })
                };
                state.state.plans.iter().map(each).collect()
            }),
            "apply" => self.with(|state| {
                let each = |(id, a): (&mainstay_model::ApplyId, &mainstay_control::AppliedEntry)| {
                    let changed: Vec<String> = a.changed.iter().map(|(k, _)| k.to_string()).collect();
                    json!({ "apply": id.0, "time": a.time, "who": a.actor, "reason": a.reason, "branch": a.branch, "promotes": a.promotes, "changed": changed, "seq": a.seq,
                        "plan": a.plan.map(|p| p.to_string()), "reverts": a.reverts.map(|r| r.0) })
                };
                state.state.applies.iter().map(each).collect()
            }),
            "amendment" => self.with(|state| {
                let all = state.state.amendments.iter();
                all.map(|(id, a)| to_value(&report::amendment(self.account(), state, *id, a))).collect()
            }),
            "branch" => self.with(|state| {
                // The branches in which amendments are made are mainstay's own.
                let of_people = state.state.branches.iter().filter(|(name, _)| !name.is_of_amendment());
                of_people.map(|(name, b)| to_value(&report::branch(name, b))).collect()
            }),
            "dead-letter" => self.with(dead_letters),
            "message" => self.with(|state| {
                state.state.messages.all.iter().map(|(id, m)| outbox::listed(*id, m)).collect()
            }),
            _ => {
                let wanted: Kind = kind.parse().map_err(|_: String| no_such_kind(given))?;
                let (unseen, now) = (self.unseen(), self.clock.now());
                self.planning(|state, planning| {
                    let of_kind = state.declared().filter(|(k, ..)| k.kind == wanted);
                    of_kind.map(|(k, g, r)| resource_value(state, planning, k, g.number, r, (&unseen, now))).collect()
                })
            }
        };
        Ok(ListReport {
            kind: kind.to_owned(),
            items,
        })
    }

    /// Shows one thing.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such thing.
    pub fn show(&self, address: &Address) -> Result<Value, Error> {
        let now = self.clock.now();
        let found = match address {
            Address::Dataset(name, Selection::All) => return self.dataset(name).map(|d| to_value(&d)),
            Address::Dataset(name, selection) => return self.slices(name, selection).map(|s| to_value(&s)),
            Address::Run(id) => {
                let gone = self.writer_is_gone();
                self.with(|s| {
                    let mut run = report::run(s, *id, s.state.runs.get(id)?, now);
                    if gone {
                        report::lose(&mut run);
                    }
                    Some(to_value(&run))
                })
            }
            Address::Plan(id) => self.with(|s| {
                let p = s.state.plans.get(id)?;
                Some(json!({ "plan": id.to_string(), "time": p.time, "base": p.base.map(|b| b.0),
                    "branch": p.branch, "current": p.branch.as_ref() == s.branch && p.base == s.last_apply, "changes": p.changes }))
            }),
            Address::Apply(id) => self.with(|s| {
                let a = s.state.applies.get(id)?;
                let changed: Vec<String> = a.changed.iter().map(|(k, _)| k.to_string()).collect();
                Some(json!({ "apply": id.0, "time": a.time, "who": a.actor, "reason": a.reason, "branch": a.branch, "promotes": a.promotes, "seq": a.seq,
                    "plan": a.plan.map(|p| p.to_string()), "reverts": a.reverts.map(|r| r.0), "changed": changed }))
            }),
            Address::Delivery(id) => self.with(|s| {
                let file = s.state.sources.values().flat_map(BTreeMap::values).find(|f| f.last.id == *id)?;
                Some(to_value(&report::source_file(s, file)))
            }),
            Address::Amendment(id) => self.with(|s| {
                let amendment = s.state.amendments.get(id)?;
                Some(to_value(&report::amendment(self.account(), s, *id, amendment)))
            }),
            Address::Branch(name) => self.with(|s| {
                let branch = s.state.branches.get(name)?;
                Some(to_value(&report::branch(name, branch)))
            }),
            Address::Resource(key) => {
                let unseen = self.unseen();
                self.planning(|s, planning| {
                    let generation = s.resources.get(key)?.newest()?;
                    let resource = generation.resource.as_ref()?;
                    Some(resource_value(s, planning, key, generation.number, resource, (&unseen, now)))
                })
            }
        };
        found.ok_or_else(|| self.no_such(address))
    }

    /// The error of a thing that is not there.
    pub(crate) fn no_such(&self, address: &Address) -> Error {
        let listed = match address {
            Address::Run(_) => "mainstay runs shows those there are",
            Address::Plan(_) => "mainstay list plan shows those there are",
            Address::Apply(_) => "mainstay list apply shows those there are",
            Address::Delivery(_) => {
                "mainstay list delivery shows the newest of each file; earlier ones are in the journal"
            }
            Address::Amendment(_) => "mainstay list amendment shows those there are",
            Address::Branch(_) => "mainstay list branch shows those there are",
            Address::Resource(key) if self.with(|s| s.resources.contains_key(key)) => {
                let message = format!("`{address}` is not declared any more");
                return Error::new(ErrorKind::NotFound, "MS0401", message)
                    .help(format!("mainstay history {address} says what became of it"));
            }
            Address::Dataset(..) | Address::Resource(_) => {
                return not_found(&address.to_string(), &self.with(things));
            }
        };
        Error::new(ErrorKind::NotFound, "MS0401", format!("there is no `{address}`")).help(listed)
    }

    /// Describes a dataset.
    ///
    /// # Errors
    ///
    /// `NotFound` if nothing fills it and nothing is in it.
    pub fn dataset(&self, name: &DatasetName) -> Result<DatasetReport, Error> {
        let store = self.store()?;
        let (unseen, now) = (self.unseen(), self.clock.now());
        let found = self.planning(|state, planning| {
            let held = state.dataset(name);
            let is = |kind| {
                state
                    .resources
                    .get(&ResourceKey::new(kind, name))
                    .is_some_and(|h| h.resource().is_some())
            };
            let filled_by = match (is(Kind::Source), is(Kind::Job)) {
                (true, _) => "source",
                (_, true) => "job",
                _ if held.is_some() => "nothing",
                _ => return None,
            };
            let empty = Dataset::default();
            let d = held.unwrap_or(&empty);
            let contents = || d.slices.values().filter_map(|h| h.newest());
            let fresh = fresh(state, planning, name);
            Some(DatasetReport {
                name: name.to_string(),
                filled_by: filled_by.to_owned(),
                location: format!(
                    "{}/{}",
                    store.url().as_str().trim_end_matches('/'),
                    self.table(name)
                ),
                version: d.version(),
                delta_version: d.projected.map(|(_, v)| v),
                rows: contents().map(|c| c.rows().0).sum(),
                bytes: contents().map(|c| c.bytes().0).sum(),
                slices: contents().count() as u64,
                slice_columns: d.slice_columns.clone(),
                columns: d.schema().cloned().unwrap_or_default(),
                published: d.versions.last().map(|v| v.time),
                state: if d.versions.is_empty() {
                    "empty"
                } else if fresh {
                    "fresh"
                } else {
                    "stale"
                }
                .to_owned(),
                promise: promise::status(state, planning, name, &unseen, now),
            })
        });
        found.ok_or_else(|| not_found(&name.to_string(), &self.with(things)))
    }

    /// Lists slices of a dataset.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such dataset.
    pub fn slices(&self, name: &DatasetName, selection: &Selection) -> Result<SlicesReport, Error> {
        self.dataset(name)?;
        let slices = self.planning(|state, planning| {
            let empty = Dataset::default();
            let d = state.dataset(name).unwrap_or(&empty);
            let (columns, stale) = stale_slices(state, planning, name);
            let columns = if d.slice_columns.is_empty() {
                columns
            } else {
                d.slice_columns.clone()
            };
            let mut keys: BTreeSet<&SliceKey> = d
                .slices
                .iter()
                .filter(|(_, h)| h.newest().is_some())
                .map(|(k, _)| k)
                .collect();
            if let Some(StaleSlices::Some(list)) = &stale {
                keys.extend(list);
            }
            let selected = keys.into_iter().filter(|k| selection.matches(k, &columns));
            let each = |key: &SliceKey| {
                let history = d.slices.get(key);
                let content = history.and_then(|h| h.newest());
                let version = history.filter(|_| content.is_some()).map_or(0, |h| h.since());
                let is_stale = match &stale {
                    Some(StaleSlices::Whole) => true,
                    Some(StaleSlices::Some(list)) => list.binary_search(key).is_ok(),
                    None => false,
                };
                SliceReport {
                    slice: key.text(&columns),
                    state: match (content.is_some(), is_stale) {
                        (false, _) => "missing",
                        (true, true) => "stale",
                        (true, false) => "fresh",
                    }
                    .to_owned(),
                    rows: content.map_or(0, |c| c.rows().0),
                    bytes: content.map_or(0, |c| c.bytes().0),
                    digest: content.map(|c| c.digest().to_string()),
                    version,
                    run: d
                        .versions
                        .iter()
                        .find(|v| v.version == version)
                        .and_then(|v| v.run)
                        .map(|r| r.to_string()),
                }
            };
            selected.map(each).collect()
        });
        Ok(SlicesReport {
            dataset: name.to_string(),
            slices,
        })
    }

    /// Lists the runs that are known in the state, the oldest first.
    pub fn runs(&self) -> RunsReport {
        let now = self.clock.now();
        let gone = self.writer_is_gone();
        let mut report = self.with(|state| RunsReport {
            runs: state
                .state
                .runs
                .iter()
                .map(|(id, r)| report::run(state, id, r, now))
                .collect(),
        });
        report.runs.iter_mut().filter(|_| gone).for_each(report::lose);
        report
    }
}

pub(crate) fn datasets(state: &Sight<'_>) -> BTreeSet<DatasetName> {
    let declared = state
        .declared()
        .filter(|(k, ..)| matches!(k.kind, Kind::Source | Kind::Job));
    declared
        .filter_map(|(k, ..)| k.name.parse().ok())
        .chain(state.datasets.keys().cloned())
        .collect()
}

pub(crate) fn things(state: &Sight<'_>) -> BTreeSet<String> {
    let names = datasets(state).into_iter().map(|n| n.to_string());
    names
        .chain(state.resources.keys().map(ToString::to_string))
        .collect()
}

/// Says which slices of a job's dataset are stale, with its slice columns; none for sources.
pub(crate) fn stale_slices(
    state: &Sight<'_>,
    planning: &mut Planning,
    name: &DatasetName,
) -> (Vec<String>, Option<StaleSlices>) {
    match crate::jobs::declared(state, name) {
        Some(job) => (
            job.slice_columns.clone(),
            planning.stale(state, &job).map(|s| s.slices),
        ),
        None => (Vec::new(), None),
    }
}

/// Says whether a dataset is what it should be, and all that it is computed from, too.
pub(crate) fn fresh(state: &Sight<'_>, planning: &mut Planning, name: &DatasetName) -> bool {
    let mut left = vec![name.clone()];
    let mut seen = BTreeSet::new();
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if stale_slices(state, planning, &name).1.is_some() || is_read_otherwise(state, &name) {
            return false;
        }
        let job = crate::jobs::declared(state, &name);
        left.extend(job.into_iter().flat_map(|j| j.reads.into_keys()));
    }
    true
}

/// Says whether files of a source have to be read again.
fn is_read_otherwise(state: &Sight<'_>, name: &DatasetName) -> bool {
    let source = state.resource(&ResourceKey::new(Kind::Source, name));
    match source.map(|r| &r.spec) {
        Some(Spec::Source(spec)) => !read_otherwise(state, name, spec).is_empty(),
        _ => false,
    }
}
