//! Alarms: whether what they watch is so, and whom that is told.
//!
//! An alarm is judged by the state and the moment alone. That it fires is a fact, and that it is over; each stands in one frame with the
//! messages that tell it. A pattern counts facts from its declaration on, in the frames in which they are recorded.

use mainstay_base::Timestamp;
use mainstay_model::alarm::{AlarmSpec, Metric, Watched};
use mainstay_model::fact::{AlarmCounted, AlarmEnded, AlarmFired, AlarmWithoutData, Fact, MessageOwed};
use mainstay_model::id::{FiringId, MessageId};
use mainstay_model::resource::{Kind, Spec};
use mainstay_trigger::Pattern;
use serde_json::Value;

use super::promise::promises;
use crate::state::{AlarmHeld, AlarmState, Generation, RunStatus, State};

/// How many facts an alarm names.
const NAMED: usize = 10;

/// How an alarm is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How it stands.
    pub state: AlarmState,
    /// Why, in words.
    pub because: String,
    /// The facts that it rests on.
    pub facts: Vec<u64>,
}

fn declared(state: &State) -> impl Iterator<Item = (&str, &[Generation], &AlarmSpec)> {
    let acts = !state.rests();
    let alarms = state.main.of_kind(Kind::Alarm).take_while(move |_| acts);
    alarms.filter_map(|(name, held, alarm)| match &alarm.spec {
        Spec::Alarm(spec) => Some((name, held.generations.as_slice(), spec)),
        _ => None,
    })
}

/// What is known of an alarm since it was declared; one that was taken away and made again begins again.
fn held<'a>(state: &'a State, name: &str, generations: &[Generation]) -> Option<&'a AlarmHeld> {
    let since = generations
        .iter()
        .rev()
        .take_while(|g| g.resource.is_some())
        .last();
    let since = since.map_or(u64::MAX, |g| g.seq);
    let held = state.alarms.get(name)?;
    held.since.is_none_or(|(_, seq)| seq > since).then_some(held)
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX / 1_000)
}

fn seconds(us: u64) -> String {
    format!("{:.1} s", std::time::Duration::from_micros(us).as_secs_f64())
}

/// Says how an alarm stands now.
pub fn judge(state: &State, name: &str, spec: &AlarmSpec, declared: u64, now: Timestamp) -> Judged {
    let none = AlarmHeld::default();
    let held = state.alarms.get(name).unwrap_or(&none);
    let judged = |firing: bool, because: String, facts: Vec<u64>| Judged {
        state: if firing {
            AlarmState::Firing
        } else {
            AlarmState::Ok
        },
        because,
        facts,
    };
    match &spec.watched {
        Watched::Facts { count, within_ms, .. } => {
            let since = now.plus_millis(-millis(*within_ms));
            let mut counts = held.counted.iter().filter(|c| c.seq > declared && c.time > since);
            let all: u64 = counts.clone().map(|c| c.times).sum();
            let facts: Vec<u64> = counts.clone().rev().take(NAMED).map(|c| c.seq).collect();
            let last = counts
                .next_back()
                .map_or_else(String::new, |c| format!(", the last: {}", c.because));
            judged(all >= *count, format!("{all} of {count} facts{last}"), facts)
        }
        Watched::Older { dataset, than_ms } => {
            let versions = state.main.dataset(dataset).map(|d| d.versions.as_slice());
            let version = versions.and_then(<[_]>::last);
            let newest = version
                .map(|v| v.time)
                .max(state.totals.successes.get(dataset).copied());
            let Some(newest) = newest else {
                return Judged {
                    state: AlarmState::NoData,
                    because: format!("nothing of {dataset} was ever published"),
                    facts: Vec::new(),
                };
            };
            let due = newest.plus_millis(millis(*than_ms));
            let facts = version.map(|v| v.seq).into_iter().collect();
            judged(
                now > due,
                format!("{dataset} was brought up to date at {newest}"),
                facts,
            )
        }
        Watched::Cpu {
            above_ms, within_ms, ..
        } => {
            let stretch = AlarmHeld::stretch_us(*within_ms);
            let since = now.plus_millis(-millis(*within_ms)).as_micros() / stretch;
            let used: u64 = held.used.range(since + 1..).map(|(_, us)| us).sum();
            let most = above_ms.saturating_mul(1_000);
            judged(
                used > most,
                format!(
                    "{} of processor time, and {} are allowed",
                    seconds(used),
                    seconds(most)
                ),
                Vec::new(),
            )
        }
        Watched::Metric { metric, above } => {
            let value = measured(state, *metric);
            judged(
                value > *above,
                format!("it is {value}, and {above} is allowed"),
                Vec::new(),
            )
        }
    }
}

