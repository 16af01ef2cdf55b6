//! Work that goes on: what came of it, its steps, and how it is stopped.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use mainstay_api::{Error, ErrorKind};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::body::Named;
use crate::caller::Caller;
use crate::operation::{Operation, OperationReport};
use crate::{problem, sse};

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(operation))
        .routes(routes!(follow_operation))
        .routes(routes!(stop_operation))
}

fn find(caller: &Caller, key: &str) -> Result<Arc<Operation>, Response> {
    let found = caller.app.operations.find(&caller.account, key);
    found.filter(|o| o.account == caller.account).ok_or_else(|| {
        let error = Error::new(
            ErrorKind::NotFound,
            "MS0401",
            "there is no such operation, or it ended before the server started",
        );
        let help = "the same request under the same key is answered as it was; mainstay journal shows what was recorded";
        problem::answer(error.help(help), &caller.key)
    })
}

fn report(operation: &Operation) -> Response {
    let document = serde_json::to_value(operation.report()).unwrap_or_default();
    problem::written(StatusCode::OK, document)
}

/// Show an operation, with its answer if it is done
#[utoipa::path(get, path = "/v1/operations/{operation}", operation_id = "operation", tag = "operations", params(("operation" = String, Path, example = "run-1")),
    responses((status = 200, description = "The operation", body = OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn operation(caller: Caller, Named(key): Named) -> Response {
    find(&caller, &key).map_or_else(|refused| refused, |o| report(&o))
}

/// Follow an operation: an event for each step, then one with its answer
#[utoipa::path(get, path = "/v1/operations/{operation}/events", operation_id = "follow_operation", tag = "operations", params(("operation" = String, Path, example = "run-1")),
    responses((status = 200, description = "Events named `step`, and at last one named `done`", content_type = "text/event-stream", body = crate::sse::Event)),
    extensions(("x-class" = json!("operate"))))]
async fn follow_operation(caller: Caller, Named(key): Named) -> Response {
    let operation = match find(&caller, &key) {
        Ok(operation) => operation,
        Err(refused) => return refused,
    };
    const ENDED: u64 = u64::MAX;
    sse::stream(0, move |seen| {
        let operation = Arc::clone(&operation);
        async move {
            if seen == ENDED {
                return None;
            }
            let (steps, ended) = operation.after(usize::try_from(seen).unwrap_or(usize::MAX)).await;
            let mut bytes = Vec::new();
            for (n, step) in (seen + 1..).zip(&steps) {
                bytes.extend_from_slice(&sse::event("step", n, step));
            }
            let at = seen + steps.len() as u64;
            if ended {
                bytes.extend_from_slice(&sse::event("done", at + 1, &operation.report()));
            }
            Some((bytes.into(), if ended { ENDED } else { at }))
        }
    })
}

/// Stop an operation
#[utoipa::path(post, path = "/v1/operations/{operation}/cancel", operation_id = "stop_operation", tag = "operations", params(("operation" = String, Path, example = "run-1")),
    responses((status = 200, description = "The operation as it is now", body = OperationReport)), extensions(("x-class" = json!("operate"))))]
async fn stop_operation(caller: Caller, Named(key): Named) -> Response {
    let operation = match find(&caller, &key) {
        Ok(operation) => operation,
        Err(refused) => return refused,
    };
    let (asking, decided) = (caller.clone(), crate::guard::decided(&caller, None));
    let recorded = crate::answer::blocking(move || asking.instance(None, None, None)?.record_access(decided));
    if let Err(error) = recorded.await {
        return problem::answer(error, &caller.key);
    }
    operation.cancel.cancel();
    report(&operation)
}
