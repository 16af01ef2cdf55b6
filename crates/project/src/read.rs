//! Reading values of a document, field by field, with every mistake on the way.
//!
//! Owns how a field is asked for and what is said when it is not what it should be. A reader never stops: what is wrong is
//! reported and read as missing, so that each mistake is said once. What fields there are is known to the modules below.

use std::fmt;
use std::ops::Range;

use mainstay_base::text::nearest;
use toml::de::DeValue;

use crate::code;
use crate::document::{Document, Value};
use crate::mistake::Mistake;
use crate::place::{Place, Spanned, Text};

pub(crate) mod alarm;
pub(crate) mod channel;
pub(crate) mod check;
pub(crate) mod hook;
pub(crate) mod job;
pub(crate) mod limit;
pub(crate) mod project;
pub(crate) mod slice;
pub(crate) mod source;
pub(crate) mod trigger;
pub(crate) mod value;

/// Reads values of one document.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    document: &'a Document<'a>,
    /// What was found to be wrong.
    pub(crate) mistakes: Vec<Mistake>,
}

/// What a mistake is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'n> {
    /// A field, by its name.
    Field(&'n str),
    /// An item of a list, by the list's name.
    Item(&'n str),
}

impl<'n> From<&'n str> for Subject<'n> {
    fn from(name: &'n str) -> Self {
        Self::Field(name)
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "`{name}`"),
            Self::Item(name) => write!(f, "an item of `{name}`"),
        }
    }
}

/// One field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'v> {
    /// Its name.
    pub(crate) name: &'v str,
    /// Where its name is written.
    pub(crate) key: Range<usize>,
    /// Its value.
    pub(crate) value: &'v Value<'v>,
}

/// The fields of one table, in the order in which they are written.
#[derive(Debug)]
pub(crate) struct Fields<'v>(pub(crate) Vec<Entry<'v>>);

impl<'v> Fields<'v> {
    /// Returns a field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&'v Value<'v>> {
        self.entry(name).map(|e| e.value)
    }

    /// Returns a field.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry<'v>> {
        self.0.iter().find(|e| e.name == name)
    }
}

impl<'a> Reader<'a> {
    /// Reads a document.
    pub(crate) fn new(document: &'a Document<'a>) -> Self {
        Self {
            document,
            mistakes: Vec::new(),
        }
    }

