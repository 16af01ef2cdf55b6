//! CSV with a header (RFC 4180): rows as texts.
//!
//! Owns fields, quotes, line endings and the byte order mark. A field with nothing in it, quoted or not, is NULL, and so is
//! each of the source's null texts; empty lines are not rows. Every row has as many fields as the header.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use csv_core::{ReadRecordResult, Reader};
use mainstay_model::delivery::FileError;
use mainstay_model::spec::SourceSpec;

use super::{BATCH_BYTES, BATCH_ROWS, Batch, Read, Stop};
use crate::cast::without;
use crate::content::{Content, Unpacked, WasStopped};
use crate::fault;

/// The longest row, in bytes: beyond it a quote was not closed.
const LONGEST_ROW: usize = 64 << 20;

pub(crate) struct CsvReader {
    input: Unpacked,
    parser: Reader,
    nulls: Vec<String>,
    rename: BTreeMap<String, String>,
    header: Vec<String>,
    rows: u64,
    /// The line on which the row that is being read begins.
    row_line: u64,
    done: bool,
    failed: Option<Stop>,
}

/// The fields of some rows: their texts end to end, and where each ends, counted from the start of its row.
#[derive(Default)]
struct Fields {
    text: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    count: usize,
}

enum Row {
    Fields { start: usize, first_end: usize },
    End,
}

impl CsvReader {
    pub(crate) fn open(content: &Content, name: &str, spec: &SourceSpec) -> Result<Self, Stop> {
        let delimiter = u8::try_from(spec.delimiter.unwrap_or(',')).unwrap_or(b',');
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        let mut reader = Self {
            input: content.unpack(name)?,
            parser,
            nulls: spec.null.clone(),
            rename: spec.rename.clone(),
            header: Vec::new(),
            rows: 0,
            row_line: 1,
            done: false,
            failed: None,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// Returns the names of the columns, as the dataset calls them.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    fn read_header(&mut self) -> Result<(), Stop> {
        let mut fields = Fields::default();
        self.skip_mark()?;
        let Row::Fields { .. } = self.record(&mut fields)? else {
            return Err(fault::no_columns("the file is empty: there is not even a header").into());
        };
        let mut start = 0;
        for end in fields.ends.iter().take(fields.count) {
            let name = fields.text.get(start..*end).unwrap_or_default();
            let name = std::str::from_utf8(name).map_err(|_| fault::not_utf8(None, None))?;
            let name = self.rename.get(name).map_or(name, String::as_str);
            self.header.push(name.to_owned());
            start = *end;
        }
        Ok(())
    }

    /// Skips a byte order mark, however the first bytes arrive.
    fn skip_mark(&mut self) -> Result<(), Stop> {
        let noun = self.input.packing.noun();
        let bytes = self.input.fill().map_err(|e| unreadable(noun, &e, 0))?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            self.input.consume(3);
        }
        Ok(())
    }

    /// Parses one record into the fields.
    fn record(&mut self, fields: &mut Fields) -> Result<Row, Stop> {
        let (start, first_end) = (fields.filled, fields.count);
        let mut closing = false;
        loop {
            let noun = self.input.packing.noun();
            let input = self.input.fill().map_err(|e| unreadable(noun, &e, self.rows))?;
            let at_end = input.is_empty();
            // At the end of the file a line ending shows whether a quote is still open: inside one it is text.
            let input = if at_end && !closing { b"\n" } else { input };
            if fields.text.len() < fields.filled + input.len() + 64 {
                fields
                    .text
                    .resize((fields.filled + input.len() + 64).max(fields.text.len() * 2), 0);
            }
            if fields.ends.len() < fields.count + 64 {
                fields
                    .ends
                    .resize((fields.count + 64).max(fields.ends.len() * 2), 0);
            }
            let (result, read, written, ended) = self.parser.read_record(
                input,
                fields.text.get_mut(fields.filled..).unwrap_or_default(),
                fields.ends.get_mut(fields.count..).unwrap_or_default(),
            );
            fields.filled += written;
            fields.count += ended;
            if !at_end {
                self.input.consume(read);
            }
            match result {
                ReadRecordResult::Record => return Ok(Row::Fields { start, first_end }),
                ReadRecordResult::End => return Ok(Row::End),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::InputEmpty if at_end => {
                    if fields.filled > start || fields.count > first_end {
                        return Err(self.endless("ends inside a quoted field").into());
                    }
                    closing = true;
                }
                ReadRecordResult::InputEmpty => {}
            }
            if fields.filled - start > LONGEST_ROW {
                return Err(self
                    .endless("is longer than 64 MB: a quote was perhaps not closed")
                    .into());
            }
        }
    }

