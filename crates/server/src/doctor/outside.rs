//! What can be seen of a home without opening it: the version, the folder, the disk, who writes, the key, the last backup.

use std::path::Path;

use mainstay_api::{BackupReport, Finding};
use mainstay_base::{Bytes, Clock, SystemClock};
use mainstay_journal::SigningKey;
use mainstay_journal::store::sqlite::LOCK;

use super::{failed, good, problem, warning};
use crate::error;
use crate::ledger::KEY;
use crate::recover::{MARKER, lives};

/// Less free space than this is a problem, less than ten times as much a warning.
const LEAST_FREE: u64 = 1_000_000_000;

/// A backup that is older than this many days is mentioned.
const OLD_DAYS: i64 = 7;

pub(super) fn all(home: &Path) -> Vec<Finding> {
    vec![version(), disk(home), lock(home), key(home), backup(home)]
}

fn version() -> Finding {
    let engine = mainstay_engine::ENGINE;
    good(
        "version",
        format!("mainstay {}, engine {engine}", env!("CARGO_PKG_VERSION")),
    )
}

fn disk(home: &Path) -> Finding {
    let found = match rustix::fs::statvfs(home) {
        Ok(found) => found,
        Err(e) => return failed("disk", error::file("look at", home, &e.into())),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let (text, place) = (Bytes(free), home.display());
    let help = "make room, or let mainstay vacuum free what `retain` does not keep";
    if free < LEAST_FREE {
        problem("disk", format!("only {text} are free where {place} is"), help)
    } else if free < LEAST_FREE * 10 {
        warning("disk", format!("{text} are free where {place} is"), help)
    } else {
        good("disk", format!("{text} are free"))
    }
}

/// Who writes, and whether the last one who did ended cleanly.
fn lock(home: &Path) -> Finding {
    let marked = std::fs::read_to_string(home.join(MARKER)).ok();
    let holder = std::fs::read_to_string(home.join(LOCK)).unwrap_or_default();
    let pid = holder.trim().parse::<i32>().ok();
    match (marked, pid.filter(|pid| lives(*pid))) {
        (Some(_), Some(pid)) => good("lock", format!("process {pid} writes to it")),
        (Some(_), None) => warning(
            "lock",
            "the last process that wrote to it did not end cleanly",
            "the next command that writes finishes or undoes what it left, for example mainstay deliver",
        ),
        (None, _) => good("lock", "nobody writes to it"),
    }
}

fn key(home: &Path) -> Finding {
    let path = home.join(KEY);
    if !path.exists() {
        return good("key", "nothing was signed yet");
    }
    match SigningKey::load(&path) {
        Ok(key) => good("key", format!("the journal's key is of {}", key.name())),
        Err(e) => failed(
            "key",
            error::journal(&e).help(format!("chmod 600 {}, if it is the right one", path.display())),
        ),
    }
}

fn backup(home: &Path) -> Finding {
    let path = home.join(crate::backup::LAST);
    let last = std::fs::read(&path).ok();
    let last = last.and_then(|bytes| serde_json::from_slice::<BackupReport>(&bytes).ok());
    let Some(last) = last else {
        return good("backup", "it was never copied: mainstay backup TARGET does it");
    };
    let days = SystemClock.now().micros_since(last.time) / 86_400_000_000;
    let what = format!("the last backup, up to fact {}, is in {}", last.seq, last.target);
    if days >= OLD_DAYS {
        let days = mainstay_base::text::count(days.unsigned_abs(), "day");
        let help = format!("mainstay backup {}", last.target);
        return warning("backup", format!("{what}, and {days} old"), help);
    }
    good("backup", what)
}
