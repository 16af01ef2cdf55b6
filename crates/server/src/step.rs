//! Named steps of the work, at which the fault suite kills the process.
//!
//! A step does nothing unless the environment variable `MAINSTAY_KILL_AT` names it (`publish.recorded`, or
//! `publish.recorded:3` for the third time that it is reached): then the process kills itself with SIGKILL, as a power cut
//! would, and nothing after it happens. If `MAINSTAY_HOLD_AT` names it, with a file after a colon, the first who reaches it waits
//! there until that file is gone; others pass.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The steps there are, in the order in which a first `apply`, `deliver`, `run` and `amend` reach them.
pub const STEPS: &[&str] = &[
    "apply.decided",
    "apply.recorded",
    "deliver.staged",
    "deliver.recorded",
    "deliver.projected",
    "run.recorded",
    "attempt.started",
    "attempt.staged",
    "publish.recorded",
    "publish.projected",
    "projection.recorded",
    "amendment.proposed",
    "amendment.branched",
    "amendment.laid",
    "amendment.computed",
    "amendment.published",
    "vacuum.recorded",
    "snapshot.saved",
];

/// The steps of a backup, and of what it is restored by, in their order.
pub const COPY_STEPS: &[&str] = &[
    "backup.copied",
    "backup.listed",
    "backup.journal",
    "backup.complete",
    "restore.journal",
    "restore.files",
    "restore.recorded",
    "restore.complete",
];

/// The steps of a server that does something by itself.
pub const SERVER_STEPS: &[&str] = &["message.sent", "lineage.told"];

static REACHED: AtomicU64 = AtomicU64::new(0);

/// Whether somebody waited already.
static HELD: AtomicBool = AtomicBool::new(false);

/// How often who waits looks whether the file is gone.
const LOOK: Duration = Duration::from_millis(10);

/// Says that the process is at this step.
pub(crate) fn at(name: &str) {
    debug_assert!(
        STEPS.contains(&name) || COPY_STEPS.contains(&name) || SERVER_STEPS.contains(&name),
        "unknown step {name}"
    );
    hold(name);
    let Ok(wanted) = std::env::var("MAINSTAY_KILL_AT") else {
        return;
    };
    let (step, nth) = match wanted.split_once(':') {
        Some((step, n)) => (step.to_owned(), n.parse().unwrap_or(1)),
        None => (wanted, 1),
    };
    if step == name && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == nth {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

fn hold(name: &str) {
    let Ok(wanted) = std::env::var("MAINSTAY_HOLD_AT") else {
        return;
    };
    let Some(file) = wanted.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) else {
        return;
    };
    if !HELD.swap(true, Ordering::SeqCst) {
        while Path::new(file).exists() {
            std::thread::park_timeout(LOOK);
        }
    }
}
