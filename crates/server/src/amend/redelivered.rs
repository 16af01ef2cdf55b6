//! What a delivery means for the amendments of its source: which of them change other rows after it than before.
//!
//! A row is another one if any of its values is. Amendments look at one row at a time, so that only the files that come and those
//! that go have to be read, not the slices that they are in.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use mainstay_api::Error;
use mainstay_control::{DeliveredFile, base_after_delivery};
use mainstay_engine::CancelToken;
use mainstay_model::amendment::Edit;
use mainstay_model::delivery::Reapplied;
use mainstay_model::id::AmendmentId;
use mainstay_model::{ColumnType, DataFile, DatasetName, Schema, SliceKey, SliceVersion};
use mainstay_sql::quoted;

use super::overlay::{may_meet, shape, without_brought};
use super::rule::Shape;
use crate::instance::Instance;

type Contents = BTreeMap<SliceKey, SliceVersion>;

/// The amendments of a source, and what they are laid over before a delivery and after it.
struct Sides {
    edits: Vec<(AmendmentId, Edit)>,
    before: (Shape, Contents),
    after: Shape,
}

impl Instance {
    /// Says for each of some delivered files which amendments of its source change other rows after it than before.
    ///
    /// Where rows only move from one file to another, nothing is said.
    pub(crate) fn reapplied(
        &self,
        name: &DatasetName,
        (schema, slice_columns): (&Schema, &[String]),
        files: &[DeliveredFile],
    ) -> Result<Vec<Vec<Reapplied>>, Error> {
        let nothing = vec![Vec::new(); files.len()];
        let sides = self.with(|sight| {
            let held = sight.dataset(name)?;
            let edits = held.overlay.amendments.iter().filter_map(|id| {
                let edit = sight.state.amendments.get(id)?.edit.clone();
                Some((*id, without_brought(edit)?))
            });
            let base = held.base();
            let contents = base.newest().map(|(k, v)| (k.clone(), v.clone())).collect();
            let before = shape(sight, name, base.schema()?, &base.slice_columns);
            Some(Sides {
                edits: edits.collect(),
                before: (before, contents),
                after: shape(sight, name, schema, slice_columns),
            })
        });
        let Some(sides) = sides.filter(|s| !s.edits.is_empty()) else {
            return Ok(nothing);
        };
        let with = |files: &[DeliveredFile]| {
            self.with(|sight| base_after_delivery(sight, name, schema, slice_columns, files))
        };
        let all = self.difference(&sides, &with(files))?;
        match files {
            _ if all.is_empty() => return Ok(nothing),
            [_] => return Ok(vec![all]),
            _ => {}
        }
        let each = files.iter().map(|file| {
            let alone = with(std::slice::from_ref(file));
            self.difference(&sides, &alone)
        });
        each.collect()
    }

    /// The amendments that change other rows of one base than of another.
    fn difference(&self, sides: &Sides, after: &Contents) -> Result<Vec<Reapplied>, Error> {
        let (shape, before) = &sides.before;
        let (goes, comes) = (not_in(before, after), not_in(after, before));
        let concerned = |slices: Vec<(SliceKey, SliceVersion)>, shape: &Shape| {
            let met = |k: &SliceKey| may_meet(&sides.edits, &shape.slice_columns, k);
            slices.into_iter().filter(|(k, _)| met(k)).collect::<Vec<_>>()
        };
        let (goes, comes) = (concerned(goes, shape), concerned(comes, &sides.after));
        if goes.is_empty() && comes.is_empty() {
            return Ok(Vec::new());
        }
        let table = |name: &str| {
            let name = name.parse::<DatasetName>();
            name.map_err(|e| crate::error::defect("name a side", &e))
        };
        let inputs = vec![
            self.mounted(shape, table(BEFORE)?, goes)?,
            self.mounted(&sides.after, table(AFTER)?, comes)?,
        ];
        let batches = self.ask(
            question(&sides.edits, shape, &sides.after),
            inputs,
            &CancelToken::new(),
        )?;
        let mut found = Vec::new();
        for batch in &batches {
            let column = |name: &str| {
                batch
                    .column_by_name(name)
                    .and_then(|c| c.as_primitive_opt::<Int64Type>())
            };
            let (Some(ids), Some(gone), Some(new)) = (column("amendment"), column("gone"), column("new"))
            else {
                continue;
            };
            for i in (0..batch.num_rows()).filter(|i| ids.is_valid(*i)) {
                found.push(Reapplied {
                    amendment: AmendmentId(ids.value(i).unsigned_abs()),
                    gone: gone.value(i).unsigned_abs(),
                    new: new.value(i).unsigned_abs(),
                });
            }
        }
        found.retain(|r| r.gone + r.new > 0);
        found.sort_by_key(|r| r.amendment);
        Ok(found)
    }
}

