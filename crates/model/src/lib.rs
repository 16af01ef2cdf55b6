//! Names, specs, slices, commands and facts, as plain data.
//!
//! The vocabulary of the whole house. Nothing here decides, reads a clock or does I/O; nothing here knows Arrow, DataFusion
//! or HTTP. What is stored (facts) has a version and is up-cast when it is read, never rewritten.

pub mod access;
pub mod address;
pub mod alarm;
pub mod amendment;
pub mod branch;
pub mod change;
pub mod dataset;
pub mod delivery;
pub mod fact;
pub mod hook;
pub mod id;
pub mod lineage;
pub mod message;
pub mod name;
pub mod promise;
pub mod queue;
pub mod relation;
pub mod resource;
pub mod run;
pub mod schema;
pub mod slice;
pub mod spec;
pub mod trigger;
pub mod upcast;

pub use access::{Role, TokenId};
pub use address::{Address, Selection};
pub use amendment::{Edit, Overlay};
pub use branch::BranchName;
pub use dataset::{DataFile, SliceVersion};
pub use fact::Fact;
pub use id::{AmendmentId, ApplyId, DeliveryId, FiringId, MessageId, PlanId, RunId};
pub use name::{DEFAULT_ACCOUNT, DatasetName};
pub use resource::{Kind, Resource, ResourceKey};
pub use schema::{Column, ColumnType, Schema};
pub use slice::SliceKey;
