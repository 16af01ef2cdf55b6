//! Digests of the state: the writer puts one into a frame now and then, and who follows the journal compares it with its own.
//!
//! A digest says what the records up to its frame's last fold to, in all accounts. Its first four bytes are the version of the
//! fold: states of different versions are not the same bytes, and are not compared.

use std::time::{Duration, Instant};

use mainstay_base::Hash;
use mainstay_base::hash::Hasher;
use mainstay_control::{BadSnapshot, State};

/// Not more often than this.
const EVERY: Duration = Duration::from_secs(5);

/// And not more than this part of the time, a thousandth: nothing is recorded while one is made.
const SHARE: u32 = 1000;

/// When the next digest is due.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// When the last one was made, and how long that took.
    last: Option<(Instant, Duration)>,
}

impl Due {
    pub(super) fn is_now(&self) -> bool {
        self.last.is_none_or(|(made, took)| {
            let pause = EVERY.max(took.saturating_mul(SHARE));
            made.elapsed() >= pause
        })
    }

    pub(super) fn made(&mut self, took: Duration) {
        self.last = Some((Instant::now(), took));
    }
}

/// Returns the digest of all accounts' states, in the order of their names.
pub(super) fn digest<'a>(states: impl Iterator<Item = (&'a str, &'a State)>) -> Result<Hash, BadSnapshot> {
    let mut hasher = Hasher::new("mainstay-state-v1");
    for (account, state) in states {
        hasher.field(account.as_bytes()).field(&state.encode()?);
    }
    let whole = hasher.finish();
    let mut bytes = [0_u8; 32];
    let version = State::FOLD_VERSION.to_le_bytes();
    for (to, from) in bytes.iter_mut().zip(version.iter().chain(whole.as_bytes())) {
        *to = *from;
    }
    Ok(Hash::from_bytes(bytes))
}

/// Says whether a digest is of this version's fold, so that it can be compared.
pub(super) fn is_comparable(digest: &Hash) -> bool {
    digest.as_bytes().starts_with(&State::FOLD_VERSION.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_states_apart_and_is_that_of_its_snapshot() {
        let one = State {
            last_run: 7,
            ..State::default()
        };
        let two = State::default();
        let of = |name: &str, state: &State| digest([(name, state)].into_iter()).expect("a digest");
        assert_eq!(of("main", &one), of("main", &one.clone()));
        assert_ne!(of("main", &one), of("main", &two));
        assert_ne!(of("main", &one), of("other", &one));
        let again = State::decode(&one.encode().expect("bytes")).expect("a state");
        assert_eq!(of("main", &again), of("main", &one));
        assert!(is_comparable(&of("main", &one)));
        assert!(!is_comparable(&Hash::of(b"another version's")));
    }

    #[test]
    fn digests_take_a_small_part_of_the_time() {
        let mut due = Due::default();
        assert!(due.is_now());
        due.made(Duration::from_secs(1));
        assert!(!due.is_now());
        due.last = Instant::now()
            .checked_sub(Duration::from_secs(99))
            .map(|made| (made, Duration::from_secs(1)));
        assert!(!due.is_now(), "one second in a thousand");
        due.last = Instant::now()
            .checked_sub(Duration::from_secs(99))
            .map(|made| (made, Duration::from_millis(1)));
        assert!(due.is_now());
    }
}
