//! `check`, `plan`, `apply`, `revert apply/N`.

use axum::response::Response;
use mainstay_api::{ApplyReport, CheckReport, Error, ErrorKind, PlanReport};
use mainstay_model::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Acting, FileBody, Side, address, not_a};
use crate::body::{Body, Named, Params};
use crate::caller::Caller;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(check))
        .routes(routes!(preview_plan))
        .routes(routes!(make_plan))
        .routes(routes!(compare))
        .routes(routes!(apply))
        .routes(routes!(revert_apply))
}

/// A project.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectBody {
    /// Its files; those of the server's own project if left out.
    pub(crate) files: Option<Vec<FileBody>>,
}

/// A project whose mistakes are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckBody {
    /// Its files; those of the server's own project if left out.
    pub(crate) files: Option<Vec<FileBody>>,
    /// Whether the mistakes are wanted as text too, and whether with colours.
    pub(crate) color: Option<bool>,
}

/// Mistakes, and how people read them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Checked {
    /// The mistakes.
    pub(crate) report: CheckReport,
    /// The mistakes as a compiler shows them; none if that was not wanted.
    pub(crate) text: Option<String>,
}

/// What is to be applied.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyBody {
    /// The plan that was reviewed, for example `P-9`; what the project says if left out.
    pub(crate) plan: Option<String>,
    /// The project's files; those of the server's own project if left out.
    pub(crate) files: Option<Vec<FileBody>>,
    /// Whether it is meant that something is taken away.
    #[serde(default)]
    pub(crate) yes: bool,
}

/// Whether it is meant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct YesBody {
    /// Whether it is meant that something is taken away.
    #[serde(default)]
    pub(crate) yes: bool,
}

/// In what a project differs from what is applied.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Difference {
    /// How many resources differ.
    pub(crate) changes: u64,
    /// How many mistakes there are.
    pub(crate) mistakes: u64,
}

/// Look for mistakes in a project
#[utoipa::path(post, path = "/v1/checks", operation_id = "check", tag = "project", request_body = CheckBody, params(Side),
    responses((status = 200, description = "The mistakes", body = Checked)), extensions(("x-class" = json!("read"))))]
async fn check(caller: Caller, Params(side): Params<Side>, Body(body): Body<CheckBody>) -> Response {
    let color = body.color;
    let look = move |i: &mainstay_server::Instance, _: &mainstay_server::CancelToken| {
        let text = match color {
            Some(color) => Some(i.compile()?.render(color)),
            None => None,
        };
        Ok(Checked {
            report: i.check()?,
            text,
        })
    };
    caller.look_at(side.branch, body.files, look).await
}

/// Show what an apply would do
#[utoipa::path(post, path = "/v1/plans/preview", operation_id = "preview_plan", tag = "project", request_body = ProjectBody, params(Side),
    responses((status = 200, description = "What would change", body = PlanReport)), extensions(("x-class" = json!("read"))))]
async fn preview_plan(caller: Caller, Params(side): Params<Side>, Body(body): Body<ProjectBody>) -> Response {
    let look = |i: &mainstay_server::Instance, _: &mainstay_server::CancelToken| i.plan_unrecorded();
    caller.look_at(side.branch, body.files, look).await
}

/// Keep what an apply would do, for review
#[utoipa::path(post, path = "/v1/plans", operation_id = "make_plan", tag = "project", request_body = ProjectBody, params(Acting),
    responses((status = 200, description = "What would change", body = PlanReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn make_plan(
    caller: Caller,
    Params(acting): Params<Acting>,
    Body(body): Body<ProjectBody>,
) -> Response {
    caller.change(acting, &(), body.files, |i, _| i.plan()).await
}

/// Count in what a project differs from what is applied
#[utoipa::path(post, path = "/v1/plans/difference", operation_id = "compare_project", tag = "project", request_body = ProjectBody, params(Side),
    responses((status = 200, description = "How much differs", body = Difference)), extensions(("x-class" = json!("read"))))]
async fn compare(caller: Caller, Params(side): Params<Side>, Body(body): Body<ProjectBody>) -> Response {
    let look = |i: &mainstay_server::Instance, _: &mainstay_server::CancelToken| {
        i.unapplied().map(|u| Difference {
            changes: u.changes,
            mistakes: u.mistakes,
        })
    };
    caller.look_at(side.branch, body.files, look).await
}

/// Make the resources what the project says, or exactly what a plan says
#[utoipa::path(post, path = "/v1/applies", operation_id = "apply", tag = "project", request_body = ApplyBody, params(Acting),
    responses((status = 200, description = "What changed", body = ApplyReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn apply(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<ApplyBody>) -> Response {
    let asked = (body.plan.clone(), body.yes);
    let work = move |i: &mainstay_server::Instance, _: &crate::operation::Operation| {
        let plan = match body.plan.as_deref().map(address).transpose()? {
            None => None,
            Some(Address::Plan(id)) => Some(id),
            Some(other) => return Err(not_a(&other.to_string(), "plan").help("mainstay list plan")),
        };
        i.apply(plan, body.yes)
    };
    caller.change(acting, &asked, body.files, work).await
}

/// Undo an apply, as a new one
#[utoipa::path(post, path = "/v1/applies/{apply}/revert", operation_id = "revert_apply", tag = "project", request_body = YesBody,
    params(("apply" = u64, Path, minimum = 1, example = 1), Acting),
    responses((status = 200, description = "What changed", body = ApplyReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn revert_apply(
    caller: Caller,
    Named(apply): Named,
    Params(acting): Params<Acting>,
    Body(body): Body<YesBody>,
) -> Response {
    let asked = (apply.clone(), body.yes);
    let work = move |i: &mainstay_server::Instance, _: &crate::operation::Operation| {
        let id = apply.parse::<mainstay_model::ApplyId>().map_err(|_| {
            Error::new(
                ErrorKind::Invalid,
                "MS0007",
                format!("`{apply}` is not an apply's number"),
            )
        })?;
        i.revert_apply(id, body.yes)
    };
    caller.change(acting, &asked, None, work).await
}
