//! Alarms fire once for each incident, count only what they should, and end.

use mainstay_base::CpuTime;
use mainstay_model::fact::{EventEmitted, RunFinished};
use mainstay_model::id::RunId;
use mainstay_model::resource::Resource;
use mainstay_model::run::{RunOutcome, Usage};
use serde_json::json;

use super::*;
use crate::command::Command;
use crate::decide::{Happening, decide, react};

const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    begin.plus_millis(minutes * MINUTE)
}

/// A home with one alarm.
struct Home(State);

impl Home {
    fn new(watched: Watched) -> Self {
        let mut home = Self(State::default());
        home.declare(Some(watched), at(0));
        home
    }

    fn declare(&mut self, watched: Option<Watched>, now: Timestamp) {
        let resource = watched.map(|watched| Resource {
            name: "a".to_owned(),
            tags: Default::default(),
            spec: Spec::Alarm(AlarmSpec {
                description: None,
                watched,
                notify: vec!["ops".to_owned()],
            }),
        });
        let desired = resource.into_iter().collect();
        self.submit(Command::Apply { desired }, now);
    }

    fn submit(&mut self, command: Command, now: Timestamp) -> Vec<Fact> {
        let facts = decide(&self.0, None, command, now).expect("decided");
        self.record(facts, now)
    }

    fn record(&mut self, mut facts: Vec<Fact>, now: Timestamp) -> Vec<Fact> {
        let happening = Happening {
            account: "main",
            actor: "ana",
            reason: None,
            time: now,
        };
        facts.extend(react(&self.0, &facts, happening));
        for fact in &facts {
            let seq = self.0.seq + 1;
            self.0.apply(seq, now, "ana", None, fact.clone());
        }
        facts
    }

    fn happens(&mut self, name: &str, now: Timestamp) {
        let event = EventEmitted {
            event_type: name.to_owned(),
            data: Value::Null,
            trigger: "t".to_owned(),
            firings: Vec::new(),
        };
        self.record(vec![event.into()], now);
    }

    /// What is recorded when it is looked.
    fn look(&mut self, now: Timestamp) -> Vec<String> {
        let due = alarms_are_due(&self.0, now);
        let facts = self.submit(Command::LookAtAlarms, now);
        assert_eq!(due, !facts.is_empty());
        facts.iter().map(|f| f.kind().to_owned()).collect()
    }
}

fn three_within_an_hour() -> Watched {
    Watched::Facts {
        on: json!({ "kind": ["event.emitted"], "body": { "type": ["bad"] } }),
        count: 3,
        within_ms: 3_600_000,
    }
}

#[test]
fn facts_are_counted_within_their_time_and_told_once() {
    let mut home = Home::new(three_within_an_hour());
    home.happens("bad", at(1));
    home.happens("good", at(2));
    home.happens("bad", at(10));
    assert!(home.look(at(11)).is_empty());
    home.happens("bad", at(20));
    assert_eq!(home.look(at(21)), ["alarm.fired", "message.owed"]);
    // It goes on: that is known.
    home.happens("bad", at(22));
    assert!(home.look(at(23)).is_empty());
    // 10, 20 and 22 are still within the hour, then two of them are.
    assert!(home.look(at(69)).is_empty());
    assert_eq!(home.look(at(71)), ["alarm.ended", "message.owed"]);
    assert_eq!(home.0.alarms["a"].incidents, 1);
    // One that is declared anew counts anew.
    home.happens("bad", at(72));
    home.declare(None, at(73));
    home.declare(Some(three_within_an_hour()), at(74));
    assert!(home.look(at(75)).is_empty());
}

#[test]
fn a_removed_alarm_that_fired_fires_again_when_it_is_back() {
    let backlog = Watched::Metric {
        metric: Metric::MessagesWaiting,
        above: 0,
    };
    let mut home = Home::new(three_within_an_hour());
    (1..4).for_each(|m| home.happens("bad", at(m)));
    // It owes a message from now on.
    assert_eq!(home.look(at(5)), ["alarm.fired", "message.owed"]);
    home.declare(None, at(6));
    assert!(home.look(at(7)).is_empty());
    home.declare(Some(backlog), at(8));
    assert_eq!(home.look(at(9)), ["alarm.fired", "message.owed"]);
    let ids: Vec<u64> = home.0.messages.all.keys().map(|id| id.0).collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn a_dataset_without_content_is_no_data_and_an_old_one_fires() {
    let mut home = Home::new(Watched::Older {
        dataset: "air.flights".parse().expect("a name"),
        than_ms: 3_600_000,
    });
    assert_eq!(home.look(at(1)), ["alarm.no_data"]);
    assert!(home.look(at(100)).is_empty());
    home.0
        .totals
        .successes
        .insert("air.flights".parse().expect("a name"), at(100));
    assert_eq!(home.look(at(101)), ["alarm.ended"]);
    assert!(home.look(at(160)).is_empty());
    assert_eq!(home.look(at(161)), ["alarm.fired", "message.owed"]);
    home.0
        .totals
        .successes
        .insert("air.flights".parse().expect("a name"), at(162));
    assert_eq!(home.look(at(163)), ["alarm.ended", "message.owed"]);
}

#[test]
fn processor_time_is_that_of_the_jobs_within_the_time() {
    let mut home = Home::new(Watched::Cpu {
        above_ms: 10_000,
        within_ms: 3_600_000,
        jobs: vec!["air.*".to_owned()],
        tagged: Default::default(),
    });
    let uses = |home: &mut Home, job: &str, seconds: u64, now: Timestamp| {
        let cpu = CpuTime(seconds * 1_000_000);
        home.0.alarms_use(&job.parse().expect("a name"), now, cpu);
    };
    uses(&mut home, "air.a", 6, at(1));
    uses(&mut home, "sea.a", 60, at(1));
    assert!(home.look(at(2)).is_empty());
    uses(&mut home, "air.b", 6, at(30));
    assert_eq!(home.look(at(31)), ["alarm.fired", "message.owed"]);
    assert!(home.look(at(59)).is_empty());
    assert_eq!(home.look(at(63)), ["alarm.ended", "message.owed"]);
    // What is long past is forgotten.
    uses(&mut home, "air.b", 1, at(500));
    assert_eq!(home.0.alarms["a"].used.len(), 1);
}

#[test]
fn alarms_do_not_count_what_they_do() {
    let mut home = Home::new(Watched::Facts {
        on: json!({ "kind": [{ "exists": true }] }),
        count: 2,
        within_ms: 60_000,
    });
    home.happens("x", at(10));
    home.happens("x", at(10));
    assert_eq!(home.look(at(10)), ["alarm.fired", "message.owed"]);
    assert!(home.look(at(10)).is_empty());
    assert_eq!(home.look(at(12)), ["alarm.ended", "message.owed"]);
    assert!(home.look(at(12)).is_empty());
}

#[test]
fn a_finished_run_is_used_by_its_job_only_if_the_run_is_known() {
    let mut home = Home::new(three_within_an_hour());
    let finished = RunFinished {
        run: RunId(7),
        attempts: 1,
        outcome: RunOutcome::Failed,
        error: None,
        usage: Usage::default(),
        checks: Vec::new(),
        reused_from: None,
        cross_check: None,
        unread: Vec::new(),
    };
    home.record(vec![finished.into()], at(1));
    assert!(home.0.alarms.is_empty());
}
