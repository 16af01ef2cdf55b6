//! Operators over one input: filter, projection, grouping, distinct, the first of each, top, recursion, unnesting; and unions.

use crate::grammar::expression::total;
use crate::grammar::{Grammar, Rel, free, names, of};
use crate::value::{Column, Type};

const MONTH: &str = "month";

impl Grammar<'_> {
    pub(crate) fn filter(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let condition = self.predicate(&a, &rel.columns);
        Rel {
            text: format!(
                "SELECT {} FROM {} WHERE {condition}",
                of(&a, &rel.columns),
                rel.from(&a)
            ),
            columns: rel.columns.clone(),
        }
    }

    pub(super) fn project(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let (sql, column) = self.computed(&a, rel);
        // In the place of a column of that type, or beside it.
        let at = rel
            .columns
            .iter()
            .position(|c| c.t == column.t)
            .filter(|_| self.c.chance(1, 2));
        let mut columns = rel.columns.clone();
        let mut items: Vec<String> = columns.iter().map(|c| format!("{a}.{}", c.name)).collect();
        match at {
            Some(at) => {
                items[at] = format!("{sql} AS {}", columns[at].name);
                columns[at].exact = column.exact;
            }
            None => {
                let name = free(&columns, "e");
                items.push(format!("{sql} AS {name}"));
                columns.push(Column { name, ..column });
            }
        }
        Rel {
            text: format!("SELECT {} FROM {}", items.join(", "), rel.from(&a)),
            columns,
        }
    }

    pub(crate) fn group(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let mut keys: Vec<(String, Column)> = Vec::new();
        if let Some(day) = self.column(rel, Type::Date)
            && !self.c.chance(1, 5)
        {
            let e = format!("{a}.{}", day.name);
            keys.push(if self.c.chance(1, 4) {
                (
                    format!("CAST(date_trunc('month', {e}) AS DATE)"),
                    Column::new(MONTH, Type::Date),
                )
            } else {
                (e, day)
            });
        }
        for column in self.some(&rel.columns, 2) {
            if !keys.iter().any(|(_, k)| k.name == column.name) {
                keys.push((format!("{a}.{}", column.name), column));
            }
        }
        let mut columns: Vec<Column> = keys.iter().map(|(_, k)| k.clone()).collect();
        let mut items: Vec<String> = keys.iter().map(|(e, k)| format!("{e} AS {}", k.name)).collect();
        self.aggregates(&a, rel, &mut items, &mut columns);
        let by: Vec<&str> = keys.iter().map(|(e, _)| e.as_str()).collect();
        let mut text = format!("SELECT {} FROM {}", items.join(", "), rel.from(&a));
        if !by.is_empty() {
            text = format!("{text} GROUP BY {}", by.join(", "));
            if self.c.chance(1, 6) {
                text = format!("{text} HAVING count(*) > 1");
            }
        }
        Rel { text, columns }
    }

    fn aggregates(&mut self, a: &str, rel: &Rel, items: &mut Vec<String>, columns: &mut Vec<Column>) {
        for _ in 0..=self.c.below(3) {
            let (sql, column) = self.aggregate(a, &rel.columns, "");
            let name = free(columns, "n");
            items.push(format!("{sql} AS {name}"));
            columns.push(Column { name, ..column });
        }
    }

    pub(super) fn rollup(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let Some(day) = self.column(rel, Type::Date) else {
            return self.group(rel);
        };
        let mut columns = vec![day];
        let day = columns[0].name.clone();
        columns.extend(self.some(&rel.columns, 1).into_iter().filter(|c| c.name != day));
        let keys = of(&a, &columns);
        let mut items = vec![keys.clone()];
        self.aggregates(&a, rel, &mut items, &mut columns);
        let how = *self.c.pick(&["ROLLUP", "CUBE"]);
        Rel {
            text: format!(
                "SELECT {} FROM {} GROUP BY {how} ({keys})",
                items.join(", "),
                rel.from(&a)
            ),
            columns,
        }
    }

    pub(super) fn distinct(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let mut columns = self.some(&rel.columns, 3);
        if columns.is_empty() {
            columns.clone_from(&rel.columns);
        }
        Rel {
            text: format!("SELECT DISTINCT {} FROM {}", of(&a, &columns), rel.from(&a)),
            columns,
        }
    }

    /// A union (or intersection, or difference) with another chain, whose columns are taken by type.
    pub(super) fn union(&mut self, rel: &Rel) -> Rel {
        let (other, b) = (self.other(), self.alias());
        let mut items = Vec::new();
        let mut columns = rel.columns.clone();
        for column in &mut columns {
            let found = self.column(&other, column.t);
            items.push(match found {
                None => format!("CAST(NULL AS {}) AS {}", column.t.sql(), column.name),
                Some(found) => {
                    column.exact &= found.exact;
                    let e = format!("{b}.{}", found.name);
                    let e = match column.t {
                        Type::Date => match self.c.weighted(&[6, 1, 1]) {
                            0 => e,
                            1 => format!("CAST({e} + INTERVAL '1 day' AS DATE)"),
                            _ => self.date(),
                        },
                        _ => e,
                    };
                    format!("{e} AS {}", column.name)
                }
            });
        }
        let how = match self.c.weighted(&[6, 2, 1, 1]) {
            0 => "UNION ALL",
            1 => "UNION",
            2 => "INTERSECT",
            _ => "EXCEPT",
        };
        let a = self.alias();
        let (left, right) = (of(&a, &rel.columns), items.join(", "));
        Rel {
            text: format!(
                "SELECT {left} FROM {} {how} SELECT {right} FROM {}",
                rel.from(&a),
                other.from(&b)
            ),
            columns,
        }
    }

    /// The first row of each key: by DISTINCT ON or by a row number.
    pub(super) fn first_of(&mut self, rel: &Rel) -> Rel {
        let (a, b) = (self.alias(), self.alias());
        let mut keys = self.some(&rel.columns, 2);
        if keys.is_empty() {
            keys.push(rel.columns[0].clone());
        }
        let all = of(&a, &rel.columns);
        let by: Vec<&Column> = keys.iter().collect();
        let order = total(&a, &rel.columns, &by);
        let key = of(&a, &keys);
        let text = if self.c.chance(1, 3) {
            format!(
                "SELECT DISTINCT ON ({key}) {all} FROM {} ORDER BY {order}",
                rel.from(&a)
            )
        } else {
            let numbered = format!(
                "SELECT {all}, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS nth FROM {}",
                rel.from(&a)
            );
            format!(
                "SELECT {} FROM ({numbered}) AS {b} WHERE {b}.nth = 1",
                of(&b, &rel.columns)
            )
        };
        Rel {
            text,
            columns: rel.columns.clone(),
        }
    }

    pub(super) fn top(&mut self, rel: &Rel) -> Rel {
        let a = self.alias();
        let order = total(&a, &rel.columns, &[]);
        let limit = 1 + self.c.below(8);
        Rel {
            text: format!(
                "SELECT {} FROM {} ORDER BY {order} LIMIT {limit}",
                of(&a, &rel.columns),
                rel.from(&a)
            ),
            columns: rel.columns.clone(),
        }
    }

    /// Each row again and again, with a number that counts up.
    pub(super) fn recursive(&mut self, rel: &Rel) -> Rel {
        let (a, b, w) = (self.alias(), self.alias(), self.alias());
        let level = free(&rel.columns, "lvl");
        let all = of(&a, &rel.columns);
        let text = format!(
            "WITH RECURSIVE {w} AS (SELECT {all}, CAST(0 AS BIGINT) AS {level} FROM {} UNION ALL SELECT {}, {b}.{level} + 1 FROM {w} AS {b} WHERE {b}.{level} < 2) SELECT {}, {level} FROM {w}",
            rel.from(&a),
            of(&b, &rel.columns),
            names(&rel.columns),
        );
        let mut columns = rel.columns.clone();
        columns.push(Column::new(level, Type::Int));
        Rel { text, columns }
    }

    pub(super) fn unnest(&mut self, rel: &Rel) -> Rel {
        let Some(n) = self.column(rel, Type::Int) else {
            return self.filter(rel);
        };
        let a = self.alias();
        let name = free(&rel.columns, "u");
        let e = format!("{a}.{}", n.name);
        let mut columns = rel.columns.clone();
        columns.push(Column::new(name.clone(), Type::Int));
        Rel {
            text: format!(
                "SELECT {}, unnest([{e}, {e} + 1]) AS {name} FROM {}",
                of(&a, &rel.columns),
                rel.from(&a)
            ),
            columns,
        }
    }

    /// Rows that move to the next day, if a condition holds.
    pub(super) fn moved(&mut self, rel: &Rel) -> Rel {
        let Some(day) = self.column(rel, Type::Date) else {
            return self.project(rel);
        };
        let a = self.alias();
        let condition = self.predicate(&a, &rel.columns);
        let item = |c: &Column| {
            let e = format!("{a}.{}", c.name);
            if c.name == day.name {
                format!(
                    "CASE WHEN {condition} THEN CAST({e} + INTERVAL '1 day' AS DATE) ELSE {e} END AS {}",
                    c.name
                )
            } else {
                e
            }
        };
        let items: Vec<String> = rel.columns.iter().map(item).collect();
        Rel {
            text: format!("SELECT {} FROM {}", items.join(", "), rel.from(&a)),
            columns: rel.columns.clone(),
        }
    }
}
