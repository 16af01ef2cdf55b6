//! Clock, ids, hashes and units.
//!
//! The bottom of the house: vocabulary that every crate may use, without a domain noun, without I/O. The clock and ids are
//! here so that nothing above has a reason to ask the operating system for them; the pure crates get them as arguments.

pub mod clock;
pub mod digest;
pub mod hash;
pub mod id;
pub mod text;
pub mod unit;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use digest::MultisetHash;
pub use hash::Hash;
pub use unit::{Bytes, CpuTime, Rows};
