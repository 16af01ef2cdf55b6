//! Errors as answers: `application/problem+json` with the code, text and help that the command line shows.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mainstay_api::{Error, ErrorKind, Problem};

/// Makes the error of a request that does not have the form that the description says.
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "MS0801", what).help("docs/reference/openapi.json describes every request")
}

/// The status of an error: of its code where the code is about HTTP, else of its kind.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error.code.as_str() {
        "MS0801" => StatusCode::BAD_REQUEST,
        "MS0802" | "MS0825" => StatusCode::UNAUTHORIZED,
        "MS0803" => StatusCode::FORBIDDEN,
        "MS0805" => StatusCode::PAYLOAD_TOO_LARGE,
        "MS0806" => StatusCode::TOO_MANY_REQUESTS,
        "MS0810" => StatusCode::METHOD_NOT_ALLOWED,
        "MS0811" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "MS0812" => StatusCode::REQUEST_TIMEOUT,
        "MS0901" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => match error.kind {
            ErrorKind::Invalid | ErrorKind::Failed => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Refused | ErrorKind::Interrupted => StatusCode::CONFLICT,
            ErrorKind::OutOfDate => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// Writes an error as an answer.
pub(crate) fn answer(error: Error, request: &str) -> Response {
    let status = status(&error);
    let problem = Problem::new(error, status.as_u16(), request);
    written(status, serde_json::to_value(&problem).unwrap_or_default())
}

/// Writes an error of which the same request may be rid after some seconds.
pub(crate) fn again(error: Error, seconds: u64, request: &str) -> Response {
    let mut response = answer(error, request);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// Writes a document: a problem if the status says so.
pub(crate) fn written(status: StatusCode, document: serde_json::Value) -> Response {
    let kind = if status.is_client_error() || status.is_server_error() {
        "application/problem+json"
    } else {
        "application/json"
    };
    let mut response = (status, document.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"mainstay\""),
        );
    }
    response
}
