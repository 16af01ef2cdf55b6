//! From a project's files to resources: what the files say, and what planning their queries says about them.
//!
//! All mistakes of all files are found together. A dataset with mistakes is left out, and nothing is said about what only
//! follows from that.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::Error;
use mainstay_ingest::{Arrival, Watch};
use mainstay_model::spec::{Compiled as JobCompiled, SourceSpec};
use mainstay_model::{DatasetName, Resource, Schema};
use mainstay_project::{
    Declared, DeclaredAlarm, DeclaredChannel, DeclaredCheck, DeclaredHook, DeclaredJob, DeclaredLimit,
    DeclaredSource, DeclaredTrigger, Mistake, Place, SourceFile, Text,
};
use mainstay_sql::{InputTable, Problem};

use crate::deliver::read_otherwise;
use crate::instance::Instance;

/// What a project's files say.
#[derive(Debug)]
pub struct Compiled {
    /// The resources, if there is no mistake.
    pub resources: Vec<Resource>,
    /// The mistakes, in the order in which people read them.
    pub mistakes: Vec<Mistake>,
    /// The files.
    pub files: Vec<SourceFile>,
}

/// What is wrong with slice columns: shown where they are declared.
const SLICE_CODES: [&str; 2] = ["MS0211", "MS0212"];

/// What matters only for a query whose rows are stored.
const OUTPUT_CODES: [&str; 3] = ["MS0208", "MS0209", "MS0210"];

/// Returns the dataset that a query names and that is not known.
fn unknown_dataset(p: &Problem) -> Option<DatasetName> {
    let quoted = p.message.split('`').nth(1).filter(|_| p.code == "MS0203")?;
    quoted.parse().ok()
}

impl Compiled {
    /// Shows the mistakes as a compiler would, with the lines that they are in.
    pub fn render(&self, color: bool) -> String {
        mainstay_project::render(&self.mistakes, &self.files, color)
    }
}

type Tables = BTreeMap<DatasetName, InputTable>;

impl Instance {
    /// Reads and checks the project.
    ///
    /// # Errors
    ///
    /// If there is no project or its files cannot be read; mistakes in them are part of the answer.
    pub fn compile(&self) -> Result<Compiled, Error> {
        let files = match &self.files {
            Some(files) => files.as_ref().clone(),
            None => crate::project::read(self.project_dir()?)?,
        };
        let (declared, mut mistakes) = mainstay_project::load(&files);
        let mut resources = Vec::new();
        if let Some(declared) = declared {
            let mut compiler = Compiler {
                instance: self,
                declared: &declared,
                tables: Tables::new(),
                mistakes: Vec::new(),
            };
            let sources = compiler.sources();
            let jobs = compiler.jobs();
            compiler.checks();
            mistakes.append(&mut compiler.mistakes);
            resources.push(declared.project.clone());
            resources.extend(sources);
            resources.extend(jobs);
            resources.extend(declared.checks.iter().map(DeclaredCheck::resource));
            resources.extend(declared.triggers.iter().map(DeclaredTrigger::resource));
            resources.extend(declared.promises());
            resources.extend(declared.hooks.iter().map(DeclaredHook::resource));
            resources.extend(declared.channels.iter().map(DeclaredChannel::resource));
            resources.extend(declared.limits.iter().map(DeclaredLimit::resource));
            resources.extend(declared.alarms.iter().map(DeclaredAlarm::resource));
        }
        mistakes.sort_by_key(|m| {
            (
                m.file != mainstay_project::MAIN_FILE,
                m.file.clone(),
                m.line,
                m.column,
                m.code,
            )
        });
        mistakes.dedup();
        Ok(Compiled {
            resources,
            mistakes,
            files,
        })
    }

    /// Returns the columns of a source: those of its dataset, or as declared, or as its first file has them.
    fn source_schema(&self, name: &DatasetName, spec: &SourceSpec) -> Result<Schema, NoColumns> {
        let names: Vec<&str> = spec.slice.iter().map(|s| s.name.as_str()).collect();
        // Files that have to be read again say nothing about what they will be.
        let held = self.with(|state| {
            let d = state.datasets.get(name)?;
            let stays = d.slice_columns == names && read_otherwise(state, name, spec).is_empty();
            stays.then(|| d.schema().cloned()).flatten()
        });
        if let Some(schema) = held {
            return Ok(schema);
        }
        match &spec.columns {
            Some(columns) => mainstay_ingest::check_slice(spec, columns).map_err(NoColumns::Slice),
            None => self.first_file_schema(spec),
        }
    }

