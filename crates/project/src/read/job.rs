//! Jobs: the settings in a query's leading comments, and `[job."schema.dataset"]` tables.

use mainstay_model::DatasetName;
use mainstay_model::spec::{CircuitBreaker, Retain, Retries};

use super::check::WrittenCheck;
use super::value::Tags;
use super::{Entry, Fields, Reader};
use crate::document::Value;
use crate::place::{Spanned, Text};

/// The fields of a job in a TOML file.
pub(crate) const FIELDS: [&str; 11] = [
    "sql",
    "slice",
    "tags",
    "description",
    "retries",
    "time_limit",
    "retain",
    "circuit_breaker",
    "uses",
    "keep_fresh",
    "checks",
];
/// The settings of a job in its own file.
pub(crate) const SETTINGS: [&str; 11] = [
    "job",
    "slice",
    "tags",
    "description",
    "retries",
    "time_limit",
    "retain",
    "circuit_breaker",
    "uses",
    "keep_fresh",
    "checks",
];
/// The fields of `retries`.
pub(crate) const RETRIES: [&str; 2] = ["count", "pause"];

/// The fields of `retain`.
pub(crate) const RETAIN: [&str; 3] = ["versions", "age", "replay"];

/// The fields of `circuit_breaker`.
pub(crate) const CIRCUIT_BREAKER: [&str; 2] = ["failures", "pause"];

/// How often a job may be tried again, at most.
pub(crate) const MOST_RETRIES: u64 = 1000;

/// The shortest time within which a dataset may be promised, in milliseconds.
const SHORTEST_PROMISE_MS: u64 = 1_000;

/// What a job's settings say, wherever they stand.
#[derive(Debug, Default)]
pub(crate) struct WrittenJob {
    pub(crate) dataset: Option<Spanned<DatasetName>>,
    pub(crate) sql: Option<Text>,
    pub(crate) tags: Tags,
    pub(crate) description: Option<String>,
    pub(crate) slice: Vec<Spanned<String>>,
    pub(crate) retries: Retries,
    pub(crate) time_limit_ms: Option<u64>,
    pub(crate) retain: Option<Retain>,
    pub(crate) circuit_breaker: Option<CircuitBreaker>,
    pub(crate) uses: Vec<(Spanned<String>, u32)>,
    pub(crate) keep_fresh_ms: Option<u64>,
    pub(crate) checks: Vec<WrittenCheck>,
}

