//! Sending what is owed: messages go out by HTTP, beside all other work, and what came of each is recorded.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, USER_AGENT};
use mainstay_server::Attempted;
use tokio::net::TcpStream;

use crate::answer::blocking;
use crate::app::App;
use crate::client::{Sender, shake};
use crate::clock::{TROUBLE, goes_on};
use crate::tls;

/// How often it is looked for messages.
const LOOK: Duration = Duration::from_millis(250);

/// How long a receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// The status by which a receiver says that it wants no more messages.
const GONE: u16 = 410;

/// Sends until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = LOOK;
    while goes_on(&mut ending, pause).await {
        pause = if round(&app).await.is_err() { TROUBLE } else { LOOK };
    }
}

async fn round(app: &Arc<App>) -> Result<(), mainstay_api::Error> {
    let instance = app.instance.clone();
    let outgoing = blocking(move || instance.outgoing()).await?;
    let attempts = outgoing.into_iter().map(|message| async move {
        let post = Post {
            url: &message.url,
            anywhere: message.anywhere,
            headers: &message.headers,
            body: &message.body,
        };
        let attempted = match post.send().await {
            Err(error) => Attempted::Failed { error, again: true },
            Ok(status @ 200..300) => Attempted::Taken { status },
            Ok(status) => Attempted::Failed {
                error: no(status),
                again: status != GONE,
            },
        };
        let instance = app.instance.clone();
        blocking(move || instance.sent(&message.account, message.message, attempted)).await
    });
    for recorded in futures::future::join_all(attempts).await {
        recorded?;
    }
    Ok(())
}

/// What is said of a receiver that does not take something.
pub(crate) fn no(status: u16) -> String {
    format!("the receiver answered with status {status}")
}

/// Something that is posted to somebody's URL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post<'a> {
    /// Where to.
    pub(crate) url: &'a str,
    /// Whether it may go to places that only this machine or its network reaches.
    pub(crate) anywhere: bool,
    /// The headers.
    pub(crate) headers: &'a [(String, String)],
    /// The body.
    pub(crate) body: &'a str,
}

impl Post<'_> {
    /// Sends it; the status of the answer, or why there is none.
    pub(crate) async fn send(self) -> Result<u16, String> {
        match tokio::time::timeout(ANSWER, self.sent()).await {
            Err(_) => Err(format!("no answer within {} seconds", ANSWER.as_secs())),
            Ok(answer) => answer,
        }
    }

    async fn sent(self) -> Result<u16, String> {
        let url = url::Url::parse(self.url).map_err(|e| e.to_string())?;
        let host = url.host_str().ok_or("the URL has no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("the URL has no port")?;
        let bare = host.trim_matches(['[', ']']).to_owned();
        let places = tokio::net::lookup_host((bare.as_str(), port)).await;
        let places: Vec<SocketAddr> = places.map_err(|e| e.to_string())?.collect();
        // Other accounts than the home's own reach nothing that is only there for this machine or its network.
        if !self.anywhere && !places.iter().all(|p| is_public(p.ip())) {
            return Err("the URL is not on the public network".to_owned());
        }
        let stream = TcpStream::connect(places.as_slice())
            .await
            .map_err(|e| e.to_string())?;
        let mut sender: Sender = if url.scheme() == "https" {
            let name = rustls::pki_types::ServerName::try_from(bare).map_err(|e| e.to_string())?;
            let tls = tokio_rustls::TlsConnector::from(tls::client(None).map_err(|e| e.message)?);
            let stream = tls.connect(name, stream).await.map_err(|e| e.to_string())?;
            shake(stream).await.map_err(|e| e.message)?
        } else {
            shake(stream).await.map_err(|e| e.message)?
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut request = Request::post(path)
            .header(HOST, format!("{host}:{port}"))
            .header(USER_AGENT, concat!("mainstay/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(self.body.to_owned()));
        let request = request.body(body).map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        Ok(answer.status().as_u16())
    }
}

/// Says whether an address is one of the public network.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || a == 0
                || shared)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(v4.into()),
            None => {
                !(v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public() {
        for own in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_public(own.parse().expect("an address")), "{own}");
        }
        for public in ["1.1.1.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }
}
