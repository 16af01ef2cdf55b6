//! Bodies and parameters as the description says, or a problem: unknown fields, wrong types and wrong media types are refused.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use mainstay_api::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::caller::Caller;
use crate::problem::{self, malformed};

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<()> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &()) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts)?;
        let refuse = |error: Error| problem::answer(error, &caller.key);
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(refuse(
                Error::new(ErrorKind::Invalid, "MS0811", "the body is not said to be JSON")
                    .help("send it with the header Content-Type: application/json"),
            ));
        }
        let limits = &caller.app.limits;
        let bytes = read(&parts.headers, body, limits.body_bytes, limits.arrival).await;
        let bytes = bytes.map_err(refuse)?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|e| refuse(malformed("the body is not what this request takes").because(&e)))
    }
}

/// Reads a body of at most so many bytes, in so much time.
///
/// # Errors
///
/// If it is larger, or does not arrive.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: axum::body::Body,
    largest: usize,
    arrival: Duration,
) -> Result<Bytes, Error> {
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|l| l.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|l| l > largest as u64) {
        return Err(too_large(largest));
    }
    match tokio::time::timeout(arrival, to_bytes(body, largest)).await {
        Err(_) => Err(slow()),
        Ok(Err(_)) => Err(too_large(largest)),
        Ok(Ok(bytes)) => Ok(bytes),
    }
}

fn slow() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0812",
        "the body of the request did not arrive in time",
    )
    .help("send it again")
}

fn too_large(limit: usize) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "MS0805",
        format!(
            "the body did not arrive whole, or has more than {}",
            mainstay_base::Bytes(limit as u64)
        ),
    )
    .help("what is larger is delivered as a file to the place of a source")
}

/// Query parameters.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<()> for Params<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &()) -> Result<Self, Response> {
        let caller = Caller::of(parts)?;
        let found = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        found.map(|q| Self(q.0)).map_err(|e| {
            let error = malformed("the query parameters are not what this request takes").because(&e);
            problem::answer(error, &caller.key)
        })
    }
}

/// The one parameter in the path, percent-decoded.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<()> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &()) -> Result<Self, Response> {
        let caller = Caller::of(parts)?;
        let found = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        found
            .map(|p| Self(p.0))
            .map_err(|e| problem::answer(malformed("the path is not text").because(&e), &caller.key))
    }
}
