//! Requests however broken: none gives a 500, none ends the process. schemathesis finds nothing with all its checks.

use std::process::Command;

use mainstay_sim::{Sandbox, python};
use serde_json::json;

use super::Server;
use super::http::{get, post, raw};

#[test]
fn broken_requests_are_refused_and_the_server_goes_on() {
    let sandbox = Sandbox::shop();
    let mut server = Server::start(&sandbox);
    let token = server.owner.clone().expect("a token");
    let line = |head: &str, body: &str| {
        format!("{head}\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{body}")
    };
    let json = "Content-Type: application/json\r\n";
    let long = "x".repeat(1_000_000);
    let requests = [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /v1/version HTTP/9.9\r\n\r\n".to_owned(),
        line("GET /v1/version HTTP/1.1", &format!("X: {long}\r\n\r\n")),
        line(&format!("GET /v1/{long} HTTP/1.1"), "\r\n"),
        line("GET /v1/%ff%fe/%00 HTTP/1.1", "\r\n"),
        line("GET /v1/things/%ff HTTP/1.1", "\r\n"),
        line("GET /v1/things?kind=%ff HTTP/1.1", "\r\n"),
        line("GET /v1/runs?limit=-1 HTTP/1.1", "\r\n"),
        line("GET /v1/runs?limit=99999999999999999999 HTTP/1.1", "\r\n"),
        line("GET /v1/runs?cursor=c%00 HTTP/1.1", "\r\n"),
        line("GET /v1/journal?since=yesterday HTTP/1.1", "\r\n"),
        line("GET /v1/journal/99999999/proof HTTP/1.1", "\r\n"),
        line("GET /v1/version HTTP/1.1", "Mainstay-Account: ../..\r\n\r\n"),
        line("GET /v1/version HTTP/1.1", "Idempotency-Key: \u{7f}\r\n\r\n"),
        line(
            "POST /v1/queries HTTP/1.1",
            &format!("{json}Content-Length: 3\r\n\r\n{{}}"),
        ),
        line(
            "POST /v1/queries HTTP/1.1",
            &format!("{json}Content-Length: 2\r\n\r\n{{}}"),
        ),
        line("POST /v1/queries HTTP/1.1", "Content-Length: 2\r\n\r\n{}"),
        line(
            "POST /v1/queries HTTP/1.1",
            &format!("{json}Content-Length: 99999999999\r\n\r\n{{}}"),
        ),
        line(
            "POST /v1/queries HTTP/1.1",
            &format!("{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ),
        line("DELETE /v1/version HTTP/1.1", "\r\n"),
        line("BREW /v1/version HTTP/1.1", "\r\n"),
    ];
    for request in &requests {
        let answer = raw(&server.address, request.as_bytes());
        let status = answer.as_ref().map_or(400, |a| a.status);
        assert!((400..500).contains(&status), "{request:.200}\n{answer:?}");
    }
    // Deep and odd bodies.
    for body in [
        json!({ "sql": "\u{0}" }),
        json!({ "sql": "(".repeat(20_000) }),
        json!({ "sql": format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)) }),
        json!({ "sql": "SELECT 1 / 0" }),
        json!({ "sql": "SELECT 1", "version": 18_446_744_073_709_551_615_u64 }),
        json!({ "sql": "DROP TABLE shop.orders" }),
        json!({ "sql": "COPY (SELECT 1) TO '/tmp/x'" }),
        json!({ "sql": "SELECT * FROM '/etc/passwd'" }),
        json!({ "sql": "SELECT 1", "unknown": 1 }),
        json!([]),
    ] {
        let answer = post(&server.address, &token, "/v1/queries", &[], &body);
        assert!(
            (400..500).contains(&answer.status),
            "{:.200}\n{answer:?}",
            body.to_string()
        );
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(get(&server.address, &token, "/v1/version").status, 200);
    assert!(server.running.goes_on());
    server.end();
}

#[test]
fn schemathesis_finds_nothing() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: schemathesis is not installed: cargo xtask tools");
        return;
    };
    let sandbox = Sandbox::shop();
    let mut server = Server::start(&sandbox);
    let token = server.owner.clone().expect("a token");
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let api = sandbox.run(["gen", "openapi"]).expect_status(0).stdout;
    sandbox.write("openapi.json", api);
    sandbox.write("schemathesis.toml", include_str!("schemathesis.toml"));
    let program = python.with_file_name("schemathesis");
    let found = Command::new(program)
        .current_dir(sandbox.path())
        .args(["--config-file", "schemathesis.toml", "run", "openapi.json"])
        .args(["--url", &format!("http://{}", server.address)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // These two streams have no end; `keys` tests them.
        .args([
            "--exclude-operation-id",
            "follow_runs",
            "--exclude-operation-id",
            "follow_journal",
        ])
        .output()
        .expect("schemathesis starts");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr)
    );
    assert!(found.status.success(), "{text}");
    assert!(server.running.goes_on(), "{text}");
    server.end();
}
