//! What sets triggers off: clock times that have come, and what is about to be recorded.
//!
//! Firings are facts. Those that follow from facts stand in the same frame, so that none is lost and none is there twice; clock
//! times are settled up to the last firing. A trigger never fires for what was before it, and never because of itself.

use mainstay_base::Timestamp;
use mainstay_model::fact::{EventEmitted, Fact, Published, TriggerDone, TriggerFired, TriggerMissed};
use mainstay_model::id::{FiringId, RunId};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::RunError;
use mainstay_model::trigger::{CatchUp, TriggerSpec, When, is_among};
use mainstay_trigger::{ClockTimes, Pattern};
use serde_json::{Value, json};

use super::message::owed;
use super::not_found;
use crate::command::Refusal;
use crate::state::{Generation, State};

/// Who causes what is recorded, and as part of which account.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    /// Whose facts they are.
    pub account: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Why, if it was said.
    pub reason: Option<&'a str>,
    /// When.
    pub time: Timestamp,
}

/// How late a clock time may be and still fire where missed ones do not, in milliseconds.
const ON_TIME_MS: i64 = 60_000;

/// How many missed times of one trigger fire one by one, at most.
const EACH: usize = 1_000;

/// The triggers that can fire: those that do not rest, in a home that does not rest.
fn active(state: &State) -> impl Iterator<Item = (&str, &Generation, &TriggerSpec)> {
    let triggers = state.main.of_kind(Kind::Trigger);
    let acts = !state.rests();
    triggers
        .take_while(move |_| acts)
        .filter_map(|(name, held, trigger)| match &trigger.spec {
            Spec::Trigger(spec) if !spec.paused => Some((name, held.newest()?, spec)),
            _ => None,
        })
}

/// The clock of a trigger, and up to when its times are settled.
fn clock(
    state: &State,
    name: &str,
    generation: &Generation,
    spec: &TriggerSpec,
) -> Option<(ClockTimes, Timestamp)> {
    let When::Clock {
        cron,
        time_zone,
        skip,
    } = &spec.when
    else {
        return None;
    };
    let settled = state.triggers.settled.get(name);
    // What a copy that rested missed is not made up for: the original was there, or nobody was to be.
    let resumed = state.restored.as_ref().and_then(|r| r.resumed);
    let since = settled.copied().max(resumed);
    let since = since.map_or(generation.time, |since| generation.time.max(since));
    // What was applied could be read then.
    ClockTimes::new(cron, time_zone.as_deref(), skip)
        .ok()
        .map(|clock| (clock, since))
}

/// Returns when a trigger fires next by its clock, with what the clock shows then; nothing if it rests, or has no clock.
pub fn next_times(state: &State, name: &str, most: usize) -> Vec<(Timestamp, String)> {
    let found = active(state).find(|(n, ..)| *n == name);
    let clock = found.and_then(|(_, generation, spec)| clock(state, name, generation, spec));
    let Some((clock, since)) = clock else {
        return Vec::new();
    };
    let times = std::iter::successors(clock.after(since), |at| clock.after(*at));
    times.take(most).map(|at| (at, clock.shown(at))).collect()
}

/// Returns when the first of all triggers fires next by its clock.
pub fn next_tick(state: &State) -> Option<Timestamp> {
    let clocks = active(state).filter_map(|(name, generation, spec)| clock(state, name, generation, spec));
    clocks.filter_map(|(clock, since)| clock.after(since)).min()
}

pub(super) fn tick(state: &State, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut last = state.triggers.last_firing;
    for (name, generation, spec) in active(state) {
        let Some((clock, since)) = clock(state, name, generation, spec) else {
            continue;
        };
        let (times, count) = clock.between(since, now, EACH);
        let Some((&newest, earlier)) = times.split_last() else {
            continue;
        };
        let on_time = now.micros_since(newest) <= ON_TIME_MS * 1000;
        let missed = |last: Timestamp, times: u64| {
            let trigger = name.to_owned();
            Fact::from(TriggerMissed { trigger, last, times })
        };
        let mut fire = |due: Timestamp, times: u64| {
            last += 1;
            Fact::from(TriggerFired {
                firing: FiringId(last),
                trigger: name.to_owned(),
                due: Some(due),
                because: None,
                times,
                through: Vec::new(),
            })
        };
        match spec.catch_up {
            CatchUp::Last => facts.push(fire(newest, count)),
            CatchUp::All => {
                if let (Some(first), over @ 1..) = (times.first(), count - times.len() as u64) {
                    facts.push(missed(first.plus_millis(-1), over));
                }
                facts.extend(times.iter().map(|due| fire(*due, 1)));
            }
            CatchUp::None if on_time => {
                if let Some(before) = earlier.last() {
                    facts.push(missed(*before, count - 1));
                }
                facts.push(fire(newest, 1));
            }
            CatchUp::None => facts.push(missed(newest, count)),
        }
    }
    facts
}

