//! What a crash left behind is finished or undone when a home is opened for writing.
//!
//! Runs that were going on when the process died are ended; publishes that did not reach their Delta log do; files that nothing
//! refers to go away. The marker `open` in the home tells a crash from a clean end: it is there while a process writes.

use std::sync::atomic::Ordering;

use mainstay_api::Error;
use mainstay_catalog::cleanup::{leavings, remove_attempt};
use mainstay_control::{Command, Sight};
use mainstay_model::run::RunError;
use mainstay_model::{DatasetName, RunId};

use crate::error;
use crate::instance::{Access, Instance};

/// The file that is there while a process writes.
pub(crate) const MARKER: &str = "open";

/// The folder for files that came with requests.
pub(crate) const SCRATCH: &str = "scratch";

/// The folder for what does not fit into memory.
pub(crate) const SPILL: &str = "spill";

impl Instance {
    /// Finishes or undoes what the last writer left, if it did not end cleanly.
    pub(crate) fn recover(&self) -> Result<(), Error> {
        let marker = self.options.home.join(MARKER);
        let crashed = marker.exists();
        let died = std::fs::read_to_string(&marker).ok();
        let process = match died.as_deref().map(str::trim).filter(|p| !p.is_empty()) {
            Some(pid) => format!("process {pid}"),
            None => "its process".to_owned(),
        };
        std::fs::write(&marker, std::process::id().to_string())
            .map_err(|e| error::file("write", &marker, &e))?;
        let accounts: Vec<String> = self.ledger().states().map(|(a, _)| a.to_owned()).collect();
        for account in accounts {
            self.of_account(account).recover_account(&process, crashed)?;
        }
        if crashed {
            // What is there belonged to requests of a process that is gone.
            let _ = std::fs::remove_dir_all(self.options.home.join(SCRATCH));
            let spill = self.options.home.join(SPILL);
            if spill.is_dir() {
                mainstay_engine::remove_abandoned(&spill).map_err(|e| error::file("clean up", &spill, &e))?;
            }
        }
        Ok(())
    }

    fn recover_account(&self, process: &str, crashed: bool) -> Result<(), Error> {
        for run in self.with(unfinished) {
            let error = RunError {
                code: "MS0504".to_owned(),
                message: format!("{process} died while this run was going on; nothing of it was published"),
                help: Some("mainstay run computes what is missing".to_owned()),
                transient: false,
            };
            self.submit(Command::AbandonRun { run, error })?;
            let job = self.with(|s| s.state.runs.get(&run).map(|r| r.pinned.job.to_string()));
            self.notice(format!(
                "{run} ({}) was going on when {process} died; it is ended, and nothing of it was published: mainstay run computes it again",
                job.unwrap_or_default()
            ));
        }
        self.end_lost_amendments()?;
        for name in self.with(unprojected) {
            self.project(&name)?;
        }
        if crashed {
            self.remove_leavings()?;
        }
        Ok(())
    }

    /// Removes what was staged for a dataset and is not published; if that fails, the next opening tries again.
    pub(crate) fn clean_now(&self, name: &DatasetName) {
        if self.is_unsure() || self.remove_leavings_of(name).is_err() {
            self.leavings.store(true, Ordering::Relaxed);
        }
    }

    /// Says whether an append failed. It may be in the journal all the same, and refer to files that nothing here refers to: only
    /// who opens the journal again may remove any.
    fn is_unsure(&self) -> bool {
        self.ledger().journal().broken().is_some()
    }

    /// Removes those of an attempt's files that nothing refers to; if that fails, the next opening tries again.
    pub(crate) fn discard(&self, name: &DatasetName, files: &[String]) {
        let referenced = self.with(|sight| sight.state.files_of(name));
        let table = self.table(name);
        let unneeded: Vec<String> = files
            .iter()
            .filter(|f| !referenced.contains(*f))
            .map(|f| format!("{table}/{f}"))
            .collect();
        if unneeded.is_empty() {
            return;
        }
        let removed = !self.is_unsure()
            && self.store().is_ok_and(|store| {
                let remove = async {
                    for path in &unneeded {
                        store.delete(path).await?;
                    }
                    Ok::<(), mainstay_storage::Error>(())
                };
                self.runtime.block_on(remove).is_ok()
            });
        if !removed {
            self.leavings.store(true, Ordering::Relaxed);
        }
    }

    /// Says whether the process that writes to the home, as its lock names it, is gone; one that never was is gone, too.
    pub(crate) fn writer_is_gone(&self) -> bool {
        if self.options.access == Access::Write {
            return false;
        }
        let lock = self.options.home.join(mainstay_journal::store::sqlite::LOCK);
        let text = std::fs::read_to_string(lock).unwrap_or_default();
        text.trim().parse::<i32>().map_or(true, |pid| !lives(pid))
    }

    /// Says that this process ends cleanly.
    pub(crate) fn unmark(&self) {
        if self.leavings.load(Ordering::Relaxed) {
            return;
        }
        // If it stays, the next opening looks for leavings and finds none.
        let _ = std::fs::remove_file(self.options.home.join(MARKER));
    }

    /// Removes the files of attempts that were never published.
    fn remove_leavings(&self) -> Result<(), Error> {
        let names: Vec<DatasetName> = self.with(crate::show::datasets).into_iter().collect();
        names.iter().try_for_each(|name| self.remove_leavings_of(name))
    }

    fn remove_leavings_of(&self, name: &DatasetName) -> Result<(), Error> {
        let store = self.store()?;
        let referenced = self.with(|sight| sight.state.files_of(name));
        let table = self.table(name);
        let remove = async {
            for attempt in leavings(&store, &table, &referenced).await? {
                remove_attempt(&store, &table, &attempt).await?;
            }
            // Of an attempt that was published, slices that came out as they were are referred to by nothing.
            for file in store.list(&format!("{table}/*/*.parquet")).await? {
                let path = file.path.strip_prefix(&format!("{table}/")).unwrap_or(&file.path);
                if !path.starts_with('_') && !referenced.contains(path) {
                    store.delete(&file.path).await?;
                }
            }
            Ok(())
        };
        self.runtime
            .block_on(remove)
            .map_err(|e: mainstay_catalog::Error| error::catalog(name, &e))
    }
}

/// Says whether there is a process of that number.
pub(crate) fn lives(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn unfinished(state: &Sight<'_>) -> Vec<RunId> {
    state.state.runs.open().map(|(id, _)| id).collect()
}

fn unprojected(state: &Sight<'_>) -> Vec<DatasetName> {
    let behind = state
        .state
        .main
        .datasets
        .iter()
        .filter(|(_, d)| d.projected.map_or(0, |(v, _)| v) < d.version());
    behind.map(|(n, _)| n.clone()).collect()
}
