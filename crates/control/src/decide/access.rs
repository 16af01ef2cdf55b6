//! Tokens: made with a name, a role and an expiry, and taken back once.

use mainstay_base::{Hash, Timestamp};
use mainstay_model::access::{Role, TokenCreated, TokenId, TokenRevoked};
use mainstay_model::fact::Fact;

use super::not_found;
use crate::command::{Refusal, RefusalKind};
use crate::state::State;

fn invalid(message: String, help: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        code: "MS0808",
        message,
        help: Some(help.to_owned()),
    }
}

pub(super) fn create(
    state: &State,
    name: String,
    role: Role,
    expires: Option<Timestamp>,
    secret: Hash,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
        return Err(invalid(
            format!("`{}` cannot be a token's name", name.escape_debug()),
            "1 to 100 letters, digits and -_.@, for example ci or ana@example.org",
        ));
    }
    if expires.is_some_and(|e| e <= now) {
        return Err(invalid(
            "the token would have expired already".to_owned(),
            "name a time that is still to come, or none",
        ));
    }
    let created = TokenCreated {
        token: TokenId(state.access.last_token + 1),
        name,
        role,
        expires,
        secret,
    };
    Ok(vec![created.into()])
}

pub(super) fn revoke(state: &State, token: TokenId) -> Result<Vec<Fact>, Refusal> {
    match state.access.tokens.get(&token) {
        None => Err(not_found(format!("there is no token {token}"))),
        Some(t) if t.revoked.is_some() => Ok(Vec::new()),
        Some(_) => Ok(vec![TokenRevoked { token }.into()]),
    }
}
