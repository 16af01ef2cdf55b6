//! Places in files: where something is written, in lines and columns that people and editors count.
//!
//! Owns the way from byte offsets to places, also for text that was taken out of a file (a query under its settings, a string
//! in TOML with escapes). Knows nothing of what is written there. Lines and columns count from 1, columns in characters; a
//! place lies within one line: what spans several is cut at the end of the first.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A stretch of one line of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, relative to the project.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The first character's column, from 1.
    pub column: u32,
    /// The column after the last character; equal to `column` where nothing stands, as at the end of a line.
    pub end_column: u32,
}

impl fmt::Display for Place {
    /// `jobs/air/daily.sql:4:1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// A file's text with its lines.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    path: Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines of a text. A byte order mark belongs to no line.
    pub(crate) fn new(path: &str, text: &'a str) -> Self {
        let first = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let starts = std::iter::once(first)
            .chain(text.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        Self {
            path: path.into(),
            text,
            starts,
        }
    }

    /// Returns the path.
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Returns the whole text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Returns where the text begins: after a byte order mark.
    pub(crate) fn begin(&self) -> usize {
        self.starts.first().copied().unwrap_or(0)
    }

    /// Returns where a line (from 0) begins and ends, its line end not included.
    pub(crate) fn line(&self, index: usize) -> Option<Range<usize>> {
        let start = *self.starts.get(index)?;
        let end = self
            .starts
            .get(index + 1)
            .map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end)?;
        Some(start..start + line.strip_suffix('\r').unwrap_or(line).len())
    }

    /// Returns the number of lines; the end of the last line begins another, empty one.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// Returns the line (from 0) that holds an offset.
    fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|s| *s <= offset).saturating_sub(1)
    }

    /// Returns the place of a stretch of bytes. What lies behind the end is at the end; the end of the file is the end of
    /// its last line that has one.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let mut start = floor(self.text, span.start.max(self.begin()));
        if start == self.text.len() && self.text.ends_with('\n') && start > self.begin() {
            start -= 1;
        }
        let index = self.line_of(start);
        let line = self.line(index).unwrap_or(start..start);
        let start = start.clamp(line.start, line.end.max(line.start));
        let end = floor(self.text, span.end).clamp(start, line.end.max(start));
        let chars = |r: Range<usize>| self.text.get(r).map_or(0, |s| s.chars().count());
        let column = 1 + chars(line.start..start);
        Place {
            file: Arc::clone(&self.path),
            line: number(index + 1),
            column: number(column),
            end_column: number(column + chars(start..end)),
        }
    }
}

/// A count as it is written in a place.
pub(crate) fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The nearest character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Text taken out of a file, which still knows where each of its characters is written: the query of a job, an expression of
/// a slice column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    text: String,
    file: Arc<str>,
    pieces: Vec<Piece>,
}

/// From here to the next piece, the text stands in the file character by character, within one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    start: usize,
    line: u32,
    column: u32,
}

impl Text {
    /// Makes a text of `text`, whose stretches from each first offset on are written in the file from the second on.
    /// The first stretch begins at 0; none crosses the end of a line.
    pub(crate) fn new(lines: &Lines<'_>, text: String, stretches: &[(usize, usize)]) -> Self {
        let piece = |&(start, offset): &(usize, usize)| {
            let place = lines.place(offset..offset);
            Piece {
                start,
                line: place.line,
                column: place.column,
            }
        };
        Self {
            text,
            file: Arc::clone(lines.path()),
            pieces: stretches.iter().map(piece).collect(),
        }
    }

    /// Takes a stretch of a file as it is.
    pub(crate) fn of_file(lines: &Lines<'_>, span: Range<usize>) -> Self {
        let text = lines.text().get(span.clone()).unwrap_or_default();
        let ends = text.match_indices('\n').map(|(i, _)| i + 1);
        let stretches: Vec<_> = std::iter::once(0)
            .chain(ends)
            .map(|i| (i, span.start + i))
            .collect();
        Self::new(lines, text.to_owned(), &stretches)
    }

