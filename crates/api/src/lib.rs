//! What the commands ask and answer.
//!
//! The documents of `--json`, and later of the HTTP API: plain data with stable keys in snake_case. No handlers, no rules,
//! no defaults that change behaviour.

mod access;
mod amend;
mod backup;
mod data;
mod doctor;
mod error;
mod journal;
mod project;
mod replay;
mod run;
mod why;

pub use access::{Problem, TokenReport, TokensReport};
pub use amend::{
    AmendReport, BranchDataset, BranchReport, ConsumerReport, EffortReport, ReachReport, RedeliveredReport,
    Row, RowChange,
};
pub use backup::{BackupReport, RestoreReport, ResumeReport};
pub use data::{
    BlameReport, DatasetReport, DeliverReport, DeliveryReport, DependenciesReport, Fallback, HookReport,
    ListReport, PromiseReport, ReappliedReport, SliceReport, SlicesReport, SourceRefusal, SourceWarning,
};
pub use doctor::{Condition, DoctorReport, Finding};
pub use error::{Error, ErrorKind};
pub use journal::{FactReport, JournalReport, ProofCheckReport, VerifyReport};
pub use project::{
    ApplyReport, ChangeReport, CheckReport, Estimate, HistoryEntry, HistoryReport, Mistake, PlanReport,
    StaleReport,
};
pub use replay::{
    DiffReport, ReplayReport, ReplayedSlice, ReplaysReport, RowDifference, VacuumReport, VacuumedDataset,
};
pub use run::{CrossCheckReport, Progress, RunReport, RunsReport, UsageReport};
pub use why::{Cause, OriginReport, ProofReport, Proven, RowsReport, Trial, WhyReport};
