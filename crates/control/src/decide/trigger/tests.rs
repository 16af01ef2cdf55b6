//! Triggers fire once for each cause, and never for what was before them.

use mainstay_base::Timestamp;
use mainstay_model::fact::{CancelRequested, Fact, PublishedDataset, PublishedSlice};
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
