//! Two servers of one journal, through the real binary: one serves, the other stands by and takes over.

mod fence;
mod load;
mod pair;
#[path = "../../../journal/tests/it/proxy.rs"]
mod proxy;
mod turmoil;

use std::time::{Duration, Instant};

use mainstay_control::State;
use mainstay_journal::{Draft, Journal, OpenOptions, PostgresStore};
use serde_json::json;

use self::pair::{Pair, ask, wait_for};
use crate::buckets::server::Server;
use crate::elsewhere::server::Postgres;

/// How long it may take until a standby answers changes; it is 5 seconds on a machine that has nothing else to do.
const GENEROUS: Duration = Duration::from_secs(15);

#[test]
fn a_standby_refers_to_the_leader_and_takes_over_when_that_is_killed() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let mut pair = Pair::new(&database.url("pair"), &database.url("pair"));
    pair.a.start();
    pair.share_keys();
    pair.b.start();
    assert_eq!(pair.a.role().as_deref(), Some("leader"));
    assert_eq!(pair.b.role().as_deref(), Some("standby"));

    // It lives, is not ready, and says whom to ask.
    let token = pair.token();
    let refused = ask(
        &pair.b.address,
        "POST",
        "/v1/applies",
        &token,
        "k-1",
        Some(&json!({})),
    );
    let refused = refused.expect("an answer");
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("MS0840")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let said = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains(&format!("process {} on", pair.a.id())), "{said}");
    let looked = ask(&pair.b.address, "GET", "/v1/runs", &token, "k-2", None).expect("an answer");
    assert_eq!(looked.json()["code"], "MS0840", "{looked:?}");
    let ready = ask(&pair.b.address, "GET", "/health/ready", &token, "k-3", None).expect("an answer");
    assert_eq!((ready.status, &ready.json()["code"]), (503, &json!("MS0840")));
    let stranger = ask(&pair.b.address, "GET", "/v1/runs", "mst_nobody", "k-4", None);
    assert_eq!(stranger.expect("an answer").status, 401);

    // The leader works, and the standby has it folded; metrics and doctor say so.
    let applied = ask(
        &pair.a.address,
        "POST",
        "/v1/applies",
        &token,
        "k-5",
        Some(&json!({})),
    );
    let applied = applied.expect("an answer");
    assert_eq!(applied.status, 200, "{applied:?}");
    let run = ask(
        &pair.a.address,
        "POST",
        "/v1/runs",
        &token,
        "k-6",
        Some(&json!({})),
    );
    assert_eq!(run.expect("an answer").status, 200);
    let mut tries = 0;
    wait_for("the standby to be there", GENEROUS, || {
        // A digest goes with a change, now and then.
        tries += 1;
        let key = format!("d-{tries}");
        let _ = ask(
            &pair.a.address,
            "POST",
            "/v1/deliveries",
            &token,
            &key,
            Some(&json!({})),
        );
        let metrics = ask(&pair.b.address, "GET", "/metrics", &token, "k-7", None)?;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        let has = |line: &str| text.lines().any(|l| l == line);
        (has("mainstay_standby 1")
            && has("mainstay_standby_frames_behind 0")
            && has("mainstay_standby_can_take_over 1")
            && !has("mainstay_standby_compared_frame 0"))
        .then_some(())
    });
    let before = pair
        .a
        .mainstay(&["query", "SELECT count(*) AS n FROM shop.daily_sales", "--json"]);

    let killed = Instant::now();
    pair.a.kill();
    wait_for("the standby to serve", GENEROUS, || {
        let answer = ask(
            &pair.b.address,
            "POST",
            "/v1/deliveries",
            &token,
            "k-8",
            Some(&json!({})),
        )?;
        (answer.status == 200).then_some(())
    });
    eprintln!(
        "killed: the first change was answered after {:?}",
        killed.elapsed()
    );
    assert_eq!(pair.b.role().as_deref(), Some("leader"));
    // What was answered before is answered the same.
    let again = ask(
        &pair.b.address,
        "POST",
        "/v1/applies",
        &token,
        "k-5",
        Some(&json!({})),
    );
    assert_eq!(again.expect("an answer").json(), applied.json());
    assert_eq!(
        pair.b
            .mainstay(&["query", "SELECT count(*) AS n FROM shop.daily_sales", "--json"]),
        before
    );

    // The old one, started by the same command, stands by; a clean end hands over at once.
    pair.a.start();
    assert_eq!(pair.a.role().as_deref(), Some("standby"));
    let ended = Instant::now();
    pair.b.end();
    wait_for("the first one to serve again", GENEROUS, || {
        let answer = ask(
            &pair.a.address,
            "POST",
            "/v1/deliveries",
            &token,
            "k-9",
            Some(&json!({})),
        )?;
        (answer.status == 200).then_some(())
    });
    eprintln!("ended: the first change was answered after {:?}", ended.elapsed());
    pair.a.end();
    pair.verify();
}

