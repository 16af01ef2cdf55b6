//! `amend`, `revert amendment/A`, `approve`, `retry`, `drop`.

use std::path::{Path, PathBuf};

use axum::response::Response;
use mainstay_api::{AmendReport, Error, ErrorKind};
use mainstay_model::{Address, AmendmentId};
use mainstay_server::{AmendChange, AmendRequest, Instance};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Acting, address, dataset, not_a};
use crate::body::{Body, Named, Params};
use crate::caller::Caller;
use crate::operation::Operation;
use crate::problem::malformed;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(amend))
        .routes(routes!(preview_amendment))
        .routes(routes!(revert_amendment))
        .routes(routes!(preview_revert))
        .routes(routes!(approve))
        .routes(routes!(retry))
        .routes(routes!(drop_amendment))
}

/// A column that gets another value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    /// The column.
    pub(crate) column: String,
    /// An SQL expression over the row as it is.
    pub(crate) expression: String,
}

/// Rows that come with a request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsBody {
    /// The file's name, whose ending says its format: Parquet, CSV, NDJSON.
    #[schema(max_length = 200, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    pub(crate) name: String,
    /// What is in it, in base64.
    #[schema(content_encoding = "base64")]
    pub(crate) content: String,
}

/// What is to be corrected, and how: one of `set`, `delete`, `insert` and `replace`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmendBody {
    /// The dataset, with slices if not all: `air.flights@2013-01-09`.
    pub(crate) address: String,
    /// Which rows: an SQL condition over its columns; all rows of the slices if left out.
    pub(crate) condition: Option<String>,
    /// Columns that get another value.
    pub(crate) set: Option<Vec<Assignment>>,
    /// Whether the rows are taken away.
    #[serde(default)]
    pub(crate) delete: bool,
    /// Rows that are added.
    pub(crate) insert: Option<RowsBody>,
    /// Rows that come in place of those that are met.
    pub(crate) replace: Option<RowsBody>,
}

/// A file of rows, gone with the request.
#[derive(Debug)]
struct Brought(PathBuf);

impl Drop for Brought {
    fn drop(&mut self) {
        // A file that stays is in the folder that opening clears.
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap_or(&self.0));
    }
}

impl Brought {
    fn new(rows: &RowsBody, folder: &Path) -> Result<Self, Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if rows.name.is_empty()
            || rows.name.len() > 200
            || rows.name.starts_with('.')
            || !rows.name.chars().all(fits)
        {
            return Err(malformed("`name` is a plain file name, for example late.csv"));
        }
        let content = data_encoding::BASE64
            .decode(rows.content.as_bytes())
            .map_err(|e| malformed("`content` is not base64").because(&e))?;
        let path = folder.join(&rows.name);
        let write = || {
            std::fs::create_dir_all(folder)?;
            std::fs::write(&path, content)
        };
        write().map_err(|e| {
            Error::new(
                ErrorKind::Unavailable,
                "MS0702",
                format!("cannot write {}", path.display()),
            )
            .because(&e)
        })?;
        Ok(Self(path))
    }
}

fn carry_out(i: &Instance, o: &Operation, body: &AmendBody, dry_run: bool) -> Result<AmendReport, Error> {
    let (name, slices) = dataset(&body.address)?;
    let wrong = |message: &str, help: &str| Error::new(ErrorKind::Invalid, "MS0420", message).help(help);
    if i.reason().is_none() && !dry_run {
        return Err(wrong("a correction needs a reason", "add the parameter `reason`"));
    }
    let given = [
        body.set.is_some(),
        body.delete,
        body.insert.is_some(),
        body.replace.is_some(),
    ];
    if given.iter().filter(|g| **g).count() != 1 {
        return Err(wrong(
            "say what is to be done, one thing at a time",
            "one of `set`, `delete`, `insert` and `replace`",
        ));
    }
    let rows = body.insert.as_ref().or(body.replace.as_ref());
    let brought = rows.map(|r| Brought::new(r, &i.scratch())).transpose()?;
    let change = match (&body.set, &brought) {
        (_, Some(_)) if body.insert.is_some() && body.condition.is_some() => {
            return Err(wrong(
                "`insert` adds rows and takes no condition",
                "`replace` takes rows away first",
            ));
        }
        (_, Some(file)) if body.insert.is_some() => AmendChange::Insert(file.0.clone()),
        (_, Some(file)) => AmendChange::Replace(file.0.clone()),
        (Some(set), None) => AmendChange::Set(
            set.iter()
                .map(|a| (a.column.clone(), a.expression.clone()))
                .collect(),
        ),
        (None, None) if body.condition.is_none() && !body.address.contains('@') => {
            return Err(wrong(
                "this would delete every row",
                "say which rows: a condition `true` means all of them",
            ));
        }
        (None, None) => AmendChange::Delete,
    };
    let request = AmendRequest {
        dataset: name,
        slices,
        condition: body.condition.clone(),
        change,
        dry_run,
    };
    i.amend(&request, &o.cancel, &|p| o.show(p))
}

