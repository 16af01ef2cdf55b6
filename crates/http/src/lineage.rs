//! Telling lineage: events go out by HTTP in the order of the journal, beside all other work, and how far each receiver came is
//! recorded.

use std::sync::Arc;
use std::time::Duration;

use mainstay_server::{LineageBatch, Telling, TellingFailure};

use crate::answer::blocking;
use crate::app::App;
use crate::clock::{TROUBLE, goes_on, told};
use crate::outbox::{Post, no};

/// How often it is looked whether there is something to tell.
const LOOK: Duration = Duration::from_millis(250);

/// The statuses by which a receiver says that it will never take an event: it is broken, too large, or not understood. Any other one
/// may be about the receiver, and the event waits.
const NEVER: [u16; 3] = [400, 413, 422];

/// Tells until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = LOOK;
    while goes_on(&mut ending, pause).await {
        let mut round = std::pin::pin!(round(&app));
        // What was sent and not recorded is sent again by the next one.
        let done = tokio::select! {
            done = round.as_mut() => done,
            () = told(&mut ending) => return,
        };
        pause = if done.is_err() { TROUBLE } else { LOOK };
    }
}

async fn round(app: &Arc<App>) -> Result<(), mainstay_api::Error> {
    let instance = app.instance.clone();
    let batches = blocking(move || instance.lineage()).await?;
    let each = batches.into_iter().map(|batch| async move {
        let telling = tell(&batch).await;
        let instance = app.instance.clone();
        blocking(move || instance.lineage_told(&batch.account, &batch.channel, telling)).await
    });
    for recorded in futures::future::join_all(each).await {
        recorded?;
    }
    Ok(())
}

/// Tells one channel, up to the first event that is not taken.
async fn tell(batch: &LineageBatch) -> Telling {
    let (mut events, mut through) = (0, 0);
    for event in &batch.events {
        let post = Post {
            url: &batch.url,
            anywhere: batch.anywhere,
            headers: &batch.headers,
            body: &event.body,
        };
        let failure = match post.send().await {
            Ok(200..300) => None,
            Ok(status) => Some((no(status), !NEVER.contains(&status))),
            Err(error) => Some((error, true)),
        };
        if let Some((error, again)) = failure {
            let fact = event.fact;
            let failure = Some(TellingFailure { fact, error, again });
            return Telling {
                through,
                events,
                failure,
            };
        }
        events += 1;
        through = event.fact;
    }
    Telling {
        through: batch.through,
        events,
        failure: None,
    }
}
