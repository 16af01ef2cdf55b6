//! From what slices were computed: the slices of the inputs, which of them changed last, and the input rows behind output rows.
//!
//! Rows are found by the values that the query passes on (see `mainstay_sql::origins`): the inputs of the run, as it read them,
//! are joined with the output's rows on those columns, by the engine, so that values are compared by their types.

use std::collections::BTreeMap;

use mainstay_api::{Cause, Error, ErrorKind, OriginReport, Row, RowsReport};
use mainstay_control::{Dataset, Run, RunStatus, Sight, SliceHistory};
use mainstay_engine::{CancelToken, Mounted};
use mainstay_model::id::RunId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{RunOutcome, Scope};
use mainstay_model::spec::{JobSpec, Reads};
use mainstay_model::{DatasetName, SliceKey};
use mainstay_sql::{InputTable, Origin, OriginInput, Origins, quoted};
use serde_json::Value;

use super::Answered;
use super::differ::slices_of;
use super::look::{Look, changing, of};
use crate::instance::Instance;
use crate::mount::Part;
use crate::query::QueryResult;

/// How many rows are shown of each table.
const SHOWN: usize = 10;

/// What rows are looked for in.
struct Traced {
    run: RunId,
    job: DatasetName,
    spec: JobSpec,
    output: Mounted,
    inputs: Vec<(u64, Mounted)>,
    amended: bool,
}

impl Instance {
    /// Names the input rows behind output rows, as far as the query lets that be told.
    pub(super) fn rows_behind(
        &self,
        answered: &Answered,
        condition: &str,
        cancel: &CancelToken,
    ) -> Result<RowsReport, Error> {
        let mut report = RowsReport {
            condition: condition.to_owned(),
            run: None,
            count: 0,
            rows: Vec::new(),
            inputs: Vec::new(),
            unknown: Vec::new(),
        };
        let store = self.store()?;
        let traced = self.looking(|look| traced(self, look, &store, answered));
        let Some(traced) = traced else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0430",
                format!("{} has no rows that a run computed", answered.report.thing),
            )
            .help("--where is for datasets of jobs and their slices; rows of a source came in its files, which `why` names"));
        };
        report.run = Some(traced.run.to_string());
        let table = &traced.job;
        let where_ = format!("FROM {table} WHERE ({condition})");
        let output = || vec![traced.output.clone()];
        report.count = self.counted(&format!("SELECT count(*) AS n {where_}"), output(), cancel)?;
        report.rows = self.some(&format!("SELECT * {where_} LIMIT {SHOWN}"), output(), cancel)?;
        if traced.amended {
            report
                .unknown
                .push("amendments stand over these rows: they may not be what the run computed".to_owned());
        }
        let tables: BTreeMap<DatasetName, InputTable> = traced
            .inputs
            .iter()
            .map(|(_, m)| {
                let table = InputTable {
                    schema: m.schema.clone(),
                    slice_columns: m.slice_columns.clone(),
                };
                (m.name.clone(), table)
            })
            .collect();
        let Ok(origins) = mainstay_sql::origins(&traced.spec.sql, &tables) else {
            report.unknown.push("its query cannot be read".to_owned());
            return Ok(report);
        };
        report.unknown.extend(origins.unknown.iter().cloned());
        for (at, input) in origins.inputs.iter().enumerate() {
            let origin = self.behind(&traced, &origins, (at, input), &report, cancel)?;
            report.inputs.push(origin);
        }
        Ok(report)
    }

    /// Finds the rows of one input.
    fn behind(
        &self,
        traced: &Traced,
        origins: &Origins,
        (at, input): (usize, &OriginInput),
        asked: &RowsReport,
        cancel: &CancelToken,
    ) -> Result<OriginReport, Error> {
        let mounted = traced.inputs.iter().find(|(_, m)| m.name == input.dataset);
        let mut report = OriginReport {
            dataset: input.dataset.to_string(),
            version: mounted.map_or(0, |(v, _)| *v),
            condition: None,
            count: 0,
            rows: Vec::new(),
            unknown: Vec::new(),
        };
        let keys: Vec<&Origin> = origins.columns.iter().filter(|o| o.input == at).collect();
        let computed = origins
            .computed
            .iter()
            .map(|(column, why)| format!("{column} does not narrow it down: {why}"));
        report.unknown.extend(computed);
        let Some((_, mounted)) = mounted.filter(|_| !keys.is_empty()) else {
            report.unknown.push(
                "none of its columns is passed on to the output, so that any of its rows may be behind it"
                    .to_owned(),
            );
            return Ok(report);
        };
        let outputs: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(i, k)| format!("{} AS \"key {i}\"", quoted(&k.output)))
            .collect();
        let alias = quoted(&input.alias);
        let on: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(i, k)| {
                format!(
                    "(wanted.\"key {i}\" IS NOT DISTINCT FROM {alias}.{})",
                    quoted(&k.column)
                )
            })
            .collect();
        let mut from = format!(
            "FROM {} AS {alias} JOIN (SELECT DISTINCT {} FROM {} WHERE ({})) AS wanted ON {}",
            input.dataset,
            outputs.join(", "),
            traced.job,
            asked.condition,
            on.join(" AND ")
        );
        let narrowed: Vec<String> = input.conditions.iter().map(|c| format!("({c})")).collect();
        if !narrowed.is_empty() {
            from.push_str(&format!(" WHERE {}", narrowed.join(" AND ")));
        }
        let both = || vec![mounted.clone(), traced.output.clone()];
        report.condition = Some(words(&keys, &asked.rows, asked.count, &input.conditions));
        report.count = self.counted(&format!("SELECT count(*) AS n {from}"), both(), cancel)?;
        report.rows = self.some(&format!("SELECT {alias}.* {from} LIMIT {SHOWN}"), both(), cancel)?;
        Ok(report)
    }

    fn counted(&self, sql: &str, inputs: Vec<Mounted>, cancel: &CancelToken) -> Result<u64, Error> {
        let rows = self.some(sql, inputs, cancel)?;
        let n = rows
            .first()
            .and_then(|r| r.0.first())
            .and_then(|(_, n)| n.as_u64());
        Ok(n.unwrap_or(0))
    }

    fn some(&self, sql: &str, inputs: Vec<Mounted>, cancel: &CancelToken) -> Result<Vec<Row>, Error> {
        let batches = self.ask(sql.to_owned(), inputs, cancel)?;
        let Some(first) = batches.first() else {
            return Ok(Vec::new());
        };
        let schema = first.schema();
        let rows = QueryResult {
            schema: schema.clone(),
            batches,
        };
        let row = |row: Value| {
            let cell = |f: &std::sync::Arc<arrow::datatypes::Field>| {
                (f.name().clone(), row.get(f.name()).cloned().unwrap_or_default())
            };
            Row(schema.fields().iter().map(cell).collect())
        };
        Ok(rows.json()?.into_iter().map(row).collect())
    }
}

