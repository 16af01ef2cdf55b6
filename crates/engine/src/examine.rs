//! Asking checks of rows that are staged already: those of a delivery.
//!
//! Owns nothing but the order of things; what is asked and how is the checks' own matter, as it is in a run.

use std::sync::Arc;

use mainstay_model::run::CheckOutcome;
use mainstay_model::{SliceKey, SliceVersion};
use tokio::sync::mpsc;

use crate::assignment::Assignment;
use crate::attempt::Attempt;
use crate::cancel::CancelToken;
use crate::check;
use crate::engine::Engine;
use crate::error::Error;
use crate::error::translate::translate;
use crate::session::{Meters, Session};
use crate::usage;

impl Engine {
    /// Asks an assignment's checks of slices that are staged; with the assignment's previous ones they are the dataset. Its query
    /// is not looked at. Blocks until it is done; call it from a plain thread.
    ///
    /// # Errors
    ///
    /// As for [`Engine::run`]; that a check found something is no error.
    pub fn examine(
        &self,
        assignment: Assignment,
        staged: Vec<(SliceKey, SliceVersion)>,
        cancel: &CancelToken,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let attempt = Attempt::start(&self.idle, self.settings.threads, assignment.time_limit)?;
        let meters = Arc::new(Meters::new(&self.shared));
        let label = assignment.label.clone();
        let (shared, settings, counting) = (Arc::clone(&self.shared), self.settings, Arc::clone(&meters));
        let work = async move {
            let session = Session::new(&shared, &settings, assignment.as_of, counting)
                .map_err(|e| translate(&e, shared.limits))?;
            check::all(&session, &assignment, &staged, shared.limits).await
        };
        let nothing = mpsc::channel::<()>(1).1;
        let asked = attempt.carry_out(work, nothing, cancel, |_| Ok(()));
        let (cpu, wall) = attempt.end(asked.is_ok());
        asked.map_err(|mut e| {
            e.usage = Box::new(usage::of_run(&meters, &usage::Spent { cpu, wall }));
            e.within(&label)
        })
    }
}
