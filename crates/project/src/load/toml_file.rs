//! A TOML file: tables of resources by kind.

use mainstay_base::text::nearest;

use super::{Found, MAIN_FILE};
use crate::code;
use crate::document::{Document, Value};
use crate::mistake::Mistake;
use crate::place::{Lines, Place};
use crate::read::{Entry, Fields, Reader, fields};

/// The tables that there are, one for each kind of resource.
pub(crate) const TABLES: [&str; 9] = [
    "project", "source", "job", "check", "trigger", "hook", "channel", "limit", "alarm",
];

impl Found {
    /// Reads a TOML file. One that is not the main file and has none of our tables is somebody else's.
    pub(super) fn toml_file(&mut self, lines: &Lines<'_>) {
        let text = lines.text().get(lines.begin()..).unwrap_or_default();
        let stretches = [(0, lines.begin())];
        let document = Document::new(lines, text, &stretches);
        let parsed = document.parse();
        let Some(root) = fields(&parsed.root) else { return };
        if **lines.path() != *MAIN_FILE && !root.0.iter().any(is_ours) {
            return;
        }
        if !self.is_utf8(lines) {
            return;
        }
        let broken = parsed.broken;
        let wrong_lines: Vec<u32> = parsed.mistakes.iter().map(|m| m.line).collect();
        self.mistakes.extend(parsed.mistakes);
        self.incomplete |= broken;
        let mut reader = Reader::new(&document);
        if broken {
            // What can be told is only what it seems to declare, not what it says.
            self.seems(&mut reader, &root);
            return;
        }
        reader.only("a project file", &root, &TABLES);
        for entry in &root.0 {
            match entry.name {
                "project" => self.project(&mut reader, entry),
                "source" => self.each(&mut reader, entry, Self::source),
                "job" => self.each(&mut reader, entry, Self::job),
                "check" => self.each(&mut reader, entry, Self::check),
                "trigger" => self.each(&mut reader, entry, Self::trigger),
                "hook" => self.each(&mut reader, entry, Self::hook),
                "channel" => self.each(&mut reader, entry, Self::channel),
                "limit" => self.each(&mut reader, entry, Self::limit),
                "alarm" => self.each(&mut reader, entry, Self::alarm),
                _ => {}
            }
        }
        // What was guessed about a mistake in the TOML is not held against anyone.
        let said = |m: &Mistake| !wrong_lines.contains(&m.line);
        self.mistakes.extend(reader.mistakes.into_iter().filter(said));
    }

    fn seems(&mut self, reader: &mut Reader<'_>, root: &Fields<'_>) {
        for entry in &root.0 {
            let names = fields(entry.value).map(|f| f.0).unwrap_or_default();
            match entry.name {
                "project" => self.project(reader, entry),
                "source" | "job" => self
                    .broken
                    .extend(names.iter().filter_map(|e| e.name.parse().ok())),
                _ => {}
            }
        }
    }

    fn project(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        let place = reader.place(entry.key.clone());
        let project = reader.project(entry.key.clone(), entry.value);
        if let Some(first) = &self.project_at {
            let help = format!("the first one is at {first}: keep one of them");
            let message = "there is more than one project";
            let label = "the second one";
            reader.report(code::TWO_PROJECTS, entry.key.clone(), message, label, Some(help));
        } else {
            self.project_at = Some(place);
            self.project = project;
        }
    }

    fn each(
        &mut self,
        reader: &mut Reader<'_>,
        kind: &Entry<'_>,
        read: fn(&mut Self, &mut Reader<'_>, &Entry<'_>),
    ) {
        let Some(Fields(entries)) = reader.open(kind.name, kind.value) else {
            self.incomplete = true;
            return;
        };
        for entry in &entries {
            let named = matches!(
                kind.name,
                "check" | "trigger" | "hook" | "channel" | "limit" | "alarm"
            ) || entry.name.contains('.');
            if let Some(inner) = unquoted(entry.value).filter(|_| !named) {
                let name = format!("{}.{}", entry.name, inner.name);
                let help = format!("put it in quotation marks: [{}.\"{name}\"]", kind.name);
                let message = format!("`{name}` is not the name of a dataset as it is written here");
                let label = "without quotation marks, these are tables in tables";
                reader.report(code::BAD_DATASET, entry.key.clone(), message, label, Some(help));
                self.broken.extend(name.parse().ok());
            } else {
                read(self, reader, entry);
            }
        }
    }

