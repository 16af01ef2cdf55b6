//! Triggers: what is known of them.

mod work;

use mainstay_control::{Firing, Sight, next_times};
use mainstay_model::resource::{Resource, Spec};
use mainstay_model::trigger::{TriggerSpec, When};
use serde_json::{Value, json};

pub use work::DoneReport;
pub(crate) use work::Ran;

/// How many of the next times of a clock are shown.
const SHOWN: usize = 5;

fn because(firing: &Firing) -> String {
    match (&firing.due, &firing.because) {
        (Some(due), _) => format!("due {due}"),
        (None, Some(because)) => because.clone(),
        (None, None) => "set off".to_owned(),
    }
}

/// What sets a trigger off, in words.
fn cause(spec: &TriggerSpec) -> String {
    match &spec.when {
        When::Clock { cron, time_zone, .. } => match time_zone {
            Some(zone) => format!("{cron} in {zone}"),
            None => format!("{cron} in UTC"),
        },
        When::After(names) => format!("after {}", names.join(", ")),
        When::On(pattern) => format!("on {pattern}"),
    }
}

/// A trigger with what is known of it.
pub(crate) fn status(sight: &Sight<'_>, resource: &Resource) -> Option<Value> {
    let Spec::Trigger(spec) = &resource.spec else {
        return None;
    };
    let triggers = &sight.state.triggers;
    let its = || {
        triggers
            .firings
            .iter()
            .filter(|(_, f)| f.trigger == resource.name)
    };
    let last = its().next_back().map(|(id, f)| {
        let done = f.done.as_ref();
        json!({ "firing": id.to_string(), "time": f.time, "because": because(f), "times": f.times, "seq": f.seq,
            "runs": done.map(|d| d.runs.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "error": done.and_then(|d| d.error.clone()) })
    });
    let waits = its().filter(|(_, f)| f.done.is_none()).count();
    let state = match (spec.paused, waits) {
        _ if sight.state.rests() => "resting",
        (true, _) => "paused",
        (false, 0) => "ready",
        (false, _) => "waiting",
    };
    Some(
        json!({ "state": state, "cause": cause(spec), "runs": spec.run.join(", "), "tells": spec.notify.join(", "),
        "next": next_times(sight.state, &resource.name, SHOWN).into_iter().map(|(_, shown)| shown).collect::<Vec<_>>(), "last": last, "waiting": waits,
        "missed": triggers.missed.get(&resource.name).copied().unwrap_or_default() }),
    )
}
