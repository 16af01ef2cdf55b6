//! How a file's columns become the dataset's, and what its source's policy says when they differ.
//!
//! Columns are matched by name, in any order: exactly, or for CSV headers else regardless of case. Wider integers and floats
//! of the dataset take narrower ones of the file; that is no change. A delivered column with the name of a slice expression
//! is an input of that expression only.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use mainstay_base::text::nearest;
use mainstay_model::delivery::FileError;
use mainstay_model::spec::{OnSchemaChange, SourceSpec};
use mainstay_model::{Column, ColumnType, Schema};
use mainstay_sql::arrow_types::stored;

use crate::cast::cast;
use crate::fault;
use crate::read::Batch;

/// What is known of a file's columns before its rows are read.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The names, in the order of the reader's batches, and the types where they are known.
    pub(crate) columns: Vec<(String, Known)>,
    /// Whether names may match regardless of case.
    pub(crate) any_case: bool,
    /// Whether a dataset's column that is not among them is just NULL (NDJSON), or missing.
    pub(crate) sparse: bool,
}

/// What is known of a delivered column's type.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// Texts that are yet to be parsed; perhaps with the type that they would have by themselves.
    Text(Option<ColumnType>),
    /// A type of its own.
    Typed(ColumnType),
    /// One that no column can have, and why.
    Odd(String),
}

/// The way from a reader's batches to the columns that slice expressions see, and on to the dataset's.
#[derive(Debug)]
pub(crate) struct Fit {
    /// The columns that slice expressions see.
    pub(crate) inputs: Schema,
    /// For each of them the delivered column; none: NULL.
    from: Vec<Option<usize>>,
    /// The dataset's columns; more than before if the policy is `add`.
    pub(crate) dataset: Schema,
    /// For each of them, where it comes from.
    pub(crate) outputs: Vec<Output>,
    arrow: SchemaRef,
}

/// Where a dataset's column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The input with this index.
    Input(usize),
    /// The slice column with this index.
    Slice(usize),
}

/// Says what is done with each column of a file; a difference that the policy does not allow is an error naming them all.
pub(crate) fn fit(spec: &SourceSpec, known: &Schema, delivered: &Delivered) -> Result<Fit, FileError> {
    let computed = |name: &str| {
        spec.slice
            .iter()
            .position(|s| s.expression.is_some() && s.name == name)
    };
    let mut differences = Vec::new();
    let mut inputs = Vec::new();
    let mut from = Vec::new();
    let mut outputs = Vec::new();
    let mut used = vec![false; delivered.columns.len()];
    let mut missing = Vec::new();
    for column in &known.0 {
        if let Some(slice) = computed(&column.name) {
            outputs.push(Output::Slice(slice));
            continue;
        }
        let at = delivered.find(&column.name);
        match at.and_then(|i| delivered.columns.get(i)) {
            None if delivered.sparse => {}
            None => missing.push(column.name.as_str()),
            Some((_, kind)) => differences.extend(type_change(column, kind, spec.on_schema_change)),
        }
        if let Some(used) = at.and_then(|i| used.get_mut(i)) {
            *used = true;
        }
        outputs.push(Output::Input(inputs.len()));
        inputs.push(column.clone());
        from.push(at);
    }
    let mut dataset = known.clone();
    let mut new = Vec::new();
    for (i, (name, kind)) in delivered.columns.iter().enumerate() {
        if used.get(i) == Some(&true) {
            continue;
        }
        let replaced = computed(name).is_some();
        if !replaced && spec.on_schema_change == OnSchemaChange::Cast {
            continue;
        }
        let column_type = match kind {
            Known::Odd(why) if !replaced => return Err(fault::no_such_type(name, why)),
            Known::Odd(_) => continue,
            Known::Text(t) => t.clone().unwrap_or(ColumnType::String),
            Known::Typed(t) => t.clone(),
        };
        let column = Column {
            name: name.clone(),
            column_type,
        };
        if !replaced {
            new.push(column.clone());
            outputs.push(Output::Input(inputs.len()));
            dataset.0.push(column.clone());
        }
        inputs.push(column);
        from.push(Some(i));
    }
    if spec.on_schema_change == OnSchemaChange::Refuse {
        differences.extend(
            new.iter()
                .map(|c| format!("column `{}` ({}) is new", c.name, c.column_type)),
        );
        differences.extend(missing.iter().map(|name| {
            match nearest(name, new.iter().map(|c| c.name.as_str())) {
                Some(other) => format!("column `{name}` is missing (is it called `{other}` now?)"),
                None => format!("column `{name}` is missing"),
            }
        }));
    }
    if !differences.is_empty() {
        return Err(fault::schema_changed(&differences, help(spec.on_schema_change)));
    }
    let fields: Vec<Field> = dataset
        .0
        .iter()
        .map(|c| Field::new(&c.name, stored(&c.column_type), true))
        .collect();
    Ok(Fit {
        inputs: Schema(inputs),
        from,
        dataset,
        outputs,
        arrow: Arc::new(ArrowSchema::new(fields)),
    })
}

