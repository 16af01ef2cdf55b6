//! What can be wrong with a delivered file, each with its code, its place and its help.
//!
//! Owns the wording and the codes `MS0251` to `MS0264`. Refuses to know how an error was found.

use mainstay_base::text::count;
use mainstay_model::ColumnType;
use mainstay_model::delivery::FileError;

fn fault(code: &str, message: impl Into<String>, help: impl Into<String>) -> FileError {
    FileError {
        code: code.to_owned(),
        message: message.into(),
        row: None,
        column: None,
        help: Some(help.into()),
    }
}

fn at(mut error: FileError, row: Option<u64>, column: Option<&str>) -> FileError {
    error.row = row;
    error.column = column.map(str::to_owned);
    error
}

/// The bytes of a compressed file are damaged, or it was read while it was being written.
pub(crate) fn damaged(what: &str, why: &str, after_row: u64) -> FileError {
    let place = if after_row > 0 {
        format!(" after {}", count(after_row, "row"))
    } else {
        String::new()
    };
    let message = format!("the {what} stream is damaged{place}: {why}");
    at(
        fault("MS0251", message, "deliver the file again, whole"),
        (after_row > 0).then_some(after_row + 1),
        None,
    )
}

/// The file is not Parquet, or a damaged one.
pub(crate) fn not_parquet(why: &str, row: Option<u64>) -> FileError {
    let message = format!("this is not a whole Parquet file: {why}");
    at(
        fault(
            "MS0252",
            message,
            "deliver the file again, whole, or set the source's `format`",
        ),
        row,
        None,
    )
}

/// A CSV row has too many or too few fields.
pub(crate) fn ragged(row: u64, line: u64, expected: usize, found: usize) -> FileError {
    let found = count(found as u64, "field");
    let message = format!("row {row} (line {line}) has {found}, the header has {expected}");
    let help = "quote fields that contain the delimiter, or set the source's `delimiter`";
    at(fault("MS0253", message, help), Some(row), None)
}

/// A value is not of its column's type.
pub(crate) fn misfit(row: u64, column: &str, value: &str, expected: &ColumnType) -> FileError {
    let message = format!(
        "row {row}, column `{column}`: `{}` is not {}",
        shorten(value),
        describe(expected)
    );
    let help = match expected {
        ColumnType::String => "correct the value".to_owned(),
        _ => "correct the value, name it in the source's `null` if it means NULL, or declare another type in `columns`"
            .to_owned(),
    };
    at(fault("MS0254", message, help), Some(row), Some(column))
}

/// Bytes that are not UTF-8.
pub(crate) fn not_utf8(row: Option<u64>, column: Option<&str>) -> FileError {
    let place = match (row, column) {
        (Some(row), Some(column)) => format!("row {row}, column `{column}`"),
        (Some(row), None) => format!("row {row}"),
        _ => "the header".to_owned(),
    };
    at(
        fault(
            "MS0255",
            format!("{place} is not UTF-8 text"),
            "deliver the file in UTF-8",
        ),
        row,
        column,
    )
}

/// A line that is not a JSON object.
pub(crate) fn bad_json(row: u64, why: &str) -> FileError {
    let message = format!("row {row} is not a JSON object: {why}");
    at(
        fault("MS0256", message, "each line holds one whole JSON object"),
        Some(row),
        None,
    )
}

/// A file without columns.
pub(crate) fn no_columns(why: &str) -> FileError {
    fault(
        "MS0257",
        why,
        "deliver a file with a header or rows, or declare the source's `columns`",
    )
}

/// Column names with characters that a table's cannot have.
pub(crate) fn odd_names(names: &[&str]) -> FileError {
    let list: Vec<String> = names.iter().map(|n| format!("`{}`", shorten(n))).collect();
    let renamed: Vec<String> = names
        .iter()
        .map(|n| format!("\"{}\" = \"{}\"", n.escape_debug(), plain_name(n)))
        .collect();
    let message = match list.as_slice() {
        [one] => format!("a table cannot have a column {one}: spaces and ,;{{}}()= cannot be in its name"),
        many => format!(
            "a table cannot have columns {}: spaces and ,;{{}}()= cannot be in their names",
            many.join(", ")
        ),
    };
    let help = format!(
        "give them other names in the source: rename = {{ {} }}",
        renamed.join(", ")
    );
    fault("MS0258", message, help)
}

