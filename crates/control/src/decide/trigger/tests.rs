//! Triggers fire once for each cause, and never for what was before them.

use mainstay_base::Timestamp;
use mainstay_model::fact::{CancelRequested, Fact, PublishedDataset, PublishedSlice};
use mainstay_model::message::EmitSpec;
use mainstay_model::resource::{Resource, Spec};
use mainstay_model::schema::Schema;
use mainstay_model::trigger::{CatchUp, TriggerSpec, When};
use mainstay_model::{RunId, SliceKey};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::command::Command;
use crate::decide::decide;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn trigger(name: &str, when: When, catch_up: CatchUp) -> Resource {
    Resource {
        name: name.to_owned(),
        tags: Default::default(),
        spec: Spec::Trigger(TriggerSpec {
            description: None,
            when,
            run: vec!["air.*".to_owned()],
            notify: Vec::new(),
            emit: None,
            catch_up,
            paused: false,
        }),
    }
}

fn cron(text: &str) -> When {
    When::Clock {
        cron: text.to_owned(),
        time_zone: None,
        skip: Vec::new(),
    }
}

/// A home in which commands follow each other.
struct Home(State);

impl Home {
    fn new(resources: Vec<Resource>, now: Timestamp) -> Self {
        let mut home = Self(State::default());
        home.submit(Command::Apply { desired: resources }, now, "ana");
        home
    }

    fn submit(&mut self, command: Command, now: Timestamp, actor: &str) -> Vec<Fact> {
        let facts = decide(&self.0, None, command, now).expect("decided");
        self.record(facts, now, actor)
    }

    fn record(&mut self, mut facts: Vec<Fact>, now: Timestamp, actor: &str) -> Vec<Fact> {
        let happening = Happening {
            account: "main",
            actor,
            reason: None,
            time: now,
        };
        facts.extend(react(&self.0, &facts, happening));
        for fact in &facts {
            let seq = self.0.seq + 1;
            self.0.apply(seq, now, actor, None, fact.clone());
        }
        facts
    }

    fn tick(&mut self, now: &str) -> Vec<String> {
        self.submit(Command::Tick, at(now), "mainstay")
            .iter()
            .map(said)
            .collect()
    }
}

fn said(fact: &Fact) -> String {
    match fact {
        Fact::TriggerFired(f) => match (&f.due, &f.because) {
            (Some(due), _) => format!("{} {} {} ×{}", f.firing, f.trigger, due, f.times),
            (_, because) => format!(
                "{} {} {} ×{}",
                f.firing,
                f.trigger,
                because.as_deref().unwrap_or("?"),
                f.times
            ),
        },
        Fact::TriggerMissed(f) => format!("missed {} {} ×{}", f.trigger, f.last, f.times),
        other => other.kind().to_owned(),
    }
}

fn published(dataset: &str, content: bool) -> Fact {
    Published {
        run: None,
        deliveries: Vec::new(),
        datasets: vec![PublishedDataset {
            dataset: dataset.parse().expect("a name"),
            version: 1,
            schema: Schema(Vec::new()),
            slice_columns: Vec::new(),
            slices: vec![PublishedSlice {
                slice: SliceKey(Vec::new()),
                fingerprint: None,
                content: None,
                run: None,
            }],
            removed: if content {
                vec![SliceKey(Vec::new())]
            } else {
                Vec::new()
            },
            whole: None,
            layer: Default::default(),
            overlay: None,
        }],
        branch: None,
        amendment: None,
        promotes: None,
    }
    .into()
}

#[test]
fn a_clock_fires_once_for_each_time_and_never_for_what_was_before_it() {
    let mut home = Home::new(
        vec![trigger("daily", cron("0 6 * * *"), CatchUp::Last)],
        at("2026-01-01T12:00:00Z"),
    );
    assert_eq!(home.tick("2026-01-02T05:59:59Z"), Vec::<String>::new());
    assert_eq!(next_tick(&home.0), Some(at("2026-01-02T06:00:00Z")));
    assert_eq!(
        home.tick("2026-01-02T06:00:00Z"),
        ["F-1 daily 2026-01-02T06:00:00.000000Z ×1"]
    );
    assert_eq!(home.tick("2026-01-02T06:00:00Z"), Vec::<String>::new());
    assert_eq!(
        home.tick("2026-01-05T07:00:00Z"),
        ["F-2 daily 2026-01-05T06:00:00.000000Z ×3"]
    );
    let next = next_times(&home.0, "daily", 2);
    assert_eq!(
        next[0],
        (at("2026-01-06T06:00:00Z"), "2026-01-06 06:00 +00:00".to_owned())
    );
    assert_eq!(next[1].1, "2026-01-07 06:00 +00:00");
}

