//! `deliver`, `run`, `runs`, `logs`, `cancel`, `replay`, `vacuum`.

use std::time::Duration;

use axum::response::Response;
use mainstay_api::{
    DeliverReport, Error, ErrorKind, JournalReport, ReplaysReport, RunReport, RunsReport, VacuumReport,
};
use mainstay_model::queue::Class;
use mainstay_model::{Address, RunId};
use mainstay_server::{CancelToken, Instance, JournalFilter, ReplayRequest, RunRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Acting, Side, address, dataset, not_a, run};
use crate::body::{Body, Named, Params};
use crate::caller::Caller;
use crate::operation::Operation;
use crate::plain::Whole;
use crate::{page, sse};

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(deliver))
        .routes(routes!(accept_delivery))
        .routes(routes!(give_up_delivery))
        .routes(routes!(list_runs, start_runs))
        .routes(routes!(follow_runs))
        .routes(routes!(show_run))
        .routes(routes!(logs))
        .routes(routes!(follow_logs))
        .routes(routes!(cancel))
        .routes(routes!(replay))
        .routes(routes!(preview_vacuum, vacuum))
}

/// Which sources are looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliverBody {
    /// The sources; all if none is named.
    #[serde(default)]
    pub(crate) sources: Vec<String>,
}

/// What is to be brought up to date.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// Datasets, with slices if not all of them; everything if none is named.
    #[serde(default)]
    pub(crate) targets: Vec<String>,
    /// Whether to compute them even if they are as they should be.
    #[serde(default)]
    pub(crate) force: bool,
    /// Whether to leave out the deliveries that otherwise come first.
    #[serde(default)]
    pub(crate) without_deliveries: bool,
    /// How urgent it is beside others: `interactive`, which it is if left out, `scheduled` or `backfill`.
    #[serde(default, skip_serializing_if = "Class::is_interactive")]
    #[schema(value_type = String, pattern = "^(interactive|scheduled|backfill)$")]
    pub(crate) class: Class,
}

/// What came in, and what was computed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Ran {
    /// What came in.
    pub(crate) delivered: DeliverReport,
    /// The runs.
    pub(crate) runs: Vec<RunReport>,
    /// Whether it was stopped.
    pub(crate) interrupted: bool,
}

/// A page of runs, the newest last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunsPage {
    /// The runs.
    pub(crate) runs: Vec<RunReport>,
    /// Where older ones are; none if there are none.
    pub(crate) next: Option<String>,
}

/// Which runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunsQuery {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
    /// Only of this job.
    pub(crate) job: Option<String>,
    /// At most so many, the newest.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// Where the page before ended, as it said: goes on with older ones.
    #[param(max_length = 40, pattern = "^c[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// What is replayed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// The runs; all that succeeded if none is named.
    #[serde(default)]
    pub(crate) runs: Vec<String>,
    /// With how many threads; results do not depend on it.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 64)]
    pub(crate) threads: Option<Whole>,
}

