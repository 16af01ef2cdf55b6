//! What a project declares: resources, and where each of their parts is written.
//!
//! Holds what the files say, as far as files can say it: what a query reads and yields is found out by a later phase, which
//! reports its mistakes at the places kept here. Everything in it is sorted by name.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::alarm::AlarmSpec;
use mainstay_model::hook::HookSpec;
use mainstay_model::message::ChannelSpec;
use mainstay_model::promise::PromiseSpec;
use mainstay_model::queue::LimitSpec;
use mainstay_model::resource::Spec;
use mainstay_model::spec::{CheckSpec, CircuitBreaker, Compiled, JobSpec, Retain, Retries, SourceSpec};
use mainstay_model::trigger::TriggerSpec;
use mainstay_model::{DatasetName, Resource};

use crate::place::{Place, Spanned, Text};

/// What the files of a project declare.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The project itself, of the kind `project`.
    pub project: Resource,
    /// Where its name is written.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Whose resources these are.
    pub account: String,
    /// The sources.
    pub sources: Vec<DeclaredSource>,
    /// The jobs.
    pub jobs: Vec<DeclaredJob>,
    /// The checks of all datasets.
    pub checks: Vec<DeclaredCheck>,
    /// The triggers.
    pub triggers: Vec<DeclaredTrigger>,
    /// The hooks.
    pub hooks: Vec<DeclaredHook>,
    /// The channels.
    pub channels: Vec<DeclaredChannel>,
    /// The limits.
    pub limits: Vec<DeclaredLimit>,
    /// The alarms.
    pub alarms: Vec<DeclaredAlarm>,
    /// Datasets that are declared, but with mistakes, and so are not above. Nothing should be said of what refers to them.
    pub broken: BTreeSet<DatasetName>,
    /// Whether all files could be read; if not, what seems to be missing may be declared in what could not.
    pub complete: bool,
}

impl Declared {
    /// Says whether a dataset is declared, or may be in what could not be read.
    pub fn may_have(&self, dataset: &DatasetName) -> bool {
        !self.complete || self.broken.contains(dataset) || self.datasets().any(|d| d == dataset)
    }

    /// Returns the promises of sources and jobs as resources.
    pub fn promises(&self) -> impl Iterator<Item = Resource> {
        let sources = self
            .sources
            .iter()
            .map(|s| (&s.dataset.value, &s.tags, s.keep_fresh_ms));
        let jobs = self
            .jobs
            .iter()
            .map(|j| (&j.dataset.value, &j.tags, j.keep_fresh_ms));
        sources.chain(jobs).filter_map(|(dataset, tags, within)| {
            let spec = PromiseSpec {
                dataset: dataset.clone(),
                within_ms: within?,
            };
            Some(Resource {
                name: dataset.to_string(),
                tags: tags.clone(),
                spec: Spec::Promise(spec),
            })
        })
    }

    /// Returns the datasets that sources and jobs fill, sources first.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetName> {
        let sources = self.sources.iter().map(|s| &s.dataset.value);
        sources.chain(self.jobs.iter().map(|j| &j.dataset.value))
    }
}

/// A source and where its parts are written.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredSource {
    /// The dataset that it fills.
    pub dataset: Spanned<DatasetName>,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: SourceSpec,
    /// Where its files are named.
    pub files: Place,
    /// The slice columns of the spec, in its order.
    pub slice: Vec<DeclaredSlice>,
    /// Where the columns of the spec are named, in its order.
    pub columns: Vec<Place>,
    /// How far it may be behind what its place holds, in milliseconds.
    pub keep_fresh_ms: Option<u64>,
}

impl DeclaredSource {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        let spec = Spec::Source(self.spec.clone());
        Resource {
            name: self.dataset.value.to_string(),
            tags: self.tags.clone(),
            spec,
        }
    }
}

/// A slice column of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredSlice {
    /// The column.
    pub column: Spanned<String>,
    /// The expression over delivered columns that yields it; the delivered column itself if `None`.
    pub expression: Option<Text>,
}

