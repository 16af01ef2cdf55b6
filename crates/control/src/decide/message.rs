//! Messages: what firings tell, one for each incident, and when one that could not be sent is tried again.

use mainstay_base::Timestamp;
use mainstay_model::fact::{Fact, MessageFailed, MessageOwed, MessageSent, TriggerFired};
use mainstay_model::id::MessageId;
use mainstay_model::run::RunOutcome;
use mainstay_model::trigger::TriggerSpec;
use serde_json::Value;

use super::not_found;
use crate::command::{Attempted, Refusal};
use crate::state::State;

/// The pauses after attempts that failed, in milliseconds; after as many and one more it is given up.
const PAUSES_MS: [i64; 9] = [
    5_000, 30_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000,
];

/// The largest body of a fact that a message carries, in bytes.
const LARGEST: usize = 8 << 10;

/// What a fact says to be going on, if it is told once until it is over.
fn incident(state: &State, fact: &Fact) -> Option<String> {
    match fact {
        Fact::PromiseAtRisk(f) => Some(format!("promise/{}", f.dataset)),
        Fact::PromiseMissed(f) => Some(format!("promise/{}", f.dataset)),
        Fact::RunFinished(f) if f.outcome != RunOutcome::Succeeded => {
            let run = state.runs.get(&f.run)?;
            Some(format!("job/{}", run.pinned.job))
        }
        _ => None,
    }
}

/// Returns the messages that a firing owes: none where what goes on was told already.
pub(super) fn owed(
    state: &State,
    last: &mut u64,
    spec: &TriggerSpec,
    fired: &TriggerFired,
    cause: Option<&Fact>,
) -> Vec<Fact> {
    let incident = cause.and_then(|fact| incident(state, fact));
    let told = state.messages.incidents.get(&fired.trigger);
    if incident
        .as_ref()
        .is_some_and(|i| told.is_some_and(|told| told.contains(i)))
    {
        return Vec::new();
    }
    let body = cause.and_then(|f| f.encode().ok()).filter(|b| b.len() <= LARGEST);
    let body = body
        .and_then(|b| serde_json::from_slice(&b).ok())
        .unwrap_or(Value::Null);
    let because = match (&fired.because, fired.due) {
        (Some(because), _) => because.clone(),
        (None, Some(due)) => format!("due {due}"),
        (None, None) => "set off".to_owned(),
    };
    let message = |channel: &String| {
        *last += 1;
        Fact::from(MessageOwed {
            message: MessageId(*last),
            channel: channel.clone(),
            trigger: fired.trigger.clone(),
            firing: fired.firing,
            incident: incident.clone(),
            because: because.clone(),
            kind: cause.map(|f| f.kind().to_owned()),
            subject: cause.map(Fact::subject),
            body: body.clone(),
        })
    };
    spec.notify.iter().map(message).collect()
}

/// Records what came of sending a message.
pub(super) fn attempted(
    state: &State,
    message: MessageId,
    attempted: Attempted,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let held = state.messages.all.get(&message).filter(|m| m.next.is_some());
    let held = held.ok_or_else(|| not_found(format!("there is no message {message} that is to be sent")))?;
    let attempt = held.attempts + 1;
    Ok(match attempted {
        Attempted::Taken { status } => vec![
            MessageSent {
                message,
                attempt,
                status,
            }
            .into(),
        ],
        Attempted::Failed { error, again } => {
            let pause = usize::try_from(held.attempts).ok().and_then(|n| PAUSES_MS.get(n));
            let retry_at = pause.filter(|_| again).map(|ms| now.plus_millis(*ms));
            vec![
                MessageFailed {
                    message,
                    attempt,
                    error,
                    retry_at,
                }
                .into(),
            ]
        }
    })
}
