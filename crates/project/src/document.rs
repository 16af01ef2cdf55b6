//! A TOML document and the way from its bytes to the lines of its file.
//!
//! Owns reading TOML with all its mistakes, and strings that are text of their own (queries), escapes included. The document
//! may be a whole file or what stands in the leading comments of another one. Knows no field.

use std::ops::Range;

use toml::Spanned as TomlSpanned;
use toml::de::{DeTable, DeValue};

use crate::code;
use crate::mistake::Mistake;
use crate::place::{Lines, Place, Text};

/// A value of a document and the bytes that it stands in.
pub(crate) type Value<'i> = TomlSpanned<DeValue<'i>>;

/// How many mistakes in its TOML are reported of one document.
const MOST: usize = 100;

/// TOML text and where each of its stretches stands in its file.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    lines: &'a Lines<'a>,
    text: &'a str,
    /// From the first offset (in the text) on, the text stands at the second (in the file).
    stretches: &'a [(usize, usize)],
}

/// What reading a document gave.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    /// The top of it, as far as it could be read.
    pub(crate) root: Value<'a>,
    /// What is wrong with it as TOML.
    pub(crate) mistakes: Vec<Mistake>,
    /// Whether something is missing from `root`, or there by a guess.
    pub(crate) broken: bool,
}

impl<'a> Document<'a> {
    /// Takes text of a file; `stretches` must begin with the text's first byte.
    pub(crate) fn new(lines: &'a Lines<'a>, text: &'a str, stretches: &'a [(usize, usize)]) -> Self {
        Self {
            lines,
            text,
            stretches,
        }
    }

    /// Reads the document.
    pub(crate) fn parse(&self) -> Parsed<'a> {
        let (root, mut errors) = DeTable::parse_recoverable(self.text);
        errors.sort_by_key(|e| e.span().map_or(0, |s| s.start));
        let mut parsed = Parsed {
            root: TomlSpanned::new(root.span(), DeValue::Table(root.into_inner())),
            mistakes: Vec::new(),
            broken: false,
        };
        for error in errors {
            let mistake = self.mistake(error.message(), error.span().unwrap_or_default());
            let local = mistake.code == code::DUPLICATE_KEY || is_scalar(error.message());
            parsed.broken |= !local;
            // Errors come in the order of lines: one for each line.
            if parsed.mistakes.last().is_none_or(|m| m.line != mistake.line) {
                parsed.mistakes.push(mistake);
            }
            // What follows a list or an inline table that is not closed is a guess; hundreds of mistakes are one.
            let guess = error.message().contains("array") || error.message().contains("inline table");
            if guess || parsed.mistakes.len() >= MOST {
                parsed.broken = true;
                break;
            }
        }
        parsed
    }

    fn mistake(&self, message: &str, span: Range<usize>) -> Mistake {
        let place = self.place(span.clone());
        if message == "duplicate key" {
            let key = self.text.get(span).unwrap_or_default().trim();
            let message = format!("`{key}` is written twice");
            let help = "keep one of them".to_owned();
            return Mistake::new(code::DUPLICATE_KEY, &place, message, "the second one", Some(help));
        }
        let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let written = self.text.get(span).unwrap_or_default().trim();
        let what = what
            .replace("inline table", "table")
            .replace("array elements", "the items of a list");
        let what = what.replace("array", "list");
        let quoted = is_scalar(message) && written.chars().next().is_none_or(char::is_alphabetic);
        let missing = quoted && written.is_empty();
        let (message, label) = match expected {
            _ if missing => (
                "a value is missing".to_owned(),
                "nothing after the `=`".to_owned(),
            ),
            _ if quoted => (
                "a text without quotation marks".to_owned(),
                "this is not a value".to_owned(),
            ),
            "`\"`" | "`'`" | "`\"\"\"`" | "`'''`" => {
                ("a text is not closed".to_owned(), format!("expected {expected}"))
            }
            "" | "nothing" => (format!("this is not TOML: {what}"), "here".to_owned()),
            wanted => (format!("this is not TOML: {what}"), format!("expected {wanted}")),
        };
        let help = match what.as_str() {
            _ if quoted && !missing => Some(format!("write \"{written}\"")),
            "missing escaped value" => {
                Some("a backslash is written `\\\\`, or plainly between single quotation marks".to_owned())
            }
            _ => None,
        };
        Mistake::new(code::SYNTAX, &place, message, label, help)
    }

    /// Returns where bytes of this document stand in its file.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let start = self.offset(span.start);
        self.lines.place(start..self.offset(span.end).max(start))
    }

    fn offset(&self, at: usize) -> usize {
        let index = self
            .stretches
            .partition_point(|(start, _)| *start <= at)
            .saturating_sub(1);
        self.stretches
            .get(index)
            .map_or(at, |(start, offset)| offset + at.saturating_sub(*start))
    }

    /// Takes a string's value as a text that knows where its characters are written.
    pub(crate) fn string(&self, span: Range<usize>, value: &str) -> Text {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let inside = decode(raw)
            .filter(|(text, _)| text == value)
            .map(|(_, stretches)| stretches);
        let inside = inside.unwrap_or_else(|| value.char_indices().map(|(i, _)| (i, 0)).collect());
        let stretches: Vec<_> = inside
            .into_iter()
            .map(|(start, at)| (start, self.offset(span.start + at)))
            .collect();
        Text::new(self.lines, value.to_owned(), &stretches)
    }
}

