//! What concerns the home as a whole: health, metrics, `doctor`, `resume`.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mainstay_api::{DoctorReport, Error, ErrorKind, ResumeReport};
use mainstay_server::metrics::{Family, Kind};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::branches::Reason;
use crate::body::Params;
use crate::caller::Caller;
use crate::{problem, standby};

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(doctor))
        .routes(routes!(resume))
}

/// How a server is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `live` or `ready`.
    pub(crate) status: String,
    /// `leader`, or `standby` for one that follows another server and takes over when that is gone.
    pub(crate) role: String,
}

fn healthy(caller: &Caller, status: &str) -> Response {
    let health = Health {
        status: status.to_owned(),
        role: caller.app.instance.standing().role().name().to_owned(),
    };
    let document = serde_json::to_value(&health).unwrap_or_default();
    problem::written(StatusCode::OK, document)
}

/// Say that the server answers; on its own machine to anybody
#[utoipa::path(get, path = "/health/live", operation_id = "live", tag = "home", security(()),
    responses((status = 200, description = "It answers", body = Health)), extensions(("x-class" = json!("health"))))]
async fn live(caller: Caller) -> Response {
    healthy(&caller, "live")
}

/// Say whether the server takes in changes: not if it ends, stands by, or cannot write its journal any more; on its own machine to anybody
#[utoipa::path(get, path = "/health/ready", operation_id = "ready", tag = "home", security(()),
    responses((status = 200, description = "It takes in changes", body = Health)), extensions(("x-class" = json!("health"))))]
async fn ready(caller: Caller) -> Response {
    let instance = &caller.app.instance;
    if let Some(refusal) = instance.standing().refusal() {
        return problem::again(refusal, standby::AGAIN, &caller.key);
    }
    if instance.is_followed() {
        return problem::again(standby::overtaken(), standby::AGAIN, &caller.key);
    }
    let why = if *caller.app.ending.borrow() {
        Some("the server ends")
    } else if instance.standing().silent_for().is_some() {
        Some("the journal's database cannot be reached, and another server may take over")
    } else if !caller.app.instance.can_write() {
        Some("the journal cannot be written any more")
    } else {
        None
    };
    match why {
        None => healthy(&caller, "ready"),
        Some(why) => {
            let error = Error::new(ErrorKind::Unavailable, "MS0824", format!("not ready: {why}"));
            problem::answer(error.help("its log and mainstay doctor say more"), &caller.key)
        }
    }
}

/// Tell Prometheus what it counts, of the account; in the home's own account also of the home
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "home",
    responses((status = 200, description = "Metrics in the text format 0.0.4", content_type = "text/plain", body = String)),
    extensions(("x-class" = json!("read"))))]
async fn metrics(caller: Caller) -> Response {
    let app = Arc::clone(&caller.app);
    let own = (caller.account != app.account).then(|| caller.account.clone());
    let found = caller.compute(None, None, |i, _| Ok(i.metrics())).await;
    match found {
        Ok(mut families) => {
            let mut open = Family::new(
                "mainstay_operations_open",
                Kind::Gauge,
                "Requests that change something and go on or wait for their turn.",
            );
            open.add(&[], app.operations.open(own.as_deref()) as f64);
            families.push(open);
            families.extend(app.counts.families(own.as_deref()));
            let mut response = crate::metrics::text(&families).into_response();
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => problem::answer(error, &caller.key),
    }
}

/// Examine the home and everything that it rests on
#[utoipa::path(get, path = "/v1/doctor", operation_id = "doctor", tag = "home",
    responses((status = 200, description = "What was found", body = DoctorReport)), extensions(("x-class" = json!("install"))))]
async fn doctor(caller: Caller) -> Response {
    caller.look(None, |i, _| Ok(i.doctor())).await
}

/// Let a home that was restored from a backup act again
#[utoipa::path(post, path = "/v1/resumptions", operation_id = "resume", tag = "home", params(Reason),
    responses((status = 200, description = "Whether it rested until now", body = ResumeReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("install"))))]
async fn resume(caller: Caller, Params(reason): Params<Reason>) -> Response {
    caller.change(reason.into(), &(), None, |i, _| i.resume()).await
}