#[test]
fn missed_times_are_run_merged_or_passed_over_as_the_trigger_says() {
    let start = at("2026-01-01T12:00:00Z");
    let mut all = Home::new(vec![trigger("all", cron("0 6 * * *"), CatchUp::All)], start);
    assert_eq!(
        all.tick("2026-01-03T07:00:00Z"),
        [
            "F-1 all 2026-01-02T06:00:00.000000Z ×1",
            "F-2 all 2026-01-03T06:00:00.000000Z ×1"
        ]
    );
    let mut none = Home::new(vec![trigger("none", cron("0 6 * * *"), CatchUp::None)], start);
    assert_eq!(
        none.tick("2026-01-03T07:00:00Z"),
        ["missed none 2026-01-03T06:00:00.000000Z ×2"]
    );
    assert_eq!(
        none.tick("2026-01-05T06:00:30Z"),
        [
            "missed none 2026-01-04T06:00:00.000000Z ×1",
            "F-1 none 2026-01-05T06:00:00.000000Z ×1"
        ]
    );
    assert_eq!(none.0.triggers.missed["none"], 3);
}

#[test]
fn a_changed_trigger_begins_anew() {
    let mut home = Home::new(
        vec![trigger("daily", cron("0 6 * * *"), CatchUp::All)],
        at("2026-01-01T12:00:00Z"),
    );
    let desired = vec![trigger("daily", cron("0 7 * * *"), CatchUp::All)];
    home.submit(Command::Apply { desired }, at("2026-01-03T12:00:00Z"), "ana");
    assert_eq!(
        home.tick("2026-01-04T12:00:00Z"),
        ["F-1 daily 2026-01-04T07:00:00.000000Z ×1"]
    );
}

#[test]
fn new_content_fires_and_confirmed_content_does_not() {
    let now = at("2026-01-01T12:00:00Z");
    let after = When::After(vec!["air.*".to_owned()]);
    let mut home = Home::new(vec![trigger("follow", after, CatchUp::Last)], now);
    let facts = home.record(
        vec![published("air.flights", false), published("sea.ships", true)],
        now,
        "ana",
    );
    assert_eq!(facts.len(), 2);
    let facts = home.record(vec![published("air.flights", true)], now, "ana");
    assert_eq!(said(&facts[1]), "F-1 follow air.flights has new content ×1");
    assert_eq!(home.0.triggers.open().count(), 1);
}

#[test]
fn what_a_trigger_does_does_not_set_it_off() {
    let now = at("2026-01-01T12:00:00Z");
    let on = |kind: &str| When::On(json!({ "kind": [kind] }));
    let mut home = Home::new(
        vec![
            trigger("one", on("run.cancel_requested"), CatchUp::Last),
            trigger("two", on("run.cancel_requested"), CatchUp::Last),
        ],
        now,
    );
    let cancel = || vec![Fact::from(CancelRequested { run: RunId(1) })];
    assert_eq!(home.record(cancel(), now, "ana").len(), 3);
    // What `one` does sets off `two`, which came from it; what `two` does then sets off nobody.
    let facts = home.record(cancel(), now, "trigger/one");
    assert_eq!(said(&facts[1]), "F-3 two run.cancel_requested of run/R-1 ×1");
    assert_eq!(facts.len(), 2);
    assert_eq!(home.record(cancel(), now, "trigger/two").len(), 1);
}

#[test]
fn firings_are_done_once() {
    let now = at("2026-01-01T12:00:00Z");
    let mut home = Home::new(vec![trigger("daily", cron("* * * * *"), CatchUp::All)], now);
    home.tick("2026-01-01T12:02:00Z");
    let firings: Vec<FiringId> = home.0.triggers.open().map(|(id, _)| id).collect();
    assert_eq!(firings, [FiringId(1), FiringId(2)]);
    let finish = Command::FinishFirings {
        firings,
        runs: vec![RunId(4)],
        error: None,
    };
    home.submit(finish.clone(), now, "trigger/daily");
    assert_eq!(home.0.triggers.open().count(), 0);
    assert!(decide(&home.0, None, finish, now).is_err());
}

/// A trigger that tells two channels of a pattern, and adds a fact of its own.
fn telling(name: &str, on: serde_json::Value) -> Resource {
    let mut resource = trigger(name, When::On(on), CatchUp::Last);
    if let Spec::Trigger(spec) = &mut resource.spec {
        spec.run = Vec::new();
        spec.notify = vec!["ops".to_owned(), "sales".to_owned()];
        spec.emit = Some(EmitSpec {
            event_type: format!("{name}.said"),
            data: json!({ "n": 1 }),
        });
    }
    resource
}

fn alarm(missed: bool) -> Fact {
    let (dataset, time) = ("air.daily".parse().expect("a name"), at("2026-01-01T12:00:00Z"));
    let blame = mainstay_model::promise::Blame {
        dataset: "air.flights".parse().expect("a name"),
        because: "it is late".to_owned(),
        run: None,
    };
    let (since, due) = (time, time);
    if missed {
        return mainstay_model::fact::PromiseMissed {
            dataset,
            since,
            due,
            blame,
        }
        .into();
    }
    mainstay_model::fact::PromiseAtRisk {
        dataset,
        since,
        due,
        blame,
    }
    .into()
}