    /// Returns where bytes of the document stand.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        self.document.place(span)
    }

    /// Reports a mistake.
    pub(crate) fn report(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) {
        let place = self.place(span);
        self.mistakes
            .push(Mistake::new(code, &place, message, label, help));
    }

    /// Reports a value of a wrong type.
    pub(crate) fn wrong<'n>(
        &mut self,
        subject: impl Into<Subject<'n>>,
        wanted: &str,
        value: &Value<'_>,
        help: Option<String>,
    ) {
        let got = type_of(value.get_ref());
        let message = format!("{} must be {wanted}, not {got}", subject.into());
        self.report(
            code::WRONG_TYPE,
            value.span(),
            message,
            format!("this is {got}"),
            help,
        );
    }

    /// Reads a table without looking at its fields' names.
    pub(crate) fn open<'v>(&mut self, name: &str, value: &'v Value<'v>) -> Option<Fields<'v>> {
        let Some(fields) = fields(value) else {
            // `[[name]]` makes a list of tables.
            let doubled = value.get_ref().as_array().and_then(|a| a.iter().next());
            let help = doubled
                .filter(|v| v.get_ref().is_table())
                .map(|_| "write it once, in single brackets".to_owned());
            self.wrong(name, "a table", value, help);
            return None;
        };
        Some(fields)
    }

    /// Reads a table that has only fields of these names; `owner` says whose fields they are: `a source`.
    pub(crate) fn table<'v>(
        &mut self,
        name: &str,
        owner: &str,
        value: &'v Value<'v>,
        allowed: &[&str],
    ) -> Option<Fields<'v>> {
        let fields = self.open(name, value)?;
        self.only(owner, &fields, allowed);
        Some(fields)
    }

    /// Reports the fields that are not of these names.
    pub(crate) fn only(&mut self, owner: &str, fields: &Fields<'_>, allowed: &[&str]) {
        for entry in fields.0.iter().filter(|e| !allowed.contains(&e.name)) {
            let list = names(allowed);
            let free = allowed.iter().copied().filter(|name| fields.get(name).is_none());
            let all = capital(&format!("{owner} has {list}"));
            let help = match nearest(entry.name, free) {
                Some(meant) => format!("did you mean `{meant}`? {all}"),
                None => all,
            };
            let message = format!("unknown field `{}`", entry.name);
            let label = format!("{owner} has no such field");
            self.report(code::UNKNOWN_FIELD, entry.key.clone(), message, label, Some(help));
        }
    }

    /// Reports a field that is missing from what is named at `span`.
    pub(crate) fn missing(&mut self, owner: &str, name: &str, span: Range<usize>, example: &str) {
        let message = format!("{owner} needs `{name}`");
        let label = format!("`{name}` is missing");
        self.report(
            code::MISSING_FIELD,
            span,
            message,
            label,
            Some(format!("add {example}")),
        );
    }

    /// Reads a string.
    pub(crate) fn string<'n>(
        &mut self,
        subject: impl Into<Subject<'n>>,
        value: &Value<'_>,
    ) -> Option<Spanned<String>> {
        let Some(text) = value.get_ref().as_str() else {
            let help = match value.get_ref() {
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                    Some("put it in quotation marks".to_owned())
                }
                _ => None,
            };
            self.wrong(subject, "a string", value, help);
            return None;
        };
        Some(Spanned {
            value: text.to_owned(),
            place: self.place(value.span()),
        })
    }

    /// Reads a string that says something.
    pub(crate) fn word<'n>(
        &mut self,
        subject: impl Into<Subject<'n>>,
        value: &Value<'_>,
    ) -> Option<Spanned<String>> {
        let subject = subject.into();
        let text = self.string(subject, value)?;
        if text.value.trim().is_empty() {
            self.report(
                code::EMPTY,
                value.span(),
                format!("{subject} is empty"),
                "nothing is named here",
                None,
            );
            return None;
        }
        Some(text)
    }

    /// Reads a string that is SQL.
    pub(crate) fn sql(&mut self, name: &str, value: &Value<'_>) -> Option<Text> {
        let text = self.string(name, value)?;
        if crate::settings::is_blank(&text.value) {
            let message = format!("`{name}` has no SQL");
            self.report(
                code::EMPTY_QUERY,
                value.span(),
                message,
                "nothing to compute here",
                None,
            );
            return None;
        }
        Some(self.document.string(value.span(), &text.value))
    }

    /// Reads a list; `wanted` says of what, in the plural.
    pub(crate) fn list<'v>(
        &mut self,
        name: &str,
        wanted: &str,
        value: &'v Value<'v>,
    ) -> Option<Vec<&'v Value<'v>>> {
        let Some(array) = value.get_ref().as_array() else {
            let help = value
                .get_ref()
                .as_str()
                .map(|s| format!("write a list: [\"{s}\"]"));
            self.wrong(name, &format!("a list of {wanted}"), value, help);
            return None;
        };
        if array.is_empty() {
            let help = Some(format!("list {wanted}, or leave it out"));
            self.report(
                code::EMPTY,
                value.span(),
                format!("`{name}` is empty"),
                "nothing is named here",
                help,
            );
            return None;
        }
        Some(array.iter().collect())
    }

    /// Reads one of a few words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        name: &str,
        value: &Value<'_>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.string(name, value)?;
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(*chosen);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let list = names(&words);
        let help = match nearest(&text.value, words.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"? There are {list}"),
            None => format!("there are {list}"),
        };
        let message = format!("`{name}` cannot be `{}`", text.value);
        self.report(
            code::CHOICE,
            value.span(),
            message,
            "not one of the choices",
            Some(help),
        );
        None
    }

    /// Reads a choice between yes and no.
    pub(crate) fn flag(&mut self, name: &str, value: &Value<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(name, "true or false", value, None);
        }
        flag
    }

    /// Reads an integer within bounds.
    pub(crate) fn integer(&mut self, name: &str, value: &Value<'_>, least: u64, most: u64) -> Option<u64> {
        let Some(written) = value.get_ref().as_integer() else {
            self.wrong(name, "an integer", value, None);
            return None;
        };
        let number = i128::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| (least..=most).contains(n));
        if number.is_none() {
            let message = format!("`{name}` cannot be {}", written.as_str());
            let label = match most {
                most if most >= i64::MAX.unsigned_abs() => format!("must be {least} or more"),
                most => format!("must be from {least} to {most}"),
            };
            self.report(code::OUT_OF_RANGE, value.span(), message, label, None);
        }
        number
    }
}

/// Returns a table's fields in the order in which they are written.
pub(crate) fn fields<'v>(value: &'v Value<'v>) -> Option<Fields<'v>> {
    let table = value.get_ref().as_table()?;
    let entry = |(key, value)| -> Entry<'v> { into_entry(key, value) };
    let mut entries: Vec<Entry<'v>> = table.iter().map(entry).collect();
    entries.sort_by_key(|e| e.key.start);
    Some(Fields(entries))
}

fn into_entry<'v>(key: &'v toml::Spanned<toml::de::DeString<'v>>, value: &'v Value<'v>) -> Entry<'v> {
    Entry {
        name: key.get_ref(),
        key: key.span(),
        value,
    }
}

/// Begins a sentence.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Writes names as a list: `` `a`, `b` and `c` ``.
pub(crate) fn names(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((one, _)) => one.clone(),
        None => "nothing".to_owned(),
    }
}

/// Names a value's type.
pub(crate) fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
