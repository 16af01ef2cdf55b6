//! Facts: what the journal records. Each says what was decided, never what should be decided again.
//!
//! The kind and the version of a fact stand in the journal's header, the rest is its body, JSON. Additive optional fields need
//! no new version; anything else does, and a step in [`crate::upcast`].

use mainstay_base::{Bytes, Hash, MultisetHash, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::{AccessDecided, RequestAnswered, TokenCreated, TokenRevoked};
pub use crate::alarm::{AlarmCounted, AlarmEnded, AlarmFired, AlarmWithoutData};
use crate::amendment::{Consequences, Edit, Overlay};
use crate::branch::BranchName;
use crate::change::Change;
use crate::dataset::SliceVersion;
use crate::delivery::Delivery;
pub use crate::hook::HookReceived;
use crate::id::{AmendmentId, ApplyId, DeliveryId, PlanId, RunId};
pub use crate::lineage::{LineageFailed, LineageTold};
pub use crate::message::{EventEmitted, MessageFailed, MessageOwed, MessageSent};
use crate::name::DatasetName;
pub use crate::promise::{PromiseAtRisk, PromiseDone, PromiseKept, PromiseMissed, PromiseSetOff};
use crate::queue::Class;
use crate::run::{CheckOutcome, CrossCheck, Pinned, RunError, RunOutcome, Usage};
use crate::schema::Schema;
use crate::slice::SliceKey;
pub use crate::trigger::{TriggerDone, TriggerFired, TriggerMissed};

/// A plan was made for review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its id.
    pub plan: PlanId,
    /// The last apply when it was made.
    pub base: Option<ApplyId>,
    /// The branch for which it was made; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// What it would change.
    pub changes: Vec<Change>,
}

/// Resources were changed, all of these together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its id.
    pub apply: ApplyId,
    /// The plan that was applied, if one was reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The apply that this one undoes, if it undoes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<ApplyId>,
    /// The branch whose resources these are; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// The branch that was promoted by this, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotes: Option<BranchName>,
    /// What changed.
    pub changes: Vec<Change>,
}

/// A delivered file was taken in, found to be there already, set aside, or held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The delivery.
    pub delivery: Delivery,
}

/// Somebody said what is to become of a delivered file that was held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAnswered {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its source.
    pub source: DatasetName,
    /// Whether it is to be taken in; if not, it is given up.
    pub accepted: bool,
}

/// One slice in a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedSlice {
    /// Which slice.
    pub slice: SliceKey,
    /// What it was computed from; none for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Hash>,
    /// Its new content; none if the content is what it was (the recomputation confirmed it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<SliceVersion>,
    /// The run that computed it, where that is not the run that publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// Which side of an amended dataset a publish is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// What everybody reads.
    #[default]
    Shown,
    /// What was delivered or computed, before the amendments.
    Base,
}

impl Layer {
    /// Says whether it is what everybody reads.
    pub const fn is_shown(&self) -> bool {
        matches!(self, Self::Shown)
    }
}

/// One dataset in a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedDataset {
    /// Which dataset.
    pub dataset: DatasetName,
    /// The version that this publish makes; versions are dense from 1 and change only with content.
    pub version: u64,
    /// Its columns, slice columns included.
    pub schema: Schema,
    /// Its slice columns.
    pub slice_columns: Vec<String>,
    /// The slices that changed or were confirmed. One without rows has a content without files.
    pub slices: Vec<PublishedSlice>,
    /// The slices that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<SliceKey>,
    /// What the dataset was computed from, if it was computed whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Hash>,
    /// Which side of an amended dataset this is.
    #[serde(default, skip_serializing_if = "Layer::is_shown")]
    pub layer: Layer,
    /// The amendments under which it stands now; none if they are what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Overlay>,
}

/// The pointers of datasets moved, all together: the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The run whose output it is; none for deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The deliveries whose rows these are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<DeliveryId>,
    /// The datasets.
    pub datasets: Vec<PublishedDataset>,
    /// The branch whose pointers move; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// The amendment that is made or becomes visible by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendment: Option<AmendmentId>,
    /// The branch that becomes the live side by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotes: Option<BranchName>,
}

