//! Cancelling: a token that any thread can pull and a run listens to.
//!
//! Owns nothing but the signal. A token that was pulled stays pulled.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a run to stop. Clones share one signal.
#[derive(Clone, Debug)]
pub struct CancelToken(Arc<watch::Sender<bool>>);

impl CancelToken {
    /// Makes a token that nobody has pulled.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Asks whatever runs under this token to stop.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Says whether it was pulled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is pulled.
    pub async fn cancelled(&self) {
        let mut signal = self.0.subscribe();
        // The sender lives in `self`, so waiting ends only when the signal is given.
        if signal.wait_for(|pulled| *pulled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}
