//! The folder for spilling: one below it for each process, removed with it.
//!
//! A process holds a lock on its folder as long as it lives, so what a killed one left is known by its lock being free. Knows
//! nothing of what is spilled.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::DiskManager;
use datafusion::execution::disk_manager::DiskManagerMode;
use mainstay_base::Bytes;
use tempfile::TempDir;

/// The name of the lock in a process's folder.
const LOCK: &str = "lock";

/// This process's place to spill to, with a limit.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    /// Hands out files, and counts what they hold against the limit.
    pub(crate) disk: Arc<DiskManager>,
    // In the order in which they go: the folder, then the lock on it.
    _folder: TempDir,
    _lock: File,
}

impl SpillFolder {
    /// Makes a folder for this process below `dir`, and removes those of processes that are gone. Sorted pieces that were
    /// spilled are merged `merge_streams` at once.
    pub(crate) fn open(dir: &Path, limit: Bytes, merge_streams: usize) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        remove_abandoned(dir)?;
        let folder = tempfile::Builder::new().prefix("process-").tempdir_in(dir)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.try_lock()?;
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![folder.path().to_owned()]))
            .with_max_temp_directory_size(limit.0)
            .with_max_spill_merge_fan_in(merge_streams)
            .build()?;
        Ok(Self {
            disk: Arc::new(disk),
            _folder: folder,
            _lock: lock,
        })
    }
}

/// Removes what dead processes left in the folder for spilling; what the living use stays.
///
/// # Errors
///
/// If it cannot be looked at, or something cannot be removed.
pub fn remove_abandoned(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path: PathBuf = entry?.path();
        // A folder without a lock yet is being made right now.
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            match fs::remove_dir_all(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_use_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let dead = dir.path().join("process-dead");
        fs::create_dir(&dead).expect("made");
        fs::write(dead.join(LOCK), "").expect("written");
        fs::write(dead.join("spilled"), "x").expect("written");
        let living = SpillFolder::open(dir.path(), Bytes(1000), 8).expect("opened");
        assert!(!dead.exists());
        let second = SpillFolder::open(dir.path(), Bytes(1000), 8).expect("opened beside");
        let count = || fs::read_dir(dir.path()).expect("listed").count();
        assert_eq!(count(), 2);
        drop((living, second));
        assert_eq!(count(), 0);
    }
}