    /// Returns the line on which the next row begins; line endings before it may not be read yet.
    fn next_line(&mut self) -> Result<u64, Stop> {
        let noun = self.input.packing.noun();
        let ahead = self.input.fill().map_err(|e| unreadable(noun, &e, self.rows))?;
        let ends = ahead
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .filter(|b| **b == b'\n')
            .count();
        Ok(self.parser.line() + ends as u64)
    }

    fn endless(&self, why: &str) -> FileError {
        fault::endless(self.rows + 1, self.row_line, why)
    }

    /// Reads rows until there are enough, the file ends, or a row is bad.
    fn rows(&mut self, fields: &mut Fields) -> Result<(), Stop> {
        let width = self.header.len();
        let mut rows = 0;
        while rows < BATCH_ROWS && fields.filled < BATCH_BYTES {
            let line = self.next_line()?;
            self.row_line = line;
            match self.record(fields)? {
                Row::End => {
                    self.done = true;
                    return Ok(());
                }
                Row::Fields { start, first_end } => {
                    let found = fields.count - first_end;
                    if found != width {
                        (fields.filled, fields.count) = (start, first_end);
                        return Err(fault::ragged(self.rows + 1, line, width, found).into());
                    }
                    for end in fields.ends.iter_mut().take(fields.count).skip(first_end) {
                        *end += start;
                    }
                    rows += 1;
                    self.rows += 1;
                }
            }
        }
        Ok(())
    }

    /// Turns fields, row by row, into columns.
    fn columns(&self, fields: &Fields, rows: usize) -> Result<Vec<ArrayRef>, ArrowError> {
        let width = self.header.len();
        let mut out: Vec<ArrayRef> = Vec::with_capacity(width);
        for column in 0..width {
            let mut values = Vec::with_capacity(fields.filled / width.max(1) + 16);
            let mut offsets: Vec<i32> = Vec::with_capacity(rows + 1);
            let mut valid = Vec::with_capacity(rows);
            offsets.push(0);
            for row in 0..rows {
                let field = fields.get(row * width + column);
                values.extend_from_slice(field);
                offsets.push(i32::try_from(values.len()).unwrap_or(i32::MAX));
                valid.push(!field.is_empty());
            }
            let nulls = Some(NullBuffer::from(valid)).filter(|n| n.null_count() > 0);
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            let array = StringArray::try_new(offsets, Buffer::from_vec(values), nulls)?;
            out.push(Arc::new(without(array, &self.nulls)));
        }
        Ok(out)
    }

    /// Finds the first field that is not UTF-8: its row, from 0, and its column.
    fn not_utf8(&self, fields: &Fields, rows: usize) -> Option<(usize, usize)> {
        let width = self.header.len();
        let bad = (0..rows * width).find(|i| std::str::from_utf8(fields.get(*i)).is_err())?;
        Some((bad / width, bad % width))
    }
}

impl Fields {
    fn get(&self, i: usize) -> &[u8] {
        let start = i
            .checked_sub(1)
            .and_then(|i| self.ends.get(i))
            .copied()
            .unwrap_or(0);
        self.ends
            .get(i)
            .and_then(|end| self.text.get(start..*end))
            .unwrap_or_default()
    }
}

impl Read for CsvReader {
    fn next(&mut self) -> Result<Option<Batch>, Stop> {
        if let Some(stop) = self.failed.take() {
            self.done = true;
            return Err(stop);
        }
        if self.done {
            return Ok(None);
        }
        let first_row = self.rows + 1;
        let mut fields = Fields::default();
        let read = self.rows(&mut fields);
        let mut rows = usize::try_from(self.rows + 1 - first_row).unwrap_or(0);
        self.failed = read.err();
        let columns = match self.columns(&fields, rows) {
            Ok(columns) => columns,
            Err(e) => {
                let Some((row, column)) = self.not_utf8(&fields, rows) else {
                    return Err(Stop::Io(std::io::Error::other(e)));
                };
                let name = self.header.get(column).map(String::as_str);
                self.failed = Some(fault::not_utf8(Some(first_row + row as u64), name).into());
                rows = row;
                self.columns(&fields, rows).map_err(std::io::Error::other)?
            }
        };
        match self.failed.take() {
            Some(stop) if rows == 0 => {
                self.done = true;
                Err(stop)
            }
            failed => {
                self.failed = failed;
                Ok((rows > 0).then_some(Batch {
                    first_row,
                    rows,
                    columns,
                }))
            }
        }
    }
}

/// Says that a compressed stream is damaged, or that the disk is.
pub(super) fn unreadable(noun: &str, e: &std::io::Error, after: u64) -> Stop {
    if noun == "file" || e.get_ref().is_some_and(|e| e.is::<WasStopped>()) {
        return Stop::Io(std::io::Error::new(e.kind(), e.to_string()));
    }
    Stop::Bad(fault::damaged(noun, &e.to_string(), after))
}
