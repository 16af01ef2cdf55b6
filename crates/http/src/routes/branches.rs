//! `branch create|diff|rebase|promote|drop`.

use axum::response::Response;
use mainstay_api::{BranchReport, Error, ErrorKind};
use mainstay_model::BranchName;
use mainstay_server::Instance;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Acting;
use crate::body::{Body, Named, Params};
use crate::caller::Caller;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(show_branch, drop_branch))
        .routes(routes!(rebase))
        .routes(routes!(promote))
}

/// A branch that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchBody {
    /// Its name.
    pub(crate) branch: String,
}

/// Why something is done to a branch.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reason {
    /// Why; recorded with the change.
    #[param(max_length = 4000)]
    #[serde(default, deserialize_with = "crate::plain::reason")]
    pub(crate) reason: Option<String>,
}

impl From<Reason> for Acting {
    fn from(r: Reason) -> Self {
        Self {
            branch: None,
            reason: r.reason,
        }
    }
}

fn named(name: &str) -> Result<BranchName, Error> {
    name.parse::<BranchName>()
        .map_err(|e| Error::new(ErrorKind::Invalid, "MS0411", e.to_string()))
}

async fn act(
    caller: Caller,
    name: String,
    reason: Reason,
    act: fn(&Instance, &BranchName) -> Result<BranchReport, Error>,
) -> Response {
    let asked = name.clone();
    caller
        .change(reason.into(), &asked, None, move |i, _| act(i, &named(&name)?))
        .await
}

/// Make a branch that begins as the live side is now
#[utoipa::path(post, path = "/v1/branches", operation_id = "create_branch", tag = "branches", request_body = BranchBody, params(Reason),
    responses((status = 200, description = "The branch", body = BranchReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn create(caller: Caller, Params(reason): Params<Reason>, Body(body): Body<BranchBody>) -> Response {
    act(caller, body.branch, reason, Instance::create_branch).await
}

/// Show in what a branch differs
#[utoipa::path(get, path = "/v1/branches/{branch}", operation_id = "show_branch", tag = "branches", params(("branch" = String, Path, example = "side")),
    responses((status = 200, description = "The branch", body = BranchReport)), extensions(("x-class" = json!("read"))))]
async fn show_branch(caller: Caller, Named(name): Named) -> Response {
    caller
        .look(None, move |i, _| i.branch_report(&named(&name)?))
        .await
}

/// Begin a branch anew as the live side is now; what it declares stays
#[utoipa::path(post, path = "/v1/branches/{branch}/rebase", operation_id = "rebase_branch", tag = "branches", params(("branch" = String, Path, example = "side"), Reason),
    responses((status = 200, description = "The branch", body = BranchReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn rebase(caller: Caller, Named(name): Named, Params(reason): Params<Reason>) -> Response {
    act(caller, name, reason, Instance::rebase_branch).await
}

/// Make a branch the live side, in one step
#[utoipa::path(post, path = "/v1/branches/{branch}/promote", operation_id = "promote_branch", tag = "branches", params(("branch" = String, Path, example = "side"), Reason),
    responses((status = 200, description = "The branch", body = BranchReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn promote(caller: Caller, Named(name): Named, Params(reason): Params<Reason>) -> Response {
    act(caller, name, reason, Instance::promote_branch).await
}

/// Give a branch up
#[utoipa::path(delete, path = "/v1/branches/{branch}", operation_id = "drop_branch", tag = "branches", params(("branch" = String, Path, example = "side"), Reason),
    responses((status = 200, description = "The branch", body = BranchReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn drop_branch(caller: Caller, Named(name): Named, Params(reason): Params<Reason>) -> Response {
    act(caller, name, reason, Instance::drop_branch).await
}
