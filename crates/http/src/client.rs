//! The client: what the command line speaks with a server, over the home's socket or the network.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use mainstay_api::{Error, ErrorKind, Problem, Progress};
use mainstay_server::CancelToken;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::guard::{ACCOUNT, KEY};
use crate::operation::{OperationReport, Step};
use crate::{socket, tls};

mod several;

use several::Places;

/// How long a server may take to be reached.
const REACH: Duration = Duration::from_secs(10);

/// Where a server is.
#[derive(Clone, Debug)]
enum Place {
    Home(PathBuf),
    Network {
        host: String,
        port: u16,
        tls: Option<Arc<rustls::ClientConfig>>,
    },
}

/// A server that is asked.
#[derive(Debug)]
pub struct Client {
    places: Places,
    token: Option<String>,
    account: Option<String>,
    runtime: tokio::runtime::Runtime,
}

/// A request.
#[derive(Debug)]
pub struct Ask {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    accept: &'static str,
}

impl Ask {
    /// A request that looks. Parts of the path are given as they are, without percent signs.
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// A request with a body.
    pub fn post(path: &[&str], body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// A request without a body that does something.
    pub fn act(path: &[&str]) -> Self {
        Self::new(Method::POST, path, None)
    }

    /// A request that takes something away.
    pub fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    fn new(method: Method, path: &[&str], body: Option<Value>) -> Self {
        let mut whole = String::from("/v1");
        for part in path {
            whole.push('/');
            whole.push_str(&escaped(part));
        }
        Self {
            method,
            path: whole,
            query: Vec::new(),
            body,
            accept: "application/json",
        }
    }

    /// Adds a parameter, if there is one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.into()));
        }
        self
    }

    /// Says what the answer should be written as.
    #[must_use]
    pub const fn accept(mut self, kind: &'static str) -> Self {
        self.accept = kind;
        self
    }

    /// The same at a path that is not below the API's.
    fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    fn target(&self) -> String {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, query.join("&"))
        }
    }
}

/// Writes a part of a URL: what is not plain with percent signs.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn lost(e: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0817",
        "the server went away while it was asked",
    )
    .because(e)
    .help("what it had recorded stays; mainstay journal shows what that is, once it is back")
}

fn unreadable(e: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "MS0816",
        "the server's answer cannot be read",
    )
    .because(e)
    .help("is it a mainstay of another version, or something else?")
}

