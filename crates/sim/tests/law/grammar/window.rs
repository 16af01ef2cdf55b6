//! Windows: totals, running totals, ranges of days, ranks, the row before.

use crate::grammar::expression::total;
use crate::grammar::{Grammar, Rel, free, of};
use crate::value::{Column, Type};

impl Grammar<'_> {
    pub(super) fn window(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let mut columns = rel.columns.clone();
        let mut items = vec![of(&a, &rel.columns)];
        for _ in 0..=usize::from(self.c.chance(1, 4)) {
            let (sql, column) = self.over(&a, rel);
            let name = free(&columns, "w");
            items.push(format!("{sql} AS {name}"));
            columns.push(Column { name, ..column });
        }
        Rel {
            text: format!("SELECT {} FROM {}", items.join(", "), rel.from(&a)),
            columns,
        }
    }

    fn over(&mut self, a: &str, rel: &Rel) -> (String, Column) {
        let day = self.column(rel, Type::Date);
        let mut by: Vec<Column> = Vec::new();
        if let Some(day) = &day
            && self.c.chance(1, 2)
        {
            by.push(day.clone());
        }
        if self.c.chance(1, 2) {
            let more = self.some(&rel.columns, 1);
            by.extend(more.into_iter().filter(|c| day.as_ref() != Some(c)));
        }
        let partition = if by.is_empty() {
            String::new()
        } else {
            format!("PARTITION BY {}", of(a, &by))
        };
        let first: Vec<&Column> = day.iter().collect();
        let order = total(a, &rel.columns, &first);
        let peers = day.as_ref().map(|d| {
            let how = [
                "ASC NULLS LAST",
                "ASC NULLS FIRST",
                "DESC NULLS LAST",
                "DESC NULLS FIRST",
            ];
            format!("{a}.{} {}", d.name, self.c.pick(&how))
        });
        let row = || Column::new("", Type::Int);
        match (self.c.weighted(&[2, 3, 2, 2, 1, 1, 2]), peers) {
            (1, Some(peers)) => {
                self.aggregate(a, &rel.columns, &format!(" OVER ({partition} ORDER BY {peers})"))
            }
            (2, Some(peers)) => {
                let n = 1 + self.c.below(2);
                let frame = match self.c.below(3) {
                    0 => format!("INTERVAL '{n} days' PRECEDING AND CURRENT ROW"),
                    1 => format!("INTERVAL '{n} days' PRECEDING AND INTERVAL '1 days' FOLLOWING"),
                    _ => format!("CURRENT ROW AND INTERVAL '{n} days' FOLLOWING"),
                };
                let over = format!(" OVER ({partition} ORDER BY {peers} RANGE BETWEEN {frame})");
                self.aggregate(a, &rel.columns, &over)
            }
            (3, _) => {
                let frame = *self.c.pick(&[
                    "UNBOUNDED PRECEDING AND CURRENT ROW",
                    "1 PRECEDING AND CURRENT ROW",
                    "CURRENT ROW AND UNBOUNDED FOLLOWING",
                ]);
                let over = format!(" OVER ({partition} ORDER BY {order} ROWS BETWEEN {frame})");
                self.aggregate(a, &rel.columns, &over)
            }
            (4, Some(peers)) => {
                let f = *self.c.pick(&["rank", "dense_rank"]);
                (
                    format!("CAST({f}() OVER ({partition} ORDER BY {peers}) AS BIGINT)"),
                    row(),
                )
            }
            (5, _) => (
                format!("CAST(row_number() OVER ({partition} ORDER BY {order}) AS BIGINT)"),
                row(),
            ),
            (6, _) => {
                let f = *self.c.pick(&["lag", "lead", "first_value"]);
                let column = self.c.pick(&rel.columns).clone();
                (
                    format!("{f}({a}.{}) OVER ({partition} ORDER BY {order})", column.name),
                    column,
                )
            }
            _ => self.aggregate(a, &rel.columns, &format!(" OVER ({partition})")),
        }
    }
}
