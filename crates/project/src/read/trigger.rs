//! A `[trigger.name]` table.

use std::collections::BTreeMap;

use mainstay_model::message::EmitSpec;
use mainstay_model::trigger::{CatchUp, TriggerSpec, When};
use mainstay_trigger::{BadClock, ClockTimes, Pattern};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::{Entry, Fields, Reader};
use crate::code;
use crate::declared::DeclaredTrigger;
use crate::document::Value;
use crate::place::Spanned;

/// The fields of a trigger.
pub(crate) const FIELDS: [&str; 13] = [
    "cron",
    "time_zone",
    "skip",
    "after",
    "on",
    "webhook",
    "run",
    "notify",
    "emit",
    "catch_up",
    "paused",
    "description",
    "tags",
];

/// The fields of `emit`.
pub(crate) const EMIT: [&str; 2] = ["type", "data"];

impl Reader<'_> {
    /// Reads the trigger that an entry names.
    pub(crate) fn trigger(&mut self, entry: &Entry<'_>) -> Option<DeclaredTrigger> {
        let named = self.plain_name("a trigger", entry.name, entry.key.clone(), true);
        let place = self.place(entry.key.clone());
        let fields = self.table(entry.name, "a trigger", entry.value, &FIELDS)?;
        let when = self.when(entry, &fields);
        let does = ["run", "notify", "emit"];
        if does.iter().all(|name| fields.get(name).is_none()) {
            self.missing(
                "a trigger",
                "run",
                entry.key.clone(),
                "run = [\"schema.dataset\"]",
            );
        }
        let run = self.datasets("run", fields.get("run"));
        let channels = fields.get("notify").map(|v| self.named("notify", "channels", v));
        let channels = channels.unwrap_or_default();
        let emit = fields.get("emit").and_then(|v| self.emit(v));
        let choices = [
            ("last", CatchUp::Last),
            ("all", CatchUp::All),
            ("none", CatchUp::None),
        ];
        let catch_up = fields
            .get("catch_up")
            .and_then(|v| self.choice("catch_up", v, &choices));
        let paused = fields.get("paused").and_then(|v| self.boolean("paused", v));
        let hook = fields.get("webhook").and_then(|v| {
            let text = v.get_ref().as_str().filter(|text| !text.trim().is_empty())?;
            Some(Spanned {
                value: text.to_owned(),
                place: self.place(v.span()),
            })
        });
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let (when, after) = when?;
        let mut datasets = run.clone();
        datasets.extend(after);
        named.then(|| DeclaredTrigger {
            name: entry.name.to_owned(),
            place,
            tags,
            spec: TriggerSpec {
                description,
                when,
                run: run.into_iter().map(|r| r.value).collect(),
                notify: channels.iter().map(|c| c.value.clone()).collect(),
                emit,
                catch_up: catch_up.unwrap_or_default(),
                paused: paused.unwrap_or_default(),
            },
            datasets,
            hook,
            channels,
        })
    }

    fn when(&mut self, entry: &Entry<'_>, fields: &Fields<'_>) -> Option<(When, Vec<Spanned<String>>)> {
        let causes: Vec<&Entry<'_>> = ["cron", "after", "on", "webhook"]
            .iter()
            .filter_map(|name| fields.entry(name))
            .collect();
        let help = Some("a trigger has one of `cron`, `after`, `on` and `webhook`".to_owned());
        let [cause] = causes.as_slice() else {
            let (message, span) = match causes.get(1) {
                None => (
                    format!("nothing sets the trigger `{}` off", entry.name),
                    entry.key.clone(),
                ),
                Some(second) => (
                    format!("the trigger `{}` has several causes", entry.name),
                    second.key.clone(),
                ),
            };
            self.report(code::ONE_CAUSE, span, message, "one cause, please", help);
            return None;
        };
        for name in ["time_zone", "skip", "catch_up"] {
            if let Some(field) = fields.entry(name).filter(|_| cause.name != "cron") {
                let message = format!("`{name}` is for clock times only");
                let help = Some(format!(
                    "leave it out, or write `cron` instead of `{}`",
                    cause.name
                ));
                self.report(
                    code::CLOCK_ONLY,
                    field.key.clone(),
                    message,
                    "there is no `cron`",
                    help,
                );
            }
        }
        match cause.name {
            "cron" => Some((self.clock(cause, fields)?, Vec::new())),
            "after" => {
                let after = self.datasets("after", Some(cause.value));
                let names = after.iter().map(|a| a.value.clone()).collect();
                (!after.is_empty()).then_some((When::After(names), after))
            }
            "webhook" => {
                let hook = self.word("webhook", cause.value)?;
                let pattern = json!({ "kind": ["hook.received"], "body": { "hook": [hook.value] } });
                Some((When::On(pattern), Vec::new()))
            }
            _ => {
                self.open("on", cause.value)?;
                let pattern = self.json("on", cause.value)?;
                if let Err(e) = Pattern::new(&pattern) {
                    let help = Some("for example on = { kind = [\"run.finished\"] }".to_owned());
                    let message = format!("`on` is not a pattern: {e}");
                    self.report(
                        code::BAD_PATTERN,
                        cause.value.span(),
                        message,
                        "not a pattern",
                        help,
                    );
                    return None;
                }
                Some((When::On(pattern), Vec::new()))
            }
        }
    }

    fn clock(&mut self, cause: &Entry<'_>, fields: &Fields<'_>) -> Option<When> {
        let cron = self.word("cron", cause.value)?.value;
        let zone = fields.get("time_zone").map(|v| self.word("time_zone", v));
        let days = fields.get("skip").map(|v| self.days(v));
        // What is wrong by its form has been said.
        let zone = zone.map_or(Some(None), |z| z.map(|z| Some(z.value)))?;
        let skip = days.map_or(Some(Vec::new()), |d| d)?;
        let Err(wrong) = ClockTimes::new(&cron, zone.as_deref(), &skip) else {
            return Some(When::Clock {
                cron,
                time_zone: zone,
                skip,
            });
        };
        let (field, help) = match &wrong {
            BadClock::Zone(_) => ("time_zone", "names are as in \"Europe/Berlin\"; UTC if left out"),
            BadClock::Day(_) => ("skip", "days are written like \"2026-12-25\""),
            BadClock::Expression { .. } | BadClock::Never(_) => (
                "cron",
                "minute, hour, day of the month, month, day of the week: \"30 6 * * 1-5\" is at half past six from Monday to \
                 Friday",
            ),
        };
        let span = fields
            .get(field)
            .map_or_else(|| cause.value.span(), toml::Spanned::span);
        let label = "not a time of the clock";
        self.report(
            code::BAD_CLOCK,
            span,
            wrong.to_string(),
            label,
            Some(help.to_owned()),
        );
        None
    }

    /// Reads days, which TOML has its own form for; texts will do.
    fn days(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        let list = self.list("skip", "days", value)?;
        let day = |one: &&Value<'_>| match one.get_ref() {
            DeValue::Datetime(day) => Some(day.to_string()),
            _ => self.word("skip", one).map(|d| d.value),
        };
        list.iter().map(day).collect()
    }

    /// Reads a fact of a trigger's own.
    fn emit(&mut self, value: &Value<'_>) -> Option<EmitSpec> {
        let fields = self.table("emit", "`emit`", value, &EMIT)?;
        let Some(named) = fields.get("type") else {
            self.missing("`emit`", "type", value.span(), "type = \"orders.complete\"");
            return None;
        };
        let event_type = self.word("type", named)?.value;
        let data = match fields.get("data") {
            Some(data) => self.json("data", data)?,
            None => Json::Null,
        };
        Some(EmitSpec { event_type, data })
    }

    fn boolean(&mut self, name: &str, value: &Value<'_>) -> Option<bool> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            self.wrong(name, "true or false", value, None);
        }
        read
    }

    /// Reads a value as JSON.
    pub(crate) fn json(&mut self, name: &str, value: &Value<'_>) -> Option<Json> {
        let out_of_range = |reader: &mut Self, text: &str| {
            let message = format!("`{name}` cannot have {text} in it");
            reader.report(
                code::OUT_OF_RANGE,
                value.span(),
                message,
                "no number of JSON",
                None,
            );
        };
        match value.get_ref() {
            DeValue::String(text) => Some(Json::from(text.as_ref())),
            DeValue::Boolean(yes) => Some(Json::from(*yes)),
            DeValue::Datetime(moment) => Some(Json::from(moment.to_string())),
            DeValue::Integer(n) => {
                let number = i64::from_str_radix(n.as_str(), n.radix()).ok();
                if number.is_none() {
                    out_of_range(self, n.as_str());
                }
                number.map(Json::from)
            }
            DeValue::Float(n) => {
                let number = n
                    .as_str()
                    .parse::<f64>()
                    .ok()
                    .and_then(serde_json::Number::from_f64);
                if number.is_none() {
                    out_of_range(self, n.as_str());
                }
                number.map(Json::Number)
            }
            DeValue::Array(list) => {
                let each = list.iter().map(|v| self.json(name, v));
                each.collect::<Option<Vec<_>>>().map(Json::Array)
            }
            DeValue::Table(_) => {
                let fields = super::fields(value)?;
                let each = fields
                    .0
                    .iter()
                    .map(|e| Some((e.name.to_owned(), self.json(name, e.value)?)));
                let all: Option<BTreeMap<String, Json>> = each.collect();
                all.map(|map| Json::Object(map.into_iter().collect()))
            }
        }
    }
}