fn place(url: &str, authority: Option<&Path>) -> Result<Place, Error> {
    let wrong = || {
        Error::new(
            ErrorKind::Invalid,
            "MS0821",
            format!("`{url}` is not the URL of a server"),
        )
        .help("for example https://mainstay.example.org:7433 or http://127.0.0.1:7433")
    };
    let parsed = url::Url::parse(url).map_err(|e| wrong().because(&e))?;
    let tls = match parsed.scheme() {
        "http" => None,
        "https" => Some(tls::client(authority)?),
        _ => return Err(wrong()),
    };
    Ok(Place::Network {
        host: parsed.host_str().ok_or_else(wrong)?.to_owned(),
        port: parsed.port_or_known_default().ok_or_else(wrong)?,
        tls,
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|e| Error::new(ErrorKind::Unavailable, "MS0820", "cannot start").because(&e))
}

impl Client {
    /// Finds the server of a home; none if nobody answers there.
    ///
    /// # Errors
    ///
    /// If the machine has no room for a client.
    pub fn of_home(
        home: &Path,
        account: Option<String>,
        token: Option<String>,
    ) -> Result<Option<Self>, Error> {
        if !socket::path(home).exists() {
            return Ok(None);
        }
        let client = Self {
            places: Places::new(Place::Home(home.to_owned()), Vec::new()),
            token,
            account,
            runtime: runtime()?,
        };
        let answers = client.runtime.block_on(client.connect()).is_ok();
        Ok(answers.then_some(client))
    }

    /// Names a server on the network, or several, separated by commas, of which one serves and the others stand by.
    /// `authority` is a file with the certificate authority to trust; the machine's if none.
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that is none.
    pub fn at(
        urls: &str,
        account: Option<String>,
        token: Option<String>,
        authority: Option<&Path>,
    ) -> Result<Self, Error> {
        let mut places = urls.split(',').map(|url| place(url.trim(), authority));
        let first = match places.next() {
            Some(first) => first?,
            None => place(urls, authority)?,
        };
        Ok(Self {
            places: Places::new(first, places.collect::<Result<_, _>>()?),
            token,
            account,
            runtime: runtime()?,
        })
    }

    fn name(&self) -> String {
        match self.places.now() {
            Place::Home(home) => socket::path(home).display().to_string(),
            Place::Network { host, port, .. } => format!("{host}:{port}"),
        }
    }

    fn unreachable(&self, e: &dyn std::error::Error) -> Error {
        let message = format!("the server at {} cannot be reached", self.name());
        let error = Error::new(ErrorKind::Unavailable, "MS0807", message).because(e);
        match self.places.now() {
            Place::Network { tls: Some(_), .. } => {
                error.help("is it running? Its certificate has to be trusted: `mainstay trust` there prints the authority's, MAINSTAY_CA=FILE takes it here")
            }
            _ => error.help("is it running? mainstay serve starts it"),
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let reach = async {
            match self.places.now() {
                Place::Home(home) => {
                    let short = socket::Short::of(home).map_err(|e| self.unreachable(&e))?;
                    let stream = UnixStream::connect(&short.path).await;
                    shake(stream.map_err(|e| self.unreachable(&e))?).await
                }
                Place::Network { host, port, tls } => {
                    let bare = host.trim_matches(['[', ']']);
                    let stream = TcpStream::connect((bare, *port)).await;
                    let stream = stream.map_err(|e| self.unreachable(&e))?;
                    let Some(tls) = tls else {
                        return shake(stream).await;
                    };
                    let name = rustls::pki_types::ServerName::try_from(bare.to_owned());
                    let name = name.map_err(|e| self.unreachable(&e))?;
                    let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
                    let stream = connector.connect(name, stream).await;
                    shake(stream.map_err(|e| self.unreachable(&e))?).await
                }
            }
        };
        tokio::time::timeout(REACH, reach)
            .await
            .map_err(|e| self.unreachable(&e))?
    }

    async fn send(&self, ask: &Ask, key: Option<&str>, later: bool) -> Result<Response<Incoming>, Error> {
        let host = match self.places.now() {
            Place::Home(_) => "localhost".to_owned(),
            Place::Network { host, port, .. } => format!("{host}:{port}"),
        };
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(ask.target())
            .header(HOST, host)
            .header(ACCEPT, ask.accept);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(account) = &self.account {
            request = request.header(ACCOUNT, account);
        }
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        if later {
            request = request.header("prefer", "respond-async");
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(body)).map_err(|e| {
            Error::new(ErrorKind::Invalid, "MS0821", "this cannot be sent to a server").because(&e)
        })?;
        let mut sender = self.connect().await?;
        sender.send_request(request).await.map_err(|e| lost(&e))
    }

    /// Asks for something and returns the answer's bytes.
    ///
    /// # Errors
    ///
    /// As the server says, or if it cannot be reached.
    pub fn bytes(&self, ask: &Ask) -> Result<Vec<u8>, Error> {
        self.runtime.block_on(self.one_after_the_other(async || {
            let response = self.send(ask, None, false).await?;
            whole(response).await
        }))
    }

    /// Asks for something that changes nothing.
    ///
    /// # Errors
    ///
    /// As the server says, or if it cannot be reached.
    pub fn look<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes(ask)?).map_err(|e| unreadable(&e))
    }

    /// Asks for a change, shows how it goes on, and stops it if that is wanted.
    ///
    /// # Errors
    ///
    /// As the server says, or if it cannot be reached.
    pub fn work<T: DeserializeOwned>(
        &self,
        ask: &Ask,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<T, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|e| {
            Error::new(
                ErrorKind::Unavailable,
                "MS0820",
                format!("no random numbers: {e}"),
            )
        })?;
        let key = format!("c-{}", data_encoding::HEXLOWER.encode(&random));
        let answer = self.runtime.block_on(self.one_after_the_other(async || {
            let response = self.send(ask, Some(&key), true).await?;
            if response.status() != hyper::StatusCode::ACCEPTED {
                return whole(response).await;
            }
            drop(response);
            let report = self.follow(&key, cancel, watch).await?;
            let answer = report.answer.unwrap_or_default();
            if report.status.is_some_and(|s| s >= 400) {
                let problem: Problem = serde_json::from_value(answer).map_err(|e| unreadable(&e))?;
                return Err(problem.error());
            }
            Ok(answer.to_string().into_bytes())
        }))?;
        serde_json::from_slice(&answer).map_err(|e| unreadable(&e))
    }

    /// Follows an operation to its end.
    async fn follow(
        &self,
        key: &str,
        cancel: &CancelToken,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<OperationReport, Error> {
        let ask = Ask::get(&["operations", key, "events"]).accept("text/event-stream");
        let mut body = self.send(&ask, None, false).await?.into_body();
        let (mut bytes, mut stopped) = (Vec::new(), false);
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = tokio::time::sleep(Duration::from_millis(100)), if !stopped => {
                    if cancel.is_cancelled() {
                        stopped = true;
                        let stop = Ask::act(&["operations", key, "cancel"]);
                        whole(self.send(&stop, None, false).await?).await?;
                    }
                    continue;
                }
            };
            let Some(frame) = frame else {
                let gone = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(lost(&gone));
            };
            let frame = frame.map_err(|e| lost(&e))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            while let Some(end) = bytes.windows(2).position(|w| w == b"\n\n") {
                let rest = bytes.split_off(end + 2);
                let event = std::mem::replace(&mut bytes, rest);
                let found = read(&String::from_utf8_lossy(&event), watch)?;
                if let Some(report) = found {
                    return Ok(report);
                }
            }
        }
    }
}

