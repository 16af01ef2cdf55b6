//! A home whose journal is in PostgreSQL, through the real binary.

#[expect(dead_code, reason = "the store's own tests do more with it")]
#[path = "../../../journal/tests/it/postgres_server.rs"]
pub(super) mod server;

use mainstay_server::step::STEPS;
use mainstay_sim::{Outcome, Sandbox};

use self::server::{PASSWORD, Postgres};

const AMEND: [&str; 8] = [
    "amend",
    "shop.orders",
    "--where",
    "product = 'tea'",
    "--set",
    "pieces = 9",
    "--reason",
    "counted again",
];

fn done(s: &Sandbox, arguments: &[&str]) -> Outcome {
    s.run(arguments).expect_status(0)
}

/// What a project goes through; its home in the end.
fn played(s: &Sandbox) -> String {
    let _ = done(s, &["apply"]);
    let _ = done(s, &["run"]);
    let _ = done(s, &AMEND);
    let _ = done(s, &["run"]);
    let _ = done(s, &["replay", "--all"]);
    let verified = done(s, &["journal", "verify", "--json"]).json();
    assert_eq!(verified["ok"], true);
    s.contents()
}

/// Everything that the home keeps as text is read for the password, which is in no form in it.
fn tells_no_password(s: &Sandbox) {
    let kept = std::fs::read_dir(s.path().join(".mainstay")).expect("the home");
    for file in kept.flatten().map(|e| e.path()).filter(|p| p.is_file()) {
        let text = std::fs::read(&file).expect("a file");
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("s3cret"), "{}", file.display());
    }
}

#[test]
fn a_home_with_its_journal_in_postgres_does_what_any_home_does() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let here = played(&Sandbox::shop());
    let s = Sandbox::shop().with("MAINSTAY_JOURNAL", &server.url("shop"));
    assert_eq!(played(&s), here);
    assert!(!s.path().join(".mainstay/journal.db").exists());
    tells_no_password(&s);

    // The home knows where its journal is; only the password has to be said again.
    let bare = s.run_with("MAINSTAY_JOURNAL", "", ["list", "dataset"]);
    assert_eq!(bare.status, Some(6), "{bare:?}");
    assert!(bare.stderr.contains("MS0607"), "{}", bare.stderr);
    let s = s.with("MAINSTAY_JOURNAL", "").with("PGPASSWORD", PASSWORD);
    assert_eq!(s.contents(), here);

    // Another journal is refused: what it does not know of would be taken for abandoned.
    for asked in [server.url("other"), server.socket_url("other")] {
        let other = s.run_with("MAINSTAY_JOURNAL", &asked, ["run"]).expect_status(2);
        assert!(
            other.stderr.contains("MS0611") && !other.stderr.contains("s3cret"),
            "{}",
            other.stderr
        );
    }
    let stranger = Sandbox::shop().with("MAINSTAY_JOURNAL", &server.url("shop"));
    let refused = stranger.run(["apply"]).expect_status(2);
    assert!(refused.stderr.contains("another home's"), "{}", refused.stderr);
    let has_one = Sandbox::shop();
    let _ = done(&has_one, &["apply"]);
    let refused = has_one
        .run(["plan", "--journal", &server.url("third")])
        .expect_status(2);
    assert!(
        refused
            .stderr
            .contains("journal.db, and not postgres://ana@127.0.0.1"),
        "{}",
        refused.stderr
    );
    assert_eq!(s.contents(), here);
}

#[test]
fn a_kill_at_every_step_loses_nothing_that_was_answered() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let whole = played(&Sandbox::shop());
    for (n, step) in [
        "apply.recorded",
        "deliver.recorded",
        "publish.recorded",
        "amendment.laid",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(STEPS.contains(&step));
        let s = Sandbox::shop().with("MAINSTAY_JOURNAL", &server.url(&format!("killed_{n}")));
        let commands: [&[&str]; 4] = [&["apply"], &["run"], &AMEND, &["run"]];
        let mut killed = 0;
        for command in commands {
            let out = s.run_with("MAINSTAY_KILL_AT", step, command);
            if out.status.is_none() {
                killed += 1;
                // The lease of the dead is waited for, without being asked to.
                let _ = s.run(command).expect_status(0);
            } else {
                let _ = out.expect_status(0);
            }
        }
        assert!(killed > 0, "{step} is reached");
        assert_eq!(s.contents(), whole, "killed at {step}");
        let _ = done(&s, &["journal", "verify"]);
    }
}

#[test]
fn a_server_goes_on_when_its_database_comes_back() {
    let Some(mut database) = Postgres::start() else {
        return;
    };
    let s = Sandbox::shop().with("MAINSTAY_JOURNAL", &database.url("shop"));
    let mut serving = s.start(["serve"]);
    assert!(serving.first_line().starts_with("serving on "));
    let _ = done(&s, &["apply"]);
    database.kill();
    database.launch();
    let _ = done(&s, &["run"]);
    serving.terminate();
    let _ = serving.wait().expect_status(0);
    let _ = done(&s, &["journal", "verify"]);
    let before = s.contents();

    database.stop_immediately();
    let away = s.run(["run"]).expect_status(6);
    assert!(
        away.stderr.contains("MS0607") && !away.stderr.contains("s3cret"),
        "{}",
        away.stderr
    );
    database.launch();
    assert_eq!(s.contents(), before);
}

#[test]
fn a_journal_that_was_restored_from_an_older_copy_is_refused() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let s = Sandbox::shop().with("MAINSTAY_JOURNAL", &server.url("shop"));
    let _ = done(&s, &["apply"]);
    let tables = ["journal", "fact", "frame", "tile", "checkpoint", "snapshot"];
    let copy = |name: &str| {
        server.sql(&format!("CREATE SCHEMA {name}"));
        for table in tables {
            server.sql(&format!(
                "CREATE TABLE {name}.{table} AS SELECT * FROM shop.{table}"
            ));
        }
    };
    copy("older");
    let _ = done(&s, &["run"]);
    copy("whole");
    for table in tables {
        server.sql(&format!(
            "DELETE FROM shop.{table}; INSERT INTO shop.{table} SELECT * FROM older.{table}"
        ));
    }
    for command in ["run", "runs"] {
        let refused = s.run([command]);
        assert_eq!(refused.status, Some(7), "{refused:?}");
        assert!(
            refused.stderr.contains("MS0612") && refused.stderr.contains("gone back in time"),
            "{}",
            refused.stderr
        );
    }
    // With a copy that has everything it goes on.
    for table in tables {
        server.sql(&format!(
            "DELETE FROM shop.{table}; INSERT INTO shop.{table} SELECT * FROM whole.{table}"
        ));
    }
    let _ = done(&s, &["run"]);
    let _ = done(&s, &["journal", "verify"]);
}
