//! What amendments make of a base: one query over the slices that they touch; all other slices stay the files that they are.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use mainstay_api::{Error, ErrorKind};
use mainstay_control::{Overlaid, Sight};
use mainstay_engine::{Assignment, CancelToken, Mounted, Output, Question};
use mainstay_model::amendment::{Edit, Overlay};
use mainstay_model::id::AmendmentId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{Scope, Usage};
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

use super::rule::{Made, Shape, brought_name, names};
use crate::instance::Instance;

/// A base and the amendments that stand over it.
pub(crate) struct Ground {
    pub(super) shape: Shape,
    pub(super) base: BTreeMap<SliceKey, SliceVersion>,
    pub(super) edits: Vec<(AmendmentId, Edit)>,
}

/// What came of laying amendments over a base.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) overlaid: Overlaid,
    pub(crate) usage: Usage,
}

impl Laid {
    /// Returns the paths of the staged files, relative to the table.
    pub(crate) fn files(&self) -> Vec<String> {
        let rows = self.overlaid.rows.values();
        rows.flat_map(|v| v.files.iter().map(|f| f.path.clone()))
            .collect()
    }
}

/// Returns what the amendments of a dataset are about.
pub(super) fn shape(
    sight: &Sight<'_>,
    name: &DatasetName,
    schema: &Schema,
    slice_columns: &[String],
) -> Shape {
    let made = match sight
        .resource(&ResourceKey::new(Kind::Source, name))
        .map(|r| &r.spec)
    {
        Some(Spec::Source(source)) => source
            .slice
            .iter()
            .filter_map(|s| {
                let expression = s.expression.clone()?;
                // An expression over a delivered column of its own name cannot be computed again: that column is replaced.
                (!names(&expression, &s.name)).then(|| Made {
                    column: s.name.clone(),
                    expression,
                })
            })
            .collect(),
        _ => Vec::new(),
    };
    Shape {
        name: name.clone(),
        schema: schema.clone(),
        slice_columns: slice_columns.to_vec(),
        made,
    }
}

impl Ground {
    /// A base under some amendments, in their order.
    pub(crate) fn new(
        sight: &Sight<'_>,
        name: &DatasetName,
        (schema, slice_columns): (&Schema, &[String]),
        base: BTreeMap<SliceKey, SliceVersion>,
        amendments: &[AmendmentId],
    ) -> Self {
        let edit = |id: &AmendmentId| Some((*id, sight.state.amendments.get(id)?.edit.clone()));
        Self {
            shape: shape(sight, name, schema, slice_columns),
            base,
            edits: amendments.iter().filter_map(edit).collect(),
        }
    }

    /// The same without the rows that amendments bring.
    pub(crate) fn without_brought(mut self) -> Self {
        let kept = self.edits.into_iter();
        self.edits = kept
            .filter_map(|(id, edit)| Some((id, without_brought(edit)?)))
            .collect();
        self
    }
}

/// What an edit does to rows that are there; none if it only brings others.
pub(super) fn without_brought(edit: Edit) -> Option<Edit> {
    match edit {
        Edit::Replace { target, .. } => Some(Edit::Delete { target }),
        Edit::Insert { .. } | Edit::Revert { .. } => None,
        edit => Some(edit),
    }
}

impl Instance {
    /// Lays amendments over a base; the touched slices are staged below `prefix`.
    pub(crate) fn lay(&self, ground: &Ground, prefix: &str, cancel: &CancelToken) -> Result<Laid, Error> {
        let shape = &ground.shape;
        let mut overlay = Overlay {
            amendments: ground.edits.iter().map(|(id, _)| *id).collect(),
            ..Overlay::default()
        };
        self.find_touched(ground, &mut overlay, cancel)?;
        let brings = ground.edits.iter().any(|(_, e)| e.brought().is_some());
        if overlay.touched.is_empty() && !brings {
            return Ok(Laid {
                overlaid: Overlaid {
                    overlay,
                    rows: BTreeMap::new(),
                },
                ..Laid::default()
            });
        }
        let touched: BTreeSet<&SliceKey> = overlay.touched.iter().collect();
        let inside = ground.base.iter().filter(|(k, _)| touched.contains(k));
        let inside: Vec<_> = inside.map(|(k, v)| (k.clone(), v.clone())).collect();
        let store = self.store()?;
        let mut inputs = vec![self.mounted(shape, shape.name.clone(), inside)?];
        for (id, edit) in &ground.edits {
            if let (Some(brought), Some(name)) = (edit.brought(), brought_name(*id)) {
                let mut slices: BTreeMap<SliceKey, SliceVersion> = BTreeMap::new();
                for (slice, file) in &brought.files {
                    slices.entry(slice.clone()).or_default().files.push(file.clone());
                }
                inputs.push(self.mounted(shape, name, slices.into_iter().collect())?);
            }
        }
        let assignment = Assignment {
            query: shape.chain(&ground.edits),
            label: shape.name.to_string(),
            inputs,
            output: Output {
                dataset: shape.name.clone(),
                store,
                table: self.table(&shape.name),
                schema: shape.schema.clone(),
                slice_columns: shape.slice_columns.clone(),
                attempt_prefix: prefix.to_owned(),
            },
            scope: Scope::Whole,
            as_of: self.clock.now(),
            // What readers would see is judged as a whole, by who publishes it.
            checks: Vec::new(),
            check_inputs: Vec::new(),
            previous: Vec::new(),
            time_limit: None,
        };
        let done = self
            .engine()?
            .run(assignment, cancel, &|_| {})
            .map_err(|e| engine_error(&shape.name, e))?;
        Ok(Laid {
            overlaid: Overlaid {
                overlay,
                rows: done.slices.into_iter().collect(),
            },
            usage: done.usage,
        })
    }

