//! The journal: append-only, hash-chained, verifiable.
//!
//! Records are opaque here: a kind is a text, a body is bytes. What this crate answers for is that what was appended is
//! durable, in order, by one writer at a time, and that any later change to it is found.
//!
//! - [`Journal`] opens, appends, reads, signs and proves; [`verify`] checks everything, even what cannot be opened.
//! - [`store::Store`] is where the rows are kept: SQLite, PostgreSQL, memory, and whatever passes [`store::conformance`].
//! - [`check_proof`] needs nothing but a proof and a public key.
//!
//! The stored shapes are described byte by byte in `docs/formats/journal.md`.
//!
//! ```
//! use mainstay_journal::{Draft, Journal, MemoryStore, OpenOptions, SigningKey, check_proof};
//!
//! let mut journal = Journal::open(MemoryStore::new(), OpenOptions::write())?;
//! let draft = Draft { kind: "greeted".into(), actor: "ada".into(), body: b"hello".to_vec(), ..Draft::default() };
//! let receipt = journal.append(vec![draft], None)?;
//! assert_eq!(journal.read(1, 10)?.len(), 1);
//!
//! let key = SigningKey::generate(journal.origin())?;
//! journal.checkpoint(&key)?;
//! let proof = journal.prove(receipt.first_seq)?;
//! let proven = check_proof(&proof, &key.verifier().to_string())?;
//! assert_eq!(proven.record.body.as_deref(), Some(b"hello".as_slice()));
//! # Ok::<(), mainstay_journal::Error>(())
//! ```

mod checkpoint;
mod copy;
mod entropy;
mod error;
mod frame;
mod journal;
mod key;
mod merkle;
mod proof;
mod record;
pub mod store;
mod verify;
mod wire;

pub use checkpoint::Checkpoint;
pub use copy::{Copied, Rebuild, Stretch, Until};
pub use entropy::Entropy;
pub use error::{Error, Kind};
pub use frame::Frame;
pub use journal::{Filter, Head, Journal, Mode, OpenOptions, Receipt, Records, Repair, is_beginning};
pub use key::{SigningKey, VerifierKey};
pub use proof::{Proof, Proven, check_proof};
pub use record::{Draft, MAX_BODY_BYTES, Record};
pub use store::{Leader, Lease, MemoryStore, PostgresStore, SqliteStore, Store};
pub use verify::{Verification, VerifyOptions, verify, verify_boxed};
