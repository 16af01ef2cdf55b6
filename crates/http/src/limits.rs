//! What a request may take: size, time, rate. Stated in the description of the API, and kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// The time in which the head of a request has to arrive, and again its body.
    pub arrival: Duration,
    /// The time after which a request that only looks is given up.
    pub look: Duration,
    /// Requests a second of one identity, on the long run.
    pub rate: f64,
    /// Requests of one identity at once, after a rest.
    pub burst: f64,
    /// Connections at a time.
    pub connections: usize,
    /// Requests that look, computed at a time; others wait.
    pub looks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            arrival: Duration::from_secs(20),
            look: Duration::from_secs(300),
            rate: 500.0,
            burst: 1000.0,
            connections: 1024,
            looks: 16,
        }
    }
}

/// How many identities are remembered; with more, all begin anew.
const REMEMBERED: usize = 10_000;

/// Who asked how often.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    seen: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rates {
    /// Counts a request; the seconds to wait if it is one too many.
    pub(crate) fn count(&self, who: &str, limits: &Limits) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > REMEMBERED {
            seen.clear();
        }
        let now = Instant::now();
        let (left, last) = seen.entry(who.to_owned()).or_insert((limits.burst, now));
        let gained = now.duration_since(*last).as_secs_f64() * limits.rate;
        *left = (*left + gained).min(limits.burst);
        *last = now;
        if *left < 1.0 {
            return Err(((1.0 - *left) / limits.rate).ceil().max(1.0) as u64);
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_no_more() {
        let limits = Limits {
            rate: 0.001,
            burst: 3.0,
            ..Limits::default()
        };
        let rates = Rates::default();
        for _ in 0..3 {
            assert_eq!(rates.count("ana", &limits), Ok(()));
        }
        assert!(rates.count("ana", &limits).is_err_and(|wait| wait > 900));
        assert_eq!(rates.count("ben", &limits), Ok(()));
    }
}
