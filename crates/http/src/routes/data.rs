//! `query`, `slices`, `deps`, `diff`, `why`.

use axum::body::Body as Bytes;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use mainstay_api::{DependenciesReport, DiffReport, Error, ErrorKind, SliceReport, WhyReport};
use mainstay_server::{CancelToken, DiffRequest, Instance, QueryOptions, QueryResult, When, WhyRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Acting, Side, address, dataset, time};
use crate::body::{Body, Named, Params};
use crate::caller::Caller;
use crate::operation::Operation;
use crate::page::{self, Page};
use crate::plain::Whole;
use crate::problem;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(query))
        .routes(routes!(slices))
        .routes(routes!(dependencies))
        .routes(routes!(diff))
        .routes(routes!(why))
        .routes(routes!(prove_why))
}

/// The media type of Parquet files.
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";

/// A question about data.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryBody {
    /// One query.
    #[schema(example = "SELECT 1 AS one")]
    pub(crate) sql: String,
    /// As everything was at a time.
    #[schema(format = DateTime)]
    pub(crate) as_of: Option<String>,
    /// As the one dataset that is read was at a version.
    #[schema(value_type = Option<u64>)]
    pub(crate) version: Option<Whole>,
    /// How the rows are written: `json`, `csv` or `parquet`; as the header `Accept` says if left out, else JSON.
    #[schema(pattern = "^(json|csv|parquet)$")]
    pub(crate) format: Option<String>,
    /// Whether a wrong query is shown with colours.
    #[serde(default)]
    pub(crate) color: bool,
}

/// A page of slices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SlicesPage {
    /// The dataset.
    pub(crate) dataset: String,
    /// Its slices, in order.
    pub(crate) slices: Vec<SliceReport>,
    /// Where the next page begins; none if this is the last.
    pub(crate) next: Option<String>,
}

/// Which versions are compared.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
    /// The earlier version.
    #[param(value_type = u64, example = 1)]
    pub(crate) from: Whole,
    /// The later version; the newest if left out.
    #[param(value_type = Option<u64>)]
    pub(crate) to: Option<Whole>,
    /// The columns that tell rows apart, with commas between them.
    pub(crate) key: Option<String>,
    /// At most so many rows.
    #[param(value_type = Option<u64>)]
    pub(crate) limit: Option<Whole>,
}

/// What is to be explained.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyBody {
    /// A run, a dataset, a slice, an amendment, a delivery or an apply.
    #[schema(example = "shop.daily_sales")]
    pub(crate) thing: String,
    /// Which rows of the dataset: an SQL condition.
    pub(crate) condition: Option<String>,
}

fn csv(format: &str) -> bool {
    format.contains("csv")
}

/// Writes rows: the media type, and the bytes.
fn written(result: &QueryResult, format: &str) -> Result<(&'static str, Vec<u8>), Error> {
    let mut bytes = Vec::new();
    if format.contains("parquet") {
        result.write_parquet(&mut bytes)?;
        return Ok((PARQUET, bytes));
    }
    if csv(format) {
        result.csv(&mut bytes)?;
        return Ok(("text/csv", bytes));
    }
    result.write_json(&mut bytes)?;
    Ok(("application/json", bytes))
}

/// Read data and the tables of `system`
#[utoipa::path(post, path = "/v1/queries", operation_id = "query", tag = "data", request_body = QueryBody, params(Side),
    responses((status = 200, description = "The rows", content((Vec<Object> = "application/json"), (String = "text/csv"), (String = "application/vnd.apache.parquet")))),
    extensions(("x-class" = json!("read"))))]
async fn query(caller: Caller, Params(side): Params<Side>, Body(body): Body<QueryBody>) -> Response {
    let format = body.format.clone().unwrap_or_else(|| caller.accept.clone());
    let look = move |i: &Instance, cancel: &CancelToken| {
        if let Some(other) = body
            .format
            .as_ref()
            .filter(|f| !["json", "csv", "parquet"].contains(&f.as_str()))
        {
            return Err(problem::malformed(format!(
                "there is no format `{}`",
                other.escape_debug()
            )));
        }
        let when = match (body.as_of.as_deref(), body.version) {
            (Some(_), Some(_)) => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "MS0008",
                    "as of a time or at a version, not both",
                ));
            }
            (Some(t), None) => When::Time(time(t)?),
            (None, Some(version)) => When::Version(version.0),
            (None, None) => When::Now,
        };
        let options = QueryOptions {
            when,
            color: body.color,
        };
        written(&i.query(&body.sql, options, cancel)?, &format)
    };
    match caller.compute(side.branch, None, look).await {
        Err(error) => problem::answer(error, &caller.key),
        Ok((kind, bytes)) => {
            let mut response = Response::new(Bytes::from(bytes));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        }
    }
}