/// A publish reached a table's Delta log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projected {
    /// The dataset.
    pub dataset: DatasetName,
    /// The dataset's version that the log now shows.
    pub version: u64,
    /// The version of the Delta table.
    pub delta_version: u64,
}

/// A run was recorded, with everything that it depends on, before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecorded {
    /// Its id.
    pub run: RunId,
    /// What it depends on.
    pub pinned: Pinned,
    /// Why it is wanted, in words.
    pub because: String,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Class::is_interactive")]
    pub class: Class,
}

/// An attempt of a run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// An attempt failed, and the run may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub error: RunError,
    /// What it used.
    pub usage: Usage,
    /// When the next attempt may start.
    pub retry_at: Timestamp,
}

/// A run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFinished {
    /// The run.
    pub run: RunId,
    /// How many attempts it took.
    pub attempts: u32,
    /// How.
    pub outcome: RunOutcome,
    /// Why, if it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What its last attempt used.
    pub usage: Usage,
    /// How its checks ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
    /// The run whose result it took instead of computing it again; none if it computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<RunId>,
    /// What came of computing some of its slices a second time; none if that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<CrossCheck>,
    /// The slices that were taken as they are, because what changed of their inputs is not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<SliceKey>,
}

/// Someone asked for a run to be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// The run.
    pub run: RunId,
}

/// A branch was made: it begins as the live side is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchCreated {
    /// Its name.
    pub branch: BranchName,
}

/// A branch begins anew as the live side is now; what it declares stays, what it computed is kept for reuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchRebased {
    /// Its name.
    pub branch: BranchName,
}

/// A branch became the live side, by what stands in the same frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchPromoted {
    /// Its name.
    pub branch: BranchName,
}

/// A branch was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchDropped {
    /// Its name.
    pub branch: BranchName,
}

/// A correction was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentProposed {
    /// Its id.
    pub amendment: AmendmentId,
    /// The dataset that it is about.
    pub dataset: DatasetName,
    /// The branch in which it is to hold; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// What it does.
    pub edit: Edit,
    /// How many others have to approve.
    #[serde(default)]
    pub approvals: u32,
    /// What it was expected to do.
    pub preview: Consequences,
}

/// Somebody else approved a correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentApproved {
    /// Which.
    pub amendment: AmendmentId,
}

/// A correction holds, everywhere: what it changed became visible in the same frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentApplied {
    /// Which.
    pub amendment: AmendmentId,
    /// What it did.
    pub result: Consequences,
    /// The runs that it took.
    pub runs: Vec<RunId>,
}

/// A correction could not be made; nothing of it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentFailed {
    /// Which.
    pub amendment: AmendmentId,
    /// Why.
    pub error: RunError,
    /// The runs that it took.
    pub runs: Vec<RunId>,
}

/// A correction that does not hold was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentDropped {
    /// Which.
    pub amendment: AmendmentId,
}

/// Contents that nothing needs any more were given up; their files go after this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacuumed {
    /// The dataset.
    pub dataset: DatasetName,
    /// The contents of what everybody read: slices, each with the versions that made them.
    pub shown: Vec<(SliceKey, Vec<u64>)>,
    /// The same of what lay under amendments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<(SliceKey, Vec<u64>)>,
    /// How many files go.
    pub files: u64,
    /// How many bytes that frees.
    pub bytes: Bytes,
}

/// This home is a copy, restored from a backup. It rests until [`HomeResumed`]: its triggers do not fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeRestored {
    /// Where the backup is.
    pub backup: String,
    /// The last fact that is the original's; what comes after it is the copy's own.
    pub seq: u64,
    /// Where the account's tables were, as its project says; none is the home itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// Where they are now, as long as its project says what it said; none is the home itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<String>,
}

/// A home that was restored acts again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeResumed {}

