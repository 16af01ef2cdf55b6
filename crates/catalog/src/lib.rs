//! Delta tables: files are staged unseen, digested, and shown to Delta readers once the journal says that they are published.
//!
//! Owns what a table looks like on a store: Parquet files below attempt prefixes, digests of rows, column types, the Delta
//! log. Refuses to know SQL, DataFusion, runs' states and permissions.
//!
//! Invariants: a file is never written twice; nothing in a Delta log was not published before; a publish appears in a log once,
//! whatever is repeated, and whoever dies in between; what another program wrote into a log is never overwritten silently.

pub mod cleanup;
pub mod digest;
pub mod error;
pub mod partition;
pub mod projection;
pub mod stage;
pub mod types;

pub use digest::Digester;
pub use error::{Error, Kind, Result};
pub use projection::{DeltaVersion, Projection, Projector};
pub use stage::{SliceWriter, Stage, TableWriter};
