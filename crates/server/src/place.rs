//! Where a home keeps its journal: in a file of its own, or in a PostgreSQL database.
//!
//! A home belongs to one journal. What is not in the journal is taken for abandoned and removed from the data, so a home that
//! is opened with another journal than its own must be refused, never served. The file `journal.json` says which it is, without
//! a password.

use std::path::{Path, PathBuf};

use mainstay_api::{Error, ErrorKind};
use mainstay_base::Hash;
use mainstay_journal::store::postgres::Address;
use mainstay_journal::store::sqlite::{DATABASE, LOCK};
use mainstay_journal::{Journal, PostgresStore, Receipt, SqliteStore, Store};
use serde::{Deserialize, Serialize};

use crate::error;

/// The file of a home whose journal is elsewhere.
const FILE: &str = "journal.json";

/// Reads where a journal is: `postgres://…`. A password that is not in it comes from `PGPASSWORD`.
///
/// # Errors
///
/// `Invalid` if it is no such URL.
pub fn journal_address(url: &str) -> Result<Address, Error> {
    let password = std::env::var("PGPASSWORD").ok();
    Address::parse(url, password.as_deref()).map_err(|e| {
        let error = Error::new(ErrorKind::Invalid, "MS0611", e.to_string());
        let error = match std::error::Error::source(&e) {
            Some(cause) => error.because(cause),
            None => error,
        };
        error.help("a journal's URL looks like postgres://USER@HOST:5432/DATABASE; its password may be in PGPASSWORD")
    })
}

/// Says whether a home has a journal, here or elsewhere.
pub(crate) fn is_begun(home: &Path) -> bool {
    home.join(DATABASE).is_file() || home.join(FILE).is_file()
}

/// What a home knows about its journal elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Where it is, without a password.
    journal: String,
    /// Its name.
    origin: String,
    /// The last frame that this home is known to have appended or seen.
    frame: u64,
    /// That frame's hash.
    frame_hash: Hash,
}

/// Where a home's journal is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    home: PathBuf,
    address: Option<Address>,
    kept: Option<Kept>,
    /// Whether it stands by: its process holds the home's lock already, and the journal may be new to the home.
    stands_by: bool,
}

impl Place {
    /// Finds it: where it is asked for, or where the home says.
    pub(crate) fn of(home: &Path, asked: Option<&Address>) -> Result<Self, Error> {
        let kept = read(home)?;
        if let (Some(address), None, true) = (asked, &kept, home.join(DATABASE).is_file()) {
            let text = format!(
                "the journal of this home is {}, and not {address}",
                home.join(DATABASE).display()
            );
            return Err(Error::new(ErrorKind::Invalid, "MS0611", text)
                .help("leave out --journal and MAINSTAY_JOURNAL, or name another home with --home"));
        }
        let address = match (asked, &kept) {
            (Some(address), _) => Some(address.clone()),
            (None, Some(kept)) => Some(journal_address(&kept.journal)?),
            (None, None) => None,
        };
        Ok(Self {
            home: home.to_owned(),
            address,
            kept,
            stands_by: false,
        })
    }

    /// The same for one who stands by: whoever it is holds the home's lock, and has made sure that the home may be this journal's.
    #[must_use]
    pub(crate) fn standing_by(mut self) -> Self {
        self.stands_by = true;
        self
    }

    /// Says whether it is not in the home.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.address.is_some()
    }

    /// Returns the store that has it.
    pub(crate) fn store(&self) -> Box<dyn Store> {
        match &self.address {
            None => Box::new(SqliteStore::new(&self.home)),
            Some(address) if self.stands_by => Box::new(PostgresStore::new(address.clone())),
            Some(address) => Box::new(PostgresStore::new(address.clone()).with_lock(self.home.join(LOCK))),
        }
    }

    /// Refuses a journal that is not this home's, or not all of it.
    pub(crate) fn check(&self, journal: &Journal) -> Result<(), Error> {
        let Some(address) = &self.address else {
            return Ok(());
        };
        let Some(kept) = &self.kept else {
            if journal.head().frame == 0 || self.stands_by {
                return Ok(());
            }
            let text = format!("the journal {address} is another home's ({})", journal.origin());
            return Err(Error::new(ErrorKind::Invalid, "MS0611", text).help(
                "a journal has one home: look at --home, or begin another journal in the same database with a further ?schema=NAME; \
                 mainstay serve --standby makes this home one that may take over",
            ));
        };
        if kept.origin != journal.origin() {
            let text = format!(
                "the journal {address} is {}, and this home belongs to {}",
                journal.origin(),
                kept.origin
            );
            return Err(Error::new(ErrorKind::Invalid, "MS0611", text)
                .help("look at --journal and MAINSTAY_JOURNAL, and at --home"));
        }
        let receipt = Receipt {
            first_seq: 0,
            last_seq: 0,
            frame: kept.frame,
            frame_hash: kept.frame_hash,
        };
        if kept.frame == 0 || journal.holds(&receipt).map_err(|e| error::journal(&e))? {
            return Ok(());
        }
        let text = format!(
            "the journal {address} has gone back in time: this home has seen frame {}, and the journal, which ends with frame {}, \
             does not have it",
            kept.frame,
            journal.head().frame
        );
        Err(Error::new(ErrorKind::Damaged, "MS0612", text).help(
            "put back a copy of the database that has everything, or let the server that had it take over again",
        ))
    }

    /// Notes where the journal is and how far it is known.
    pub(crate) fn keep(&mut self, journal: &Journal) -> Result<(), Error> {
        let Some(address) = &self.address else {
            return Ok(());
        };
        let head = journal.head();
        let now = Kept {
            journal: address.to_string(),
            origin: journal.origin().to_owned(),
            frame: head.frame,
            frame_hash: head.frame_hash,
        };
        if self.kept.as_ref() == Some(&now) {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&now)
            .map_err(|e| error::defect("write where the journal is", &e))?;
        let (path, part) = (self.home.join(FILE), self.home.join(format!("{FILE}.part")));
        std::fs::write(&part, text + "\n")
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|e| error::file("write", &path, &e))?;
        self.kept = Some(now);
        Ok(())
    }
}

fn read(home: &Path) -> Result<Option<Kept>, Error> {
    let path = home.join(FILE);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|_| unreadable(home)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(error::file("read", &path, &e)),
    }
}

fn unreadable(home: &Path) -> Error {
    let text = format!(
        "{} does not say where this home's journal is",
        home.join(FILE).display()
    );
    Error::new(ErrorKind::Damaged, "MS0611", text)
        .help("put it back from a copy of the home; or remove it and name the journal with --journal")
}
