//! Work that is going on, or just ended: its progress, its answer, and how it is stopped.
//!
//! Only the newest are remembered here; what they did, and what they answered, is in the journal.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_api::Progress;
use mainstay_base::Hash;
use mainstay_server::CancelToken;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use utoipa::ToSchema;

/// How many operations are remembered.
const REMEMBERED: usize = 1000;

/// How many steps of one are remembered.
const STEPS: usize = 20_000;

/// One step of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    /// `began`, `at` or `ended`.
    pub step: String,
    /// What, for example a job or a source.
    pub what: String,
    /// In what it is counted, where it began.
    #[serde(default)]
    pub unit: String,
    /// How much there is to do, where that is known.
    pub total: Option<u64>,
    /// How much is done.
    pub done: Option<u64>,
    /// Whether it went well, where it ended.
    pub ok: Option<bool>,
    /// What came of it, in words.
    #[serde(default)]
    pub message: String,
}

impl From<Progress> for Step {
    fn from(progress: Progress) -> Self {
        let step = |step: &str, what| Self {
            step: step.to_owned(),
            what,
            unit: String::new(),
            total: None,
            done: None,
            ok: None,
            message: String::new(),
        };
        match progress {
            Progress::Began { what, unit, total } => Self {
                unit: unit.to_owned(),
                total,
                ..step("began", what)
            },
            Progress::At { what, done } => Self {
                done: Some(done),
                ..step("at", what)
            },
            Progress::Ended { what, ok, message } => Self {
                ok: Some(ok),
                message,
                ..step("ended", what)
            },
        }
    }
}

/// The answer about an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct OperationReport {
    /// Its key.
    pub operation: String,
    /// What was asked for.
    pub asked: String,
    /// `going_on` or `done`.
    pub state: String,
    /// The status of its answer; none while it goes on.
    pub status: Option<u16>,
    /// Its answer, as it would have been given to who waits; none while it goes on.
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Value>,
}

/// Work that is going on, or ended.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) key: String,
    pub(crate) account: String,
    pub(crate) cancel: CancelToken,
    asked: Arc<str>,
    hash: Hash,
    steps: Mutex<Vec<Step>>,
    /// How many steps there are, and the answer.
    state: watch::Sender<(usize, Option<(u16, Value)>)>,
}

impl Operation {
    fn steps(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in progress.
    pub(crate) fn show(&self, progress: Progress) {
        let step = Step::from(progress);
        let mut steps = self.steps();
        // Of many small steps in a row every tenth of the way is enough for who watches.
        let repeats = steps.last().is_some_and(|last| {
            step.step == "at"
                && last.step == "at"
                && last.what == step.what
                && !steps.len().is_multiple_of(10)
        });
        if repeats {
            steps.pop();
        }
        if steps.len() < STEPS {
            steps.push(step);
        }
        let count = steps.len();
        drop(steps);
        self.state.send_modify(|s| s.0 = count);
    }

    pub(crate) fn end(&self, status: u16, answer: Value) {
        self.state.send_modify(|s| s.1 = Some((status, answer)));
    }

    pub(crate) fn result(&self) -> Option<(u16, Value)> {
        self.state.borrow().1.clone()
    }

    pub(crate) async fn wait(&self) -> (u16, Value) {
        let mut state = self.state.subscribe();
        let done = state.wait_for(|s| s.1.is_some()).await;
        done.ok().and_then(|s| s.1.clone()).unwrap_or((500, Value::Null))
    }

    /// Waits until there is more than so many steps, or the end; returns what came, and whether it ended.
    pub(crate) async fn after(&self, seen: usize) -> (Vec<Step>, bool) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this.
        let _ = state.wait_for(|s| s.0 > seen || s.1.is_some()).await;
        let ended = self.result().is_some();
        let new = self.steps().get(seen..).unwrap_or_default().to_vec();
        (new, ended)
    }

    pub(crate) fn report(&self) -> OperationReport {
        let result = self.result();
        OperationReport {
            operation: self.key.clone(),
            asked: self.asked.to_string(),
            state: if result.is_some() { "done" } else { "going_on" }.to_owned(),
            status: result.as_ref().map(|r| r.0),
            answer: result.map(|r| r.1),
        }
    }
}

/// What came of beginning an operation under a key.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Nothing is going on under this key.
    New(Arc<Operation>),
    /// The same is going on, or ended a moment ago.
    GoesOn(Arc<Operation>),
    /// Something else is.
    Other,
}

type Known = (
    HashMap<(String, String), Arc<Operation>>,
    VecDeque<(String, String)>,
);

/// The operations of this process.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<Known>);

impl Operations {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, account: &str, key: &str, asked: &Arc<str>, hash: Hash) -> Begun {
        let mut known = self.known();
        let place = (account.to_owned(), key.to_owned());
        if let Some(there) = known.0.get(&place) {
            if there.hash != hash || there.asked != *asked {
                return Begun::Other;
            }
            // What failed for a reason that passes is tried again.
            let passing = |r: &(u16, Value)| r.0 >= 500 || r.0 == 409;
            if !there.result().as_ref().is_some_and(passing) {
                return Begun::GoesOn(Arc::clone(there));
            }
        }
        let operation = Arc::new(Operation {
            key: key.to_owned(),
            account: account.to_owned(),
            cancel: CancelToken::new(),
            asked: Arc::clone(asked),
            hash,
            steps: Mutex::default(),
            state: watch::Sender::new((0, None)),
        });
        known.0.insert(place.clone(), Arc::clone(&operation));
        known.1.push_back(place);
        while known.1.len() > REMEMBERED {
            if let Some(oldest) = known.1.pop_front() {
                known.0.remove(&oldest);
            }
        }
        Begun::New(operation)
    }

    /// Returns how many operations of an account go on or wait for their turn; of all accounts if none is named.
    pub(crate) fn open(&self, account: Option<&str>) -> usize {
        let known = self.known();
        let its = known
            .0
            .values()
            .filter(|o| account.is_none_or(|a| o.account == a));
        its.filter(|o| o.result().is_none()).count()
    }

    pub(crate) fn find(&self, account: &str, key: &str) -> Option<Arc<Operation>> {
        self.known().0.get(&(account.to_owned(), key.to_owned())).cloned()
    }

    /// Stops everything that is going on.
    pub(crate) fn cancel_all(&self) {
        let known = self.known();
        for place in &known.1 {
            if let Some(operation) = known.0.get(place) {
                operation.cancel.cancel();
            }
        }
    }
}
