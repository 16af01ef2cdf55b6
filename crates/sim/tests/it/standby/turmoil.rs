//! A steady load while everything that can go away does: nothing that was answered is lost, nothing is done twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::{Dice, Load, keys};
use super::pair::{Machine, Pair, ask, wait_for};
use super::proxy::{Cut, Proxy};
use super::{GENEROUS, Postgres};

/// How long the load goes on between two troubles.
const REST: Duration = Duration::from_millis(700);

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The leader is killed with SIGKILL.
    Kill,
    /// The leader is stopped with SIGSTOP, and goes on when the other one serves.
    Freeze,
    /// The leader's connection to the database is cut while it commits.
    Cut(Cut),
    /// Nothing passes between the leader and the database, and nothing is closed, until the other one serves.
    Partition,
    /// The same in the middle of a transaction, whose locks the leader holds.
    Sleep,
    /// The database's processes are killed, and it is started again.
    Restart,
}

const TROUBLES: [Trouble; 8] = [
    Trouble::Kill,
    Trouble::Freeze,
    Trouble::Cut(Cut::Before),
    Trouble::Cut(Cut::After),
    Trouble::Cut(Cut::Late),
    Trouble::Partition,
    Trouble::Sleep,
    Trouble::Restart,
];

/// The two machines with their ways to the database.
struct World {
    database: Postgres,
    proxies: [Proxy; 2],
    pair: Pair,
}

impl World {
    fn machines(&mut self) -> [&mut Machine; 2] {
        [&mut self.pair.a, &mut self.pair.b]
    }

    /// Which one serves.
    fn leader(&mut self) -> usize {
        wait_for("a leader", GENEROUS, || {
            let mut roles = self.machines().map(|m| m.role());
            roles.iter_mut().position(|r| r.as_deref() == Some("leader"))
        })
    }

    /// Starts what has ended, as a service manager does.
    fn restart(&mut self) {
        for machine in self.machines() {
            if !machine.goes_on() {
                machine.kill();
                machine.start();
            }
        }
    }

    /// Lets something happen; returns since when, and who has to serve then.
    fn make(&mut self, trouble: Trouble) -> (Instant, Option<usize>) {
        let leader = self.leader();
        let began = Instant::now();
        let other = Some(1 - leader);
        match trouble {
            Trouble::Kill => {
                self.machines()[leader].kill();
                (began, other)
            }
            Trouble::Freeze => {
                self.machines()[leader].freeze();
                (began, other)
            }
            Trouble::Cut(cut) => {
                self.cut(leader, cut);
                (Instant::now(), None)
            }
            Trouble::Sleep => {
                self.cut(leader, Cut::Sleep);
                (Instant::now(), other)
            }
            Trouble::Partition => {
                self.proxies[leader].hold(true);
                (began, other)
            }
            Trouble::Restart => {
                self.database.kill();
                self.database.launch();
                (Instant::now(), None)
            }
        }
    }

    /// Waits for a commit of the leader, and does this to it.
    fn cut(&self, leader: usize, cut: Cut) {
        let proxy = &self.proxies[leader];
        let cuts = proxy.cuts();
        proxy.cut_next(cut);
        wait_for("a commit to cut", GENEROUS, || {
            (proxy.cuts() > cuts).then_some(())
        });
    }

    /// Ends what goes on of it.
    fn end(&mut self, trouble: Trouble, old: usize) {
        match trouble {
            Trouble::Freeze => {
                let machine = &mut self.machines()[old];
                machine.thaw();
                let woken = machine.wait_until_it_ends(GENEROUS);
                assert_eq!(woken.status, Some(6), "{woken:?}");
                assert!(woken.stdout.contains("MS0602"), "{woken:?}");
            }
            Trouble::Partition | Trouble::Sleep => {
                self.proxies[old].hold(false);
                let ended = self.machines()[old].wait_until_it_ends(Duration::from_secs(30));
                assert_eq!(ended.status, Some(6), "{ended:?}");
            }
            Trouble::Kill | Trouble::Cut(_) | Trouble::Restart => {}
        }
        self.restart();
    }
}

/// The seed: always the same, unless another one is asked for.
fn seed() -> u64 {
    let asked = std::env::var("MAINSTAY_SEED").ok();
    asked.and_then(|seed| seed.parse().ok()).unwrap_or(20_261_201)
}

