//! A `[limit.name]` table, what jobs take of limits, and how accounts share.

use std::collections::BTreeMap;

use mainstay_model::queue::LimitSpec;

use super::{Entry, Reader};
use crate::declared::DeclaredLimit;
use crate::document::Value;
use crate::place::Spanned;

/// The fields of a limit.
pub(crate) const FIELDS: [&str; 5] = ["at_most", "jobs", "tagged", "description", "tags"];

/// How much there may be of anything, at most.
const MOST: u64 = 1_000_000;

/// The most that an account can get beside one that gets 1.
const MOST_SHARE: u64 = 1_000;

impl Reader<'_> {
    /// Reads the limit that an entry names.
    pub(crate) fn limit(&mut self, entry: &Entry<'_>) -> Option<DeclaredLimit> {
        let named = self.plain_name("a limit", entry.name, entry.key.clone(), true);
        let place = self.place(entry.key.clone());
        let fields = self.table(entry.name, "a limit", entry.value, &FIELDS)?;
        let at_most = match fields.get("at_most") {
            Some(value) => self.units("at_most", value),
            None => {
                self.missing("a limit", "at_most", entry.key.clone(), "at_most = 3");
                None
            }
        };
        let jobs = self.datasets("jobs", fields.get("jobs"));
        let tagged = fields.get("tagged").map(|v| self.labels("tagged", v));
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let at_most = at_most?;
        named.then(|| DeclaredLimit {
            name: entry.name.to_owned(),
            place,
            tags,
            spec: LimitSpec {
                description,
                at_most,
                jobs: jobs.iter().map(|j| j.value.clone()).collect(),
                tagged: tagged.unwrap_or_default(),
            },
            jobs,
        })
    }

    /// Reads what a job takes of limits: their names, or how much of each.
    pub(crate) fn uses(&mut self, value: &Value<'_>) -> Vec<(Spanned<String>, u32)> {
        if value.get_ref().is_table() {
            let entries = self
                .open("uses", value)
                .map(|fields| fields.0)
                .unwrap_or_default();
            return entries
                .into_iter()
                .filter_map(|entry| {
                    let units = self.units(entry.name, entry.value)?;
                    let name = Spanned {
                        value: entry.name.to_owned(),
                        place: self.place(entry.key),
                    };
                    Some((name, units))
                })
                .collect();
        }
        let named = self.named("uses", "limits", value);
        named.into_iter().map(|name| (name, 1)).collect()
    }

    /// Reads what accounts get beside each other.
    pub(crate) fn shares(&mut self, value: &Value<'_>) -> BTreeMap<String, u32> {
        let entries = self
            .open("shares", value)
            .map(|fields| fields.0)
            .unwrap_or_default();
        let mut shares = BTreeMap::new();
        for entry in entries {
            if self.plain_name("an account", entry.name, entry.key.clone(), false)
                && let Some(share) = self.integer(entry.name, entry.value, 1, MOST_SHARE)
            {
                shares.insert(entry.name.to_owned(), u32::try_from(share).unwrap_or(1));
            }
        }
        shares
    }

    fn units(&mut self, name: &str, value: &Value<'_>) -> Option<u32> {
        let units = self.integer(name, value, 1, MOST)?;
        u32::try_from(units).ok()
    }
}