    pub(super) fn mounted(
        &self,
        shape: &Shape,
        name: DatasetName,
        slices: Vec<(SliceKey, SliceVersion)>,
    ) -> Result<Mounted, Error> {
        Ok(Mounted {
            name,
            store: self.store()?,
            table: self.table(&shape.name),
            schema: shape.schema.clone(),
            slice_columns: shape.slice_columns.clone(),
            slices,
        })
    }

    /// Finds the slices of the base in which any amendment meets a row. Where none of them meets a row as it is in the base,
    /// none meets it later, so that the chain leaves the slice as it is.
    fn find_touched(
        &self,
        ground: &Ground,
        overlay: &mut Overlay,
        cancel: &CancelToken,
    ) -> Result<(), Error> {
        let shape = &ground.shape;
        let Some((sql, ids)) = shape.met(&ground.edits) else {
            return Ok(());
        };
        let slices = ground.base.iter().map(|(k, v)| (k.clone(), v.clone()));
        let selected = slices
            .filter(|(k, _)| may_meet(&ground.edits, &shape.slice_columns, k))
            .collect();
        let batches = self.ask(
            sql,
            vec![self.mounted(shape, shape.name.clone(), selected)?],
            cancel,
        )?;
        let mut touched: BTreeSet<SliceKey> = BTreeSet::new();
        for batch in &batches {
            let split = mainstay_catalog::partition::split(batch, &shape.slice_columns)
                .map_err(|e| crate::error::catalog(&shape.name, &e))?;
            touched.extend(split.into_iter().map(|(k, _)| k));
            for id in &ids {
                let column = batch.column_by_name(&format!("met_{}", id.0));
                let counts = column.and_then(|c| c.as_primitive_opt::<Int64Type>());
                let sum: i64 = counts.into_iter().flat_map(|c| c.iter().flatten()).sum();
                *overlay.met.entry(*id).or_default() += sum.unsigned_abs();
            }
        }
        overlay.touched = touched.into_iter().collect();
        Ok(())
    }

    /// Asks a question of mounted tables.
    pub(crate) fn ask(
        &self,
        sql: String,
        inputs: Vec<Mounted>,
        cancel: &CancelToken,
    ) -> Result<Vec<RecordBatch>, Error> {
        let label = inputs.first().map(|i| i.name.clone());
        let question = Question {
            sql,
            inputs,
            tables: Vec::new(),
            as_of: self.clock.now(),
            time_limit: None,
        };
        let mut batches = Vec::new();
        let answered = self.engine()?.query(question, cancel, &mut |batch| {
            batches.push(batch);
            Ok(())
        });
        match (answered, label) {
            (Ok(_), _) => Ok(batches),
            (Err(e), Some(name)) => Err(engine_error(&name, e)),
            (Err(e), None) => Err(Error::new(ErrorKind::Failed, e.code, e.message)),
        }
    }
}

/// Says whether any amendment may meet a row of a slice, from the slices that they name.
pub(super) fn may_meet(edits: &[(AmendmentId, Edit)], slice_columns: &[String], slice: &SliceKey) -> bool {
    edits.iter().any(|(_, edit)| {
        let (Edit::Set { target, .. } | Edit::Delete { target } | Edit::Replace { target, .. }) = edit else {
            return false;
        };
        let selection: Option<mainstay_model::Selection> =
            target.slices.as_ref().and_then(|s| s.parse().ok());
        selection.is_none_or(|s| s.matches(slice, slice_columns))
    })
}

pub(crate) fn engine_error(name: &DatasetName, e: mainstay_engine::Error) -> Error {
    use mainstay_engine::Kind;
    let kind = match e.kind {
        Kind::Query => ErrorKind::Invalid,
        Kind::Store => ErrorKind::Unavailable,
        Kind::Cancelled => ErrorKind::Interrupted,
        _ => ErrorKind::Failed,
    };
    let message = match e.message.starts_with(&format!("{name}:")) {
        true => e.message,
        false => format!("{name}: {}", e.message),
    };
    let error = Error::new(kind, e.code, message);
    match e.help {
        Some(help) => error.help(help),
        None => error,
    }
}
