//! What an amendment would do: rows as they are and as they would be, and how far that reaches.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::RecordBatch;
use mainstay_api::{AmendReport, Error, ErrorKind};
use mainstay_engine::{CancelToken, Mounted};
use mainstay_model::amendment::{Brought, ChangedRow, Consequences, Edit, RowCounts};
use mainstay_model::id::AmendmentId;
use mainstay_model::spec::{Format, OnSchemaChange, SliceColumn, SourceSpec};
use mainstay_model::{ColumnType, DatasetName, SliceKey};

use super::overlay::shape;
use super::reach::reach;
use super::rule::{Shape, is_decimal};
use super::sample;
use crate::error;
use crate::instance::Instance;
use crate::mount::Part;
use crate::report;
use crate::stage::SliceStage;

/// A preview as the answer of a command that only looks.
pub(super) fn report_of(c: &Consequences, on: &Instance, dataset: &DatasetName, edit: &Edit) -> AmendReport {
    let datasets: Vec<_> = on.with(|s| c.datasets.iter().map(|r| report::reach(s, r)).collect());
    AmendReport {
        amendment: None,
        dataset: dataset.to_string(),
        edit: report::edit(dataset, edit),
        status: "preview".to_owned(),
        rows: c.rows,
        sample: c.sample.iter().map(report::row_change).collect(),
        consumers: report::consumers(on.account_name(), &datasets),
        datasets,
        estimate: report::effort(c.effort),
        took: None,
        who: on.context.actor.clone(),
        time: on.clock.now(),
        reason: on.context.reason.clone(),
        seq: None,
        approvals: (0, Vec::new()),
        runs: Vec::new(),
        error: None,
        redelivered: Vec::new(),
    }
}