const BEFORE: &str = "delivery.before";
const AFTER: &str = "delivery.after";

/// The files of one content that are not in another, by slice.
fn not_in(these: &Contents, those: &Contents) -> Vec<(SliceKey, SliceVersion)> {
    let differing = these.iter().filter(|(k, v)| those.get(*k) != Some(v));
    let rest = differing.map(|(slice, content)| {
        let others: BTreeSet<&str> = those
            .get(slice)
            .into_iter()
            .flat_map(|v| v.files.iter().map(|f| f.path.as_str()))
            .collect();
        let files = content.files.iter().filter(|f| !others.contains(f.path.as_str()));
        let files: Vec<DataFile> = files.cloned().collect();
        (slice.clone(), SliceVersion { files })
    });
    rest.filter(|(_, v)| !v.files.is_empty()).collect()
}

/// Says whether values of a type can be compared for being the same.
fn is_comparable(t: &ColumnType) -> bool {
    match t {
        ColumnType::Map(..) => false,
        ColumnType::Array(of) => is_comparable(of),
        ColumnType::Struct(fields) => fields.iter().all(|(_, t)| is_comparable(t)),
        _ => true,
    }
}

/// By amendment, how many rows that it changed are gone, and how many that it changes are new. Columns that only one side has
/// do not make a row another one.
fn question(edits: &[(AmendmentId, Edit)], before: &Shape, after: &Shape) -> String {
    let both = before.schema.0.iter().filter(|c| {
        let other = after.schema.column(&c.name);
        is_comparable(&c.column_type) && other.is_some_and(|o| o.column_type == c.column_type)
    });
    let columns: String = both.map(|c| format!(", {}", quoted(&c.name))).collect();
    let (mut steps, mut changed) = (Vec::new(), Vec::new());
    for (side, shape, table, sign) in [("before", before, BEFORE, -1), ("after", after, AFTER, 1)] {
        steps.push(format!("{side}_0 AS (SELECT {} FROM {table})", shape.columns()));
        for (i, (id, edit)) in edits.iter().enumerate() {
            let from = format!("{side}_{i}");
            if let Some(rows) = shape.changed_in(edit, &from) {
                changed.push(format!(
                    "SELECT {} AS \"mainstay amendment\", {sign} AS \"mainstay side\"{columns} FROM ({rows})",
                    id.0
                ));
            }
            steps.push(format!("{side}_{} AS ({})", i + 1, shape.step(*id, edit, &from)));
        }
    }
    format!(
        "WITH {} SELECT CAST(\"mainstay amendment\" AS BIGINT) AS amendment, \
         CAST(sum(greatest(-\"mainstay count\", 0)) AS BIGINT) AS gone, \
         CAST(sum(greatest(\"mainstay count\", 0)) AS BIGINT) AS new \
         FROM (SELECT \"mainstay amendment\", sum(\"mainstay side\") AS \"mainstay count\"{columns} FROM ({}) \
         GROUP BY \"mainstay amendment\"{columns}) GROUP BY \"mainstay amendment\"",
        steps.join(", "),
        changed.join(" UNION ALL ")
    )
}
