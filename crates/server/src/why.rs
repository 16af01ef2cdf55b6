//! `why`: what set something off, back to the first cause, and what differed from the last good run before it.
//!
//! Everything is read off the state and single records of the journal (of runs long ago: see [`past`]), so that an answer does
//! not take longer with a longer journal. `--prove` replays aside (see [`prove`]); `--where` queries the inputs of the run (see [`rows`]).

mod about;
mod baseline;
mod dataset;
mod differ;
mod look;
mod past;
mod promise;
mod prove;
mod rows;
mod steps;
mod trace;
mod waits;

use mainstay_api::{Cause, Error, ErrorKind, WhyReport};
use mainstay_control::Sight;
use mainstay_engine::CancelToken;
use mainstay_model::id::RunId;
use mainstay_model::{Address, DatasetName, SliceKey};

use crate::instance::{Instance, Watch};
use look::Look;

/// What is asked.
#[derive(Clone, Debug)]
pub struct WhyRequest {
    /// About what.
    pub thing: Address,
    /// Which rows of a dataset: an SQL condition; for the input rows behind them, and for what a proof is about.
    pub condition: Option<String>,
    /// Whether to prove the cause by replaying with differences undone.
    pub prove: bool,
}

/// An answer, and what a proof would be about.
pub(super) struct Answered {
    pub(super) report: WhyReport,
    /// The dataset, if it is about one.
    pub(super) dataset: Option<DatasetName>,
    /// The run that explains it.
    pub(super) run: Option<RunId>,
    /// The slices of its output that matter; all if none are named.
    pub(super) slices: Option<Vec<SliceKey>>,
}

impl Answered {
    fn new(thing: &Address, state: &str, summary: String, causes: Vec<Cause>) -> Self {
        Self {
            report: WhyReport {
                thing: thing.to_string(),
                state: state.to_owned(),
                summary,
                run: None,
                versus: None,
                causes,
                rows: None,
                proof: None,
                next: Vec::new(),
            },
            dataset: None,
            run: None,
            slices: None,
        }
    }

    fn next(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        for command in commands {
            if !self.report.next.contains(&command) {
                self.report.next.push(command);
            }
        }
        self
    }
}

impl Instance {
    /// Says why something is as it is.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such thing, `Invalid` for a condition that makes no sense, or if nothing can be proved of it.
    pub fn why(
        &self,
        request: &WhyRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<WhyReport, Error> {
        let mut answered = self.answered(&request.thing)?;
        answered.report.run = answered.run.map(|r| r.to_string());
        if let Some(condition) = &request.condition {
            let rows = self.rows_behind(&answered, condition, cancel)?;
            answered.report.rows = Some(rows);
        }
        if request.prove {
            let Some(run) = answered.run else {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "MS0428",
                    format!("there is nothing to prove of {}: no run made it", request.thing),
                )
                .help("name a run, a dataset whose last run failed, or a slice that a run computed"));
            };
            let proof = self.prove_run(
                run,
                answered.slices.as_deref(),
                request.condition.as_deref(),
                cancel,
                watch,
            )?;
            let found = proof.steps.last().into_iter().flat_map(|s| &s.causes);
            let shown: Vec<String> = found
                .filter_map(|c| Some(format!("mainstay show {}", c.thing.as_ref()?)))
                .collect();
            let next = &mut answered.report.next;
            next.retain(|n| !n.ends_with("--prove") && (shown.is_empty() || !n.starts_with("mainstay show")));
            next.splice(0..0, shown);
            answered.report.proof = Some(proof);
        }
        Ok(answered.report)
    }

    /// Looks at the state from this side and at the journal; for short looks.
    fn looking<T>(&self, see: impl FnOnce(&Look<'_>) -> T) -> T {
        let now = self.clock.now();
        let unseen = self.unseen();
        let ledger = self.ledger();
        let state = ledger.state(self.account());
        let sight = Sight::of(state, self.branch.as_ref()).unwrap_or_else(|| Sight::live(state));
        see(&Look {
            sight,
            journal: ledger.journal(),
            account: self.account(),
            now,
            past: past::Past::default(),
            unseen,
        })
    }

    fn answered(&self, thing: &Address) -> Result<Answered, Error> {
        self.looking(|look| {
            let found = match thing {
                Address::Run(id) => about::run(look, thing, *id),
                Address::Dataset(name, selection) => {
                    let found = dataset::why(look, thing, name, selection)?;
                    found.map(|answered| promise::add(look, name, answered))
                }
                Address::Amendment(id) => about::amendment(look, thing, *id),
                Address::Delivery(id) => about::delivery(look, thing, *id),
                Address::Apply(id) => about::apply(look, thing, *id),
                Address::Branch(name) => about::branch(look, thing, name),
                Address::Resource(key) => about::resource(look, thing, key),
                Address::Plan(_) => {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        "MS0427",
                        format!("a plan has no cause: {thing} is what somebody looked at"),
                    )
                    .help("ask about its apply, a run, a dataset, a slice, an amendment or a delivery"));
                }
            };
            found.ok_or_else(|| crate::show::not_found(&thing.to_string(), &crate::show::things(&look.sight)))
        })
    }
}
