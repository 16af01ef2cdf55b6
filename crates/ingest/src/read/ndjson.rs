//! NDJSON: one object a line, as shapes whose leaves are texts.
//!
//! Owns lines, keys and shapes. A key that a line does not have is NULL; empty lines are not rows. Numbers stay the text that
//! was delivered until they are cast, so nothing is rounded on the way. The quick path decodes many lines at once; only when
//! that fails are they looked at one by one, to name the row and the reason.

use std::io::{BufRead, Read as _};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef};
use arrow_json::reader::{Decoder, ReaderBuilder};
use mainstay_model::{Column, ColumnType, Schema};
use serde_json::Value;

use super::csv::unreadable;
use super::{BATCH_BYTES, BATCH_ROWS, Batch, Read, Stop};
use crate::content::{Content, Unpacked};
use crate::fault;
use crate::shape::Shape;

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

pub(crate) struct Lines {
    input: Unpacked,
    rows: u64,
    begun: bool,
}

impl Lines {
    pub(crate) fn open(content: &Content, name: &str) -> Result<Self, Stop> {
        Ok(Self {
            input: content.unpack(name)?,
            rows: 0,
            begun: false,
        })
    }

    /// Appends the next line that is not empty, with its line ending; says whether there was one.
    fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Stop> {
        let noun = self.input.packing.noun();
        loop {
            let start = out.len();
            let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', out);
            let n = read.map_err(|e| unreadable(noun, &e, self.rows))? as u64;
            if !self.begun {
                self.begun = true;
                if out.get(start..).is_some_and(|l| l.starts_with(b"\xef\xbb\xbf")) {
                    out.drain(start..start + 3);
                }
            }
            if n == 0 {
                return Ok(false);
            }
            if n >= LONGEST_LINE && out.last() != Some(&b'\n') {
                return Err(fault::bad_json(self.rows + 1, "it is longer than 64 MB").into());
            }
            if out.get(start..).unwrap_or_default().trim_ascii().is_empty() {
                out.truncate(start);
                continue;
            }
            if out.last() != Some(&b'\n') {
                out.push(b'\n');
            }
            self.rows += 1;
            return Ok(true);
        }
    }
}

pub(crate) struct NdjsonReader {
    lines: Lines,
    columns: Schema,
    shape: SchemaRef,
    strict: bool,
    failed: Option<Stop>,
    done: bool,
}

impl NdjsonReader {
    /// Reads these columns; with `strict`, a key that is none of them stops the reading.
    pub(crate) fn open(content: &Content, name: &str, columns: &Schema, strict: bool) -> Result<Self, Stop> {
        let fields: Vec<Field> = columns
            .0
            .iter()
            .map(|c| Field::new(&c.name, shape(&c.column_type), true))
            .collect();
        let (shape, lines) = (Arc::new(ArrowSchema::new(fields)), Lines::open(content, name)?);
        Ok(Self {
            lines,
            columns: columns.clone(),
            shape,
            strict,
            failed: None,
            done: false,
        })
    }

    fn decoder(&self, rows: usize) -> Result<Decoder, Stop> {
        let builder = ReaderBuilder::new(self.shape.clone()).with_batch_size(rows.max(1));
        let decoder = builder
            .with_coerce_primitive(true)
            .with_strict_mode(self.strict)
            .build_decoder();
        decoder.map_err(|e| Stop::Io(std::io::Error::other(e)))
    }

