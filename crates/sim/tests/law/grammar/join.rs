//! Joins: by keys, over trailing days, with the day before.

use crate::grammar::{Grammar, Rel, free};
use crate::value::{Column, Type};

/// Puts the columns of both sides together; those of the right get new names where they clash.
fn both(a: &str, left: &[Column], b: &str, right: &[Column]) -> (Vec<String>, Vec<Column>) {
    let mut columns = left.to_vec();
    let mut items: Vec<String> = left.iter().map(|c| format!("{a}.{}", c.name)).collect();
    for column in right {
        let name = free(&columns, &column.name);
        items.push(format!("{b}.{} AS {name}", column.name));
        columns.push(Column {
            name,
            ..column.clone()
        });
    }
    (items, columns)
}

impl Grammar<'_> {
    /// Makes an equality of two columns of one type; none if there are none.
    pub(super) fn equality(&mut self, a: &str, left: &Rel, b: &str, right: &Rel, t: Type) -> Option<String> {
        let l = self.column(left, t)?;
        let r = self.column(right, t)?;
        Some(format!("{a}.{} = {b}.{}", l.name, r.name))
    }

    pub(super) fn join(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b) = (self.alias(), self.alias());
        let kinds: &[Type] = match self.c.weighted(&[4, 3, 2, 1]) {
            0 => &[Type::Date, Type::Int],
            1 => &[Type::Date],
            2 => &[Type::Int],
            _ => &[Type::Text, Type::Int],
        };
        let mut conditions: Vec<String> = Vec::new();
        for t in kinds {
            conditions.extend(self.equality(&a, rel, &b, &other, *t));
        }
        if conditions.is_empty() {
            return self.filter(rel);
        }
        let how = match self.c.weighted(&[4, 4, 2, 1]) {
            0 => "JOIN",
            1 => "LEFT JOIN",
            2 => "FULL JOIN",
            _ => "RIGHT JOIN",
        };
        if how != "FULL JOIN" && self.c.chance(1, 6) {
            conditions.push(self.predicate(&b, &other.columns));
        }
        let right = self.some(&other.columns, 3);
        let (mut items, columns) = both(&a, &rel.columns, &b, &right);
        if matches!(how, "FULL JOIN" | "RIGHT JOIN")
            && let (Some(l), Some(r)) = (self.column(rel, Type::Date), self.column(&other, Type::Date))
            && self.c.chance(2, 3)
        {
            let at = columns.iter().position(|c| c.name == l.name).unwrap_or(0);
            items[at] = format!("coalesce({a}.{}, {b}.{}) AS {}", l.name, r.name, l.name);
        }
        let mut text = format!(
            "SELECT {} FROM {} {how} {} ON {}",
            items.join(", "),
            rel.from(&a),
            other.from(&b),
            conditions.join(" AND ")
        );
        // What has no partner, written as a join.
        if how == "LEFT JOIN" && self.c.chance(1, 8) {
            text = format!("{text} WHERE {b}.{} IS NULL", other.columns[0].name);
        }
        Rel { text, columns }
    }

    /// Each day with the days before it, summed up.
    pub(super) fn trailing(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b) = (self.alias(), self.alias());
        let (Some(l), Some(r)) = (self.column(rel, Type::Date), self.column(&other, Type::Date)) else {
            return self.group(rel);
        };
        let (l, r) = (l.name, r.name);
        let days = 1 + self.c.below(3);
        let range = match self.c.weighted(&[4, 2, 1, 1]) {
            0 => format!("{b}.{r} BETWEEN {a}.{l} - INTERVAL '{days} days' AND {a}.{l}"),
            1 => format!("{b}.{r} > {a}.{l} - INTERVAL '{days} days' AND {b}.{r} <= {a}.{l}"),
            2 => format!("{b}.{r} < {a}.{l}"),
            _ => format!("{b}.{r} BETWEEN {a}.{l} AND {a}.{l} + INTERVAL '{days} days'"),
        };
        let mut conditions = vec![range];
        if self.c.chance(1, 2) {
            conditions.extend(self.equality(&a, rel, &b, &other, Type::Int));
        }
        let mut columns = vec![Column::new("day", Type::Date)];
        let mut keys = vec![format!("{a}.{l}")];
        let mut items = vec![format!("{a}.{l} AS day")];
        if let Some(k) = self.column(rel, Type::Int)
            && self.c.chance(1, 2)
        {
            keys.push(format!("{a}.{}", k.name));
            items.push(format!("{a}.{} AS k", k.name));
            columns.push(Column::new("k", Type::Int));
        }
        for _ in 0..=self.c.below(2) {
            let (sql, column) = self.aggregate(&b, &other.columns, "");
            let name = free(&columns, "m");
            items.push(format!("{sql} AS {name}"));
            columns.push(Column { name, ..column });
        }
        let how = *self.c.pick(&["JOIN", "LEFT JOIN"]);
        Rel {
            text: format!(
                "SELECT {} FROM {} {how} {} ON {} GROUP BY {}",
                items.join(", "),
                rel.from(&a),
                other.from(&b),
                conditions.join(" AND "),
                keys.join(", ")
            ),
            columns,
        }
    }

    /// One chain, used twice: each row with those of the day before.
    pub(super) fn day_before(&mut self, rel: &Rel) -> Rel {
        let Some(day) = self.column(rel, Type::Date) else {
            return self.distinct(rel);
        };
        let (a, b, w) = (self.alias(), self.alias(), self.alias());
        let mut conditions = vec![format!("{b}.{0} = {a}.{0} - INTERVAL '1 day'", day.name)];
        if let Some(k) = self.column(rel, Type::Int)
            && self.c.chance(2, 3)
        {
            conditions.push(format!("{b}.{0} = {a}.{0}", k.name));
        }
        let right = self.some(&rel.columns, 2);
        let (items, columns) = both(&a, &rel.columns, &b, &right);
        let how = *self.c.pick(&["LEFT JOIN", "JOIN"]);
        let (items, conditions) = (items.join(", "), conditions.join(" AND "));
        let text = if self.c.chance(1, 2) {
            format!(
                "WITH {w} AS ({}) SELECT {items} FROM {w} AS {a} {how} {w} AS {b} ON {conditions}",
                rel.query()
            )
        } else {
            format!(
                "SELECT {items} FROM {} {how} {} ON {conditions}",
                rel.from(&a),
                rel.from(&b)
            )
        };
        Rel { text, columns }
    }
}
