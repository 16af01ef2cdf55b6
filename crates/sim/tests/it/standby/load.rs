//! People who go on whatever happens: each sends one change after the other, each change under one key until it is answered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pair::ask;

/// How long one change may take in all.
const LIMIT: Duration = Duration::from_secs(60);

/// Numbers that are the same each time for the same seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A change that was answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) at: Instant,
    /// Which server answered.
    pub(super) by: String,
    pub(super) key: String,
    pub(super) path: &'static str,
    pub(super) body: Value,
    pub(super) answer: Value,
}

/// What all of them share.
#[derive(Debug)]
struct Shared {
    servers: [String; 2],
    token: String,
    project: PathBuf,
    over: AtomicBool,
    answered: Mutex<Vec<Answered>>,
}

/// The load.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    people: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(servers: [String; 2], token: &str, project: &Path, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            servers,
            token: token.to_owned(),
            project: project.to_owned(),
            over: AtomicBool::new(false),
            answered: Mutex::default(),
        });
        let people = (0..3_u64).map(|who| {
            let (shared, dice) = (Arc::clone(&shared), Dice(seed * 31 + who + 1));
            std::thread::spawn(move || shared.work(who, dice))
        });
        Self {
            people: people.collect(),
            shared,
        }
    }

    /// Returns when the first change was answered after a moment, by a server, or by any.
    pub(super) fn first_after(&self, moment: Instant, by: Option<&str>) -> Option<Instant> {
        let all = self.shared.answered.lock().expect("nobody failed");
        let mut after = all.iter().filter(|a| a.at > moment);
        after.find(|a| by.is_none_or(|by| a.by == by)).map(|a| a.at)
    }

    /// Ends it, when what was sent is answered.
    pub(super) fn end(self) -> Vec<Answered> {
        self.shared.over.store(true, Ordering::Relaxed);
        for person in self.people {
            person.join().expect("everything was answered");
        }
        let answered = self.shared.answered.lock().expect("nobody failed");
        answered.clone()
    }
}

impl Shared {
    fn work(&self, who: u64, mut dice: Dice) {
        let mut now = 0;
        for n in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let key = format!("p{who}-{n}");
            let (path, body) = match dice.below(10) {
                0..5 => ("/v1/tokens", json!({ "name": key, "role": "reader" })),
                5..7 => ("/v1/applies", json!({})),
                _ => {
                    self.deliver(&key);
                    ("/v1/runs", json!({}))
                }
            };
            self.insist(&key, path, body, &mut now);
        }
    }

    /// Puts a file to the source's place, whole.
    fn deliver(&self, key: &str) {
        let part = self.project.join(format!("{key}.part"));
        let text = format!("day,product,pieces,price\n2026-02-01,{key},1,1.00\n");
        std::fs::write(&part, text).expect("a file");
        std::fs::rename(&part, self.project.join(format!("data/orders/{key}.csv"))).expect("moved");
    }

    fn insist(&self, key: &str, path: &'static str, body: Value, now: &mut usize) {
        let began = Instant::now();
        loop {
            let server = &self.servers[*now % 2];
            match ask(server, "POST", path, &self.token, key, Some(&body)) {
                Some(answer) if answer.status == 200 => {
                    self.answered.lock().expect("nobody failed").push(Answered {
                        at: Instant::now(),
                        by: server.clone(),
                        key: key.to_owned(),
                        path,
                        body,
                        answer: answer.json(),
                    });
                    return;
                }
                // Not its turn, or not now.
                Some(answer) if answer.status == 503 => {}
                Some(other) => panic!(
                    "{key} to {path}: {other:?} {}",
                    String::from_utf8_lossy(&other.body)
                ),
                None => {}
            }
            assert!(began.elapsed() < LIMIT, "{key} to {path} was never answered");
            *now += 1;
            std::thread::park_timeout(Duration::from_millis(30));
        }
    }
}

/// The names of what was made under the keys of one kind of change.
pub(super) fn keys(answered: &[Answered], path: &str) -> BTreeSet<String> {
    let own = answered.iter().filter(|a| a.path == path);
    own.map(|a| a.key.clone()).collect()
}
