//! An `[alarm.name]` table.

use std::ops::Range;

use mainstay_model::alarm::{AlarmSpec, Metric, Watched};
use mainstay_trigger::Pattern;

use super::{Entry, Fields, Reader};
use crate::code;
use crate::declared::DeclaredAlarm;
use crate::place::Spanned;

/// The fields of an alarm.
pub(crate) const FIELDS: [&str; 13] = [
    "on",
    "count",
    "within",
    "dataset",
    "older",
    "cpu",
    "jobs",
    "tagged",
    "metric",
    "above",
    "notify",
    "description",
    "tags",
];

/// The fields that say what is watched, each with those that go with it.
const WATCHES: [(&str, &[&str]); 4] = [
    ("on", &["count", "within"]),
    ("older", &["dataset"]),
    ("cpu", &["within", "jobs", "tagged"]),
    ("metric", &["above"]),
];

/// The most facts that an alarm may count.
const MOST: u64 = 1_000;

impl Reader<'_> {
    /// Reads the alarm that an entry names.
    pub(crate) fn alarm(&mut self, entry: &Entry<'_>) -> Option<DeclaredAlarm> {
        let named = self.plain_name("an alarm", entry.name, entry.key.clone(), true);
        let place = self.place(entry.key.clone());
        let fields = self.table(entry.name, "an alarm", entry.value, &FIELDS)?;
        let watched = self.watched(entry, &fields);
        let channels = fields.get("notify").map(|v| self.named("notify", "channels", v));
        let channels = channels.unwrap_or_default();
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let (watched, datasets) = watched?;
        named.then(|| DeclaredAlarm {
            name: entry.name.to_owned(),
            place,
            tags,
            spec: AlarmSpec {
                description,
                watched,
                notify: channels.iter().map(|c| c.value.clone()).collect(),
            },
            datasets,
            channels,
        })
    }

    fn watched(&mut self, entry: &Entry<'_>, fields: &Fields<'_>) -> Option<(Watched, Vec<Spanned<String>>)> {
        let all: Vec<(&Entry<'_>, &[&str])> = WATCHES
            .iter()
            .filter_map(|(name, with)| Some((fields.entry(name)?, *with)))
            .collect();
        let [(what, with)] = all.as_slice() else {
            let span = all
                .get(1)
                .map_or(entry.key.clone(), |(second, _)| second.key.clone());
            return self.not_one(entry.name, all.len(), span);
        };
        let others = WATCHES.iter().flat_map(|(_, with)| with.iter());
        for name in others.filter(|name| !with.contains(name)) {
            if let Some(field) = fields.entry(name) {
                let message = format!("`{name}` does not go with `{}`", what.name);
                let help = Some(format!(
                    "with `{}` there may be {}",
                    what.name,
                    super::names(with)
                ));
                self.report(code::ONE_WATCHED, field.key.clone(), message, "not here", help);
            }
        }
        let within = |reader: &mut Self| match fields.get("within") {
            Some(value) => reader.duration("within", value),
            None => {
                reader.missing("an alarm", "within", entry.key.clone(), "within = \"1 h\"");
                None
            }
        };
        match what.name {
            "on" => {
                self.open("on", what.value)?;
                let on = self.json("on", what.value)?;
                if let Err(e) = Pattern::new(&on) {
                    let message = format!("`on` is not a pattern: {e}");
                    let help = Some("for example on = { kind = [\"run.finished\"] }".to_owned());
                    self.report(
                        code::BAD_PATTERN,
                        what.value.span(),
                        message,
                        "not a pattern",
                        help,
                    );
                    return None;
                }
                let count = match fields.get("count") {
                    Some(value) => self.integer("count", value, 1, MOST)?,
                    None => 1,
                };
                let within_ms = within(self)?;
                let watched = Watched::Facts { on, count, within_ms };
                Some((watched, Vec::new()))
            }
            "older" => {
                let than_ms = self.duration("older", what.value);
                let Some(value) = fields.get("dataset") else {
                    self.missing(
                        "an alarm",
                        "dataset",
                        entry.key.clone(),
                        "dataset = \"air.flights\"",
                    );
                    return None;
                };
                let dataset = self.dataset("dataset", value)?;
                let named = Spanned {
                    value: dataset.value.to_string(),
                    place: dataset.place,
                };
                let watched = Watched::Older {
                    dataset: dataset.value,
                    than_ms: than_ms?,
                };
                Some((watched, vec![named]))
            }
            "cpu" => {
                let above_ms = self.duration("cpu", what.value);
                let within_ms = within(self);
                let jobs = self.datasets("jobs", fields.get("jobs"));
                let tagged = self.tags(fields.get("tagged"));
                let watched = Watched::Cpu {
                    above_ms: above_ms?,
                    within_ms: within_ms?,
                    jobs: jobs.iter().map(|j| j.value.clone()).collect(),
                    tagged,
                };
                Some((watched, jobs))
            }
            _ => {
                let metric = self.choice("metric", what.value, &Metric::ALL);
                let Some(value) = fields.get("above") else {
                    self.missing("an alarm", "above", entry.key.clone(), "above = 100");
                    return None;
                };
                let above = self.integer("above", value, 0, i64::MAX.unsigned_abs())?;
                Some((
                    Watched::Metric {
                        metric: metric?,
                        above,
                    },
                    Vec::new(),
                ))
            }
        }
    }

    fn not_one<T>(&mut self, name: &str, count: usize, span: Range<usize>) -> Option<T> {
        let message = match count {
            0 => format!("the alarm `{name}` watches nothing"),
            _ => format!("the alarm `{name}` watches several things"),
        };
        let help = Some("an alarm has one of `on`, `older`, `cpu` and `metric`".to_owned());
        self.report(code::ONE_WATCHED, span, message, "one thing, please", help);
        None
    }
}
