//! HTTP as plain as it gets: no client's cleverness stands between a test and the server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Takes apart what came over a connection until its end; none if that is no whole answer.
    pub(crate) fn parse(all: &[u8]) -> Option<Self> {
        let end = all.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self {
            status,
            head,
            body: all[end + 4..].to_vec(),
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|l| l.split_once(": "));
        found
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
            .next()
    }
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
}

/// Sends bytes and reads to the end; none if the connection ended without an answer.
pub(super) fn raw(address: &str, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a limit");
    // A server may close before it has read all of a request that it refuses.
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    Answer::parse(&all)
}

/// Sends a request.
pub(super) fn ask(address: &str, ask: &Ask<'_>) -> Option<Answer> {
    let body = ask.body.map(Value::to_string).unwrap_or_default();
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n",
        ask.method, ask.path
    );
    if let Some(token) = ask.token {
        text.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if ask.body.is_some() {
        text.push_str("Content-Type: application/json\r\n");
    }
    for (name, value) in ask.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    raw(address, text.as_bytes())
}

pub(super) fn get(address: &str, token: &str, path: &str) -> Answer {
    let answer = ask(
        address,
        &Ask {
            method: "GET",
            path,
            token: Some(token),
            headers: &[],
            body: None,
        },
    );
    answer.expect("an answer")
}

pub(super) fn post(address: &str, token: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let answer = ask(
        address,
        &Ask {
            method: "POST",
            path,
            token: Some(token),
            headers,
            body: Some(body),
        },
    );
    answer.expect("an answer")
}

/// Reads a stream until a text is in it, and leaves it.
pub(super) fn until(address: &str, token: &str, path: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a limit");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let (mut all, mut some) = (Vec::new(), [0_u8; 4096]);
    loop {
        let n = stream.read(&mut some).expect("more of the stream");
        all.extend_from_slice(&some[..n]);
        let said = String::from_utf8_lossy(&all);
        if said.contains(text) {
            return said.into_owned();
        }
        assert!(n > 0, "the stream ended without `{text}`: {said}");
    }
}
