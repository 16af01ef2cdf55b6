//! Where the tests keep journals, and what they put in.

use mainstay_base::Timestamp;
use mainstay_journal::store::conformance::Fixture;
use mainstay_journal::{Draft, Entropy, Journal, MemoryStore, OpenOptions, SigningKey, SqliteStore, Store};
use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn sqlite(&self) -> SqliteStore {
        SqliteStore::new(self.0.path())
    }

    /// Opens the database past every lock.
    pub(crate) fn sql(&self) -> rusqlite::Connection {
        let sql = rusqlite::Connection::open(self.0.path().join("journal.db")).expect("a database");
        sql.execute_batch("PRAGMA ignore_check_constraints = ON")
            .expect("a pragma");
        sql
    }
}

impl Fixture for Folder {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.sqlite())
    }

    fn break_lock(&self) {
        std::fs::remove_file(self.0.path().join("journal.lock")).expect("a lock");
    }
}

#[derive(Debug, Default)]
pub(crate) struct Memory(pub(crate) MemoryStore);

impl Fixture for Memory {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }

    fn break_lock(&self) {
        self.0.break_lock();
    }
}

/// Runs a test on every store.
pub(crate) fn everywhere(test: impl Fn(&dyn Fixture)) {
    test(&Folder::new());
    test(&Memory::default());
}

/// Opens for writing, with the same salts and the same name every time.
pub(crate) fn write(place: &dyn Fixture) -> Journal {
    let entropy = Entropy::Seeded([1; 32]);
    Journal::open_boxed(
        place.store(),
        OpenOptions {
            entropy,
            ..OpenOptions::write()
        },
    )
    .expect("a journal")
}

pub(crate) fn read(place: &dyn Fixture) -> Journal {
    Journal::open_boxed(place.store(), OpenOptions::read()).expect("a journal")
}

pub(crate) fn key(journal: &Journal) -> SigningKey {
    SigningKey::from_seed(journal.origin(), [3; 32]).expect("a key")
}

pub(crate) fn draft(n: u64) -> Draft {
    Draft {
        time: Timestamp::from_micros(1_000_000 * n as i64),
        account: "main".into(),
        actor: if n.is_multiple_of(2) {
            "ada".into()
        } else {
            "bob".into()
        },
        request: n.is_multiple_of(3).then(|| format!("request {n}")),
        kind: if n.is_multiple_of(5) {
            "published".into()
        } else {
            "started".into()
        },
        kind_version: 1,
        ignorable: n.is_multiple_of(7),
        subject: format!("air.flights@{}", n % 10),
        reason: n.is_multiple_of(4).then(|| "because".into()),
        cause: n.checked_sub(1).filter(|n| *n > 0),
        body: format!("{{\"n\":{n}}}").into_bytes(),
    }
}

/// Appends frames of the given sizes, with drafts numbered as they will be.
pub(crate) fn fill(journal: &mut Journal, frames: &[u64]) {
    for count in frames {
        let first = journal.head().last_seq + 1;
        journal
            .append((first..first + count).map(draft).collect(), None)
            .expect("a receipt");
    }
}
