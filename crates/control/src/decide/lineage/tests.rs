//! A channel is told everything after its declaration, once, and waits longer for one that is down.

use mainstay_base::Hash;
use mainstay_model::fact::{RunFinished, RunRecorded};
use mainstay_model::id::RunId;
use mainstay_model::resource::Resource;
use mainstay_model::run::{Pinned, RunOutcome, Scope, Usage};

use super::*;
use crate::command::{Command, TellingFailure};
use crate::decide::decide;

fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    begin.plus_millis(seconds * 1_000)
}

fn record(state: &mut State, facts: Vec<Fact>, now: Timestamp) -> u64 {
    for fact in facts {
        let seq = state.seq + 1;
        state.apply(seq, now, "ana", None, fact);
    }
    state.seq
}

fn declare(state: &mut State, format: Option<ChannelFormat>) {
    let channel = format.map(|format| Resource {
        name: "catalog".to_owned(),
        tags: Default::default(),
        spec: Spec::Channel(ChannelSpec {
            description: None,
            url: "https://example.org".to_owned(),
            format,
            secret: None,
        }),
    });
    let desired = channel.into_iter().collect();
    let facts = decide(state, None, Command::Apply { desired }, at(0)).expect("applied");
    record(state, facts, at(0));
}

/// A run, from its record to its end.
fn run(state: &mut State) -> u64 {
    let run = RunId(state.last_run + 1);
    let pinned = Pinned {
        job: "air.daily".parse().expect("a name"),
        branch: None,
        generation: 1,
        code: Hash::of(b"x"),
        scope: Scope::Whole,
        inputs: Vec::new(),
        as_of: at(0),
        engine: "none".to_owned(),
        settings: Default::default(),
        judged: None,
    };
    let recorded = RunRecorded {
        run,
        pinned,
        because: "asked".to_owned(),
        class: Default::default(),
    };
    let finished = RunFinished {
        run,
        attempts: 1,
        outcome: RunOutcome::Failed,
        error: None,
        usage: Usage::default(),
        checks: Vec::new(),
        reused_from: None,
        cross_check: None,
        unread: Vec::new(),
    };
    record(state, vec![recorded.into(), finished.into()], at(1))
}

fn tell(
    state: &mut State,
    through: u64,
    events: u64,
    failure: Option<(u64, bool)>,
    now: Timestamp,
) -> Vec<Fact> {
    let failure = failure.map(|(fact, again)| TellingFailure {
        fact,
        error: "down".to_owned(),
        again,
    });
    let telling = Telling {
        through,
        events,
        failure,
    };
    let facts = told(state, "catalog", telling, now).expect("recorded");
    record(state, facts.clone(), now);
    facts
}

fn due(state: &State, now: Timestamp) -> Option<u64> {
    let channels = lineage_channels(state, now);
    channels.iter().find(|c| c.is_due).map(|c| c.through)
}

#[test]
fn what_was_before_is_told_to_nobody_and_what_comes_once() {
    let mut state = State::default();
    run(&mut state);
    declare(&mut state, Some(ChannelFormat::OpenLineage));
    let declared = state.seq;
    assert_eq!(due(&state, at(1)), None);
    let ended = run(&mut state);
    assert_eq!(due(&state, at(1)), Some(declared));
    assert_eq!(tell(&mut state, ended, 2, None, at(2)).len(), 1);
    assert_eq!(due(&state, at(3)), None);
    // Told already: nothing is recorded.
    assert!(tell(&mut state, ended, 2, None, at(4)).is_empty());
    // One that is something else meanwhile begins anew.
    declare(&mut state, Some(ChannelFormat::CloudEvents));
    run(&mut state);
    assert_eq!(due(&state, at(5)), None);
    declare(&mut state, Some(ChannelFormat::OpenLineage));
    assert_eq!(due(&state, at(5)), None);
    declare(&mut state, None);
    run(&mut state);
    assert_eq!(due(&state, at(5)), None);
}

#[test]
fn one_that_is_down_is_tried_less_and_less_often_but_always() {
    let mut state = State::default();
    declare(&mut state, Some(ChannelFormat::OpenLineage));
    let ended = run(&mut state);
    let mut now = at(10);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let facts = tell(&mut state, 0, 0, Some((ended - 1, true)), now);
        let [Fact::LineageFailed(failed)] = facts.as_slice() else {
            panic!("{facts:?}");
        };
        let next = failed.retry_at.expect("it is tried again");
        pauses.push(next.micros_since(now) / 1_000_000);
        assert_eq!(due(&state, next.plus_millis(-1)), None);
        assert!(due(&state, next).is_some());
        now = next;
    }
    assert_eq!(pauses, [1, 5, 30, 300, 1_800, 3_600, 3_600, 3_600]);
    // After one that was taken it counts anew.
    let facts = tell(&mut state, ended - 1, 1, Some((ended, true)), now);
    let [Fact::LineageTold(_), Fact::LineageFailed(failed)] = facts.as_slice() else {
        panic!("{facts:?}");
    };
    assert_eq!(failed.attempt, 1);
    // Refused for good: it is passed over, and noted.
    tell(&mut state, 0, 0, Some((ended, false)), now);
    assert_eq!(due(&state, now.plus_millis(1)), None);
    let told = &state.lineage.channels["catalog"];
    assert_eq!((told.events, told.refused, told.through), (1, 1, ended));
}