/// Take in what the sources' places hold
#[utoipa::path(post, path = "/v1/deliveries", operation_id = "deliver", tag = "work", request_body = DeliverBody, params(Acting),
    responses((status = 200, description = "What came in", body = DeliverReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn deliver(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<DeliverBody>) -> Response {
    let asked = body.sources.clone();
    let work = move |i: &Instance, o: &Operation| {
        let names = body.sources.iter().map(|s| dataset(s).map(|(n, _)| n));
        i.deliver(&names.collect::<Result<Vec<_>, _>>()?, &o.cancel, &|p| o.show(p))
    };
    caller.work(Class::default(), acting, &asked, work).await
}

/// Take in a file that was held back
#[utoipa::path(post, path = "/v1/deliveries/{delivery}/approve", operation_id = "accept_delivery", tag = "work",
    params(("delivery" = String, Path, pattern = "^D-[0-9]{1,18}$", example = "D-1"), Acting),
    responses((status = 200, description = "What came in", body = DeliverReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn accept_delivery(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    answer_delivery(caller, thing, acting, true).await
}

/// Give up a file that was held back
#[utoipa::path(delete, path = "/v1/deliveries/{delivery}", operation_id = "give_up_delivery", tag = "work",
    params(("delivery" = String, Path, pattern = "^D-[0-9]{1,18}$", example = "D-1"), Acting),
    responses((status = 200, description = "The delivery", body = DeliverReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn give_up_delivery(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    answer_delivery(caller, thing, acting, false).await
}

async fn answer_delivery(caller: Caller, thing: String, acting: Acting, accepted: bool) -> Response {
    let asked = thing.clone();
    let work = move |i: &Instance, o: &Operation| match address(&thing)? {
        Address::Delivery(id) => i.answer_delivery(id, accepted, &o.cancel, &|p| o.show(p)),
        other => Err(not_a(&other.to_string(), "delivery").help("mainstay list delivery shows them")),
    };
    caller.change(acting, &asked, None, work).await
}

/// Bring datasets up to date, deliveries first
#[utoipa::path(post, path = "/v1/runs", operation_id = "start_runs", tag = "work", request_body = RunBody, params(Acting),
    responses((status = 200, description = "The runs", body = Ran),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn start_runs(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<RunBody>) -> Response {
    let asked = body.clone();
    let work = move |i: &Instance, o: &Operation| {
        let request = RunRequest {
            targets: body
                .targets
                .iter()
                .map(|t| dataset(t))
                .collect::<Result<_, _>>()?,
            force: body.force,
            without_deliveries: body.without_deliveries,
            class: body.class,
        };
        let (delivered, runs) = i.run(&request, &o.cancel, &|p| o.show(p))?;
        Ok(Ran {
            delivered,
            runs: runs.runs,
            interrupted: o.cancel.is_cancelled(),
        })
    };
    caller.work(asked.class, acting, &asked, work).await
}

fn number(run: &RunReport) -> u64 {
    run.id.parse::<RunId>().map_or(0, |id| id.0)
}

fn listed(i: &Instance, job: Option<&str>) -> Result<RunsReport, Error> {
    let mut report = i.runs();
    if let Some(job) = job {
        let name = dataset(job)?.0.to_string();
        report.runs.retain(|r| r.job == name);
    }
    Ok(report)
}

/// List runs
#[utoipa::path(get, path = "/v1/runs", operation_id = "list_runs", tag = "work", params(RunsQuery),
    responses((status = 200, description = "Runs", body = RunsPage)), extensions(("x-class" = json!("read"))))]
async fn list_runs(caller: Caller, Params(query): Params<RunsQuery>) -> Response {
    let look = move |i: &Instance, _: &CancelToken| {
        let (limit, before) = (page::limit(query.limit)?, page::read(query.cursor.as_deref())?);
        let mut runs = listed(i, query.job.as_deref())?.runs;
        runs.retain(|r| before.is_none_or(|b| number(r) < b));
        let skip = runs.len().saturating_sub(limit);
        runs.drain(..skip);
        let next = runs.first().filter(|_| skip > 0).map(|r| page::write(number(r)));
        Ok(RunsPage { runs, next })
    };
    let branch = query.branch.clone();
    caller.look(branch, look).await
}

/// Follow runs: an event whenever one begins or has another outcome
#[utoipa::path(get, path = "/v1/runs/events", operation_id = "follow_runs", tag = "work", params(RunsQuery),
    responses((status = 200, description = "Events named `run`, each with a run", content_type = "text/event-stream", body = crate::sse::Event)),
    extensions(("x-class" = json!("read"))))]
async fn follow_runs(caller: Caller, Params(query): Params<RunsQuery>) -> Response {
    // What is wrong with the request is said before the stream begins.
    let (job, branch) = (query.job.clone(), query.branch.clone());
    let limit = match page::limit(query.limit) {
        Ok(limit) => limit,
        Err(error) => return crate::problem::answer(error, &caller.key),
    };
    let first = caller
        .compute(branch.clone(), None, move |i, _| {
            listed(i, job.as_deref()).map(drop)
        })
        .await;
    if let Err(error) = first {
        return crate::problem::answer(error, &caller.key);
    }
    let seen = std::sync::Arc::new(std::sync::Mutex::new(
        std::collections::BTreeMap::<String, String>::new(),
    ));
    sse::stream(0, move |at| {
        let (caller, branch, job, seen) = (caller.clone(), branch.clone(), query.job.clone(), seen.clone());
        async move {
            loop {
                let (job, seen) = (job.clone(), seen.clone());
                let found = caller.compute(branch.clone(), None, move |i, _| {
                    let runs = listed(i, job.as_deref())?.runs;
                    let skip = runs.len().saturating_sub(limit);
                    let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    let new = runs
                        .into_iter()
                        .skip(skip)
                        .filter(|r| seen.get(&r.id) != Some(&r.outcome));
                    let new: Vec<RunReport> = new.collect();
                    seen.extend(new.iter().map(|r| (r.id.clone(), r.outcome.clone())));
                    Ok(new)
                });
                let new = found.await.ok()?;
                if new.is_empty() {
                    ended_or_later(&caller).await?;
                    continue;
                }
                let mut bytes = Vec::new();
                for run in &new {
                    bytes.extend_from_slice(&sse::event("run", number(run), run));
                }
                return Some((bytes.into(), at));
            }
        }
    })
}

/// Waits a moment; none if the server ends.
async fn ended_or_later(caller: &Caller) -> Option<()> {
    let mut ending = caller.app.ending.clone();
    let ended = tokio::time::timeout(Duration::from_millis(200), ending.wait_for(|e| *e)).await;
    ended.is_err().then_some(())
}

/// Show a run
#[utoipa::path(get, path = "/v1/runs/{run}", operation_id = "show_run", tag = "work", params(("run" = String, Path, pattern = "^R-[0-9]{1,18}$", example = "R-1"), Side),
    responses((status = 200, description = "The run", body = RunReport)), extensions(("x-class" = json!("read"))))]
async fn show_run(caller: Caller, Named(id): Named, Params(side): Params<Side>) -> Response {
    let look = move |i: &Instance, _: &CancelToken| i.show(&Address::Run(run(&id)?));
    caller.look(side.branch, look).await
}

fn steps(i: &Instance, id: RunId, after: u64) -> Result<JournalReport, Error> {
    i.show(&Address::Run(id))?;
    i.journal(&JournalFilter {
        on: Some(format!("run/{id}")),
        after,
        ..JournalFilter::default()
    })
}

/// Show what happened in a run, step by step
#[utoipa::path(get, path = "/v1/runs/{run}/logs", operation_id = "logs", tag = "work", params(("run" = String, Path, pattern = "^R-[0-9]{1,18}$", example = "R-1"), Side),
    responses((status = 200, description = "The facts about it", body = JournalReport)), extensions(("x-class" = json!("read"))))]
