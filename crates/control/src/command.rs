//! Commands: what may be asked of the state machine, and what it answers when it refuses.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Hash, Rows, Timestamp};
use mainstay_model::access::{AccessDecided, RequestAnswered, Role, TokenId};
use mainstay_model::amendment::{Consequences, Edit, Overlay};
use mainstay_model::dataset::SliceVersion;
use mainstay_model::delivery::{FileError, Observed, Reapplied};
use mainstay_model::fact::{HomeRestored, HookReceived};
use mainstay_model::id::{AmendmentId, ApplyId, DeliveryId, FiringId, MessageId, PlanId, RunId};
use mainstay_model::queue::Class;
use mainstay_model::resource::Resource;
use mainstay_model::run::{CheckOutcome, CrossCheck, Pinned, RunError, RunOutcome, Usage};
use mainstay_model::schema::Schema;
use mainstay_model::{BranchName, DataFile, DatasetName, SliceKey};

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make a token.
    CreateToken {
        /// As whom its bearer acts.
        name: String,
        /// What its bearer may do.
        role: Role,
        /// From when on it is worth nothing; none is never.
        expires: Option<Timestamp>,
        /// The hash of its secret.
        secret: Hash,
    },
    /// Take a token back.
    RevokeToken {
        /// Which.
        token: TokenId,
    },
    /// Record whether somebody may do something.
    RecordAccess {
        /// The decision.
        decided: AccessDecided,
    },
    /// Record what a request was answered.
    RecordAnswer {
        /// The answer.
        answered: RequestAnswered,
    },
    /// Record that this home is a copy that was restored from a backup.
    Restored {
        /// What is known of it.
        restored: HomeRestored,
    },
    /// Let a home that was restored act again; nothing happens if it does.
    Resume,
    /// Record what applying these resources would change, for review.
    Plan {
        /// All resources of the project, as they should be.
        desired: Vec<Resource>,
    },
    /// Make the resources what the project says.
    Apply {
        /// All resources of the project, as they should be.
        desired: Vec<Resource>,
    },
    /// Do exactly what a plan says.
    ApplyPlan {
        /// The plan.
        plan: PlanId,
    },
    /// Undo an apply: each resource that it changed says again what it said before.
    RevertApply {
        /// The apply.
        apply: ApplyId,
    },
    /// Record files that were delivered to a source, and publish the rows of those that could be read.
    Deliver {
        /// The source's dataset.
        source: DatasetName,
        /// Its columns after these files, slice columns included.
        schema: Schema,
        /// Its slice columns.
        slice_columns: Vec<String>,
        /// The files, in the order of their names.
        files: Vec<DeliveredFile>,
        /// What the dataset's amendments make of it; none if it has none.
        overlaid: Option<Overlaid>,
    },
    /// Say what is to become of a file that was held back.
    AnswerDelivery {
        /// The delivery.
        delivery: DeliveryId,
        /// Whether it is to be taken in; if not, it is given up.
        accepted: bool,
    },
    /// Record a run before it starts.
    RecordRun {
        /// What the run depends on.
        pinned: Pinned,
        /// Why it is wanted.
        because: String,
        /// How urgent it is.
        class: Class,
        /// Whether its first attempt starts at once.
        starts: bool,
    },
    /// Record that an attempt starts.
    StartAttempt {
        /// The run.
        run: RunId,
    },
    /// Record how an attempt ended, and publish what it made.
    FinishAttempt {
        /// The run.
        run: RunId,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        finish: Finish,
        /// What it used.
        usage: Usage,
        /// How its checks ended.
        checks: Vec<CheckOutcome>,
        /// The slices whose results were known, with the runs that computed them.
        reused: BTreeMap<SliceKey, RunId>,
        /// What the dataset's amendments make of its output; none if it has none.
        overlaid: Option<Overlaid>,
        /// What came of computing some of its slices a second time; none if that was not done.
        cross_check: Option<CrossCheck>,
        /// The slices that were taken as they are, because what changed of their inputs is not read.
        unread: Vec<SliceKey>,
        /// The versions of what it read and of its own dataset on which the result rests; if one moved meanwhile, it is not
        /// accepted.
        rests_on: BTreeMap<DatasetName, u64>,
    },
    /// Record a run that is not tried, because something that it reads failed.
    SkipRun {
        /// What it would have depended on.
        pinned: Pinned,
        /// How urgent it would have been.
        class: Class,
        /// What failed.
        error: RunError,
    },
    /// Record that a run ended with the process that carried it out.
    AbandonRun {
        /// The run.
        run: RunId,
        /// What happened.
        error: RunError,
    },
    /// Ask for a run to stop.
    Cancel {
        /// The run.
        run: RunId,
    },
    /// Record that Delta logs show versions.
    Projected {
        /// By dataset, its version and the Delta table's.
        shown: BTreeMap<DatasetName, (u64, u64)>,
    },
    /// Make a branch that begins as the live side is now.
    CreateBranch {
        /// Its name.
        branch: BranchName,
    },
    /// Begin a branch anew as the live side is now.
    RebaseBranch {
        /// Its name.
        branch: BranchName,
        /// The datasets that were amended in it, under the live side's amendments and its own.
        amended: Vec<Rebased>,
    },
    /// Make a branch the live side.
    PromoteBranch {
        /// Its name.
        branch: BranchName,
        /// The amendment that is made by this, if one is.
        amendment: Option<Made>,
    },
    /// Give a branch up.
    DropBranch {
        /// Its name.
        branch: BranchName,
    },
    /// Propose a correction.
    ProposeAmendment {
        /// The dataset.
        dataset: DatasetName,
        /// What it does.
        edit: Edit,
        /// How many others have to approve.
        approvals: u32,
        /// What it is expected to do.
        preview: Consequences,
    },
    /// Approve a correction.
    ApproveAmendment {
        /// Which.
        amendment: AmendmentId,
        /// Who approves.
        approver: String,
    },
    /// Publish a dataset anew under other amendments; in a branch.
    PublishOverlay {
        /// The dataset.
        dataset: DatasetName,
        /// The amendment that makes the difference.
        amendment: AmendmentId,
        /// What the amendments make of it.
        overlaid: Overlaid,
    },
    /// Give up contents that nothing needs any more; their files may go afterwards.
    Vacuum {
        /// When.
        now: mainstay_base::Timestamp,
    },
    /// Record that a correction was made where its branch is kept.
    FinishAmendment {
        /// What was made.
        made: Made,
    },
    /// Record that a correction could not be made, and give its branch up.
    FailAmendment {
        /// Which.
        amendment: AmendmentId,
        /// Why.
        error: RunError,
        /// The runs that it took.
        runs: Vec<RunId>,
    },
    /// Give a correction up.
    DropAmendment {
        /// Which.
        amendment: AmendmentId,
    },
    /// Record a message that came through a hook; one of the same id came before, and nothing happens.
    ReceiveHook {
        /// What it says.
        received: HookReceived,
    },
    /// Say how alarms stand.
    LookAtAlarms,
    /// Set off the triggers whose clock times have come.
    Tick,
    /// Say how promises stand, and set off what keeping them takes.
    KeepPromises {
        /// What was seen of the datasets.
        looks: Vec<PromiseLook>,
    },
    /// Record that what a promise took was done, or could not be.
    FinishPromise {
        /// The dataset.
        dataset: DatasetName,
        /// The runs that there were.
        runs: Vec<RunId>,
        /// Why it could not be done.
        error: Option<RunError>,
    },
    /// Record what came of sending a message.
    MessageAttempted {
        /// Which.
        message: MessageId,
        /// What came of it.
        attempted: Attempted,
    },
    /// Record what came of telling a channel of runs.
    LineageAttempted {
        /// The channel.
        channel: String,
        /// What came of it.
        telling: Telling,
    },
    /// Record that what a trigger wanted was done, or could not be.
    FinishFirings {
        /// The firings.
        firings: Vec<FiringId>,
        /// The runs that there were.
        runs: Vec<RunId>,
        /// Why it could not be done.
        error: Option<RunError>,
    },
}

