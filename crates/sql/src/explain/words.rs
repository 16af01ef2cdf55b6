//! Messages of the planner that come as text: the known ones are said anew, the others are cleaned of what only programmers
//! understand.

use arrow::datatypes::{DataType, TimeUnit};

use crate::arrow_types;
use crate::problem::{DUPLICATE_COLUMN, NOT_SUPPORTED, Problem, WRONG_TYPE};

/// A problem from a message.
pub(super) fn words(text: &str) -> Problem {
    let text = plain(text);
    known_types(&text)
        .or_else(|| known_shape(&text))
        .unwrap_or_else(|| {
            let wrong_type = ["coerce", "type", "cast"]
                .iter()
                .any(|w| text.to_lowercase().contains(w));
            Problem::new(
                if wrong_type { WRONG_TYPE } else { NOT_SUPPORTED },
                lower_first(&text),
            )
        })
}

/// Messages about types.
fn known_types(text: &str) -> Option<Problem> {
    let cast = "CAST one side to the type of the other";
    if let Some((function, rest)) = between(text, "Function '", "' failed to match any signature") {
        let received = between(rest, "but received ", " (").map(|(t, _)| t.to_lowercase());
        let mut takes: Vec<String> = Vec::new();
        for part in rest.split("requires ").skip(1) {
            let t = part.split(',').next().unwrap_or_default().trim().to_lowercase();
            let t = if t.starts_with("decimal") {
                "decimal".to_owned()
            } else {
                t
            };
            if !t.is_empty() && !takes.contains(&t) {
                takes.push(t);
            }
        }
        let given = received.map_or_else(|| "these types".to_owned(), |t| format!("a {t}"));
        let problem = Problem::new(WRONG_TYPE, format!("`{function}` does not take {given}"));
        return Some(if takes.is_empty() {
            problem
        } else {
            problem.help(format!("it takes {}", takes.join(", ")))
        });
    }
    if let Some((function, rest)) = between(text, "unction '", "' expects ")
        && let Some((wanted, rest)) = rest.split_once(" arguments but received ")
    {
        let received = rest.split(['.', ' ']).next().unwrap_or_default();
        return Some(Problem::new(
            WRONG_TYPE,
            format!(
                "`{function}` takes {wanted} argument{}, not {received}",
                if wanted == "1" { "" } else { "s" }
            ),
        ));
    }
    if let Some((function, _)) = between(text, "Failed to coerce arguments to satisfy a call to '", "'") {
        let call = between(text, "argument types '", "'.").map(|(call, _)| call);
        let types = call.and_then(|c| between(c, "(", ")")).map(|(types, _)| types);
        let message = match types {
            Some("") => format!("`{function}` needs an argument"),
            Some(types) => format!("`{function}` does not take ({types})"),
            None => format!("`{function}` does not take these types"),
        };
        return Some(Problem::new(WRONG_TYPE, message).help("CAST the arguments to the types that it takes"));
    }
    if let Some((operation, _)) = between(text, "Cannot get result type for temporal operation ", ":")
        .or_else(|| between(text, "Cannot get result type for arithmetic operation ", ":"))
        .or_else(|| between(text, "Cannot coerce arithmetic expression ", " to valid types"))
    {
        return Some(
            Problem::new(
                WRONG_TYPE,
                format!("these types cannot be computed with: {operation}"),
            )
            .help(cast),
        );
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for comparison operation ") {
        return Some(Problem::new(WRONG_TYPE, format!("these types cannot be compared: {types}")).help(cast));
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for logical boolean operation ")
    {
        let problem = Problem::new(WRONG_TYPE, format!("AND and OR take booleans, not {types}"));
        return Some(problem.help("compare the value with something"));
    }
    if let Some((what, t)) = between(
        text,
        "Cannot create filter with non-boolean predicate '",
        "' returning ",
    ) {
        let problem = Problem::new(
            WRONG_TYPE,
            format!("a condition is a boolean, and `{}` is {t}", column(what)),
        );
        return Some(problem.help("compare it with something"));
    }
    if let Some((then, rest)) = between(text, "ailed to coerce then (", ") and else (")
        && let Some((other, _)) = rest.split_once(") to common types")
    {
        let problem = Problem::new(
            WRONG_TYPE,
            format!("the branches of CASE have types that do not go together: {then} and {other}"),
        );
        return Some(problem.help(cast));
    }
    if let Some((one, rest)) = between(
        text,
        "Previous inputs were of type ",
        ", but got incompatible type ",
    ) && let Some((other, name)) = rest.split_once(" on column '")
    {
        let name = name.trim_end_matches('\'');
        let problem = Problem::new(
            WRONG_TYPE,
            format!("`{name}` would be {one} and {other}: the sides of the set operation differ"),
        );
        return Some(problem.help(cast));
    }
    None
}

/// Messages about how a query is put together.
fn known_shape(text: &str) -> Option<Problem> {
    // What follows is the parser's own data.
    if let Some((what, _)) = text.split_once(" { ")
        && let Some((what, _)) = what.rsplit_once(' ')
    {
        return Some(Problem::new(NOT_SUPPORTED, lower_first(what)));
    }
    if text.contains("must be in the GROUP BY clause or an aggregate function")
        || text.contains("must appear in the GROUP BY clause or must be part of an aggregate function")
    {
        let name = column(text.split('"').nth(1).unwrap_or("a column"));
        let problem = Problem::new(
            NOT_SUPPORTED,
            format!("`{name}` is neither in GROUP BY nor inside an aggregate function"),
        );
        return Some(problem.help("add it to GROUP BY, or say which of its values, for example max or min"));
    }
    if let Some((operator, _)) = text.split_once(" queries have different number of columns") {
        return Some(Problem::new(
            NOT_SUPPORTED,
            format!("the sides of {operator} have different numbers of columns"),
        ));
    }
    if let Some(rest) = text.strip_prefix("Projections require unique expression names but the expression \"")
    {
        // The planner names the expression: `shop.orders.price AS x`.
        let written = rest.split('"').next().unwrap_or_default();
        let name = column(written.rsplit(" AS ").next().unwrap_or(written));
        let problem = Problem::new(DUPLICATE_COLUMN, format!("two columns are called `{name}`"));
        return Some(problem.help("give one of them another name with AS"));
    }
    if text.starts_with("Too many columns!") {
        let problem = Problem::new(
            NOT_SUPPORTED,
            "a subquery that stands for a value yields one column, this one yields more",
        );
        return Some(problem.help("select only the column that is compared"));
    }
    if text.starts_with("variable [") || text.starts_with("Variable [") {
        let problem = Problem::new(NOT_SUPPORTED, "there are no variables");
        return Some(problem.help("a job has no parameters: write the value itself"));
    }
    None
}

/// The text between two marks, and what is behind the second.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(from)?.1.split_once(to)
}