/// Says whether a message of the TOML parser is about one value only, so that all else was read well.
fn is_scalar(message: &str) -> bool {
    let kinds = [
        "string values must be quoted",
        "invalid boolean",
        "invalid integer",
        "invalid float",
        "invalid date",
    ];
    kinds.iter().any(|kind| message.starts_with(kind))
}

/// Reads a TOML string as it is written, and says from which offsets of its value on the value stands at which offsets of
/// what is written, character by character. `None` if it is not a whole string.
fn decode(raw: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let mark = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|m| raw.starts_with(m))?;
    let end = raw
        .len()
        .checked_sub(mark.len())
        .filter(|end| *end >= mark.len())?;
    let mut at = mark.len();
    if mark.len() == 3 {
        let rest = raw.get(at..end)?;
        at += if rest.starts_with("\r\n") {
            2
        } else {
            usize::from(rest.starts_with('\n'))
        };
    }
    let (mut value, mut stretches) = (String::new(), vec![(0, at)]);
    while at < end {
        let rest = raw.get(at..end)?;
        let c = rest.chars().next()?;
        if c == '\\' && mark.starts_with('"') {
            stretches.push((value.len(), at));
            let (length, decoded) = escape(rest)?;
            value.extend(decoded);
            at += length;
            stretches.push((value.len(), at));
        } else {
            value.push(c);
            at += c.len_utf8();
            if c == '\n' {
                stretches.push((value.len(), at));
            }
        }
    }
    Some((value, stretches))
}

/// Reads one escape: its length and what it stands for, nothing for the end of a line.
fn escape(rest: &str) -> Option<(usize, Option<char>)> {
    let hex = |digits: usize| {
        let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((2 + digits, Some(char::from_u32(code)?)))
    };
    let plain = |c: char| Some((2, Some(c)));
    match rest.chars().nth(1)? {
        'b' => plain('\u{8}'),
        'e' => plain('\u{1b}'),
        'f' => plain('\u{c}'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        c @ ('"' | '\\') => plain(c),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        c if c.is_ascii_whitespace() => {
            let skipped = rest.get(1..)?.trim_start_matches([' ', '\t', '\n', '\r']);
            Some((rest.len() - skipped.len(), None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_know_where_their_characters_stand() {
        let source = "a = \"\"\"\nSELECT \\\"x\\u0041\\n  \\\n   y,\n z\"\"\"\n";
        let lines = Lines::new("m.toml", source);
        let document = Document::new(&lines, source, &[(0, 0)]);
        let parsed = document.parse();
        let value = parsed.root.get_ref().get("a").expect("it is there");
        let text = document.string(value.span(), value.get_ref().as_str().expect("a string"));
        assert_eq!(text.as_str(), "SELECT \"xA\n  y,\n z");
        for (word, line, column) in [("\"", 2, 8), ("x", 2, 10), ("A", 2, 11), ("y", 3, 4), ("z", 4, 2)] {
            let at = text.as_str().find(word).expect("it is there");
            let place = text.place(at..at + 1);
            assert_eq!((place.line, place.column), (line, column), "{word}");
        }
    }

    #[test]
    fn what_follows_an_open_list_is_not_reported() {
        let source = "a = [1, 2\nb = 3\nc = what\n";
        let lines = Lines::new("m.toml", source);
        let parsed = Document::new(&lines, source, &[(0, 0)]).parse();
        assert_eq!(parsed.mistakes.len(), 1, "{:?}", parsed.mistakes);
        assert!(parsed.broken);
    }
}
