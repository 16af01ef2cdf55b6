//! Faults on demand: what the fault suite does to a store.
//!
//! Active only when the environment variable `MAINSTAY_FAULT` is set (or a [`Plan`] is given to a store by a test). Its value is
//! a list of rules, separated by `;`, each
//!
//! ```text
//! OPERATION:PATH:WHEN:ACTION
//! ```
//!
//! - OPERATION: `put` (whole objects and parts), `get`, `head`, `list`, `delete`, or `*`
//! - PATH: a part of the object's path within the store; empty matches every path
//! - WHEN: `3` is the third matching operation of this process, `3+` the third and all later ones, `*` all
//! - ACTION: `error` (a server error), `unreachable`, `denied`, `full` (no space left on the device), `delay=MILLISECONDS`,
//!   `kill` (the process is gone, as by SIGKILL). With `after-` before it (`after-error`, `after-kill`) the operation is carried
//!   out first: the write lands, and the answer is lost.
//!
//! For example `put:air/daily:3:error;put:_delta_log:1:after-kill`.

use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The environment variable that switches faults on.
pub const VARIABLE: &str = "MAINSTAY_FAULT";

/// What is done to the matching operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Error,
    Unreachable,
    Denied,
    Full,
    Delay(Duration),
    Kill,
}

#[derive(Debug)]
struct Rule {
    operation: String,
    path: String,
    first: u64,
    last: u64,
    action: Action,
    after: bool,
    seen: AtomicU64,
}

/// Rules that say which operations fail, and how.
#[derive(Debug, Default)]
pub struct Plan {
    rules: Vec<Rule>,
}

/// What is wrong with a text that should be a fault plan.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a fault rule like put:air/daily:3:error")]
pub struct BadPlan(String);

impl FromStr for Plan {
    type Err = BadPlan;

    fn from_str(s: &str) -> Result<Self, BadPlan> {
        s.split(';')
            .map(str::trim)
            .filter(|r| !r.is_empty())
            .map(rule)
            .collect::<Result<_, _>>()
            .map(|rules| Self { rules })
    }
}

fn rule(text: &str) -> Result<Rule, BadPlan> {
    let bad = || BadPlan(text.to_owned());
    let parts: Vec<&str> = text.split(':').collect();
    let [operation, path, when, action] = parts.as_slice() else {
        return Err(bad());
    };
    let (first, last) = match (*when, when.strip_suffix('+')) {
        ("*", _) => (1, u64::MAX),
        (_, Some(from)) => (from.parse().map_err(|_| bad())?, u64::MAX),
        (n, None) => n.parse().map(|n| (n, n)).map_err(|_| bad())?,
    };
    let (after, name) = action
        .strip_prefix("after-")
        .map_or((false, *action), |a| (true, a));
    let action = match (name, name.strip_prefix("delay=")) {
        ("error", _) => Action::Error,
        ("unreachable", _) => Action::Unreachable,
        ("denied", _) => Action::Denied,
        ("full", _) => Action::Full,
        ("kill", _) => Action::Kill,
        (_, Some(ms)) => Action::Delay(Duration::from_millis(ms.parse().map_err(|_| bad())?)),
        _ => return Err(bad()),
    };
    if !["put", "get", "head", "list", "delete", "*"].contains(operation) || first == 0 {
        return Err(bad());
    }
    let (operation, path) = ((*operation).to_owned(), (*path).to_owned());
    Ok(Rule {
        operation,
        path,
        first,
        last,
        action,
        after,
        seen: AtomicU64::new(0),
    })
}

/// The plan in the environment, read once; its counters are those of the whole process.
///
/// # Errors
///
/// [`BadPlan`] for a variable that is set to something else: a fault suite that tests nothing must not pass.
pub(crate) fn from_environment() -> Result<Option<Arc<Plan>>, BadPlan> {
    static PLAN: OnceLock<Result<Option<Arc<Plan>>, String>> = OnceLock::new();
    let read = || match std::env::var(VARIABLE) {
        Ok(text) => text
            .parse()
            .map(|p| Some(Arc::new(p)))
            .map_err(|BadPlan(rule)| rule),
        Err(_) => Ok(None),
    };
    PLAN.get_or_init(read).clone().map_err(BadPlan)
}

/// Which of the faults of an operation strike after it.
#[derive(Debug, Default)]
pub(crate) struct Pending(Vec<Action>);

impl Plan {
    /// Counts an operation, and carries out what its rules do before it.
    pub(crate) async fn before(&self, operation: &str, path: &str) -> object_store::Result<Pending> {
        let mut pending = Pending::default();
        let mut now = Vec::new();
        for rule in &self.rules {
            if (rule.operation == "*" || rule.operation == operation) && path.contains(&rule.path) {
                let n = rule.seen.fetch_add(1, Ordering::Relaxed) + 1;
                if (rule.first..=rule.last).contains(&n) {
                    if rule.after {
                        pending.0.push(rule.action)
                    } else {
                        now.push(rule.action)
                    }
                }
            }
        }
        strike(&now, path).await?;
        Ok(pending)
    }
}

impl Pending {
    /// Carries out what the rules do after the operation.
    pub(crate) async fn after(self, path: &str) -> object_store::Result<()> {
        strike(&self.0, path).await
    }
}

async fn strike(actions: &[Action], path: &str) -> object_store::Result<()> {
    for action in actions {
        let kind = match action {
            Action::Delay(time) => {
                tokio::time::sleep(*time).await;
                continue;
            }
            Action::Kill => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                continue;
            }
            Action::Denied => {
                let source = Box::new(io::Error::from(io::ErrorKind::PermissionDenied));
                return Err(object_store::Error::PermissionDenied {
                    path: path.to_owned(),
                    source,
                });
            }
            Action::Error => io::ErrorKind::Other,
            Action::Unreachable => io::ErrorKind::TimedOut,
            Action::Full => io::ErrorKind::StorageFull,
        };
        let source = Box::new(io::Error::new(kind, "fault on demand"));
        return Err(object_store::Error::Generic {
            store: "fault",
            source,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_or_refused() {
        assert_eq!(
            "put:air/daily:3:error; *::2+:after-kill;get:x:*:delay=5"
                .parse::<Plan>()
                .expect("a plan")
                .rules
                .len(),
            3
        );
        for bad in [
            "put",
            "put:x:0:error",
            "fly:x:1:error",
            "put:x:1:explode",
            "put:x:y:error",
            "put:x:1:delay=z",
        ] {
            assert!(bad.parse::<Plan>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_nth_matching_operation_is_struck() {
        let plan: Plan = "put:air:2:full".parse().expect("a plan");
        assert!(plan.before("put", "air/a").await.is_ok());
        assert!(plan.before("get", "air/a").await.is_ok());
        assert!(plan.before("put", "sea/a").await.is_ok());
        let e = plan.before("put", "air/b").await.expect_err("the second put");
        assert_eq!(crate::error::classify(&e), crate::Kind::Full);
        assert!(plan.before("put", "air/c").await.is_ok());
    }
}
