//! Resources: everything that is declared has one shape.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::alarm::AlarmSpec;
use crate::hook::HookSpec;
use crate::message::ChannelSpec;
use crate::promise::PromiseSpec;
use crate::queue::LimitSpec;
use crate::spec::{CheckSpec, JobSpec, ProjectSpec, SourceSpec};
use crate::trigger::TriggerSpec;

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The project itself: what holds for all of it.
    Project,
    /// A place where files are delivered; it fills the dataset of its name.
    Source,
    /// A query that computes the dataset of its name.
    Job,
    /// A condition that a dataset must meet before it is published.
    Check,
    /// Something that is run by itself.
    Trigger,
    /// How far a dataset may be behind what it comes from.
    Promise,
    /// A door for messages from elsewhere.
    Hook,
    /// A place to which messages go.
    Channel,
    /// How many runs may go on at once that use something they share, or are alike.
    Limit,
    /// Something that somebody wants to be told of as long as it is so.
    Alarm,
}

impl Kind {
    /// All kinds, in the order in which people see them.
    pub const ALL: [Self; 10] = [
        Self::Project,
        Self::Source,
        Self::Job,
        Self::Check,
        Self::Trigger,
        Self::Promise,
        Self::Hook,
        Self::Channel,
        Self::Limit,
        Self::Alarm,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Project => "project",
            Self::Source => "source",
            Self::Job => "job",
            Self::Check => "check",
            Self::Trigger => "trigger",
            Self::Promise => "promise",
            Self::Hook => "hook",
            Self::Channel => "channel",
            Self::Limit => "limit",
            Self::Alarm => "alarm",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|k| k.to_string() == s)
            .ok_or_else(|| s.to_owned())
    }
}

/// Names one resource: `job/air.daily_delays`, `check/air.daily_delays:not_null`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Its kind.
    pub kind: Kind,
    /// Its name within the kind.
    pub name: String,
}

impl ResourceKey {
    /// Names a resource.
    pub fn new(kind: Kind, name: impl fmt::Display) -> Self {
        Self {
            kind,
            name: name.to_string(),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for ResourceKey {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (kind, name) = s.split_once('/').ok_or_else(|| s.to_owned())?;
        Ok(Self {
            kind: kind.parse()?,
            name: name.to_owned(),
        })
    }
}

impl Serialize for ResourceKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

/// What a resource says, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spec {
    /// See [`ProjectSpec`].
    Project(ProjectSpec),
    /// See [`SourceSpec`].
    Source(SourceSpec),
    /// See [`JobSpec`].
    Job(Box<JobSpec>),
    /// See [`CheckSpec`].
    Check(CheckSpec),
    /// See [`TriggerSpec`].
    Trigger(TriggerSpec),
    /// See [`PromiseSpec`].
    Promise(PromiseSpec),
    /// See [`HookSpec`].
    Hook(HookSpec),
    /// See [`ChannelSpec`].
    Channel(ChannelSpec),
    /// See [`LimitSpec`].
    Limit(LimitSpec),
    /// See [`AlarmSpec`].
    Alarm(AlarmSpec),
}

impl Spec {
    /// Returns the kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Project(_) => Kind::Project,
            Self::Source(_) => Kind::Source,
            Self::Job(_) => Kind::Job,
            Self::Check(_) => Kind::Check,
            Self::Trigger(_) => Kind::Trigger,
            Self::Promise(_) => Kind::Promise,
            Self::Hook(_) => Kind::Hook,
            Self::Channel(_) => Kind::Channel,
            Self::Limit(_) => Kind::Limit,
            Self::Alarm(_) => Kind::Alarm,
        }
    }
}

/// A declared resource. Its generation counts its changes, from 1; its status is a fold of what happened to it and is not
/// stored here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name within its kind.
    pub name: String,
    /// Its labels, the project's included.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What it says.
    pub spec: Spec,
}

impl Resource {
    /// Returns the key that names it.
    pub fn key(&self) -> ResourceKey {
        ResourceKey::new(self.spec.kind(), &self.name)
    }
}