#[test]
fn the_tables_may_be_in_a_bucket_that_both_reach() {
    let (Some(database), Some(bucket)) = (Postgres::start(), Server::start("pair")) else {
        return;
    };
    let (url, variables) = (database.url("bucket"), bucket.environment());
    let variables: Vec<(String, String)> = variables.into_iter().collect();
    let mut pair = Pair::with_store(&url, &url, "s3://pair/tables", &variables);
    pair.a.start();
    pair.share_keys();
    let token = pair.token();
    for (path, key) in [("/v1/applies", "k-1"), ("/v1/runs", "k-2")] {
        wait_for(path, GENEROUS, || {
            let done = ask(&pair.a.address, "POST", path, &token, key, Some(&json!({})))?;
            (done.status == 200).then_some(())
        });
    }
    pair.b.start();
    assert_eq!(pair.b.role().as_deref(), Some("standby"));
    pair.a.kill();
    let killed = Instant::now();
    let forced = json!({ "force": true });
    let run = wait_for("the other one to run it", GENEROUS, || {
        let done = ask(&pair.b.address, "POST", "/v1/runs", &token, "k-3", Some(&forced))?;
        (done.status == 200).then(|| done.json())
    });
    eprintln!("killed: the first run was answered after {:?}", killed.elapsed());
    assert_eq!(run["runs"][0]["outcome"], "succeeded", "{run}");
    let rows = pair
        .b
        .mainstay(&["query", "SELECT count(*) AS n FROM shop.daily_sales", "--json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&rows).expect("JSON"),
        json!([{ "n": 4 }])
    );
    pair.b.end();
    pair.verify();
}

#[test]
fn the_client_finds_the_one_that_serves() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let mut pair = Pair::new(&database.url("client"), &database.url("client"));
    pair.a.start();
    pair.share_keys();
    pair.b.start();
    let both = format!("http://{},http://{}", pair.b.address, pair.a.address);
    let ask = |pair: &Pair, arguments: &[&str]| {
        let token = pair.token();
        pair.b.run(
            arguments,
            &[("MAINSTAY_SERVER", &both), ("MAINSTAY_TOKEN", &token)],
        )
    };
    let _ = ask(&pair, &["apply"]).expect_status(0);
    let _ = ask(&pair, &["run"]).expect_status(0);
    // One alone is asked once, and says whom to ask.
    let (alone, token) = (format!("http://{}", pair.b.address), pair.token());
    let refused = pair.b.run(
        &["runs"],
        &[("MAINSTAY_SERVER", &alone), ("MAINSTAY_TOKEN", &token)],
    );
    let refused = refused.expect_status(6);
    assert!(refused.stderr.contains("MS0840"), "{}", refused.stderr);
    // In the standby's home it is the same.
    let refused = pair.b.run(&["apply"], &[]).expect_status(6);
    assert!(refused.stderr.contains("MS0840"), "{}", refused.stderr);

    // Whether the leader is killed or frozen, the next command finds the other one.
    pair.a.freeze();
    let began = Instant::now();
    let made = ask(
        &pair,
        &["token", "create", "while-frozen", "--role", "reader", "--json"],
    )
    .expect_status(0);
    eprintln!("frozen: a command was answered after {:?}", began.elapsed());
    assert_eq!(made.json()["name"], "while-frozen");
    pair.a.thaw();
    // The woken one ends by itself and says why.
    let woken = pair.a.wait_until_it_ends(Duration::from_secs(20));
    assert_eq!(woken.status, Some(6), "{woken:?}");
    assert!(woken.stdout.contains("MS0602"), "{woken:?}");
    let listed = ask(&pair, &["token", "list", "--json"]).expect_status(0).json();
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(2));
    pair.b.end();
    pair.verify();
}

/// Lets the test itself be who writes the journal, and the second machine stand by for it.
fn written_by_something_else(pair: &mut Pair, url: &str) -> Journal {
    pair.a.start();
    pair.share_keys();
    pair.a.end();
    let address = mainstay_server::journal_address(url).expect("an address");
    let journal = Journal::open(PostgresStore::new(address), OpenOptions::write()).expect("the journal");
    pair.b.start();
    assert_eq!(pair.b.role().as_deref(), Some("standby"));
    journal
}

#[test]
fn a_standby_that_cannot_read_what_is_written_says_so_and_does_not_take_over() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let url = database.url("unread");
    let mut pair = Pair::new(&url, &url);
    let mut journal = written_by_something_else(&mut pair, &url);
    let newer = Draft {
        kind: "of.a.newer.version".into(),
        account: "main".into(),
        ..Draft::default()
    };
    journal.append(vec![newer], None).expect("appended");
    let token = pair.token();
    let causes = || {
        let ready = ask(&pair.b.address, "GET", "/health/ready", &token, "ready", None)?;
        Some(ready.json()["causes"].to_string())
    };
    wait_for("the standby to say so", GENEROUS, || {
        causes().filter(|c| c.contains("MS0609")).map(drop)
    });
    drop(journal);
    // It stays so: what was not read once is not passed over.
    for _ in 0..8 {
        std::thread::park_timeout(Duration::from_millis(250));
        assert!(causes().is_some_and(|c| c.contains("MS0609")));
        assert_eq!(pair.b.role().as_deref(), Some("standby"));
    }
    let said = pair.b.end_saying();
    assert!(said.contains("MS0609"), "{said}");
}

