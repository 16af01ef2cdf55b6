//! Who may do what: every route of the description, walked by nobody, by a stranger and by a reader.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

use super::Server;
use super::http::{Answer, Ask, ask, get, post};

/// A route as the description has it, ready to be asked for.
struct Route {
    method: String,
    path: String,
    class: String,
    body: Option<Value>,
}

/// The routes of the description, with something that is there for every parameter.
fn routes(sandbox: &Sandbox) -> Vec<Route> {
    let api = sandbox.run(["gen", "openapi"]).expect_status(0).json();
    let mut routes = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for method in ["get", "post", "put", "patch", "delete"] {
            let operation = &item[method];
            if operation.is_null() {
                continue;
            }
            let mut filled = path.clone();
            for (name, value) in [
                ("{run}", "R-1"),
                ("{delivery}", "D-1"),
                ("{dataset}", "shop.daily_sales"),
                ("{thing}", "shop.daily_sales"),
                ("{amendment}", "A-1"),
                ("{branch}", "side"),
                ("{apply}", "1"),
                ("{seq}", "1"),
                ("{token}", "T-1"),
                ("{operation}", "some"),
                ("{hook}", "partner"),
            ] {
                filled = filled.replace(name, value);
            }
            assert!(
                !filled.contains('{'),
                "{path} has a parameter that this test does not know"
            );
            match path.as_str() {
                "/v1/things" => filled.push_str("?kind=dataset"),
                "/v1/datasets/{dataset}/diff" => filled.push_str("?from=1"),
                _ => {}
            }
            let body = (!operation["requestBody"].is_null()).then(|| match path.as_str() {
                "/v1/queries" => json!({ "sql": "SELECT * FROM shop.daily_sales" }),
                "/v1/why" | "/v1/why/proofs" => json!({ "thing": "shop.daily_sales" }),
                "/v1/branches" => json!({ "branch": "other" }),
                "/v1/tokens" => json!({ "name": "x", "role": "reader" }),
                "/v1/amendments" | "/v1/amendments/preview" => {
                    json!({ "address": "shop.orders", "delete": true, "condition": "true" })
                }
                _ => json!({}),
            });
            routes.push(Route {
                method: method.to_uppercase(),
                path: filled,
                class: operation["x-class"].as_str().expect("a class").to_owned(),
                body,
            });
        }
    }
    assert!(routes.len() >= 40, "{}", routes.len());
    routes
}

fn walk(server: &Server, route: &Route, token: Option<&str>, headers: &[(&str, &str)]) -> Answer {
    let answer = ask(
        &server.address,
        &Ask {
            method: &route.method,
            path: &route.path,
            token,
            headers,
            body: route.body.as_ref(),
        },
    );
    answer.expect("an answer")
}

fn token(sandbox: &Sandbox, account: &str, role: &str) -> String {
    let made = sandbox.run([
        "token",
        "create",
        role,
        "--role",
        role,
        "--account",
        account,
        "--json",
    ]);
    let made = made.expect_status(0).json();
    made["secret"].as_str().expect("a secret").to_owned()
}

#[test]
fn every_route_is_closed_to_nobody_to_strangers_and_to_readers() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let _ = sandbox.run(["branch", "create", "side"]).expect_status(0);
    let stranger = token(&sandbox, "elsewhere", "owner");
    let reader = token(&sandbox, "main", "reader");
    let contents = sandbox.contents();
    let state =
        |s: &Sandbox| s.query("SELECT count(*) AS n FROM system.facts WHERE kind NOT IN ('access.decided')");
    let before = state(&sandbox);
    for route in routes(&sandbox) {
        let what = format!("{} {}", route.method, route.path);
        if route.class == "health" {
            // On this machine it is for anybody.
            for token in [
                None,
                Some("mst_aaaa"),
                Some(stranger.as_str()),
                Some(reader.as_str()),
            ] {
                assert_eq!(walk(&server, &route, token, &[]).status, 200, "{what}");
            }
            continue;
        }
        if route.class == "knock" {
            // Anybody may knock, and is believed only with a signature, or as an operator.
            for token in [None, Some(reader.as_str())] {
                let answer = walk(&server, &route, token, &[]);
                assert_eq!(
                    (answer.status, &answer.json()["code"]),
                    (401, &json!("MS0825")),
                    "{what}"
                );
            }
            assert_eq!(walk(&server, &route, Some("mst_aaaa"), &[]).status, 401, "{what}");
            let other = walk(&server, &route, Some(&stranger), &[("Mainstay-Account", "main")]);
            assert_eq!(other.status, 403, "{what}");
            continue;
        }
        let nobody = walk(&server, &route, None, &[]);
        assert_eq!(
            (nobody.status, &nobody.json()["code"]),
            (401, &json!("MS0802")),
            "{what}"
        );
        let made_up = walk(&server, &route, Some("mst_aaaa"), &[]);
        assert_eq!(made_up.status, 401, "{what}");
        let other = walk(&server, &route, Some(&stranger), &[("Mainstay-Account", "main")]);
        assert_eq!(
            (other.status, &other.json()["code"]),
            (403, &json!("MS0803")),
            "{what}"
        );
        if route.path.ends_with("/events") && route.class == "read" {
            // Streams do not end by themselves; that a reader may have them is tested where they do.
            continue;
        }
        let read = walk(&server, &route, Some(&reader), &[]);
        if route.class == "read" {
            assert_eq!(read.status, 200, "{what}: {read:?}");
            // In an account of its own a stranger sees nothing of this one.
            let own = walk(&server, &route, Some(&stranger), &[]);
            let text = String::from_utf8_lossy(&own.body).into_owned();
            let is_about_requests = route.path == "/v1/openapi.json";
            assert!(
                is_about_requests || (!text.contains("R-1\"") && !text.contains("2026-01-0")),
                "{what}: {text}"
            );
        } else {
            assert_eq!(
                (read.status, &read.json()["code"]),
                (403, &json!("MS0803")),
                "{what}"
            );
        }
    }
    // Nothing changed, and the refusals are in the journal of the account of the one who was refused.
    assert_eq!(state(&sandbox), before);
    assert_eq!(sandbox.contents(), contents);
    let refused = sandbox.query(
        "SELECT body FROM system.facts WHERE kind = 'access.decided' AND body LIKE '%\"allowed\":false%'",
    );
    let refused = refused.as_array().expect("rows");
    assert!(refused.len() >= 20, "{}", refused.len());
    assert!(
        refused
            .iter()
            .all(|r| r["body"].as_str().is_some_and(|b| b.contains("token/main/")))
    );
    let facts = get(
        &server.address,
        &stranger,
        "/v1/journal?kind=access.decided&limit=1000",
    )
    .json();
    let facts = facts["facts"].as_array().expect("facts");
    assert!(facts.len() >= 40, "{}", facts.len());
    assert!(facts.iter().all(|f| f["account"] == "elsewhere"));
    assert!(
        facts
            .iter()
            .any(|f| f["body"]["policies"] == json!(["accounts-are-apart"]))
    );
    server.end();
}

