//! Keeping promises: looking at the places of their sources, saying how they stand, and running what they take.
//!
//! What a promise takes is recorded before it is done, and stays to be done until it is recorded as done. A process that dies in
//! between does it again, and computes only what is stale. When places were looked at last is known to this process only: another one
//! looks anew.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{Error, ErrorKind, Progress};
use mainstay_base::Timestamp;
use mainstay_control::{Command, PromiseLook, Sight, has_begun, look_every_ms, promise, promises, standing};
use mainstay_engine::CancelToken;
use mainstay_model::queue::Class;
use mainstay_model::{DatasetName, Selection};

use super::{Unseen, look, sources, within};
use crate::instance::Instance;
use crate::run::RunRequest;
use crate::trigger::{DoneReport, Ran};

/// What this process knows of the places of promises' sources, and when promises have to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// The last fact when it was looked; none: not yet.
    position: Option<u64>,
    /// When something changes by the passing of time.
    next: Option<Timestamp>,
    /// By account and source.
    places: BTreeMap<(String, DatasetName), Watched>,
}

/// What is known of the place of a source.
#[derive(Debug)]
struct Watched {
    /// How often it is looked at, in milliseconds.
    every_ms: u64,
    /// When it is looked at next.
    next: Timestamp,
    /// When it was last seen.
    seen: Timestamp,
    /// Why it could not be looked at since.
    error: Option<String>,
}

impl Watching {
    fn unseen(&self, account: &str) -> Unseen {
        let its = self.places.iter().filter(|((a, _), _)| a == account);
        its.filter_map(|((_, name), w)| Some((name.clone(), (w.seen, w.error.clone()?))))
            .collect()
    }
}

impl Instance {
    /// Says whether it has to be looked how promises stand: something happened since, or it is time.
    pub fn promises_are_due(&self) -> bool {
        let position = self.position();
        let watching = self.watching();
        let now = self.clock.now();
        watching.position != Some(position) || watching.next.is_some_and(|next| next <= now)
    }

