//! Standing by: a second server of a journal in PostgreSQL follows the one that writes, and takes over when that is gone.
//!
//! It folds what comes, compares its state with the writer's digests, and asks twice a second or more often whether the writer is
//! still there. The store decides who writes: a claim that is too early is refused, and one who lost its turn can append nothing.
//! It never takes over with a state that is not the writer's, nor where it does not see the same tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Clock, SystemClock};
use mainstay_journal::store::Lock;
use mainstay_journal::store::sqlite::LOCK;
use mainstay_journal::{Leader, Store};

use crate::error;
use crate::instance::{Access, Instance, Options};
use crate::ledger::Ledger;
use crate::place::Place;

mod shared;
mod standing;

pub use standing::{Role, Standing};

/// After the database was away its writer gets so long to make itself heard again.
const CALM: Duration = Duration::from_secs(2);

/// An answer that takes longer than this says that the database was away.
const PROMPT: Duration = Duration::from_secs(1);

/// How often it is noted in the home how far the journal is known.
const NOTE: Duration = Duration::from_secs(10);

impl Instance {
    /// Opens a home whose journal is in PostgreSQL to follow who writes there, and to be the next one. A journal that nobody has
    /// begun yet is begun.
    ///
    /// # Errors
    ///
    /// `Invalid` if the journal is not in PostgreSQL, or if what both servers need is not here; `Unavailable` if another process
    /// has this home open, or the database is not there.
    pub fn stand_by(options: Options) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let place = Place::of(&options.home, options.journal.as_ref())?;
        if !place.is_elsewhere() {
            let text = "a standby needs a journal that several machines reach";
            return Err(Error::new(ErrorKind::Invalid, "MS0841", text)
                .help("keep the journal in PostgreSQL (--journal postgres://…), or leave out --standby"));
        }
        std::fs::create_dir_all(&options.home).map_err(|e| error::file("create", &options.home, &e))?;
        let lock = Lock::take(&options.home.join(LOCK), options.wait.unwrap_or_default());
        let lock = lock.map_err(|e| error::journal(&e))?;
        let place = place.standing_by();
        let ledger = match Ledger::follow(&options.home, place.clone(), clock.clone()) {
            Ok(ledger) => ledger,
            Err(e) if e.code == "MS0603" => {
                let ledger = Ledger::write(&options.home, place, options.wait, clock.clone())?;
                let (access, lease) = (Access::Write, ledger.lease());
                let instance = Self::with_ledger(Options { access, ..options }, ledger, clock, Some(lock))?;
                instance.standing.leads_by(lease);
                instance.recover(None)?;
                return Ok(instance);
            }
            Err(e) => return Err(e),
        };
        let access = Access::Read;
        let instance = Self::with_ledger(Options { access, ..options }, ledger, clock, Some(lock))?;
        instance.standing.set(Role::StandsBy);
        instance.check_shared()?;
        instance.ledger().keep_place()?;
        Ok(instance)
    }

    /// Says whether another one writes to the journal now; it is found out in passing and costs nothing to ask.
    pub fn is_followed(&self) -> bool {
        self.standing.is_over()
    }

    /// Returns what this server knows of its part among servers of one journal.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// What came of one look.
#[derive(Debug)]
pub enum Stand {
    /// Another one writes, or nobody may take over yet.
    Follows,
    /// It is the writer now.
    TookOver {
        /// After whom, for people.
        from: String,
    },
}

/// Follows the writer of a journal on behalf of an instance.
#[derive(Debug)]
pub struct Follower {
    instance: Instance,
    /// A connection of its own: when the database is away, only this waits for it.
    store: Box<dyn Store>,
    /// Since when the database answers again; none if it was never away.
    back: Option<Instant>,
    noted: Instant,
}

impl Follower {
    /// Begins to follow.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the database cannot be reached.
    pub fn new(instance: &Instance) -> Result<Self, Error> {
        let mut store = instance.ledger().another_store();
        store.attach().map_err(|e| error::journal(&e))?;
        Ok(Self {
            instance: instance.clone(),
            store,
            back: None,
            noted: Instant::now(),
        })
    }

    /// Looks once: folds what came, and takes over if it is time. What keeps it from either is told by the instance's standing.
    ///
    /// # Errors
    ///
    /// If it had taken over already and could not go on: then nothing but its end gives the journal back.
    pub fn look(&mut self) -> Result<Stand, Error> {
        let began = Instant::now();
        let found = self.store.leader().map_err(|e| error::journal(&e));
        if found.is_err() || began.elapsed() > PROMPT {
            self.back = Some(Instant::now());
        }
        let leader = match found {
            Ok(Some(leader)) => leader,
            Ok(None) => return Ok(Stand::Follows),
            Err(e) => {
                self.instance.standing.trouble(Some(e));
                return Ok(Stand::Follows);
            }
        };
        let followed = self.follow(&leader);
        let standing = &self.instance.standing;
        let name = (!leader.free).then(|| leader.name());
        let (there, compared) = {
            let ledger = self.instance.ledger();
            (ledger.journal().head().frame, ledger.compared())
        };
        standing.looked(name, leader.frame.saturating_sub(there), compared);
        if let Err(e) = followed {
            standing.trouble(Some(e));
            return Ok(Stand::Follows);
        }
        let calm = leader.released || self.back.is_none_or(|back| back.elapsed() >= CALM);
        if !leader.free || !calm {
            standing.trouble(None);
            return Ok(Stand::Follows);
        }
        if let Err(e) = self.instance.check_shared() {
            standing.trouble(Some(e));
            return Ok(Stand::Follows);
        }
        standing.trouble(None);
        self.take_over(&leader)
    }

    fn follow(&mut self, leader: &Leader) -> Result<(), Error> {
        let mut ledger = self.instance.ledger();
        let head = ledger.journal().head();
        let same = leader.frame == head.frame && leader.frame_hash == head.frame_hash;
        if !same && leader.frame <= head.frame {
            let text = format!(
                "the journal has gone back in time: frame {} was seen here, and it ends with frame {}",
                head.frame, leader.frame
            );
            return Err(Error::new(ErrorKind::Damaged, "MS0612", text)
                .help("put back a copy of the database that has everything"));
        }
        if !same || !ledger.is_whole() {
            ledger.catch_up_comparing()?;
        }
        if let Some(difference) = ledger.difference() {
            return Err(difference.error());
        }
        if self.noted.elapsed() >= NOTE {
            ledger.keep_place()?;
            self.noted = Instant::now();
        }
        Ok(())
    }

    fn take_over(&mut self, gone: &Leader) -> Result<Stand, Error> {
        let instance = &self.instance;
        instance.standing.set(Role::TakesOver);
        let leads = instance.ledger().lead()?;
        if !leads {
            instance.standing.set(Role::StandsBy);
            return Ok(Stand::Follows);
        }
        let lease = instance.ledger().lease();
        instance.standing.leads_by(lease);
        instance.begin_to_write();
        instance.recover(Some(gone))?;
        instance.standing.set(Role::Leads);
        Ok(Stand::TookOver { from: gone.name() })
    }
}
