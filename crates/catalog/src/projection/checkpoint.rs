//! Checkpoints of Delta logs, written by `deltalake-core`. Readers go on without them; they only read more.

use deltalake_core::DeltaTable;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use deltalake_core::protocol::checkpoints::create_checkpoint;
use mainstay_storage::Store;
use mainstay_storage::object_store::path::Path;
use mainstay_storage::object_store::prefix::PrefixStore;
use url::Url;

use crate::error::{Error, Result};

/// How many commits a checkpoint is apart from the next.
pub(super) const EVERY: u64 = 50;

/// Writes the checkpoint of a version. Old commits stay.
pub(super) async fn write(store: &Store, table: &str, version: u64) -> Result<()> {
    let fail = |why: String| Error::Checkpoint {
        table: table.to_owned(),
        version,
        why,
    };
    // The library finds files by the paths of URLs; this one counts from the root of the store, whatever that is. It relies on
    // listings in the order of names, which `storage` promises.
    let mut url = Url::parse("memory:///").map_err(|e| fail(e.to_string()))?;
    url.set_path(&format!("/{table}/"));
    let root = store.object_store();
    let prefixed = std::sync::Arc::new(PrefixStore::new(root.clone(), Path::from(table)));
    let log = default_logstore(prefixed, root, &url, &StorageConfig::default());
    let mut table = DeltaTable::new(log);
    table
        .load_version(version)
        .await
        .map_err(|e| fail(e.to_string()))?;
    create_checkpoint(&table, None)
        .await
        .map_err(|e| fail(e.to_string()))
}
