//! The `[project]` table.

use std::ops::Range;

use mainstay_model::DEFAULT_ACCOUNT;
use mainstay_model::spec::ProjectSpec;

use super::Reader;
use super::value::Tags;
use crate::document::Value;
use crate::place::Place;

/// The fields of a project.
pub(crate) const FIELDS: [&str; 11] = [
    "name",
    "account",
    "description",
    "tags",
    "store",
    "parallel",
    "memory",
    "spill",
    "cross_check",
    "shares",
    "recompute_on_engine",
];

/// A project as written.
#[derive(Debug)]
pub(crate) struct WrittenProject {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) tags: Tags,
    pub(crate) spec: ProjectSpec,
    pub(crate) place: Place,
}

impl Reader<'_> {
    /// Reads the project that is named at `key`.
    pub(crate) fn project(&mut self, key: Range<usize>, value: &Value<'_>) -> Option<WrittenProject> {
        let fields = self.table("project", "a project", value, &FIELDS)?;
        let mut name = None;
        match fields.get("name") {
            Some(value) => {
                name = self.string("name", value);
                if let Some(text) = &name {
                    self.plain_name("a project", &text.value, value.span(), true);
                }
            }
            None => self.missing("a project", "name", key, "name = \"…\""),
        }
        let mut account = None;
        if let Some(value) = fields.get("account") {
            account = self.string("account", value);
            if let Some(text) = &account {
                self.plain_name("an account", &text.value, value.span(), false);
            }
        }
        let tags = self.tags(fields.get("tags"));
        let spec = ProjectSpec {
            description: self.description(fields.get("description")),
            store: fields
                .get("store")
                .and_then(|v| self.word("store", v))
                .map(|s| s.value),
            parallel: fields
                .get("parallel")
                .and_then(|v| self.integer("parallel", v, 1, 10_000))
                .and_then(|n| u32::try_from(n).ok()),
            memory: fields.get("memory").and_then(|v| self.size("memory", v)),
            spill: fields.get("spill").and_then(|v| self.size("spill", v)),
            cross_check: fields
                .get("cross_check")
                .and_then(|v| self.integer("cross_check", v, 0, 10_000))
                .and_then(|n| u32::try_from(n).ok()),
            shares: fields.get("shares").map(|v| self.shares(v)).unwrap_or_default(),
            recompute_on_engine: fields
                .get("recompute_on_engine")
                .and_then(|v| self.flag("recompute_on_engine", v))
                .unwrap_or(false),
        };
        let name = name?;
        let account = account.map_or_else(|| DEFAULT_ACCOUNT.to_owned(), |a| a.value);
        Some(WrittenProject {
            name: name.value,
            account,
            tags,
            spec,
            place: name.place,
        })
    }
}
