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

/// How often it is looked how alarms stand.
const ALARMS: Duration = Duration::from_millis(500);

/// How long it waits after the journal could not be written.
const TROUBLE: Duration = Duration::from_secs(5);

/// Works until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = LOOK;
    loop {
        tokio::select! {
            () = told(&mut ending) => return,
            () = tokio::time::sleep(pause) => {}
        }
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
    loop {
        tokio::select! {
            () = told(&mut ending) => return,
            () = tokio::time::sleep(pause) => {}
        }
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

/// Says how alarms stand until the server ends.
pub(crate) async fn watch_alarms(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = ALARMS;
    loop {
        tokio::select! {
            () = told(&mut ending) => return,
            () = tokio::time::sleep(pause) => {}
        }
        let instance = app.instance.clone();
        let looked = blocking(move || instance.look_at_alarms()).await;
        pause = if looked.is_err() { TROUBLE } else { ALARMS };
    }
}

/// Waits until the server ends.
pub(crate) async fn told(ending: &mut watch::Receiver<bool>) {
    // One that cannot be told any more ends, too.
    let _ = ending.wait_for(|ends| *ends).await;
}