/// Takes in one event; the report if it is the last one.
fn read(event: &str, watch: &(dyn Fn(Progress) + Sync)) -> Result<Option<OperationReport>, Error> {
    let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name));
    let data = field("data: ").unwrap_or_default();
    match field("event: ") {
        Some("done") => serde_json::from_str(data).map(Some).map_err(|e| unreadable(&e)),
        Some("step") => {
            let step: Step = serde_json::from_str(data).map_err(|e| unreadable(&e))?;
            if let Some(progress) = progress(step) {
                watch(progress);
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// In what work is counted.
const UNITS: [&str; 6] = ["slices", "files", "runs", "facts", "amendments", "replays"];

fn progress(step: Step) -> Option<Progress> {
    match step.step.as_str() {
        "began" => Some(Progress::Began {
            what: step.what,
            unit: UNITS.into_iter().find(|u| *u == step.unit).unwrap_or("steps"),
            total: step.total,
        }),
        "at" => Some(Progress::At {
            what: step.what,
            done: step.done?,
        }),
        "ended" => Some(Progress::Ended {
            what: step.what,
            ok: step.ok?,
            message: step.message,
        }),
        _ => None,
    }
}

pub(crate) type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

pub(crate) async fn shake<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
) -> Result<Sender, Error> {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| lost(&e))?;
    // What goes wrong with the connection is seen by the request that is on it.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// Reads an answer to its end; a problem is an error.
async fn whole(response: Response<Incoming>) -> Result<Vec<u8>, Error> {
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|e| lost(&e))?
        .to_bytes();
    if status.is_success() {
        return Ok(body.to_vec());
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(problem.error()),
        Err(e) => Err(unreadable(&e)),
    }
}
