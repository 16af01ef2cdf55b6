//! The state machine of the control plane.
//!
//! [`decide`] turns a command into facts or a refusal; [`State::apply`] folds a fact into the state. Neither does I/O, reads a
//! clock or draws a random number: the present moment is an argument. What has to be done in the world is read off the state
//! after the facts are in the journal, never done here. `apply` is total: a fact that was recorded can always be folded.

mod command;
mod decide;
mod diff;
mod state;
mod view;

pub use command::{Command, DeliveredFile, Finish, Refusal, RefusalKind, StagedDataset, StagedSlices, Taken};
pub use decide::decide;
pub use diff::{diff, field_changes};
pub use state::{
    AppliedEntry, Attempt, Dataset, Generation, Held, PlanEntry, Run, RunStatus, SliceHistory, SourceFile,
    State, VersionEntry,
};
pub use view::{At, job_of};
