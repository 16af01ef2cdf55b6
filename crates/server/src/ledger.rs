//! The ledger: the journal with its fold. Every change goes through here: decided, appended, then applied.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_api::Error;
use mainstay_base::{Clock, Hash, Timestamp};
use mainstay_control::{Command, Happening, State, decide, react};
use mainstay_journal::{Draft, Journal, Lease, OpenOptions, Repair, SigningKey};
use mainstay_model::BranchName;
use mainstay_model::fact::Fact;
use mainstay_model::upcast;
use tokio::sync::watch;

use crate::error;
use crate::metrics::Histogram;
use crate::place::Place;
use crate::snapshot;
use crate::step;

mod digest;
mod follow;

use digest::{Due, digest};
pub(crate) use follow::Difference;

/// After so many facts a closing ledger leaves a snapshot, so that the next opening folds few facts.
const SNAPSHOT_AFTER: u64 = 500;

/// After facts of so many bytes it does, too, if that is not little beside the last snapshot: a publish of a year of days is one fact.
const SNAPSHOT_AFTER_BYTES: u64 = 256 << 10;

/// The file of the key that signs checkpoints.
pub(crate) const KEY: &str = "journal.key";

/// Who does something, and as part of what.
#[derive(Clone, Debug)]
pub struct Context {
    /// The account.
    pub account: String,
    /// Who.
    pub actor: String,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// The key of the request that it belongs to.
    pub request: Option<String>,
}

/// What was recorded: the numbers and the facts.
pub(crate) type Recorded = Vec<(u64, Fact)>;

/// The journal with its fold.
#[derive(Debug)]
pub(crate) struct Ledger {
    journal: Journal,
    /// By account: what is known there. Accounts share the journal and nothing else.
    states: BTreeMap<String, State>,
    /// What an account without a fact knows.
    nothing: State,
    /// The last fact that is in the states.
    folded: u64,
    clock: Arc<dyn Clock>,
    snapshot: u64,
    /// The bytes of the snapshot, and of the facts after it.
    saved: u64,
    unsaved: u64,
    folder: std::path::PathBuf,
    place: Place,
    writes: bool,
    /// The last fact that was recorded here, for those who wait for something to happen.
    grown: watch::Sender<u64>,
    /// How long appends took.
    appends: Histogram,
    /// When a digest of the state goes into a frame.
    due: Due,
    /// Of one that follows: the last frame whose digest was looked for.
    looked: u64,
    /// Of one that follows: the newest frame whose digest was that of the state.
    compared: u64,
    /// Of one that follows: where it was not.
    difference: Option<Difference>,
}

