//! Runs one bounded job over given snapshots and returns staged files, digests, row counts and resources used.
//!
//! A run sees exactly what its [`Assignment`] mounts, computes with a bounded share of memory and disk, writes where nobody
//! looks yet, checks what it wrote, and measures what it used. Publishing, the journal, trying again later, access rights and
//! the present time are somebody else's.
//!
//! Invariants: equal assignments give equal digests, whatever the number of threads, the order of files and the size of
//! batches; a run that fails or is stopped leaves no file behind; no limit of a run is the process's end.

mod assignment;
mod attempt;
mod cancel;
mod check;
mod counted;
mod cpu;
mod diagnose;
mod engine;
mod error;
pub mod exact;
mod examine;
mod memory;
mod output;
mod query;
mod run;
mod session;
mod settings;
mod spill;
mod stage;
mod table;
mod threads;
mod usage;
mod whole;

pub use assignment::{Assignment, Finished, Mounted, Output, Progress};
pub use cancel::CancelToken;
pub use engine::{ENGINE, Engine, EngineConfig};
pub use error::{Error, Kind};
pub use query::{Answer, Question, SystemTable};
pub use settings::Settings;
pub use spill::remove_abandoned;