    fn decode(&self, lines: &[u8], rows: usize) -> Result<Vec<arrow::array::ArrayRef>, String> {
        let mut decoder = self
            .decoder(rows)
            .map_err(|_| "it cannot be decoded".to_owned())?;
        let mut decode = || {
            let used = decoder.decode(lines)?;
            let batch = decoder.flush()?;
            Ok((used, batch))
        };
        match decode() {
            Ok((used, Some(batch))) if used >= lines.trim_ascii_end().len() && batch.num_rows() == rows => {
                Ok(batch.columns().to_vec())
            }
            Ok(_) => Err("the line holds more or less than one object".to_owned()),
            Err(arrow::error::ArrowError::JsonError(e)) => Err(e),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Finds the first line that cannot be decoded, and why.
    fn explain(&self, lines: &[u8], first_row: u64) -> Option<(usize, Stop)> {
        for (i, line) in lines.split_inclusive(|b| *b == b'\n').enumerate() {
            let row = first_row + i as u64;
            if std::str::from_utf8(line).is_err() {
                return Some((i, fault::not_utf8(Some(row), None).into()));
            }
            let object = match serde_json::from_slice::<Value>(line.trim_ascii()) {
                Ok(Value::Object(object)) => object,
                Ok(other) => {
                    return Some((i, fault::bad_json(row, &format!("it is {}", kind(&other))).into()));
                }
                Err(e) => return Some((i, fault::bad_json(row, &reason(&e)).into())),
            };
            for (key, value) in &object {
                match self.columns.column(key) {
                    None if self.strict => return Some((i, Stop::UnknownColumn)),
                    None => {}
                    Some(c) => {
                        if let Some(stop) = self.misshaped(row, &c.name, value, &c.column_type) {
                            return Some((i, stop));
                        }
                    }
                }
            }
            if let Err(why) = self.decode(line, 1) {
                return Some((i, fault::bad_json(row, &why).into()));
            }
        }
        None
    }

    /// Says what is wrong with the shape of a value: an object where a text or number should be, and so on.
    fn misshaped(&self, row: u64, path: &str, value: &Value, t: &ColumnType) -> Option<Stop> {
        match (value, t) {
            (Value::Null, _) => None,
            (Value::Object(o), ColumnType::Struct(fields)) => {
                o.iter()
                    .find_map(|(key, v)| match fields.iter().find(|(name, _)| name == key) {
                        Some((_, t)) => self.misshaped(row, &format!("{path}.{key}"), v, t),
                        None => self.strict.then_some(Stop::UnknownColumn),
                    })
            }
            (Value::Object(o), ColumnType::Map(_, t)) => o
                .iter()
                .find_map(|(key, v)| self.misshaped(row, &format!("{path}.{key}"), v, t)),
            (Value::Array(a), ColumnType::Array(t)) => a.iter().find_map(|v| self.misshaped(row, path, v, t)),
            (_, ColumnType::Struct(_) | ColumnType::Map(_, _) | ColumnType::Array(_))
            | (Value::Object(_) | Value::Array(_), _) => {
                Some(fault::misfit(row, path, &value.to_string(), t).into())
            }
            _ => None,
        }
    }
}

impl Read for NdjsonReader {
    fn next(&mut self) -> Result<Option<Batch>, Stop> {
        if let Some(stop) = self.failed.take() {
            self.done = true;
            return Err(stop);
        }
        if self.done {
            return Ok(None);
        }
        let first_row = self.lines.rows + 1;
        let (mut lines, mut rows, mut end) = (Vec::new(), 0, 0);
        while rows < BATCH_ROWS && end < BATCH_BYTES {
            match self.lines.next(&mut lines) {
                Ok(true) => (rows, end) = (rows + 1, lines.len()),
                Ok(false) => break,
                Err(stop) => {
                    self.failed = Some(stop);
                    break;
                }
            }
        }
        // A line that could not be read to its end has left its beginning behind.
        lines.truncate(end);
        if rows == 0 {
            self.done = true;
            return self.failed.take().map_or(Ok(None), Err);
        }
        match self.decode(&lines, rows) {
            Ok(columns) => Ok(Some(Batch {
                first_row,
                rows,
                columns,
            })),
            Err(why) => match self.explain(&lines, first_row) {
                Some((0, stop)) => {
                    self.done = true;
                    Err(stop)
                }
                Some((_, Stop::UnknownColumn)) => Err(Stop::UnknownColumn),
                Some((good, stop)) => {
                    self.failed = Some(stop);
                    let until: usize = lines
                        .split_inclusive(|b| *b == b'\n')
                        .take(good)
                        .map(<[u8]>::len)
                        .sum();
                    let before = lines.get(..until).unwrap_or_default();
                    let columns = self
                        .decode(before, good)
                        .map_err(|why| fault::bad_json(first_row, &why))?;
                    Ok(Some(Batch {
                        first_row,
                        rows: good,
                        columns,
                    }))
                }
                None => Err(fault::bad_json(first_row, &why).into()),
            },
        }
    }
}

/// Finds the columns of a file and their types, from all its lines.
pub(crate) fn infer(content: &Content, name: &str) -> Result<Schema, Stop> {
    let mut lines = Lines::open(content, name)?;
    let mut whole = Shape::Object(Vec::new());
    let mut line = Vec::new();
    loop {
        line.clear();
        if !lines.next(&mut line)? {
            break;
        }
        let row = lines.rows;
        std::str::from_utf8(&line).map_err(|_| fault::not_utf8(Some(row), None))?;
        match serde_json::from_slice::<Shape>(line.trim_ascii()) {
            Ok(object @ Shape::Object(_)) => whole = whole.or(object),
            Ok(other) => return Err(fault::bad_json(row, &format!("it is {}", other.noun())).into()),
            Err(e) => return Err(fault::bad_json(row, &reason(&e)).into()),
        }
        if let Some((path, before, now)) = whole.clash() {
            return Err(fault::mixed(row, &path, before, now).into());
        }
    }
    let Shape::Object(fields) = whole else {
        return Ok(Schema::default());
    };
    if fields.is_empty() {
        return Err(fault::no_columns("the file has no rows, so its columns are not known").into());
    }
    Ok(Schema(
        fields
            .into_iter()
            .map(|(name, s)| Column {
                name,
                column_type: s.column_type(),
            })
            .collect(),
    ))
}

/// Returns the arrow type that holds a value's texts.
fn shape(t: &ColumnType) -> DataType {
    match t {
        ColumnType::Array(item) => DataType::List(Arc::new(Field::new("element", shape(item), true))),
        ColumnType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(n, t)| Field::new(n, shape(t), true))
                .collect::<Fields>(),
        ),
        ColumnType::Map(_, value) => {
            let entries = Fields::from(vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", shape(value), true),
            ]);
            DataType::Map(
                Arc::new(Field::new("key_value", DataType::Struct(entries), false)),
                false,
            )
        }
        _ => DataType::Utf8,
    }
}

fn reason(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("{what} (character {})", e.column())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
