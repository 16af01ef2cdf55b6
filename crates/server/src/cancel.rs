//! `cancel`: stopping runs, also those of another process on the same home.
//!
//! The process that carries out a run is the only one that may write to the journal. Another one leaves its wish as a file in
//! the home; the first sees it within a fraction of a second.

use std::path::{Path, PathBuf};

use mainstay_api::Error;
use mainstay_control::RunStatus;
use mainstay_model::RunId;

use crate::error;
use crate::instance::Instance;

/// Runs are numbered in each account.
fn folder(home: &Path, account: &str) -> PathBuf {
    home.join("cancel").join(account)
}

impl Instance {
    /// Leaves the wish that a run stops, for the process that carries it out.
    ///
    /// # Errors
    ///
    /// If the home cannot be written.
    pub fn request_cancel(home: &Path, account: &str, run: RunId) -> Result<(), Error> {
        let folder = folder(home, account);
        std::fs::create_dir_all(&folder).map_err(|e| error::file("create", &folder, &e))?;
        let path = folder.join(run.to_string());
        std::fs::write(&path, "").map_err(|e| error::file("write", &path, &e))
    }

    /// Leaves the wish that a run of this home stops.
    ///
    /// # Errors
    ///
    /// If the home cannot be written.
    pub fn cancel(&self, run: RunId) -> Result<(), Error> {
        Self::request_cancel(&self.options.home, self.account(), run)
    }

    /// Returns those of some runs that someone wants stopped, each once.
    pub(crate) fn take_cancel_requests(&self, of: impl Fn(RunId) -> bool) -> Vec<RunId> {
        let Ok(entries) = std::fs::read_dir(folder(&self.options.home, self.account())) else {
            return Vec::new();
        };
        let mut runs = Vec::new();
        for path in entries.flatten().map(|e| e.path()) {
            let run: Option<RunId> = path
                .file_name()
                .and_then(|n| n.to_str())
                .and_then(|n| n.parse().ok());
            // Another run that goes on is stopped by who carries it out.
            if run.is_some_and(|r| !of(r) && self.goes_on(r)) {
                continue;
            }
            // Whatever it is, it is dealt with once.
            let _ = std::fs::remove_file(&path);
            runs.extend(run);
        }
        runs
    }

    fn goes_on(&self, run: RunId) -> bool {
        let status = self.with(|s| s.state.runs.get(&run).map(|r| r.status));
        status.is_some_and(|s| !matches!(s, RunStatus::Ended(_)))
    }
}
