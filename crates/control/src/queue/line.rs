//! Those of one class who wait, in lines by what they take: a whole line waits for what its first one waits for.

use std::collections::{BTreeMap, VecDeque};

use super::{Take, Ticket};

/// The wishes of one class that take the same, in the order in which they came.
type Line = VecDeque<Ticket>;

/// The lines of a class.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<Vec<Take>, Line>);

impl Lines {
    pub(super) fn push(&mut self, ticket: Ticket, takes: &[Take]) {
        match self.0.get_mut(takes) {
            Some(line) => line.push_back(ticket),
            None => {
                self.0.insert(takes.to_vec(), Line::from([ticket]));
            }
        }
    }

    pub(super) fn remove(&mut self, ticket: Ticket, takes: &[Take]) {
        let Some(line) = self.0.get_mut(takes) else {
            return;
        };
        if line.front() == Some(&ticket) {
            line.pop_front();
        } else if let Ok(at) = line.binary_search(&ticket) {
            // They stand in the order of their tickets.
            line.remove(at);
        }
        if line.is_empty() {
            self.0.remove(takes);
        }
    }

    /// Returns the oldest that can start. Limits for which an older one waits are `kept` for it.
    pub(super) fn first<'a>(
        &'a self,
        taken: &BTreeMap<String, u32>,
        kept: &mut Vec<&'a str>,
    ) -> Option<Ticket> {
        let mut heads: Vec<(Ticket, &[Take])> = self
            .0
            .iter()
            .filter_map(|(takes, line)| Some((*line.front()?, takes.as_slice())))
            .collect();
        heads.sort_unstable_by_key(|(ticket, _)| *ticket);
        heads.into_iter().find_map(|(ticket, takes)| {
            let free = |take: &&Take| {
                let taken = taken.get(&take.limit).copied().unwrap_or_default();
                take.at_most.saturating_sub(taken) >= take.units
            };
            if takes.iter().any(|take| kept.contains(&take.limit.as_str())) {
                return None;
            }
            if takes.iter().all(|take| free(&take)) {
                return Some(ticket);
            }
            let missing = takes.iter().filter(|take| !free(take));
            kept.extend(missing.map(|take| take.limit.as_str()));
            None
        })
    }
}