/// The digest of a dataset as its table would be read; what a projection is compared with.
pub type TableDigest = MultisetHash;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $version:literal, $subject:expr;)*) => {
        /// All facts, in their newest version.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fact {
            $($(#[$doc])* $name(Box<$name>),)*
        }

        $(impl From<$name> for Fact {
            fn from(fact: $name) -> Self {
                Self::$name(Box::new(fact))
            }
        })*

        impl Fact {
            /// The kinds, with the newest version of each.
            pub const KINDS: &[(&str, u16)] = &[$(($kind, $version)),*];

            /// Returns the kind as the journal names it.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// Returns the version in which it is written.
            pub const fn version(&self) -> u16 {
                match self { $(Self::$name(_) => $version,)* }
            }

            /// Returns what it is about, as an address.
            pub fn subject(&self) -> String {
                match self { $(Self::$name(f) => { let subject: fn(&$name) -> String = $subject; subject(f) })* }
            }

            /// Returns the body as it is stored.
            pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self { $(Self::$name(f) => serde_json::to_vec(f),)* }
            }

            /// Reads a body of the newest version of its kind; none if the kind is unknown.
            pub(crate) fn decode_newest(kind: &str, body: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($kind => Some(serde_json::from_value::<$name>(body).map(|f| Self::$name(Box::new(f)))),)*
                    _ => None,
                }
            }

            /// Reads a stored body of the newest version of its kind without an intermediate tree.
            pub(crate) fn decode_direct(kind: &str, body: &[u8]) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($kind => Some(serde_json::from_slice::<$name>(body).map(|f| Self::$name(Box::new(f)))),)*
                    _ => None,
                }
            }
        }
    };
}

