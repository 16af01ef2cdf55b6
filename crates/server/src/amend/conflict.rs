//! Two corrections of the same rows: the second is laid over what the first one left, unless there is nothing left for it.

use arrow::array::RecordBatch;
use mainstay_api::{Error, ErrorKind};
use mainstay_control::{Amendment, AmendmentStatus, Sight};
use mainstay_engine::CancelToken;
use mainstay_model::amendment::{Edit, RowCounts};
use mainstay_model::id::AmendmentId;

use crate::instance::Instance;

impl Instance {
    /// Returns how many rows an amendment changes as its dataset is now, on this side.
    ///
    /// # Errors
    ///
    /// `Invalid` if it met rows when it was proposed and meets none now; says who changed them since.
    pub(super) fn met_now(
        &self,
        id: AmendmentId,
        amendment: &Amendment,
        cancel: &CancelToken,
    ) -> Result<RowCounts, Error> {
        let name = &amendment.dataset;
        let expected = amendment.preview.rows;
        if let Edit::Revert { amendment: target } = &amendment.edit {
            let holds = self.with(|s| {
                let target = s.state.amendments.get(target);
                target.is_some_and(|t| t.status == AmendmentStatus::Applied)
            });
            if !holds {
                let others = self.with(|s| others(s, id, amendment));
                let message = format!(
                    "{id} of {} and {others} both take {target} back: it does not hold any more",
                    amendment.proposed.actor
                );
                return Err(Error::new(ErrorKind::Invalid, "MS0414", message)
                    .help(format!("mainstay drop amendment/{id} gives it up")));
            }
        }
        let moved = self.with(|s| {
            let newest = s.dataset(name).and_then(|d| d.versions.last());
            newest.is_some_and(|v| v.seq > amendment.proposed.seq)
        });
        let shape = self.amended_shape(name)?;
        let Some(sql) = shape.changed(&amendment.edit).filter(|_| moved) else {
            return Ok(expected);
        };
        let met = self.rows_met(&shape, &amendment.edit, sql, cancel)?;
        let count = met.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
        let rows = match &amendment.edit {
            Edit::Set { .. } => RowCounts {
                changed: count,
                ..expected
            },
            _ => RowCounts {
                deleted: count,
                ..expected
            },
        };
        let before = expected.changed + expected.deleted;
        if before > 0 && count == 0 {
            let others = self.with(|s| others(s, id, amendment));
            let message = format!(
                "{id} of {} and {others} are about the same rows: it met {before} when it was proposed, and meets none now",
                amendment.proposed.actor
            );
            return Err(Error::new(ErrorKind::Invalid, "MS0414", message).help(format!(
                "look at the rows as they are now; mainstay drop amendment/{id} gives it up"
            )));
        }
        Ok(rows)
    }
}

/// Names what changed a dataset since an amendment was proposed.
fn others(sight: &Sight<'_>, id: AmendmentId, amendment: &Amendment) -> String {
    let since = |a: &Amendment| a.ended.as_ref().is_some_and(|e| e.seq > amendment.proposed.seq);
    let others = sight.state.amendments.iter().filter(|(other, a)| {
        let made = matches!(a.status, AmendmentStatus::Applied | AmendmentStatus::Reverted);
        **other != id && a.dataset == amendment.dataset && made && since(a)
    });
    let others: Vec<String> = others
        .map(|(other, a)| {
            let reason = a.reason.as_deref().unwrap_or("no reason said");
            format!("{other} of {} ({reason})", a.proposed.actor)
        })
        .collect();
    if others.is_empty() {
        return "what was delivered or computed since".to_owned();
    }
    others.join(", ")
}
