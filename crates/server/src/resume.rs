//! A home that was restored from a backup: it rests, and acts again when it is told to.

use mainstay_api::{Error, ResumeReport};
use mainstay_control::Command;

use crate::instance::Instance;

impl Instance {
    /// Says whether this home is a copy that was not told to act yet.
    pub fn rests(&self) -> bool {
        self.ledger().states().any(|(_, state)| state.rests())
    }

    /// Lets a home that was restored act again, in all accounts. One that acts is left as it is.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written.
    pub fn resume(&self) -> Result<ResumeReport, Error> {
        let ledger = self.ledger();
        let resting: Vec<String> = ledger
            .states()
            .filter(|(_, state)| state.rests())
            .map(|(account, _)| account.to_owned())
            .collect();
        drop(ledger);
        for account in &resting {
            let reason = self.context.reason.clone();
            let side = self.as_part_of(account, &self.context.actor, reason)?;
            side.submit(Command::Resume)?;
        }
        Ok(ResumeReport {
            resumed: !resting.is_empty(),
        })
    }

    /// Says in words that it is a copy that rests, if it is.
    pub(crate) fn resting(&self) -> Option<String> {
        let ledger = self.ledger();
        let mut restored = ledger.states().filter_map(|(_, state)| state.restored.as_ref());
        let at_rest = restored.find(|r| r.resumed.is_none())?;
        Some(format!(
            "this home is a copy, restored from {} as of fact {}: its triggers rest until `mainstay resume`",
            at_rest.backup, at_rest.seq
        ))
    }
}