fn measured(state: &State, metric: Metric) -> u64 {
    let count = match metric {
        Metric::RunsWaiting => {
            let waits = |s: &RunStatus| matches!(s, RunStatus::Waiting { .. });
            state.runs.open().filter(|(_, r)| waits(&r.status)).count()
        }
        Metric::MessagesWaiting => state.messages.all.values().filter(|m| m.next.is_some()).count(),
        Metric::PromisesBroken => {
            let held = promises(state).filter_map(|p| state.promises.get(&p.dataset));
            held.filter(|p| p.alarm.is_some()).count()
        }
        Metric::DeliveriesHeld => {
            let files = state.sources.values().flat_map(|files| files.values());
            let is_held = |f: &&crate::state::SourceFile| {
                f.answer.is_none() && matches!(f.last.outcome, mainstay_model::delivery::Outcome::Held { .. })
            };
            files.filter(is_held).count()
        }
    };
    count as u64
}

/// Records how alarms stand where that is new, with the messages that tell it.
pub(super) fn look(state: &State, now: Timestamp) -> Vec<Fact> {
    let mut last = state.messages.last;
    let mut facts = Vec::new();
    for (name, generations, spec) in declared(state) {
        let newest = generations.last().map_or(u64::MAX, |g| g.seq);
        let judged = judge(state, name, spec, newest, now);
        let known = held(state, name, generations);
        let before = known.map_or(AlarmState::Ok, |h| h.state);
        let begun = known.and_then(|h| h.since).map(|(time, _)| time);
        let alarm = name.to_owned();
        let because = judged.because;
        let fact: Fact = match (before, judged.state) {
            (a, b) if a == b => continue,
            (_, AlarmState::Firing) => AlarmFired {
                alarm,
                because,
                facts: judged.facts,
            }
            .into(),
            (AlarmState::Firing, AlarmState::Ok) => AlarmEnded {
                alarm,
                because,
                since: begun.unwrap_or(now),
            }
            .into(),
            (_, AlarmState::NoData) => AlarmWithoutData { alarm, because }.into(),
            // There is something to judge it by, and it is well.
            (_, AlarmState::Ok) => AlarmEnded {
                alarm,
                because,
                since: now,
            }
            .into(),
        };
        let is_told = before == AlarmState::Firing || judged.state == AlarmState::Firing;
        let told = told(&mut last, name, spec, &fact, judged.state == AlarmState::Firing);
        facts.push(fact);
        facts.extend(told.into_iter().filter(|_| is_told));
    }
    facts
}

fn told(last: &mut u64, name: &str, spec: &AlarmSpec, fact: &Fact, fires: bool) -> Vec<Fact> {
    let subject = fact.subject();
    let body: Value = fact
        .encode()
        .ok()
        .and_then(|b| serde_json::from_slice(&b).ok())
        .unwrap_or_default();
    let because = body
        .get("because")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let message = |channel: &String| {
        *last += 1;
        Fact::from(MessageOwed {
            message: MessageId(*last),
            channel: channel.clone(),
            trigger: format!("alarm/{name}"),
            firing: FiringId(0),
            incident: fires.then(|| subject.clone()),
            because: because.clone(),
            kind: Some(fact.kind().to_owned()),
            subject: Some(subject.clone()),
            body: body.clone(),
        })
    };
    spec.notify.iter().map(message).collect()
}

/// Says whether there is something to record of alarms.
pub fn alarms_are_due(state: &State, now: Timestamp) -> bool {
    declared(state).next().is_some() && !look(state, now).is_empty()
}

/// Counts facts that are about to be recorded, for the alarms that count such; `events` are the facts as patterns see them.
pub(super) fn count<'e>(state: &State, facts: &[Fact], events: impl FnOnce() -> Vec<&'e Value>) -> Vec<Fact> {
    let patterns = declared(state).filter_map(|(name, _, spec)| match &spec.watched {
        // What was applied could be read then.
        Watched::Facts { on, .. } => Some((name, Pattern::new(on).ok()?)),
        _ => None,
    });
    let patterns: Vec<(&str, Pattern)> = patterns.collect();
    if patterns.is_empty() {
        return Vec::new();
    }
    let events = events();
    let counted = patterns.iter().filter_map(|(name, pattern)| {
        let like = facts
            .iter()
            .zip(&events)
            .filter(|(_, event)| pattern.matches(event));
        let seen: Vec<&Fact> = like.map(|(fact, _)| fact).filter(|f| is_counted(f)).collect();
        let first = seen.first()?;
        Some(
            AlarmCounted {
                alarm: (*name).to_owned(),
                times: seen.len() as u64,
                because: format!("{} of {}", first.kind(), first.subject()),
            }
            .into(),
        )
    });
    counted.collect()
}

/// Says whether alarms count a fact: not what alarms, messages and lineage do themselves.
fn is_counted(fact: &Fact) -> bool {
    !["alarm.", "message.", "lineage."]
        .iter()
        .any(|own| fact.kind().starts_with(own))
}

#[cfg(test)]
mod tests;
