//! What a crash left behind is finished or undone when a home is opened for writing.
//!
//! Runs that were going on when the process died are ended; publishes that did not reach their Delta log do; files that nothing
//! refers to go away. The marker `open` in the home tells a crash from a clean end: it is there while a process writes.

use std::sync::atomic::Ordering;

use mainstay_api::Error;
use mainstay_catalog::cleanup::{leavings, remove_attempt};
use mainstay_control::{Command, Sight};
use mainstay_journal::Leader;
use mainstay_model::run::RunError;
use mainstay_model::{DatasetName, RunId};

use crate::error;
use crate::instance::Instance;

/// The file that is there while a process writes.
pub(crate) const MARKER: &str = "open";

/// The folder for files that came with requests.
pub(crate) const SCRATCH: &str = "scratch";

/// The folder for what does not fit into memory.
pub(crate) const SPILL: &str = "spill";

impl Instance {
    /// Finishes or undoes what the last writer left, if it did not end cleanly. `gone` names one that had another home.
    pub(crate) fn recover(&self, gone: Option<&Leader>) -> Result<(), Error> {
        let marker = self.options.home.join(MARKER);
        let crashed = marker.exists() || gone.is_some_and(|leader| !leader.released);
        let died = std::fs::read_to_string(&marker).ok();
        let process = match (gone, died.as_deref().map(str::trim).filter(|p| !p.is_empty())) {
            (Some(leader), _) => leader.name(),
            (None, Some(pid)) => format!("process {pid}"),
            (None, None) => "its process".to_owned(),
        };
        std::fs::write(&marker, std::process::id().to_string())
            .map_err(|e| error::file("write", &marker, &e))?;
        for account in self.accounts() {
            self.of_account(account).recover_account(&process)?;
        }
        if gone.is_some() && crashed {
            // Looking through all tables may take long, and people wait: see `tidy`.
            self.leavings.store(true, Ordering::Relaxed);
        } else if crashed {
            for account in self.accounts() {
                self.of_account(account).remove_leavings()?;
            }
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

    fn accounts(&self) -> Vec<String> {
        self.ledger().states().map(|(a, _)| a.to_owned()).collect()
    }

    /// Removes what an earlier writer left, if this one took over without looking for it; beside work that goes on.
    pub fn tidy(&self) {
        if !self.leavings.swap(false, Ordering::Relaxed) {
            return;
        }
        // Where somebody stages files it is done when nobody does.
        let _busy = self.busy();
        for account in self.accounts() {
            let side = self.of_account(account);
            for name in side.with(crate::show::datasets) {
                side.clean(&name);
            }
        }
    }

    fn recover_account(&self, process: &str) -> Result<(), Error> {
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
        Ok(())
    }

    /// Removes what was staged for a dataset and is not published; if that fails, the next opening tries again.
    pub(crate) fn clean_now(&self, name: &DatasetName) {
        if self.is_unsure() || self.remove_leavings_of(name).is_err() {
            self.leavings.store(true, Ordering::Relaxed);
        }
    }

    /// Says whether an append failed, or another one has taken over. What is in the journal may refer to files that nothing here
    /// refers to: only who opens it again may remove any.
    fn is_unsure(&self) -> bool {
        self.standing.is_over() || self.ledger().journal().broken().is_some()
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
        if self.writes() {
            return false;
        }
        if let Some(named) = self.named_in_lock() {
            return !lives(named);
        }
        // Nobody has written from here; where the journal is elsewhere, somebody may from another home.
        let leader = self.ledger().journal().leader();
        !matches!(leader, Ok(Some(leader)) if !leader.free)
    }

    /// Returns the process that the home's lock names.
    fn named_in_lock(&self) -> Option<i32> {
        let lock = self.options.home.join(mainstay_journal::store::sqlite::LOCK);
        std::fs::read_to_string(lock).ok()?.trim().parse().ok()
    }

    /// Returns the living process that has the home open.
    pub(crate) fn locked_by(&self) -> Option<i32> {
        self.named_in_lock().filter(|pid| lives(*pid))
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
        let known = self.known_attempts();
        let referenced = self.with(|sight| sight.state.files_of(name));
        let table = self.table(name);
        let remove = async {
            let mut attempts = leavings(&store, &table, &referenced).await?;
            // One that lost its turn without noticing does not know what a later writer's files are for.
            attempts.retain(|attempt| known.has(attempt));
            for attempt in attempts {
                remove_attempt(&store, &table, &attempt).await?;
            }
            // Of an attempt that was published, slices that came out as they were are referred to by nothing.
            for file in store.list(&format!("{table}/*/*.parquet")).await? {
                let path = file.path.strip_prefix(&format!("{table}/")).unwrap_or(&file.path);
                let attempt = path.split('/').next().unwrap_or_default();
                if !path.starts_with('_') && !referenced.contains(path) && known.has(attempt) {
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
