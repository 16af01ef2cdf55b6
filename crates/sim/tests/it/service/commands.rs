//! Commands beside a server do what they do without one, and say the same.

use mainstay_sim::Sandbox;
use serde_json::Value;

use super::Server;

/// What every user sees of a project, without what differs from run to run.
fn seen(sandbox: &Sandbox) -> Vec<Value> {
    let mut seen = vec![
        sandbox.query("SELECT * FROM shop.daily_sales ORDER BY 1, 2"),
        sandbox.query("SELECT name, kind, generation FROM system.resources ORDER BY 1, 2"),
        serde_json::from_str(&sandbox.contents()).expect("JSON"),
    ];
    for arguments in [
        ["deps", "shop.daily_sales"].as_slice(),
        &["slices", "shop.daily_sales"],
        &["check"],
        &["plan"],
        &["list", "source"],
        &["list", "job"],
    ] {
        let with_json = arguments.iter().chain(&["--json"]);
        seen.push(sandbox.run(with_json).expect_status(0).json());
    }
    seen
}

fn work(sandbox: &Sandbox) {
    for arguments in [
        ["apply", "--reason", "first"].as_slice(),
        &["run"],
        &["runs"],
        &["logs", "R-1"],
        &["show", "run/R-1"],
        &["show", "shop.daily_sales"],
        &["history", "shop.daily_sales"],
        &["why", "shop.daily_sales"],
        &["branch", "create", "side"],
        &["branch", "diff", "side"],
        &["branch", "drop", "side"],
        &["replay", "R-1"],
        &["vacuum", "--dry-run"],
        &["journal", "verify"],
        &["journal", "prove", "1"],
        &["deliver"],
    ] {
        let _ = sandbox.run(arguments).expect_status(0);
    }
}

#[test]
fn commands_do_the_same_with_a_server_and_without() {
    let alone = Sandbox::shop();
    work(&alone);
    let expected = seen(&alone);

    let served = Sandbox::shop();
    let server = Server::start(&served);
    work(&served);
    assert_eq!(seen(&served), expected);
    // It really was the server: the home is locked, and every change is recorded with who decided it.
    let facts = served
        .run(["journal", "--kind", "access.decided", "--json"])
        .expect_status(0)
        .json();
    let decided = facts["facts"].as_array().expect("facts");
    let operations: Vec<&str> = decided
        .iter()
        .filter_map(|f| f["body"]["operation"].as_str())
        .collect();
    assert!(
        operations.contains(&"apply") && operations.contains(&"start_runs"),
        "{operations:?}"
    );
    assert!(
        decided.iter().all(|f| {
            let policies = f["body"]["policies"].as_array();
            policies.is_some_and(|p| p.contains(&"the-home-is-its-owners".into()))
        }),
        "{facts}"
    );
    let applied = served
        .run(["journal", "--kind", "project.applied", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(applied["facts"][0]["reason"], "first");
    assert!(applied["facts"][0]["request"].is_string());
    server.end();

    // And the home is as it would be without it.
    assert_eq!(seen(&served), expected);
    let _ = served.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn mistakes_and_refusals_are_the_same() {
    let alone = Sandbox::shop();
    let served = Sandbox::shop();
    let server = Server::start(&served);
    for sandbox in [&alone, &served] {
        let _ = sandbox.run(["apply"]).expect_status(0);
        sandbox.write("jobs/shop/broken.sql", "SELECT nothing FROM shop.orders\n");
    }
    for arguments in [
        ["check"].as_slice(),
        &["plan"],
        &["apply"],
        &["show", "run/R-99"],
        &["query", "SELECT nothing FROM shop.orders"],
        &["query", "SELEC"],
        &["amend", "shop.orders", "--delete", "--where", "true"],
        &["run", "shop.nothing"],
        &["apply", "plan/P-9"],
        &["branch", "promote", "nowhere"],
        &["runs", "--branch", "nowhere"],
    ] {
        let (a, b) = (alone.run(arguments), served.run(arguments));
        assert_eq!(
            (a.status, a.stdout, a.stderr),
            (b.status, b.stdout, b.stderr),
            "{arguments:?}"
        );
    }
    server.end();
}

#[test]
fn a_second_server_is_refused_and_a_dead_socket_is_no_server() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let second = sandbox.run(["serve"]).expect_status(6);
    assert!(second.stderr.contains("MS0601"), "{}", second.stderr);
    let _ = server.running.kill();
    // The socket is still there, and nobody answers on it.
    let _ = sandbox.run(["apply"]).expect_status(0);
    Server::start(&sandbox).end();
}

#[test]
fn a_correction_goes_through_with_the_rows_of_a_file() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let before = sandbox.query("SELECT count(*) AS n FROM shop.orders")[0]["n"].as_i64();
    let header = std::fs::read_to_string(sandbox.path().join("data/orders/2026-01-01.csv")).expect("a file");
    let two: Vec<&str> = header.lines().take(2).collect();
    sandbox.write("late.csv", format!("{}\n", two.join("\n")));
    let amended = sandbox.run([
        "amend",
        "shop.orders@2026-01-01",
        "--insert",
        "late.csv",
        "--reason",
        "late",
        "--json",
    ]);
    let amended = amended.expect_status(0).json();
    assert_eq!(amended["status"], "applied", "{amended}");
    let after = sandbox.query("SELECT count(*) AS n FROM shop.orders")[0]["n"].as_i64();
    assert_eq!(after, before.map(|n| n + 1));
    assert_eq!(
        std::fs::read_dir(sandbox.path().join(".mainstay/scratch")).map_or(0, Iterator::count),
        0
    );
    let _ = sandbox
        .run(["revert", "amendment/A-1", "--reason", "no"])
        .expect_status(0);
    server.end();
}