    /// Says how promises stand, in all accounts, records it where that is new, and sets off what has to be.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    pub fn keep_promises(&self) -> Result<(), Error> {
        let position = self.position();
        let accounts: Vec<String> = self.ledger().states().map(|(a, _)| a.to_owned()).collect();
        let (mut next, mut places) = (None, BTreeMap::new());
        for account in accounts {
            let own = self.as_part_of(&account, "mainstay", None)?;
            let now = self.clock.now();
            let unseen = self.watching().unseen(&account);
            let (looks, watched) = own.planning(|sight, planning| {
                let mut is_stale = |job: &mainstay_planner::Job| planning.stale(sight, job).is_some();
                looks(sight, &unseen, &mut is_stale)
            });
            places.extend(
                watched
                    .into_iter()
                    .map(|(name, every)| ((account.clone(), name), every)),
            );
            if looks.is_empty() {
                continue;
            }
            let times = own.with(|sight| {
                let each = looks.iter().filter_map(|l| standing(sight.state, l, now));
                each.filter_map(|s| s.next).min()
            });
            next = next.into_iter().chain(times).min();
            own.submit(Command::KeepPromises { looks })?;
        }
        let now = self.clock.now();
        let mut watching = self.watching();
        watching.position = Some(position);
        watching.next = next;
        watching.places.retain(|key, _| places.contains_key(key));
        for (key, every_ms) in places {
            let watched = watching.places.entry(key).or_insert(Watched {
                every_ms,
                next: now,
                seen: now,
                error: None,
            });
            watched.every_ms = every_ms;
        }
        Ok(())
    }

    /// Returns the sources that could not be looked at, as this process knows.
    pub(crate) fn unseen(&self) -> Unseen {
        self.watching().unseen(self.account())
    }

    /// Returns the accounts of which the place of a source has to be looked at.
    pub(crate) fn with_places_to_look_at(&self) -> BTreeSet<String> {
        let now = self.clock.now();
        let watching = self.watching();
        let due = watching.places.iter().filter(|(_, w)| w.next <= now);
        due.map(|((account, _), _)| account.clone()).collect()
    }

    /// Returns when the next place has to be looked at; none if none has.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        self.watching().places.values().map(|w| w.next).min()
    }

    /// Takes in what the places of an account's promised datasets' sources hold, where it is time to look.
    pub(crate) fn look_at_places(
        &self,
        account: &str,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let due: Vec<(String, DatasetName)> = {
            let watching = self.watching();
            let due = watching
                .places
                .iter()
                .filter(|((a, _), w)| a == account && w.next <= now);
            due.map(|(key, _)| key.clone()).collect()
        };
        for key in due {
            let began = self.clock.now();
            let actor = format!("source/{}", key.1);
            let own = self.as_part_of(&key.0, &actor, Some("looked at for promises".to_owned()))?;
            let looked = own.deliver_to(std::slice::from_ref(&key.1), cancel, watch);
            let error = match looked {
                Err(e) if e.kind == ErrorKind::Interrupted => return Ok(()),
                Err(e) => Some(e.message),
                Ok(report) => report.refused.first().map(|r| r.error.message.clone()),
            };
            let mut watching = self.watching();
            if let Some(watched) = watching.places.get_mut(&key) {
                let every = i64::try_from(watched.every_ms).unwrap_or(i64::MAX / 1000);
                watched.next = self.clock.now().plus_millis(every);
                if error.is_none() {
                    watched.seen = began;
                }
                // Who knows how promises stand has to know this, too.
                if watched.error.is_some() || error.is_some() {
                    watching.position = None;
                }
                if let Some(watched) = watching.places.get_mut(&key) {
                    watched.error = error;
                }
            }
        }
        Ok(())
    }

    /// Does what promises of an account take, until nothing is left to do or it is cancelled.
    pub(crate) fn do_promised(
        &self,
        account: &str,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<DoneReport>, Error> {
        let mut done = Vec::new();
        let own = self.as_part_of(account, "mainstay", None)?;
        while let Some((dataset, because)) = own.with(open).filter(|_| !cancel.is_cancelled()) {
            let actor = format!("promise/{dataset}");
            let acting = own.as_part_of(account, &actor, Some(because.clone()))?;
            let request = RunRequest {
                targets: vec![(dataset.clone(), Selection::All)],
                class: Class::Scheduled,
                ..RunRequest::default()
            };
            let ran = Ran::of(acting.run(&request, cancel, watch));
            // What was stopped half-way is done the next time.
            if !cancel.is_cancelled() {
                let (runs, error) = ran.recorded();
                acting.submit(Command::FinishPromise { dataset, runs, error })?;
            }
            done.push(DoneReport {
                account: account.to_owned(),
                trigger: actor,
                because,
                runs: ran.runs,
                error: ran.error,
            });
        }
        Ok(done)
    }
}

/// Looks at all promises, and says how often the places of their sources are to be looked at.
fn looks(
    sight: &Sight<'_>,
    unseen: &Unseen,
    is_stale: &mut dyn FnMut(&mainstay_planner::Job) -> bool,
) -> (Vec<PromiseLook>, BTreeMap<DatasetName, u64>) {
    let mut places: BTreeMap<DatasetName, u64> = BTreeMap::new();
    if sight.state.rests() {
        return (Vec::new(), places);
    }
    let mut looks = Vec::new();
    for spec in promises(sight.state) {
        looks.push(look(sight, &spec.dataset, unseen, &mut *is_stale));
        if !has_begun(sight.state, &spec.dataset) {
            continue;
        }
        let every = look_every_ms(spec.within_ms);
        for source in sources(sight, &spec.dataset) {
            let shortest = places.entry(source).or_insert(every);
            *shortest = every.min(*shortest);
        }
    }
    (looks, places)
}

/// What is to be done next for a promise, the oldest first: the dataset, and why.
fn open(sight: &Sight<'_>) -> Option<(DatasetName, String)> {
    let open = sight
        .state
        .promises
        .iter()
        .filter_map(|(name, p)| Some((name, p.open()?)));
    let (name, work) = open.min_by_key(|(_, work)| work.seq)?;
    let promised = promise(sight.state, name).map_or_else(String::new, |spec| {
        format!(", and it is promised within {}", within(spec.within_ms))
    });
    Some((name.clone(), format!("{}{promised}", work.because)))
}
