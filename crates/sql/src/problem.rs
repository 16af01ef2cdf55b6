//! What is wrong with a query, in the words of the person who wrote it.
//!
//! Invariant: a message never names a type of the program, and every code has a page in the docs.

use std::fmt;

/// A place in the text of a query; line and column count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
}

/// A part of the text of a query: from the first character to behind the last.
pub type Span = (Location, Location);

/// One thing that is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The stable code, with a page in the docs.
    pub code: &'static str,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to write under the marked place; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where, if it is known.
    pub span: Option<Span>,
}

/// The text is not SQL.
pub(crate) const SYNTAX: &str = "MS0201";
/// It is SQL, but not one query.
pub(crate) const NOT_A_QUERY: &str = "MS0202";
/// There is no such dataset.
pub(crate) const UNKNOWN_DATASET: &str = "MS0203";
/// There is no such column.
pub(crate) const UNKNOWN_COLUMN: &str = "MS0204";
/// More than one column has that name.
pub(crate) const AMBIGUOUS_COLUMN: &str = "MS0205";
/// There is no such function.
pub(crate) const UNKNOWN_FUNCTION: &str = "MS0206";
/// An operator or a function does not take these types.
pub(crate) const WRONG_TYPE: &str = "MS0207";
/// An output column has no name.
pub(crate) const UNNAMED_COLUMN: &str = "MS0208";
/// Two output columns have one name.
pub(crate) const DUPLICATE_COLUMN: &str = "MS0209";
/// An output column has a type or a name that a table cannot hold.
pub(crate) const UNSTORABLE_COLUMN: &str = "MS0210";
/// The query does not yield a slice column.
pub(crate) const NO_SLICE_COLUMN: &str = "MS0211";
/// A slice column has a type that cannot name a slice.
pub(crate) const SLICE_TYPE: &str = "MS0212";
/// A function gives something else each time.
pub(crate) const VOLATILE: &str = "MS0213";
/// A function depends on an order that the query leaves open.
pub(crate) const NEEDS_ORDER: &str = "MS0214";
/// A function gives an approximation that depends on the order of rows.
pub(crate) const APPROXIMATE: &str = "MS0215";
/// Rows have to be ordered by a column that has no order.
pub(crate) const UNSORTABLE: &str = "MS0216";
/// A RIGHT or FULL JOIN with USING.
pub(crate) const OUTER_USING: &str = "MS0217";
/// SQL that is not supported, or a query that makes no sense.
pub(crate) const NOT_SUPPORTED: &str = "MS0218";

impl Problem {
    /// Makes a problem without a place.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            label: String::new(),
            help: None,
            span: None,
        }
    }

    /// Says where it is.
    pub(crate) fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// Says what to write under the place.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what was perhaps meant, if anything is near.
    pub(crate) fn perhaps(self, nearest: Option<&str>) -> Self {
        match nearest {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    /// One line: place, code, message, help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((start, _)) = self.span {
            write!(f, "{}:{}: ", start.line, start.column)?;
        }
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Puts problems in the order of their places, those without a place last, and drops repetitions.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|p| (p.span.is_none(), p.span));
    let mut seen: Vec<Problem> = Vec::new();
    for problem in problems {
        let again = seen
            .iter()
            .any(|s| s.code == problem.code && s.message == problem.message);
        if !again {
            seen.push(problem);
        }
    }
    seen
}