#[test]
fn a_standby_whose_state_is_not_the_leaders_says_so_and_does_not_take_over() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let url = database.url("differs");
    let mut pair = Pair::new(&url, &url);
    let mut journal = written_by_something_else(&mut pair, &url);
    let token = pair.token();
    let draft = Draft {
        kind: "greeted".into(),
        account: "main".into(),
        ignorable: true,
        ..Draft::default()
    };
    let digest = |version: u32| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&version.to_le_bytes());
        Some(mainstay_base::Hash::from_bytes(bytes))
    };
    let causes = || {
        let ready = ask(&pair.b.address, "GET", "/health/ready", &token, "ready", None)?;
        Some(ready.json()["causes"].to_string())
    };
    // That of another version of the fold says nothing.
    let other = digest(State::FOLD_VERSION + 1);
    journal.append(vec![draft.clone()], other).expect("appended");
    std::thread::park_timeout(Duration::from_millis(500));
    assert!(!causes().expect("an answer").contains("MS0842"));
    journal
        .append(vec![draft], digest(State::FOLD_VERSION))
        .expect("appended");
    wait_for("the standby to say so", GENEROUS, || {
        causes().filter(|c| c.contains("MS0842")).map(drop)
    });
    drop(journal);
    // Nobody writes now, and it does not take over all the same.
    std::thread::park_timeout(Duration::from_secs(4));
    assert_eq!(pair.b.role().as_deref(), Some("standby"));
    let metrics = ask(&pair.b.address, "GET", "/metrics", &token, "m", None).expect("an answer");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("mainstay_standby_can_take_over 0"), "{metrics}");
    let said = pair.b.end_saying();
    assert!(said.contains("MS0842"), "{said}");
    // Started again it folds what is there, and serves.
    pair.b.start();
    assert_eq!(pair.b.role().as_deref(), Some("leader"));
    pair.b.end();
}

#[test]
fn a_standby_that_does_not_share_what_it_must_is_refused() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let mut pair = Pair::new(&database.url("shared"), &database.url("shared"));
    pair.a.start();
    let token = pair.token();
    for (path, key) in [("/v1/applies", "k-1"), ("/v1/runs", "k-2")] {
        let done = ask(&pair.a.address, "POST", path, &token, key, Some(&json!({})));
        assert_eq!(done.expect("an answer").status, 200);
    }
    let refused = |pair: &Pair, what: &str| {
        let out = pair.b.run(&["serve", "--standby"], &[]).expect_status(2);
        assert!(
            out.stderr.contains("MS0841") && out.stderr.contains(what),
            "{}",
            out.stderr
        );
    };
    refused(&pair, "the key that signs the journal is not in this home");
    pair.share_keys();
    let key = pair.path().join("home-b/journal.key");
    let right = std::fs::read(&key).expect("a key");
    // Another journal's key is found out, too.
    let strange = pair.b.run(
        &[
            "token",
            "create",
            "eve",
            "--role",
            "reader",
            "--home",
            "elsewhere",
        ],
        &[("MAINSTAY_JOURNAL", &database.url("strange"))],
    );
    let _ = strange.expect_status(0);
    std::fs::copy(pair.path().join("elsewhere/journal.key"), &key).expect("a copy");
    refused(&pair, "is not the key that signs this journal");
    std::fs::write(&key, right).expect("the key");

    // A copy of the tables that is not kept up is not the tables.
    let tables = pair.path().join("tables/main/shop/daily_sales");
    let aside = pair.path().join("aside");
    std::fs::rename(&tables, &aside).expect("moved");
    refused(&pair, "is a copy that is not kept up");
    std::fs::rename(&aside, &tables).expect("moved back");
    std::fs::rename(pair.path().join("tables"), &aside).expect("moved");
    refused(&pair, "the journal's tables are not in");
    std::fs::rename(&aside, pair.path().join("tables")).expect("moved back");

    // Beyond this machine both are trusted by the same authority.
    let beyond = pair.b.run(&["serve", "--standby", "--listen", "0.0.0.0:0"], &[]);
    let beyond = beyond.expect_status(2);
    assert!(
        beyond.stderr.contains("MS0841") && beyond.stderr.contains("certificate authority"),
        "{}",
        beyond.stderr
    );
    // Without --standby it is a second writer, and refused as ever; beside SQLite there is no standby.
    let second = pair.b.run(&["serve"], &[]).expect_status(6);
    assert!(
        second.stderr.contains("MS0601") && second.stderr.contains("--standby"),
        "{}",
        second.stderr
    );
    let here = pair.b.run(
        &["serve", "--standby", "--home", "own"],
        &[("MAINSTAY_JOURNAL", "")],
    );
    let here = here.expect_status(2);
    assert!(here.stderr.contains("MS0841"), "{}", here.stderr);
    pair.b.start();
    pair.a.end();
    wait_for("the second one to serve", GENEROUS, || {
        (pair.b.role().as_deref() == Some("leader")).then_some(())
    });
    pair.b.end();
    pair.verify();
}
