//! What the server does by itself: it fires triggers when their times have come, and does what they want.
//!
//! It takes its turn with the requests that change something, and stops what goes on when the server ends; what was not done then
//! is done by the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_model::queue::Class;
use mainstay_server::{CancelToken, Doing};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::answer::blocking;
use crate::app::App;

/// How long it may take until something that is due is seen that nobody tells of.
const LOOK: Duration = Duration::from_millis(100);

/// How long it waits at least for what is due.
const SOONEST: Duration = Duration::from_millis(2);
/// How often it is looked how alarms stand.
const ALARMS: Duration = Duration::from_millis(500);

/// How long it waits after the journal could not be written.
pub(crate) const TROUBLE: Duration = Duration::from_secs(5);

/// Works until the server ends.
pub(crate) async fn keep(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let cancel = CancelToken::new();
    let mut at_work: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut grown = app.instance.grown();
    loop {
        // What is due while its account is at work is seen when that ends.
        let until = app.instance.until_due().filter(|_| at_work.is_empty());
        let pause = until.map_or(LOOK, |until| until.clamp(SOONEST, LOOK));
        // What is recorded may set something off at once.
        let goes_on = tokio::select! {
            goes_on = goes_on(&mut ending, pause) => goes_on,
            Ok(()) = grown.changed() => true,
        };
        if !goes_on {
            break;
        }
        at_work.retain(|_, work| !work.is_finished());
        for account in app.instance.due() {
            // One account's work waits for nobody else's.
            at_work.entry(account).or_insert_with_key(|account| {
                tokio::spawn(work(Arc::clone(&app), account.clone(), cancel.clone()))
            });
        }
    }
    cancel.cancel();
    for work in at_work.into_values() {
        // One that panicked has ended, too.
        let _ = work.await;
    }
}

/// Does what there is to do in an account.
async fn work(app: Arc<App>, account: String, cancel: CancelToken) {
    let turn = app.instance.turn(&account, Doing::Work(Class::Scheduled)).await;
    let (instance, stop) = (app.instance.clone(), cancel.clone());
    let worked = blocking(move || {
        let _busy = instance.busy();
        instance.work(&account, &stop, &|_| {})
    });
    let worked = worked.await;
    // Others need not wait until this tries again.
    drop(turn);
    if worked.is_err() && !cancel.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(TROUBLE) => {}
            () = cancel.cancelled() => {}
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

/// Says how alarms stand until the server ends.
pub(crate) async fn watch_alarms(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut pause = ALARMS;
    while goes_on(&mut ending, pause).await {
        let instance = app.instance.clone();
        let looked = blocking(move || instance.look_at_alarms()).await;
        pause = if looked.is_err() { TROUBLE } else { ALARMS };
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
pub(crate) async fn told(ending: &mut watch::Receiver<bool>) {
    // One that cannot be told any more ends, too.
    let _ = ending.wait_for(|ends| *ends).await;
}
