//! Whether a store's conditional puts can be trusted.

use std::sync::atomic::Ordering;

use futures::future::join_all;

use crate::error::{Kind, Result};
use crate::store::Store;

/// How many puts race, and how often.
const RACERS: usize = 4;
const ROUNDS: usize = 3;

/// What the probe found out about put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConditionalPut {
    /// In every race exactly one put won, and what it wrote is what is there.
    Exclusive = 1,
    /// Two puts won, or none, or another one's bytes are there: the store must not be written by two processes.
    Unsafe = 2,
    /// The store does not have conditional puts.
    Missing = 3,
}

impl ConditionalPut {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Exclusive, Self::Unsafe, Self::Missing]
            .into_iter()
            .find(|c| *c as u8 == code)
    }
}

impl Store {
    /// Races conditional puts at names below `_probe/` and says whether exactly one wins each time. The outcome is
    /// remembered in the handle; what was written is removed. `unique` keeps apart probes of several processes.
    ///
    /// # Errors
    ///
    /// As the store says, if it cannot be asked at all.
    pub async fn probe_conditional_put(&self, unique: &str) -> Result<ConditionalPut> {
        if let Some(known) = self.conditional_put_outcome() {
            return Ok(known);
        }
        let mut outcome = ConditionalPut::Exclusive;
        for round in 0..ROUNDS {
            outcome = self.race(&format!("_probe/{unique}/{round}")).await?;
            if outcome != ConditionalPut::Exclusive {
                break;
            }
        }
        self.delete_prefix(&format!("_probe/{unique}")).await.ok();
        if let Some(root) = self.local_root() {
            // It stays if another process probes there.
            let _ = std::fs::remove_dir(root.join("_probe"));
        }
        self.conditional_put_cell()
            .store(outcome as u8, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Returns what an earlier probe of this handle found out.
    pub fn conditional_put_outcome(&self) -> Option<ConditionalPut> {
        ConditionalPut::from_code(self.conditional_put_cell().load(Ordering::Relaxed))
    }

    async fn race(&self, path: &str) -> Result<ConditionalPut> {
        let names: Vec<String> = (0..RACERS).map(|i| format!("racer {i}")).collect();
        let puts = names
            .iter()
            .map(|name| self.put_if_absent(path, name.clone().into_bytes().into()));
        let mut winners = Vec::new();
        for (name, result) in names.iter().zip(join_all(puts).await) {
            match result {
                Ok(true) => winners.push(name),
                Ok(false) => {}
                Err(e) if e.kind == Kind::Unsupported => return Ok(ConditionalPut::Missing),
                Err(e) => return Err(e),
            }
        }
        let there = self.read(path).await?;
        let one = matches!(winners.as_slice(), [winner] if winner.as_bytes() == there.as_ref());
        let late = self.put_if_absent(path, "late".into()).await?;
        Ok(if one && !late {
            ConditionalPut::Exclusive
        } else {
            ConditionalPut::Unsafe
        })
    }
}
