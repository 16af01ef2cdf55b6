//! What needs a yes: applies that take something away. Says what it is, and refuses it without one.

use mainstay_api::{Error, ErrorKind};
use mainstay_base::text;
use mainstay_control::{Command, Dataset, Sight};
use mainstay_model::DatasetName;
use mainstay_model::change::{Action, Change};
use mainstay_model::fact::Fact;
use mainstay_model::resource::{Kind, Spec};

use crate::instance::{Instance, settings};

/// The code of what is refused until somebody says yes.
pub const NEEDS_YES: &str = "MS0010";

impl Instance {
    /// Refuses a command that takes something away, unless somebody said yes.
    pub(crate) fn need_consent(&self, command: &Command, yes: bool) -> Result<(), Error> {
        if yes {
            return Ok(());
        }
        let facts = self.would(command)?;
        let changes = facts.iter().filter_map(|f| match f {
            Fact::Applied(a) => Some(&a.changes),
            _ => None,
        });
        let lost: Vec<String> = self.with(|sight| {
            let each = changes.flatten().filter_map(|c| loss(sight, c));
            each.collect()
        });
        if lost.is_empty() {
            return Ok(());
        }
        let message = format!("this takes {} away", text::count(lost.len() as u64, "thing"));
        let mut error = Error::new(ErrorKind::Refused, NEEDS_YES, message)
            .help("nothing was changed; repeat the command with --yes if that is meant");
        error.causes = lost;
        Err(error)
    }
}

/// Says what a change takes away; none if nothing.
fn loss(sight: &Sight<'_>, change: &Change) -> Option<String> {
    let name: Option<DatasetName> = change.resource.name.parse().ok();
    let held = name
        .as_ref()
        .and_then(|n| sight.dataset(n))
        .filter(|d| d.newest().next().is_some());
    match (change.action, held) {
        (Action::Create, _) => None,
        (Action::Change, None) => moved(sight, change),
        (Action::Change, Some(held)) => dropped(change, held),
        (Action::Remove, Some(held)) if matches!(change.resource.kind, Kind::Source | Kind::Job) => {
            let rows = held.newest().map(|(_, c)| c.rows()).sum::<mainstay_base::Rows>();
            Some(format!(
                "{} is removed: its dataset keeps {rows}, and nothing fills it any more",
                change.resource
            ))
        }
        (Action::Remove, _) => Some(format!("{} is removed", change.resource)),
    }
}

/// Says that tables would be looked for in another place than they are.
fn moved(sight: &Sight<'_>, change: &Change) -> Option<String> {
    let Some(Spec::Project(spec)) = change.after.as_ref().map(|r| &r.spec) else {
        return None;
    };
    let held = sight.datasets.values().filter(|d| d.newest().next().is_some());
    let (before, tables) = (settings(sight).store, held.count() as u64);
    let name = |store: Option<String>| store.unwrap_or_else(|| "the home".to_owned());
    (tables > 0 && before != spec.store).then(|| {
        format!(
            "tables are looked for in {}, and no more in {}: {} cannot be read until their files are copied there",
            name(spec.store.clone()),
            name(before),
            text::count(tables, "dataset")
        )
    })
}

/// Says which columns a source would read no more.
fn dropped(change: &Change, held: &Dataset) -> Option<String> {
    let Some(Spec::Source(spec)) = change.after.as_ref().map(|r| &r.spec) else {
        return None;
    };
    let columns = mainstay_ingest::check_slice(spec, spec.columns.as_ref()?).ok()?;
    let gone: Vec<String> = held
        .schema()?
        .names()
        .filter(|n| columns.column(n).is_none())
        .map(|n| format!("`{n}`"))
        .collect();
    (!gone.is_empty()).then(|| {
        format!(
            "{} reads {} no more, and its dataset loses what it has of that",
            change.resource,
            gone.join(", ")
        )
    })
}
