//! The lock file: held by the process that writes, with its id as text.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Kind};

/// How often a waiting writer looks again.
const PAUSE: Duration = Duration::from_millis(10);

/// A lock that is let go when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting up to `wait`.
    ///
    /// # Errors
    /// `Locked` with the holder, `Unavailable` if the file cannot be used.
    pub fn take(path: &Path, wait: Duration) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            Error::new(
                Kind::Unavailable,
                format!("the lock {} cannot be used", path.display()),
            )
            .with_source(e)
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(e) => return Err(failed(e.into())),
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(held(path, &mut file));
            }
            std::thread::park_timeout(PAUSE.min(left));
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn held(path: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    // The holder may be between taking the lock and writing its id; then it is not known.
    let holder = file
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| text.trim().parse::<u32>().ok());
    let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    Error::locked(
        format!("{who} writes to this journal and holds {}", path.display()),
        holder,
    )
}
