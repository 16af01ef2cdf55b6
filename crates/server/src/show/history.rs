//! `history`: what became of a resource or a dataset, and who or what made it so.

use mainstay_api::{Error, ErrorKind, HistoryEntry, HistoryReport};
use mainstay_control::{Sight, field_changes};
use mainstay_model::resource::{Kind, Resource, ResourceKey};
use mainstay_model::{Address, DatasetName};

use crate::instance::Instance;

impl Instance {
    /// Returns what became of a thing, the oldest first.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such thing.
    pub fn history(&self, address: &Address) -> Result<HistoryReport, Error> {
        let changes = self.with(|state| match address {
            Address::Resource(key) => Some(resource_history(state, key)),
            Address::Dataset(name, _) => {
                let mut all: Vec<HistoryEntry> = [Kind::Source, Kind::Job]
                    .into_iter()
                    .flat_map(|kind| resource_history(state, &ResourceKey::new(kind, name)))
                    .chain(publish_history(state, name))
                    .collect();
                all.sort_by_key(|e| e.seq);
                Some(all)
            }
            _ => None,
        });
        match changes {
            Some(changes) if !changes.is_empty() => Ok(HistoryReport {
                thing: address.to_string(),
                changes,
            }),
            Some(_) => Err(self.no_such(address)),
            None => Err(Error::new(
                ErrorKind::Invalid,
                "MS0007",
                format!("`{address}` has no history of its own: only datasets and resources change"),
            )
            .help(format!(
                "mainstay show {address} shows what it is, mainstay why {address} why it is so"
            ))),
        }
    }
}

fn resource_history(state: &Sight<'_>, key: &ResourceKey) -> Vec<HistoryEntry> {
    let Some(held) = state.resources.get(key) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut before: Option<&Resource> = None;
    for g in &held.generations {
        let after = g.resource.as_ref();
        let (what, fields) = match (before, after) {
            (None, Some(_)) => ("created", Vec::new()),
            (Some(b), Some(a)) => ("changed", field_changes(b, a)),
            (_, None) => ("removed", Vec::new()),
        };
        let promoted = state
            .state
            .applies
            .get(&g.apply)
            .and_then(|a| a.promotes.as_ref());
        let from = promoted.map_or_else(String::new, |branch| format!(", from branch {branch}"));
        entries.push(HistoryEntry {
            seq: g.seq,
            time: g.time,
            who: g.actor.clone(),
            reason: g.reason.clone(),
            by: format!("apply/{}", g.apply),
            what: format!("{what} {key}{from}"),
            generation: g.number,
            fields,
        });
        before = after;
    }
    entries
}

fn publish_history(state: &Sight<'_>, name: &DatasetName) -> Vec<HistoryEntry> {
    let Some(held) = state.datasets.get(name) else {
        return Vec::new();
    };
    let each = |v: &mainstay_control::VersionEntry| {
        let changed = held
            .slices
            .values()
            .filter(|h| h.contents.iter().any(|c| c.version == v.version))
            .count() as u64;
        let Maker { by, who, reason } = Maker::of(state, v);
        HistoryEntry {
            seq: v.seq,
            time: v.time,
            who,
            reason,
            by,
            what: format!(
                "published version {}, {}",
                v.version,
                mainstay_base::text::count(changed, "slice")
            ),
            generation: v.version,
            fields: Vec::new(),
        }
    };
    held.versions.iter().map(each).collect()
}

/// What made a version: a run, an amendment, a branch that was promoted, or deliveries.
struct Maker {
    by: String,
    who: String,
    reason: Option<String>,
}

impl Maker {
    fn of(state: &Sight<'_>, v: &mainstay_control::VersionEntry) -> Self {
        if let Some(id) = v.run {
            let run = state.state.runs.get(&id);
            return Self {
                by: format!("run/{id}"),
                who: run.map(|r| r.actor.clone()).unwrap_or_default(),
                reason: run.map(|r| r.because.clone()),
            };
        }
        if let Some(id) = v.amendment {
            let amendment = state.state.amendments.get(&id);
            return Self {
                by: format!("amendment/{id}"),
                who: amendment.map(|a| a.proposed.actor.clone()).unwrap_or_default(),
                reason: amendment.and_then(|a| a.reason.clone()),
            };
        }
        if let Some(name) = &v.promotes {
            let branch = state.state.branches.get(name);
            return Self {
                by: format!("branch/{name}"),
                who: branch.map(|b| b.about.actor.clone()).unwrap_or_default(),
                reason: branch.and_then(|b| b.about.reason.clone()),
            };
        }
        Self {
            by: "delivery".to_owned(),
            who: String::new(),
            reason: None,
        }
    }
}
