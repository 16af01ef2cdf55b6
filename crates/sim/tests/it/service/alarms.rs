//! Alarms: one message when what they watch comes about, one when it is over, and their states in the journal.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use mainstay_sim::Sandbox;
use serde_json::Value;

use super::Server;
use super::count;
use super::messages::{Came, Receiver, orders, until};

fn state(s: &Sandbox, alarm: &str) -> String {
    let list = s.run(["list", "alarms", "--json"]).expect_status(0).json();
    let items = list["items"].as_array().expect("alarms").clone();
    let found = items.iter().find(|a| a["name"] == alarm).expect("the alarm");
    found["status"]["state"].as_str().expect("a state").to_owned()
}

/// A shop with alarms, and somebody who is told.
fn watched(receiver: &Receiver) -> Sandbox {
    let s = Sandbox::shop();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    let more = format!(
        "
[channel.ops]
url = \"http://127.0.0.1:{}/alarms\"
secret = \"file:ops\"

[alarm.failing]
on = {{ kind = [\"run.finished\"], body = {{ outcome = [\"failed\"] }} }}
count = 2
within = \"1 h\"
notify = [\"ops\"]

[alarm.late]
dataset = \"shop.daily_sales\"
older = \"1 h\"

[alarm.dear]
cpu = \"1 ms\"
within = \"1 day\"
jobs = [\"shop.*\"]

[alarm.backlog]
metric = \"runs_waiting\"
above = 0

[check.cheap]
dataset = \"shop.daily_sales\"
sql = \"SELECT * FROM shop.daily_sales WHERE money > 1000\"
",
        receiver.port
    );
    s.write("mainstay.toml", format!("{toml}{more}"));
    let _ = s.run(["apply"]).expect_status(0);
    let file = ".mainstay/secrets/main/ops";
    s.write(file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    std::fs::set_permissions(s.path().join(file), Permissions::from_mode(0o600)).expect("permissions");
    s
}

#[test]
fn one_message_for_each_incident_and_one_when_it_is_over() {
    let receiver = Receiver::new(&[204]);
    let s = watched(&receiver);
    let server = Server::start(&s);
    until("nothing is there to judge by", || state(&s, "late") == "no_data");
    orders(&s, 3, 2_000);
    let _ = s.run(["run"]).expect_status(1);
    assert_eq!(state(&s, "failing"), "ok");
    let _ = s.run(["run", "--force"]).expect_status(1);
    until("it fires", || state(&s, "failing") == "firing");
    until("it is told", || receiver.came().len() == 1);
    let _ = s.run(["run", "--force"]).expect_status(1);
    // Declared otherwise, it is not so any more: it counts anew.
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write("mainstay.toml", toml.replace("count = 2", "count = 5"));
    let _ = s.run(["apply"]).expect_status(0);
    until("it is over", || receiver.came().len() == 2);
    let told: Vec<Value> = receiver.came().iter().map(Came::event).collect();
    let kinds: Vec<&str> = told.iter().filter_map(|t| t["type"].as_str()).collect();
    assert_eq!(
        kinds,
        ["dev.mainstay.alarm.fired.v1", "dev.mainstay.alarm.ended.v1"]
    );
    assert_eq!(told[0]["subject"], "alarm/failing");
    assert_eq!(told[0]["data"]["incident"], "alarm/failing");
    assert_eq!(told[0]["data"]["why"], "mainstay show alarm/failing");
    let because = told[0]["data"]["because"].as_str().expect("words");
    assert!(because.contains("run.finished of run/R-2"), "{because}");
    assert_eq!(state(&s, "failing"), "ok");
    assert_eq!(state(&s, "backlog"), "ok");
    // The three attempts took more than a millisecond.
    assert_eq!(state(&s, "dear"), "firing");

    // With data it can be judged, and all is well.
    orders(&s, 3, 2);
    let _ = s.run(["run"]).expect_status(0);
    until("it is up to date", || state(&s, "late") == "ok");
    assert_eq!(count(&s, "alarm.counted"), 3);
    let show = s.run(["show", "alarm/failing", "--json"]).expect_status(0).json();
    assert_eq!(show["status"]["incidents"], 1, "{show}");
    assert_eq!(show["status"]["counted"][0]["because"], "run.finished of run/R-3");
    server.end();
    // The states are facts: the next server knows them, and tells nothing again.
    let server = Server::start(&s);
    until("it looked", || state(&s, "dear") == "firing");
    assert_eq!(receiver.came().len(), 2);
    assert_eq!(count(&s, "alarm.fired"), 2);
    server.end();
    let _ = s.run(["journal", "verify"]).expect_status(0);
}
