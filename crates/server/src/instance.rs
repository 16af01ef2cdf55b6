//! An open home with its project.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mainstay_api::{Error, ErrorKind, Progress};
use mainstay_base::{Clock, SystemClock};
use mainstay_catalog::Projector;
use mainstay_control::{Command, Sight};
use mainstay_engine::Engine;
use mainstay_journal::store::Lock;
pub use mainstay_journal::store::postgres::Address as JournalAddress;
use mainstay_model::fact::Fact;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::spec::ProjectSpec;
use mainstay_model::{BranchName, DEFAULT_ACCOUNT, DatasetName};
use mainstay_project::SourceFile;
use mainstay_storage::Store;

use crate::error;
use crate::ledger::{Context, Ledger, Recorded};
use crate::place::{self, Place};
use crate::planning::Planning;
use crate::promise::Watching;
use crate::run::Places;
use crate::standby::Standing;
use crate::turns::Turns;

/// Whether an instance may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads, beside whoever writes.
    Read,
    /// It is the one writer.
    Write,
}

/// How an instance is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The home: journal and data.
    pub home: PathBuf,
    /// Where its journal is, if it is not in the home and the home does not say.
    pub journal: Option<JournalAddress>,
    /// The project's folder, if there is one.
    pub project: Option<PathBuf>,
    /// Whether it may change anything.
    pub access: Access,
    /// The branch that is worked in; none is the live side.
    pub branch: Option<BranchName>,
    /// How long to wait for another writer; not at all if `None`.
    pub wait: Option<Duration>,
    /// Who acts.
    pub context: Context,
}

/// The store of the tables, and what projects into it; opened once for each location.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) store: Store,
    pub(crate) projector: Projector,
}

/// How many folders for passing files were named.
static SCRATCH: AtomicU64 = AtomicU64::new(0);

/// Who watches the work.
pub(crate) type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// An open home with its project, seen from one side: the live one, or a branch.
#[derive(Clone, Debug)]
pub struct Instance {
    shared: Arc<Shared>,
    pub(crate) branch: Option<BranchName>,
    /// Who acts, and as part of which account.
    pub(crate) context: Arc<Context>,
    /// The project's files, where they came with the request; else they are on disk.
    pub(crate) files: Option<Arc<Vec<SourceFile>>>,
}

impl Deref for Instance {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// An account and the place of its tables; none is the home.
type Somewhere = Option<(String, String)>;

/// What all sides of an open home share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
    /// Taken only while the ledger is.
    planning: Mutex<Planning>,
    pub(crate) engine: OnceLock<Engine>,
    /// By account and place; those in the home itself are one for all.
    tables: Mutex<BTreeMap<Somewhere, Tables>>,
    /// The stores in which accounts' tables are known to be this journal's.
    claimed: Mutex<BTreeSet<(Somewhere, String)>>,
    /// Whether staged files were left that could not be removed.
    pub(crate) leavings: AtomicBool,
    pub(crate) turns: Turns,
    pub(crate) places: Arc<Places>,
    /// What is known of the places of promised datasets' sources. Never held while the ledger is taken.
    watching: Mutex<Watching>,
    /// What opening found out and people should know.
    notices: Mutex<Vec<String>>,
    /// Whether it is the one writer.
    writes: AtomicBool,
    /// Since when it is, or was opened, in microseconds.
    since: AtomicU64,
    /// What it knows of its part among servers of one journal.
    pub(crate) standing: Standing,
    /// Of one that stands by: the home's lock, for as long as it is open.
    _lock: Option<Lock>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Instance {
    /// Opens a home; for writing, one that is not there yet is created, and what a crash left behind is finished or undone.
    ///
    /// # Errors
    ///
    /// `Unavailable` if another process writes there (its process id is named) or a file cannot be opened, `NotFound` if there
    /// is nothing to read, `Damaged` if the journal does not verify.
    pub fn open(options: Options) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let place = Place::of(&options.home, options.journal.as_ref())?;
        let ledger = match options.access {
            Access::Write => Ledger::write(&options.home, place, options.wait, clock.clone())?,
            Access::Read => Ledger::read(&options.home, place, clock.clone())?,
        };
        let lease = ledger.lease();
        let instance = Self::with_ledger(options, ledger, clock, None)?;
        instance.standing.leads_by(lease);
        instance.check_branch()?;
        if instance.writes() {
            instance.recover(None)?;
        }
        Ok(instance)
    }

    /// Makes an instance of an open journal; nothing is checked or put in order yet.
    pub(crate) fn with_ledger(
        options: Options,
        ledger: Ledger,
        clock: Arc<dyn Clock>,
        lock: Option<Lock>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .thread_name("mainstay-io")
            .build()
            .map_err(|e| error::file("start threads for", &options.home, &e))?;
        let branch = options.branch.clone();
        let since = micros(clock.as_ref());
        let writes = options.access == Access::Write;
        let shared = Shared {
            options,
            clock,
            ledger: Mutex::new(ledger),
            planning: Mutex::default(),
            engine: OnceLock::new(),
            tables: Mutex::default(),
            claimed: Mutex::default(),
            leavings: AtomicBool::new(false),
            turns: Turns::default(),
            places: Arc::default(),
            watching: Mutex::default(),
            notices: Mutex::default(),
            writes: AtomicBool::new(writes),
            since: AtomicU64::new(since),
            standing: Standing::default(),
            _lock: lock,
            runtime,
        };
        Ok(Self {
            context: Arc::new(shared.options.context.clone()),
            shared: Arc::new(shared),
            branch,
            files: None,
        })
    }

