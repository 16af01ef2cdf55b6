//! The one place where it is decided whether a request goes on: who asks, how often, and may they. Default deny.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use mainstay_api::{Error, ErrorKind};
use mainstay_model::access::{AccessDecided, is_account};
use mainstay_policy::{Class, Question};
use mainstay_server::{Context, Role};

use crate::app::App;
use crate::caller::Caller;
use crate::identity::{Peer, anybody, identify};
use crate::problem::{self, malformed};
use crate::standby;

/// The header with a request's key in answers, and in requests that only look.
pub(crate) const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
/// The header with the key of a request that changes something.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header with the account that is acted in.
pub(crate) const ACCOUNT: HeaderName = HeaderName::from_static("mainstay-account");

/// Lets a request through, with who asks in it, or answers it.
pub(crate) async fn guard(app: Arc<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (key, keyed) = match key(&parts.headers) {
        Ok(found) => found,
        Err(error) => return problem::answer(error, ""),
    };
    let began = Instant::now();
    let (account, operation, mut response) = match decide(&app, &parts, &key, keyed).await {
        Ok(caller) => {
            let of = (caller.account.clone(), Arc::clone(&caller.operation));
            parts.extensions.insert(caller);
            let response = next.run(Request::from_parts(parts, body)).await;
            (of.0, of.1, response)
        }
        Err(refused) => (app.account.clone(), "refused".into(), refused),
    };
    let status = response.status().as_u16();
    app.counts.answered(&account, &operation, status, began.elapsed());
    if let Ok(value) = HeaderValue::from_str(&key) {
        response.headers_mut().insert(REQUEST, value);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Returns the key of a request: the client's if it gave one.
fn key(headers: &HeaderMap) -> Result<(String, bool), Error> {
    let given = headers.get(KEY).or_else(|| headers.get(REQUEST));
    let Some(given) = given else {
        let mut random = [0_u8; 16];
        // Without random numbers the key is not unique, which only the journal's reader would notice.
        let _ = getrandom::fill(&mut random);
        let text = data_encoding::BASE32_NOPAD.encode(&random).to_lowercase();
        return Ok((format!("q-{text}"), false));
    };
    let text = given.to_str().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(plain) {
        return Err(malformed(
            "a key of a request has 1 to 100 letters, digits and -_.:, for example a UUID",
        ));
    }
    Ok((text.to_owned(), headers.contains_key(KEY)))
}

async fn decide(app: &Arc<App>, parts: &Parts, key: &str, keyed: bool) -> Result<Caller, Response> {
    let refuse = |error: Error| problem::answer(error, key);
    let peer = parts.extensions.get::<Peer>().copied();
    let peer = peer.unwrap_or(Peer::Network { local: false });
    let headers = &parts.headers;
    let (principal, actor) = match identify(app, peer, headers) {
        Ok(known) => known,
        Err(_) if is_of(app, parts, Class::Knock) && !headers.contains_key(header::AUTHORIZATION) => {
            anybody(app, peer)
        }
        Err(_) if peer.is_local() && is_of(app, parts, Class::Health) => anybody(app, peer),
        Err(error) => {
            count(app, "nobody").map_err(|w| wait(w, key))?;
            return Err(refuse(error));
        }
    };
    count(app, &principal.id).map_err(|w| wait(w, key))?;
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(methods) = path.and_then(|p| app.routes.get(p)) else {
        return Err(refuse(no_such_route()));
    };
    // What answers GET answers HEAD, without the body.
    let method = match &parts.method {
        &Method::HEAD => Method::GET.as_str(),
        other => other.as_str(),
    };
    let Some(route) = methods.get(method) else {
        let allowed: Vec<&str> = methods.keys().map(String::as_str).collect();
        return Err(not_allowed(&allowed.join(", "), key));
    };
    if let Some(error) = standby::refuse(app, route) {
        return Err(problem::again(error, standby::AGAIN, key));
    }
    let account = match headers.get(ACCOUNT).map(|v| v.to_str().unwrap_or_default()) {
        None => principal.account.clone(),
        Some(name) if is_account(name) => name.to_owned(),
        Some(_) => {
            return Err(refuse(malformed(
                "an account's name has at most 63 lower-case letters, digits and underscores, a letter first",
            )));
        }
    };
    let question = Question {
        principal: &principal,
        class: route.class,
        account: &account,
    };
    let decision = app.policies.decide(&question).map_err(|e| {
        refuse(
            Error::new(
                ErrorKind::Failed,
                "MS0901",
                "mainstay itself failed to decide who may do this",
            )
            .because(&e)
            .help("this is a defect; please report it with what you did"),
        )
    })?;
    let caller = Caller {
        app: Arc::clone(app),
        operation: Arc::clone(&route.operation),
        key: key.to_owned(),
        keyed,
        account,
        actor,
        principal,
        decision,
        later: prefers(headers, "respond-async"),
        accept: text(headers, header::ACCEPT),
    };
    if caller.decision.allowed {
        return Ok(caller);
    }
    let error = forbidden(&caller, route.class);
    // A standby records nothing.
    if app.instance.standing().role() == Role::Leads {
        record_refusal(caller).await.map_err(refuse)?;
    }
    Err(refuse(error))
}

/// Says whether a request is of a class that need not come from somebody; whether it may is decided as for all others.
fn is_of(app: &App, parts: &Parts, class: Class) -> bool {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let methods = path.and_then(|p| app.routes.get(p));
    methods.is_some_and(|m| m.values().all(|route| route.class == class))
}

fn count(app: &App, who: &str) -> Result<(), u64> {
    app.rates.count(who, &app.limits)
}

fn text(headers: &HeaderMap, name: HeaderName) -> String {
    let value = headers.get(name).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

fn prefers(headers: &HeaderMap, what: &str) -> bool {
    let all = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(','))
        .any(|p| p.trim().eq_ignore_ascii_case(what))
}

fn wait(seconds: u64, key: &str) -> Response {
    let error = Error::new(ErrorKind::Unavailable, "MS0806", "too many requests at once").help(format!(
        "ask again in {}",
        mainstay_base::text::count(seconds, "second")
    ));
    problem::again(error, seconds, key)
}

fn no_such_route() -> Error {
    Error::new(ErrorKind::NotFound, "MS0813", "the API has no such path")
        .help("GET /v1/openapi.json describes those there are")
}

fn not_allowed(allowed: &str, key: &str) -> Response {
    let error = Error::new(
        ErrorKind::Invalid,
        "MS0810",
        "this path does not take this method",
    )
    .help(format!("it takes {allowed}"));
    let mut response = problem::answer(error, key);
    if let Ok(value) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

fn forbidden(caller: &Caller, class: Class) -> Error {
    let who = &caller.principal;
    let message = format!(
        "`{}` may not ask for {} in account `{}`",
        caller.actor, caller.operation, caller.account
    );
    let error = Error::new(ErrorKind::Refused, "MS0803", message);
    if who.account == caller.account {
        let needs = match class {
            Class::Health | Class::Knock | Class::Read => "any role",
            Class::Operate => "the role operator or owner",
            Class::Own => "the role owner",
            Class::Install => "the user that owns the home, on its socket",
        };
        let has = who.role.map_or("no role", mainstay_model::Role::name);
        error.help(format!("it has the role {has}; this needs {needs}"))
    } else {
        error.help(format!(
            "its token is of account `{}`, and accounts are apart",
            who.account
        ))
    }
}

/// Records a refusal where the one who was refused is at home.
async fn record_refusal(caller: Caller) -> Result<(), Error> {
    let record = move || {
        let context = Context {
            account: caller.principal.account.clone(),
            actor: caller.actor.clone(),
            reason: None,
            request: Some(caller.key.clone()),
        };
        let decided = decided(&caller, None);
        caller
            .app
            .instance
            .acting(context, None, None)?
            .record_access(decided)
    };
    crate::answer::blocking(record).await
}

/// The decision about a caller, as a fact has it.
pub(crate) fn decided(caller: &Caller, asked: Option<mainstay_base::Hash>) -> AccessDecided {
    AccessDecided {
        request: caller.key.clone(),
        operation: caller.operation.to_string(),
        principal: caller.principal.id.clone(),
        role: caller.principal.role,
        allowed: caller.decision.allowed,
        policies: caller.decision.policies.clone(),
        asked,
    }
}