/// A column's own name.
fn column(qualified: &str) -> &str {
    let plain = qualified
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if plain {
        qualified.rsplit('.').next().unwrap_or(qualified)
    } else {
        qualified
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Takes out of a message what only programmers understand, and keeps one line.
pub(crate) fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for noise in [
        "Error during planning: ",
        "Internal error: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "Invalid argument error: ",
    ] {
        text = text.replace(noise, "");
    }
    for end in [
        "This issue was likely caused by a bug",
        "This was likely caused by a bug",
        "\n\nbacktrace",
        " No function matches",
        "\n",
    ] {
        if let Some((before, _)) = text.split_once(end)
            && !before.trim().is_empty()
            && !(end == " No function matches" && before.starts_with("Failed to coerce"))
        {
            text = before.trim().to_owned();
        }
    }
    spoken_types(text.trim().trim_end_matches('.'))
}

/// Writes the names of arrow's types as those of column types.
fn spoken_types(text: &str) -> String {
    let units = [
        ("ns", TimeUnit::Nanosecond),
        ("µs", TimeUnit::Microsecond),
        ("ms", TimeUnit::Millisecond),
        ("s", TimeUnit::Second),
    ];
    let mut out = text.to_owned();
    for (short, unit) in units {
        for (written, t) in [
            (
                format!("Timestamp({short}, \"UTC\")"),
                DataType::Timestamp(unit, Some("UTC".into())),
            ),
            (format!("Timestamp({short})"), DataType::Timestamp(unit, None)),
        ] {
            out = out.replace(&written, &arrow_types::spoken(&t));
        }
        for (name, said) in [("Duration", "duration"), ("Time64", "time"), ("Time32", "time")] {
            out = out.replace(&format!("{name}({short})"), said);
        }
    }
    for name in ["Decimal32(", "Decimal64(", "Decimal128(", "Decimal256("] {
        out = out.replace(name, "decimal(");
    }
    for unit in ["MonthDayNano", "YearMonth", "DayTime"] {
        out = out.replace(&format!("Interval({unit})"), "interval");
    }
    let plain = [
        ("LargeUtf8", "string"),
        ("Utf8View", "string"),
        ("Utf8", "string"),
        ("LargeBinary", "binary"),
        ("BinaryView", "binary"),
        ("Binary", "binary"),
        ("UInt64", "decimal(20,0)"),
        ("UInt32", "long"),
        ("UInt16", "integer"),
        ("UInt8", "short"),
        ("Int64", "long"),
        ("Int32", "integer"),
        ("Int16", "short"),
        ("Int8", "byte"),
        ("Float64", "double"),
        ("Float32", "float"),
        ("Float16", "float"),
        ("Date32", "date"),
        ("Date64", "date"),
        ("Boolean", "boolean"),
    ];
    for (from, to) in plain {
        out = out.replace(from, to);
    }
    arrays(&out)
}

/// Writes `List(long, field: 'element')` as `array<long>`.
fn arrays(text: &str) -> String {
    let Some((before, rest)) = text.split_once("List(") else {
        return text.to_owned();
    };
    let before = ["Large", "FixedSize"]
        .iter()
        .fold(before, |b, p| b.strip_suffix(p).unwrap_or(b));
    let mut depth = 1usize;
    let close = rest.char_indices().find(|(_, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some((at, _)) = close else {
        return text.to_owned();
    };
    let (inner, after) = (
        rest.get(..at).unwrap_or_default(),
        rest.get(at + 1..).unwrap_or_default(),
    );
    let inner = arrays(inner);
    let item = inner
        .rsplit_once(", field: ")
        .map_or(inner.as_str(), |(item, _)| item);
    format!("{before}array<{item}>{}", arrays(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_said_as_people_write_them() {
        assert_eq!(
            spoken_types("List(List(Int64), field: 'element') = Timestamp(µs, \"UTC\") or Decimal128(3, 1)"),
            "array<array<long>> = timestamp or decimal(3, 1)"
        );
    }
}
