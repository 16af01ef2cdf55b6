//! `token create|list|revoke`.

use axum::response::Response;
use mainstay_api::{Error, ErrorKind, TokenReport, TokensReport};
use mainstay_model::{Role, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::branches::Reason;
use super::time;
use crate::body::{Body, Named, Params};
use crate::caller::Caller;
use crate::identity::new_token;

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
}

/// A token that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// As whom its bearer acts.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_.@-]+$")]
    pub(crate) name: String,
    /// What its bearer may do.
    #[schema(pattern = "^(owner|operator|reader)$")]
    pub(crate) role: String,
    /// From when on it is worth nothing; never if left out.
    #[schema(format = DateTime)]
    pub(crate) expires: Option<String>,
}

/// List the account's tokens
#[utoipa::path(get, path = "/v1/tokens", operation_id = "list_tokens", tag = "access",
    responses((status = 200, description = "The tokens, without their secrets", body = TokensReport)), extensions(("x-class" = json!("own"))))]
async fn list_tokens(caller: Caller) -> Response {
    caller
        .look(None, |i, _| Ok(TokensReport { tokens: i.tokens() }))
        .await
}

/// Make a token of the account; its secret is in this answer and nowhere else
#[utoipa::path(post, path = "/v1/tokens", operation_id = "create_token", tag = "access", request_body = TokenBody, params(Reason),
    responses((status = 200, description = "The token; without its secret if the request is repeated", body = TokenReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("own"))))]
async fn create_token(
    caller: Caller,
    Params(reason): Params<Reason>,
    Body(body): Body<TokenBody>,
) -> Response {
    let asked = (body.name.clone(), body.role.clone(), body.expires.clone());
    let work = move |i: &mainstay_server::Instance, _: &crate::operation::Operation| {
        let role = body.role.parse::<Role>();
        let role = role.map_err(|e| Error::new(ErrorKind::Invalid, "MS0808", e))?;
        new_token(
            i,
            &body.name,
            role,
            body.expires.as_deref().map(time).transpose()?,
        )
    };
    caller.change(reason.into(), &asked, None, work).await
}

/// Take a token back, at once
#[utoipa::path(delete, path = "/v1/tokens/{token}", operation_id = "revoke_token", tag = "access",
    params(("token" = String, Path, pattern = "^T-[0-9]{1,18}$", example = "T-2"), Reason),
    responses((status = 200, description = "The token", body = TokenReport),
        (status = 202, description = "It goes on", body = crate::operation::OperationReport)), extensions(("x-class" = json!("own"))))]
async fn revoke_token(caller: Caller, Named(token): Named, Params(reason): Params<Reason>) -> Response {
    let (asked, own) = (token.clone(), caller.principal.id.clone());
    let work = move |i: &mainstay_server::Instance, _: &crate::operation::Operation| {
        let id = token.parse::<TokenId>().map_err(|_| {
            Error::new(ErrorKind::Invalid, "MS0007", format!("`{token}` is not a token"))
                .help("mainstay token list shows them")
        })?;
        if own == format!("token/{}/{id}", i.account_name()) {
            return Err(
                Error::new(ErrorKind::Refused, "MS0823", "a token cannot take itself back")
                    .help("ask for it with another owner's token, or on the home's socket"),
            );
        }
        i.revoke_token(id)
    };
    caller.change(reason.into(), &asked, None, work).await
}