impl Ledger {
    /// Opens the journal in a home for writing, and folds it.
    pub(crate) fn write(
        folder: &Path,
        place: Place,
        wait: Option<Duration>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|e| error::file("create", folder, &e))?;
        let options = OpenOptions {
            mode: mainstay_journal::Mode::Write { wait },
            ..OpenOptions::write()
        };
        Self::open(folder, place, options, clock, true)
    }

    /// Opens the journal in a home for reading, beside any writer.
    pub(crate) fn read(folder: &Path, place: Place, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::open(folder, place, OpenOptions::read(), clock, false)
    }

    fn open(
        folder: &Path,
        mut place: Place,
        options: OpenOptions,
        clock: Arc<dyn Clock>,
        writes: bool,
    ) -> Result<Self, Error> {
        let journal = Journal::open_boxed(place.store(), options).map_err(|e| error::journal(&e))?;
        place.check(&journal)?;
        if writes {
            // Before anything is appended: a home whose journal is elsewhere must know which one is its own.
            place.keep(&journal)?;
        }
        let found = journal
            .load_snapshot(State::FOLD_VERSION)
            .map_err(|e| error::journal(&e))?;
        let (snapshot, saved, states) = found
            .and_then(|(seq, body)| Some((seq, body.len() as u64, snapshot::read(&body)?)))
            .unwrap_or_default();
        let mut ledger = Self {
            journal,
            states,
            nothing: State::default(),
            folded: snapshot,
            clock,
            snapshot,
            saved,
            unsaved: 0,
            folder: folder.to_owned(),
            place,
            writes,
            grown: watch::Sender::default(),
            appends: Histogram::default(),
            due: Due::default(),
            looked: 0,
            compared: 0,
            difference: None,
        };
        ledger.catch_up()?;
        ledger.looked = ledger.journal.head().frame;
        Ok(ledger)
    }

    /// Sees what another process has written since; a writer knows already.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        self.journal.refresh().map_err(|e| error::journal(&e))?;
        self.catch_up()
    }

    /// Folds what is in the journal and not yet in the state.
    pub(crate) fn catch_up(&mut self) -> Result<(), Error> {
        self.fold_to(self.journal.head().last_seq)
    }

    /// Folds what is in the journal up to a record and not yet in the state.
    fn fold_to(&mut self, last: u64) -> Result<(), Error> {
        let Self {
            journal,
            states,
            folded,
            unsaved,
            ..
        } = self;
        let count = usize::try_from(last.saturating_sub(*folded)).unwrap_or(usize::MAX);
        let records = journal.records(*folded + 1, mainstay_journal::Filter::default());
        for record in records.take(count) {
            let record = record.map_err(|e| error::journal(&e))?;
            *unsaved += record.body.as_ref().map_or(0, |b| b.len() as u64);
            let seq = record.seq;
            let fact = record
                .body
                .as_ref()
                .map(|body| upcast::decode(&record.kind, record.kind_version, body));
            match fact {
                None => {}
                Some(Ok(fact)) => states.entry(record.account).or_default().apply(
                    seq,
                    record.time,
                    &record.actor,
                    record.reason.as_deref(),
                    fact,
                ),
                Some(Err(_)) if record.ignorable => {}
                // It is not passed over: whoever tries again meets it again.
                Some(Err(e)) => return Err(unreadable(seq, &e)),
            }
            *folded = seq;
        }
        Ok(())
    }

    /// Returns what is known in an account.
    pub(crate) fn state(&self, account: &str) -> &State {
        self.states.get(account).unwrap_or(&self.nothing)
    }

    /// Returns the accounts, with what is known in each.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&str, &State)> {
        self.states
            .iter()
            .map(|(account, state)| (account.as_str(), state))
    }

    /// Returns the journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns why nothing can be recorded any more, if the journal is elsewhere and was lost to a failure or another writer.
    pub(crate) fn lost(&self) -> Option<Error> {
        let lost = self.journal.broken().filter(|_| self.place.is_elsewhere())?;
        Some(error::journal(&lost))
    }

    /// Returns how long appends took.
    pub(crate) fn appends(&self) -> &Histogram {
        &self.appends
    }

    /// Returns what the opening cut off, if a power cut had left something.
    pub(crate) fn repaired(&self) -> Option<&Repair> {
        self.journal.repaired()
    }

    /// Says what a command would record now.
    pub(crate) fn would(
        &self,
        account: &str,
        side: Option<&BranchName>,
        command: Command,
    ) -> Result<Vec<Fact>, Error> {
        decide(self.state(account), side, command, self.clock.now()).map_err(error::refusal)
    }

    /// Decides commands together, records what was decided in one frame, and folds it. Nothing is recorded if one is refused.
    pub(crate) fn submit(
        &mut self,
        context: &Context,
        side: Option<&BranchName>,
        command: Command,
    ) -> Result<Recorded, Error> {
        let now = self.clock.now();
        let mut facts = decide(self.state(&context.account), side, command, now).map_err(error::refusal)?;
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        let happening = Happening {
            account: &context.account,
            actor: &context.actor,
            reason: context.reason.as_deref(),
            time: now,
        };
        facts.extend(react(self.state(&context.account), &facts, happening));
        let draft = |fact: &Fact| {
            Ok(Draft {
                time: now,
                account: context.account.clone(),
                actor: context.actor.clone(),
                request: context.request.clone(),
                kind: fact.kind().to_owned(),
                kind_version: fact.version(),
                ignorable: false,
                subject: fact.subject(),
                reason: context.reason.clone(),
                cause: None,
                body: fact.encode().map_err(|e| error::defect("write a fact", &e))?,
            })
        };
        let drafts = facts.iter().map(draft).collect::<Result<Vec<_>, Error>>()?;
        self.unsaved += drafts.iter().map(|d| d.body.len() as u64).sum::<u64>();
        let ahead = self.ahead(context, now, &facts);
        let began = Instant::now();
        let receipt = self
            .journal
            .append(drafts, ahead.as_ref().map(|(_, digest)| *digest))
            .map_err(|e| error::journal(&e))?;
        self.appends.add(began.elapsed());
        self.folded = receipt.last_seq;
        let recorded: Recorded = (receipt.first_seq..).zip(facts).collect();
        match ahead {
            Some((state, _)) => drop(self.states.insert(context.account.clone(), state)),
            None => {
                let state = self.states.entry(context.account.clone()).or_default();
                fold(state, context, now, &recorded);
            }
        }
        self.grown.send_replace(self.folded);
        Ok(recorded)
    }

    /// Tells of each fact that is recorded here.
    pub(crate) fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// Folds facts that are about to be recorded ahead of that, if a digest of what they fold to is due: only where somebody may
    /// follow the journal.
    fn ahead(&mut self, context: &Context, now: Timestamp, facts: &[Fact]) -> Option<(State, Hash)> {
        if !self.place.is_elsewhere() || !self.due.is_now() {
            return None;
        }
        let began = Instant::now();
        let account = context.account.as_str();
        let mut state = self.state(account).clone();
        let first = self.journal.head().last_seq + 1;
        let numbered: Recorded = (first..).zip(facts.iter().cloned()).collect();
        fold(&mut state, context, now, &numbered);
        let mut states: BTreeMap<&str, &State> = self.states().collect();
        states.insert(account, &state);
        // A state that cannot be written is told by its snapshot; the facts are recorded all the same.
        let digest = digest(states.into_iter()).ok();
        self.due.made(began.elapsed());
        Some((state, digest?))
    }

    /// Returns what this writer knows of its turn, where another one can take over.
    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        self.journal.lease()
    }

    /// Signs a checkpoint over what was written, and leaves a snapshot where opening would otherwise get slow.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        if !self.writes {
            return Ok(());
        }
        let head = self.journal.head().last_seq;
        let much = self.unsaved >= SNAPSHOT_AFTER_BYTES.max(self.saved / 4);
        if head >= self.snapshot + SNAPSHOT_AFTER || much {
            let body = snapshot::write(&self.states).map_err(|e| error::defect("write a snapshot", &e))?;
            self.journal
                .save_snapshot(State::FOLD_VERSION, &body)
                .map_err(|e| error::journal(&e))?;
            self.snapshot = head;
            self.unsaved = 0;
            self.saved = body.len() as u64;
            step::at("snapshot.saved");
        }
        self.sign()?;
        self.place.keep(&self.journal)
    }

    /// Signs what is not signed yet, where others may follow: the signature tells them whether they have the key.
    pub(crate) fn sign_for_others(&mut self) -> Result<(), Error> {
        if self.place.is_elsewhere() {
            self.sign()?;
        }
        Ok(())
    }

    fn sign(&mut self) -> Result<(), Error> {
        let head = self.journal.head().last_seq;
        let signed = self
            .journal
            .last_checkpoint()
            .map_err(|e| error::journal(&e))?
            .map_or(0, |c| c.size);
        if head > signed {
            let key = SigningKey::load_or_create(&self.folder.join(KEY), self.journal.origin())
                .map_err(|e| error::journal(&e))?;
            self.journal.checkpoint(&key).map_err(|e| error::journal(&e))?;
        }
        Ok(())
    }
}

fn fold(state: &mut State, context: &Context, now: Timestamp, recorded: &Recorded) {
    for (seq, fact) in recorded {
        state.apply(*seq, now, &context.actor, context.reason.as_deref(), fact.clone());
    }
}

fn unreadable(seq: u64, e: &upcast::Unreadable) -> Error {
    let error = Error::new(
        mainstay_api::ErrorKind::Unavailable,
        "MS0609",
        format!("fact {seq} of the journal cannot be read"),
    );
    error.because(e).help("a newer mainstay wrote it; use that one")
}