    /// Takes a whole text that stands in a file, or in something that is called like one.
    pub fn of(path: &str, text: &str) -> Self {
        let lines = Lines::new(path, text);
        Self::of_file(&lines, lines.begin()..text.len())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the file that it stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns where a stretch of bytes of this text is written. What lies behind the end is at the end.
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let (line, column) = self.position(start);
        let mut end_column = column;
        for (i, c) in self.text.get(start..end).unwrap_or_default().char_indices() {
            let (here, at) = self.position(start + i);
            if here != line || c == '\n' || c == '\r' {
                break;
            }
            end_column = at + 1;
        }
        Place {
            file: Arc::clone(&self.file),
            line,
            column,
            end_column,
        }
    }

    /// Returns where the word is written that stands at a line and column of this text, both counted from 1, columns in
    /// characters: the way SQL parsers say where they stopped.
    pub fn place_at(&self, line: u64, column: u64) -> Place {
        let skipped = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let start = match skipped {
            0 => 0,
            n => self
                .text
                .match_indices('\n')
                .nth(n - 1)
                .map_or(self.text.len(), |(i, _)| i + 1),
        };
        let rest = self.text.get(start..).unwrap_or_default();
        let rest = rest.split('\n').next().unwrap_or_default();
        let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let offset = start + rest.char_indices().nth(before).map_or(rest.len(), |(i, _)| i);
        let word = self.text.get(offset..).unwrap_or_default();
        let length = word
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(word.len());
        let first = word.chars().next().map_or(0, char::len_utf8);
        self.place(offset..offset + length.max(first))
    }

    /// Returns where it is written: its first line that has something.
    pub fn whole(&self) -> Place {
        let start = self.text.len() - self.text.trim_start().len();
        self.place(start..self.text.trim_end().len().max(start))
    }

    fn position(&self, offset: usize) -> (u32, u32) {
        let index = self
            .pieces
            .partition_point(|p| p.start <= offset)
            .saturating_sub(1);
        self.pieces.get(index).map_or((1, 1), |piece| {
            let chars = self
                .text
                .get(piece.start..offset)
                .map_or(0, |s| s.chars().count());
            (piece.line, piece.column.saturating_add(number(chars)))
        })
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(p: &Place) -> (u32, u32, u32) {
        (p.line, p.column, p.end_column)
    }

    #[test]
    fn places_count_characters_and_stay_in_their_line() {
        let lines = Lines::new("a.toml", "\u{feff}ä = 1\r\nname = 'x'\n");
        assert_eq!(at(&lines.place(3..5)), (1, 1, 2));
        assert_eq!(at(&lines.place(8..99)), (1, 5, 6), "cut before the line end");
        let name = lines.text().find("name").expect("it is there");
        assert_eq!(at(&lines.place(name..name + 4)), (2, 1, 5));
        assert_eq!(
            at(&lines.place(999..999)),
            (2, 11, 11),
            "the end is in the last line"
        );
        assert_eq!(at(&Lines::new("a", "").place(0..0)), (1, 1, 1));
        assert_eq!(lines.place(name..name).to_string(), "a.toml:2:1");
    }

    #[test]
    fn text_knows_where_it_stands() {
        let lines = Lines::new("q.sql", "-- x\nSELECT a,\n  bö + c\n");
        let text = Text::of_file(&lines, 5..lines.text().len());
        assert_eq!(at(&text.place(7..8)), (2, 8, 9));
        assert_eq!(at(&text.place_at(2, 3)), (3, 3, 5));
        assert_eq!(at(&text.place_at(2, 6)), (3, 6, 7), "a sign is a word of one");
        assert_eq!(at(&text.place_at(9, 9)), (3, 9, 9), "the end is in the last line");
        assert_eq!(at(&text.whole()), (2, 1, 10));
    }
}