/// What came of sending a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// It was taken.
    Taken {
        /// The HTTP status of the answer.
        status: u16,
    },
    /// It was not.
    Failed {
        /// Why, in words.
        error: String,
        /// Whether trying again may help.
        again: bool,
    },
}

/// What came of telling a channel of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The last fact that it was told of, or that there was nothing to tell of.
    pub through: u64,
    /// How many events were taken.
    pub events: u64,
    /// What stopped it, if something did.
    pub failure: Option<TellingFailure>,
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellingFailure {
    /// The fact that it tells of.
    pub fact: u64,
    /// Why, in words.
    pub error: String,
    /// Whether trying again may help.
    pub again: bool,
}

/// What was seen of a dataset that is promised to be up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseLook {
    /// The dataset.
    pub dataset: DatasetName,
    /// The last fact of the account when it was looked.
    pub seen: u64,
    /// It, and everything that it comes from.
    pub upstream: BTreeSet<DatasetName>,
    /// Those of them that are not what they should be, in the order of the data; the dataset itself is that if nothing
    /// was ever published.
    pub stale: Vec<DatasetName>,
    /// Sources that could not be looked at, since when, and why.
    pub unseen: BTreeMap<DatasetName, (Timestamp, String)>,
}

/// A correction that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Which.
    pub amendment: AmendmentId,
    /// What it did.
    pub result: Consequences,
    /// The runs that it took.
    pub runs: Vec<RunId>,
}

