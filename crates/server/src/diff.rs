//! `diff`: the rows in which two versions of a dataset differ.
//!
//! Rows are compared as a multiset: each row counts once for one side and once against the other, and what does not cancel out
//! differs. With a key, a row that went and one that came with the same key are one that changed.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{DiffReport, Error, ErrorKind, Row, RowDifference};
use mainstay_engine::{CancelToken, Mounted};
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};
use mainstay_sql::quoted;
use serde_json::Value;

use crate::instance::Instance;
use crate::mount::{Part, schema_at, slices_at};
use crate::query::QueryResult;

/// What is compared.
#[derive(Clone, Debug)]
pub struct DiffRequest {
    /// The dataset.
    pub dataset: DatasetName,
    /// The earlier version.
    pub from: u64,
    /// The later version; the newest if left out.
    pub to: Option<u64>,
    /// The columns that tell rows apart.
    pub key: Vec<String>,
    /// How many rows are shown.
    pub limit: usize,
}

/// Two sides of one table.
pub(crate) struct Sides {
    pub(crate) name: DatasetName,
    pub(crate) schema: Schema,
    pub(crate) slice_columns: Vec<String>,
    pub(crate) before: Vec<(SliceKey, SliceVersion)>,
    pub(crate) after: Vec<(SliceKey, SliceVersion)>,
}

impl Instance {
    /// Compares two versions of a dataset.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown dataset or version, `Invalid` for an unknown key column.
    pub fn diff(&self, request: &DiffRequest, cancel: &CancelToken) -> Result<DiffReport, Error> {
        let name = &request.dataset;
        let newest = self.dataset(name)?.version;
        let to = request.to.unwrap_or(newest);
        for version in [request.from, to] {
            if version > newest {
                let message = format!("{name} has no version {version}; its versions are 1 to {newest}");
                return Err(Error::new(ErrorKind::NotFound, "MS0401", message));
            }
        }
        let given_up = self.with(|s| {
            let d = s.dataset(name)?;
            [request.from, to]
                .into_iter()
                .find_map(|v| Some((v, d.given_up(v)?.1)))
        });
        if let Some((version, seq)) = given_up {
            return Err(crate::query::gone(name, version, seq));
        }
        let sides = self.with(|s| {
            let d = s.dataset(name)?;
            let before: BTreeMap<_, _> = slices_at(d, request.from, Part::All).into_iter().collect();
            let after: BTreeMap<_, _> = slices_at(d, to, Part::All).into_iter().collect();
            // Slices that are the same files need not be read.
            let differs = |k: &SliceKey| before.get(k) != after.get(k);
            let keep = |side: &BTreeMap<SliceKey, SliceVersion>| {
                let kept = side.iter().filter(|(k, _)| differs(k));
                kept.map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
            };
            Some(Sides {
                name: name.clone(),
                schema: schema_at(d, to),
                slice_columns: d.slice_columns.clone(),
                before: keep(&before),
                after: keep(&after),
            })
        });
        let Some(sides) = sides else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "MS0401",
                format!("{name} holds nothing"),
            ));
        };
        let mut report = self.compare(sides, &request.key, request.limit, cancel)?;
        (report.from, report.to) = (request.from, to);
        Ok(report)
    }

    /// Compares two sides of a table.
    pub(crate) fn compare(
        &self,
        sides: Sides,
        key: &[String],
        limit: usize,
        cancel: &CancelToken,
    ) -> Result<DiffReport, Error> {
        for column in key {
            if sides.schema.column(column).is_none() {
                let near = mainstay_base::text::nearest(column, sides.schema.names());
                let error = Error::new(
                    ErrorKind::Invalid,
                    "MS0425",
                    format!("{} has no column `{column}`", sides.name),
                );
                return Err(match near {
                    Some(name) => error.help(format!("did you mean `{name}`?")),
                    None => error,
                });
            }
        }
        let columns: Vec<String> = sides.schema.names().map(str::to_owned).collect();
        let store = self.store()?;
        let mounted = |table: &str, slices: Vec<(SliceKey, SliceVersion)>| {
            let name: DatasetName = table
                .parse()
                .map_err(|e| crate::error::defect("name a side", &e))?;
            Ok::<Mounted, Error>(Mounted {
                name,
                store: store.clone(),
                table: self.table(&sides.name),
                schema: sides.schema.clone(),
                slice_columns: sides.slice_columns.clone(),
                slices,
            })
        };
        let inputs = vec![
            mounted("side.before", sides.before)?,
            mounted("side.after", sides.after)?,
        ];
        let all: Vec<String> = columns.iter().map(|c| quoted(c)).collect();
        let all = all.join(", ");
        let mut order: Vec<String> = key.iter().map(|c| quoted(c)).collect();
        order.extend(sides.slice_columns.iter().map(|c| quoted(c)));
        order.push("weight_of_row".to_owned());
        let sql = format!(
            "SELECT {all}, sum(side_of_row) AS weight_of_row FROM (SELECT {all}, 1 AS side_of_row FROM side.after \
             UNION ALL SELECT {all}, -1 AS side_of_row FROM side.before) GROUP BY {all} \
             HAVING sum(side_of_row) <> 0 ORDER BY {}",
            order.join(", ")
        );
        let batches = self.ask(sql, inputs, cancel)?;
        let Some(first) = batches.first() else {
            return Ok(Tally::default().report(&sides.name, limit));
        };
        let result = QueryResult {
            schema: first.schema(),
            batches,
        };
        let mut tally = Tally::default();
        for row in result.json()? {
            tally.count(&row, &columns, key);
        }
        Ok(tally.report(&sides.name, limit))
    }
}

