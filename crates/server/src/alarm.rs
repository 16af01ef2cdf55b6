//! Alarms: looked at beside all other work, and shown.

use mainstay_api::Error;
use mainstay_base::Timestamp;
use mainstay_control::{AlarmHeld, AlarmState, Command, Sight, alarms_are_due, judge};
use mainstay_model::Resource;
use mainstay_model::alarm::{AlarmSpec, Metric, Watched};
use mainstay_model::resource::{Kind, ResourceKey};
use serde_json::{Value, json};

use crate::instance::Instance;
use crate::promise::within;

/// How many facts are shown that an alarm counts.
const SHOWN: usize = 10;

impl Instance {
    /// Records how alarms stand, where that is new.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    pub fn look_at_alarms(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let due: Vec<String> = {
            let ledger = self.ledger();
            let due = ledger.states().filter(|(_, state)| alarms_are_due(state, now));
            due.map(|(account, _)| account.to_owned()).collect()
        };
        for account in due {
            let own = self.as_part_of(&account, "mainstay", None)?;
            own.submit(Command::LookAtAlarms)?;
        }
        Ok(())
    }
}

/// What an alarm watches, in words.
fn watches(watched: &Watched) -> String {
    match watched {
        Watched::Facts { count, within_ms, .. } => {
            format!("{count} facts within {}", within(*within_ms))
        }
        Watched::Older { dataset, than_ms } => format!("{dataset} older than {}", within(*than_ms)),
        Watched::Cpu {
            above_ms, within_ms, ..
        } => format!(
            "processor time above {} within {}",
            within(*above_ms),
            within(*within_ms)
        ),
        Watched::Metric { metric, above } => {
            let name = Metric::ALL
                .iter()
                .find(|(_, m)| m == metric)
                .map(|(name, _)| *name);
            format!("{} above {above}", name.unwrap_or_default())
        }
    }
}

/// An alarm with how it stands.
pub(crate) fn status(sight: &Sight<'_>, resource: &Resource, spec: &AlarmSpec, now: Timestamp) -> Value {
    let none = AlarmHeld::default();
    let held = sight.state.alarms.get(&resource.name).unwrap_or(&none);
    let key = ResourceKey::new(Kind::Alarm, &resource.name);
    let declared = sight.state.main.resources.get(&key).and_then(|h| h.newest());
    let judged = judge(
        sight.state,
        &resource.name,
        spec,
        declared.map_or(u64::MAX, |g| g.seq),
        now,
    );
    let state = match held.state {
        _ if sight.state.rests() => "resting",
        AlarmState::Firing => "firing",
        AlarmState::NoData => "no_data",
        // What is not recorded yet is seen by the next look.
        AlarmState::Ok if judged.state == AlarmState::NoData => "no_data",
        AlarmState::Ok => "ok",
    };
    let counted = held.counted.iter().rev().take(SHOWN);
    let counted: Vec<Value> = counted
        .map(|c| json!({ "seq": c.seq, "time": c.time, "times": c.times, "because": c.because }))
        .collect();
    json!({ "watches": watches(&spec.watched), "state": state, "since": held.since.map(|(time, _)| time),
        "seq": held.since.map(|(_, seq)| seq), "because": if held.because.is_empty() { &judged.because } else { &held.because },
        "now": judged.because, "facts": held.facts, "counted": counted, "incidents": held.incidents })
}
