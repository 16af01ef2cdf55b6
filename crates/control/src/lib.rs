//! The state machine of the control plane.
//!
//! [`decide`] turns a command into facts or a refusal; [`State::apply`] folds a fact into the state. Neither does I/O, reads a
//! clock or draws a random number: the present moment is an argument. What has to be done in the world is read off the state
//! after the facts are in the journal, never done here. `apply` is total: a fact that was recorded can always be folded.

mod command;
mod decide;
mod diff;
mod queue;
mod state;
mod view;

pub use command::{
    Attempted, Command, DeliveredFile, Finish, Made, Overlaid, PromiseLook, Rebased, Refusal, RefusalKind,
    StagedDataset, StagedSlices, Taken, Telling, TellingFailure,
};
pub use decide::{
    Happening, Judged, Keeping, LineageChannel, Standing, alarms_are_due, base_after_delivery,
    base_after_run, decide, has_begun, is_held, judge, lineage_channels, look_every_ms, next_tick,
    next_times, promise, promises, react, shown_under, standing, upstream, vacuum,
};
pub use diff::{diff, field_changes};
pub use queue::{Full, Queue, Take, Ticket, Used, Waits, Wish, is_left_alone, takes, used, waits};
pub use state::{
    About, Alarm, AlarmHeld, AlarmState, Amendment, AmendmentStatus, AppliedEntry, Asked, Attempt,
    BadSnapshot, Branch, BranchStatus, Content, Counted, Dataset, Failing, Firing, FiringDone, Generation,
    Held, Kept, Line, Lineage, Message, Messages, PlanEntry, Promise, PromiseWork, Received, Redelivered,
    Restored, Run, RunStatus, Runs, Signed, SliceHistory, SourceFile, State, Token, ToldLineage, Totals,
    Triggers, Trust, VersionEntry,
};
pub use view::{At, Sight, job_of};