/// Says in words which rows of an input are meant.
fn words(keys: &[&Origin], rows: &[Row], count: u64, conditions: &[String]) -> String {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let mut parts: Vec<String> = match (rows, count) {
        ([one], 1) => {
            let value = |k: &&Origin| {
                let (_, v) = one.0.iter().find(|(c, _)| *c == k.output)?;
                Some(match v {
                    Value::Null => format!("{} is NULL", k.column),
                    v => format!("{} = {}", k.column, text(v)),
                })
            };
            keys.iter().filter_map(value).collect()
        }
        _ => {
            let names: Vec<&str> = keys.iter().map(|k| k.column.as_str()).collect();
            vec![format!("{} as in these rows", names.join(", "))]
        }
    };
    parts.extend(conditions.iter().cloned());
    parts.join(" and ")
}

/// Finds the run that made what is there, and what it read.
fn traced(
    instance: &Instance,
    look: &Look<'_>,
    store: &mainstay_storage::Store,
    answered: &Answered,
) -> Option<Traced> {
    let good = |id: &RunId| {
        let run = look.run(id)?;
        (run.status == RunStatus::Ended(RunOutcome::Succeeded)).then_some((*id, run))
    };
    let versus = answered
        .report
        .versus
        .as_ref()
        .and_then(|v| v.parse::<RunId>().ok());
    let (id, run) = answered
        .run
        .as_ref()
        .and_then(good)
        .or_else(|| good(versus.as_ref()?))?;
    let line = look.line(run)?;
    let job = run.pinned.job.clone();
    let held = line.resources.get(&ResourceKey::new(Kind::Job, &job))?;
    let generation = held
        .generations
        .iter()
        .find(|g| g.number == run.pinned.generation)?;
    let Spec::Job(spec) = &generation.resource.as_ref()?.spec else {
        return None;
    };
    let dataset: &Dataset = line.dataset(&job)?;
    let sight = Sight {
        state: look.sight.state,
        line,
        branch: run.pinned.branch.as_ref(),
    };
    let slices = match (&answered.slices, &run.pinned.scope) {
        (Some(wanted), _) => wanted.clone(),
        (None, Scope::Slices(list)) => list.clone(),
        (None, Scope::Whole) => dataset.slices.keys().cloned().collect(),
    };
    let of_slices = slices_of(&run.pinned.scope, Some(&slices));
    let read = crate::read::read_by(&sight, run, of_slices.as_deref());
    let mut inputs = Vec::new();
    for input in &run.pinned.inputs {
        let part = read.part(&input.dataset);
        let mounted = instance.mount(&sight, store, &input.dataset, input.version, part)?;
        inputs.push((input.version, mounted));
    }
    let output = instance.mount(&sight, store, &job, u64::MAX, Part::Slices(&slices))?;
    Some(Traced {
        run: id,
        amended: slices.iter().any(|s| dataset.overlay.touched.contains(s)),
        job,
        spec: (**spec).clone(),
        output,
        inputs,
    })
}