impl Reader<'_> {
    /// Reads a job of a TOML file.
    pub(crate) fn job(&mut self, entry: &Entry<'_>) -> WrittenJob {
        let dataset = self.dataset_name(entry.name, entry.key.clone());
        let Some(fields) = self.table(entry.name, "a job", entry.value, &FIELDS) else {
            return WrittenJob {
                dataset,
                ..WrittenJob::default()
            };
        };
        let sql = match fields.get("sql") {
            Some(value) => self.sql("sql", value),
            None => {
                self.missing("a job", "sql", entry.key.clone(), "sql = \"SELECT …\"");
                None
            }
        };
        WrittenJob {
            dataset,
            sql,
            ..self.settings(&fields)
        }
    }

    /// Reads the settings of a job in its own file. The flag says whether they name its dataset, rightly or not.
    pub(crate) fn job_settings(&mut self, root: &Value<'_>) -> (WrittenJob, bool) {
        let Some(fields) = self.table("settings", "a job", root, &SETTINGS) else {
            return (WrittenJob::default(), false);
        };
        let named = fields.get("job");
        let dataset = named.and_then(|v| self.dataset("job", v));
        (
            WrittenJob {
                dataset,
                ..self.settings(&fields)
            },
            named.is_some(),
        )
    }

    fn settings(&mut self, fields: &Fields<'_>) -> WrittenJob {
        WrittenJob {
            tags: self.tags(fields.get("tags")),
            description: self.description(fields.get("description")),
            slice: self.slice_columns(fields.get("slice")),
            retries: fields.get("retries").map(|v| self.retries(v)).unwrap_or_default(),
            time_limit_ms: fields.get("time_limit").and_then(|v| self.time_limit(v)),
            retain: fields.get("retain").and_then(|v| self.retain(v)),
            circuit_breaker: fields
                .get("circuit_breaker")
                .and_then(|v| self.circuit_breaker(v)),
            uses: fields.get("uses").map(|v| self.uses(v)).unwrap_or_default(),
            keep_fresh_ms: fields.get("keep_fresh").and_then(|v| self.keep_fresh(v)),
            checks: self.checks(fields.get("checks")),
            ..WrittenJob::default()
        }
    }

    fn retries(&mut self, value: &Value<'_>) -> Retries {
        let mut retries = Retries::default();
        if value.get_ref().is_integer() {
            retries.count = self.count(value).unwrap_or(retries.count);
        } else if value.get_ref().is_table() {
            let fields = self.table("retries", "`retries`", value, &RETRIES);
            let get = |name: &str| fields.as_ref().and_then(|f| f.get(name));
            if let Some(count) = get("count").and_then(|v| self.count(v)) {
                retries.count = count;
            }
            if let Some(pause) = get("pause").and_then(|v| self.duration("pause", v)) {
                retries.pause_ms = pause;
            }
        } else {
            let help = "write retries = 3, or retries = { count = 3, pause = \"1 s\" }".to_owned();
            self.wrong("retries", "an integer or a table", value, Some(help));
        }
        retries
    }

    /// Reads which versions are kept.
    pub(crate) fn retain(&mut self, value: &Value<'_>) -> Option<Retain> {
        let fields = self.table("retain", "`retain`", value, &RETAIN)?;
        let versions = fields.get("versions");
        let versions = versions.and_then(|v| self.integer("versions", v, 1, u64::MAX >> 1));
        let age_ms = fields.get("age").and_then(|v| self.duration("age", v));
        let replay_ms = fields.get("replay").and_then(|v| self.duration("replay", v));
        Some(Retain {
            versions,
            age_ms,
            replay_ms,
        })
    }

    /// Reads how far a dataset may be behind what it comes from.
    pub(crate) fn keep_fresh(&mut self, value: &Value<'_>) -> Option<u64> {
        let within = self.duration("keep_fresh", value)?;
        if within < SHORTEST_PROMISE_MS {
            let help = Some("nothing can be kept fresh within less than a second".to_owned());
            let message = "`keep_fresh` is too short";
            self.report(
                crate::code::OUT_OF_RANGE,
                value.span(),
                message,
                "must be 1 s or more",
                help,
            );
            return None;
        }
        Some(within)
    }

    /// Reads when a job that fails again and again is left alone.
    fn circuit_breaker(&mut self, value: &Value<'_>) -> Option<CircuitBreaker> {
        let fields = self.table("circuit_breaker", "`circuit_breaker`", value, &CIRCUIT_BREAKER)?;
        let mut get = |name: &str| {
            let found = fields.get(name);
            if found.is_none() {
                let example = "circuit_breaker = { failures = 5, pause = \"1 h\" }";
                self.missing("`circuit_breaker`", name, value.span(), example);
            }
            found
        };
        let (failures, pause) = (get("failures"), get("pause"));
        let failures = failures.and_then(|v| self.integer("failures", v, 1, MOST_RETRIES));
        let pause = pause.and_then(|v| self.duration("pause", v));
        Some(CircuitBreaker {
            failures: u32::try_from(failures?).ok()?,
            pause_ms: pause?,
        })
    }

    fn count(&mut self, value: &Value<'_>) -> Option<u32> {
        self.integer("retries", value, 0, MOST_RETRIES)
            .and_then(|n| u32::try_from(n).ok())
    }

    fn time_limit(&mut self, value: &Value<'_>) -> Option<u64> {
        let limit = self.duration("time_limit", value)?;
        if limit == 0 {
            let label = "must be more than nothing";
            self.report(
                crate::code::OUT_OF_RANGE,
                value.span(),
                "`time_limit` cannot be 0",
                label,
                None,
            );
        }
        Some(limit)
    }
}