facts! {
    /// See [`Planned`].
    Planned = "plan.made", 1, |f| format!("plan/{}", f.plan);
    /// See [`Applied`].
    Applied = "project.applied", 1, |f| format!("apply/{}", f.apply);
    /// See [`Delivered`].
    Delivered = "delivery.recorded", 2, |f| f.delivery.source.to_string();
    /// See [`DeliveryAnswered`].
    DeliveryAnswered = "delivery.answered", 1, |f| format!("delivery/{}", f.delivery);
    /// See [`Published`].
    Published = "dataset.published", 1, |f| match f.datasets.as_slice() {
        [first, rest @ ..] if rest.iter().all(|d| d.dataset == first.dataset) => first.dataset.to_string(),
        _ => match (f.run, f.amendment) {
            (Some(run), _) => format!("run/{run}"),
            (None, Some(amendment)) => format!("amendment/{amendment}"),
            (None, None) => f.promotes.as_ref().map_or_else(String::new, |b| format!("branch/{b}")),
        },
    };
    /// See [`Projected`].
    Projected = "delta.projected", 1, |f| f.dataset.to_string();
    /// See [`RunRecorded`].
    RunRecorded = "run.recorded", 1, |f| format!("run/{}", f.run);
    /// See [`AttemptStarted`].
    AttemptStarted = "attempt.started", 1, |f| format!("run/{}", f.run);
    /// See [`AttemptFailed`].
    AttemptFailed = "attempt.failed", 1, |f| format!("run/{}", f.run);
    /// See [`RunFinished`].
    RunFinished = "run.finished", 2, |f| format!("run/{}", f.run);
    /// See [`CancelRequested`].
    CancelRequested = "run.cancel_requested", 1, |f| format!("run/{}", f.run);
    /// See [`BranchCreated`].
    BranchCreated = "branch.created", 1, |f| format!("branch/{}", f.branch);
    /// See [`BranchRebased`].
    BranchRebased = "branch.rebased", 1, |f| format!("branch/{}", f.branch);
    /// See [`BranchPromoted`].
    BranchPromoted = "branch.promoted", 1, |f| format!("branch/{}", f.branch);
    /// See [`BranchDropped`].
    BranchDropped = "branch.dropped", 1, |f| format!("branch/{}", f.branch);
    /// See [`AmendmentProposed`].
    AmendmentProposed = "amendment.proposed", 1, |f| format!("amendment/{}", f.amendment);
    /// See [`AmendmentApproved`].
    AmendmentApproved = "amendment.approved", 1, |f| format!("amendment/{}", f.amendment);
    /// See [`AmendmentApplied`].
    AmendmentApplied = "amendment.applied", 1, |f| format!("amendment/{}", f.amendment);
    /// See [`AmendmentFailed`].
    AmendmentFailed = "amendment.failed", 1, |f| format!("amendment/{}", f.amendment);
    /// See [`Vacuumed`].
    Vacuumed = "data.vacuumed", 1, |f| f.dataset.to_string();
    /// See [`HomeRestored`].
    HomeRestored = "home.restored", 1, |_| "home".to_owned();
    /// See [`HomeResumed`].
    HomeResumed = "home.resumed", 1, |_| "home".to_owned();
    /// See [`AmendmentDropped`].
    AmendmentDropped = "amendment.dropped", 1, |f| format!("amendment/{}", f.amendment);
    /// See [`TriggerFired`].
    TriggerFired = "trigger.fired", 1, |f| format!("trigger/{}", f.trigger);
    /// See [`TriggerMissed`].
    TriggerMissed = "trigger.missed", 1, |f| format!("trigger/{}", f.trigger);
    /// See [`TriggerDone`].
    TriggerDone = "trigger.done", 1, |f| format!("trigger/{}", f.trigger);
    /// See [`PromiseSetOff`].
    PromiseSetOff = "promise.set_off", 1, |f| format!("promise/{}", f.dataset);
    /// See [`PromiseDone`].
    PromiseDone = "promise.done", 1, |f| format!("promise/{}", f.dataset);
    /// See [`PromiseKept`].
    PromiseKept = "promise.kept", 1, |f| format!("promise/{}", f.dataset);
    /// See [`PromiseAtRisk`].
    PromiseAtRisk = "promise.at_risk", 1, |f| format!("promise/{}", f.dataset);
    /// See [`PromiseMissed`].
    PromiseMissed = "promise.missed", 1, |f| format!("promise/{}", f.dataset);
    /// See [`HookReceived`].
    HookReceived = "hook.received", 1, |f| format!("hook/{}", f.hook);
    /// See [`EventEmitted`].
    EventEmitted = "event.emitted", 1, |f| format!("event/{}", f.event_type);
    /// See [`MessageOwed`].
    MessageOwed = "message.owed", 1, |f| format!("message/{}", f.message);
    /// See [`MessageSent`].
    MessageSent = "message.sent", 1, |f| format!("message/{}", f.message);
    /// See [`MessageFailed`].
    MessageFailed = "message.failed", 1, |f| format!("message/{}", f.message);
    /// See [`LineageTold`].
    LineageTold = "lineage.told", 1, |f| format!("channel/{}", f.channel);
    /// See [`LineageFailed`].
    LineageFailed = "lineage.failed", 1, |f| format!("channel/{}", f.channel);
    /// See [`AlarmCounted`].
    AlarmCounted = "alarm.counted", 1, |f| format!("alarm/{}", f.alarm);
    /// See [`AlarmFired`].
    AlarmFired = "alarm.fired", 1, |f| format!("alarm/{}", f.alarm);
    /// See [`AlarmEnded`].
    AlarmEnded = "alarm.ended", 1, |f| format!("alarm/{}", f.alarm);
    /// See [`AlarmWithoutData`].
    AlarmWithoutData = "alarm.no_data", 1, |f| format!("alarm/{}", f.alarm);
    /// See [`TokenCreated`].
    TokenCreated = "token.created", 1, |f| format!("token/{}", f.token);
    /// See [`TokenRevoked`].
    TokenRevoked = "token.revoked", 1, |f| format!("token/{}", f.token);
    /// See [`AccessDecided`].
    AccessDecided = "access.decided", 1, |f| format!("operation/{}", f.operation);
    /// See [`RequestAnswered`].
    RequestAnswered = "request.answered", 1, |f| format!("operation/{}", f.operation);
}