/// Says which slices of its inputs a run read for some slices of its output, and which of those changed last.
pub(super) fn reads(look: &Look<'_>, run: &Run, slices: &[SliceKey]) -> Vec<Cause> {
    let Some(line) = look.line(run) else {
        return Vec::new();
    };
    let scope = slices_of(&run.pinned.scope, Some(slices));
    let read_by = crate::read::read_by(&look.sight, run, scope.as_deref());
    let mut out = Vec::new();
    for input in &run.pinned.inputs {
        let Some(dataset) = line.dataset(&input.dataset) else {
            continue;
        };
        let at = |h: &SliceHistory| {
            let content = h.content_at(input.version)?;
            content.files.as_ref()?;
            Some(content.version)
        };
        let read: Vec<(&SliceKey, u64)> = match read_by.slices(&input.dataset) {
            Some(list) => list
                .iter()
                .filter_map(|k| Some((k, at(dataset.slices.get(k)?)?)))
                .collect(),
            None => dataset
                .slices
                .iter()
                .filter_map(|(k, h)| Some((k, at(h)?)))
                .collect(),
        };
        let last = read.iter().max_by_key(|(_, version)| *version);
        let entry = last.and_then(|(_, v)| dataset.versions.iter().find(|e| e.version == *v));
        let columns = dataset.slice_columns.as_slice();
        let what = match (read.as_slice(), &input.reads) {
            ([], _) => format!("it reads {}, which had no rows for it", input.dataset),
            ([(one, _)], _) if one.0.is_empty() => format!("it reads {}", input.dataset),
            ([(one, _)], _) => format!("it reads {}@{}", input.dataset, one.text(columns)),
            (many, Reads::All) => format!("it reads all {} slices of {}", many.len(), input.dataset),
            (many, Reads::Same) => format!("it reads the same {} slices of {}", many.len(), input.dataset),
            (many, rule) => format!("it reads {} slices of {} ({rule})", many.len(), input.dataset),
        };
        let change = match (last, entry) {
            (Some((key, version)), Some(entry)) => {
                let by = match (entry.run, entry.amendment, &entry.promotes) {
                    (_, Some(id), _) => format!("amendment/{id}"),
                    (Some(id), ..) => format!("run/{id}"),
                    (.., Some(branch)) => format!("branch/{branch}"),
                    _ => "a delivery".to_owned(),
                };
                let of_it = if key.0.is_empty() {
                    String::new()
                } else {
                    format!(", in @{}", key.text(columns))
                };
                format!("changed last by {by}, version {version}{of_it}")
            }
            _ => String::new(),
        };
        let what = format!("{what} at version {}", input.version);
        let by = entry.map(|e| look.by(e.seq, e.time)).unwrap_or_default();
        out.push(of(changing(by.cause("reads", what), change), &input.dataset));
    }
    out
}
