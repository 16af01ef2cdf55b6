//! Starts a real S3-like server (moto) for a test, or says why not.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mainstay_storage::Environment;

/// A server on a free port of this machine; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds a tool of the tests: the file that `variable` names, or `name` in `target/tools/venv/bin` or on the PATH. Without it a
/// test says so and passes, except under CI, where it fails.
pub(crate) fn tool(variable: &str, name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = root.join("target/tools/venv/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::var_os(variable)
        .map(PathBuf::from)
        .into_iter()
        .chain([venv])
        .collect::<Vec<_>>();
    candidates.extend(std::env::split_paths(&path).map(|d| d.join(name)));
    let found = candidates.into_iter().find(|c| c.is_file());
    if found.is_none() {
        let message = format!("NOT TESTED: `{name}` is missing (set {variable}, or make target/tools/venv)");
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("{message}");
    }
    found
}

impl Server {
    /// Starts the server with an empty bucket.
    pub(crate) fn start(bucket: &str) -> Option<Self> {
        let moto = tool("MAINSTAY_MOTO", "moto_server")?;
        let port = free_port();
        // The interpreter that has moto stands beside its program.
        let child = Command::new(moto.with_file_name("python3"))
            .args(["-c", include_str!("server.py"), &port.to_string()])
            .env("MOTO_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto did not open its port");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        write!(
            stream,
            "PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Some(server)
    }

    /// Returns the variables with which clients find the server.
    pub(crate) fn environment(&self) -> Environment {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
    }
}

/// Returns a port on which nothing listens right now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port()
}
