//! Object stores: local folders and S3-like servers behind one handle.
//!
//! Owns how bytes are found, read, written and removed: locations and credentials, listing, put-if-absent, retries with a
//! limit, counters of requests and bytes, faults for tests. Refuses to know what the bytes are: no tables, no journals.
//!
//! Invariants: a put is seen whole or not at all; a conditional put is never replaced by a plain one where the server does not
//! have it (see [`Store::probe_conditional_put`]); an unreachable store answers within about ten seconds.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let dir = tempfile::tempdir().unwrap();
//! let store = mainstay_storage::open("lake", dir.path()).unwrap();
//! store.put("air/a.csv", "x\n1\n".into()).await.unwrap();
//! let found = store.list("air/*.csv").await.unwrap();
//! assert_eq!(found[0].path, "air/a.csv");
//! # });
//! ```

pub mod error;
pub mod fault;
pub mod listing;
mod local;
pub mod location;
mod probe;
mod s3;
mod store;
pub mod traffic;
mod watched;

pub use error::{Error, Kind};
pub use listing::Found;
pub use location::{Environment, check_glob, open, open_existing, open_glob, open_glob_with, open_with};
pub use probe::ConditionalPut;
pub use store::{Fetched, Store};
pub use traffic::Traffic;

/// The interface that data libraries take stores through, at the version in use here.
pub use object_store;
