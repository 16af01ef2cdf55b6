//! Two machines as far as a test can have them: each with its own home and its own way to the database, and one project with one
//! store for both.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_sim::{Outcome, Running, Sandbox};
use serde_json::Value;

use crate::elsewhere::server::free_port;
use crate::service::http::Answer;

/// How long an answer is waited for before another server is asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks a server that may be gone, frozen or cut off; none if nothing comes back.
pub(super) fn ask(
    address: &str,
    method: &str,
    path: &str,
    token: &str,
    key: &str,
    body: Option<&Value>,
) -> Option<Answer> {
    let to = address.parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok()?;
    Answer::parse(&all)
}

/// Waits until something is so.
pub(super) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// One of the machines.
#[derive(Debug)]
pub(super) struct Machine {
    sandbox: Arc<Sandbox>,
    home: &'static str,
    journal: String,
    pub(super) address: String,
    running: Option<Running>,
    /// The owner's token, if a start of this one made it.
    owner: Option<String>,
}

impl Machine {
    fn new(sandbox: &Arc<Sandbox>, home: &'static str, journal: &str) -> Self {
        Self {
            sandbox: Arc::clone(sandbox),
            home,
            journal: journal.to_owned(),
            address: format!("127.0.0.1:{}", free_port()),
            running: None,
            owner: None,
        }
    }

    fn variables<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("MAINSTAY_HOME", self.home),
            ("MAINSTAY_JOURNAL", self.journal.as_str()),
        ];
        own.into_iter().chain(more.iter().copied()).collect()
    }

    /// Starts the server by the command that both machines have, and waits until it answers.
    pub(super) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it with further variables.
    pub(super) fn start_with(&mut self, more: &[(&str, &str)]) {
        let arguments = ["serve", "--standby", "--listen", self.address.as_str(), "--json"];
        let mut running = self.sandbox.start_in(&self.variables(more), arguments);
        let line = running.first_line();
        let Ok(said) = serde_json::from_str::<Value>(&line) else {
            panic!("it does not serve: {line}{:?}", running.kill());
        };
        self.owner = said["owner_token"]
            .as_str()
            .map(str::to_owned)
            .or(self.owner.take());
        self.running = Some(running);
    }

    /// Runs a command in this machine's home.
    pub(super) fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Outcome {
        self.sandbox.run_in(&self.variables(more), arguments)
    }

    /// Runs a command in this machine's home and returns what it prints.
    pub(super) fn mainstay(&self, arguments: &[&str]) -> String {
        self.run(arguments, &[]).expect_status(0).stdout
    }

    pub(super) fn id(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::id)
    }

    /// What it says that it is.
    pub(super) fn role(&self) -> Option<String> {
        let answer = ask(&self.address, "GET", "/health/live", "none", "role", None)?;
        answer.json()["role"].as_str().map(str::to_owned)
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|s| s.success()), "{name}");
    }

    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    pub(super) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.kill();
        }
    }

    pub(super) fn goes_on(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::goes_on)
    }

    /// Waits until it has ended by itself.
    pub(super) fn wait_until_it_ends(&mut self, limit: Duration) -> Outcome {
        wait_for("the server to end", limit, || (!self.goes_on()).then_some(()));
        self.running.take().expect("a server").wait()
    }

    /// Ends it as a service manager does.
    pub(super) fn end(&mut self) {
        let _ = self.end_saying();
    }

    /// Ends it, and returns what it had said since it answered.
    pub(super) fn end_saying(&mut self) -> String {
        let running = self.running.take().expect("a server");
        running.terminate();
        let ended = running.wait().expect_status(0);
        ended.stdout + &ended.stderr
    }
}

/// Both.
#[derive(Debug)]
pub(super) struct Pair {
    sandbox: Arc<Sandbox>,
    pub(super) a: Machine,
    pub(super) b: Machine,
}

impl Pair {
    /// Makes the project, with its tables in a folder; each machine has its own way to the database.
    pub(super) fn new(a: &str, b: &str) -> Self {
        Self::with_store(a, b, "tables", &[])
    }

    /// Makes the project with its tables elsewhere.
    pub(super) fn with_store(a: &str, b: &str, store: &str, variables: &[(String, String)]) -> Self {
        let sandbox = variables.iter().fold(Sandbox::shop(), |sandbox, (name, value)| {
            sandbox.with(name, value)
        });
        let sandbox = Arc::new(sandbox);
        let file = sandbox.path().join("mainstay.toml");
        let text = std::fs::read_to_string(&file).expect("the project");
        let text = text.replace(
            "name = \"shop\"",
            &format!("name = \"shop\"\nstore = \"{store}\""),
        );
        std::fs::write(&file, text).expect("the project");
        Self {
            a: Machine::new(&sandbox, "home-a", a),
            b: Machine::new(&sandbox, "home-b", b),
            sandbox,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.sandbox.path()
    }

    /// Brings the journal's key to the other home, as the docs say.
    pub(super) fn share_keys(&self) {
        let (from, to) = (self.path().join("home-a"), self.path().join("home-b"));
        std::fs::create_dir_all(&to).expect("a home");
        for file in ["journal.key", "journal.key.pub"] {
            std::fs::copy(from.join(file), to.join(file)).expect("a key");
        }
    }

    /// The owner's token, whichever machine made it.
    pub(super) fn token(&self) -> String {
        let made = self.a.owner.as_ref().or(self.b.owner.as_ref());
        made.expect("the first start makes a token").clone()
    }

    /// The journal verifies from both homes.
    pub(super) fn verify(&self) {
        for machine in [&self.a, &self.b] {
            let verified = machine.mainstay(&["journal", "verify", "--json"]);
            let verified: Value = serde_json::from_str(&verified).expect("JSON");
            assert_eq!(verified["ok"], true, "{verified}");
        }
    }
}
