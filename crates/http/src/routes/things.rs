//! `list`, `show`, `history`, and the version.

use axum::response::Response;
use mainstay_api::HistoryReport;
use mainstay_server::{CancelToken, Instance};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Side, address};
use crate::body::{Named, Params};
use crate::caller::Caller;
use crate::page;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(history))
        .routes(routes!(version))
        .routes(routes!(description))
}

/// Which things.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
    /// Which kind: dataset, source, job, check, project, delivery, run, plan, apply, amendment, branch, trigger, promise, hook, channel, limit, alarm, message, dead-letter.
    #[param(example = "dataset")]
    pub(crate) kind: String,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// Where the page before ended, as it said.
    #[param(max_length = 40, pattern = "^c[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// A page of things.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ThingsPage {
    /// What was listed.
    pub(crate) kind: String,
    /// The things.
    #[schema(value_type = Vec<Object>)]
    pub(crate) items: Vec<Value>,
    /// Where the next page begins; none if this is the last.
    pub(crate) next: Option<String>,
}

/// The program.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct VersionReport {
    /// Its version.
    pub(crate) version: String,
    /// What it computes with.
    pub(crate) engine: String,
    /// The account that is acted in if none is named.
    pub(crate) account: String,
    /// As whom the caller acts.
    pub(crate) who: String,
}

/// List things of a kind
#[utoipa::path(get, path = "/v1/things", operation_id = "list", tag = "things", params(ListQuery),
    responses((status = 200, description = "Things", body = ThingsPage)), extensions(("x-class" = json!("read"))))]
async fn list(caller: Caller, Params(query): Params<ListQuery>) -> Response {
    let branch = query.branch.clone();
    let look = move |i: &Instance, _: &CancelToken| {
        page::limit(query.limit)?;
        let report = i.list(&query.kind)?;
        let (items, next) = page::cut(report.items, query.limit, query.cursor.as_deref())?;
        Ok(ThingsPage {
            kind: report.kind,
            items,
            next,
        })
    };
    caller.look(branch, look).await
}

/// Show one thing
#[utoipa::path(get, path = "/v1/things/{thing}", operation_id = "show", tag = "things", params(("thing" = String, Path, example = "shop.daily_sales"), Side),
    responses((status = 200, description = "The thing", body = Object)), extensions(("x-class" = json!("read"))))]
async fn show(caller: Caller, Named(thing): Named, Params(side): Params<Side>) -> Response {
    caller
        .look(side.branch, move |i, _| i.show(&address(&thing)?))
        .await
}

/// Show what became of a thing
#[utoipa::path(get, path = "/v1/things/{thing}/history", operation_id = "history", tag = "things", params(("thing" = String, Path, example = "shop.daily_sales"), Side),
    responses((status = 200, description = "What became of it", body = HistoryReport)), extensions(("x-class" = json!("read"))))]
async fn history(caller: Caller, Named(thing): Named, Params(side): Params<Side>) -> Response {
    caller
        .look(side.branch, move |i, _| i.history(&address(&thing)?))
        .await
}

/// Say what answers, and to whom
#[utoipa::path(get, path = "/v1/version", operation_id = "version", tag = "things",
    responses((status = 200, description = "The program", body = VersionReport)), extensions(("x-class" = json!("read"))))]
async fn version(caller: Caller) -> Response {
    let report = VersionReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: mainstay_server::ENGINE.to_owned(),
        account: caller.account.clone(),
        who: caller.actor.clone(),
    };
    caller.look(None, move |_, _| Ok(report)).await
}

/// This description
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "description", tag = "things",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)), extensions(("x-class" = json!("read"))))]
async fn description(caller: Caller) -> Response {
    let look = |_: &Instance, _: &CancelToken| {
        serde_json::from_str::<Value>(&super::openapi()?).map_err(|e| {
            mainstay_api::Error::new(
                mainstay_api::ErrorKind::Failed,
                "MS0901",
                "the description cannot be read",
            )
            .because(&e)
        })
    };
    caller.look(None, look).await
}
