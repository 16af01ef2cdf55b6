//! A server that stands by: it answers whether it lives, refers everybody else to the one that serves, and becomes that one when
//! it is its turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_api::Error;
use mainstay_policy::Class;
use mainstay_server::{Follower, Instance, Stand};
use tokio::signal::unix::Signal;

use crate::answer::blocking;
use crate::app::{App, Route};

/// How often it looks whether the writer is still there.
const LOOK: Duration = Duration::from_millis(100);

/// After how many seconds a client that met a standby is to ask again.
pub(crate) const AGAIN: u64 = 1;

/// What only looks at the server itself, and is answered by a standby, too.
const ANSWERED: [&str; 2] = ["metrics", "doctor"];

/// Returns why a request is not for this server, if it is not: it stands by, or another one has taken over from it.
pub(crate) fn refuse(app: &App, route: &Route) -> Option<Error> {
    if route.class == Class::Health || ANSWERED.contains(&&*route.operation) {
        return None;
    }
    app.instance
        .standing()
        .refusal()
        .or_else(|| app.instance.is_followed().then(overtaken))
}

/// The error of a server that found out that it is not the writer any more.
pub(crate) fn overtaken() -> Error {
    Error::new(
        mainstay_api::ErrorKind::Unavailable,
        "MS0602",
        "another server has taken over from this one, of which nothing was heard for too long",
    )
    .help("nothing that it answered is lost; started again with --standby it follows the one that serves now")
}

/// What a standby has to say while it is one.
#[derive(Clone, Debug)]
pub enum Said {
    /// Something keeps it from following or from taking over.
    Trouble(Error),
    /// That is over: it follows again.
    Follows(String),
}

/// Follows until it is this server's turn, of which it returns after whom; none if it was told to end before.
pub(crate) async fn until_leads(
    instance: &Instance,
    signals: &mut [Signal; 2],
    say: &(dyn Fn(Said) + Sync),
) -> Result<Option<String>, Error> {
    let [terminate, interrupt] = signals;
    let follower = Arc::new(Mutex::new(Follower::new(instance)?));
    let mut told: Option<String> = None;
    loop {
        let own = Arc::clone(&follower);
        let look = blocking(move || own.lock().unwrap_or_else(PoisonError::into_inner).look());
        let stand = tokio::select! {
            stand = look => stand?,
            _ = terminate.recv() => return Ok(None),
            _ = interrupt.recv() => return Ok(None),
        };
        if let Stand::TookOver { from } = stand {
            return Ok(Some(from));
        }
        let standing = instance.standing();
        let trouble = standing.why_not();
        let now = trouble.as_ref().map(|e| e.code.clone());
        if now != told {
            match trouble {
                Some(error) => say(Said::Trouble(error)),
                None => say(Said::Follows(standing.leader().unwrap_or_default())),
            }
            told = now;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = terminate.recv() => return Ok(None),
            _ = interrupt.recv() => return Ok(None),
        }
    }
}