    fn source(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        let before = reader.mistakes.len();
        let (source, checks) = reader.source(entry);
        let Some(dataset) = entry.name.parse().ok() else {
            // Which dataset it is for is not known.
            self.incomplete = true;
            return;
        };
        if !self.claim("source", &dataset, &reader.place(entry.key.clone())) {
            return;
        }
        match source.filter(|_| reader.mistakes.len() == before) {
            Some(source) => self.sources.push((source, checks)),
            None => {
                self.broken.insert(dataset);
            }
        }
    }

    fn job(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        let written = reader.job(entry);
        match &written.dataset {
            Some(dataset) => {
                if self.claim("job", &dataset.value, &dataset.place) {
                    self.add_job(written);
                }
            }
            None => self.incomplete = true,
        }
    }

    fn check(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        self.checks.extend(reader.check_apart(entry));
    }

    fn channel(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        // One with a mistake is one that there is.
        self.channel_names.insert(entry.name.to_owned());
        let Some(channel) = reader.channel(entry) else {
            return;
        };
        match self.channels.iter().find(|c| c.name == channel.name) {
            Some(first) => reader.second("channel", entry, &first.place),
            None => self.channels.push(channel),
        }
    }

    fn limit(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        // One with a mistake is one that there is.
        self.limit_names.insert(entry.name.to_owned());
        let Some(limit) = reader.limit(entry) else { return };
        match self.limits.iter().find(|l| l.name == limit.name) {
            Some(first) => reader.second("limit", entry, &first.place),
            None => self.limits.push(limit),
        }
    }

    fn alarm(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        let Some(alarm) = reader.alarm(entry) else {
            return;
        };
        if let Some(first) = self.alarms.iter().find(|a| a.name == alarm.name) {
            let help = format!(
                "the first one is at {}: give one of them another name",
                first.place
            );
            let message = format!("there are two alarms named `{}`", alarm.name);
            let label = "the second one";
            reader.report(code::TWO_TRIGGERS, entry.key.clone(), message, label, Some(help));
        } else {
            self.alarms.push(alarm);
        }
    }

    fn hook(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        // One with a mistake is one that there is.
        self.hook_names.insert(entry.name.to_owned());
        let Some(hook) = reader.hook(entry) else { return };
        match self.hooks.iter().find(|h| h.name == hook.name) {
            Some(first) => reader.second("hook", entry, &first.place),
            None => self.hooks.push(hook),
        }
    }

    fn trigger(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) {
        self.triggers.extend(reader.trigger(entry));
    }
}

impl Reader<'_> {
    /// Reports the second one of a name.
    fn second(&mut self, kind: &str, entry: &Entry<'_>, first: &Place) {
        let help = format!("the first one is at {first}: give one of them another name");
        let message = format!("there are two {kind}s named `{}`", entry.name);
        self.report(
            code::TWO_TRIGGERS,
            entry.key.clone(),
            message,
            "the second one",
            Some(help),
        );
    }
}

/// Says whether a table at the top of a file is one of ours, or misspelled: tables of tables.
fn is_ours(entry: &Entry<'_>) -> bool {
    let tables = |f: &Fields<'_>| !f.0.is_empty() && f.0.iter().all(|e| e.value.get_ref().is_table());
    TABLES.contains(&entry.name)
        || (nearest(entry.name, TABLES).is_some() && fields(entry.value).is_some_and(|f| tables(&f)))
}

/// Returns the first table of a table that has nothing but tables, as `[source.air.flights]` makes them.
fn unquoted<'v>(value: &'v Value<'v>) -> Option<Entry<'v>> {
    let fields = fields(value)?;
    let known = ["slice", "columns", "tags", "checks", "retries"];
    let nested = fields
        .0
        .iter()
        .all(|e| e.value.get_ref().is_table() && !known.contains(&e.name));
    fields.0.first().filter(|_| nested).cloned()
}
