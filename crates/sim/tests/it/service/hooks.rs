//! What others say through hooks: taken once if it is signed, and followed.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_base::{Clock as _, SystemClock};
use mainstay_sim::{Sandbox, python};
use serde_json::{Value, json};
use sha2::Sha256;

use super::http::{Answer, raw};
use super::{Server, count, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FILE: &str = ".mainstay/secrets/main/partner";

const DECLARED: &str = "
[hook.partner]
secret = \"file:partner\"

[trigger.follow]
webhook = \"partner\"
run = [\"shop.daily_sales\"]
";

/// A shop with a hook, and the files of two days that nobody took in yet.
fn hooked() -> Sandbox {
    let s = Sandbox::shop();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write("mainstay.toml", format!("{toml}{DECLARED}"));
    let _ = s.run(["apply"]).expect_status(0);
    s.write(FILE, format!("{SECRET}\n"));
    readable(&s, 0o600);
    s
}

fn readable(s: &Sandbox, mode: u32) {
    std::fs::set_permissions(s.path().join(FILE), Permissions::from_mode(mode)).expect("permissions");
}

fn now() -> u64 {
    u64::try_from(SystemClock.now().as_micros() / 1_000_000).expect("a time")
}

fn send(server: &Server, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!(
        "POST /v1/hooks/partner HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    raw(&server.address, format!("{text}\r\n{body}").as_bytes()).expect("an answer")
}

fn signed(server: &Server, id: &str, sent: u64, body: &str) -> Answer {
    let key = BASE64
        .decode(SECRET.trim_start_matches("whsec_").as_bytes())
        .expect("a secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{sent}.{body}").as_bytes());
    let signature = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    let sent = sent.to_string();
    let headers = [
        ("Content-Type", "application/json"),
        ("Webhook-Id", id),
        ("Webhook-Timestamp", &sent),
        ("Webhook-Signature", &signature),
    ];
    send(server, &headers, body)
}

const DONE: &str = "SELECT count(*) AS n FROM system.facts WHERE kind = 'trigger.done'";
const ORDER: &str = r#"{"type":"order.made","data":{"pieces":3}}"#;

#[test]
fn a_signed_message_is_taken_once_and_followed() {
    let s = hooked();
    let server = Server::start(&s);
    let answer = signed(&server, "msg_1", now(), ORDER);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["received"], true);
    let _ = until(&s, DONE, |a| a[0]["n"] == 1);
    assert_eq!(
        s.query("SELECT sum(pieces) AS n FROM shop.daily_sales")[0]["n"],
        10
    );
    let facts = s.query("SELECT actor, subject, body FROM system.facts WHERE kind = 'hook.received'");
    assert_eq!(facts[0]["actor"], "hook/partner");
    assert_eq!(facts[0]["subject"], "hook/partner");
    let body: Value = serde_json::from_str(facts[0]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["type"], "order.made");
    assert_eq!(body["by"], "signature");
    assert_eq!(body["data"]["data"]["pieces"], 3);

    // The sender tries again.
    let again = signed(&server, "msg_1", now() + 1, ORDER);
    assert_eq!((again.status, &again.json()["received"]), (200, &json!(false)));
    assert_eq!(count(&s, "hook.received"), 1);
    assert_eq!(count(&s, "trigger.fired"), 1);
    let shown = s.run(["show", "hook/partner", "--json"]).expect_status(0).json();
    assert_eq!(shown["status"]["received"], 1);
    assert_eq!(shown["spec"]["secret"], "file:partner");

    // The secret is where it was put, and nowhere else.
    server.end();
    let secret = SECRET.trim_start_matches("whsec_").as_bytes();
    for file in ["mainstay.toml", ".mainstay/journal.db"] {
        let bytes = std::fs::read(s.path().join(file)).expect("a file");
        assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{file}");
    }
}

#[test]
fn what_is_not_signed_right_or_makes_no_sense_leaves_no_trace() {
    let s = hooked();
    let server = Server::start(&s);
    let before = s.query("SELECT count(*) AS n FROM system.facts");
    let reader = s
        .run(["token", "create", "watcher", "--role", "reader", "--json"])
        .expect_status(0);
    let reader = format!("Bearer {}", reader.json()["secret"].as_str().expect("a secret"));
    let json = ("Content-Type", "application/json");
    let tag = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let (sent, tag) = (now().to_string(), format!("v1,{tag}"));
    let wrong = [
        json,
        ("Webhook-Id", "a"),
        ("Webhook-Timestamp", &sent),
        ("Webhook-Signature", &tag),
    ];
    let refused = [
        send(&server, &[json], ORDER),
        send(&server, &wrong, ORDER),
        send(&server, &[json, ("Authorization", &reader)], ORDER),
        send(&server, &[json, ("Authorization", "Bearer mst_nobody")], ORDER),
        signed(&server, "msg_1", now() - 301, ORDER),
        signed(&server, "msg_1", now() + 310, ORDER),
    ];
    for answer in &refused {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(signed(&server, "msg_1", now(), "{").json()["code"], "MS0828");
    assert_eq!(
        signed(&server, "msg_1", now(), &format!("\"{}\"", "x".repeat(300_000))).status,
        413
    );
    readable(&s, 0o644);
    let answer = signed(&server, "msg_1", now(), ORDER);
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("MS0826")));
    assert_eq!(count(&s, "hook.received"), 0);
    // Only the token was made.
    let after = s.query("SELECT count(*) AS n FROM system.facts WHERE kind NOT IN ('token.created', 'access.decided', 'request.answered')");
    assert!(after[0]["n"].as_u64() <= before[0]["n"].as_u64(), "{after}");
    readable(&s, 0o600);
    assert_eq!(signed(&server, "msg_1", now(), ORDER).status, 200);
    server.end();
}

