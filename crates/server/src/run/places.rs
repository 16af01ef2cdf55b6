//! Places at which runs go on, given out in fair shares to all requests of this process.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mainstay_control::{Queue, Ticket, Wish, takes};
use mainstay_engine::CancelToken;
use mainstay_model::DatasetName;
use mainstay_model::queue::Class;

use crate::instance::Instance;
use crate::means::cores;

/// How often somebody who waits for a place looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Tells whoever waits that the place is theirs.
type Tell = Box<dyn FnOnce() + Send>;

/// The places of a process.
#[derive(Debug)]
pub(crate) struct Places(Mutex<Inner>);

struct Inner {
    queue: Queue,
    capacity: usize,
    /// Those who wait, and how they are told.
    waiting: BTreeMap<Ticket, Tell>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.queue.fmt(f)
    }
}

impl Default for Places {
    fn default() -> Self {
        let capacity = cores();
        Self(Mutex::new(Inner {
            queue: Queue::new(capacity),
            capacity,
            waiting: BTreeMap::new(),
        }))
    }
}

/// A place, or the wish for one; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    pub(crate) ticket: Ticket,
    /// Since when it is held; it is not yet if none.
    since: Option<Instant>,
}

impl Place {
    /// Says that it is held from now on.
    pub(crate) fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.since.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let told = {
            let mut inner = self.places.inner();
            inner.waiting.remove(&self.ticket);
            inner.queue.leave(self.ticket, took);
            inner.granted()
        };
        told.into_iter().for_each(|tell| tell());
    }
}

impl Inner {
    /// Lets those begin who can, and returns how they are told.
    fn granted(&mut self) -> Vec<Tell> {
        let started = self.queue.admit();
        started
            .into_iter()
            .filter_map(|t| self.waiting.remove(&t))
            .collect()
    }
}

impl Places {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a place. It is held at once, or whoever asks is told when it is.
    fn ask(self: &Arc<Self>, wish: Wish, tell: impl FnOnce(Ticket) -> Tell) -> Place {
        let mut inner = self.inner();
        let ticket = inner.queue.enter(wish);
        let told = inner.granted();
        let held = !inner.queue.waits(ticket);
        if !held {
            inner.waiting.insert(ticket, tell(ticket));
        }
        drop(inner);
        told.into_iter().for_each(|tell| tell());
        let mut place = Place {
            places: Arc::clone(self),
            ticket,
            since: None,
        };
        if held {
            place.begin();
        }
        place
    }
}

impl Instance {
    /// Asks for a place for a run of a job. Where it is not held at once, `tell` is called when it is, perhaps before this returns.
    /// Weights of accounts are what the project of the home's own account says.
    pub(super) fn ask_for_place(
        &self,
        job: &DatasetName,
        class: Class,
        tell: impl FnOnce(Ticket) + Send + 'static,
    ) -> Place {
        let parallel = self.parallel();
        let most = u32::try_from(parallel).unwrap_or(u32::MAX);
        let wish = Wish {
            account: self.account().to_owned(),
            class,
            takes: self.with(|sight| takes(sight, job, most)),
        };
        let shares = self.home_settings().shares;
        {
            let mut inner = self.places.inner();
            inner.capacity = inner.capacity.max(parallel);
            let capacity = inner.capacity;
            inner.queue.set_capacity(capacity);
            for (account, weight) in &shares {
                inner.queue.set_weight(account, *weight);
            }
        }
        self.places.ask(wish, |ticket| Box::new(move || tell(ticket)))
    }

    /// Waits for a place for a run of a job; none if it is not wanted any more.
    pub(super) fn wait_for_place(
        &self,
        job: &DatasetName,
        class: Class,
        cancel: &CancelToken,
    ) -> Option<Place> {
        let (tell, told) = channel();
        let mut place = self.ask_for_place(job, class, move |_| {
            // Who gave up does not listen any more.
            let _ = tell.send(());
        });
        while !place.is_held() {
            if cancel.is_cancelled() {
                return None;
            }
            if told.recv_timeout(LOOK).is_ok() {
                place.begin();
            }
        }
        Some(place)
    }
}
