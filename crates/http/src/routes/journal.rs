//! `journal`, `journal verify`, `journal prove`.

use axum::response::Response;
use mainstay_api::{Error, ErrorKind, FactReport, VerifyReport};
use mainstay_server::{CancelToken, Instance, JournalFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::time;
use crate::body::{Named, Params};
use crate::caller::Caller;
use crate::plain::Whole;
use crate::{page, sse};

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(journal))
        .routes(routes!(follow_journal))
        .routes(routes!(verify))
        .routes(routes!(prove))
}

/// Which facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JournalQuery {
    /// About this, for example `air.flights` or `run/R-3`.
    pub(crate) on: Option<String>,
    /// By this person or service.
    pub(crate) who: Option<String>,
    /// Of this kind.
    pub(crate) kind: Option<String>,
    /// Not before.
    #[param(format = DateTime)]
    pub(crate) since: Option<String>,
    /// That belong to this request.
    pub(crate) request: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// The newest of them, on one page.
    #[serde(default)]
    pub(crate) newest: Option<bool>,
    /// Where the page before ended, as it said.
    #[param(max_length = 40, pattern = "^c[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// A page of facts, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FactsPage {
    /// The facts.
    pub(crate) facts: Vec<FactReport>,
    /// Where the next page begins: what comes later is there, too.
    pub(crate) next: Option<String>,
}

/// What is verified.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerifyQuery {
    /// Only what came after this fact.
    #[param(value_type = Option<u64>)]
    pub(crate) since: Option<Whole>,
}

impl JournalQuery {
    fn filter(self) -> Result<JournalFilter, Error> {
        Ok(JournalFilter {
            on: self.on,
            who: self.who,
            kind: self.kind,
            since: self.since.as_deref().map(time).transpose()?,
            after: page::read(self.cursor.as_deref())?.unwrap_or(0),
            limit: Some(page::limit(self.limit)?),
            oldest: !self.newest.unwrap_or(false),
            request: self.request,
        })
    }
}

/// Show what happened
#[utoipa::path(get, path = "/v1/journal", operation_id = "journal", tag = "journal", params(JournalQuery),
    responses((status = 200, description = "Facts of the account", body = FactsPage)), extensions(("x-class" = json!("read"))))]
async fn journal(caller: Caller, Params(query): Params<JournalQuery>) -> Response {
    let look = move |i: &Instance, _: &CancelToken| {
        let filter = query.filter()?;
        let facts = i.journal(&filter)?.facts;
        let full = filter.limit.is_some_and(|l| facts.len() >= l);
        let next = facts.last().filter(|_| full).map(|f| page::write(f.seq));
        Ok(FactsPage { facts, next })
    };
    caller.look(None, look).await
}

/// Follow what happens: an event for each fact
#[utoipa::path(get, path = "/v1/journal/events", operation_id = "follow_journal", tag = "journal", params(JournalQuery),
    responses((status = 200, description = "Events named `fact`", content_type = "text/event-stream", body = crate::sse::Event)),
    extensions(("x-class" = json!("read"))))]
async fn follow_journal(caller: Caller, Params(query): Params<JournalQuery>) -> Response {
    let filter = match query.filter() {
        Ok(filter) => filter,
        Err(error) => return crate::problem::answer(error, &caller.key),
    };
    sse::stream(filter.after, move |after| {
        let (caller, filter) = (caller.clone(), filter.clone());
        async move {
            loop {
                let filter = JournalFilter {
                    after,
                    oldest: true,
                    limit: Some(1000),
                    ..filter.clone()
                };
                let facts = caller
                    .compute(None, None, move |i, _| i.journal(&filter))
                    .await
                    .ok()?
                    .facts;
                if let Some(last) = facts.last() {
                    let mut bytes = Vec::new();
                    for fact in &facts {
                        bytes.extend_from_slice(&sse::event("fact", fact.seq, fact));
                    }
                    return Some((bytes.into(), last.seq));
                }
                let mut ending = caller.app.ending.clone();
                let pause = std::time::Duration::from_millis(200);
                if tokio::time::timeout(pause, ending.wait_for(|e| *e)).await.is_ok() {
                    return None;
                }
            }
        }
    })
}

/// Verify every hash, link and signature of the whole journal
#[utoipa::path(get, path = "/v1/journal/verification", operation_id = "verify_journal", tag = "journal", params(VerifyQuery),
    responses((status = 200, description = "What was found", body = VerifyReport)), extensions(("x-class" = json!("own"))))]
async fn verify(caller: Caller, Params(query): Params<VerifyQuery>) -> Response {
    caller
        .look(None, move |i, _| i.verify_own(query.since.map(|s| s.0)))
        .await
}

/// Prove that a fact is in the journal
#[utoipa::path(get, path = "/v1/journal/{seq}/proof", operation_id = "prove", tag = "journal", params(("seq" = u64, Path, minimum = 1, example = 1)),
    responses((status = 200, description = "The proof", body = Object)), extensions(("x-class" = json!("read"))))]
async fn prove(caller: Caller, Named(seq): Named) -> Response {
    let look = move |i: &Instance, _: &CancelToken| {
        let number = seq.parse::<u64>().map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "MS0007",
                format!("`{seq}` is not a fact's number"),
            )
        })?;
        // What is not signed yet cannot be proven.
        i.settle()?;
        i.prove(number)
    };
    caller.look(None, look).await
}
