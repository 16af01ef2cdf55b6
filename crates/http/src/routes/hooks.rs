//! Hooks: where others say that something happened.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use mainstay_api::HookReport;
use mainstay_policy::{Class, Question};
use mainstay_server::HookMessage;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::answer::{blocking, value};
use crate::body::{Named, read};
use crate::caller::Caller;
use crate::problem;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(receive))
}

/// The largest message, in bytes: it becomes a fact of the journal.
const LARGEST: usize = 256 << 10;

/// A message as it came.
#[derive(Debug)]
struct Message {
    parts: Parts,
    body: Vec<u8>,
}

impl FromRequest<()> for Message {
    type Rejection = Response;

    async fn from_request(request: Request, _: &()) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts)?;
        let body = read(&parts.headers, body, LARGEST, caller.app.limits.arrival).await;
        let body = body.map_err(|error| problem::answer(error, &caller.key))?;
        Ok(Self {
            parts,
            body: body.to_vec(),
        })
    }
}

/// Take in a message for a hook: signed as Standard Webhooks says, or with a token of an operator; any JSON, or a CloudEvent
#[utoipa::path(post, path = "/v1/hooks/{hook}", operation_id = "receive", tag = "hooks", security((), ("token" = [])),
    params(("hook" = String, Path, pattern = "^[a-z_][a-z0-9_-]{0,99}$", example = "partner"),
        ("webhook-id" = Option<String>, Header, description = "The message's id; another one of the same id does nothing."),
        ("webhook-timestamp" = Option<String>, Header, description = "When it was sent, in seconds since 1970."),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several with blanks between.")),
    request_body(content((serde_json::Value = "application/json"), (serde_json::Value = "application/cloudevents+json"))),
    responses((status = 200, description = "Whether it was new", body = HookReport)), extensions(("x-class" = json!("knock"))))]
async fn receive(caller: Caller, Named(hook): Named, message: Message) -> Response {
    let Message { parts, body } = message;
    let question = Question {
        principal: &caller.principal,
        class: Class::Operate,
        account: &caller.account,
    };
    let may = caller.app.policies.decide(&question).is_ok_and(|a| a.allowed);
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let message = HookMessage {
        headers: parts.headers.iter().filter_map(header).collect(),
        body,
        sender: may.then(|| caller.principal.id.clone()),
        key: caller.key.clone(),
    };
    let key = caller.key.clone();
    let work = move || {
        let instance = caller.instance(None, None, None)?;
        value(&instance.receive(&hook, &message)?)
    };
    match blocking(work).await {
        Ok(document) => problem::written(StatusCode::OK, document),
        Err(error) => problem::answer(error, &key),
    }
}