/// Correct published data, everywhere at once
#[utoipa::path(post, path = "/v1/amendments", operation_id = "amend", tag = "amendments", request_body = AmendBody, params(Acting),
    responses((status = 200, description = "The amendment", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn amend(caller: Caller, Params(acting): Params<Acting>, Body(body): Body<AmendBody>) -> Response {
    let asked = body.clone();
    caller
        .correct(acting, &asked, move |i, o| carry_out(i, o, &body, false))
        .await
}

/// Show what an amendment would do
#[utoipa::path(post, path = "/v1/amendments/preview", operation_id = "preview_amendment", tag = "amendments", request_body = AmendBody, params(Acting),
    responses((status = 200, description = "What it would do", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn preview_amendment(
    caller: Caller,
    Params(acting): Params<Acting>,
    Body(body): Body<AmendBody>,
) -> Response {
    let asked = body.clone();
    caller
        .correct(acting, &asked, move |i, o| carry_out(i, o, &body, true))
        .await
}

fn amendment(thing: &str) -> Result<AmendmentId, Error> {
    match address(thing)? {
        Address::Amendment(id) => Ok(id),
        other => Err(not_a(&other.to_string(), "amendment").help("mainstay list amendment shows them")),
    }
}

async fn act(
    caller: Caller,
    thing: String,
    acting: Acting,
    act: fn(&Instance, AmendmentId, &Operation) -> Result<AmendReport, Error>,
) -> Response {
    let asked = thing.clone();
    caller
        .correct(acting, &asked, move |i, o| act(i, amendment(&thing)?, o))
        .await
}

/// Take an amendment back, as a new change
#[utoipa::path(post, path = "/v1/amendments/{amendment}/revert", operation_id = "revert_amendment", tag = "amendments",
    params(("amendment" = String, Path, pattern = "^A-[0-9]{1,18}$", example = "A-1"), Acting),
    responses((status = 200, description = "The new amendment", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn revert_amendment(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    let revert = |i: &Instance, id: AmendmentId, o: &Operation| {
        if i.reason().is_none() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0420",
                "taking a correction back needs a reason",
            )
            .help("add the parameter `reason`"));
        }
        i.revert_amendment(id, false, &o.cancel, &|p| o.show(p))
    };
    act(caller, thing, acting, revert).await
}

/// Show what taking an amendment back would do
#[utoipa::path(post, path = "/v1/amendments/{amendment}/revert/preview", operation_id = "preview_revert", tag = "amendments",
    params(("amendment" = String, Path, pattern = "^A-[0-9]{1,18}$", example = "A-1"), Acting),
    responses((status = 200, description = "What it would do", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn preview_revert(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    act(caller, thing, acting, |i, id, o| {
        i.revert_amendment(id, true, &o.cancel, &|p| o.show(p))
    })
    .await
}

/// Release an amendment that waits for a second person
#[utoipa::path(post, path = "/v1/amendments/{amendment}/approve", operation_id = "approve", tag = "amendments",
    params(("amendment" = String, Path, pattern = "^A-[0-9]{1,18}$", example = "A-1"), Acting),
    responses((status = 200, description = "The amendment", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn approve(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    act(caller, thing, acting, |i, id, o| {
        i.approve(id, &o.cancel, &|p| o.show(p))
    })
    .await
}

/// Try an amendment again that failed
#[utoipa::path(post, path = "/v1/amendments/{amendment}/retry", operation_id = "retry", tag = "amendments",
    params(("amendment" = String, Path, pattern = "^A-[0-9]{1,18}$", example = "A-1"), Acting),
    responses((status = 200, description = "The amendment", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn retry(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    act(caller, thing, acting, |i, id, o| {
        i.retry_amendment(id, &o.cancel, &|p| o.show(p))
    })
    .await
}

/// Give an amendment up that does not hold
#[utoipa::path(delete, path = "/v1/amendments/{amendment}", operation_id = "drop_amendment", tag = "amendments",
    params(("amendment" = String, Path, pattern = "^A-[0-9]{1,18}$", example = "A-1"), Acting),
    responses((status = 200, description = "The amendment", body = AmendReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn drop_amendment(caller: Caller, Named(thing): Named, Params(acting): Params<Acting>) -> Response {
    act(caller, thing, acting, |i, id, _| i.drop_amendment(id)).await
}