#[test]
fn an_operator_sends_cloud_events_without_a_signature() {
    let s = hooked();
    let server = Server::start(&s);
    let owner = format!("Bearer {}", server.owner.clone().expect("a token"));
    let event = json!({ "specversion": "1.0", "id": "7", "source": "/till", "type": "order.made", "data": { "pieces": 3 } });
    let headers = [
        ("Content-Type", "application/cloudevents+json"),
        ("Authorization", owner.as_str()),
    ];
    let answer = send(&server, &headers, &event.to_string());
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("/till 7")));
    let binary = [
        ("Content-Type", "application/json"),
        ("Authorization", owner.as_str()),
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/till"),
        ("ce-type", "order.made"),
    ];
    // The same event in the other mode is the same event.
    assert_eq!(
        send(&server, &binary, r#"{"pieces":3}"#).json()["received"],
        false
    );
    assert_eq!(count(&s, "hook.received"), 1);
    server.end();
}

#[test]
fn a_killed_server_has_lost_no_message_and_doubles_none() {
    let s = hooked();
    let mut killed = s.start_with(
        "MAINSTAY_KILL_AT",
        "run.recorded",
        ["serve", "--listen", "127.0.0.1:0", "--json"],
    );
    let said: Value = serde_json::from_str(&killed.first_line()).expect("JSON");
    let url = said["url"].as_str().expect("a URL");
    let server = Server {
        running: killed,
        address: url.split_once("://").map_or(url, |(_, a)| a).to_owned(),
        owner: None,
    };
    assert_eq!(signed(&server, "msg_1", now(), ORDER).status, 200);
    assert_eq!(server.running.wait().status, None);
    let server = Server::start(&s);
    assert_eq!(signed(&server, "msg_1", now(), ORDER).json()["received"], false);
    let _ = until(&s, DONE, |a| a[0]["n"] == 1);
    assert_eq!(
        s.query("SELECT sum(pieces) AS n FROM shop.daily_sales")[0]["n"],
        10
    );
    assert_eq!(count(&s, "hook.received"), 1);
    server.end();
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn messages_of_the_standards_own_packages_are_taken() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: standardwebhooks and cloudevents are not installed: cargo xtask tools");
        return;
    };
    let s = hooked();
    let server = Server::start(&s);
    let mut made = Command::new(python)
        .args(["-c", include_str!("hooks.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let asked = json!({ "secret": SECRET }).to_string();
    made.stdin
        .take()
        .expect("its input")
        .write_all(asked.as_bytes())
        .expect("written");
    let made = made.wait_with_output().expect("it ends");
    let messages: Value = serde_json::from_slice(&made.stdout).expect("messages");
    for name in ["plain", "structured", "binary"] {
        let message = &messages[name];
        let headers: Vec<(&str, &str)> = message["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
            .collect();
        let answer = send(&server, &headers, message["body"].as_str().expect("a body"));
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(answer.json()["received"], true, "{name}");
    }
    let facts = s.query("SELECT body FROM system.facts WHERE kind = 'hook.received' ORDER BY seq");
    let body = |i: usize| -> Value {
        serde_json::from_str(facts[i]["body"].as_str().expect("a body")).expect("JSON")
    };
    let (structured, mut binary) = (body(1), body(2));
    assert_eq!(structured["subject"], "Tee für zwei");
    assert_eq!(structured["attributes"]["region"], "eu");
    assert_eq!(structured["data"], json!({ "pieces": 3 }));
    for field in ["id", "attributes"] {
        binary[field] = structured[field].clone();
    }
    assert_eq!(structured, binary, "both modes say the same");
    assert_eq!(body(0)["type"], "order.made");
    server.end();
}
