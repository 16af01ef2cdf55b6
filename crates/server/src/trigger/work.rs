//! Doing what has set triggers off.
//!
//! What a trigger wants is recorded before it is done, and stays to be done until it is recorded as done. A process that dies in
//! between does it again: a run computes what is stale, so that doing it twice does nothing the second time.

use std::time::Duration;

use mainstay_api::{DeliverReport, Error, Progress, RunReport, RunsReport};
use mainstay_control::{Command, Sight, State, next_tick};
use mainstay_engine::CancelToken;
use mainstay_model::id::{FiringId, RunId};
use mainstay_model::queue::Class;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::RunError;
use mainstay_model::trigger::{CatchUp, is_among};
use mainstay_model::{DatasetName, Selection};

use super::because;
use crate::instance::Instance;
use crate::ledger::Context;
use crate::run::RunRequest;
use crate::show::datasets;

/// What came of firings of one trigger.
#[derive(Clone, Debug)]
pub struct DoneReport {
    /// The account whose trigger it is.
    pub account: String,
    /// The trigger.
    pub trigger: String,
    /// Why it was set off.
    pub because: String,
    /// The runs that there were.
    pub runs: Vec<RunReport>,
    /// Why it could not be done, if it could not.
    pub error: Option<Error>,
}

/// What came of running for a trigger or a promise.
pub(crate) struct Ran {
    pub(crate) runs: Vec<RunReport>,
    pub(crate) error: Option<Error>,
}

impl Ran {
    pub(crate) fn of(ran: Result<(DeliverReport, RunsReport), Error>) -> Self {
        let (runs, error) = match ran {
            Ok((_, report)) => (report.runs, None),
            Err(e) => (Vec::new(), Some(e)),
        };
        Self { runs, error }
    }

    /// As it is recorded: the runs, and why it could not be done.
    pub(crate) fn recorded(&self) -> (Vec<RunId>, Option<RunError>) {
        let runs = self.runs.iter().filter_map(|r| r.id.parse().ok());
        let error = self.error.as_ref().map(|e| RunError {
            code: e.code.clone(),
            message: e.message.clone(),
            help: e.help.clone(),
            transient: false,
        });
        (runs.collect(), error)
    }
}

/// What waits to be done for one trigger.
struct Waiting {
    firings: Vec<FiringId>,
    trigger: String,
    because: String,
}