    /// Returns the columns of a source's first readable file, slice columns included.
    fn first_file_schema(&self, spec: &SourceSpec) -> Result<Schema, NoColumns> {
        let unseen = |e: mainstay_storage::Error| NoColumns::Place(e.to_string());
        let no = |e: Error| NoColumns::Place(e.to_string());
        if self.files.is_none() {
            self.project_dir().map_err(no)?;
        }
        self.within(&spec.files).map_err(no)?;
        let place = match Watch::open(spec, &self.place_dir()) {
            Ok(place) => place,
            Err(e) if e.kind == mainstay_storage::Kind::NotFound => return Err(NoColumns::Nothing),
            Err(e) => return Err(unseen(e)),
        };
        let found = self
            .runtime
            .block_on(place.observe(self.clock.as_ref()))
            .map_err(unseen)?;
        let mut first_bad = None;
        for file in &found {
            let arrival = self
                .runtime
                .block_on(place.fetch(file, &std::env::temp_dir()))
                .map_err(unseen)?;
            let Arrival::Complete(content) = arrival else {
                continue;
            };
            match mainstay_ingest::infer(spec, &file.file, &content) {
                Ok(schema) => {
                    return mainstay_ingest::check_slice(spec, &schema).map_err(NoColumns::Slice);
                }
                // It is found again, and set aside with its place, when it is delivered.
                Err(e) => {
                    first_bad.get_or_insert((file.file.clone(), e));
                }
            }
        }
        Err(match first_bad {
            Some((file, mainstay_ingest::Error::File(e))) => NoColumns::File {
                why: format!("{file}: {}", e.message),
                help: e.help,
            },
            Some((file, e)) => NoColumns::Place(format!("{file}: {e}")),
            None => NoColumns::Nothing,
        })
    }
}

/// Why the columns of a source are not known.
enum NoColumns {
    /// No file is there.
    Nothing,
    /// Its place cannot be read.
    Place(String),
    /// No file that is there can be read.
    File { why: String, help: Option<String> },
    /// Its slice does not go with its columns.
    Slice(String),
}

/// Makes a mistake of a problem with a query.
pub(crate) fn mistake(sql: &Text, p: Problem, slice: &[Place]) -> Mistake {
    let place = match p.span {
        Some((start, end)) => {
            let from = sql.place_at(start.line, start.column);
            if start.line == end.line && end.column > start.column {
                let width = u32::try_from(end.column - start.column).unwrap_or(1);
                Place {
                    end_column: from.column.saturating_add(width),
                    ..from
                }
            } else {
                from
            }
        }
        None => slice
            .first()
            .filter(|_| SLICE_CODES.contains(&p.code))
            .cloned()
            .unwrap_or_else(|| sql.whole()),
    };
    Mistake::new(p.code, &place, p.message, p.label, p.help)
}

struct Compiler<'a> {
    instance: &'a Instance,
    declared: &'a Declared,
    tables: Tables,
    mistakes: Vec<Mistake>,
}

