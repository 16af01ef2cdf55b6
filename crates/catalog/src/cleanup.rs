//! What attempts leave behind: finding it and removing it. What is referenced is the caller's knowledge.

use std::collections::BTreeSet;

use mainstay_storage::Store;

use crate::error::{Error, Result};

/// Removes everything that an attempt wrote, half-written files too. Returns how many files that were. Again is safe.
///
/// # Errors
///
/// [`Error::Misuse`] for a prefix that is no attempt's, otherwise as the store says; then some files may be gone.
pub async fn remove_attempt(store: &Store, table: &str, attempt: &str) -> Result<u64> {
    check_attempt(attempt)?;
    Ok(store.delete_prefix(&format!("{table}/{attempt}")).await?)
}

/// Lists the attempt prefixes of a table that none of the `referenced` paths (relative to the table) is in.
///
/// # Errors
///
/// As the store says. A table that does not exist has none.
pub async fn leavings(store: &Store, table: &str, referenced: &BTreeSet<String>) -> Result<Vec<String>> {
    let live: BTreeSet<&str> = referenced.iter().filter_map(|p| p.split('/').next()).collect();
    let mut folders = store.folders(table).await?;
    folders.retain(|f| check_attempt(f).is_ok() && !live.contains(f.as_str()));
    Ok(folders)
}

/// Refuses what cannot be an attempt's prefix: one plain folder name that no reader hides.
pub(crate) fn check_attempt(attempt: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if attempt.is_empty() || !attempt.chars().all(plain) {
        return Err(Error::Misuse(format!(
            "`{attempt}` is not a prefix for an attempt's files"
        )));
    }
    Ok(())
}
