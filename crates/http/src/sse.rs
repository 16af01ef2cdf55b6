//! Server-sent events: what goes on, as it goes on. A comment every 15 seconds keeps the connection open.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use serde::Serialize;

/// How long nothing is said at most.
const QUIET: Duration = Duration::from_secs(15);

/// One event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Event {
    /// Its place in the stream.
    pub(crate) id: String,
    /// What it is.
    pub(crate) event: String,
    /// What it says, as JSON.
    pub(crate) data: String,
}

/// Writes one event; its id is where a client goes on with `Last-Event-ID`.
pub(crate) fn event<T: Serialize>(name: &str, id: u64, data: &T) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("id: {id}\nevent: {name}\ndata: {data}\n\n"))
}

/// Answers with events. `next` returns those that come after a position, with the new position; none ends it.
pub(crate) fn stream<N, F>(start: u64, next: N) -> Response
where
    N: FnMut(u64) -> F + Send + 'static,
    F: Future<Output = Option<(Bytes, u64)>> + Send + 'static,
{
    let body = Body::from_stream(follow(start, next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    response
}

fn follow<N, F>(start: u64, next: N) -> impl Stream<Item = Result<Bytes, Infallible>> + Send
where
    N: FnMut(u64) -> F + Send + 'static,
    F: Future<Output = Option<(Bytes, u64)>> + Send + 'static,
{
    futures::stream::unfold((start, next), |(at, mut next)| async move {
        match tokio::time::timeout(QUIET, next(at)).await {
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), (at, next))),
            Ok(Some((bytes, at))) => Some((Ok(bytes), (at, next))),
            Ok(None) => None,
        }
    })
}
