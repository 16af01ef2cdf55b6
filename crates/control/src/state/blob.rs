//! Parts of a snapshot that are bytes of their own: read later, or several at once.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From so many bytes on several threads read; below, starting them takes longer.
const WORTH_THREADS: usize = 1 << 20;

/// Bytes as bytes, not as a list of numbers; when read, a part of what is read.
pub(super) struct Blob<'a>(pub(super) &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = &'de [u8];

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, v: &'de [u8]) -> Result<&'de [u8], E> {
                Ok(v)
            }
        }
        d.deserialize_bytes(Borrowed).map(Blob)
    }
}

/// Writes things as a list of bytes.
pub(super) fn serialize<'t, T, S>(
    things: impl ExactSizeIterator<Item = &'t T>,
    s: S,
) -> Result<S::Ok, S::Error>
where
    T: Serialize + 't,
    S: Serializer,
{
    let mut list = s.serialize_seq(Some(things.len()))?;
    for thing in things {
        let bytes = rmp_serde::to_vec_named(thing).map_err(S::Error::custom)?;
        list.serialize_element(&Blob(&bytes))?;
    }
    list.end()
}

/// Reads what [`serialize`] wrote, on several threads where there is much of it.
pub(super) fn deserialize<'de, T, D>(d: D) -> Result<Vec<T>, D::Error>
where
    T: DeserializeOwned + Send,
    D: Deserializer<'de>,
{
    let blobs = Vec::<Blob<'de>>::deserialize(d)?;
    let bytes: usize = blobs.iter().map(|b| b.0.len()).sum();
    let threads = if bytes < WORTH_THREADS {
        1
    } else {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    };
    read(&blobs, threads).map_err(D::Error::custom)
}

fn read<T>(blobs: &[Blob<'_>], threads: usize) -> Result<Vec<T>, rmp_serde::decode::Error>
where
    T: DeserializeOwned + Send,
{
    // Each takes the next one, so that a large one holds up nobody else.
    let next = AtomicUsize::new(0);
    let share = || {
        let mine = std::iter::from_fn(|| {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let blob = blobs.get(at)?;
            Some(rmp_serde::from_slice(blob.0).map(|thing| (at, thing)))
        });
        mine.collect::<Result<Vec<(usize, T)>, _>>()
    };
    let shares = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        let own = share();
        let others = others.into_iter().map(|other| match other.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own).chain(others).collect::<Result<Vec<_>, _>>()
    })?;
    let mut all: Vec<(usize, T)> = shares.into_iter().flatten().collect();
    all.sort_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, thing)| thing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_back_in_their_order_on_any_number_of_threads() {
        let things: Vec<Vec<u64>> = (0..100).map(|i| (0..i).collect()).collect();
        let written: Vec<Vec<u8>> = things
            .iter()
            .map(|t| rmp_serde::to_vec_named(t).unwrap())
            .collect();
        let blobs: Vec<Blob<'_>> = written.iter().map(|w| Blob(w)).collect();
        for threads in [1, 2, 7] {
            assert_eq!(read::<Vec<u64>>(&blobs, threads).unwrap(), things);
        }
        let broken = [Blob(&written[3]), Blob(b"\xc1")];
        assert!(read::<Vec<u64>>(&broken, 2).is_err());
    }
}
