//! All files of a project to what it declares.
//!
//! Owns what holds across files: one project, one resource for each dataset, checks of datasets that are there. Every file is
//! read whatever is wrong with the others; where a file could not be read, nothing is said of what may have been in it.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::text::nearest;
use mainstay_model::resource::Spec;
use mainstay_model::trigger::is_among;
use mainstay_model::{DatasetName, Resource};

use crate::code;
use crate::declared::{
    Declared, DeclaredAlarm, DeclaredChannel, DeclaredCheck, DeclaredHook, DeclaredJob, DeclaredLimit,
    DeclaredSource, DeclaredTrigger,
};
use crate::mistake::{Mistake, sort};
use crate::place::{Lines, Place, Spanned};
use crate::read::check::WrittenCheck;
use crate::read::project::WrittenProject;
use crate::read::value::Tags;

mod job_file;
mod limits;
mod toml_file;

/// The main file of a project; its folder is the project's.
pub const MAIN_FILE: &str = "mainstay.toml";

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path relative to the project, with `/` between its parts.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Reads the files of a project. Files that are not a project's are passed over.
///
/// All mistakes are found, not the first only, and come in the order of files and lines. What could be understood is returned
/// beside them, so that later phases can find theirs too; with a mistake, nothing of it may be applied. Nothing is returned
/// if there is no project.
pub fn load(files: &[SourceFile]) -> (Option<Declared>, Vec<Mistake>) {
    let mut sorted: Vec<&SourceFile> = files.iter().collect();
    sorted.sort_by_key(|f| (f.path != MAIN_FILE, &f.path));
    sorted.dedup_by_key(|f| &f.path);
    let mut found = Found::default();
    for file in sorted {
        let lines = Lines::new(&file.path, &file.text);
        if file.path.ends_with(".toml") {
            found.toml_file(&lines);
        } else if file.path.starts_with("jobs/") && file.path.ends_with(".sql") {
            found.job_file(&lines);
        }
    }
    found.finish()
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    mistakes: Vec<Mistake>,
    project: Option<WrittenProject>,
    /// Where a project was written first, rightly or not.
    project_at: Option<Place>,
    sources: Vec<(DeclaredSource, Vec<WrittenCheck>)>,
    jobs: Vec<(DeclaredJob, Vec<WrittenCheck>)>,
    checks: Vec<WrittenCheck>,
    triggers: Vec<DeclaredTrigger>,
    hooks: Vec<DeclaredHook>,
    hook_names: BTreeSet<String>,
    channels: Vec<DeclaredChannel>,
    channel_names: BTreeSet<String>,
    limits: Vec<DeclaredLimit>,
    limit_names: BTreeSet<String>,
    alarms: Vec<DeclaredAlarm>,
    owners: BTreeMap<DatasetName, (&'static str, Place)>,
    broken: BTreeSet<DatasetName>,
    incomplete: bool,
}

impl Found {
    /// Says whether a file is UTF-8 text; if not, where it stops to be. Reading replaced each other byte by U+FFFD.
    fn is_utf8(&mut self, lines: &Lines<'_>) -> bool {
        let Some(at) = lines.text().find(char::REPLACEMENT_CHARACTER) else {
            return true;
        };
        self.mistakes.push(Mistake::new(
            code::NOT_UTF8,
            &lines.place(at..at + char::REPLACEMENT_CHARACTER.len_utf8()),
            "the file is not UTF-8 text",
            "bytes of another encoding",
            Some("save the file as UTF-8".to_owned()),
        ));
        self.incomplete = true;
        false
    }

    /// Notes that a source or a job is for a dataset; says whether it is the first.
    fn claim(&mut self, kind: &'static str, dataset: &DatasetName, place: &Place) -> bool {
        let Some((other, first)) = self.owners.get(dataset) else {
            self.owners.insert(dataset.clone(), (kind, place.clone()));
            return true;
        };
        let message = format!("`{dataset}` is declared twice: by the {other} at {first} and by this {kind}");
        let label = "the second one".to_owned();
        let help = "a dataset comes from one source or one job: rename or remove one of them".to_owned();
        self.mistakes
            .push(Mistake::new(code::TWO_OWNERS, place, message, label, Some(help)));
        false
    }

    fn finish(mut self) -> (Option<Declared>, Vec<Mistake>) {
        if self.project_at.is_none() && !self.incomplete {
            let place = Place {
                file: MAIN_FILE.into(),
                line: 1,
                column: 1,
                end_column: 1,
            };
            let help = format!("write in {MAIN_FILE}: [project] and name = \"…\"");
            let message = "there is no project";
            self.mistakes.push(Mistake::new(
                code::NO_PROJECT,
                &place,
                message,
                "no `[project]`",
                Some(help),
            ));
        }
        let tags = self.project.as_ref().map(|p| p.tags.clone()).unwrap_or_default();
        let mut checks = Vec::new();
        let mut labels: BTreeMap<DatasetName, Tags> = BTreeMap::new();
        let (sources, jobs) = (std::mem::take(&mut self.sources), std::mem::take(&mut self.jobs));
        let mut sources: Vec<DeclaredSource> = (sources.into_iter())
            .map(|(mut source, written)| {
                let dataset = &source.dataset.value;
                source.tags = inherit(&tags, &source.tags);
                checks.extend(written.into_iter().map(|c| c.declare(dataset, &source.tags)));
                labels.insert(dataset.clone(), source.tags.clone());
                source
            })
            .collect();
        let mut jobs: Vec<DeclaredJob> = (jobs.into_iter())
            .map(|(mut job, written)| {
                let dataset = &job.dataset.value;
                job.tags = inherit(&tags, &job.tags);
                checks.extend(written.into_iter().map(|c| c.declare(dataset, &job.tags)));
                labels.insert(dataset.clone(), job.tags.clone());
                job
            })
            .collect();
        for check in std::mem::take(&mut self.checks) {
            let Some(dataset) = check.dataset.as_ref().map(|d| d.value.clone()) else {
                continue;
            };
            checks.push(check.declare(&dataset, labels.get(&dataset).unwrap_or(&tags)));
        }
        self.known(&checks);
        let triggers = self.triggers(&tags);
        let alarms = self.alarms(&tags);
        let mut hooks = std::mem::take(&mut self.hooks);
        for hook in &mut hooks {
            hook.tags = inherit(&tags, &hook.tags);
        }
        hooks.sort_by(|a, b| a.name.cmp(&b.name));
        let mut channels = std::mem::take(&mut self.channels);
        for channel in &mut channels {
            channel.tags = inherit(&tags, &channel.tags);
        }
        channels.sort_by(|a, b| a.name.cmp(&b.name));
        let limits = self.limits(&tags, &jobs);
        let mut checks = self.named_once(checks);
        sources.sort_by(|a, b| a.dataset.value.cmp(&b.dataset.value));
        jobs.sort_by(|a, b| a.dataset.value.cmp(&b.dataset.value));
        checks.sort_by(|a, b| a.name.cmp(&b.name));
        sort(&mut self.mistakes);
        let declared = self.project.map(|project| Declared {
            project: Resource {
                name: project.name.clone(),
                tags,
                spec: Spec::Project(project.spec),
            },
            place: project.place,
            name: project.name,
            account: project.account,
            sources,
            jobs,
            checks,
            triggers,
            hooks,
            channels,
            limits,
            alarms,
            broken: self.broken,
            complete: !self.incomplete,
        });
        (declared, self.mistakes)
    }

    /// Reports checks of, and references to, datasets that are not there.
    fn known(&mut self, checks: &[DeclaredCheck]) {
        if self.incomplete {
            return;
        }
        let names: Vec<String> = self
            .owners
            .keys()
            .chain(&self.broken)
            .map(ToString::to_string)
            .collect();
        for check in checks {
            let checked = (&check.spec.dataset, &check.dataset);
            let others = check.references.iter().map(|r| (&r.value.0, &r.place));
            for (dataset, place) in std::iter::once(checked).chain(others) {
                let name = dataset.to_string();
                if names.contains(&name) {
                    continue;
                }
                let help = match nearest(&name, names.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "a source or a job must declare it".to_owned(),
                };
                let message = format!("there is no dataset `{name}`");
                let label = "no such dataset";
                self.mistakes
                    .push(Mistake::new(code::NO_DATASET, place, message, label, Some(help)));
            }
        }
    }

    /// Returns the triggers by name, with the project's labels, and reports what they name that is not there, and the second
    /// ones of a name.
    fn triggers(&mut self, tags: &Tags) -> Vec<DeclaredTrigger> {
        let mut named: BTreeMap<String, DeclaredTrigger> = BTreeMap::new();
        for mut trigger in std::mem::take(&mut self.triggers) {
            self.datasets_are_there(&trigger.datasets);
            self.channels_are_there(&trigger.channels);
            if let Some(hook) = trigger
                .hook
                .as_ref()
                .filter(|h| !self.hook_names.contains(&h.value))
                && !self.incomplete
            {
                let names = self.hook_names.iter().map(String::as_str);
                let help = match nearest(&hook.value, names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("declare it: [hook.{}]", hook.value),
                };
                let message = format!("there is no hook `{}`", hook.value);
                let mistake = Mistake::new(code::NO_HOOK, &hook.place, message, "no such hook", Some(help));
                self.mistakes.push(mistake);
            }
            if let Some(first) = named.get(&trigger.name) {
                let message = format!("there are two triggers named `{}`", trigger.name);
                let help = format!(
                    "the first one is at {}: give one of them another name",
                    first.place
                );
                let mistake = Mistake::new(
                    code::TWO_TRIGGERS,
                    &trigger.place,
                    message,
                    "the second one",
                    Some(help),
                );
                self.mistakes.push(mistake);
            } else {
                trigger.tags = inherit(tags, &trigger.tags);
                named.insert(trigger.name.clone(), trigger);
            }
        }
        named.into_values().collect()
    }

    /// Returns the alarms by name, with the project's labels, and reports what they name that is not there.
    fn alarms(&mut self, tags: &Tags) -> Vec<DeclaredAlarm> {
        let mut alarms = std::mem::take(&mut self.alarms);
        for alarm in &mut alarms {
            self.datasets_are_there(&alarm.datasets);
            self.channels_are_there(&alarm.channels);
            alarm.tags = inherit(tags, &alarm.tags);
        }
        alarms.sort_by(|a, b| a.name.cmp(&b.name));
        alarms
    }

    /// Reports datasets that are named and not declared.
    fn datasets_are_there(&mut self, wanted: &[Spanned<String>]) {
        let names: Vec<String> = self
            .owners
            .keys()
            .chain(&self.broken)
            .map(ToString::to_string)
            .collect();
        for wanted in wanted {
            let one = std::slice::from_ref(&wanted.value);
            if self.incomplete || names.iter().any(|name| is_among(one, name)) {
                continue;
            }
            let help = match nearest(&wanted.value, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "a source or a job must declare it; `air.*` stands for all of `air`".to_owned(),
            };
            let message = format!("there is no dataset `{}`", wanted.value);
            let mistake = Mistake::new(
                code::NO_DATASET,
                &wanted.place,
                message,
                "no such dataset",
                Some(help),
            );
            self.mistakes.push(mistake);
        }
    }

    /// Reports channels that are named and not declared, or that are told lineage.
    fn channels_are_there(&mut self, channels: &[Spanned<String>]) {
        for channel in channels.iter().filter(|c| !self.channel_names.contains(&c.value)) {
            if self.incomplete {
                continue;
            }
            let names = self.channel_names.iter().map(String::as_str);
            let help = match nearest(&channel.value, names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it: [channel.{}]", channel.value),
            };
            let message = format!("there is no channel `{}`", channel.value);
            let label = "no such channel";
            let mistake = Mistake::new(code::NO_CHANNEL, &channel.place, message, label, Some(help));
            self.mistakes.push(mistake);
        }
        for channel in channels {
            let mut told = self.channels.iter().filter(|c| !c.spec.format.is_default());
            if told.any(|c| c.name == channel.value) {
                let message = format!("the channel `{}` is told lineage, and no messages", channel.value);
                let help = "name a channel without `format`".to_owned();
                let label = "not a channel for messages";
                let mistake = Mistake::new(code::NO_CHANNEL, &channel.place, message, label, Some(help));
                self.mistakes.push(mistake);
            }
        }
    }

    /// Keeps the first check of each name and reports the others.
    fn named_once(&mut self, checks: Vec<DeclaredCheck>) -> Vec<DeclaredCheck> {
        let mut first: BTreeMap<String, Place> = BTreeMap::new();
        let mut kept = Vec::new();
        for check in checks {
            if let Some(place) = first.get(&check.name) {
                let name = check
                    .name
                    .split_once(':')
                    .map_or(check.name.as_str(), |(_, name)| name);
                let dataset = &check.spec.dataset;
                let message = format!("`{dataset}` has two checks named `{name}`");
                let help = format!("the first one is at {place}: give one of them another name");
                let label = "the second one";
                self.mistakes.push(Mistake::new(
                    code::TWO_CHECKS,
                    &check.place,
                    message,
                    label,
                    Some(help),
                ));
            } else {
                first.insert(check.name.clone(), check.place.clone());
                kept.push(check);
            }
        }
        kept
    }
}

/// Labels with those of the project that are not their own.
fn inherit(project: &Tags, own: &Tags) -> Tags {
    let mut all = project.clone();
    all.extend(own.clone());
    all
}