/// Rows that came and went, by key.
#[derive(Default)]
struct Tally {
    keys: Vec<String>,
    by_key: BTreeMap<String, (Vec<Row>, Vec<Row>)>,
}

impl Tally {
    fn count(&mut self, row: &Value, columns: &[String], key: &[String]) {
        let value = |c: &String| (c.clone(), row.get(c).cloned().unwrap_or_default());
        let whole = Row(columns.iter().map(value).collect());
        let named: &[String] = if key.is_empty() { columns } else { key };
        let name: Vec<String> = named
            .iter()
            .map(|c| row.get(c).map_or_else(String::new, Value::to_string))
            .collect();
        let name = name.join("\u{1f}");
        let weight = row.get("weight_of_row").and_then(Value::as_i64).unwrap_or(0);
        let (went, came) = match self.by_key.entry(name) {
            std::collections::btree_map::Entry::Vacant(e) => {
                self.keys.push(e.key().clone());
                e.insert(Default::default())
            }
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
        };
        let side = if weight > 0 { came } else { went };
        for _ in 0..weight.unsigned_abs() {
            side.push(whole.clone());
        }
    }

    fn report(mut self, name: &DatasetName, limit: usize) -> DiffReport {
        let mut report = DiffReport {
            dataset: name.to_string(),
            from: 0,
            to: 0,
            added: 0,
            removed: 0,
            changed: 0,
            columns: Vec::new(),
            rows: Vec::new(),
        };
        let mut columns: BTreeSet<String> = BTreeSet::new();
        for key in &self.keys {
            let Some((went, came)) = self.by_key.remove(key) else {
                continue;
            };
            let (mut went, mut came) = (went.into_iter(), came.into_iter());
            loop {
                let (before, after) = (went.next(), came.next());
                let change = match (&before, &after) {
                    (None, None) => break,
                    (Some(b), Some(a)) => {
                        report.changed += 1;
                        let differing = b.0.iter().zip(&a.0).filter(|(x, y)| x.1 != y.1);
                        columns.extend(differing.map(|(x, _)| x.0.clone()));
                        "changed"
                    }
                    (None, Some(_)) => {
                        report.added += 1;
                        "added"
                    }
                    (Some(_), None) => {
                        report.removed += 1;
                        "removed"
                    }
                };
                if report.rows.len() < limit {
                    report.rows.push(RowDifference {
                        change: change.to_owned(),
                        before,
                        after,
                    });
                }
            }
        }
        report.columns = columns.into_iter().collect();
        report
    }
}
