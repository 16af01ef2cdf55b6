//! Alarms as they are known: how each stands, and what it counts.

use std::collections::{BTreeMap, VecDeque};

use mainstay_base::{CpuTime, Timestamp};
use mainstay_model::DatasetName;
use mainstay_model::alarm::Watched;
use mainstay_model::fact::{AlarmCounted, AlarmEnded, AlarmFired, AlarmWithoutData};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::trigger::is_among;
use serde::{Deserialize, Serialize};

use super::State;

/// How an alarm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// What it watches is not so.
    #[default]
    Ok,
    /// It is.
    Firing,
    /// There is nothing yet to judge it by.
    NoData,
}

/// Facts of one frame that an alarm counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The journal's number of their count.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// How many.
    pub times: u64,
    /// The first of them, in words.
    pub because: String,
}

/// What is known of an alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmHeld {
    /// How it stands.
    pub state: AlarmState,
    /// Since when, with the journal's number.
    pub since: Option<(Timestamp, u64)>,
    /// Why, in words.
    pub because: String,
    /// What it rests on.
    pub facts: Vec<u64>,
    /// How often it fired.
    pub incidents: u64,
    /// The newest facts that it counts.
    pub counted: VecDeque<Counted>,
    /// Processor time in microseconds, by the number of the stretch of time in which it was used.
    pub used: BTreeMap<i64, u64>,
}

impl AlarmHeld {
    /// How many frames with facts that it counts are kept: as many as the largest count that an alarm may have.
    pub const KEPT: usize = 1_000;

    /// Into how many stretches the time is divided in which processor time is counted.
    const STRETCHES: u64 = 60;

    /// How long one stretch is, in microseconds.
    pub fn stretch_us(within_ms: u64) -> i64 {
        i64::try_from((within_ms * 1_000 / Self::STRETCHES).max(1_000)).unwrap_or(i64::MAX)
    }

    fn stands(&mut self, state: AlarmState, seq: u64, time: Timestamp, because: String, facts: Vec<u64>) {
        self.state = state;
        self.since = Some((time, seq));
        self.because = because;
        self.facts = facts;
    }

    pub(super) fn counted(&mut self, seq: u64, time: Timestamp, f: AlarmCounted) {
        self.counted.push_back(Counted {
            seq,
            time,
            times: f.times,
            because: f.because,
        });
        if self.counted.len() > Self::KEPT {
            self.counted.pop_front();
        }
    }

    pub(super) fn fired(&mut self, seq: u64, time: Timestamp, f: AlarmFired) {
        self.incidents += 1;
        self.stands(AlarmState::Firing, seq, time, f.because, f.facts);
    }

    pub(super) fn ended(&mut self, seq: u64, time: Timestamp, f: AlarmEnded) {
        self.stands(AlarmState::Ok, seq, time, f.because, Vec::new());
    }

    pub(super) fn without_data(&mut self, seq: u64, time: Timestamp, f: AlarmWithoutData) {
        self.stands(AlarmState::NoData, seq, time, f.because, Vec::new());
    }

    fn uses(&mut self, time: Timestamp, within_ms: u64, cpu_us: u64) {
        let stretch = Self::stretch_us(within_ms);
        let now = time.as_micros() / stretch;
        *self.used.entry(now).or_default() += cpu_us;
        let first = now - i64::try_from(Self::STRETCHES).unwrap_or_default();
        self.used = self.used.split_off(&first);
    }
}

impl State {
    /// Counts what an attempt of a job used for the alarms that watch that.
    pub(crate) fn alarms_use(&mut self, job: &DatasetName, time: Timestamp, cpu: CpuTime) {
        // Most homes have none, and this is asked of every run that ends.
        if self.main.of_kind(Kind::Alarm).next().is_none() {
            return;
        }
        let tags = self
            .main
            .resource(&ResourceKey::new(Kind::Job, job))
            .map(|r| &r.tags);
        let watching = self.main.of_kind(Kind::Alarm).filter_map(|(name, _, alarm)| {
            let Spec::Alarm(spec) = &alarm.spec else {
                return None;
            };
            let Watched::Cpu {
                within_ms,
                jobs,
                tagged,
                ..
            } = &spec.watched
            else {
                return None;
            };
            let named = jobs.is_empty() || is_among(jobs, &job.to_string());
            let labelled = tagged
                .iter()
                .all(|(k, v)| tags.is_some_and(|t| t.get(k) == Some(v)));
            (named && labelled).then(|| (name.to_owned(), *within_ms))
        });
        let watching: Vec<(String, u64)> = watching.collect();
        for (name, within_ms) in watching {
            let held = self.alarms.entry(name).or_default();
            held.uses(time, within_ms, cpu.0);
        }
    }
}
