//! What a run waits for: what is said of it, and by whom it is held.

use mainstay_base::text::count;
use mainstay_control::waits;
use mainstay_model::RunId;

use super::look::{By, Look, changing, of};
use super::trace::Trace;
use crate::means::parallel;

/// How many of a long list are named.
const NAMED: usize = 10;

/// Adds what a run waits for, if it does.
pub(super) fn add(look: &Look<'_>, trace: &mut Trace<'_>, id: RunId) {
    let most = u32::try_from(parallel(&look.sight)).unwrap_or(u32::MAX);
    let Some(waits) = waits(look.sight.state, id, most) else {
        return;
    };
    for full in &waits.full {
        let take = &full.take;
        let (what, thing) = match take.limit.split_once('/') {
            Some(("limit", name)) => (
                format!(
                    "it waits for limit/{name}: {} of {} taken",
                    full.taken, take.at_most
                ),
                Some(take.limit.clone()),
            ),
            Some(_) => (format!("it waits for another run of {}", take.limit), None),
            None => (
                format!(
                    "it waits for a place: {} may go on at once",
                    count(u64::from(take.at_most), "run")
                ),
                None,
            ),
        };
        let change = format!("held by {}", named(&full.held_by));
        let cause = changing(By::default().cause("wait", what), change);
        trace.add(
            None,
            match thing {
                Some(thing) => of(cause, thing),
                None => cause,
            },
        );
    }
    if let Some(from) = waits.retry {
        trace.add(
            None,
            By::default().cause("wait", format!("it is tried again from {from} on")),
        );
    } else if waits.full.is_empty() {
        let what = "it waits for its account's turn: runs of other accounts go on";
        trace.add(None, By::default().cause("wait", what.to_owned()));
    }
    if !waits.before.is_empty() {
        let what = format!("{} before it", count(waits.before.len() as u64, "run"));
        trace.add(
            None,
            changing(By::default().cause("wait", what), named(&waits.before)),
        );
    }
}

fn named(runs: &[RunId]) -> String {
    let mut text: Vec<String> = runs.iter().take(NAMED).map(ToString::to_string).collect();
    if runs.len() > NAMED {
        text.push(format!("and {} more", runs.len() - NAMED));
    }
    text.join(", ")
}