/// A name of letters, digits and underscores that is like another: `Unit price (EUR)` is `unit_price_eur`.
fn plain_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: Vec<String> = words.filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    match words.is_empty() {
        true => "column".to_owned(),
        false => words.join("_"),
    }
}

/// Column names that a table cannot have.
pub(crate) fn bad_header(why: String) -> FileError {
    fault(
        "MS0258",
        why,
        "give each column a name of its own, of letters, digits and underscores",
    )
}

/// Columns that are not the dataset's.
pub(crate) fn schema_changed(differences: &[String], help: &str) -> FileError {
    fault(
        "MS0259",
        format!(
            "the file's columns are not the dataset's: {}",
            differences.join("; ")
        ),
        help,
    )
}

/// A column of a type that no dataset can hold.
pub(crate) fn no_such_type(column: &str, why: &str) -> FileError {
    let message = format!("column `{column}` cannot be taken in: {why}");
    at(
        fault("MS0260", message, "deliver the column as another type"),
        None,
        Some(column),
    )
}

/// A slice expression that cannot be computed for the rows of this file.
pub(crate) fn slice_failed(column: &str, row: Option<u64>, why: &str) -> FileError {
    let place = row.map(|r| format!(" at row {r}")).unwrap_or_default();
    let message = format!("the slice column `{column}` cannot be computed{place}: {why}");
    at(
        fault(
            "MS0261",
            message,
            "correct the value or the source's `slice` expression",
        ),
        row,
        Some(column),
    )
}

/// A quote that is opened and never closed, or a row beyond all measure.
pub(crate) fn endless(row: u64, line: u64, why: &str) -> FileError {
    let message = format!("row {row} (line {line}) {why}");
    at(
        fault(
            "MS0262",
            message,
            "close the quote, or deliver the file again, whole",
        ),
        Some(row),
        None,
    )
}

/// The spec and the delivered columns do not go together.
pub(crate) fn bad_slice(problem: &str) -> FileError {
    fault("MS0263", problem, "correct the source's `slice`")
}

/// A value of one kind where earlier rows had another, so that no type can be inferred.
pub(crate) fn mixed(row: u64, column: &str, before: &str, now: &str) -> FileError {
    let message = format!("row {row}, column `{column}` is {now}; it was {before} before");
    at(
        fault("MS0264", message, "declare the source's `columns`"),
        Some(row),
        Some(column),
    )
}

/// Cuts a value to what fits in a message, and makes it one line.
pub(crate) fn shorten(value: &str) -> String {
    let mut out: String = value.chars().take(60).flat_map(char::escape_debug).collect();
    if value.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

/// Says in words what values of a type look like.
fn describe(t: &ColumnType) -> String {
    match t {
        ColumnType::Boolean => "a boolean (true, false)".to_owned(),
        ColumnType::Byte | ColumnType::Short | ColumnType::Integer | ColumnType::Long => {
            format!("a whole number ({t})")
        }
        ColumnType::Float | ColumnType::Double => format!("a number ({t})"),
        ColumnType::Decimal(_, _) => format!("a {t}"),
        ColumnType::Date => "a date (YYYY-MM-DD)".to_owned(),
        ColumnType::Timestamp => "a timestamp (2013-02-03T04:05:06Z)".to_owned(),
        ColumnType::TimestampNtz => "a timestamp without a zone (2013-02-03T04:05:06)".to_owned(),
        ColumnType::String => "a text".to_owned(),
        ColumnType::Binary => "binary".to_owned(),
        ColumnType::Array(_) | ColumnType::Struct(_) | ColumnType::Map(_, _) => format!("a {t}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_strange_values_stay_one_short_line() {
        assert_eq!(shorten("a\nb"), "a\\nb");
        assert_eq!(shorten(&"x".repeat(100)).chars().count(), 61);
        assert!(
            misfit(3, "c", "n/a", &ColumnType::Long)
                .message
                .contains("row 3, column `c`: `n/a` is not a whole number")
        );
    }
}