impl Delivered {
    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|(n, _)| n == name);
        let loose = || {
            let alike = |n: &str| n.to_lowercase() == name.to_lowercase();
            self.columns
                .iter()
                .position(|(n, _)| alike(n))
                .filter(|_| self.any_case)
        };
        exact.or_else(loose)
    }
}

impl Fit {
    /// Brings a batch's columns to the inputs' types; the first value that does not fit is an error.
    pub(crate) fn inputs(&self, batch: &Batch) -> Result<Vec<ArrayRef>, FileError> {
        let mut out = Vec::with_capacity(self.inputs.0.len());
        let mut first: Option<(usize, FileError)> = None;
        for (column, from) in self.inputs.0.iter().zip(&self.from) {
            let Some(array) = from.and_then(|i| batch.columns.get(i)) else {
                out.push(new_null_array(&stored(&column.column_type), batch.rows));
                continue;
            };
            match cast(array, &column.column_type) {
                Ok(array) => out.push(array),
                Err(misfit) if first.as_ref().is_some_and(|(row, _)| *row <= misfit.row) => {}
                Err(misfit) => {
                    let name = format!("{}{}", column.name, misfit.path);
                    let row = batch.first_row + misfit.row as u64;
                    first = Some((
                        misfit.row,
                        fault::misfit(row, &name, &misfit.value, &misfit.expected),
                    ));
                }
            }
        }
        first.map_or(Ok(out), |(_, error)| Err(error))
    }

    /// Returns the arrow schema of the dataset's columns.
    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }
}

fn type_change(column: &Column, delivered: &Known, policy: OnSchemaChange) -> Option<String> {
    let (name, was) = (&column.name, &column.column_type);
    match delivered {
        Known::Odd(why) => Some(format!(
            "column `{name}` is {was} in the dataset, and in the file {why}"
        )),
        Known::Typed(now) if policy != OnSchemaChange::Cast && !widens(now, was) => {
            Some(format!("column `{name}` is {now}, in the dataset {was}"))
        }
        Known::Text(Some(now)) if policy != OnSchemaChange::Cast => {
            let extra = new_fields(now, was, name);
            (!extra.is_empty()).then(|| format!("column `{name}` has new fields: {}", extra.join(", ")))
        }
        _ => None,
    }
}

/// Says whether every value of a type is a value of the other, of the same kind and perhaps wider.
fn widens(from: &ColumnType, to: &ColumnType) -> bool {
    let width = |t: &ColumnType| match t {
        ColumnType::Byte => 1,
        ColumnType::Short => 2,
        ColumnType::Integer => 3,
        ColumnType::Long => 4,
        _ => 0,
    };
    match (from, to) {
        (a, b) if a == b => true,
        (ColumnType::Float, ColumnType::Double) => true,
        (ColumnType::Decimal(p, s), ColumnType::Decimal(q, t)) => {
            s <= t && i16::from(*p) - i16::from(*s) <= i16::from(*q) - i16::from(*t)
        }
        (ColumnType::Array(a), ColumnType::Array(b)) => widens(a, b),
        (ColumnType::Map(k, v), ColumnType::Map(l, w)) => widens(k, l) && widens(v, w),
        (ColumnType::Struct(a), ColumnType::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((n, t), (m, u))| n == m && widens(t, u))
        }
        (a, b) => width(a) > 0 && width(a) < width(b),
    }
}

/// Finds the fields of nested values that the dataset's type does not have.
fn new_fields(now: &ColumnType, was: &ColumnType, path: &str) -> Vec<String> {
    match (now, was) {
        (ColumnType::Struct(now), ColumnType::Struct(was)) => now
            .iter()
            .flat_map(|(name, t)| match was.iter().find(|(n, _)| n == name) {
                Some((_, was)) => new_fields(t, was, &format!("{path}.{name}")),
                None => vec![format!("`{path}.{name}`")],
            })
            .collect(),
        (ColumnType::Array(now), ColumnType::Array(was))
        | (ColumnType::Map(_, now), ColumnType::Map(_, was)) => new_fields(now, was, path),
        _ => Vec::new(),
    }
}

fn help(policy: OnSchemaChange) -> &'static str {
    match policy {
        OnSchemaChange::Refuse => {
            "`on_schema_change = \"add\"` takes new columns in and lets missing ones be NULL, \"cast\" keeps the dataset's columns"
        }
        OnSchemaChange::Add => {
            "deliver the column as it was, or `on_schema_change = \"cast\"` casts it to the dataset's type"
        }
        OnSchemaChange::Cast => "deliver the column as another type",
    }
}
