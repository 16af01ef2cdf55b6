//! Where the rows of a file go before anybody sees them: below a prefix of its own, slice by slice.

use std::sync::OnceLock;

use arrow::array::RecordBatch;
use mainstay_catalog::Stage;
use mainstay_engine::CancelToken;
use mainstay_model::{DataFile, DatasetName, SliceKey};

use crate::instance::Instance;

/// The stage of one file's rows. It is opened with the first of them, with the columns that they have.
pub(crate) struct SliceStage<'a> {
    instance: &'a Instance,
    name: &'a DatasetName,
    slice_columns: &'a [String],
    /// No other file ever writes below it.
    prefix: String,
    cancel: &'a CancelToken,
    stage: OnceLock<Stage>,
}

impl<'a> SliceStage<'a> {
    pub(crate) const fn new(
        instance: &'a Instance,
        name: &'a DatasetName,
        slice_columns: &'a [String],
        prefix: String,
        cancel: &'a CancelToken,
    ) -> Self {
        Self {
            instance,
            name,
            slice_columns,
            prefix,
            cancel,
            stage: OnceLock::new(),
        }
    }

    fn open(&self, rows: &RecordBatch) -> Result<&Stage, mainstay_ingest::Error> {
        if let Some(stage) = self.stage.get() {
            return Ok(stage);
        }
        let store = self.instance.store();
        let store = store.map_err(|e| {
            let said: Vec<String> = std::iter::once(e.message).chain(e.causes).collect();
            mainstay_ingest::Error::failed(said.join(": "))
        })?;
        let columns = mainstay_sql::arrow_types::columns(&rows.schema());
        let schema = columns.map_err(|(column, _)| mainstay_ingest::Error::failed(column))?;
        let table = self.instance.table(self.name);
        let made = Stage::new(&store, &table, &self.prefix, &schema, self.slice_columns);
        let made = made.map_err(mainstay_ingest::Error::failed)?;
        Ok(self.stage.get_or_init(|| made))
    }
}

impl mainstay_ingest::Stage for SliceStage<'_> {
    fn stage(&self, slice: &SliceKey, rows: &RecordBatch) -> Result<DataFile, mainstay_ingest::Error> {
        if self.cancel.is_cancelled() {
            return Err(mainstay_ingest::Error::failed("it was stopped"));
        }
        let failed = |e: mainstay_catalog::Error| mainstay_ingest::Error::failed(e);
        let stage = self.open(rows)?;
        self.instance.runtime.block_on(async {
            let mut writer = stage.slice(slice).map_err(failed)?;
            writer.write(rows).await.map_err(failed)?;
            let files = writer.finish().await.map_err(failed)?;
            files
                .into_iter()
                .next()
                .ok_or_else(|| mainstay_ingest::Error::failed("rows were staged to no file"))
        })
    }
}
