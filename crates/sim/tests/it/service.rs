//! The service: one writer for many, found by commands, asked over the network by those who may.

mod access;
mod alarms;
mod commands;
mod copies;
mod fuzz;
mod hooks;
pub(crate) mod http;
mod keys;
mod lineage;
mod meanwhile;
mod messages;
mod promises;
mod queues;
mod tls;
mod triggers;
mod watching;

use std::time::{Duration, Instant};

use mainstay_sim::{Running, Sandbox};
use serde_json::Value;

/// A server of a sandbox's home, and its first token.
struct Server {
    running: Running,
    /// `127.0.0.1:PORT`
    address: String,
    /// The owner's secret, where this start made it.
    owner: Option<String>,
}

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        Self::start_as(sandbox, &["serve", "--listen", "127.0.0.1:0", "--json"])
    }

    fn start_as(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut running = sandbox.start(arguments);
        let said: Value = serde_json::from_str(&running.first_line()).expect("JSON");
        let url = said["url"].as_str().unwrap_or_default();
        Self {
            running,
            address: url.split_once("://").map_or(url, |(_, a)| a).to_owned(),
            owner: said["owner_token"].as_str().map(str::to_owned),
        }
    }

    /// Ends it as a service manager does.
    fn end(self) {
        self.running.terminate();
        let ended = self.running.wait();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}

/// Asks until the answer is as wanted, for half a minute at most.
fn until(s: &Sandbox, sql: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = s.query(sql);
        if wanted(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{sql}: {answer}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// The query for how many facts of a kind there are.
fn facts(kind: &str) -> String {
    format!("SELECT count(*) AS n FROM system.facts WHERE kind = '{kind}'")
}

fn count(s: &Sandbox, kind: &str) -> u64 {
    s.query(&facts(kind))[0]["n"].as_u64().unwrap_or_default()
}
