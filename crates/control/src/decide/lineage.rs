//! Lineage: which channels are to be told of which runs, and when one that could not be told is tried again.
//!
//! A channel is a cursor in the journal. It begins where the channel was declared, so that what was before is told to nobody; it moves
//! only by facts, so that nothing is passed over in silence.

use mainstay_base::Timestamp;
use mainstay_model::fact::{Fact, LineageFailed, LineageTold};
use mainstay_model::message::{ChannelFormat, ChannelSpec};
use mainstay_model::resource::{Kind, Spec};

use super::not_found;
use crate::command::{Refusal, Telling};
use crate::state::{Held, State};

/// The pauses after attempts that failed, in milliseconds; the last one is that of all further attempts.
const PAUSES_MS: [i64; 6] = [1_000, 5_000, 30_000, 300_000, 1_800_000, 3_600_000];

/// A channel that is told of runs.
#[derive(Clone, Debug)]
pub struct LineageChannel<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub spec: &'a ChannelSpec,
    /// The last fact that it was told of, or that there was nothing to tell of.
    pub through: u64,
    /// Whether there is something to tell, and it is time.
    pub is_due: bool,
}

/// The fact after which a channel is told: that of its declaration, or the one that it was told of last.
fn cursor(state: &State, name: &str, held: &Held) -> u64 {
    let tells = |spec: &Spec| matches!(spec, Spec::Channel(c) if c.format == ChannelFormat::OpenLineage);
    let declared = held
        .generations
        .iter()
        .rev()
        .take_while(|g| g.resource.as_ref().is_some_and(|r| tells(&r.spec)));
    let since = declared.last().map_or(u64::MAX, |g| g.seq);
    let told = state.lineage.channels.get(name).map_or(0, |t| t.through);
    since.max(told)
}

/// Returns the channels of the live side that are told of runs.
pub fn lineage_channels(state: &State, now: Timestamp) -> Vec<LineageChannel<'_>> {
    let channels = state.main.of_kind(Kind::Channel);
    let channels = channels.filter_map(|(name, held, channel)| match &channel.spec {
        Spec::Channel(spec) if spec.format == ChannelFormat::OpenLineage => {
            let through = cursor(state, name, held);
            let next = state.lineage.channels.get(name).and_then(|t| t.next);
            Some(LineageChannel {
                name,
                spec,
                through,
                is_due: !state.rests()
                    && through < state.lineage.newest
                    && next.is_none_or(|next| next <= now),
            })
        }
        _ => None,
    });
    channels.collect()
}

/// Records what came of telling a channel.
pub(super) fn told(
    state: &State,
    channel: &str,
    telling: Telling,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let known = lineage_channels(state, now);
    let known = known.iter().find(|c| c.name == channel);
    let known =
        known.ok_or_else(|| not_found(format!("there is no channel `{channel}` that is told lineage")))?;
    let mut facts = Vec::new();
    if telling.through > known.through {
        let told = LineageTold {
            channel: channel.to_owned(),
            through: telling.through,
            events: telling.events,
        };
        facts.push(told.into());
    }
    if let Some(failure) = telling.failure {
        let before = state.lineage.channels.get(channel).map_or(0, |t| t.attempts);
        let attempt = if telling.events > 0 {
            1
        } else {
            before.saturating_add(1)
        };
        let place = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .min(PAUSES_MS.len());
        let pause = PAUSES_MS
            .get(place.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let failed = LineageFailed {
            channel: channel.to_owned(),
            fact: failure.fact,
            attempt,
            error: failure.error,
            retry_at: failure.again.then(|| now.plus_millis(pause)),
        };
        facts.push(failed.into());
    }
    Ok(facts)
}

#[cfg(test)]
mod tests;