async fn logs(caller: Caller, Named(id): Named, Params(side): Params<Side>) -> Response {
    let look = move |i: &Instance, _: &CancelToken| steps(i, run(&id)?, 0);
    caller.look(side.branch, look).await
}

/// Follow a run: an event for each fact about it, until it ended
#[utoipa::path(get, path = "/v1/runs/{run}/logs/events", operation_id = "follow_logs", tag = "work", params(("run" = String, Path, pattern = "^R-[0-9]{1,18}$", example = "R-1"), Side),
    responses((status = 200, description = "Events named `fact`", content_type = "text/event-stream", body = crate::sse::Event)),
    extensions(("x-class" = json!("read"))))]
async fn follow_logs(caller: Caller, Named(id): Named, Params(side): Params<Side>) -> Response {
    let text = id.clone();
    let first = caller.compute(side.branch.clone(), None, move |i, _| {
        let id = run(&text)?;
        steps(i, id, 0).map(|_| id)
    });
    let id = match first.await {
        Ok(id) => id,
        Err(error) => return crate::problem::answer(error, &caller.key),
    };
    // The number of the fact that ended the run has been sent: then the stream ends.
    const ENDED: u64 = u64::MAX;
    sse::stream(0, move |after| {
        let (caller, branch) = (caller.clone(), side.branch.clone());
        async move {
            if after == ENDED {
                return None;
            }
            loop {
                let found = caller.compute(branch.clone(), None, move |i, _| steps(i, id, after));
                let facts = found.await.ok()?.facts;
                if let Some(last) = facts.last() {
                    let ended = facts.iter().any(|f| f.kind == "run.finished");
                    let mut bytes = Vec::new();
                    for fact in &facts {
                        bytes.extend_from_slice(&sse::event("fact", fact.seq, fact));
                    }
                    return Some((bytes.into(), if ended { ENDED } else { last.seq }));
                }
                ended_or_later(&caller).await?;
            }
        }
    })
}