impl Compiler<'_> {
    fn say(&mut self, code: &'static str, place: &Place, message: String, label: &str, help: Option<String>) {
        self.mistakes
            .push(Mistake::new(code, place, message, label, help));
    }

    fn sources(&mut self) -> Vec<Resource> {
        let declared = self.declared;
        for source in &declared.sources {
            self.source(source);
        }
        declared.sources.iter().map(DeclaredSource::resource).collect()
    }

    fn source(&mut self, source: &DeclaredSource) {
        let name = &source.dataset.value;
        if let Err(e) = mainstay_storage::check_glob(&source.spec.files) {
            let help =
                "a folder or a pattern of files below the project (data/*.csv), or s3://bucket/prefix/*.csv";
            let message = format!("`{}` is no place of files: {}", source.spec.files, e.source);
            self.say(
                "MS0155",
                &source.files,
                message,
                "this place",
                Some(help.to_owned()),
            );
            return;
        }
        let slice_columns: Vec<String> = source.spec.slice.iter().map(|s| s.name.clone()).collect();
        match self.instance.source_schema(name, &source.spec) {
            Ok(schema) => {
                self.tables.insert(
                    name.clone(),
                    InputTable {
                        schema,
                        slice_columns,
                    },
                );
            }
            Err(NoColumns::Slice(message)) => {
                let place = source.slice.first().map_or(&source.files, |s| &s.column.place);
                self.say("MS0151", &place.clone(), message, "here", None);
            }
            Err(NoColumns::File { why, help }) => self.say(
                "MS0150",
                &source.files,
                format!(
                    "the columns of `{name}` are not known: no file can be read, and none are declared. {why}"
                ),
                "these files",
                help,
            ),
            Err(NoColumns::Place(why)) => self.say(
                "MS0150",
                &source.files,
                format!("the columns of `{name}` are not known: {why}"),
                "this place",
                Some(
                    "make the files readable, or declare the columns: columns = { day = \"date\", … }"
                        .to_owned(),
                ),
            ),
            Err(NoColumns::Nothing) => self.say(
                "MS0150",
                &source.files,
                format!("the columns of `{name}` are not known: no file is there and none are declared"),
                "nothing here",
                Some("deliver a file, or declare them: columns = { day = \"date\", … }".to_owned()),
            ),
        }
    }

    /// Analyses the queries, each after those that it reads.
    fn jobs(&mut self) -> Vec<Resource> {
        let declared = self.declared;
        let mut reads: BTreeMap<DatasetName, BTreeSet<DatasetName>> = BTreeMap::new();
        let by_name: BTreeMap<&DatasetName, &DeclaredJob> =
            declared.jobs.iter().map(|j| (&j.dataset.value, j)).collect();
        for job in &declared.jobs {
            // A query that cannot be parsed is found again below.
            let names = mainstay_sql::references(job.sql.as_str()).unwrap_or_default();
            reads.insert(
                job.dataset.value.clone(),
                names.into_iter().map(|r| r.name).collect(),
            );
        }
        let mut in_circles = BTreeSet::new();
        let order = loop {
            match mainstay_planner::order(&reads) {
                Ok(order) => break order,
                Err(cycle) => {
                    if let Some(job) = cycle.0.first().and_then(|n| by_name.get(n)) {
                        let place = job.dataset.place.clone();
                        let help = Some(
                            "a dataset cannot be computed from itself; take one of the references out"
                                .to_owned(),
                        );
                        self.say(
                            "MS0152",
                            &place,
                            cycle.to_string(),
                            "this job is part of it",
                            help,
                        );
                    }
                    for name in &cycle.0 {
                        reads.remove(name);
                        in_circles.insert(name.clone());
                    }
                }
            }
        };
        order
            .iter()
            .filter_map(|name| self.job(by_name.get(name)?))
            .collect()
    }

    fn job(&mut self, job: &DeclaredJob) -> Option<Resource> {
        let slice: Vec<String> = job.slice.iter().map(|s| s.value.clone()).collect();
        match mainstay_sql::analyse(job.sql.as_str(), &self.tables, &slice) {
            Ok(analysed) => {
                let name = job.dataset.value.clone();
                self.tables.insert(
                    name,
                    InputTable {
                        schema: analysed.columns.clone(),
                        slice_columns: slice,
                    },
                );
                let compiled = JobCompiled {
                    code: analysed.code,
                    reads: analysed.reads,
                    columns: analysed.columns,
                    origins: analysed.origins,
                    widened: analysed.widened,
                };
                Some(job.resource(compiled))
            }
            Err(problems) => {
                for p in problems {
                    self.problem(
                        &job.sql,
                        p,
                        &job.slice.iter().map(|s| s.place.clone()).collect::<Vec<_>>(),
                    );
                }
                None
            }
        }
    }

    /// Says what is wrong with a query, unless it only follows from another mistake.
    fn problem(&mut self, sql: &Text, p: Problem, slice: &[Place]) {
        if unknown_dataset(&p).is_some_and(|name| self.declared.may_have(&name)) {
            return;
        }
        self.mistakes.push(mistake(sql, p, slice));
    }

    fn checks(&mut self) {
        let declared = self.declared;
        for check in &declared.checks {
            self.check(check);
        }
    }

    fn check(&mut self, check: &DeclaredCheck) {
        let dataset = &check.spec.dataset;
        if let Some(table) = self.tables.get(dataset).cloned() {
            for column in &check.columns {
                self.check_column(dataset, &table.schema, &column.value, &column.place);
            }
        }
        for reference in &check.references {
            let (dataset, column) = &reference.value;
            // One that is not declared was found when the files were read.
            if let Some(table) = self.tables.get(dataset).cloned() {
                self.check_column(dataset, &table.schema, column, &reference.place);
            }
        }
        if let Some(sql) = &check.sql
            && let Err(problems) = mainstay_sql::analyse(sql.as_str(), &self.tables, &[])
        {
            for p in problems.into_iter().filter(|p| !OUTPUT_CODES.contains(&p.code)) {
                self.problem(sql, p, &[]);
            }
        }
    }

    fn check_column(&mut self, dataset: &DatasetName, schema: &Schema, column: &str, place: &Place) {
        if schema.column(column).is_some() {
            return;
        }
        let help = mainstay_base::text::nearest(column, schema.names()).map_or_else(
            || {
                format!(
                    "its columns are {}",
                    schema.names().collect::<Vec<_>>().join(", ")
                )
            },
            |n| format!("did you mean `{n}`?"),
        );
        self.say(
            "MS0154",
            place,
            format!("`{dataset}` has no column `{column}`"),
            "no such column",
            Some(help),
        );
    }
}