/// List the slices of a dataset
#[utoipa::path(get, path = "/v1/datasets/{dataset}/slices", operation_id = "slices", tag = "data", params(("dataset" = String, Path, example = "shop.daily_sales"), Page),
    responses((status = 200, description = "The slices", body = SlicesPage)), extensions(("x-class" = json!("read"))))]
async fn slices(caller: Caller, Named(name): Named, Params(page): Params<Page>) -> Response {
    let branch = page.branch.clone();
    let look = move |i: &Instance, _: &CancelToken| {
        page::limit(page.limit)?;
        let (name, selection) = dataset(&name)?;
        let report = i.slices(&name, &selection)?;
        let (slices, next) = page::cut(report.slices, page.limit, page.cursor.as_deref())?;
        Ok(SlicesPage {
            dataset: report.dataset,
            slices,
            next,
        })
    };
    caller.look(branch, look).await
}

/// Show which slices of its inputs a job's slices read
#[utoipa::path(get, path = "/v1/datasets/{dataset}/dependencies", operation_id = "dependencies", tag = "data", params(("dataset" = String, Path, example = "shop.daily_sales"), Side),
    responses((status = 200, description = "What is read", body = DependenciesReport)), extensions(("x-class" = json!("read"))))]
async fn dependencies(caller: Caller, Named(name): Named, Params(side): Params<Side>) -> Response {
    let look = move |i: &Instance, _: &CancelToken| {
        let (name, selection) = dataset(&name)?;
        i.dependencies(&name, &selection)
    };
    caller.look(side.branch, look).await
}

/// Show the rows in which two versions of a dataset differ
#[utoipa::path(get, path = "/v1/datasets/{dataset}/diff", operation_id = "diff", tag = "data", params(("dataset" = String, Path, example = "shop.daily_sales"), DiffQuery),
    responses((status = 200, description = "The rows that differ", body = DiffReport)), extensions(("x-class" = json!("read"))))]
async fn diff(caller: Caller, Named(name): Named, Params(query): Params<DiffQuery>) -> Response {
    let branch = query.branch.clone();
    let look = move |i: &Instance, cancel: &CancelToken| {
        let key = query.key.as_deref().unwrap_or_default().split(',').map(str::trim);
        let request = DiffRequest {
            dataset: dataset(&name)?.0,
            from: query.from.0,
            to: query.to.map(|t| t.0),
            key: key.filter(|k| !k.is_empty()).map(str::to_owned).collect(),
            limit: usize::try_from(query.limit.map_or(20, |l| l.0)).unwrap_or(usize::MAX),
        };
        i.diff(&request, cancel)
    };
    caller.look(branch, look).await
}

/// Say why something is as it is
#[utoipa::path(post, path = "/v1/why", operation_id = "why", tag = "data", request_body = WhyBody, params(Side),
    responses((status = 200, description = "The causes", body = WhyReport)), extensions(("x-class" = json!("read"))))]
async fn why(caller: Caller, Params(side): Params<Side>, Body(body): Body<WhyBody>) -> Response {
    let look = move |i: &Instance, cancel: &CancelToken| {
        let request = WhyRequest {
            thing: address(&body.thing)?,
            condition: body.condition,
            prove: false,
        };
        i.why(&request, cancel, &|_| {})
    };
    caller.look(side.branch, look).await
}

/// Prove why: replay aside with differences undone, until the smallest cause is found
#[utoipa::path(post, path = "/v1/why/proofs", operation_id = "prove_why", tag = "data", request_body = WhyBody, params(Acting),
    responses((status = 200, description = "The causes, with the proof", body = WhyReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn prove_why(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<WhyBody>) -> Response {
    let asked = body.clone();
    let work = move |i: &Instance, o: &Operation| {
        let request = WhyRequest {
            thing: address(&body.thing)?,
            condition: body.condition,
            prove: true,
        };
        i.why(&request, &o.cancel, &|p| o.show(p))
    };
    caller.change(acting, &asked, None, work).await
}