/// Returns what facts set off that are about to be recorded, to be recorded with them.
pub fn react(state: &State, facts: &[Fact], happening: Happening<'_>) -> Vec<Fact> {
    let mut fired = Vec::new();
    // A copy rests from the moment that it is one.
    if facts.iter().any(|f| matches!(f, Fact::HomeRestored(_))) {
        return fired;
    }
    let mut last = state.triggers.last_firing;
    let firing = |fact: &Fact| match fact {
        Fact::TriggerFired(f) => Some(f.firing.0),
        _ => None,
    };
    last = facts.iter().filter_map(firing).fold(last, u64::max);
    let through = through(state, happening.actor);
    let mut events: Option<Vec<Value>> = None;
    let message = |fact: &Fact| match fact {
        Fact::MessageOwed(f) => Some(f.message.0),
        _ => None,
    };
    let owed_now = facts.iter().filter_map(message);
    let mut last_message = owed_now.fold(state.messages.last, u64::max);
    let mut told = Vec::new();
    for fact in facts {
        if let Fact::TriggerFired(fired) = fact
            && let Some((_, _, spec)) = active(state).find(|(name, ..)| *name == fired.trigger)
        {
            told.extend(owed(state, &mut last_message, spec, fired, None));
        }
    }
    for (name, _, spec) in active(state) {
        if through.iter().any(|t| t == name) {
            continue;
        }
        let causes: Vec<(String, &Fact)> = match &spec.when {
            When::Clock { .. } => continue,
            When::After(names) => facts
                .iter()
                .filter_map(|f| Some((new_content(f, names)?, f)))
                .collect(),
            When::On(pattern) => {
                // What was applied could be read then.
                let Ok(pattern) = Pattern::new(pattern) else {
                    continue;
                };
                let events =
                    events.get_or_insert_with(|| facts.iter().map(|f| event(f, happening)).collect());
                let like = facts
                    .iter()
                    .zip(events.iter())
                    .filter(|(fact, event)| is_seen(fact) && pattern.matches(event));
                like.map(|(fact, _)| (format!("{} of {}", fact.kind(), fact.subject()), fact))
                    .collect()
            }
        };
        let times = causes.len() as u64;
        let Some((because, cause)) = causes.into_iter().next() else {
            continue;
        };
        last += 1;
        let fact = TriggerFired {
            firing: FiringId(last),
            trigger: name.to_owned(),
            due: None,
            because: Some(because),
            times,
            through: through.clone(),
        };
        told.extend(owed(state, &mut last_message, spec, &fact, Some(cause)));
        fired.push(fact.into());
    }
    fired.extend(told);
    let seen = || facts.iter().map(|f| event(f, happening)).collect();
    fired.extend(super::alarm::count(state, facts, || {
        events.get_or_insert_with(seen).iter().collect()
    }));
    fired
}

/// Says whether patterns see a fact: not what triggers, their messages and lineage do themselves.
fn is_seen(fact: &Fact) -> bool {
    !["trigger.", "message.", "lineage.", "alarm.counted"]
        .iter()
        .any(|own| fact.kind().starts_with(own))
}

/// The triggers that led to what somebody does: none, unless it is a trigger that acts.
fn through(state: &State, actor: &str) -> Vec<String> {
    let Some(name) = actor.strip_prefix("trigger/") else {
        return Vec::new();
    };
    let mut all: Vec<String> = state
        .triggers
        .open()
        .filter(|(_, f)| f.trigger == name)
        .flat_map(|(_, f)| f.through.iter().cloned())
        .collect();
    all.push(name.to_owned());
    all.sort();
    all.dedup();
    all
}

fn new_content(fact: &Fact, names: &[String]) -> Option<String> {
    let Fact::Published(published) = fact else {
        return None;
    };
    let Published {
        branch: None,
        datasets,
        ..
    } = &**published
    else {
        return None;
    };
    let changed = datasets.iter().filter(|d| {
        d.layer.is_shown() && (!d.removed.is_empty() || d.slices.iter().any(|s| s.content.is_some()))
    });
    let named = changed.map(|d| d.dataset.to_string());
    let first = named.into_iter().find(|name| is_among(names, name))?;
    Some(format!("{first} has new content"))
}

/// A fact as patterns see it.
fn event(fact: &Fact, happening: Happening<'_>) -> Value {
    let body = fact.encode().ok().and_then(|b| serde_json::from_slice(&b).ok());
    json!({
        "kind": fact.kind(),
        "subject": fact.subject(),
        "account": happening.account,
        "actor": happening.actor,
        "reason": happening.reason,
        "time": happening.time.to_string(),
        "body": body.unwrap_or(Value::Null),
    })
}

pub(super) fn finish(
    state: &State,
    firings: Vec<FiringId>,
    runs: Vec<RunId>,
    error: Option<RunError>,
) -> Result<Vec<Fact>, Refusal> {
    let open: Vec<FiringId> = firings
        .into_iter()
        .filter(|id| state.triggers.firings.get(id).is_some_and(|f| f.done.is_none()))
        .collect();
    let first = open.first().and_then(|id| state.triggers.firings.get(id));
    let first = first.ok_or_else(|| not_found("there is no such firing that is not done".to_owned()))?;
    let trigger = first.trigger.clone();
    let resource = state.main.resource(&ResourceKey::new(Kind::Trigger, &trigger));
    let emit = match resource.map(|r| &r.spec) {
        Some(Spec::Trigger(spec)) if error.is_none() => spec.emit.clone(),
        _ => None,
    };
    let emitted = emit.map(|emit| {
        Fact::from(EventEmitted {
            event_type: emit.event_type,
            data: emit.data,
            trigger: trigger.clone(),
            firings: open.clone(),
        })
    });
    let done = TriggerDone {
        trigger,
        firings: open,
        runs,
        error,
    };
    Ok(std::iter::once(done.into()).chain(emitted).collect())
}

#[cfg(test)]
mod tests;
