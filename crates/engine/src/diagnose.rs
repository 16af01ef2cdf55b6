//! Finding the file that is to blame when reading failed.
//!
//! Readers say what is wrong, but rarely in which file. After a failure every mounted file is asked for its size, and its footer
//! is read; the first that is not as it was published is named.

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use futures::{StreamExt, stream};
use mainstay_base::Rows;
use mainstay_model::{DataFile, DatasetName};
use mainstay_storage::Store;
use object_store::path::Path;

use crate::assignment::{Assignment, Mounted};
use crate::error::translate::{damaged, gone};
use crate::error::{Error, Kind};

/// How many files are asked at once, and at most.
const AT_ONCE: usize = 32;
const AT_MOST: usize = 10_000;

/// Returns a better error than `failed`, if a file is found to be the cause.
pub(crate) async fn diagnose(assignment: &Assignment, failed: Error) -> Error {
    let all = assignment.inputs.iter().chain(&assignment.check_inputs);
    let files = all.flat_map(files_of).take(AT_MOST);
    let mut asked = stream::iter(files)
        .map(|(name, store, table, file)| inspect(name, store, table, file))
        .buffered(AT_ONCE);
    while let Some(found) = asked.next().await {
        if let Some(error) = found {
            return error;
        }
    }
    failed
}

fn files_of(mounted: &Mounted) -> impl Iterator<Item = (DatasetName, Store, String, DataFile)> + '_ {
    let files = mounted.slices.iter().flat_map(|(_, version)| &version.files);
    files.map(|f| {
        (
            mounted.name.clone(),
            mounted.store.clone(),
            mounted.table.clone(),
            f.clone(),
        )
    })
}

async fn inspect(name: DatasetName, store: Store, table: String, file: DataFile) -> Option<Error> {
    let path = format!("{table}/{}", file.path);
    let named = |e: Error| e.within(&format!("{name}"));
    match store.head(&path).await {
        Err(e) if e.kind == mainstay_storage::Kind::NotFound => {
            return Some(named(gone(&store.place(&path))));
        }
        Err(e) => {
            let error = Error::new(Kind::Store, e.kind.code(), e.to_string())
                .help(e.kind.help())
                .transient(e.kind.transient());
            return Some(named(error));
        }
        Ok(found) if found.bytes != file.bytes => {
            let why = format!(
                "`{}` has {} bytes, {} were published",
                store.place(&path),
                found.bytes.0,
                file.bytes.0
            );
            return Some(named(damaged(&why)));
        }
        Ok(_) => {}
    }
    let mut at = PartitionedFile::new("", file.bytes.0);
    at.object_meta.location = Path::parse(&path).ok()?;
    match DFParquetMetadata::new(&store.object_store(), &at.object_meta)
        .fetch_metadata()
        .await
    {
        Err(e) => Some(named(damaged(&format!("`{}`: {e}", store.place(&path))))),
        Ok(footer) => {
            let rows = Rows(u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0));
            let same = rows == file.rows;
            (!same).then(|| {
                named(damaged(&format!(
                    "`{}` has {rows}, {} were published",
                    store.place(&path),
                    file.rows
                )))
            })
        }
    }
}