/// A dataset that was amended in a branch, laid anew over what the live side holds.
#[derive(Clone, Debug)]
pub struct Rebased {
    /// The dataset.
    pub dataset: DatasetName,
    /// The live side's versions of it, shown and below amendments, that were laid over.
    pub over: (u64, u64),
    /// The last of the branch's amendments of it.
    pub amendment: AmendmentId,
    /// What the amendments make of it.
    pub overlaid: Overlaid,
}

/// What amendments make of a dataset's base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlaid {
    /// The amendments, and where they change anything.
    pub overlay: Overlay,
    /// The rows of the touched slices, and those that were brought, by the slice that they are in now.
    pub rows: BTreeMap<SliceKey, SliceVersion>,
}

/// A file that was delivered, and what reading it gave.
#[derive(Clone, Debug)]
pub struct DeliveredFile {
    /// The file, relative to the project or as a URL.
    pub file: String,
    /// What the place says of it.
    pub observed: Observed,
    /// The hash of its bytes.
    pub content: Hash,
    /// How it was read; for a file that could not be read, all that this rests on.
    pub reading: Hash,
    /// Its rows, staged; or why it could not be read. None if its content was seen to be there already and it was not read.
    pub result: Option<Result<Taken, FileError>>,
    /// The amendments that change other rows after this file than before.
    pub reapplied: Vec<Reapplied>,
    /// The hash of what holding it back rests on.
    pub grounds: Hash,
}

/// The staged rows of a delivered file.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The number of rows.
    pub rows: Rows,
    /// By slice, the staged file.
    pub files: Vec<(SliceKey, DataFile)>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Finish {
    /// It computed this.
    Computed(StagedDataset),
    /// It did not.
    Failed(RunError),
    /// It was stopped.
    Cancelled,
    /// What it read was corrected meanwhile, so that its result is not wanted any more.
    Overtaken(RunError),
}

/// The staged output of an attempt.
#[derive(Clone, Debug)]
pub struct StagedDataset {
    /// The columns.
    pub schema: Schema,
    /// The slice columns.
    pub slice_columns: Vec<String>,
    /// The slices.
    pub slices: StagedSlices,
}

/// The slices of a staged output.
#[derive(Clone, Debug)]
pub enum StagedSlices {
    /// The whole dataset: a slice that is not here is gone.
    Whole {
        /// What it was computed from.
        fingerprint: Hash,
        /// By slice, its content.
        slices: BTreeMap<SliceKey, SliceVersion>,
    },
    /// Some slices, with what each was computed from; a content without files is a slice without rows.
    Some(BTreeMap<SliceKey, (Hash, SliceVersion)>),
}

/// Why a command is refused, by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such thing: name another.
    NotFound,
    /// What it was based on has moved: look again, then repeat.
    OutOfDate,
    /// Something else is in the way: resolve that first.
    Conflict,
    /// It makes no sense for the thing as it is.
    Invalid,
    /// It is not for this person to do.
    Refused,
}

/// A refusal: nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What the caller does next.
    pub kind: RefusalKind,
    /// The stable code.
    pub code: &'static str,
    /// What is refused and why.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Says how a run ends, from how its attempt did.
pub(crate) const fn outcome_of(finish: &Finish) -> RunOutcome {
    match finish {
        Finish::Computed(_) => RunOutcome::Succeeded,
        Finish::Failed(_) => RunOutcome::Failed,
        Finish::Cancelled | Finish::Overtaken(_) => RunOutcome::Cancelled,
    }
}