/// Stop a run
#[utoipa::path(post, path = "/v1/runs/{run}/cancel", operation_id = "cancel", tag = "work", params(("run" = String, Path, pattern = "^R-[0-9]{1,18}$", example = "R-1"), Acting),
    responses((status = 200, description = "The run as it ended, or as it is after 10 seconds", body = RunReport)),
    extensions(("x-class" = json!("operate"))))]
async fn cancel(caller: Caller, Named(id): Named, Params(acting): Params<Acting>) -> Response {
    // It must not wait for the work that it is to stop, so it has no turn; asking twice is the same as asking once.
    let text = id.clone();
    let decided = crate::guard::decided(&caller, None);
    let (asking, reason) = (caller.clone(), acting.reason.clone());
    let branch = acting.branch.clone();
    let asked = crate::answer::blocking(move || {
        let i = asking.instance(branch.as_deref(), reason, None)?;
        let id = run(&text)?;
        let found = i.runs().runs.into_iter().find(|r| r.id == id.to_string());
        match found.map(|r| r.outcome) {
            None => {
                return Err(
                    Error::new(ErrorKind::NotFound, "MS0401", format!("there is no run {id}"))
                        .help("mainstay runs"),
                );
            }
            Some(outcome) if outcome != "running" && outcome != "waiting" => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "MS0402",
                    format!("run {id} has ended already: {outcome}"),
                ));
            }
            Some(_) => {}
        }
        i.record_access(decided)?;
        i.cancel(id)?;
        Ok(id)
    });
    let id = match asked.await {
        Ok(id) => id,
        Err(error) => return crate::problem::answer(error, &caller.key),
    };
    for _ in 0..50 {
        let found = caller
            .compute(acting.branch.clone(), None, move |i, _| i.show(&Address::Run(id)))
            .await;
        match found {
            Err(error) => return crate::problem::answer(error, &caller.key),
            Ok(run) => {
                let going = run
                    .get("outcome")
                    .and_then(|o| o.as_str())
                    .is_some_and(|o| o == "running" || o == "waiting");
                if !going {
                    return crate::problem::written(axum::http::StatusCode::OK, run);
                }
            }
        }
        if ended_or_later(&caller).await.is_none() {
            break;
        }
    }
    let error = Error::new(
        ErrorKind::Unavailable,
        "MS0505",
        format!("run {id} did not end within 10 seconds"),
    );
    crate::problem::answer(
        error.help("it was asked to stop; mainstay runs shows when it has"),
        &caller.key,
    )
}

/// Compute recorded runs again, aside, and compare
#[utoipa::path(post, path = "/v1/replays", operation_id = "replay", tag = "work", request_body = ReplayBody, params(Acting),
    responses((status = 200, description = "What came of it", body = ReplaysReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn replay(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<ReplayBody>) -> Response {
    let asked = body.clone();
    let work = move |i: &Instance, o: &Operation| {
        if body.threads.is_some_and(|t| !(1..=64).contains(&t.0)) {
            return Err(crate::problem::malformed("`threads` goes from 1 to 64"));
        }
        let request = ReplayRequest {
            runs: body.runs.iter().map(|r| run(r)).collect::<Result<_, _>>()?,
            threads: body.threads.map(|t| t.0 as usize),
        };
        i.replay(&request, &o.cancel, &|p| o.show(p))
    };
    caller.change(acting, &asked, None, work).await
}

/// Say what a vacuum would free
#[utoipa::path(get, path = "/v1/vacuums", operation_id = "preview_vacuum", tag = "work", params(Side),
    responses((status = 200, description = "What would go", body = VacuumReport)), extensions(("x-class" = json!("read"))))]
async fn preview_vacuum(caller: Caller, Params(side): Params<Side>) -> Response {
    caller.look(side.branch, |i, _| i.vacuum(true)).await
}

/// Free what no kept version needs
#[utoipa::path(post, path = "/v1/vacuums", operation_id = "vacuum", tag = "work", params(Acting),
    responses((status = 200, description = "What went", body = VacuumReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn vacuum(caller: Caller, Params(acting): Params<Acting>) -> Response {
    caller.change(acting, &(), None, |i, _| i.vacuum(false)).await
}
