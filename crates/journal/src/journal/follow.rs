//! Following: a reader that becomes the writer when the one it followed is gone, and what both know of each other.

use std::sync::Arc;

use super::tail::Tail;
use super::{Access, Head, Journal};
use crate::error::Error;
use crate::store::{Leader, Lease};

impl Journal {
    /// Makes a reader the writer, if nobody else is: what it had read it still has read, and it goes on from where the journal
    /// stands now. After an error other than `Locked` this handle is to be dropped, which gives back what it may have claimed.
    ///
    /// # Errors
    /// `Locked` if another one writes, `Invalid` if this handle is no reader or the journal there is another one, `Damaged`,
    /// `Unavailable`.
    pub fn lead(&mut self) -> Result<Head, Error> {
        if self.access != Access::Read {
            return Err(Error::invalid("only a reader can take over"));
        }
        let epoch = self.store.claim(None)?;
        let state = self.store.state()?;
        if state.origin.as_deref() != Some(self.origin.as_str()) {
            return Err(Error::invalid(format!(
                "the journal {} is not there any more",
                self.origin
            )));
        }
        let tail = Tail::read(self.store.as_ref(), &state)?;
        if let Some(repair) = &tail.repair {
            self.store.cut(epoch, repair.last_seq, repair.last_frame)?;
        }
        self.head = tail.head(epoch);
        self.edge = tail.edge;
        self.repaired = tail.repair;
        self.access = Access::Write;
        Ok(self.head)
    }

    /// Says who writes; none where only processes of one machine may.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn leader(&self) -> Result<Option<Leader>, Error> {
        self.store.leader()
    }

    /// Returns what this writer knows of its turn; none for a reader, or where nobody can take over from a living writer.
    pub fn lease(&self) -> Option<Arc<Lease>> {
        self.store.lease()
    }
}