    /// Says whether this is the one writer.
    pub(crate) fn writes(&self) -> bool {
        self.shared.writes.load(Ordering::Relaxed)
    }

    /// Is the one writer from now on.
    pub(crate) fn begin_to_write(&self) {
        let now = micros(self.clock.as_ref());
        self.shared.since.store(now, Ordering::Relaxed);
        self.shared.writes.store(true, Ordering::Relaxed);
    }

    /// Returns since when this is the one writer, in microseconds.
    pub(crate) fn since(&self) -> u64 {
        self.shared.since.load(Ordering::Relaxed)
    }

    fn check_branch(&self) -> Result<(), Error> {
        match &self.branch {
            Some(name) if self.ledger().state(self.account()).line(Some(name)).is_none() => {
                let message = format!("there is no branch `{name}`");
                Err(Error::new(ErrorKind::NotFound, "MS0401", message)
                    .help(format!("mainstay branch create {name} makes it")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the same home as somebody else sees it: as part of another account, from another side, with a project's files
    /// that are not on disk.
    ///
    /// # Errors
    ///
    /// `NotFound` if the account has no such branch.
    pub fn acting(
        &self,
        context: Context,
        branch: Option<BranchName>,
        files: Option<Vec<SourceFile>>,
    ) -> Result<Self, Error> {
        let other = Self {
            shared: Arc::clone(&self.shared),
            branch,
            context: Arc::new(context),
            files: files.map(Arc::new),
        };
        other.check_branch()?;
        Ok(other)
    }

    /// Returns why the one who acts does, if that was said.
    pub fn reason(&self) -> Option<&str> {
        self.context.reason.as_deref()
    }

    /// Returns the account that is acted in.
    pub fn account_name(&self) -> &str {
        self.account()
    }

    /// Returns the home's folder.
    pub fn home(&self) -> &Path {
        &self.options.home
    }

    /// Returns the number of the last fact of the journal.
    pub fn position(&self) -> u64 {
        self.ledger().journal().head().last_seq
    }

    /// Tells whoever waits for something to happen that something was recorded.
    pub fn grown(&self) -> tokio::sync::watch::Receiver<u64> {
        self.ledger().grown()
    }

    /// Returns a folder of its own for files that are gone when the work is done; it is not made yet.
    pub fn scratch(&self) -> PathBuf {
        let name = format!(
            "{}-{}",
            std::process::id(),
            SCRATCH.fetch_add(1, Ordering::Relaxed)
        );
        self.options.home.join(crate::recover::SCRATCH).join(name)
    }

    /// Says whether a home was ever written.
    pub fn exists(home: &Path) -> bool {
        place::is_begun(home)
    }

    /// Signs a checkpoint and leaves a snapshot where it is worth it. Without it nothing is lost, only unsigned.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn close(self) -> Result<(), Error> {
        self.ledger().close()?;
        if self.writes() {
            self.unmark();
        }
        Ok(())
    }

    /// Signs a checkpoint over what is not signed yet, and leaves a snapshot where it is worth it, while it stays open.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn settle(&self) -> Result<(), Error> {
        self.ledger().close()
    }

    /// Signs a checkpoint where others may follow this writer: it tells them whether they have the key.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn sign_for_others(&self) -> Result<(), Error> {
        self.ledger().sign_for_others()
    }

    /// Returns why nothing can be recorded any more, if the journal's database was away for too long or has another writer: who
    /// opens the home again can.
    pub fn lost(&self) -> Option<Error> {
        self.ledger().lost()
    }

    /// Returns what opening had to put in order, in words; none after a clean end.
    pub fn notices(&self) -> Vec<String> {
        let noticed = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        self.repaired()
            .into_iter()
            .chain(self.resting().filter(|_| self.writes()))
            .chain(noticed.iter().cloned())
            .collect()
    }

    pub(crate) fn notice(&self, text: String) {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    fn repaired(&self) -> Option<String> {
        let ledger = self.ledger();
        let r = ledger.repaired()?;
        Some(format!(
            "the journal's last frame was only half written (a power cut?): {} cut off after fact {}",
            mainstay_base::text::count(r.facts, "fact"),
            r.last_seq
        ))
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watching(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the same home, seen from another side.
    pub(crate) fn on(&self, branch: Option<BranchName>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            branch,
            context: Arc::clone(&self.context),
            files: self.files.clone(),
        }
    }

    /// Returns the same home as part of another account, on its live side.
    pub(crate) fn of_account(&self, account: String) -> Self {
        let context = Context {
            account,
            ..self.context.as_ref().clone()
        };
        Self {
            shared: Arc::clone(&self.shared),
            branch: None,
            context: Arc::new(context),
            files: None,
        }
    }

    /// Looks at the state from this side; for short looks, since nothing can be recorded meanwhile. A branch that was dropped
    /// is seen as the live side.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Sight<'_>) -> T) -> T {
        let ledger = self.ledger();
        let state = ledger.state(self.account());
        let sight = Sight::of(state, self.branch.as_ref()).unwrap_or_else(|| Sight::live(state));
        look(&sight)
    }

    /// Looks at the state from this side as [`Instance::with`] does, with what is remembered of planning.
    pub(crate) fn planning<T>(&self, look: impl FnOnce(&Sight<'_>, &mut Planning) -> T) -> T {
        self.with(|sight| {
            let mut planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
            look(sight, &mut planning)
        })
    }

    pub(crate) fn submit(&self, command: Command) -> Result<Recorded, Error> {
        self.ledger().submit(&self.context, self.branch.as_ref(), command)
    }

    /// Says what a command would record now.
    pub(crate) fn would(&self, command: &Command) -> Result<Vec<Fact>, Error> {
        self.ledger()
            .would(self.account(), self.branch.as_ref(), command.clone())
    }

    /// Returns the project's settings as applied.
    pub(crate) fn settings(&self) -> ProjectSpec {
        self.with(settings)
    }

    /// Returns the settings of the project of the home's own account.
    pub(crate) fn home_settings(&self) -> ProjectSpec {
        let ledger = self.ledger();
        let own = self.options.context.account.as_str();
        settings(&Sight::live(ledger.state(if own.is_empty() {
            DEFAULT_ACCOUNT
        } else {
            own
        })))
    }

    pub(crate) fn account(&self) -> &str {
        let account = self.context.account.as_str();
        if account.is_empty() {
            DEFAULT_ACCOUNT
        } else {
            account
        }
    }

    /// Returns the store of the tables.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        self.tables().map(|t| t.store)
    }

    pub(crate) fn tables(&self) -> Result<Tables, Error> {
        let declared = self.settings().store;
        let place = self.with(|s| s.state.tables_at(declared.as_deref()).map(str::to_owned));
        // Places count from where the account's are, so that the same word is another place for each.
        let key = place
            .as_ref()
            .map(|place| (self.account().to_owned(), place.clone()));
        let tables = self.opened(&key, place != declared)?;
        if self.writes() {
            let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            let claim = (key, self.account().to_owned());
            if !claimed.contains(&claim) {
                self.claim(&tables.store)?;
                claimed.insert(claim);
            }
        }
        Ok(tables)
    }

    /// Opens the store at a place of an account, or in the home; `moved` if it is not where it is declared to be.
    fn opened(&self, key: &Somewhere, moved: bool) -> Result<Tables, Error> {
        let mut opened = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tables) = opened.get(key) {
            return Ok(tables.clone());
        }
        let store = match key {
            Some((_, place)) if moved => mainstay_storage::open(place, &self.options.home),
            Some((_, place)) => mainstay_storage::open(self.within(place)?, &self.place_dir()),
            None => mainstay_storage::open("data", &self.options.home),
        };
        let store = store.map_err(|e| error::storage(&e))?;
        if store.local_root().is_none() {
            // A server that lets two conditional puts win would let two writers overwrite each other; projecting refuses it.
            let unique = format!("{}-{}", std::process::id(), self.clock.now().as_micros());
            self.runtime
                .block_on(store.probe_conditional_put(&unique))
                .map_err(|e| error::storage(&e))?;
        }
        let projector = Projector::new(&store);
        let tables = Tables { store, projector };
        opened.insert(key.clone(), tables.clone());
        Ok(tables)
    }

    /// Returns the path of a dataset's table in the store.
    pub(crate) fn table(&self, dataset: &DatasetName) -> String {
        format!("{}/{}/{}", self.account(), dataset.schema(), dataset.table())
    }

    pub(crate) fn project_dir(&self) -> Result<&Path, Error> {
        let own = self.options.project.as_deref().filter(|_| !self.is_guest());
        own.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "MS0001",
                "there is no project here: no mainstay.toml in this folder or above it",
            )
            .help("go to a project, name one with --project DIR, or make one with `mainstay init DIR`")
        })
    }

    /// Returns the resource of a kind and name, as applied.
    pub(crate) fn resource(&self, key: &ResourceKey) -> Option<mainstay_model::Resource> {
        self.with(|sight| sight.resource(key).cloned())
    }
}

/// Returns the project's settings as one side has them.
pub(crate) fn settings(state: &Sight<'_>) -> ProjectSpec {
    let project = state.declared().find(|(k, ..)| k.kind == Kind::Project);
    match project.map(|(_, _, r)| &r.spec) {
        Some(Spec::Project(spec)) => spec.clone(),
        _ => ProjectSpec::default(),
    }
}

fn micros(clock: &dyn Clock) -> u64 {
    clock.now().as_micros().unsigned_abs()
}
