//! Datasets through time: versions, slices, and what lies under their amendments.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_base::{Hash, Timestamp};
use mainstay_model::amendment::Overlay;
use mainstay_model::dataset::SliceVersion;
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::schema::Schema;
use mainstay_model::{BranchName, SliceKey};
use serde::{Deserialize, Serialize};

/// How many fingerprints of one content are kept: it may come from several inputs that mean the same to its query.
const FINGERPRINTS_KEPT: usize = 4;

/// One version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// Its number, from 1.
    pub version: u64,
    /// The journal's number of the publish.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// The run that made it, if one run did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The amendment that made it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendment: Option<AmendmentId>,
    /// The branch that was promoted with it, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotes: Option<BranchName>,
    /// The columns at that version.
    pub schema: Schema,
    /// What it was computed from, where it was computed whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<Hash>,
}

/// A content of a slice: from a version of its dataset on, until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The version from which it holds.
    pub version: u64,
    /// The run that computed it; none for a source.
    pub run: Option<RunId>,
    /// What it is known to come from, the newest last.
    pub fingerprints: Vec<Hash>,
    /// Its files; none is "not there", as is a slice that came out without rows.
    pub files: Option<Arc<SliceVersion>>,
    /// The journal's number of the fact by which its files were given up; none if they are there.
    pub vacuumed: Option<u64>,
}

/// A slice through time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceHistory {
    /// Its contents, the newest last.
    pub contents: Vec<Content>,
}

impl SliceHistory {
    /// Returns the content at a version.
    pub fn content_at(&self, version: u64) -> Option<&Content> {
        self.contents.iter().rev().find(|c| c.version <= version)
    }

    /// Returns the files at a version; none if the slice was not there.
    pub fn at(&self, version: u64) -> Option<&SliceVersion> {
        self.content_at(version)?.files.as_deref()
    }

    /// Returns the newest files; none if the slice is not there.
    pub fn newest(&self) -> Option<&SliceVersion> {
        self.contents.last()?.files.as_deref()
    }

    /// Returns the version that made the newest content.
    pub fn since(&self) -> u64 {
        self.contents.last().map_or(0, |c| c.version)
    }

    /// Returns what the newest content is known to come from; the newest last.
    pub fn fingerprints(&self) -> &[Hash] {
        self.contents
            .last()
            .map(|c| c.fingerprints.as_slice())
            .unwrap_or_default()
    }

    /// Returns the last known origin of the newest content.
    pub fn fingerprint(&self) -> Option<Hash> {
        self.fingerprints().last().copied()
    }

    /// Notes one more origin of the newest content.
    pub(super) fn confirm(&mut self, fingerprint: Hash) {
        if let Some(content) = self.contents.last_mut() {
            content.fingerprints.retain(|f| *f != fingerprint);
            content.fingerprints.push(fingerprint);
            let surplus = content.fingerprints.len().saturating_sub(FINGERPRINTS_KEPT);
            content.fingerprints.drain(..surplus);
        }
    }
}

/// A dataset: its versions and its slices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its slice columns.
    pub slice_columns: Vec<String>,
    /// Its versions, the newest last.
    pub versions: Vec<VersionEntry>,
    /// Its slices.
    #[serde(with = "super::slices")]
    pub slices: BTreeMap<SliceKey, SliceHistory>,
    /// The version that its Delta log shows, and the Delta version.
    pub projected: Option<(u64, u64)>,
    /// What was delivered or computed, where amendments stand over it; none if the dataset was never amended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Arc<Dataset>>,
    /// The amendments under which it stands.
    #[serde(default)]
    pub overlay: Overlay,
}

impl Dataset {
    /// Returns the newest version; 0 if nothing was published.
    pub fn version(&self) -> u64 {
        self.versions.last().map_or(0, |v| v.version)
    }

    /// Returns the columns now; none if nothing was published.
    pub fn schema(&self) -> Option<&Schema> {
        self.versions.last().map(|v| &v.schema)
    }

    /// Returns what was delivered or computed, before amendments.
    pub fn base(&self) -> &Self {
        self.base.as_deref().unwrap_or(self)
    }

    /// Returns what the newest version was computed from, if it was computed whole.
    pub fn whole(&self) -> &[Hash] {
        self.versions
            .last()
            .map(|v| v.whole.as_slice())
            .unwrap_or_default()
    }

    /// Returns the first slice whose content at a version was given up, with the journal's number of that; none if all of it
    /// is there.
    pub fn given_up(&self, version: u64) -> Option<(&SliceKey, u64)> {
        self.slices
            .iter()
            .find_map(|(k, h)| Some((k, h.content_at(version)?.vacuumed?)))
    }

    /// Says whether its slices are named as these columns of a schema would name them; also true if nothing was published yet.
    pub fn is_sliced_by(&self, slice_columns: &[String], schema: &Schema) -> bool {
        let Some(own) = self.schema() else {
            return true;
        };
        let same_type = |name: &String| {
            let (a, b) = (own.column(name), schema.column(name));
            a.zip(b).is_none_or(|(a, b)| a.column_type == b.column_type)
        };
        self.slice_columns == slice_columns && slice_columns.iter().all(same_type)
    }

    /// Returns the slices that are there now, with their files.
    pub fn newest(&self) -> impl Iterator<Item = (&SliceKey, &SliceVersion)> {
        self.slices.iter().filter_map(|(k, h)| Some((k, h.newest()?)))
    }
}