/// A job and where its parts are written.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredJob {
    /// The dataset that it computes; for a file named after it, the place is the query's first line.
    pub dataset: Spanned<DatasetName>,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it computes, in a sentence.
    pub description: Option<String>,
    /// The query as written, without the settings before it; a semicolon at its end and comments are still there.
    pub sql: Text,
    /// The slice columns, in order.
    pub slice: Vec<Spanned<String>>,
    /// How it is tried again.
    pub retries: Retries,
    /// How long one attempt may take, in milliseconds.
    pub time_limit_ms: Option<u64>,
    /// Which versions are kept.
    pub retain: Option<Retain>,
    /// When it is left alone for a time.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// The limits that it names, and how much a run takes of each.
    pub uses: Vec<(Spanned<String>, u32)>,
    /// How far it may be behind what it comes from, in milliseconds.
    pub keep_fresh_ms: Option<u64>,
}

impl DeclaredJob {
    /// Returns it as a resource, with what was found out about its query.
    pub fn resource(&self, compiled: Compiled) -> Resource {
        let spec = JobSpec {
            description: self.description.clone(),
            sql: self.sql.as_str().to_owned(),
            slice: self.slice.iter().map(|s| s.value.clone()).collect(),
            retries: self.retries,
            time_limit_ms: self.time_limit_ms,
            retain: self.retain,
            circuit_breaker: self.circuit_breaker,
            uses: self
                .uses
                .iter()
                .map(|(name, units)| (name.value.clone(), *units))
                .collect(),
            compiled,
        };
        let name = self.dataset.value.to_string();
        Resource {
            name,
            tags: self.tags.clone(),
            spec: Spec::Job(Box::new(spec)),
        }
    }
}

/// A trigger and where its parts are written.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredTrigger {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: TriggerSpec,
    /// The datasets that it names, in the order of writing: what is run, and what sets it off.
    pub datasets: Vec<Spanned<String>>,
    /// The hook whose messages set it off, if one does.
    pub hook: Option<Spanned<String>>,
    /// The channels that it tells.
    pub channels: Vec<Spanned<String>>,
}

impl DeclaredTrigger {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Trigger(self.spec.clone()),
        }
    }
}

/// An alarm and where its parts are written.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredAlarm {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: AlarmSpec,
    /// The datasets that it names.
    pub datasets: Vec<Spanned<String>>,
    /// The channels that it tells.
    pub channels: Vec<Spanned<String>>,
}

impl DeclaredAlarm {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Alarm(self.spec.clone()),
        }
    }
}

/// A hook and where it is named.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredHook {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: HookSpec,
}

impl DeclaredHook {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Hook(self.spec.clone()),
        }
    }
}

/// A channel and where it is named.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredChannel {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: ChannelSpec,
}

impl DeclaredChannel {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Channel(self.spec.clone()),
        }
    }
}

/// A limit and where it is named.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredLimit {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels, the project's included.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: LimitSpec,
    /// The jobs that it names.
    pub jobs: Vec<Spanned<String>>,
}

impl DeclaredLimit {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Limit(self.spec.clone()),
        }
    }
}

/// A check and where its parts are written.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredCheck {
    /// Its name: the dataset, a colon, and its name there, `air.daily_delays:not_null`.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    /// Its labels: its own, its dataset's, the project's.
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: CheckSpec,
    /// Where the dataset is named that is checked; for checks written with their dataset, where the check is.
    pub dataset: Place,
    /// The columns of the checked dataset that it names, in the order of writing, each time it does.
    pub columns: Vec<Spanned<String>>,
    /// The columns of other datasets that it refers to.
    pub references: Vec<Spanned<(DatasetName, String)>>,
    /// The query of a check that is one.
    pub sql: Option<Text>,
}

impl DeclaredCheck {
    /// Returns it as a resource.
    pub fn resource(&self) -> Resource {
        Resource {
            name: self.name.clone(),
            tags: self.tags.clone(),
            spec: Spec::Check(self.spec.clone()),
        }
    }
}