impl Instance {
    /// Fires what the clocks of an account say, and does what its triggers want and its promises take, until nothing is left to do or it
    /// is cancelled. Returns what was done, in the order of doing.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded; what fails in doing it is part of the answer.
    pub fn work(
        &self,
        account: &str,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<DoneReport>, Error> {
        let mut done = Vec::new();
        if self.rests() {
            return Ok(done);
        }
        self.look_at_places(account, cancel, watch)?;
        let clock = self.as_part_of(account, "mainstay", None)?;
        clock.submit(Command::Tick)?;
        while let Some(waiting) = clock.with(waiting).filter(|_| !cancel.is_cancelled()) {
            let actor = format!("trigger/{}", waiting.trigger);
            let trigger = clock.as_part_of(account, &actor, Some(waiting.because.clone()))?;
            done.push(trigger.carry_out(waiting, cancel, watch)?);
        }
        done.extend(self.do_promised(account, cancel, watch)?);
        Ok(done)
    }

    /// Returns the accounts in which there is something to do: a clock time that has come, something that a trigger wants or a promise
    /// takes, or a place that has to be looked at.
    pub fn due(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut due = self.with_places_to_look_at();
        let ledger = self.ledger();
        if ledger.states().any(|(_, state)| state.rests()) {
            return Vec::new();
        }
        let has_work = |state: &State| {
            state.triggers.open().next().is_some()
                || next_tick(state).is_some_and(|next| next <= now)
                || state.promises.values().any(|p| p.open().is_some())
        };
        let accounts = ledger.states().filter(|(_, state)| has_work(state));
        due.extend(accounts.map(|(account, _)| account.to_owned()));
        due.into_iter().collect()
    }

    /// Returns how long it is until the next clock of any account fires, or a place has to be looked at; none if none does.
    pub fn until_due(&self) -> Option<Duration> {
        if self.rests() {
            return None;
        }
        let looks = self.next_look();
        let ledger = self.ledger();
        let clocks = ledger.states().filter_map(|(_, state)| next_tick(state));
        let next = clocks.chain(looks).min()?;
        let micros = next.micros_since(self.clock.now()).max(0);
        Some(Duration::from_micros(micros.unsigned_abs()))
    }

    pub(crate) fn as_part_of(
        &self,
        account: &str,
        actor: &str,
        reason: Option<String>,
    ) -> Result<Self, Error> {
        let context = Context {
            account: account.to_owned(),
            actor: actor.to_owned(),
            reason,
            request: None,
        };
        self.acting(context, None, None)
    }

    fn carry_out(
        &self,
        waiting: Waiting,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<DoneReport, Error> {
        let ran = self.targets(&waiting.trigger).and_then(|targets| {
            // One that only tells or adds a fact runs nothing.
            let Some(targets) = targets else {
                return Ok((DeliverReport::default(), RunsReport { runs: Vec::new() }));
            };
            let request = RunRequest {
                targets,
                class: Class::Scheduled,
                ..RunRequest::default()
            };
            self.run(&request, cancel, watch)
        });
        let ran = Ran::of(ran);
        // What was stopped half-way is done the next time.
        if !cancel.is_cancelled() {
            let (runs, error) = ran.recorded();
            self.submit(Command::FinishFirings {
                firings: waiting.firings,
                runs,
                error,
            })?;
        }
        Ok(DoneReport {
            account: self.account().to_owned(),
            trigger: waiting.trigger,
            because: waiting.because,
            runs: ran.runs,
            error: ran.error,
        })
    }

    /// The datasets that a trigger runs, as they are declared now; none if it runs nothing.
    fn targets(&self, trigger: &str) -> Result<Option<Vec<(DatasetName, Selection)>>, Error> {
        self.with(|sight| {
            let wanted = match sight
                .resource(&ResourceKey::new(Kind::Trigger, trigger))
                .map(|r| &r.spec)
            {
                Some(Spec::Trigger(spec)) => spec.run.clone(),
                _ => {
                    let message = format!("trigger/{trigger} was taken away before what it wanted was done");
                    return Err(Error::new(mainstay_api::ErrorKind::NotFound, "MS0401", message));
                }
            };
            if wanted.is_empty() {
                return Ok(None);
            }
            let declared = datasets(sight).into_iter();
            let named = declared.filter(|name| is_among(&wanted, &name.to_string()));
            Ok(Some(named.map(|name| (name, Selection::All)).collect()))
        })
    }
}

/// What is to be done next: the oldest firing, with all others of its trigger if they may be merged.
fn waiting(sight: &Sight<'_>) -> Option<Waiting> {
    let triggers = &sight.state.triggers;
    let (first, firing) = triggers.open().next()?;
    let spec = sight.resource(&ResourceKey::new(Kind::Trigger, &firing.trigger));
    let apart = matches!(spec.map(|r| &r.spec), Some(Spec::Trigger(spec)) if spec.catch_up == CatchUp::All);
    let same = triggers.open().filter(|(_, f)| f.trigger == firing.trigger);
    let firings: Vec<FiringId> = same
        .map(|(id, _)| id)
        .take(if apart { 1 } else { usize::MAX })
        .collect();
    let newest = firings
        .last()
        .and_then(|id| triggers.firings.get(id))
        .unwrap_or(firing);
    debug_assert!(firings.contains(&first), "the first is one of them");
    Some(Waiting {
        because: because(newest),
        trigger: firing.trigger.clone(),
        firings,
    })
}
