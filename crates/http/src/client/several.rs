//! Several servers of one journal: one serves, the others stand by. The client asks the one that serves, and the next one when
//! that cannot be reached, goes away, or says that it is not its turn.
//!
//! Asking again is safe: what changes something goes under one key, which every server knows from the journal.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mainstay_api::{Error, ErrorKind};

use super::{Ask, Client, Place, lost, whole};

/// How long the servers are asked in turn: a standby needs up to five seconds to take over.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait when all were asked in vain.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a server may take to say how it is.
const HEALTH: Duration = Duration::from_secs(2);

/// Where servers are, and which of them is asked now.
#[derive(Debug)]
pub(super) struct Places {
    first: Place,
    others: Vec<Place>,
    at: AtomicUsize,
}

impl Places {
    pub(super) fn new(first: Place, others: Vec<Place>) -> Self {
        Self {
            first,
            others,
            at: AtomicUsize::new(0),
        }
    }

    /// Returns the one that is asked now.
    pub(super) fn now(&self) -> &Place {
        let at = self.at.load(Ordering::Relaxed);
        let other = at.checked_sub(1).and_then(|n| self.others.get(n));
        other.unwrap_or(&self.first)
    }

    fn count(&self) -> usize {
        self.others.len() + 1
    }

    fn next(&self) {
        let at = self.at.load(Ordering::Relaxed);
        self.at.store((at + 1) % self.count(), Ordering::Relaxed);
    }
}

/// Says whether another server may do better: this one was not reached, went away, or is not the one that serves.
fn is_elsewhere(error: &Error) -> bool {
    let codes = ["MS0602", "MS0607", "MS0807", "MS0817", "MS0824", "MS0840"];
    codes.contains(&error.code.as_str())
}

impl Client {
    /// Asks the server; if there are several, one after the other until one answers that serves.
    pub(super) async fn one_after_the_other<T>(
        &self,
        mut once: impl AsyncFnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.places.count() == 1 {
            return once().await;
        }
        let began = Instant::now();
        let mut why: Vec<String> = Vec::new();
        loop {
            for _ in 0..self.places.count() {
                let name = self.name();
                let asked = match self.serves().await {
                    Ok(()) => tokio::select! {
                        answer = once() => answer,
                        gone = self.stops_serving() => Err(gone),
                    },
                    Err(e) => Err(e),
                };
                match asked {
                    Err(e) if is_elsewhere(&e) => {
                        let text = format!("{name}: {}", e.message);
                        if !why.contains(&text) {
                            why.push(text);
                        }
                        self.places.next();
                    }
                    answered => return answered,
                }
            }
            if began.elapsed() >= PATIENCE {
                let mut error = Error::new(
                    ErrorKind::Unavailable,
                    "MS0807",
                    "none of the servers serves right now",
                )
                .help("are they running? mainstay doctor on their machines says what keeps a standby from taking over");
                error.causes = why;
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Makes sure that the server serves.
    async fn serves(&self) -> Result<(), Error> {
        let ask = Ask::get(&[]).at("/health/ready");
        let look = async { whole(self.send(&ask, None, false).await?).await };
        match tokio::time::timeout(HEALTH, look).await {
            Ok(answer) => answer.map(|_| ()),
            // Its machine may be asleep, or the network may swallow everything.
            Err(e) => Err(lost(&e)),
        }
    }

    /// Waits until the server does not serve any more, however long what was asked of it takes.
    async fn stops_serving(&self) -> Error {
        loop {
            tokio::time::sleep(HEALTH).await;
            if let Err(gone) = self.serves().await {
                return lost(&std::io::Error::other(gone.message));
            }
        }
    }
}
