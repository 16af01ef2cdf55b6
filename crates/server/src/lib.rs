//! What the commands do.
//!
//! [`Instance`] opens a home and a project and does what the command line, and later the HTTP API, asks for: it reads the
//! world, asks `control` to decide, records the facts, and then does in the world what they say. It decides nothing by itself
//! and prints nothing; what people see is data of `mainstay_api`.

mod access;
mod alarm;
mod amend;
mod attempts;
mod backup;
mod branch;
mod cancel;
mod compile;
mod consent;
mod deliver;
mod dependencies;
mod diff;
mod doctor;
mod error;
mod examine;
mod expressions;
mod facts;
mod guest;
mod hook;
mod instance;
mod jobs;
mod ledger;
mod lineage;
mod means;
pub mod metrics;
mod mount;
mod outbox;
mod owner;
mod place;
mod plan;
mod planning;
mod project;
mod projection;
mod promise;
mod query;
mod read;
mod recover;
mod replay;
mod report;
mod resume;
mod run;
mod show;
mod snapshot;
mod stage;
mod standby;
pub mod step;
mod system;
mod trigger;
mod turns;
mod vacuum;
mod why;

pub use access::{Earlier, NewToken, TokenReport, Who};
pub use amend::{AmendChange, AmendRequest};
pub use backup::{RestoreRequest, Until, restore};
pub use compile::Compiled;
pub use consent::NEEDS_YES;
pub use diff::DiffRequest;
pub use doctor::doctor;
pub use expressions::SliceColumns;
pub use facts::JournalFilter;
pub use hook::HookMessage;
pub use instance::{Access, Instance, JournalAddress, Options};
pub use ledger::Context;
pub use lineage::{LineageBatch, LineageEvent};
pub use mainstay_control::{Attempted, Telling, TellingFailure};
pub use mainstay_engine::CancelToken;
pub use outbox::Outgoing;
pub use place::journal_address;
pub use plan::Unapplied;
pub use planning::Planning;
pub use query::{QueryOptions, QueryResult, When};
pub use replay::ReplayRequest;
pub use report::other_rows;
pub use run::RunRequest;
pub use standby::{Follower, Role, Stand, Standing};
pub use trigger::DoneReport;
pub use turns::{Busy, Doing, Turn};
pub use why::WhyRequest;

/// The file that marks a project's folder.
pub const PROJECT_FILE: &str = mainstay_project::MAIN_FILE;

/// Reads the files of a project that declare something.
///
/// # Errors
///
/// If a file cannot be read.
pub fn project_files(dir: &std::path::Path) -> Result<Vec<SourceFile>, mainstay_api::Error> {
    project::read(dir)
}

/// The folder of the embedded home within a project.
pub const HOME_FOLDER: &str = ".mainstay";

pub use mainstay_engine::ENGINE;
pub use mainstay_project::SourceFile;
pub use mainstay_project::{job_schema, schema as project_schema};
