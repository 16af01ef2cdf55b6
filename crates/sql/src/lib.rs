//! From SQL and the schemas of its inputs: a checked plan, its fingerprint, and how output slices read input slices.
//!
//! Pure: text and schemas in, a plan or problems out. Nothing here executes a query, reads a file, asks the clock or knows
//! where the tables are; scans are by name, and whoever executes a plan puts its own tables under them with
//! [`retarget`].
//!
//! Invariants: the same text over the same inputs gives the same plan, the same hash and the same reads on every machine; a
//! plan that [`analyse`] returns has no two right answers (see [`deterministic`](fn@deterministic)); an input is said to be read by the same
//! slice only if that holds for every content of the tables.

mod analyse;
pub mod arrow_types;
mod ast;
mod check;
mod constant;
mod dependency;
mod deterministic;
mod evaluate;
mod explain;
mod fingerprint;
mod fragment;
mod frames;
mod identifier;
mod ignored;
mod input;
mod lineage;
mod locate;
mod origin;
mod output;
mod parse;
mod plan;
mod precedence;
mod problem;
mod session;
mod time;
mod yields;

pub use analyse::{Analysed, analyse, problems};
#[cfg(debug_assertions)]
pub use dependency::broken;
pub use dependency::{Dependency, column_text, dependency};
pub use deterministic::deterministic;
pub use evaluate::SliceTable;
pub use fingerprint::{NORMAL_FORM, fingerprint};
pub use fragment::Fragment;
pub use identifier::quoted;
pub use input::{InputTable, Inputs, dataset_of, retarget};
pub use lineage::{ColumnLineage, Sources, Through, column_lineage};
pub use origin::{Origin, OriginInput, Origins, origins};
pub use parse::{Reference, references};
pub use plan::{Tables, plan};
pub use problem::{Location, Problem, Span};
pub use session::{session_config, state_builder};
pub use time::bind_time;
pub use yields::{Yield, yields};
