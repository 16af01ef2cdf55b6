//! Subqueries: EXISTS, IN and their opposites, scalars, correlated ones, totals beside each row.

use crate::grammar::{Grammar, Rel, free, of};
use crate::value::{Column, Type};

impl Grammar<'_> {
    pub(super) fn semi(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b) = (self.alias(), self.alias());
        let not = if self.c.chance(1, 2) { "NOT " } else { "" };
        let t = *self.c.pick(&[Type::Date, Type::Int, Type::Text]);
        let (l, r) = (self.column(rel, t), self.column(&other, t));
        let (Some(l), Some(r)) = (l, r) else {
            return self.filter(rel);
        };
        let (l, r) = (format!("{a}.{}", l.name), format!("{b}.{}", r.name));
        let condition = if self.c.chance(1, 3) {
            format!("{l} {not}IN (SELECT {r} FROM {})", other.from(&b))
        } else {
            let mut conditions = vec![match (t, self.c.weighted(&[3, 1, 1])) {
                (Type::Date, 1) => format!("{r} < {l}"),
                (Type::Date, 2) => format!("{r} = {l} - INTERVAL '1 day'"),
                _ => format!("{r} = {l}"),
            }];
            if self.c.chance(1, 2) {
                conditions.extend(self.equality(&a, rel, &b, &other, Type::Int));
            }
            format!(
                "{not}EXISTS (SELECT 1 FROM {} WHERE {})",
                other.from(&b),
                conditions.join(" AND ")
            )
        };
        Rel {
            text: format!(
                "SELECT {} FROM {} WHERE {condition}",
                of(&a, &rel.columns),
                rel.from(&a)
            ),
            columns: rel.columns.clone(),
        }
    }

    /// A comparison with one value of another relation.
    pub(super) fn scalar(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b) = (self.alias(), self.alias());
        let t = *self.c.pick(&[Type::Int, Type::Date]);
        let (Some(l), Some(r)) = (self.column(rel, t), self.column(&other, t)) else {
            return self.filter(rel);
        };
        let op = *self.c.pick(&["<=", ">=", "="]);
        let f = *self.c.pick(&["min", "max"]);
        Rel {
            text: format!(
                "SELECT {} FROM {} WHERE {a}.{} {op} (SELECT {f}({b}.{}) FROM {})",
                of(&a, &rel.columns),
                rel.from(&a),
                l.name,
                r.name,
                other.from(&b)
            ),
            columns: rel.columns.clone(),
        }
    }

    /// A column that is computed from the rows of another relation that belong to each row.
    pub(super) fn correlated(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b) = (self.alias(), self.alias());
        let kinds = *self
            .c
            .pick(&[&[Type::Date][..], &[Type::Date, Type::Int], &[Type::Int]]);
        let mut conditions = Vec::new();
        for t in kinds {
            conditions.extend(self.equality(&a, rel, &b, &other, *t));
        }
        if conditions.is_empty() {
            return self.distinct(rel);
        }
        let (sql, column) = self.aggregate(&b, &other.columns, "");
        let name = free(&rel.columns, "c");
        let mut columns = rel.columns.clone();
        columns.push(Column {
            name: name.clone(),
            ..column
        });
        Rel {
            text: format!(
                "SELECT {}, (SELECT {sql} FROM {} WHERE {}) AS {name} FROM {}",
                of(&a, &rel.columns),
                other.from(&b),
                conditions.join(" AND "),
                rel.from(&a)
            ),
            columns,
        }
    }

    /// Each row beside the total of another relation.
    pub(super) fn beside_total(&mut self, rel: &Rel) -> Rel {
        let other = self.other();
        let (a, b, d) = (self.alias(), self.alias(), self.alias());
        let (sql, column) = self.aggregate(&b, &other.columns, "");
        let name = free(&rel.columns, "g");
        let mut columns = rel.columns.clone();
        columns.push(Column {
            name: name.clone(),
            ..column
        });
        Rel {
            text: format!(
                "SELECT {}, {d}.{name} FROM {} CROSS JOIN (SELECT {sql} AS {name} FROM {}) AS {d}",
                of(&a, &rel.columns),
                rel.from(&a),
                other.from(&b)
            ),
            columns,
        }
    }
}
