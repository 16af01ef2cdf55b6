//! Amendments as they are known.

use mainstay_base::Timestamp;
use mainstay_model::amendment::{Consequences, Edit};
use mainstay_model::id::{AmendmentId, DeliveryId, RunId};
use mainstay_model::run::RunError;
use mainstay_model::{BranchName, DatasetName};
use serde::{Deserialize, Serialize};

use super::State;

/// Where an amendment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmendmentStatus {
    /// It waits for somebody else's approval.
    Waiting,
    /// It may be made.
    Ready,
    /// It holds.
    Applied,
    /// It could not be made.
    Failed,
    /// It held, and was taken back.
    Reverted,
    /// It was given up.
    Dropped,
}

/// Who did something to an amendment, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The journal's number.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
}

/// An amendment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The dataset that it is about.
    pub dataset: DatasetName,
    /// The branch in which it holds; none is the live side.
    pub branch: Option<BranchName>,
    /// What it does.
    pub edit: Edit,
    /// Where it stands.
    pub status: AmendmentStatus,
    /// Who proposed it.
    pub proposed: Signed,
    /// Why.
    pub reason: Option<String>,
    /// How many others have to approve.
    pub approvals: u32,
    /// Who did.
    pub approved: Vec<Signed>,
    /// What it was expected to do.
    pub preview: Consequences,
    /// What it did.
    pub result: Option<Consequences>,
    /// Since when it is what it is.
    pub ended: Option<Signed>,
    /// Why it could not be made.
    pub error: Option<RunError>,
    /// The runs that it took.
    pub runs: Vec<RunId>,
    /// The newest deliveries after which it changed other rows than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redelivered: Vec<Redelivered>,
}

/// A delivery after which an amendment changed other rows than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redelivered {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its file.
    pub file: String,
    /// When.
    pub time: Timestamp,
    /// Rows that it does not change any more.
    pub gone: u64,
    /// Rows that it did not change before.
    pub new: u64,
}

impl Amendment {
    /// How many deliveries are kept with an amendment; all are in the journal.
    pub const REDELIVERED_KEPT: usize = 20;
}

impl State {
    /// Returns the list of amendments that hold, once one more does, or is taken back (`on` is false). Taking back one that
    /// takes another back makes that one hold again. The list is in the order of the ids.
    pub fn amended(&self, list: &[AmendmentId], id: AmendmentId, on: bool) -> Vec<AmendmentId> {
        let (mut id, mut on) = (id, on);
        // A chain of reverts is as long as there are amendments, and always names earlier ones.
        while let Some(Edit::Revert { amendment }) = self.amendments.get(&id).map(|a| &a.edit) {
            (id, on) = (*amendment, !on);
        }
        let mut list: Vec<AmendmentId> = list.iter().copied().filter(|a| *a != id).collect();
        if on {
            list.push(id);
            list.sort_unstable();
        }
        list
    }
}
