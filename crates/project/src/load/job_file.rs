//! A job's file: its settings, its query, and the dataset that its path names.

use mainstay_model::DatasetName;

use super::Found;
use crate::code;
use crate::document::Document;
use crate::mistake::Mistake;
use crate::place::{Lines, Place, Spanned, Text};
use crate::read::Reader;
use crate::read::job::WrittenJob;
use crate::read::value::{NAME_RULE, tidy_name};
use crate::settings;

impl Found {
    /// Reads a job's file.
    pub(super) fn job_file(&mut self, lines: &Lines<'_>) {
        if !self.is_utf8(lines) {
            return;
        }
        let file = settings::split(lines);
        // What is wrong with the settings' marks may hide which dataset this is for.
        let mut unclear = !file.mistakes.is_empty();
        self.mistakes.extend(file.mistakes);
        let (mut written, mut named) = (WrittenJob::default(), false);
        if let Some((text, stretches)) = &file.settings {
            let document = Document::new(lines, text, stretches);
            let parsed = document.parse();
            let wrong_lines: Vec<u32> = parsed.mistakes.iter().map(|m| m.line).collect();
            self.mistakes.extend(parsed.mistakes);
            unclear |= parsed.broken;
            let mut reader = Reader::new(&document);
            (written, named) = reader.job_settings(&parsed.root);
            let said = |m: &Mistake| !parsed.broken && !wrong_lines.contains(&m.line);
            self.mistakes.extend(reader.mistakes.into_iter().filter(said));
        }
        let sql = Text::of_file(lines, file.query.clone());
        if settings::is_blank(sql.as_str()) {
            let place = lines.place(file.query);
            let help = "write one SELECT, or remove the file".to_owned();
            let message = "this job has no query";
            self.mistakes.push(Mistake::new(
                code::EMPTY_QUERY,
                &place,
                message,
                "nothing to compute",
                Some(help),
            ));
        } else {
            written.sql = Some(sql);
        }
        let place = written
            .sql
            .as_ref()
            .map_or_else(|| lines.place(0..0), Text::whole);
        if !named && !unclear {
            written.dataset = self.dataset_of_path(lines.path(), &place);
        }
        if written.dataset.is_none() {
            // The settings name another dataset, but not rightly; or it cannot be told what they say.
            let by_path = path_name(lines.path()).parse().ok().filter(|_| !named);
            match by_path.map(|value| Spanned { value, place }) {
                Some(dataset) => written.dataset = Some(dataset),
                None => self.incomplete = true,
            }
        }
        self.incomplete |= unclear;
        let Some(dataset) = &written.dataset else { return };
        if self.claim("job", &dataset.value, &dataset.place) {
            if unclear {
                self.broken.insert(dataset.value.clone());
            } else {
                self.add_job(written);
            }
        }
    }

    /// Declares a job, if it can be told what it computes.
    pub(super) fn add_job(&mut self, written: WrittenJob) {
        let Some(dataset) = written.dataset else { return };
        let Some(sql) = written.sql else {
            self.broken.insert(dataset.value);
            return;
        };
        let job = crate::declared::DeclaredJob {
            dataset,
            tags: written.tags,
            description: written.description,
            sql,
            slice: written.slice,
            retries: written.retries,
            time_limit_ms: written.time_limit_ms,
            retain: written.retain,
            circuit_breaker: written.circuit_breaker,
            uses: written.uses,
            keep_fresh_ms: written.keep_fresh_ms,
        };
        self.jobs.push((job, written.checks));
    }

    fn dataset_of_path(&mut self, path: &str, place: &Place) -> Option<Spanned<DatasetName>> {
        let name = path_name(path);
        if let Ok(value) = name.parse() {
            return Some(Spanned {
                value,
                place: place.clone(),
            });
        }
        let (schema, table) = name.rsplit_once('.').unwrap_or(("SCHEMA", &name));
        let better = match tidy_name(&format!("{}.{table}", schema.replace('.', "_"))) {
            Some(name) => format!("jobs/{}/{}.sql", name.schema(), name.table()),
            None => "jobs/air/daily_delays.sql".to_owned(),
        };
        let example = better
            .trim_start_matches("jobs/")
            .trim_end_matches(".sql")
            .replace('/', ".");
        let help = format!(
            "a job at {better} computes {example} ({NAME_RULE}); or name the dataset in the settings: \
             -- job = \"{example}\""
        );
        let message = format!("the path `{path}` names no dataset");
        let label = "which dataset does this compute?";
        self.mistakes
            .push(Mistake::new(code::BAD_PATH, place, message, label, Some(help)));
        None
    }
}

/// What a path below `jobs/` says as a name.
fn path_name(path: &str) -> String {
    let inner = path.strip_prefix("jobs/").unwrap_or(path);
    inner.strip_suffix(".sql").unwrap_or(inner).replace('/', ".")
}
