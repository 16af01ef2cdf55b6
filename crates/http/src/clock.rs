//! What the server does by itself: it fires triggers when their times have come, and does what they want.
//!
//! It takes its turn with the requests that change something, and stops what goes on when the server ends; what was not done then
//! is done by the next one.

use std::sync::Arc;
use std::time::Duration;

use mainstay_server::CancelToken;
use tokio::sync::watch;

use crate::answer::blocking;
use crate::app::App;

/// How long it may take until something that is due is seen.
const LOOK: Duration = Duration::from_millis(100);

/// How long it waits after the journal could not be written.
pub(crate) const TROUBLE: Duration = Duration::from_secs(5);

/// Works until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = LOOK;
    while goes_on(&mut ending, pause).await {
        pause = LOOK;
        if !app.instance.is_due() {
            continue;
        }
        let _turn = app.work.lock().await;
        let cancel = CancelToken::new();
        let (instance, stop) = (app.instance.clone(), cancel.clone());
        let work = blocking(move || {
            let _busy = instance.busy();
            instance.work(&stop, &|_| {})
        });
        let mut work = std::pin::pin!(work);
        let worked = tokio::select! {
            worked = work.as_mut() => worked,
            () = told(&mut ending) => {
                cancel.cancel();
                work.await
            }
        };
        if worked.is_err() {
            pause = TROUBLE;
        }
    }
}

/// Says how promises stand, and raises alarms, until the server ends. It waits for no turn: what takes too long is itself a reason
/// for an alarm.
pub(crate) async fn watch_promises(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = LOOK;
    while goes_on(&mut ending, pause).await {
        pause = LOOK;
        if !app.instance.promises_are_due() {
            continue;
        }
        let instance = app.instance.clone();
        if blocking(move || instance.keep_promises()).await.is_err() {
            pause = TROUBLE;
        }
    }
}

/// Waits for a time; false if the server ends.
pub(crate) async fn goes_on(ending: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::select! {
        () = told(ending) => false,
        () = tokio::time::sleep(pause) => true,
    }
}

/// Waits until the server ends.
async fn told(ending: &mut watch::Receiver<bool>) {
    // One that cannot be told any more ends, too.
    let _ = ending.wait_for(|ends| *ends).await;
}
