//! Which files have to be read: those that are new or not as they were seen last, and those that were read otherwise than their
//! source says now.
//!
//! A file that was set aside is tried again when something that this rests on is not what it was: the file, what its source says
//! about reading and about columns; for one that broke a check, the checks and what they compare with, and any company that may
//! mend it. One that is held back waits for a yes, or until amendments or their source are others.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::Hash;
use mainstay_base::hash::Hasher;
use mainstay_control::{Sight, SourceFile};
use mainstay_ingest::Found;
use mainstay_model::DatasetName;
use mainstay_model::delivery::{FileError, Outcome};
use mainstay_model::spec::SourceSpec;

use crate::run::{checks_of, read_by_checks};

/// The code of a file that broke a check.
pub(super) const BROKE_A_CHECK: &str = "MS0271";

/// Returns the files whose rows are in a dataset and were read otherwise than its source would have it.
pub(crate) fn read_otherwise(sight: &Sight<'_>, name: &DatasetName, spec: &SourceSpec) -> BTreeSet<String> {
    let reading = spec.reading();
    let files = sight.state.sources.get(name).into_iter().flatten();
    let other = |f: &SourceFile| f.active.is_some() && f.reading.is_some_and(|r| r != reading);
    files
        .filter(|(_, f)| other(f))
        .map(|(name, _)| name.clone())
        .collect()
}

/// What a decision about a file rests on, besides the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grounds {
    /// Of its rows.
    reading: Hash,
    /// Of its fault.
    fault: Hash,
    /// Of the check that it broke.
    check: Hash,
    /// Of its being held back.
    held: Hash,
}

impl Grounds {
    pub(super) fn new(sight: &Sight<'_>, name: &DatasetName, spec: &SourceSpec) -> Self {
        let reading = spec.reading();
        let mut fault = Hasher::new("mainstay source fault 1");
        fault.field(reading.as_bytes());
        fault.field(&serde_json::to_vec(&spec.on_schema_change).unwrap_or_default());
        let mut check = Hasher::new("mainstay source check 1");
        check.field(fault.finish().as_bytes());
        let checks = checks_of(sight, name);
        for (name, spec) in &checks {
            check.field(name.as_bytes());
            check.field(&serde_json::to_vec(spec).unwrap_or_default());
        }
        for other in read_by_checks(&checks, name) {
            let version = sight
                .dataset(&other)
                .map_or(0, mainstay_control::Dataset::version);
            check.field(other.to_string().as_bytes());
            check.field(&version.to_le_bytes());
        }
        let mut held = Hasher::new("mainstay source held 1");
        held.field(check.finish().as_bytes());
        held.field(&serde_json::to_vec(&spec.on_redelivery).unwrap_or_default());
        let overlay = sight.dataset(name).map(|d| &d.overlay);
        for amendment in overlay.iter().flat_map(|o| &o.amendments) {
            held.field(&amendment.0.to_le_bytes());
        }
        Self {
            reading,
            fault: fault.finish(),
            check: check.finish(),
            held: held.finish(),
        }
    }

    /// Returns what holding a file back rests on.
    pub(super) const fn held(&self) -> Hash {
        self.held
    }

    /// Returns what is recorded with a file.
    pub(super) fn of<T>(&self, result: Option<&Result<T, FileError>>) -> Hash {
        match result {
            Some(Err(e)) if e.code == BROKE_A_CHECK => self.check,
            Some(Err(_)) => self.fault,
            _ => self.reading,
        }
    }

    /// Says whether what was decided about a file rests on something else now.
    fn moved(&self, file: &SourceFile) -> bool {
        if let Outcome::Held { grounds, .. } = &file.last.outcome {
            // What was given up stays so until the file changes; what somebody said yes to is taken in.
            return match file.answer {
                Some(accepted) => accepted,
                None => *grounds != self.held,
            };
        }
        let now = match &file.last.outcome {
            Outcome::SetAside { error } if error.code == BROKE_A_CHECK => self.check,
            Outcome::SetAside { .. } => self.fault,
            Outcome::Taken { .. } | Outcome::Duplicate { .. } | Outcome::Held { .. } => self.reading,
        };
        file.last.reading.is_some_and(|then| then != now)
    }
}

/// The files of a place, by what has to be done with them.
#[derive(Debug)]
pub(super) struct Sorted {
    /// Those to be read, in the order of their names.
    pub(super) read: Vec<Found>,
    /// How many are as they were.
    pub(super) unchanged: u64,
    /// Those whose rows are there and have to be read again.
    pub(super) again: BTreeSet<String>,
    /// Those of them that are not in the place any more.
    pub(super) gone: Vec<String>,
    /// What decisions rest on.
    pub(super) grounds: Grounds,
}

/// Says what has to be done with the files of a place.
pub(super) fn sort(sight: &Sight<'_>, name: &DatasetName, spec: &SourceSpec, seen: Vec<Found>) -> Sorted {
    let grounds = Grounds::new(sight, name, spec);
    let again = read_otherwise(sight, name, spec);
    let gone = missing(&again, &seen);
    let nothing = BTreeMap::new();
    let known = sight.state.sources.get(name).unwrap_or(&nothing);
    let (mut read, mut company, mut unchanged) = (Vec::new(), Vec::new(), 0);
    for found in seen {
        match known.get(&found.file) {
            Some(file)
                if !orphaned(known, file)
                    && file.last.observed == found.observed
                    && !again.contains(&found.file)
                    && !grounds.moved(file) =>
            {
                match &file.last.outcome {
                    Outcome::SetAside { error } if error.code == BROKE_A_CHECK => company.push(found),
                    _ => unchanged += 1,
                }
            }
            _ => read.push(found),
        }
    }
    if read.is_empty() {
        unchanged += company.len() as u64;
    } else {
        read.append(&mut company);
        read.sort_by(|a, b| a.file.cmp(&b.file));
    }
    Sorted {
        read,
        unchanged,
        again,
        gone,
        grounds,
    }
}

/// Says whether a file was a duplicate of what is there no more: nobody else holds its content now.
pub(super) fn orphaned(known: &BTreeMap<String, SourceFile>, file: &SourceFile) -> bool {
    let held = |content| {
        known
            .values()
            .any(|f| f.active.is_some_and(|(_, c)| c == content))
    };
    matches!(file.last.outcome, Outcome::Duplicate { .. }) && !held(file.last.content)
}

/// Returns the files that are not among those that were seen.
pub(super) fn missing(wanted: &BTreeSet<String>, seen: &[Found]) -> Vec<String> {
    let there: BTreeSet<&str> = seen.iter().map(|f| f.file.as_str()).collect();
    wanted
        .iter()
        .filter(|f| !there.contains(f.as_str()))
        .cloned()
        .collect()
}