#[test]
fn accounts_have_worlds_of_their_own() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let before = sandbox.contents();
    let owner = token(&sandbox, "acme", "owner");
    let project = |place: &str| {
        json!({ "files": [{ "path": "mainstay.toml", "text":
            format!("[project]\nname = \"acme\"\n[source.\"shop.orders\"]\nfiles = \"{place}\"\ncolumns = {{ id = \"long\" }}\n") }] })
    };
    sandbox.write(".mainstay/accounts/acme/in/a.csv", "id\n1\n2\n");
    let applied = post(&server.address, &owner, "/v1/applies", &[], &project("in/*.csv"));
    assert_eq!(applied.status, 200, "{applied:?}");
    let ran = post(&server.address, &owner, "/v1/runs", &[], &json!({})).json();
    assert_eq!(ran["delivered"]["deliveries"][0]["rows"], 2, "{ran}");
    let rows = post(
        &server.address,
        &owner,
        "/v1/queries",
        &[],
        &json!({ "sql": "SELECT id FROM shop.orders ORDER BY id" }),
    );
    assert_eq!(rows.json(), json!([{ "id": 1 }, { "id": 2 }]));
    assert_eq!(
        sandbox.contents(),
        before,
        "the other account's data is as it was"
    );

    // What lies on the server's machine is not theirs.
    for place in [
        "../../data/*.csv",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://bucket/x.csv",
        "in/../../../x.csv",
    ] {
        let applied = post(&server.address, &owner, "/v1/applies", &[], &project(place));
        let delivered = post(&server.address, &owner, "/v1/deliveries", &[], &json!({}));
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&applied.body),
            String::from_utf8_lossy(&delivered.body)
        );
        assert!(said.contains("is not a place of account"), "{place}: {said}");
    }
    server.end();
    // And it is all there after a new start, from the snapshot and the journal.
    let server = Server::start(&sandbox);
    let rows = post(
        &server.address,
        &owner,
        "/v1/queries",
        &[],
        &json!({ "sql": "SELECT count(*) AS n FROM shop.orders" }),
    );
    assert_eq!(rows.json(), json!([{ "n": 2 }]));
    assert_eq!(sandbox.contents(), before);
    server.end();
}

#[test]
fn a_token_is_shown_once_kept_as_a_hash_and_taken_back_at_once() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let secret = token(&sandbox, "main", "operator");
    assert_eq!(
        get(&server.address, &secret, "/v1/version").json()["who"],
        "operator"
    );
    let listed = sandbox.run(["token", "list", "--json"]).expect_status(0);
    assert!(!listed.stdout.contains(&secret));
    let refused = sandbox.run_with(
        "MAINSTAY_TOKEN",
        &secret,
        ["token", "list", "--server", &format!("http://{}", server.address)],
    );
    assert!(refused.expect_status(4).stderr.contains("MS0803"));
    let _ = sandbox.run(["token", "revoke", "T-2"]).expect_status(0);
    assert_eq!(get(&server.address, &secret, "/v1/version").status, 401);
    let short = sandbox.run([
        "token",
        "create",
        "x",
        "--role",
        "reader",
        "--expires",
        "2020-01-01T00:00:00Z",
    ]);
    assert!(short.expect_status(2).stderr.contains("MS0808"));
    server.end();
    for file in std::fs::read_dir(sandbox.path().join(".mainstay"))
        .expect("a home")
        .flatten()
    {
        if file.path().is_file() {
            let bytes = std::fs::read(file.path()).expect("a file");
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "the secret is in {}", file.path().display());
        }
    }
}
