//! Expressions: conditions, computed columns, aggregates, total orders.

use crate::grammar::{Grammar, Rel};
use crate::value::{Column, DAYS, Type};

/// Writes an order by all columns, in which equal rows are the only ties; `first` comes first.
pub(super) fn total(alias: &str, columns: &[Column], first: &[&Column]) -> String {
    let rest = columns.iter().filter(|c| !first.iter().any(|f| f.name == c.name));
    let all: Vec<String> = first
        .iter()
        .copied()
        .chain(rest)
        .map(|c| format!("{alias}.{} ASC NULLS LAST", c.name))
        .collect();
    all.join(", ")
}

impl Grammar<'_> {
    pub(super) fn date(&mut self) -> String {
        format!("DATE '{}'", self.c.pick(&DAYS))
    }

    /// Makes a condition over the columns of an alias.
    pub(crate) fn predicate(&mut self, alias: &str, columns: &[Column]) -> String {
        match self.c.weighted(&[12, 2, 2, 1]) {
            0 => self.comparison(alias, columns),
            1 => {
                let (a, b) = (self.comparison(alias, columns), self.comparison(alias, columns));
                format!("({a} AND {b})")
            }
            2 => {
                let (a, b) = (self.comparison(alias, columns), self.comparison(alias, columns));
                format!("({a} OR {b})")
            }
            _ => format!("NOT ({})", self.comparison(alias, columns)),
        }
    }

    fn comparison(&mut self, alias: &str, columns: &[Column]) -> String {
        let column = self.c.pick(columns).clone();
        let e = format!("{alias}.{}", column.name);
        let op = *self.c.pick(&["=", "<>", "<", "<=", ">", ">="]);
        if self.c.chance(1, 8) {
            return format!("{e} IS {}NULL", self.c.pick(&["", "NOT "]));
        }
        match column.t {
            Type::Int if self.c.chance(1, 4) => format!("{e} IN (0, {})", self.c.below(4)),
            Type::Int | Type::Decimal => format!("{e} {op} {}", self.c.below(6)),
            Type::Double => format!("{e} {op} {}.5", self.c.below(4)),
            Type::Text => format!("{e} {op} '{}'", self.c.pick(&["a", "b", "c"])),
            Type::Date => match self.c.weighted(&[4, 1, 1]) {
                0 => format!("{e} {op} {}", self.date()),
                1 => format!("{e} BETWEEN {} AND {}", self.date(), self.date()),
                _ => format!("{e} IN ({}, {})", self.date(), self.date()),
            },
        }
    }

    /// Makes a computed column.
    pub(super) fn computed(&mut self, alias: &str, rel: &Rel) -> (String, Column) {
        let column = self.c.pick(&rel.columns).clone();
        let e = format!("{alias}.{}", column.name);
        let (sql, t) = match column.t {
            Type::Int => match self.c.below(4) {
                0 => (format!("{e} + 1"), Type::Int),
                1 => (format!("{e} % 3"), Type::Int),
                2 => (format!("CASE WHEN {e} > 2 THEN 1 ELSE 0 END"), Type::Int),
                _ => (format!("coalesce({e}, 7)"), Type::Int),
            },
            Type::Date => match self.c.below(5) {
                0 => (format!("CAST({e} + INTERVAL '1 day' AS DATE)"), Type::Date),
                1 => (format!("CAST(date_trunc('month', {e}) AS DATE)"), Type::Date),
                2 => (format!("coalesce({e}, {})", self.date()), Type::Date),
                3 => (format!("CAST(extract(day FROM {e}) AS BIGINT)"), Type::Int),
                _ => (
                    format!(
                        "CASE WHEN {e} < {} THEN {} ELSE {e} END",
                        self.date(),
                        self.date()
                    ),
                    Type::Date,
                ),
            },
            Type::Text => match self.c.below(3) {
                0 => (format!("upper({e})"), Type::Text),
                1 => (format!("{e} || '-' || {e}"), Type::Text),
                _ => (format!("coalesce({e}, 'none')"), Type::Text),
            },
            Type::Decimal => match self.c.below(2) {
                0 => (format!("CAST({e} + {e} AS DECIMAL(18,2))"), Type::Decimal),
                _ => (format!("CASE WHEN {e} > 1 THEN {e} END"), Type::Decimal),
            },
            Type::Double => match self.c.below(2) {
                0 => (format!("{e} * 2"), Type::Double),
                _ => (format!("abs({e})"), Type::Double),
            },
        };
        let sql = if t == Type::Int {
            format!("CAST({sql} AS BIGINT)")
        } else {
            sql
        };
        let exact = column.exact;
        (
            sql,
            Column {
                exact,
                ..Column::new("", t)
            },
        )
    }

    /// Makes an aggregate of the columns of an alias. `over` is what follows it if it is a window.
    pub(super) fn aggregate(&mut self, alias: &str, columns: &[Column], over: &str) -> (String, Column) {
        // An aggregate of one row has none of the columns of a source.
        let many = columns
            .iter()
            .any(|c| ["day", "k", "q"].contains(&c.name.as_str()));
        let filter = if many && over.is_empty() && self.c.chance(1, 10) {
            format!(" FILTER (WHERE {})", self.comparison(alias, columns))
        } else {
            String::new()
        };
        let column = self.c.pick(columns).clone();
        let e = format!("{alias}.{}", column.name);
        let call = |name: &str, argument: &str| format!("{name}({argument}){filter}{over}");
        let number =
            matches!(column.t, Type::Int | Type::Decimal) || column.t == Type::Double && column.exact;
        let which = self.c.below(7);
        match which {
            1 | 2 if number => (
                format!("CAST({} AS {})", call("sum", &e), column.t.sql()),
                Column::new("", column.t),
            ),
            3 => (call("min", &e), column),
            4 => (call("max", &e), column),
            5 if over.is_empty() => (
                call("count", &format!("DISTINCT {e}")),
                Column::new("", Type::Int),
            ),
            6 if column.t == Type::Int => (
                call("avg", &e),
                Column {
                    exact: false,
                    ..Column::new("", Type::Double)
                },
            ),
            5 | 6 => (call("count", &e), Column::new("", Type::Int)),
            _ => (call("count", "*"), Column::new("", Type::Int)),
        }
    }
}