#[test]
fn under_a_steady_load_nothing_answered_is_lost_and_nothing_is_done_twice() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let proxies = [Proxy::to(database.port()), Proxy::to(database.port())];
    let [a, b] = [&proxies[0], &proxies[1]].map(|p| Postgres::url_at(p.port, "turmoil"));
    let mut world = World {
        pair: Pair::new(&a, &b),
        database,
        proxies,
    };
    world.pair.a.start();
    world.pair.share_keys();
    world.pair.b.start();
    let (token, seed) = (world.pair.token(), seed());
    let servers = [world.pair.a.address.clone(), world.pair.b.address.clone()];
    let applied = ask(
        &servers[0],
        "POST",
        "/v1/applies",
        &token,
        "first",
        Some(&json!({})),
    );
    assert_eq!(applied.map(|a| a.status), Some(200));
    let load = Load::start(servers.clone(), &token, world.pair.path(), seed);

    let (mut dice, mut left) = (Dice(seed), TROUBLES.to_vec());
    while !left.is_empty() {
        std::thread::park_timeout(REST);
        let trouble = left.swap_remove(dice.below(left.len() as u64) as usize);
        let (began, by) = world.make(trouble);
        let by = by.map(|n| servers[n].clone());
        let back = wait_for("a change to be answered", GENEROUS, || {
            load.first_after(began, by.as_deref())
        });
        eprintln!("{trouble:?}: back after {:?}", back.duration_since(began));
        let old = by.map_or(0, |by| usize::from(by == servers[0]));
        world.end(trouble, old);
    }
    std::thread::park_timeout(REST);
    let answered = load.end();
    eprintln!("{} changes were answered", answered.len());
    check(&mut world, &token, &answered);
}

fn check(world: &mut World, token: &str, answered: &[super::load::Answered]) {
    let leader = world.leader();
    let address = world.machines()[leader].address.clone();
    let run = ask(&address, "POST", "/v1/runs", token, "last", Some(&json!({}))).expect("an answer");
    assert_eq!(run.status, 200, "{run:?}");
    // Every answer is still the answer, but for a secret, which is told once.
    for one in answered.iter().rev().step_by(7) {
        let again = ask(&address, "POST", one.path, token, &one.key, Some(&one.body)).expect("an answer");
        let mut before = one.answer.clone();
        if let Some(fields) = before.as_object_mut() {
            fields.remove("secret");
        }
        let mut now = again.json();
        if let Some(fields) = now.as_object_mut() {
            fields.remove("secret");
        }
        assert_eq!((again.status, now), (200, before), "{}", one.key);
    }
    // Every token was made once.
    let tokens = ask(&address, "GET", "/v1/tokens", token, "tokens", None)
        .expect("an answer")
        .json();
    let mut made: BTreeMap<&str, u64> = BTreeMap::new();
    for one in tokens["tokens"].as_array().into_iter().flatten() {
        *made.entry(one["name"].as_str().unwrap_or_default()).or_default() += 1;
    }
    assert_eq!(made.remove("owner"), Some(1));
    assert!(made.values().all(|n| *n == 1), "{made:?}");
    let asked_for = keys(answered, "/v1/tokens");
    assert_eq!(
        made.into_keys()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>(),
        asked_for
    );
    // Every file was taken in once, and is in what is computed from it.
    let machine = &world.machines()[leader];
    for table in ["shop.orders", "shop.daily_sales"] {
        let sql = format!(
            "SELECT product, sum(pieces) AS n FROM {table} WHERE product LIKE 'p%-%' GROUP BY product"
        );
        let rows: Value = serde_json::from_str(&machine.mainstay(&["query", &sql, "--json"])).expect("JSON");
        let rows = rows.as_array().cloned().unwrap_or_default();
        assert!(rows.iter().all(|r| r["n"] == 1), "{rows:?}");
        let products = rows
            .iter()
            .filter_map(|r| r["product"].as_str().map(str::to_owned));
        assert_eq!(
            products.collect::<std::collections::BTreeSet<_>>(),
            keys(answered, "/v1/runs"),
            "{table}"
        );
    }
    for machine in world.machines() {
        machine.end();
    }
    world.pair.verify();
    // Whatever the state refers to is there: no writer that was late has removed anything.
    let found: Value = serde_json::from_str(&world.pair.b.mainstay(&["doctor", "--json"])).expect("JSON");
    let files: Vec<&Value> = found["findings"].as_array().into_iter().flatten().collect();
    let bad: Vec<&&Value> = files.iter().filter(|f| f["condition"] == "problem").collect();
    assert!(bad.is_empty(), "{bad:?}");
}
