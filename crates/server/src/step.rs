//! Named steps of the work, at which the fault suite kills the process.
//!
//! A step does nothing unless the environment variable `MAINSTAY_KILL_AT` names it (`publish.recorded`, or
//! `publish.recorded:3` for the third time that it is reached): then the process kills itself with SIGKILL, as a power cut
//! would, and nothing after it happens.

use std::sync::atomic::{AtomicU64, Ordering};

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

static REACHED: AtomicU64 = AtomicU64::new(0);

/// Says that the process is at this step.
pub(crate) fn at(name: &str) {
    debug_assert!(
        STEPS.contains(&name) || COPY_STEPS.contains(&name),
        "unknown step {name}"
    );
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
