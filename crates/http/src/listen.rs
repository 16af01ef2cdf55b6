//! Connections: taken from the home's socket and from the network, encrypted where they have to be, and ended with the server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::identity::Peer;
use crate::limits::Limits;

/// What a head of a request may take, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// What all connections share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) ending: watch::Receiver<bool>,
    pub(crate) connections: Arc<Semaphore>,
    /// Held by every connection; when all are gone, nobody is answered any more.
    pub(crate) alive: mpsc::Sender<()>,
}

impl Shared {
    /// Waits for room for one more connection; none when the server ends.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let mut ending = self.ending.clone();
        tokio::select! {
            permit = Arc::clone(&self.connections).acquire_owned() => permit.ok(),
            _ = ending.wait_for(|e| *e) => None,
        }
    }

    /// Answers the requests of one connection.
    async fn answer<S>(self, stream: S, peer: Peer, _room: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let service =
            hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                router.clone().oneshot(request.map(axum::body::Body::new))
            });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.arrival)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut ending = self.ending.clone();
        // What goes wrong with a connection is its client's to see.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = ending.wait_for(|e| *e) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
        drop(self.alive);
    }
}

/// A pause after a connection that could not be taken, for example because there are too many files open.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Takes connections from the home's socket.
pub(crate) async fn socket(listener: UnixListener, shared: Shared) {
    let mut ending = shared.ending.clone();
    while let Some(room) = shared.room().await {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            _ = ending.wait_for(|e| *e) => return,
        };
        let Ok((stream, _)) = taken else {
            pause().await;
            continue;
        };
        let Ok(credentials) = stream.peer_cred() else {
            continue;
        };
        tokio::spawn(shared.clone().answer(stream, Peer::User(credentials.uid()), room));
    }
}

/// Takes connections from the network.
pub(crate) async fn network(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Shared) {
    let mut ending = shared.ending.clone();
    while let Some(room) = shared.room().await {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            _ = ending.wait_for(|e| *e) => return,
        };
        let Ok((stream, from)) = taken else {
            pause().await;
            continue;
        };
        let peer = Peer::Network {
            local: from.ip().to_canonical().is_loopback(),
        };
        // Answers are small: they are not to wait for more.
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        match tls.clone() {
            None => {
                tokio::spawn(shared.answer(stream, peer, room));
            }
            Some(tls) => {
                tokio::spawn(async move {
                    let arrival = shared.limits.arrival;
                    if let Ok(Ok(stream)) = tokio::time::timeout(arrival, tls.accept(stream)).await {
                        shared.answer(stream, peer, room).await;
                    }
                });
            }
        }
    }
}