#[test]
fn an_incident_is_told_once_to_each_channel_until_it_is_over() {
    let now = at("2026-01-01T12:00:00Z");
    let promises = json!({ "kind": [{ "prefix": "promise." }, { "prefix": "message." }] });
    let mut home = Home::new(vec![telling("alarm", promises)], now);
    let kinds = |facts: Vec<Fact>| facts.iter().map(|f| f.kind().to_owned()).collect::<Vec<_>>();
    let first = home.record(vec![alarm(false)], now, "mainstay");
    assert_eq!(
        kinds(first),
        ["promise.at_risk", "trigger.fired", "message.owed", "message.owed"]
    );
    let next = home.record(vec![alarm(true)], now, "mainstay");
    assert_eq!(kinds(next), ["promise.missed", "trigger.fired"]);
    let kept = mainstay_model::fact::PromiseKept {
        dataset: "air.daily".parse().expect("a name"),
        seen: 1,
        since: None,
        late: true,
    };
    // That it is over is told, too, since the pattern fits; it is no incident.
    assert_eq!(home.record(vec![kept.into()], now, "mainstay").len(), 4);
    assert_eq!(home.record(vec![alarm(true)], now, "mainstay").len(), 4);
    let ids: Vec<u64> = home.0.messages.all.keys().map(|id| id.0).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_message_is_tried_again_later_and_later_and_given_up_at_last() {
    let start = at("2026-01-01T12:00:00Z");
    let mut home = Home::new(
        vec![telling("alarm", json!({ "kind": ["promise.missed"] }))],
        start,
    );
    home.record(vec![alarm(true)], start, "mainstay");
    let message = mainstay_model::MessageId(1);
    let failed = |again| Command::MessageAttempted {
        message,
        attempted: crate::command::Attempted::Failed {
            error: "nobody is there".to_owned(),
            again,
        },
    };
    let (mut now, mut pauses) = (start, Vec::new());
    while let Some(next) = home.0.messages.all[&message].next {
        pauses.push(next.micros_since(now) / 1_000_000);
        now = next;
        home.submit(failed(true), now, "mainstay");
    }
    assert_eq!(
        pauses,
        [0, 5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000]
    );
    assert!(
        decide(&home.0, None, failed(true), now).is_err(),
        "it is given up"
    );
    let other = mainstay_model::MessageId(2);
    let taken = Command::MessageAttempted {
        message: other,
        attempted: crate::command::Attempted::Taken { status: 204 },
    };
    home.submit(taken.clone(), now, "mainstay");
    assert_eq!(home.0.messages.all[&other].sent, Some(now));
    assert!(decide(&home.0, None, taken, now).is_err(), "it was taken");
    let body = home.0.encode().expect("a snapshot");
    assert_eq!(State::decode(&body).expect("a snapshot"), home.0);
}

#[test]
fn a_fact_of_its_own_is_added_when_all_is_done_and_sets_others_off() {
    let now = at("2026-01-01T12:00:00Z");
    let emitted = json!({ "kind": ["event.emitted"], "body": { "type": [{ "suffix": ".said" }] } });
    let mut home = Home::new(
        vec![
            telling("first", json!({ "kind": ["run.cancel_requested"] })),
            telling("second", emitted),
        ],
        now,
    );
    home.record(vec![Fact::from(CancelRequested { run: RunId(1) })], now, "ana");
    let finish = |firing: u64| Command::FinishFirings {
        firings: vec![FiringId(firing)],
        runs: Vec::new(),
        error: None,
    };
    let facts = home.submit(finish(1), now, "trigger/first");
    let kinds: Vec<&str> = facts.iter().map(Fact::kind).collect();
    assert_eq!(
        kinds,
        [
            "trigger.done",
            "event.emitted",
            "trigger.fired",
            "message.owed",
            "message.owed"
        ]
    );
    // What the second one says sets off neither of them.
    let facts = home.submit(finish(2), now, "trigger/second");
    let kinds: Vec<&str> = facts.iter().map(Fact::kind).collect();
    assert_eq!(kinds, ["trigger.done", "event.emitted"]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    /// However often and late the clock is looked at, and however often the process dies: every time counts once.
    #[test]
    fn every_time_is_settled_once(pauses in proptest::collection::vec(1i64..400, 1..40), which in 0usize..3) {
        let start = at("2026-03-28T00:00:00Z");
        let catch_up = [CatchUp::Last, CatchUp::All, CatchUp::None][which];
        let when = When::Clock {
            cron: "*/20 * * * *".to_owned(),
            time_zone: Some("Europe/Berlin".to_owned()),
            skip: Vec::new(),
        };
        let mut home = Home::new(vec![trigger("often", when, catch_up)], start);
        let (mut now, mut settled) = (start, 0);
        for pause in pauses {
            now = now.plus_millis(pause * 60_000);
            for fact in home.submit(Command::Tick, now, "mainstay") {
                settled += match fact {
                    Fact::TriggerFired(f) => f.times,
                    Fact::TriggerMissed(f) => f.times,
                    _ => 0,
                };
            }
            // What was recorded is all that is known after a crash.
            let body = home.0.encode().expect("a snapshot");
            home = Home(State::decode(&body).expect("a snapshot"));
        }
        let passed = now.micros_since(start) / 60_000_000 / 20;
        prop_assert_eq!(i64::try_from(settled).expect("small"), passed);
    }
}
