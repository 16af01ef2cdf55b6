//! Reading facts of any version: old bodies are brought up to date step by step when they are read, never rewritten.

use serde_json::Value;

use crate::fact::Fact;

/// Why a stored fact cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer program wrote it.
    #[error("fact kind `{kind}` version {version} is unknown to this version of mainstay")]
    Unknown {
        /// The kind.
        kind: String,
        /// Its version.
        version: u16,
    },
    /// The body is not what its kind and version promise.
    #[error("a fact of kind `{kind}` version {version} has a body that cannot be read")]
    Malformed {
        /// The kind.
        kind: String,
        /// Its version.
        version: u16,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// One step: the body of version `from` of a kind, as version `from + 1` writes it.
struct Step {
    kind: &'static str,
    from: u16,
    cast: fn(Value) -> Value,
}

/// All steps there ever were; none is ever taken out.
const STEPS: &[Step] = &[
    // Version 2 names the run that was reused; version 1 only said whether there was one, and there never was.
    Step {
        kind: "run.finished",
        from: 1,
        cast: |body| without(body, "reused"),
    },
    // Version 2 knows of files that are held back; before, there were none.
    Step {
        kind: "delivery.recorded",
        from: 1,
        cast: |body| body,
    },
];

fn without(mut body: Value, field: &str) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.remove(field);
    }
    body
}

/// Reads a stored fact.
///
/// # Errors
///
/// [`Unreadable::Unknown`] for a kind or version that this program does not know; the caller stops, unless the record is
/// marked ignorable. [`Unreadable::Malformed`] for a body that is not what its version promises.
pub fn decode(kind: &str, version: u16, body: &[u8]) -> Result<Fact, Unreadable> {
    decode_with(STEPS, kind, version, body)
}

fn decode_with(steps: &[Step], kind: &str, version: u16, body: &[u8]) -> Result<Fact, Unreadable> {
    let unknown = || Unreadable::Unknown {
        kind: kind.to_owned(),
        version,
    };
    let malformed = |source| Unreadable::Malformed {
        kind: kind.to_owned(),
        version,
        source,
    };
    let newest = Fact::KINDS
        .iter()
        .find(|(k, _)| *k == kind)
        .map(|(_, v)| *v)
        .ok_or_else(unknown)?;
    if version > newest {
        return Err(unknown());
    }
    if version == newest {
        return Fact::decode_direct(kind, body)
            .ok_or_else(unknown)?
            .map_err(malformed);
    }
    let mut value: Value = serde_json::from_slice(body).map_err(malformed)?;
    for from in version..newest {
        let step = steps
            .iter()
            .find(|s| s.kind == kind && s.from == from)
            .ok_or_else(unknown)?;
        value = (step.cast)(value);
    }
    Fact::decode_newest(kind, value)
        .ok_or_else(unknown)?
        .map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::CancelRequested;
    use crate::id::RunId;

    #[test]
    fn the_newest_version_is_read_as_it_is() {
        let fact = Fact::from(CancelRequested { run: RunId(7) });
        let body = fact.encode().expect("json");
        assert_eq!(
            decode(fact.kind(), fact.version(), &body).expect("readable"),
            fact
        );
    }

    #[test]
    fn an_old_version_is_brought_up_to_date() {
        fn rename(mut v: Value) -> Value {
            if let Some(o) = v.as_object_mut() {
                let id = o.remove("id").unwrap_or_default();
                o.insert("run".into(), id);
            }
            v
        }
        let steps = [Step {
            kind: "run.cancel_requested",
            from: 0,
            cast: rename,
        }];
        let fact = decode_with(&steps, "run.cancel_requested", 0, br#"{"id":"R-7"}"#).expect("readable");
        assert_eq!(fact, CancelRequested { run: RunId(7) }.into());
    }

    #[test]
    fn strangers_are_refused() {
        assert!(matches!(
            decode("run.teleported", 1, b"{}"),
            Err(Unreadable::Unknown { .. })
        ));
        assert!(matches!(
            decode("run.cancel_requested", 99, b"{}"),
            Err(Unreadable::Unknown { .. })
        ));
        assert!(matches!(
            decode("run.cancel_requested", 1, b"{}"),
            Err(Unreadable::Malformed { .. })
        ));
    }
}
