//! What triggers tell: signed, sent until it is taken, once for each incident.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mainstay_sim::{Sandbox, python};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Server, count};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message as it came.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Came {
    pub(super) fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn is_signed(&self) -> bool {
        let key = BASE64.decode(SECRET.trim_start_matches("whsec_").as_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("a secret")).expect("a key");
        let (id, sent) = (&self.headers["webhook-id"], &self.headers["webhook-timestamp"]);
        mac.update(format!("{id}.{sent}.{}", self.body).as_bytes());
        self.headers["webhook-signature"] == format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

/// Somebody who is told, and answers with these statuses, the last one from then on.
pub(super) struct Receiver {
    pub(super) port: u16,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Receiver {
    pub(super) fn new(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let came = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (mut all, mut some) = (Vec::new(), [0_u8; 4096]);
                let (head, length) = loop {
                    let Ok(n @ 1..) = stream.read(&mut some) else {
                        break (0, 0);
                    };
                    all.extend_from_slice(&some[..n]);
                    let Some(head) = all.windows(4).position(|w| w == b"\r\n\r\n") else {
                        continue;
                    };
                    let text = String::from_utf8_lossy(&all[..head]).to_lowercase();
                    let length = text
                        .lines()
                        .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
                    let length: usize = length.unwrap_or_default();
                    if all.len() >= head + 4 + length {
                        break (head, length);
                    }
                };
                if head == 0 {
                    continue;
                }
                let text = String::from_utf8_lossy(&all[..head]).into_owned();
                let headers = text.lines().filter_map(|l| l.split_once(": "));
                let headers = headers.map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
                let body = String::from_utf8_lossy(&all[head + 4..head + 4 + length]).into_owned();
                let mut came = own.lock().expect("the messages");
                let status = statuses
                    .get(came.len())
                    .or(statuses.last())
                    .copied()
                    .unwrap_or(204);
                came.push(Came { headers, body });
                drop(came);
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, came }
    }

    pub(super) fn came(&self) -> Vec<Came> {
        self.came.lock().expect("the messages").clone()
    }
}

/// A shop that tells a receiver of failed runs, and adds a fact of its own when its sales are complete.
fn telling(receiver: &Receiver) -> Sandbox {
    let s = Sandbox::shop();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    let more = format!(
        "
[channel.ops]
url = \"http://127.0.0.1:{}/alarms?from=shop\"
secret = \"file:ops\"

[trigger.alarm]
on = {{ kind = [\"run.finished\"], body = {{ outcome = [\"failed\"] }} }}
notify = [\"ops\"]

[trigger.complete]
after = [\"shop.daily_sales\"]
emit = {{ type = \"sales.complete\", data = {{ shop = 7 }} }}

[trigger.followed]
on = {{ kind = [\"event.emitted\"], body = {{ type = [\"sales.complete\"], data = {{ shop = [7] }} }} }}
notify = [\"ops\"]

[check.cheap]
dataset = \"shop.daily_sales\"
sql = \"SELECT * FROM shop.daily_sales WHERE money > 1000\"
",
        receiver.port
    );
    s.write("mainstay.toml", format!("{toml}{more}"));
    let _ = s.run(["apply"]).expect_status(0);
    let file = ".mainstay/secrets/main/ops";
    s.write(file, format!("{SECRET}\n"));
    std::fs::set_permissions(s.path().join(file), Permissions::from_mode(0o600)).expect("permissions");
    s
}

pub(super) fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

pub(super) fn orders(s: &Sandbox, day: u8, price: u32) {
    let text = format!("day,product,pieces,price\n2026-01-{day:02},tea,1,{price}\n");
    s.write(&format!("data/orders/2026-01-{day:02}.csv"), text);
}

#[test]
fn an_incident_is_told_once_until_it_is_over() {
    let receiver = Receiver::new(&[204]);
    let s = telling(&receiver);
    let server = Server::start(&s);
    let _ = s.run(["run"]).expect_status(0);
    // A fact of one's own, which another trigger follows.
    until("the first message", || receiver.came().len() == 1);
    let first = receiver.came()[0].clone();
    assert!(first.is_signed(), "{first:?}");
    assert_eq!(first.headers["content-type"], "application/cloudevents+json");
    assert_eq!(first.event()["type"], "dev.mainstay.event.emitted.v1");
    assert_eq!(first.event()["subject"], "event/sales.complete");
    assert_eq!(first.event()["data"]["fact"]["data"], json!({ "shop": 7 }));

    orders(&s, 3, 2_000);
    let _ = s.run(["run"]).expect_status(1);
    until("the alarm", || receiver.came().len() == 2);
    let alarm = receiver.came()[1].event();
    assert_eq!(alarm["type"], "dev.mainstay.run.finished.v1");
    assert_eq!(alarm["data"]["incident"], "job/shop.daily_sales");
    assert_eq!(alarm["data"]["why"], "mainstay why run/R-2");
    // It fails again: that is known.
    let _ = s.run(["run"]).expect_status(1);
    until("the second firing", || count(&s, "trigger.done") >= 4);
    assert_eq!(count(&s, "message.owed"), 2);
    // It is mended, and fails again: that is new.
    orders(&s, 3, 2);
    let _ = s.run(["run"]).expect_status(0);
    until("that it is complete again", || receiver.came().len() == 3);
    orders(&s, 4, 2_000);
    let _ = s.run(["run"]).expect_status(1);
    until("the next alarm", || receiver.came().len() == 4);
    until("all are recorded", || count(&s, "message.sent") == 4);
    let list = s.run(["list", "messages", "--json"]).expect_status(0).json();
    assert_eq!(list["items"][3]["state"], "sent");
    assert_eq!(list["items"][3]["attempts"], 1);
    server.end();
}

#[test]
fn a_message_is_sent_until_it_is_taken_under_one_id() {
    let receiver = Receiver::new(&[503, 204]);
    let s = telling(&receiver);
    let server = Server::start(&s);
    let _ = s.run(["run"]).expect_status(0);
    until("it failed", || count(&s, "message.failed") == 1);
    let list = s.run(["list", "messages", "--json"]).expect_status(0).json();
    assert_eq!(list["items"][0]["state"], "retrying");
    assert_eq!(list["items"][0]["error"], "the receiver answered with status 503");
    until("it was taken", || count(&s, "message.sent") == 1);
    let came = receiver.came();
    assert_eq!(came.len(), 2);
    assert!(came.iter().all(Came::is_signed));
    assert_eq!(came[0].headers["webhook-id"], came[1].headers["webhook-id"]);
    assert_eq!(came[0].body, came[1].body);
    server.end();
}

#[test]
fn a_receiver_that_is_gone_is_left_alone() {
    let receiver = Receiver::new(&[410]);
    let s = telling(&receiver);
    let server = Server::start(&s);
    let _ = s.run(["run"]).expect_status(0);
    until("it is given up", || count(&s, "message.failed") == 1);
    let list = s.run(["list", "messages", "--json"]).expect_status(0).json();
    assert_eq!(list["items"][0]["state"], "given_up");
    server.end();
}

#[test]
fn a_killed_server_loses_no_message_and_its_double_has_the_same_id() {
    let receiver = Receiver::new(&[204]);
    let s = telling(&receiver);
    let mut killed = s.start_with("MAINSTAY_KILL_AT", "message.sent", ["serve", "--json"]);
    let _ = killed.first_line();
    let _ = s.run(["run"]);
    // It was sent, and nobody could record it any more.
    assert_eq!(killed.wait().status, None);
    assert_eq!((count(&s, "message.owed"), count(&s, "message.sent")), (1, 0));
    let server = Server::start(&s);
    until("it is recorded", || count(&s, "message.sent") == 1);
    let came = receiver.came();
    assert_eq!(came.len(), 2);
    assert_eq!(came[0].headers["webhook-id"], came[1].headers["webhook-id"]);
    server.end();
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn the_standards_own_packages_read_messages() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: standardwebhooks and cloudevents are not installed: cargo xtask tools");
        return;
    };
    let receiver = Receiver::new(&[204]);
    let s = telling(&receiver);
    let server = Server::start(&s);
    let _ = s.run(["run"]).expect_status(0);
    until("the message", || receiver.came().len() == 1);
    let came = receiver.came();
    let messages: Vec<Value> = came
        .iter()
        .map(|c| json!({ "headers": c.headers, "body": c.body }))
        .collect();
    let asked = json!({ "secret": SECRET, "messages": messages }).to_string();
    let mut read = Command::new(python)
        .args(["-c", include_str!("messages.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    read.stdin
        .take()
        .expect("its input")
        .write_all(asked.as_bytes())
        .expect("written");
    let read = read.wait_with_output().expect("it ends");
    let said: Value = serde_json::from_slice(&read.stdout).expect("what they say");
    assert_eq!(said[0]["type"], "dev.mainstay.event.emitted.v1");
    assert_eq!(said[0]["data"]["trigger"], "followed");
    server.end();
}