fn wrong(message: String, help: Option<String>) -> Error {
    let error = Error::new(ErrorKind::Invalid, "MS0420", message);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

impl Instance {
    pub(super) fn amended_shape(&self, name: &DatasetName) -> Result<Shape, Error> {
        let found = self.with(|s| {
            let d = s.dataset(name)?;
            Some(shape(s, name, d.schema()?, &d.slice_columns))
        });
        match found {
            Some(shape) => Ok(shape),
            None => Err(match self.dataset(name) {
                Err(e) => e,
                Ok(_) => Error::new(
                    ErrorKind::Invalid,
                    "MS0421",
                    format!("{name} holds nothing yet, so there is nothing to correct"),
                )
                .help("mainstay run fills it"),
            }),
        }
    }

    pub(super) fn preview(
        &self,
        name: &DatasetName,
        edit: &Edit,
        cancel: &CancelToken,
    ) -> Result<Consequences, Error> {
        let shape = self.amended_shape(name)?;
        let mut rows = RowCounts::default();
        let mut sample = Vec::new();
        let mut slices: BTreeSet<SliceKey> = BTreeSet::new();
        if let Some(brought) = edit.brought() {
            rows.inserted = brought.rows.0;
            slices.extend(brought.files.iter().map(|(k, _)| k.clone()));
        }
        if let Edit::Revert { amendment } = edit {
            sample = self.reverted(name, *amendment, &mut rows, &mut slices);
        } else if let Some(sql) = shape.changed(edit) {
            validate(&shape, edit)?;
            let met = self.rows_met(&shape, edit, sql, cancel)?;
            let count: usize = met.iter().map(RecordBatch::num_rows).sum();
            match edit {
                Edit::Set { .. } => rows.changed = count as u64,
                _ => rows.deleted = count as u64,
            }
            let moved = match shape.moved_to(edit) {
                Some(sql) => self.rows_met(&shape, edit, sql, cancel)?,
                None => Vec::new(),
            };
            for batch in met.iter().chain(&moved) {
                let split = mainstay_catalog::partition::split(batch, &shape.slice_columns);
                slices.extend(
                    split
                        .map_err(|e| error::catalog(name, &e))?
                        .into_iter()
                        .map(|(k, _)| k),
                );
            }
            sample = sample::changed(&shape, edit, &met)?;
        }
        sample.extend(self.sample_brought(&shape, edit, cancel)?);
        if rows == RowCounts::default() && !matches!(edit, Edit::Revert { .. }) {
            return Err(Error::new(
                ErrorKind::Invalid,
                "MS0422",
                format!(
                    "no row of {name} would change: {} meets none",
                    report::edit(name, edit)
                ),
            )
            .help("mainstay query shows the rows as they are"));
        }

        let jobs = self.downstream(name);
        let unread = self.unread_by(&shape, edit, &jobs);
        let (mut datasets, effort) = self.with(|s| reach(s, &jobs, (name, slices.clone()), &unread));
        let own = mainstay_model::amendment::Reach {
            dataset: name.clone(),
            slices: slices.into_iter().collect(),
            unchanged: None,
            stops: datasets.is_empty().then(|| "nothing reads it".to_owned()),
        };
        datasets.insert(0, own);
        Ok(Consequences {
            rows,
            sample,
            datasets,
            effort,
        })
    }

    /// What taking an amendment back changes: what it changed, the other way round.
    fn reverted(
        &self,
        name: &DatasetName,
        id: AmendmentId,
        rows: &mut RowCounts,
        slices: &mut BTreeSet<SliceKey>,
    ) -> Vec<ChangedRow> {
        self.with(|s| {
            let amendment = s.state.amendments.get(&id);
            if let Some(result) = amendment.and_then(|a| a.result.as_ref()) {
                rows.changed = result.rows.changed;
                rows.inserted = result.rows.deleted;
                rows.deleted = result.rows.inserted;
                let own = result.datasets.iter().filter(|r| r.dataset == *name);
                slices.extend(own.flat_map(|r| r.slices.iter().cloned()));
            }
            let sample = amendment.into_iter().flat_map(|a| &a.preview.sample);
            let back = |row: &ChangedRow| ChangedRow {
                before: row.after.clone(),
                after: row.before.clone(),
            };
            sample.map(back).collect()
        })
    }

    pub(super) fn rows_met(
        &self,
        shape: &Shape,
        edit: &Edit,
        sql: String,
        cancel: &CancelToken,
    ) -> Result<Vec<RecordBatch>, Error> {
        let store = self.store()?;
        let mut mounted: Mounted = self
            .with(|s| self.mount(s, &store, &shape.name, u64::MAX, Part::All))
            .ok_or_else(|| wrong(format!("{} holds nothing", shape.name), None))?;
        if let Edit::Set { target, .. } | Edit::Delete { target } | Edit::Replace { target, .. } = edit
            && let Some(text) = &target.slices
            && let Ok(selection) = text.parse::<mainstay_model::Selection>()
        {
            mounted
                .slices
                .retain(|(k, _)| selection.matches(k, &shape.slice_columns));
        }
        self.ask(sql, vec![mounted], cancel)
    }

    /// Stages the rows of a file that an amendment brings.
    pub(super) fn bring(&self, name: &DatasetName, file: &Path, id: AmendmentId) -> Result<Brought, Error> {
        let shape = self.amended_shape(name)?;
        let format = format_of(file).ok_or_else(|| {
            wrong(
                format!("{} is of no format that can be read", file.display()),
                Some("files end in .parquet, .csv or .ndjson, perhaps with .gz or .zst".to_owned()),
            )
        })?;
        let bytes = std::fs::read(file).map_err(|e| error::file("read", file, &e))?;
        let content = mainstay_ingest::Content::from_bytes(bytes);
        let slice = shape.slice_columns.iter().map(|c| SliceColumn {
            name: c.clone(),
            expression: None,
        });
        let spec = SourceSpec {
            description: None,
            files: file.display().to_string(),
            format,
            null: Vec::new(),
            delimiter: None,
            rename: std::collections::BTreeMap::new(),
            columns: Some(shape.schema.clone()),
            slice: slice.collect(),
            on_schema_change: OnSchemaChange::Refuse,
            approve: 0,
            retain: None,
            on_redelivery: mainstay_model::spec::OnRedelivery::Apply,
        };
        let prefix = format!("a{}-{}-{}", id.0, self.epoch(), self.clock.now().as_micros());
        let never = CancelToken::new();
        let stage = SliceStage::new(self, name, &shape.slice_columns, prefix, &never);
        let label = file.display().to_string();
        let taken = mainstay_ingest::Intake::new(spec).take(mainstay_ingest::Taking {
            known: Some(&shape.schema),
            file: &label,
            content: &content,
            stage: &stage,
        });
        let taken = taken.map_err(|e| match e {
            mainstay_ingest::Error::File(f) => {
                let place = match (f.row, &f.column) {
                    (Some(row), Some(column)) => format!("{label}, row {row}, column {column}: "),
                    (Some(row), None) => format!("{label}, row {row}: "),
                    _ => format!("{label}: "),
                };
                let error = Error::new(ErrorKind::Invalid, f.code, format!("{place}{}", f.message));
                match f.help {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
            other => error::intake(name, &label, &other),
        })?;
        let paths: Vec<String> = taken.files.iter().map(|(_, f)| f.path.clone()).collect();
        self.persist(name, &paths)?;
        Ok(Brought {
            file: label,
            content: content.hash(),
            rows: taken.rows,
            files: taken.files,
        })
    }
}

fn format_of(file: &Path) -> Option<Format> {
    let name = file.file_name()?.to_str()?.to_ascii_lowercase();
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    match plain.rsplit_once('.')?.1 {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        _ => None,
    }
}

/// Checks an edit's condition and values against the dataset's columns, before anything is read.
fn validate(shape: &Shape, edit: &Edit) -> Result<(), Error> {
    let (target, set): (_, &[(String, String)]) = match edit {
        Edit::Set { target, set } => (target, set),
        Edit::Delete { target } | Edit::Replace { target, .. } => (target, &[]),
        Edit::Insert { .. } | Edit::Revert { .. } => return Ok(()),
    };
    if let Some(condition) = &target.condition {
        let column = expression(shape, condition, "--where")?;
        if column.is_some_and(|t| t != ColumnType::Boolean) {
            return Err(wrong(
                format!("--where: `{condition}` is not a condition"),
                Some("write a comparison, for example dep_delay > 1300".to_owned()),
            ));
        }
    }
    for (i, (column, e)) in set.iter().enumerate() {
        if set.iter().take(i).any(|(c, _)| c == column) {
            return Err(wrong(
                format!("--set: `{column}` is set twice"),
                Some("a column gets one value; leave one of them out".to_owned()),
            ));
        }
        let Some(held) = shape.schema.column(column) else {
            let names: Vec<&str> = shape.schema.names().collect();
            let near = mainstay_base::text::nearest(column, names.iter().copied());
            return Err(wrong(
                format!("--set: {} has no column `{column}`", shape.name),
                near.map(|n| format!("did you mean `{n}`?")),
            ));
        };
        if let Some(made) = shape.made.iter().find(|m| m.column == *column) {
            return Err(wrong(
                format!("--set: `{column}` is made of other columns ({})", made.expression),
                Some("set those".to_owned()),
            ));
        }
        if let ColumnType::Decimal(_, scale) = held.column_type
            && is_decimal(e, scale)
        {
            continue;
        }
        let yields = expression(shape, e, &format!("--set {column}"))?;
        if let Some(yields) = yields.filter(|y| !fits(y, &held.column_type)) {
            return Err(wrong(
                format!("--set: `{e}` is {yields}, and {column} is {}", held.column_type),
                Some("say how it is to be turned into the column's type, with CAST".to_owned()),
            ));
        }
    }
    Ok(())
}

/// The type of an expression over a dataset's columns; none if it is NULL.
fn expression(shape: &Shape, text: &str, place: &str) -> Result<Option<ColumnType>, Error> {
    if text.trim().eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    let inputs = std::collections::BTreeMap::from([(
        shape.name.clone(),
        mainstay_sql::InputTable {
            schema: shape.schema.clone(),
            slice_columns: shape.slice_columns.clone(),
        },
    )]);
    let fragment = mainstay_sql::Fragment::of(text);
    if !fragment.is_enclosed {
        return Err(wrong(
            format!("{place}: `{text}` is not one expression"),
            Some("each bracket that is opened is closed after it".to_owned()),
        ));
    }
    let sql = format!("SELECT ({text}\n) AS value FROM {}", shape.name);
    if mainstay_sql::references(&sql).is_ok_and(|r| r.len() > 1) {
        return Err(wrong(
            format!("{place}: `{text}` reads a dataset, and an amendment sees one row at a time"),
            Some("look the values up first, and write them out".to_owned()),
        ));
    }
    let alone = format!("SELECT 1 AS one FROM {} WHERE ({text}\n) IS NULL", shape.name);
    match mainstay_sql::analyse(&sql, &inputs, &[]) {
        // Where rows are chosen no sum over many of them is allowed.
        Ok(_) if fragment.has_window || mainstay_sql::analyse(&alone, &inputs, &[]).is_err() => Err(wrong(
            format!("{place}: `{text}` is about many rows, and an amendment sees one row at a time"),
            Some("compute the value first, and write it out".to_owned()),
        )),
        Ok(analysed) => Ok(analysed.columns.0.first().map(|c| c.column_type.clone())),
        Err(problems) => {
            let texts: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
            let help = problems.iter().find_map(|p| p.help.clone());
            Err(wrong(format!("{place}: {}", texts.join("; ")), help))
        }
    }
}

/// Says whether a value of one type becomes one of another without loss, or with an error where it would not.
fn fits(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    let integer = |t: &T| matches!(t, T::Byte | T::Short | T::Integer | T::Long);
    match (from, to) {
        _ if from == to => true,
        (a, b) if integer(a) => integer(b) || matches!(b, T::Double | T::Decimal(..)),
        (T::Decimal(_, a), T::Decimal(_, b)) => a <= b,
        (T::Decimal(..) | T::Float, T::Double) => true,
        (T::String, T::Date | T::Timestamp | T::TimestampNtz) => true,
        (T::Date, T::Timestamp | T::TimestampNtz) => true,
        _ => false,
    }
}
